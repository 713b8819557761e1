import { matrix } from "../../base/matrix.ts";
import { randomStream } from "../../base/random.ts";
import type { TwoLayerNetwork } from "../../network/two-layer.ts";
import type { SolveEvent } from "../types.ts";
import { outputsOf } from "./core.ts";
import { boundLarge, type LargeBounds, largePredictions } from "./large-bounds.ts";
import { searchLarge } from "./large-oracle.ts";
import { descend, dualPoint, fromNetwork, grow, merged, polish, randomPoint, toNetwork } from "./large-train.ts";
import { vectorDualBound } from "./losses.ts";
import { largeData, lossOfRows } from "./row-panels.ts";
import { relativeGap, vectorStatus } from "./solution.ts";
import type { VectorOptions, VectorProblem, VectorSolution } from "./types.ts";

const WIDTH = 200;
const EPOCHS = 40;
/** Shares of the time: for stochastic training, and for all training. */
const STOCHASTIC_SHARE = 0.5;
const TRAINING_SHARE = 0.8;
const FIRST_STEPS = 20;
const ROUNDS = 30;
/** From this tolerance on a few rounds do, with one run of L-BFGS each. */
const ROUGH = 1e-3;
const ROUGH_ROUNDS = 3;
const NEW_NEURONS = 16;
/** In single precision a violation below this is rounding. */
const VIOLATED = 1 + 1e-3;
/** A round that lowers the objective by less than this, relatively, or than this part of the tolerance, is the last. */
const PROGRESS = 1e-5;
const PROGRESS_SHARE = 0.1;

/** What {@link trainLarge} found. */
export interface LargeTraining {
  readonly network: TwoLayerNetwork;
  /** M_local of the last search over beta. */
  readonly attained: number;
  readonly iterations: number;
}

/**
 * Training on many rows: Adam on random batches with a learning rate that falls to zero, then rounds of full-batch
 * L-BFGS and of neurons that a search on a subsample, continued on all rows, finds to violate the dual constraint. Matrix
 * products are in single precision.
 *
 * @param progress share of the time for training that is used up; at least 1 ends it.
 */
export function* trainLarge(
  problem: VectorProblem,
  options: Pick<VectorOptions, "compute" | "now" | "seed" | "start" | "width" | "epochs" | "tolerance" | "cancelled">,
  progress: () => number,
): Generator<SolveEvent, LargeTraining> {
  const { compute, now, seed = 0, tolerance = 0 } = options;
  const began = now();
  const trained = (): boolean => progress() >= 1;
  const unscale = problem.scaling === "mean" ? 1 / problem.X.rows : 1;
  const slack = Math.max(PROGRESS, PROGRESS_SHARE * tolerance);
  const isRough = tolerance >= ROUGH;
  const random = randomStream(seed, "large");
  let iteration = 0;
  const event = (objective: number, neurons: number): SolveEvent => ({
    phase: "train",
    iteration,
    objective: objective * unscale,
    bound: null,
    gap: null,
    neurons,
    patterns: neurons,
    seconds: now() - began,
  });
  const large = largeData(problem);
  const value = (x: typeof point): number => polish(compute, large, x, () => true).value;
  let point =
    options.start === undefined
      ? randomPoint(large, options.width ?? WIDTH, random)
      : fromNetwork(large, options.start);
  if (options.start === undefined) {
    const passes = descend(
      compute,
      large,
      point,
      options.epochs ?? EPOCHS,
      random,
      () => progress() / STOCHASTIC_SHARE,
    );
    for (const reached of passes) {
      point = reached;
      iteration += 1;
      yield event(value(point), point.units.length);
    }
  }
  // Time alone never ends the first of these early: a random network is no answer.
  let best = polish(compute, large, point, (step) => (step < FIRST_STEPS ? options.cancelled?.() === true : trained()));
  const fewer = polish(compute, large, merged(best.point, large), trained);
  if (fewer.value <= best.value * (1 + slack)) best = fewer;
  let attained = 0;
  for (let round = 1; ; round++) {
    iteration += 1;
    yield event(best.value, best.point.units.length);
    if (trained()) break;
    const own = best.point.units.map(({ u }) => u);
    const directions = searchLarge(compute, large, dualPoint(compute, large, best.point), random, own);
    attained = directions[0]?.value ?? 0;
    const violated = directions.filter((direction) => direction.value > large.beta * VIOLATED);
    if (round === (isRough ? ROUGH_ROUNDS : ROUNDS) || trained()) break;
    const wider = polish(
      compute,
      large,
      grow(isRough ? merged(best.point, large) : best.point, violated.slice(0, NEW_NEURONS), large),
      trained,
    );
    const next = isRough || trained() ? wider : polish(compute, large, merged(wider.point, large), trained);
    const gained = best.value - Math.min(next.value, wider.value);
    if (next.value <= best.value) best = next;
    else if (wider.value < best.value) best = wider;
    if (!(gained > slack * best.value)) break;
  }
  return { network: toNetwork(large, best.point), attained: attained / large.beta, iterations: iteration };
}

/** {@link solveVector} for many rows: {@link trainLarge}, then objective, dual point and bounds in f64. */
export function* solveLarge(problem: VectorProblem, options: VectorOptions): Generator<SolveEvent, VectorSolution> {
  const { compute, now, seed = 0, tolerance = 1e-6, certify = true, seconds = Number.POSITIVE_INFINITY } = options;
  const began = now();
  const cancelled = (): boolean => options.cancelled?.() === true;
  const share = certify ? TRAINING_SHARE : 1;
  const progress = (): number => (cancelled() ? 1 : (now() - began) / (share * seconds));
  const { network: trained, attained, iterations } = yield* trainLarge(problem, options, progress);
  const unscale = problem.scaling === "mean" ? 1 / problem.X.rows : 1;
  const loss = lossOfRows(
    problem,
    Uint32Array.from({ length: problem.X.rows }, (_, i) => i),
  );
  const value = ({ F, penalty }: { readonly F: Float64Array; readonly penalty: number }): number =>
    loss.value(F) * unscale + problem.beta * penalty;
  const found = { network: trained, ...largePredictions(compute, problem, trained) };
  const constant = constantNetwork(problem);
  const network = value(constant) <= value(found) ? constant.network : trained;
  const F = network === trained ? found.F : constant.F;
  const objective = value(network === trained ? found : constant);
  const V = new Float64Array(F.length);
  loss.negativeGradient(F, V);
  if (problem.bias === "output") loss.center(V);
  const lower = (maximum: number): number => vectorDualBound(loss, V, problem.beta / unscale, maximum) * unscale;
  const random = randomStream(seed, "large-bounds");
  const bounds: LargeBounds | null = certify ? boundLarge(compute, problem, network, V, random, cancelled) : null;
  const lowerBound = bounds === null ? Number.NEGATIVE_INFINITY : lower(bounds.all.value);
  const gap = relativeGap(objective, lowerBound);
  if (bounds !== null) {
    yield {
      phase: "bound",
      iteration: iterations,
      objective,
      bound: lowerBound,
      gap,
      neurons: network.U.rows,
      patterns: network.U.rows,
      seconds: now() - began,
    };
  }
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
    violation: attained - 1,
    listed,
    neurons: network.U.rows,
    iterations,
    seconds: now() - began,
    dual: { V: matrix(problem.X.rows, loss.c, V), maxBound: bounds?.all.value ?? Number.POSITIVE_INFINITY },
  };
}

/** The best network without neurons, with its predictions. */
function constantNetwork({ X, targets, weights, bias }: VectorProblem) {
  const c = outputsOf(targets);
  const c0 = new Float64Array(c);
  if (bias === "output") {
    let total = 0;
    for (let i = 0; i < X.rows; i++) {
      const weight = weights?.[i] ?? 1;
      total += weight;
      if (targets.loss === "softmax") c0[targets.labels[i]!] += weight;
      else for (let k = 0; k < c; k++) c0[k] += weight * targets.Y.data[i * c + k];
    }
    for (let k = 0; k < c; k++) {
      c0[k] /= total || 1;
      // Logarithms of the shares of the classes; every class has rows.
      if (targets.loss === "softmax") c0[k] = Math.log(c0[k]);
    }
  }
  const network: TwoLayerNetwork = {
    kind: "two-layer",
    activation: "relu",
    U: matrix(0, X.cols),
    b: new Float64Array(0),
    W: matrix(0, c),
    c0,
    gates: null,
  };
  const F = Float64Array.from({ length: X.rows * c }, (_, k) => c0[k % c]);
  return { network, F, penalty: 0 };
}
