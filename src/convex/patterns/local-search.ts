import type { RandomStream } from "../../base/random.ts";
import type { Compute } from "../../compute/types.ts";
import { BoxSolver } from "../solvers/bounded-least-squares.ts";

/**
 * Local maximizers of G(u) = v'(Z u)_+ over the unit ball: the directions in which a new neuron would lower the
 * objective (spec 6.6). They are lower bounds of g(v) = max G, never a certificate.
 */
export interface SearchProblem {
  /** n x p, row-major. */
  readonly Z: Float64Array;
  readonly n: number;
  readonly p: number;
  readonly v: Float64Array;
}

export interface Direction {
  /** Unit vector, p entries. */
  readonly u: Float64Array;
  /** G(u). */
  readonly value: number;
}

export interface SearchEffort {
  /** Random starts besides the given ones. */
  readonly starts: number;
  /** How many of the best starts are refined to a local maximum. */
  readonly refine: number;
}

const FIXED_POINT_STEPS = 40;
const FULL_STEPS = 20;
const MAX_REFINEMENTS = 60;

/** G(u). */
export function gain({ Z, n, p, v }: SearchProblem, u: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < n; i++) {
    let z = 0;
    for (let k = 0; k < p; k++) z += Z[i * p + k] * u[k];
    if (z > 0) sum += v[i] * z;
  }
  return sum;
}

/**
 * Multi-start local search, in two stages: the fixed point u <- Z'D(u) v / ||.|| (damped in its second half) from many
 * starts at once, then difference-of-convex ascent from the best ones. Returns distinct directions, best first.
 */
export function searchDirections(
  compute: Compute,
  problem: SearchProblem,
  random: RandomStream,
  effort: SearchEffort,
  given: readonly Float64Array[],
): Direction[] {
  const { Z, n, p, v } = problem;
  const count = effort.starts + given.length;
  if (n === 0 || p === 0 || count === 0) return [];
  const best = compute.scope((scope) => {
    const data = scope.copy(Z);
    const U = scope.f64(count * p);
    const ZU = scope.f64(count * n);
    const G = scope.f64(count * p);
    given.forEach((u, s) => {
      U.set(u.subarray(0, p), s * p);
    });
    for (let s = given.length; s < count; s++) {
      if (s % 4 === 0) {
        const i = random.integer(n);
        for (let k = 0; k < p; k++) U[s * p + k] = Math.sign(v[i]) * Z[i * p + k];
      } else for (let k = 0; k < p; k++) U[s * p + k] = random.normal();
      normalize(U.subarray(s * p, (s + 1) * p));
    }
    const bestU = U.slice();
    const bestValue = new Float64Array(count).fill(Number.NEGATIVE_INFINITY);
    for (let step = 0; step <= FIXED_POINT_STEPS; step++) {
      compute.gemm(false, true, count, n, p, 1, U, p, data, p, 0, ZU, n);
      for (let s = 0; s < count; s++) {
        let value = 0;
        for (let i = 0; i < n; i++) {
          const z = ZU[s * n + i];
          if (z > 0) {
            value += v[i] * z;
            ZU[s * n + i] = v[i];
          } else ZU[s * n + i] = 0;
        }
        if (value > bestValue[s]) {
          bestValue[s] = value;
          bestU.set(U.subarray(s * p, (s + 1) * p), s * p);
        }
      }
      if (step === FIXED_POINT_STEPS) break;
      compute.gemm(false, false, count, p, n, 1, ZU, n, data, p, 0, G, p);
      const weight = step < FULL_STEPS ? 1 : 2 / (2 + step - FULL_STEPS);
      for (let s = 0; s < count; s++) {
        const u = U.subarray(s * p, (s + 1) * p);
        const g = G.subarray(s * p, (s + 1) * p);
        if (!normalize(g)) continue;
        for (let k = 0; k < p; k++) u[k] = (1 - weight) * u[k] + weight * g[k];
        normalize(u);
      }
    }
    return Array.from({ length: count }, (_, s) => ({ u: bestU.slice(s * p, (s + 1) * p), value: bestValue[s] }));
  });
  best.sort((a, b) => b.value - a.value);
  const chosen: Direction[] = [];
  for (const candidate of best) {
    if (chosen.length >= effort.refine) break;
    if (chosen.every((other) => inner(other.u, candidate.u) <= 0.9999)) chosen.push(candidate);
  }
  // The fixed points of many starts are few: ascend from some untouched random directions too.
  for (let s = 0; s < effort.refine / 2; s++) {
    const u = Float64Array.from({ length: p }, () => random.normal());
    if (normalize(u)) chosen.push({ u, value: gain(problem, u) });
  }
  const refined = chosen.map((direction) => ascend(problem, direction)).sort((a, b) => b.value - a.value);
  const distinct: Direction[] = [];
  for (const direction of refined) {
    if (distinct.every((other) => inner(other.u, direction.u) < 1 - 1e-12)) distinct.push(direction);
  }
  return distinct;
}

/**
 * Difference-of-convex ascent: with P = {v > 0}, N = {v < 0}, linearize the convex part at the active rows of P and
 * solve max_{||u|| <= 1} p'u - sum_N |v_i| (x_i'u)_+ exactly by its dual, a box-constrained least-squares problem.
 * Monotone and finite; stops when the active set of P repeats.
 */
export function ascend(problem: SearchProblem, start: Direction): Direction {
  const { Z, n, p, v } = problem;
  const negative: number[] = [];
  const positive: number[] = [];
  for (let i = 0; i < n; i++) {
    if (v[i] < 0) negative.push(i);
    else if (v[i] > 0) positive.push(i);
  }
  const q = Float64Array.from(negative, (i) => -v[i]);
  const N = new Float64Array(negative.length * p);
  negative.forEach((i, k) => {
    N.set(Z.subarray(i * p, (i + 1) * p), k * p);
  });
  const solver = new BoxSolver(N, q, p);
  solver.start(
    q.map((t, k) => (rowDot(N, p, k, start.u) > 0 ? t : 0)),
    q.length,
  );
  let current = start;
  let previous = "";
  for (let step = 0; step < MAX_REFINEMENTS; step++) {
    const active = positive.filter((i) => rowDot(Z, p, i, current.u) > 0);
    const key = active.join(",");
    if (key === previous) break;
    previous = key;
    const target = new Float64Array(p);
    for (const i of active) for (let k = 0; k < p; k++) target[k] += v[i] * Z[i * p + k];
    solver.solve(target, q.length);
    const r = solver.r.slice();
    if (!normalize(r)) break;
    const value = gain(problem, r);
    if (!(value > current.value)) break;
    current = { u: r, value };
  }
  return current;
}

function rowDot(Z: Float64Array, p: number, i: number, u: Float64Array): number {
  let z = 0;
  for (let k = 0; k < p; k++) z += Z[i * p + k] * u[k];
  return z;
}

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}

/** Scales u to length 1 in place; false (and unchanged) when it is zero or not finite. */
function normalize(u: Float64Array): boolean {
  let sum = 0;
  for (let k = 0; k < u.length; k++) sum += u[k] * u[k];
  const norm = Math.sqrt(sum);
  if (!(norm > 0) || !Number.isFinite(norm)) return false;
  for (let k = 0; k < u.length; k++) u[k] /= norm;
  return true;
}
