import type { Compute } from "../../../compute/types.ts";
import { dualBound, type Loss } from "../../losses/index.ts";
import { solveMaster } from "./master.ts";
import { TransportSearch } from "./search.ts";

/** What the dual point is optimized for, in core scaling. */
export interface JointProblem {
  readonly loss: Loss;
  readonly y: Float64Array;
  readonly beta: number;
  /** n x r. */
  readonly Z: Float64Array;
  readonly n: number;
  readonly r: number;
  /** The dual point to start from, e.g. of the trained network. */
  readonly v: Float64Array;
}

/** A dual point with valid bounds of g(v) and g(-v), the lower bound that follows, and the searches that found them. */
export interface JointPoint {
  readonly v: Float64Array;
  readonly plus: number;
  readonly minus: number;
  readonly lowerBound: number;
  readonly searches: readonly [TransportSearch, TransportSearch];
}

/** Rounds of the relaxation at each dual point. */
const ROUNDS = 3;
const FIRST_ROUNDS = 8;
/** How far a trial goes from the best point towards the solution of the master problem. */
const FIRST_STEP = 0.5;
const SMALLEST_STEP = 0.02;
/** Columns kept. */
const COLUMNS = 60;
/** The master problem's value is an upper limit; this near to it nothing is left to gain. */
const PRECISION = 1e-7;

/**
 * Optimizes the dual point for the relaxations of both sides: maximize the lower bound over v. The root relaxation of a side
 * is a support function max { v'phi }, and each of its (approximate) maximizers phi is a cut phi'v <= beta, so this is
 * column generation on a relaxed training problem (Kelley's method in its dual), stabilized by trial points between
 * the best point and the master problem's (Wentges, 1997). Sums phi that an interrupted search returns are cuts too.
 *
 * Yields null where it may be suspended and a point whenever the lower bound has improved; the first is at the given v.
 */
export function* jointDual(
  compute: Compute,
  problem: JointProblem,
  seed: number,
  stop: () => boolean,
): Generator<JointPoint | null, void> {
  const { loss, y, beta, Z, n, r } = problem;
  const columns: Float64Array[] = [];
  let weights: number[] = [];
  const sides = (v: Float64Array): [TransportSearch, TransportSearch] => [
    new TransportSearch(compute, { n, r, Z, v }, seed),
    new TransportSearch(compute, { n, r, Z, v: v.map((t) => -t) }, seed + 1),
  ];
  /** Works on the roots and takes their cuts. */
  function* solve(searches: readonly TransportSearch[], rounds: number): Generator<null, void> {
    for (const [at, search] of searches.entries()) {
      const sign = at === 0 ? 1 : -1;
      const enough = (): boolean => search.rounds >= rounds || search.nodes > 1 || stop();
      while (!search.finished && !enough()) {
        search.advance(Number.NEGATIVE_INFINITY, enough);
        yield null;
      }
      const phi = search.activations;
      if (phi !== null) columns.push(phi.map((t) => sign * t));
      const { u, value } = search.witness;
      if (value > 0) columns.push(activationsAt(problem, u).map((t) => sign * t));
    }
  }
  const pointOf = (v: Float64Array, searches: readonly [TransportSearch, TransportSearch]): JointPoint => {
    const [plus, minus] = [searches[0].bound, searches[1].bound];
    return { v, plus, minus, searches, lowerBound: dualBound(loss, v, y, beta, Math.max(plus, minus)) };
  };

  const first = sides(problem.v);
  yield* solve(first, FIRST_ROUNDS);
  let best = pointOf(problem.v, first);
  yield best;
  let last = first;
  let step = FIRST_STEP;
  while (!stop()) {
    const master = solveMaster(loss, y, beta, columns, weights);
    if (master.value - best.lowerBound <= PRECISION * Math.abs(master.value)) return;
    const alpha = loss.bestScale(best.v, y, beta / Math.max(best.plus, best.minus));
    const v = best.v.map((t, i) => (1 - step) * alpha * t + step * master.v[i]);
    weights = keepUseful(columns, [...master.c], master.v);
    const searches: [TransportSearch, TransportSearch] = [last[0].reweighted(v), last[1].reweighted(v.map((t) => -t))];
    yield* solve(searches, ROUNDS);
    const point = pointOf(v, searches);
    last = searches;
    if (point.lowerBound > best.lowerBound) {
      best = point;
      step = Math.min(1.2 * step, 0.9);
      yield best;
    } else {
      step = Math.max(0.8 * step, SMALLEST_STEP);
      yield null;
    }
  }
}

/** (Z u)_+. */
function activationsAt({ Z, n, r }: JointProblem, u: Float64Array): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => {
    let z = 0;
    for (let k = 0; k < r; k++) z += Z[i * r + k] * u[k];
    return Math.max(z, 0);
  });
}

/** Drops, in place, the unused columns that are farthest from being tight; returns the weights of the others. */
function keepUseful(columns: Float64Array[], weights: number[], v: Float64Array): number[] {
  const scored = columns.map((column, k) => {
    let along = 0;
    for (let i = 0; i < v.length; i++) along += column[i]! * v[i];
    return { column, weight: weights[k] ?? 0, along };
  });
  scored.sort((a, b) => Number(b.weight > 0) - Number(a.weight > 0) || b.along - a.along);
  const kept = scored.slice(0, COLUMNS);
  columns.splice(0, columns.length, ...kept.map(({ column }) => column));
  return kept.map(({ weight }) => weight);
}
