import type { Compute } from "../../compute/types.ts";
import { isActive, patternOf } from "../patterns/pattern.ts";
import { solveConeProgram } from "../solvers/interior-point.ts";
import {
  coreObjective,
  type ProgramContext,
  penalizedNorm,
  predictions,
  rowsTimes,
  type Unit,
  unitKey,
} from "./context.ts";
import { dualCandidate } from "./dual-candidate.ts";
import type { Pricer } from "./pricing.ts";

/** A network in core coordinates with everything that follows from it. */
export interface Iterate {
  readonly units: readonly Unit[];
  readonly c0: number;
  readonly f: Float64Array;
  /** Objective in core scaling. */
  readonly objective: number;
  /** The dual point: that of the last solve where there was one, which is more exact than what f implies. */
  readonly v: Float64Array;
}

export interface GenerationOptions {
  /** Relative accuracy of each convex solve. */
  readonly accuracy: number;
  /** Polled between rounds and inside solves; true ends the generation. */
  readonly stop: () => boolean;
  /** Rounds without a candidate that end it: 2 when pricing is heuristic (the second searches harder), 1 when exact. */
  readonly confirmations: number;
  /** Ends the generation once every gain is below beta times this. */
  readonly slack: number;
}

/** Units whose norm is below this part of the largest are dropped after a solve, if that does no harm: first all of them. */
const PRUNE = [Number.POSITIVE_INFINITY, 1e-3, 1e-4, 1e-5, 1e-7, 1e-9, 1e-11];
/** While rounds gain much, solves need not be more accurate than this part of the last gain, and never less than the other. */
const GAIN_SHARE = 1e-3;
const LOOSEST = 1e-5;
/** Units that a round may add; as many as there are, when that is more: a solve costs as much as it has units. */
const FEWEST = 24;
/** A round that lowers the objective by less than this, relatively, found nothing new. */
const PROGRESS = 1e-12;

/** The iterate of given units, with their own dual point unless a better one is known. */
export function iterateOf(context: ProgramContext, units: readonly Unit[], c0: number, v?: Float64Array): Iterate {
  const f = predictions(context, units, c0);
  return { units, c0, f, objective: coreObjective(context, units, f), v: v ?? dualCandidate(context, units, f) };
}

/**
 * Column generation for the convex program over all (or listed) patterns, as a generator of improving iterates:
 * 1. price: find units whose gain at the dual point exceeds beta;
 * 2. solve the convex program restricted to the working set (interior point);
 * 3. prune the units that it sent to zero; repeat until pricing finds nothing.
 *
 * Every iterate is a feasible network, and objectives never rise. Returns whether pricing ended it (rather than `stop`),
 * and every pattern that was ever in the working set.
 */
export function* generateColumns(
  compute: Compute,
  context: ProgramContext,
  pricer: Pricer,
  start: Iterate,
  options: GenerationOptions,
): Generator<Iterate, { converged: boolean; seen: Map<string, Unit> }> {
  const { core, gated } = context;
  const seen = new Map<string, Unit>();
  let current = start;
  for (const unit of start.units) seen.set(unit.key, unit);
  // Units that were tried at the current iterate and did not help: candidates by rounding only.
  const fruitless = new Set<string>();
  let quiet = 0;
  yield current;
  if (pricer.all !== undefined) {
    const size = meanNorm(context, start) || defaultNorm(context, start, pricer.all[0]?.a);
    const known = new Map(start.units.map((unit) => [unit.key, unit]));
    const share = size / pricer.all.length;
    const units = pricer.all.map((unit) => known.get(unit.key) ?? sized(context, unit, share));
    for (const unit of units) seen.set(unit.key, unit);
    if (units.length === 0 || options.stop()) return { converged: units.length === 0, seen };
    yield solveRestricted(compute, context, units, start.c0, options);
    return { converged: true, seen };
  }
  // Units of a given start that lie in known cells are first solved for as they are.
  let solveFirst = start.units.length > 0;
  /** Of the last solve, and what is asked of the next. */
  let accuracy = options.accuracy;
  let wanted = LOOSEST;
  while (!options.stop()) {
    const candidates = solveFirst ? [] : pricer.price(current.v, current.units, quiet > 0);
    const working = new Map(current.units.map((unit) => [unit.key, unit]));
    const size = meanNorm(context, current) || defaultNorm(context, current, candidates[0]?.unit.a);
    const added: string[] = [];
    for (const { unit, gain } of candidates) {
      if (added.length >= Math.max(FEWEST, current.units.length)) break;
      if (working.has(unit.key) || fruitless.has(unit.key) || gain <= core.beta * options.slack) continue;
      working.set(unit.key, sized(context, unit, 0.1 * size));
      seen.set(unit.key, unit);
      added.push(unit.key);
    }
    if (!solveFirst && added.length === 0 && accuracy > options.accuracy && current.units.length > 0) {
      // Nothing is found at a rough dual point: once more at an exact one.
      wanted = options.accuracy;
      solveFirst = true;
      continue;
    }
    if (!solveFirst && added.length === 0) {
      quiet += 1;
      if (quiet >= options.confirmations) return { converged: true, seen };
      continue;
    }
    const again = solveFirst;
    solveFirst = false;
    if (options.stop()) break;
    accuracy = Math.max(options.accuracy, wanted);
    const solve = { ...options, accuracy };
    const solved = solveRestricted(compute, context, [...working.values()], current.c0, solve);
    const next = gated ? solved : joinSplit(context, solved);
    if (next.objective < current.objective * (1 - PROGRESS)) {
      fruitless.clear();
      quiet = 0;
    } else if (accuracy === options.accuracy) for (const key of added) fruitless.add(key);
    const gain = 1 - next.objective / current.objective;
    wanted = gain > 0 ? Math.min(LOOSEST, GAIN_SHARE * gain) : 0;
    if (next.objective < current.objective) {
      current = next;
      yield current;
    } else if (again) current = { ...current, v: next.v };
  }
  return { converged: false, seen };
}

/** The convex program on the cells of the given units, solved; units that it sends to zero are dropped. */
function solveRestricted(
  compute: Compute,
  context: ProgramContext,
  units: readonly Unit[],
  start: number,
  { accuracy, stop }: Pick<GenerationOptions, "accuracy" | "stop">,
): Iterate {
  const { core, loss, E, n, p, penalized, gated } = context;
  const blocks = units.map(({ pattern, sign, a }) => ({ pattern, sign, start: a }));
  const { y, beta, freeBias: offset } = core;
  const program = { E, n, p, penalized, y, loss, beta, cones: !gated, offset, c0: start, blocks };
  const { a, c0, v, objective } = solveConeProgram(compute, program, accuracy, stop);
  const solved = units.map((unit, j) => ({ ...unit, a: a[j] }));
  const constant = core.freeBias ? absorbConstants(context, solved) : 0;
  if (core.freeBias) loss.center(v, y);
  for (const part of PRUNE) {
    const iterate = iterateOf(context, prune(context, solved, part), c0 + constant, v);
    if (iterate.objective <= objective * (1 + Math.max(EQUAL, accuracy))) return iterate;
  }
  return iterateOf(context, prune(context, solved, 0), c0 + constant, v);
}

/**
 * A unit that is active on every row is linear there: any part of its free bias can move to the output bias. Moves all
 * of it that leaves the unit active, so that a unit whose weights vanish vanishes as a whole. Returns what moved.
 */
function absorbConstants({ E, n, p, penalized }: ProgramContext, units: readonly Unit[]): number {
  let moved = 0;
  for (const { a, sign, pattern } of units) {
    let smallest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < n && isActive(pattern, i); i++) {
      let z = 0;
      for (let k = 0; k < p; k++) z += E[i * p + k] * a[k];
      smallest = i === 0 ? z : Math.min(smallest, z);
      if (i < n - 1) continue;
      a[penalized] -= smallest;
      moved += sign * smallest;
    }
  }
  return moved;
}

/** Units of equal sign whose directions differ by less than this angle (in radians, about) are tried as one. */
const PARALLEL = [1e-2, 1e-3, 1e-5];
/** A merged network may be worse by this relative amount, which is below what the solver resolves. */
const EQUAL = 1e-11;
/** Asks a solve for all that it can reach. */
const UTMOST = 1e-16;

/** The iterate with nearly parallel units joined wherever that alone leaves the objective as it is: smaller programs. */
function joinSplit(context: ProgramContext, iterate: Iterate): Iterate {
  for (const angle of PARALLEL) {
    const merged = mergeParallel(context, iterate.units, angle);
    if (merged.length === iterate.units.length) return iterate;
    const joined = iterateOf(context, merged, iterate.c0, iterate.v);
    if (joined.objective <= iterate.objective * (1 + EQUAL)) return joined;
  }
  return iterate;
}

/**
 * The last step: an equally good iterate with fewer units, when merging nearly parallel ones gives one, solved as far as
 * f64 goes. A dual point is as exact as the predictions are, whose error is the square root of the objective's: without
 * this step a bound could not come closer than about 1e-6.
 */
export function consolidate(compute: Compute, context: ProgramContext, iterate: Iterate, stop: () => boolean): Iterate {
  let current = iterate;
  const accept = (units: readonly Unit[]): void => {
    if (stop() || units.length === 0) return;
    const next = solveRestricted(compute, context, units, current.c0, { accuracy: UTMOST, stop });
    if (next.objective <= current.objective * (1 + EQUAL)) current = next;
  };
  for (const angle of PARALLEL) {
    const merged = mergeParallel(context, current.units, angle);
    if (merged.length < current.units.length) accept(merged);
  }
  if (current === iterate) accept(current.units);
  return current;
}

function mergeParallel(context: ProgramContext, units: readonly Unit[], angle: number): Unit[] {
  const { E, n, p } = context;
  const order = [...units].sort((x, y) => penalizedNorm(context, y.a) - penalizedNorm(context, x.a));
  const groups: Unit[][] = [];
  for (const unit of order) {
    const group = groups.find(([head]) => {
      if (head.sign !== unit.sign) return false;
      const scale = penalizedNorm(context, head.a) / penalizedNorm(context, unit.a);
      let distance = 0;
      for (let k = 0; k < p; k++) distance += (head.a[k] - scale * unit.a[k]) ** 2;
      return Math.sqrt(distance) <= angle * penalizedNorm(context, head.a);
    });
    if (group === undefined) groups.push([unit]);
    else group.push(unit);
  }
  const byKey = new Map<string, Unit>();
  for (const group of groups) {
    const a = new Float64Array(p);
    for (const unit of group) for (let k = 0; k < p; k++) a[k] += unit.a[k];
    const [head] = group;
    const pattern = group.length === 1 ? head.pattern : patternOf(rowsTimes(E, n, p, a));
    const key = unitKey(head.sign, pattern);
    if (!byKey.has(key)) byKey.set(key, { ...head, key, pattern, a });
  }
  return [...byKey.values()];
}

/** The unit with weights of the given norm. */
function sized(context: ProgramContext, unit: Unit, size: number): Unit {
  const scale = size / penalizedNorm(context, unit.a);
  return { ...unit, a: unit.a.map((t) => t * scale) };
}

function meanNorm(context: ProgramContext, { units }: Iterate): number {
  let sum = 0;
  for (const unit of units) sum += penalizedNorm(context, unit.a);
  return units.length > 0 ? sum / units.length : 0;
}

/** The size at which a first unit would explain the dual point: ||v|| / ||E u||. */
function defaultNorm({ E, n, p }: ProgramContext, { v }: Iterate, u: Float64Array | undefined): number {
  if (u === undefined) return 1;
  let response = 0;
  for (let i = 0; i < n; i++) {
    let z = 0;
    for (let k = 0; k < p; k++) z += E[i * p + k] * u[k];
    response += Math.max(0, z) ** 2;
  }
  const size = Math.hypot(...v) / Math.sqrt(response);
  return Number.isFinite(size) && size > 0 ? size : 1;
}

function prune(context: ProgramContext, units: readonly Unit[], part: number): Unit[] {
  let largest = 0;
  for (const unit of units) largest = Math.max(largest, penalizedNorm(context, unit.a));
  return units.filter((unit) => penalizedNorm(context, unit.a) > part * largest);
}
