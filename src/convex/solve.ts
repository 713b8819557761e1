import { ConfigError } from "../base/errors.ts";
import { randomStream } from "../base/random.ts";
import { forward, type TwoLayerNetwork } from "../network/two-layer.ts";
import { boundMaximum, type MaximumBound } from "./bounds/maximum.ts";
import { dualBound, lossByName } from "./losses/index.ts";
import { enumerateCells } from "./patterns/enumerate.ts";
import { patternKey, patternOf } from "./patterns/pattern.ts";
import { consolidate, generateColumns, type Iterate, iterateOf } from "./programs/column-generation.ts";
import {
  type ProgramContext,
  penalizedNorm,
  programContext,
  rowsTimes,
  type Unit,
  unitKey,
} from "./programs/context.ts";
import { type ListedPattern, listedPricer, localSearchPricer, priceListed, VIOLATED } from "./programs/pricing.ts";
import { type CoreProblem, reduce } from "./reduction.ts";
import type { ConvexProblem, Solution, SolveEvent, SolveOptions, SolveStatus } from "./types.ts";

const DEFAULT_TOLERANCE = 1e-6;
/** Convex solves go this much below the asked tolerance, so that they never limit the gap. */
const SOLVE_ACCURACY = 1e-11;
/** Without a certificate a little less will do; much less would leave units split and programs large. */
const TRAIN_ACCURACY = 1e-9;
/** Gates of a gated program for which none were given. */
const DEFAULT_GATES = 500;
/** Bounds during training may take this share of the time. */
const BOUND_SHARE = 0.2;
/** Exact sweeps take part in training up to this many rows; the final bound always tries them. */
const QUICK_ROWS = 300;
/** Candidates added a round when patterns are listed. */
const BATCH = 24;
const TINY = 1e-300;
/** A network this near to the optimum over its own patterns counts as trained; otherwise the solve has stalled. */
const SOLVED = 1e-4;

/** A lower bound (core scaling) with the dual point behind it. */
interface LowerBound {
  readonly value: number;
  readonly v: Float64Array;
  readonly maximum: number;
  readonly method: string;
}

/**
 * Trains a two-layer network to the global optimum of its training objective, and bounds how far it can be from it.
 *
 * `relu` with generated patterns (or `all`): the bound holds for every ReLU network of any width. With sampled or given
 * gates, and for `gated`, program and bound are over the listed patterns. Whatever stops it (tolerance, time,
 * cancellation), the returned network is feasible and the bound valid.
 *
 * @throws ConfigError when the problem cannot be posed (all patterns above rank 3, gated with free biases).
 */
export function* solveConvex(problem: ConvexProblem, options: SolveOptions): Generator<SolveEvent, Solution> {
  checkProblem(problem);
  const { compute, now, seed = 0, tolerance = DEFAULT_TOLERANCE, certify = true } = options;
  const began = now();
  const core = reduce(problem);
  const context = programContext(core, problem.loss, problem.program === "gated");
  const outOfTime = (): boolean => options.seconds !== undefined && now() - began >= options.seconds;
  const cancelled = (): boolean => options.cancelled?.() === true;
  const stop = (): boolean => cancelled() || outOfTime();

  const listed = listPatterns(problem, context, seed);
  const allPatterns = problem.program === "relu" && (listed === null || problem.patterns.kind === "all");
  const pricer =
    listed === null
      ? localSearchPricer(compute, context, randomStream(seed, "search"), stop)
      : listedPricer(context, listed, BATCH);

  let best: LowerBound | null = null;
  let boundSeconds = 0;
  /** Improves `best` by the dual point of an iterate. */
  const bound = (iterate: Iterate, thorough: boolean): void => {
    const start = now();
    const found: { value: number; method: string } | null =
      listed === null
        ? methodOf(
            boundMaximum(
              compute,
              core,
              iterate.v,
              seed,
              thorough || core.Z.rows <= QUICK_ROWS ? stop : () => true,
              stop,
            ),
            core,
          )
        : listedMaximum(context, listed, iterate.v, cancelled);
    boundSeconds += now() - start;
    if (found === null) return;
    const value = dualBound(context.loss, iterate.v, core.y, core.beta, found.value);
    if (best === null || value > best.value) best = { value, v: iterate.v, maximum: found.value, method: found.method };
  };

  let iteration = 0;
  let patterns = 0;
  const event = (phase: SolveEvent["phase"], iterate: Iterate): SolveEvent => {
    const value = best === null ? null : best.value;
    return {
      phase,
      iteration,
      objective: iterate.objective * core.unscale,
      bound: value === null ? null : value * core.unscale,
      gap: value === null ? null : relativeGap(iterate.objective, value),
      neurons: iterate.units.length,
      patterns,
      seconds: now() - began,
    };
  };

  // 1. Train.
  const allowed = listed === null ? null : new Set(listed.map(({ pattern }) => patternKey(pattern)));
  const start = startUnits(context, problem, options.start).filter(
    ({ pattern }) => allowed === null || allowed.has(patternKey(pattern)),
  );
  let iterate = iterateOf(context, start, startOffset(context, options.start));
  if (core.freeBias && iterate.units.length === 0) iterate = iterateOf(context, [], bestConstant(context));
  const accuracy = certify ? Math.min(SOLVE_ACCURACY, tolerance / 10) : TRAIN_ACCURACY;
  // Time never ends the training before its first solve: a zero network is no answer.
  const training = generateColumns(compute, context, pricer, iterate, {
    accuracy,
    stop: () => cancelled() || (iteration > 1 && outOfTime()),
    confirmations: listed === null && certify ? 2 : 1,
    slack: certify ? VIOLATED : 1 + tolerance,
  });
  let step = training.next();
  for (; step.done !== true; step = training.next()) {
    iterate = step.value;
    iteration += 1;
    patterns = Math.max(patterns, iterate.units.length);
    if (certify && (best === null || boundSeconds < BOUND_SHARE * (now() - began))) bound(iterate, false);
    yield event("train", iterate);
  }
  const { converged, seen } = step.value;
  patterns = listed?.length ?? new Set([...seen.values()].map((unit) => patternKey(unit.pattern))).size;

  if (certify && !context.gated) iterate = consolidate(compute, context, iterate, stop);

  // 2. Bound at the final dual point, and over the patterns seen.
  let own: Solution["listed"] = null;
  if (certify) {
    bound(iterate, true);
    if (listed === null) own = boundOverSeen(context, [...seen.values()], iterate, stop);
    yield event("bound", iterate);
  }

  const network = core.toNetwork(
    iterate.units.map(({ a, sign }) => ({
      a: a.subarray(0, core.Z.cols),
      b: core.freeBias ? a[core.Z.cols] : 0,
      sign,
    })),
    iterate.c0,
    context.gated ? iterate.units.map((unit) => unit.gate ?? new Float64Array(0)) : null,
  );
  const objective = networkObjective(problem, network);
  const final = best as LowerBound | null;
  const lowerBound = final === null ? Number.NEGATIVE_INFINITY : final.value * core.unscale;
  const gap = final === null ? Number.POSITIVE_INFINITY : relativeGap(objective, lowerBound);
  return {
    status: statusOf(
      gap <= tolerance,
      cancelled(),
      outOfTime() || (own === null ? converged : own.gap <= Math.max(tolerance, SOLVED)),
    ),
    network,
    objective,
    lowerBound,
    gap,
    scope: allPatterns ? "all-patterns" : "listed-patterns",
    method: final?.method ?? "none",
    listed: own,
    neurons: network.U.rows,
    patterns,
    iterations: iteration,
    seconds: now() - began,
    dual: { v: final?.v ?? iterate.v, maxBound: (final?.maximum ?? Number.POSITIVE_INFINITY) * core.scale },
  };
}

/**
 * beta_max = M(-grad loss at the best constant prediction): from there on the zero network is optimal. Exact up to rank
 * 3; otherwise the best of a local search (a lower estimate, good enough to place a grid), in the problem's scaling.
 */
export function betaMax(problem: Omit<ConvexProblem, "beta">, options: SolveOptions): number {
  const core = reduce({ ...problem, beta: 0 });
  const context = programContext(core, problem.loss, problem.program === "gated");
  const { v } = iterateOf(context, [], core.freeBias ? bestConstant(context) : 0);
  const listed = listPatterns({ ...problem, beta: 0 }, context, options.seed ?? 0);
  const never = (): boolean => false;
  const unit = core.unscale * core.scale;
  if (listed !== null) return (priceListed(context, listed, v, never)?.maximum ?? 0) * unit;
  if (core.Z.cols <= 3) return boundMaximum(options.compute, core, v, options.seed ?? 0, never).attained * unit;
  const pricer = localSearchPricer(options.compute, context, randomStream(options.seed ?? 0, "beta-max"), never);
  return (pricer.price(v, [], true)[0]?.gain ?? 0) * unit;
}

/**
 * The training objective of a network in the problem's own scaling, in f64 from its weights alone:
 * loss + beta sum_j |w_j| ||u_j|| (equal to (beta/2)(||U||^2 + ||w||^2) at balanced weights); the hidden bias counts in
 * ||u_j|| when it is a penalized column.
 */
export function networkObjective(problem: ConvexProblem, network: TwoLayerNetwork): number {
  const { X, y, loss, scaling, beta, bias } = problem;
  const f = forward(network, X).data;
  const d = X.cols;
  let penalty = 0;
  for (let j = 0; j < network.U.rows; j++) {
    let norm = bias === "column" ? network.b[j] ** 2 : 0;
    for (let k = 0; k < d; k++) norm += network.U.data[j * d + k] ** 2;
    penalty += Math.sqrt(norm) * Math.abs(network.W.data[j]);
  }
  return lossByName(loss).value(f, y) * (scaling === "mean" ? 1 / X.rows : 1) + beta * penalty;
}

function checkProblem({ X, y, beta, bias, program, loss }: ConvexProblem): void {
  if (y.length !== X.rows) throw new RangeError(`X has ${X.rows} rows, y ${y.length} entries`);
  if (!X.data.every(Number.isFinite)) throw new RangeError("X has an entry that is not finite");
  if (!y.every(Number.isFinite)) throw new RangeError("y has an entry that is not finite");
  if (loss === "logistic" && !y.every((t) => Math.abs(t) === 1)) {
    throw new RangeError("the logistic loss needs targets -1 and +1");
  }
  if (!(beta > 0) || !Number.isFinite(beta)) {
    throw new ConfigError(`beta must be a positive number, got ${beta}`, {
      code: "beta",
      hint: "leave --beta out to choose it by validation",
    });
  }
  if (program === "gated" && bias === "output") {
    throw new ConfigError("a gated program has no free biases", { code: "bias", hint: "use --bias column or none" });
  }
}

function relativeGap(objective: number, lowerBound: number): number {
  return (objective - lowerBound) / Math.max(Math.abs(objective), TINY);
}

function statusOf(closed: boolean, cancelled: boolean, finished: boolean): SolveStatus {
  if (closed) return "optimal";
  if (cancelled) return "interrupted";
  return finished ? "bounded" : "stalled";
}

function methodOf(found: MaximumBound, core: CoreProblem): { value: number; method: string } {
  return { value: found.value, method: found.method === "exact" ? `exact-rank-${core.Z.cols}` : "shor" };
}

function listedMaximum(
  context: ProgramContext,
  listed: readonly ListedPattern[],
  v: Float64Array,
  stop: () => boolean,
): { value: number; method: string } | null {
  const priced = priceListed(context, listed, v, stop);
  return priced === null ? null : { value: priced.maximum, method: "listed" };
}

/** The bound over the patterns that were ever in the working set. */
function boundOverSeen(
  context: ProgramContext,
  seen: readonly Unit[],
  iterate: Iterate,
  stop: () => boolean,
): Solution["listed"] {
  const distinct = new Map(seen.map((unit) => [patternKey(unit.pattern), { pattern: unit.pattern, gate: unit.gate }]));
  const priced = priceListed(context, [...distinct.values()], iterate.v, stop);
  if (priced === null) return null;
  const { core, loss } = context;
  const value = dualBound(loss, iterate.v, core.y, core.beta, priced.maximum);
  return { patterns: distinct.size, lowerBound: value * core.unscale, gap: relativeGap(iterate.objective, value) };
}

/** The patterns that the program is restricted to; null when it ranges over all and finds them itself. */
function listPatterns(problem: ConvexProblem, context: ProgramContext, seed: number): ListedPattern[] | null {
  const { patterns: source, program } = problem;
  const { E, n, p, core } = context;
  if (source.kind === "generated" && program === "relu") return null;
  const list = new Map<string, ListedPattern>();
  const add = (u: Float64Array | null, gate: Float64Array): void => {
    // A gated network opens its gates itself: its arithmetic decides. Otherwise only the cell matters.
    const pattern = patternOf(u === null || program === "gated" ? gateValues(problem, gate) : rowsTimes(E, n, p, u));
    if (pattern.every((word) => word === 0)) return; // closed on all rows: contributes nothing
    const key = patternKey(pattern);
    if (!list.has(key)) list.set(key, { pattern, gate });
  };
  if (source.kind === "all") {
    if (p > 3) {
      throw new ConfigError(`--patterns all needs rank at most 3, these data have ${p}`, {
        code: "patterns",
        hint: "leave --patterns out, or give a number of patterns to sample",
      });
    }
    for (const { u } of enumerateCells(E, n, p)) add(u, core.toInput(u.subarray(0, core.Z.cols)));
  } else if (source.kind === "gates") {
    const columns = problem.X.cols + (problem.bias === "column" ? 1 : 0);
    if (source.G.cols !== columns) {
      throw new ConfigError(
        `the gate vectors have ${source.G.cols} entries, the data ${columns} columns (bias column included)`,
        {
          code: "gates",
        },
      );
    }
    for (let g = 0; g < source.G.rows; g++) {
      add(null, source.G.data.slice(g * source.G.cols, (g + 1) * source.G.cols));
    }
  } else {
    const count = source.kind === "sampled" ? source.count : DEFAULT_GATES;
    const random = randomStream(seed, "gates");
    for (let g = 0; g < count; g++) {
      const u = Float64Array.from({ length: p }, () => random.normal());
      add(u, core.toInput(u.subarray(0, core.Z.cols)));
    }
  }
  return [...list.values()];
}

/** g . x_i + h of every row, added up in the order of the network's own forward pass. */
function gateValues({ X, bias }: ConvexProblem, gate: Float64Array): Float64Array {
  return Float64Array.from({ length: X.rows }, (_, i) => {
    let z = bias === "column" ? gate[X.cols] : 0;
    for (let k = 0; k < X.cols; k++) z += gate[k] * X.data[i * X.cols + k];
    return z;
  });
}

function startUnits(context: ProgramContext, problem: ConvexProblem, start: TwoLayerNetwork | undefined): Unit[] {
  if (start === undefined || problem.program === "gated") return [];
  const { E, n, p, core } = context;
  const units = new Map<string, Unit>();
  for (const { a, b, sign } of core.fromNetwork(start).neurons) {
    const whole = core.freeBias ? Float64Array.of(...a, b) : a;
    if (!(penalizedNorm(context, whole) > 0)) continue;
    const pattern = patternOf(rowsTimes(E, n, p, whole));
    const key = unitKey(sign, pattern);
    const known = units.get(key);
    units.set(key, {
      key,
      pattern,
      sign,
      a: known === undefined ? whole : known.a.map((t, k) => t + whole[k]),
      gate: null,
    });
  }
  return [...units.values()];
}

function startOffset({ core }: ProgramContext, start: TwoLayerNetwork | undefined): number {
  return start === undefined ? 0 : core.fromNetwork(start).c0;
}

/** The constant prediction of least loss, by Newton's method from 0 (monotone there for both losses). */
function bestConstant({ core, loss, n }: ProgramContext): number {
  const f = new Float64Array(n);
  const v = new Float64Array(n);
  const h = new Float64Array(n);
  let c0 = 0;
  for (let iteration = 0; iteration < 60; iteration++) {
    f.fill(c0);
    loss.negativeGradient(f, core.y, v);
    loss.curvature(f, core.y, h);
    let slope = 0;
    let curvature = 0;
    for (let i = 0; i < n; i++) {
      slope += v[i];
      curvature += h[i];
    }
    const step = slope / curvature;
    c0 += step;
    if (Math.abs(step) <= 1e-15 * (1 + Math.abs(c0))) break;
  }
  return c0;
}
