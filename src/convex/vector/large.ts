import { matrix } from "../../base/matrix.ts";
import { randomStream } from "../../base/random.ts";
import type { SolveEvent } from "../types.ts";
import { boundLarge, type LargeBounds, largePredictions } from "./large-bounds.ts";
import { searchLarge } from "./large-oracle.ts";
import { descend, dualPoint, fromNetwork, grow, polish, randomPoint, toNetwork } from "./large-train.ts";
import { vectorDualBound } from "./losses.ts";
import { largeData, lossOfRows } from "./row-panels.ts";
import { relativeGap, vectorStatus } from "./solution.ts";
import type { VectorOptions, VectorProblem, VectorSolution } from "./types.ts";

const WIDTH = 200;
const EPOCHS = 40;
/** Shares of the time: for stochastic training, and for all training. */
const STOCHASTIC_SHARE = 0.5;
const TRAINING_SHARE = 0.8;
const ROUNDS = 4;
const NEW_NEURONS = 16;
/** In single precision a violation below this is rounding. */
const VIOLATED = 1 + 1e-3;

/**
 * {@link solveVector} for many rows: Adam on random batches with a learning rate that falls to zero, then rounds of full-batch
 * L-BFGS and of neurons that a search on a subsample, continued on all rows, finds to violate the dual constraint. Matrix
 * products of training are in single precision; the final objective, dual point and bounds in f64.
 */
export function* solveLarge(problem: VectorProblem, options: VectorOptions): Generator<SolveEvent, VectorSolution> {
  const { compute, now, seed = 0, tolerance = 1e-6, certify = true, seconds = Number.POSITIVE_INFINITY } = options;
  const began = now();
  const cancelled = (): boolean => options.cancelled?.() === true;
  /** Share of the given share of the time that is used up; 1 when cancelled. */
  const progress = (share: number) => (): number => (cancelled() ? 1 : (now() - began) / (share * seconds));
  const trained = (): boolean => progress(TRAINING_SHARE)() >= 1;
  const unscale = problem.scaling === "mean" ? 1 / problem.X.rows : 1;
  const random = randomStream(seed, "large");
  let iteration = 0;
  const event = (phase: SolveEvent["phase"], objective: number, neurons: number, bound: number | null): SolveEvent => ({
    phase,
    iteration,
    objective,
    bound,
    gap: bound === null ? null : relativeGap(objective, bound),
    neurons,
    patterns: neurons,
    seconds: now() - began,
  });

  // 1. Train.
  const large = largeData(problem);
  const value = (x: typeof point): number => polish(compute, large, x, () => true).value * unscale;
  let point =
    options.start === undefined
      ? randomPoint(large, options.width ?? WIDTH, random)
      : fromNetwork(large, options.start);
  if (options.start === undefined) {
    const passes = descend(compute, large, point, options.epochs ?? EPOCHS, random, progress(STOCHASTIC_SHARE));
    for (const reached of passes) {
      point = reached;
      iteration += 1;
      yield event("train", value(point), point.units.length, null);
    }
  }
  let best = polish(compute, large, point, trained);
  let attained = 0;
  for (let round = 1; ; round++) {
    iteration += 1;
    yield event("train", best.value * unscale, best.point.units.length, null);
    const own = best.point.units.map(({ u }) => u);
    const directions = searchLarge(compute, large, dualPoint(compute, large, best.point), random, own);
    attained = directions[0]?.value ?? 0;
    const violated = directions.filter((direction) => direction.value > large.beta * VIOLATED);
    if (round === ROUNDS || violated.length === 0 || trained()) break;
    const next = polish(compute, large, grow(best.point, violated.slice(0, NEW_NEURONS), large), trained);
    if (!(next.value < best.value)) break;
    best = next;
  }
  const network = toNetwork(large, best.point);

  // 2. Objective and bounds, in f64.
  const { F, penalty } = largePredictions(compute, problem, network);
  const loss = lossOfRows(
    problem,
    Uint32Array.from({ length: problem.X.rows }, (_, i) => i),
  );
  const objective = loss.value(F) * unscale + problem.beta * penalty;
  const V = new Float64Array(F.length);
  loss.negativeGradient(F, V);
  if (problem.bias === "output") loss.center(V);
  const lower = (maximum: number): number => vectorDualBound(loss, V, problem.beta / unscale, maximum) * unscale;
  const bounds: LargeBounds | null = certify ? boundLarge(compute, problem, network, V, random, cancelled) : null;
  const lowerBound = bounds === null ? Number.NEGATIVE_INFINITY : lower(bounds.all.value);
  const gap = relativeGap(objective, lowerBound);
  if (bounds !== null) yield event("bound", objective, network.U.rows, lowerBound);
  let listed: VectorSolution["listed"] = null;
  if (bounds?.listed) {
    const below = lower(bounds.listed.maximum);
    listed = { patterns: bounds.listed.patterns, lowerBound: below, gap: relativeGap(objective, below) };
  }
  return {
    status: vectorStatus(gap <= tolerance, cancelled(), true),
    network,
    objective,
    lowerBound,
    gap,
    scope: "all-patterns",
    method: bounds?.all.method ?? "none",
    violation: attained / large.beta - 1,
    listed,
    neurons: network.U.rows,
    iterations: iteration,
    seconds: now() - began,
    dual: { V: matrix(problem.X.rows, loss.c, V), maxBound: bounds?.all.value ?? Number.POSITIVE_INFINITY },
  };
}
