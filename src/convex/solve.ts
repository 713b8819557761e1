import { randomStream } from "../base/random.ts";
import { CONES_RANK } from "./bounds/ladder.ts";
import { Lanes } from "./bounds/lanes.ts";
import { boundMaximum, EXACT_RANK } from "./bounds/maximum.ts";
import { certifyIterate, type LowerBound } from "./certify.ts";
import { boundOverSeen, listedMaximum, listPatterns } from "./listed.ts";
import { bestConstant, dualBound } from "./losses/index.ts";
import { checkProblem, networkObjective, relativeGap } from "./objective.ts";
import { patternKey } from "./patterns/pattern.ts";
import { consolidate, generateColumns, type Iterate, iterateOf } from "./programs/column-generation.ts";
import { programContext, type Unit } from "./programs/context.ts";
import { listedPricer, localSearchPricer, VIOLATED } from "./programs/pricing.ts";
import { reduce } from "./reduction.ts";
import { startOffset, startUnits, withUnit } from "./starts.ts";
import type { ConvexProblem, Solution, SolveEvent, SolveOptions, SolveStatus } from "./types.ts";

const DEFAULT_TOLERANCE = 1e-6;
/** Convex solves go this much below the asked tolerance, so that they never limit the gap. */
const SOLVE_ACCURACY = 1e-11;
/** Without a certificate a little less will do; much less would leave units split and programs large. */
const TRAIN_ACCURACY = 1e-9;
/** Bounds during training may take this share of the time. */
const BOUND_SHARE = 0.1;
/** Training of all patterns ends at this share of the time: the rest is for the proof. */
const TRAIN_SHARE = 0.6;
/** ... and at this one where the proof is a sweep: little time is enough for it. */
const SWEPT_TRAIN_SHARE = 0.8;
/** ... or, above the rank of cones, from this share on, when the last third of it has lowered the objective by less than this part of itself. */
const SLOW_SHARE = 0.2;
const SLOW_GAIN = 1e-3;
/** Where training was cut short, the last solve may take this share of the time so far. */
const POLISH_SHARE = 0.1;
/** The bound over the patterns seen may take this share of the time; it is left out where that is not enough. */
const SEEN_SHARE = 0.03;
/** Exact sweeps take part in training up to this many rows. */
const QUICK_ROWS = 300;
/** Candidates added a round when patterns are listed. */
const BATCH = 24;
/** A network this near to the optimum over its own patterns counts as trained; otherwise the solve has stalled. */
const SOLVED = 1e-4;
/** A repair that lowers the objective by less than this, relatively, is the last one. */
const REPAIRED = 1e-10;

/**
 * Trains a two-layer network to the global optimum of its training objective, and bounds how far it can be from it.
 *
 *   train (column generation) -> certify (branch and bound) -> a direction that training missed? add it, train on
 *
 * `relu` with generated patterns (or `all`): the bound holds for every ReLU network of any width. With sampled or given
 * gates, and for `gated`, program and bound are over the listed patterns. Whatever stops it (tolerance, time,
 * cancellation), the returned network is feasible and the bound valid.
 *
 * @throws ConfigError when the problem cannot be posed (all patterns above rank 3, gated with free biases).
 */
export function* solveConvex(problem: ConvexProblem, options: SolveOptions): Generator<SolveEvent, Solution> {
  const lanes = new Lanes(options.compute, options.now);
  try {
    return yield* solve(problem, options, lanes);
  } finally {
    lanes.close();
  }
}

function* solve(problem: ConvexProblem, options: SolveOptions, lanes: Lanes): Generator<SolveEvent, Solution> {
  checkProblem(problem);
  const { compute, now, seed = 0, tolerance = DEFAULT_TOLERANCE, certify = true } = options;
  const began = now();
  const core = reduce(problem);
  const context = programContext(core, problem, problem.program === "gated");
  const used = (share: number): boolean => options.seconds !== undefined && now() - began >= share * options.seconds;
  const cancelled = (): boolean => options.cancelled?.() === true;
  const stop = (): boolean => cancelled() || used(1);

  const listed = listPatterns(problem, context, seed);
  const allPatterns = problem.program === "relu" && (listed === null || problem.patterns.kind === "all");
  const share = core.Z.cols <= EXACT_RANK ? SWEPT_TRAIN_SHARE : TRAIN_SHARE;
  const trainShare = certify && listed === null ? share : 1;
  /** Objectives of this training, with the time. */
  let course: { readonly seconds: number; readonly objective: number }[] = [];
  const slow = (): boolean => {
    const last = course.at(-1);
    if (trainShare === 1 || core.Z.cols <= CONES_RANK || last === undefined || !used(SLOW_SHARE)) return false;
    const third = (now() - (course[0]?.seconds ?? 0)) / 3;
    const then = course.findLast(({ seconds }) => seconds <= now() - third);
    return then !== undefined && then.objective - last.objective < SLOW_GAIN * last.objective;
  };
  const trained = (): boolean => cancelled() || used(trainShare) || slow();
  const pricer =
    listed === null
      ? localSearchPricer(compute, context, randomStream(seed, "search"), trained)
      : listedPricer(context, listed, BATCH);

  let best: LowerBound | null = null;
  let proved: LowerBound | null = null;
  const keep = (bound: LowerBound | null): void => {
    if (bound === null) return;
    if (best === null || bound.value > best.value) best = bound;
    if (bound.proof !== null && (proved === null || bound.value > proved.value)) proved = bound;
  };
  let boundSeconds = 0;
  /** A quick bound at the dual point of an iterate. */
  const quickBound = ({ v }: Iterate): void => {
    const start = now();
    const exact = core.Z.rows <= QUICK_ROWS ? stop : () => true;
    const found = listed === null ? boundMaximum(compute, core, v, seed, exact, stop) : null;
    const maximum = found?.value ?? listedMaximum(context, listed ?? [], v, cancelled)?.value;
    boundSeconds += now() - start;
    if (maximum === undefined) return;
    const method = found === null ? "listed" : found.method === "exact" ? `exact-rank-${core.Z.cols}` : "shor";
    keep({ value: dualBound(context.loss, v, core.y, core.beta, maximum), v, maximum, method, proof: null });
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

  const allowed = listed === null ? null : new Set(listed.map(({ pattern }) => patternKey(pattern)));
  const start = startUnits(context, problem, options.start).filter(
    ({ pattern }) => allowed === null || allowed.has(patternKey(pattern)),
  );
  let iterate = iterateOf(context, start, startOffset(context, options.start));
  if (core.freeBias && iterate.units.length === 0) iterate = iterateOf(context, [], bestConstant(context.loss, core.y));
  const accuracy = certify ? Math.min(SOLVE_ACCURACY, tolerance / 10) : TRAIN_ACCURACY;
  const seen = new Map<string, Unit>();
  let converged = false;
  let own: Solution["listed"] = null;
  let repair = certify && listed === null;
  /** The network before the last repair. */
  let champion = iterate;

  for (;;) {
    // 1. Train. Time never ends the training before its first solve: a zero network is no answer.
    const training = generateColumns(compute, context, pricer, iterate, {
      accuracy,
      stop: () => cancelled() || (iteration > 1 && trained()),
      confirmations: listed === null && certify ? 2 : 1,
      slack: certify ? VIOLATED : 1 + tolerance,
    });
    course = [];
    let step = training.next();
    for (; step.done !== true; step = training.next()) {
      iterate = step.value;
      iteration += 1;
      course.push({ seconds: now(), objective: iterate.objective });
      patterns = Math.max(patterns, iterate.units.length);
      if (certify && (best === null || boundSeconds < BOUND_SHARE * (now() - began))) quickBound(iterate);
      yield event("train", iterate);
    }
    converged = step.value.converged;
    for (const [key, unit] of step.value.seen) seen.set(key, unit);
    patterns = listed?.length ?? new Set([...seen.values()].map((unit) => patternKey(unit.pattern))).size;
    if (!certify) break;
    if (!context.gated) {
      const until = now() + POLISH_SHARE * (now() - began);
      const late = (): boolean => stop() || (!converged && now() >= until);
      iterate = consolidate(compute, context, iterate, late);
    }

    // 2. Bound at the final dual point, and over the patterns seen.
    if (listed !== null) {
      quickBound(iterate);
      yield event("bound", iterate);
      break;
    }
    if (iteration > 1 && champion.objective - iterate.objective <= REPAIRED * champion.objective) repair = false;
    if (iterate.objective > champion.objective) iterate = champion;
    champion = iterate;
    // The hinge loss has many dual points at an optimum: one that has closed the gap already is the one to prove.
    const quick = best as LowerBound | null;
    if (context.loss.name === "hinge" && quick !== null && relativeGap(iterate.objective, quick.value) <= tolerance) {
      iterate = { ...iterate, v: quick.v };
    }
    const until = now() + SEEN_SHARE * (options.seconds ?? Number.POSITIVE_INFINITY);
    own = boundOverSeen(context, [...seen.values()], iterate, () => stop() || now() >= until);
    // Where training was cut short there is always something to repair, and little to gain by it.
    const mayRepair = repair && converged;
    const certifying = certifyIterate(compute, context, iterate, {
      tolerance,
      seed,
      now,
      stop,
      repair: () => mayRepair && !used(trainShare),
      lanes,
      left: () => (options.seconds === undefined ? Number.POSITIVE_INFINITY : began + options.seconds - now()),
    });
    let climb = certifying.next();
    for (; climb.done !== true; climb = certifying.next()) {
      keep(climb.value);
      yield event("bound", iterate);
    }
    keep(climb.value.bound);
    const { witness } = climb.value;
    if (witness === null) break;
    iterate = withUnit(context, iterate, witness);
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
  const final = preferred(best, proved, tolerance * Math.abs(objective / core.unscale));
  const lowerBound = final === null ? Number.NEGATIVE_INFINITY : final.value * core.unscale;
  const gap = final === null ? Number.POSITIVE_INFINITY : relativeGap(objective, lowerBound);
  return {
    status: statusOf(
      gap <= tolerance,
      cancelled(),
      used(1) || (own === null ? converged : own.gap <= Math.max(tolerance, SOLVED)),
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
    proof: final?.proof?.() ?? null,
  };
}

/** The best bound, unless one with a proof is as good up to `slack`: only that can be verified. */
function preferred(best: LowerBound | null, proved: LowerBound | null, slack: number): LowerBound | null {
  return best !== null && proved !== null && proved.value >= best.value - slack ? proved : best;
}

function statusOf(closed: boolean, cancelled: boolean, finished: boolean): SolveStatus {
  if (closed) return "optimal";
  if (cancelled) return "interrupted";
  return finished ? "bounded" : "stalled";
}
