import { type Matrix, matrix, row } from "../base/matrix.ts";
import { randomStream } from "../base/random.ts";
import type { SolveOptions } from "../convex/index.ts";
import { forward, type TwoLayerNetwork } from "../network/index.ts";
import type { Part, Posed } from "./posed.ts";
import { drive, objectiveLine } from "./solve.ts";
import {
  BETA_RATIOS,
  chooseRatio,
  FALLBACK_RATIO,
  hasRisen,
  makeFolds,
  mustRise,
  rowsOutside,
  type ValidationEnd,
  type ValidationPoint,
  validationPoint,
} from "./validation.ts";
import { WorkClock } from "./work-clock.ts";

/** The fit whose beta is to be chosen. */
export interface ValidationTask {
  readonly posed: Posed;
  /** Class index of each row, for stratified folds; null for numbers. */
  readonly labels: Float64Array | null;
  readonly betaMax: number;
  /** The grid is in shares of this part (at most 1) of beta_max: see {@link gridTop}. */
  readonly gridTop: number;
  readonly seed: number;
  /** Work that may be done, in the nominal seconds of a {@link WorkClock}: it decides how far validation goes. */
  readonly seconds: number;
  /** When to stop on the clock of `solve.now`, should that come first. */
  readonly deadline: number;
  readonly solve: Pick<SolveOptions, "compute" | "now" | "cancelled">;
  onProgress(label: string, fraction: number): void;
}

export interface ValidationResult {
  /** The chosen share of beta_max. */
  readonly ratio: number;
  readonly points: readonly ValidationPoint[];
  readonly end: ValidationEnd;
  /** Sentences on what was cut short. */
  readonly notes: readonly string[];
}

const TOLERANCE = 1e-2;
/** Of a larger table, this many rows are drawn to validate on. */
const MAX_ROWS = 1000;
/** A solve at the next beta is expected to take this many times as long as at the last. */
const COST_GROWTH = 1.5;
/** Folds are given up when what is left of the work would not pay for this many more betas. */
const BETAS_AHEAD = 2;
/** Fewer folds than this only when not even the first beta can be solved on them. */
const FEWEST_FOLDS = 2;
/** Networks whose objective is at every smaller beta this near to the smallest, relatively, are those of every smaller beta. */
const SETTLED = 1e-6;

interface Fold {
  readonly kept: Posed;
  readonly held: Posed;
  /** Beta of the whole data to beta of this fold: the scaled penalty on a row is what is validated. */
  readonly betaFactor: number;
  /** The networks of the last ratio, one a part. */
  start: readonly TwoLayerNetwork[] | null;
}

/** What a fold says about one beta. */
interface FoldResult {
  /** Losses of its held-out rows. */
  readonly losses: readonly number[];
  /** How far, relatively, its networks are at most from the optimum at the smallest beta of the grid for their own loss. */
  readonly excess: number;
}

/** Losses of the folds at one beta. */
interface SolvedBeta {
  readonly ratio: number;
  readonly losses: readonly (readonly number[])[];
}

/**
 * Chooses beta by cross-validation along a short grid, from strong to weak, each fold starting from its own last
 * networks; nothing is certified on the way.
 *
 * How far it goes depends on the work that was done, not on the clock, so that a choice does not depend on how busy the machine
 * is, unless the deadline comes first. A ratio counts only when its folds were solved. When the work gets too much, later
 * folds are given up, for all betas alike, so that every beta is judged on the same rows.
 *
 * It ends early where no smaller beta can change the choice (docs/decisions/0008-early-stop.md): losses so far prove that the loss
 * has risen, or the networks at hand are optimal at every smaller beta.
 *
 * The grid is in shares of the beta_max of all training rows, for every fold: with scaling `mean` a fold is solved at
 * the same beta, with `sum` at beta times its share of the rows, which is the same penalty on the mean loss.
 */
export function validateBeta(task: ValidationTask): ValidationResult {
  const { deadline, solve, betaMax } = task;
  const cancelled = (): boolean => solve.cancelled?.() === true;
  const folds = prepareFolds(task);
  if (folds.length === 0) return fallback("too few rows to validate", "rows", task);
  const work = new WorkClock();
  const left = (): number => task.seconds - work.seconds;
  const solved: SolvedBeta[] = [];
  let used = folds.length;
  const points = (): ValidationPoint[] =>
    solved.map(({ ratio, losses }) => validationPoint(ratio, losses.slice(0, used).flat()));
  const heldRows = (): number => folds.slice(0, used).reduce((sum, { held }) => sum + held.X.rows, 0);
  /** Folds that can be solved at this cost each while the next betas stay possible too; at least `fewest`. */
  const affordable = (cost: number, fewest: number): number =>
    Math.min(used, Math.max(fewest, Math.floor(left() / (BETAS_AHEAD * cost))));

  let cost = 0;
  let end: ValidationEnd = "whole";
  for (const share of BETA_RATIOS) {
    const ratio = share * task.gridTop;
    if (cost > 0) used = affordable(cost, FEWEST_FOLDS);
    if (used * cost > left()) end = "work";
    if (solve.now() >= deadline) end = "clock";
    if (cancelled() || end !== "whole") break;
    const begun = work.seconds;
    const losses: (readonly number[])[] = [];
    let excess = 0;
    for (let k = 0; k < used; k++) {
      task.onProgress(
        `beta ${shown(ratio)} beta_max, fold ${k + 1} of ${used}`,
        (solved.length + k / used) / BETA_RATIOS.length,
      );
      const foldBegun = work.seconds;
      const budget = left() / Math.max(1, FEWEST_FOLDS - k);
      const fold = solveFold(folds[k]!, ratio * betaMax, budget, work, task);
      if (cancelled()) break;
      if (fold === "work" || fold === "clock") {
        end = fold;
        break;
      }
      losses.push(fold.losses);
      excess = Math.max(excess, fold.excess);
      if (k + 1 < used && mustRise(points(), losses.flat(), heldRows())) {
        end = "risen";
        break;
      }
      // A beta can cost many times what the last one did: keep as many folds as can be paid for at this price.
      const pays = k + 1 + Math.floor(left() / (work.seconds - foldBegun));
      const fewest = solved.length === 0 ? 1 : FEWEST_FOLDS;
      used = Math.min(used, Math.max(fewest, k + 1, pays));
      if (solved.length === 0 && k === 0) used = affordable(work.seconds - begun, 1);
    }
    if (losses.length < used) break;
    cost = ((work.seconds - begun) / used) * COST_GROWTH;
    solved.push({ ratio, losses });
    if (solved.length === BETA_RATIOS.length) break;
    if (hasRisen(points())) end = "risen";
    else if (excess <= SETTLED) end = "settled";
    if (end !== "whole") break;
  }
  return conclude(points(), end, { used, of: folds.length }, task);
}

/** The choice, and what there is to say about it. */
function conclude(
  points: readonly ValidationPoint[],
  end: ValidationEnd,
  folds: { readonly used: number; readonly of: number },
  task: ValidationTask,
): ValidationResult {
  const last = points.at(-1);
  if (last === undefined) return fallback("no time to validate", end, task);
  const notes: string[] = [];
  const { rows } = task.posed.X;
  if (rows > MAX_ROWS) notes.push(`beta validated on ${MAX_ROWS} of ${rows} training rows`);
  if (folds.used < folds.of) {
    notes.push(`beta validated on ${folds.used} of ${folds.of} folds: more would take too long`);
  }
  let ratio = chooseRatio(points);
  if (end === "work") {
    notes.push(
      `validation ended at ${shown(last.ratio)} beta_max, with the work that --time allows: a smaller beta might predict better`,
    );
  }
  if (end === "clock") {
    notes.push(
      `the clock ended validation at ${shown(last.ratio)} beta_max, for the machine is slow or busy: another run may choose another beta (give more --time, or choose it with --beta-ratio)`,
    );
  }
  if (end === "work" || end === "clock") {
    // Still falling where it ended: the best is known to lie below, so the usual choice, or the next, is the better guess.
    const weakest = Math.min(FALLBACK_RATIO, BETA_RATIOS[points.length] ?? 0) * task.gridTop;
    if (ratio === last.ratio && ratio > weakest) {
      notes.push(`beta set to ${shown(weakest)} beta_max, below the range that was validated`);
      ratio = weakest;
    }
  }
  return { ratio, points, end, notes };
}

function fallback(reason: string, end: ValidationEnd, { gridTop }: ValidationTask): ValidationResult {
  const ratio = FALLBACK_RATIO * gridTop;
  const note = `${reason}: beta set to ${shown(ratio)} beta_max (choose another with --beta or --beta-ratio)`;
  return { ratio, points: [], end, notes: [note] };
}

/** A ratio to two digits. */
function shown(ratio: number): string {
  return String(Number(ratio.toPrecision(2)));
}

function prepareFolds({ posed, labels, seed }: ValidationTask): Fold[] {
  const n = posed.X.rows;
  const rows = randomStream(seed, "validation rows").permutation(n).slice(0, MAX_ROWS);
  const drawn = labels === null ? null : Float64Array.from(rows, (i) => labels[i]!);
  const folds = makeFolds(rows.length, drawn, randomStream(seed, "validation")).map((fold): Fold => {
    const held = fold.map((k) => rows[k]!);
    const kept = rowsOutside(rows.length, fold).map((k) => rows[k]!);
    return {
      kept: posed.take(kept),
      held: posed.take(held),
      betaFactor: posed.scaling === "sum" ? kept.length / n : 1,
      start: null,
    };
  });
  return folds.every(({ kept }) => kept.isPosable) ? folds : [];
}

/** A fold at a beta of the whole data; `work` or `clock` when that was used up. `budget` is in nominal seconds. */
function solveFold(
  fold: Fold,
  beta: number,
  budget: number,
  work: WorkClock,
  task: ValidationTask,
): FoldResult | "work" | "clock" {
  const { solve, seed, deadline } = task;
  const { kept, held, betaFactor } = fold;
  const late = (): boolean => solve.now() >= deadline;
  const end = work.seconds + budget;
  const smallest = (BETA_RATIOS.at(-1) ?? 1) * task.gridTop * task.betaMax;
  const networks: TwoLayerNetwork[] = [];
  let excess = 0;
  for (const [q, part] of kept.parts.entries()) {
    const until = work.seconds + (end - work.seconds) / (kept.parts.length - q);
    if (late()) return "clock";
    const size = { rows: kept.X.rows, features: kept.X.cols + 1, outputs: part.outputs };
    const start = fold.start?.[q];
    work.begin(size);
    const options = {
      ...solve,
      // Whatever a solve decides by the time that it has used, it decides by its work.
      now: () => work.seconds,
      seconds: until - work.seconds,
      cancelled: () => late() || solve.cancelled?.() === true,
      tolerance: TOLERANCE,
      seed,
      certify: false,
      ...(start === undefined ? {} : { start }),
    };
    const { network } = drive(part, beta * betaFactor, options, (event) => work.count(size, event));
    if (late()) return "clock";
    if (work.seconds >= until) return "work";
    networks.push(network);
    excess = Math.max(excess, excessBelow(part, beta * betaFactor, smallest / beta, network));
  }
  fold.start = networks;
  const { weights } = held;
  const losses = Array.from(held.rowLosses(outputsOf(networks, held.X)), (loss, i) => loss * (weights?.[i] ?? 1));
  return { losses, excess };
}

/**
 * By how much, relatively, the objective of an optimal network at `beta` is at most above the smallest at `share` beta. For the
 * smallest objective p* is concave in beta and not negative, so p*(s beta) >= s p*(beta), while the network's is
 * loss + s beta penalty = s p*(beta) + (1 - s) loss.
 */
function excessBelow(part: Part, beta: number, share: number, network: TwoLayerNetwork): number {
  const { loss, penalty } = objectiveLine(part, beta, network);
  const optimum = loss + beta * penalty;
  return optimum > 0 ? ((1 / share - 1) * loss) / optimum : 0;
}

/** Outputs of networks side by side, n x c. */
function outputsOf(networks: readonly TwoLayerNetwork[], X: Matrix): Matrix {
  const parts = networks.map((network) => forward(network, X));
  const cols = parts.reduce((sum, part) => sum + part.cols, 0);
  const out = matrix(X.rows, cols);
  let at = 0;
  for (const part of parts) {
    for (let i = 0; i < X.rows; i++) out.data.set(row(part, i), i * cols + at);
    at += part.cols;
  }
  return out;
}
