import { randomStream } from "../../base/random.ts";
import { forward, type TwoLayerNetwork } from "../../network/two-layer.ts";
import type { SolveEvent } from "../types.ts";
import { boundVectorMaximum, type VectorMaximum } from "./bound.ts";
import {
  checkVectorProblem,
  fromVectorNetwork,
  toVectorNetwork,
  vectorCore,
  vectorIterate,
  vectorLoss,
} from "./core.ts";
import { generateNeurons, type Round } from "./generate.ts";
import { solveLarge, trainLarge } from "./large.ts";
import { searchLarge } from "./large-oracle.ts";
import { solveLocally } from "./local-solve.ts";
import { vectorDualBound } from "./losses.ts";
import { searchVectorDirections } from "./oracle.ts";
import { largeData } from "./row-panels.ts";
import { scalarBounds } from "./scalar-bound.ts";
import { relativeGap, vectorStatus } from "./solution.ts";
import type { VectorOptions, VectorProblem, VectorSolution } from "./types.ts";

const DEFAULT_TOLERANCE = 1e-6;
/** Relative width of the smoothed ReLU at the end of a solve. */
const ACCURACY = 1e-11;
const TRAIN_ACCURACY = 1e-8;
/** A dual constraint counts as violated above beta times this. */
const VIOLATED = 1 + 1e-8;
/** Scalar bounds of the final cover. */
const EVALUATIONS = 1000;
/** Times that a witness of the bound sends it back to training. */
const REPAIRS = 5;
/** From this many rows on training works on blocks of rows in single precision. */
const MANY_ROWS = 5000;
/** Rows times outputs times features up to which training goes neuron by neuron from the beginning. */
const TINY = 1000;
/** Tolerance from which on, where nothing is certified, a solve is like that of many rows: not exact, and much faster. */
const ROUGH = 1e-3;
/** Rows times outputs times features from which on the largest violation is looked for as with many rows. */
const HEAVY = 4e4;
/** Shares of the time: for the beginning of training, which is like that of many rows, and for all of it. */
const ROUGH_SHARE = 0.35;
const TRAINING_SHARE = 0.6;
/** A violation up to here counts as trained; otherwise the solve has stalled. */
const SOLVED = 1e-4;

/** A lower bound (core scaling) with the dual point behind it. */
interface LowerBound {
  readonly value: number;
  readonly maximum: number;
  readonly method: string;
  readonly V: Float64Array;
}

/**
 * Trains one network with c outputs and a shared hidden layer on loss + beta sum_j ||u_j|| ||w_j||, and bounds how far it can
 * be from the minimum over all such networks of any width.
 *
 * Column generation: a local search finds neurons that violate the dual constraint ||V'(Xu)_+|| <= beta, all weights are then
 * brought to a local minimum together; with outputs the restricted problem is not convex, so that `violation` near 0 means
 * that no neuron was found that helps. The bound holds whatever the network is. Beyond 5,000 rows training is
 * stochastic, in single precision, followed by L-BFGS (fewer rows with many outputs and features begin like that); objective
 * and bound are in f64.
 *
 * @throws RangeError when shapes or entries do not fit. ConfigError when the problem cannot be posed.
 */
export function* solveVector(problem: VectorProblem, options: VectorOptions): Generator<SolveEvent, VectorSolution> {
  checkVectorProblem(problem);
  const { compute, now, seed = 0, tolerance = DEFAULT_TOLERANCE, certify = true } = options;
  if (problem.X.rows > MANY_ROWS || (!certify && tolerance >= ROUGH)) return yield* solveLarge(problem, options);
  const began = now();
  const context = vectorCore(problem);
  const { core, loss, beta } = context;
  const cancelled = (): boolean => options.cancelled?.() === true;
  const seconds = options.seconds ?? Number.POSITIVE_INFINITY;
  const used = (share: number): boolean => now() - began >= share * seconds;
  const stop = (): boolean => cancelled() || used(1);
  const trainShare = certify ? TRAINING_SHARE : 1;

  let iteration = 0;
  let best: LowerBound | null = null;
  const event = (phase: SolveEvent["phase"], { iterate }: Round): SolveEvent => ({
    phase,
    iteration,
    objective: iterate.objective * core.unscale,
    bound: best === null ? null : best.value * core.unscale,
    gap: best === null ? null : relativeGap(iterate.objective, best.value),
    neurons: iterate.units.length,
    patterns: iterate.units.length,
    seconds: now() - began,
  });

  let from = options.start;
  let roughly = 0;
  const { n, c, p } = context;
  if (from === undefined && n * c * p > TINY && problem.beta < vectorBetaMax(problem, options)) {
    const progress = (): number => (cancelled() ? 1 : (now() - began) / (ROUGH_SHARE * seconds));
    const rough = trainLarge(problem, options, progress);
    let step = rough.next();
    for (; step.done !== true; step = rough.next()) {
      iteration += 1;
      yield step.value;
    }
    from = step.value.network;
    roughly = step.value.attained * beta;
  }
  const start = from === undefined ? { units: [], c0: new Float64Array(context.c) } : fromVectorNetwork(context, from);
  const [none, begun] = [
    vectorIterate(context, [], new Float64Array(c)),
    vectorIterate(context, start.units, start.c0),
  ];
  let round: Round = { iterate: begun.objective < none.objective ? begun : none, attained: 0 };
  let converged = false;
  let cut = false;
  const hints: Float64Array[] = [];
  const random = randomStream(seed, "vector");
  const left = (): number => Math.max(0, seconds - (now() - began));
  const given = options.scalarBound;
  const scalar =
    given === undefined
      ? scalarBounds(context, { compute, seed, now, left, stop })
      : { bound: given, harder: () => false };
  for (let repair = 0; repair <= REPAIRS; repair++) {
    // 1. Train. Time never ends the training before its first solve: a zero network is no answer.
    const rounds = generateNeurons(compute, context, round.iterate, random, {
      accuracy: certify ? ACCURACY : TRAIN_ACCURACY,
      stop: () => cancelled() || ((iteration > 1 || round.iterate.units.length > 0) && used(trainShare)),
      confirmations: certify ? 2 : 1,
      slack: certify ? VIOLATED : 1 + tolerance,
      hints,
    });
    let step = rounds.next();
    for (; step.done !== true; step = rounds.next()) {
      iteration += 1;
      yield event("train", step.value);
    }
    round = step.value.last;
    converged = step.value.converged;
    cut = !converged && used(trainShare);
    if (!certify) break;

    // 2. Bound: quickly, then thoroughly, then with more time for what was cut short. A witness that violates the dual constraint becomes a neuron.
    const { iterate, attained } = round;
    let witness: VectorMaximum["witness"] = null;
    for (let evaluations = 0; ; evaluations = EVALUATIONS) {
      const effort = { evaluations, attained, stop, left };
      const found = boundVectorMaximum(compute, context, iterate.V, scalar.bound, seed, effort);
      const dual = vectorDualBound(loss, iterate.V, beta, found.value);
      if (best === null || dual > best.value)
        best = { value: dual, maximum: found.value, method: found.method, V: iterate.V };
      if (found.witness !== null && found.witness.value > (witness?.value ?? 0)) witness = found.witness;
      yield event("bound", round);
      if (relativeGap(iterate.objective, best.value) <= tolerance || stop()) break;
      if (evaluations > 0 && !scalar.harder()) break;
    }
    if (relativeGap(iterate.objective, best?.value ?? 0) <= tolerance || stop()) break;
    if (witness === null || !(witness.value > Math.max(attained, beta) * VIOLATED) || used(trainShare)) break;
    hints.push(witness.u);
  }

  const { iterate } = round;
  const attained = round.attained > 0 ? round.attained : roughly;
  const network = toVectorNetwork(context, iterate.units, iterate.c0);
  const objective = vectorObjective(problem, network);
  const found = best as LowerBound | null;
  const lowerBound = found === null ? Number.NEGATIVE_INFINITY : found.value * core.unscale;
  const gap = found === null ? Number.POSITIVE_INFINITY : relativeGap(objective, lowerBound);
  return {
    status: vectorStatus(gap <= tolerance, cancelled(), cut || used(1) || converged || attained <= beta * (1 + SOLVED)),
    network,
    objective,
    lowerBound,
    gap,
    scope: "all-patterns",
    method: found?.method ?? "none",
    violation: attained / beta - 1,
    listed: null,
    neurons: network.U.rows,
    iterations: iteration,
    seconds: now() - began,
    dual: {
      V: { rows: context.n, cols: context.c, data: found?.V ?? iterate.V },
      maxBound: (found?.maximum ?? Number.POSITIVE_INFINITY) * core.scale,
    },
  };
}

/**
 * The largest ||V'(Xu)_+|| that a local search finds at the best constant prediction, in the problem's scaling: an estimate
 * from below of beta_max, from which on the network without neurons is optimal. Good enough to place a grid.
 */
export function vectorBetaMax(problem: Omit<VectorProblem, "beta">, options: VectorOptions): number {
  const posed = { ...problem, beta: 1 };
  checkVectorProblem(posed);
  const { compute, seed = 0 } = options;
  const context = vectorCore(posed);
  const { n, p, c, core } = context;
  const random = randomStream(seed, "vector-beta-max");
  let iterate = vectorIterate(context, [], new Float64Array(c));
  if (context.freeBias) {
    const { c0 } = solveLocally(compute, context, [], iterate.c0, { from: 0, to: 0, stop: () => false });
    iterate = vectorIterate(context, [], c0);
  }
  if (n * c * p > HEAVY) {
    const large = largeData(posed);
    return (searchLarge(compute, large, iterate.V, random, [])[0]?.value ?? 0) * core.unscale * large.scale;
  }
  const starts = Math.max(16, Math.min(512, Math.floor(2e7 / (n * p || 1))));
  const effort = { starts, refine: n * p <= 3e5 ? 24 : 0 };
  return (
    (searchVectorDirections(compute, context, iterate.V, random, effort, [])[0]?.value ?? 0) * core.unscale * core.scale
  );
}

/**
 * The training objective of a network in the problem's own scaling, in f64 from its weights alone: loss +
 * beta sum_j ||u_j|| ||w_j||; the hidden bias counts in ||u_j|| when it is a penalized column.
 */
export function vectorObjective(problem: VectorProblem, network: TwoLayerNetwork): number {
  const { X, beta, bias, scaling } = problem;
  const { U, b, W } = network;
  let penalty = 0;
  for (let j = 0; j < U.rows; j++) {
    const hidden = Math.hypot(...U.data.subarray(j * U.cols, (j + 1) * U.cols), bias === "column" ? b[j] : 0);
    penalty += hidden * Math.hypot(...W.data.subarray(j * W.cols, (j + 1) * W.cols));
  }
  const value = vectorLoss(problem).value(forward(network, X).data);
  return (scaling === "mean" ? value / X.rows : value) + beta * penalty;
}
