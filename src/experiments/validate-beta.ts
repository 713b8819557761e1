import { type Matrix, matrix, row } from "../base/matrix.ts";
import { randomStream } from "../base/random.ts";
import type { SolveOptions } from "../convex/index.ts";
import { forward, type TwoLayerNetwork } from "../network/index.ts";
import type { Posed } from "./posed.ts";
import { drive } from "./solve.ts";
import {
  BETA_RATIOS,
  chooseRatio,
  FALLBACK_RATIO,
  hasRisen,
  makeFolds,
  rowsOutside,
  type ValidationPoint,
  validationPoint,
} from "./validation.ts";

/** The fit whose beta is to be chosen. */
export interface ValidationTask {
  readonly posed: Posed;
  /** Class index of each row, for stratified folds; null for numbers. */
  readonly labels: Float64Array | null;
  readonly betaMax: number;
  /** The grid is in shares of this part (at most 1) of beta_max: see {@link gridTop}. */
  readonly gridTop: number;
  readonly seed: number;
  /** When to stop, on the clock of `solve.now`. */
  readonly deadline: number;
  readonly solve: Pick<SolveOptions, "compute" | "now" | "cancelled">;
  onProgress(label: string, fraction: number): void;
}

export interface ValidationResult {
  /** The chosen share of beta_max. */
  readonly ratio: number;
  readonly points: readonly ValidationPoint[];
  /** Sentences on what was cut short. */
  readonly notes: readonly string[];
}

const TOLERANCE = 1e-2;
/** Of a larger table, this many rows are drawn to validate on. */
const MAX_ROWS = 1000;
/** A solve at the next beta is expected to take this many times as long as at the last. */
const COST_GROWTH = 1.5;
/** Folds are given up when what is left of the time would not pay for this many more betas. */
const BETAS_AHEAD = 2;
/** Fewer folds than this only when not even the first beta can be solved on them in the time. */
const FEWEST_FOLDS = 2;

interface Fold {
  readonly kept: Posed;
  readonly held: Posed;
  /** Beta of the whole data to beta of this fold: the scaled penalty on a row is what is validated. */
  readonly betaFactor: number;
  /** The networks of the last ratio, one a part. */
  start: readonly TwoLayerNetwork[] | null;
}

/**
 * Chooses beta by cross-validation along a short grid, from strong to weak, each fold starting from its own last
 * networks; nothing is certified on the way.
 *
 * A ratio counts only when its folds were solved in the time. When the time gets short, later folds are given up, for
 * all betas alike, so that every beta is judged on the same rows.
 *
 * The grid is in shares of the beta_max of all training rows, for every fold: with scaling `mean` a fold is solved at
 * the same beta, with `sum` at beta times its share of the rows, which is the same penalty on the mean loss.
 */
export function validateBeta(task: ValidationTask): ValidationResult {
  const { deadline, solve, betaMax } = task;
  const { now } = solve;
  const cancelled = (): boolean => solve.cancelled?.() === true;
  const folds = prepareFolds(task);
  if (folds.length === 0) return fallback("too few rows to validate", task);
  const solved: { readonly ratio: number; readonly losses: readonly (readonly number[])[] }[] = [];
  let used = folds.length;
  const points = (): ValidationPoint[] =>
    solved.map(({ ratio, losses }) => validationPoint(ratio, losses.slice(0, used).flat()));
  /** Folds that can be solved at this cost each while the next betas stay possible too; at least `fewest`. */
  const affordable = (cost: number, fewest: number): number =>
    Math.min(used, Math.max(fewest, Math.floor((deadline - now()) / (BETAS_AHEAD * cost))));

  let cost = 0;
  for (const share of BETA_RATIOS) {
    const ratio = share * task.gridTop;
    if (cost > 0) used = affordable(cost, FEWEST_FOLDS);
    if (cancelled() || now() + used * cost > deadline) break;
    const begun = now();
    const losses: (readonly number[])[] = [];
    for (let k = 0; k < used; k++) {
      task.onProgress(
        `beta ${shown(ratio)} beta_max, fold ${k + 1} of ${used}`,
        (solved.length + k / used) / BETA_RATIOS.length,
      );
      const foldBegun = now();
      const left = Math.max(1, FEWEST_FOLDS - k);
      const fold = solveFold(folds[k]!, ratio * betaMax, (deadline - foldBegun) / left, task);
      if (fold === null || cancelled()) break;
      losses.push(fold);
      // A beta can cost many times what the last one did: keep as many folds as can be paid for at this price.
      const pays = k + 1 + Math.floor((deadline - now()) / (now() - foldBegun));
      const fewest = solved.length === 0 ? 1 : FEWEST_FOLDS;
      used = Math.min(used, Math.max(fewest, k + 1, pays));
      if (solved.length === 0 && k === 0) used = affordable(now() - begun, 1);
    }
    if (losses.length < used) break;
    cost = ((now() - begun) / used) * COST_GROWTH;
    solved.push({ ratio, losses });
    if (hasRisen(points())) break;
  }

  const validated = points();
  const last = validated.at(-1);
  if (last === undefined) return fallback("no time to validate", task);
  const notes: string[] = [];
  const { rows } = task.posed.X;
  if (rows > MAX_ROWS) notes.push(`beta validated on ${MAX_ROWS} of ${rows} training rows`);
  if (used < folds.length) notes.push(`beta validated on ${used} of ${folds.length} folds: more would take too long`);
  let ratio = chooseRatio(validated);
  if (validated.length < BETA_RATIOS.length && !hasRisen(validated)) {
    notes.push(`the time for validation ended at ${shown(last.ratio)} beta_max: a smaller beta might predict better`);
    // Still falling where the time ended: the best is known to lie below, so the usual choice, or the next, is the better guess.
    const weakest = Math.min(FALLBACK_RATIO, BETA_RATIOS[validated.length] ?? 0) * task.gridTop;
    if (ratio === last.ratio && ratio > weakest) {
      notes.push(`beta set to ${shown(weakest)} beta_max, below the range that was validated`);
      ratio = weakest;
    }
  }
  return { ratio, points: validated, notes };
}

function fallback(reason: string, { gridTop }: ValidationTask): ValidationResult {
  const ratio = FALLBACK_RATIO * gridTop;
  const note = `${reason}: beta set to ${shown(ratio)} beta_max (choose another with --beta or --beta-ratio)`;
  return { ratio, points: [], notes: [note] };
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

/** Held-out losses of a fold's rows at a beta of the whole data; null when the time was too short. */
function solveFold(fold: Fold, beta: number, seconds: number, task: ValidationTask): readonly number[] | null {
  const { solve, seed } = task;
  const { kept, held } = fold;
  const begun = solve.now();
  const networks: TwoLayerNetwork[] = [];
  for (const [q, part] of kept.parts.entries()) {
    const share = (begun + seconds - solve.now()) / (kept.parts.length - q);
    if (share <= 0) return null;
    const start = fold.start?.[q];
    const partBegun = solve.now();
    const { network } = drive(part, beta * fold.betaFactor, {
      ...solve,
      tolerance: TOLERANCE,
      seconds: share,
      seed,
      certify: false,
      ...(start === undefined ? {} : { start }),
    });
    if (solve.now() - partBegun >= share) return null;
    networks.push(network);
  }
  fold.start = networks;
  const { weights } = held;
  return Array.from(held.rowLosses(outputsOf(networks, held.X)), (loss, i) => loss * (weights?.[i] ?? 1));
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
