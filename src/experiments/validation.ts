import type { RandomStream } from "../base/random.ts";

/** Values of beta that validation tries, as shares of beta_max, from strong to weak. */
export const BETA_RATIOS = [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002] as const;

/** The share of beta_max that is used when there is no time, or there are not enough rows, to validate. */
export const FALLBACK_RATIO = 0.05;

const FOLDS = 5;

/**
 * Why validation ended. `whole`: the grid was tried to its end; `risen`: the loss had clearly risen; `settled`: the networks are
 * optimal at every smaller beta too; `work`: the work that is allowed was done; `clock`: the time was over before that;
 * `rows`: there are too few of them.
 */
export const VALIDATION_ENDS = ["whole", "risen", "settled", "work", "clock", "rows"] as const;
export type ValidationEnd = (typeof VALIDATION_ENDS)[number];

/** Held-out loss at one beta. */
export interface ValidationPoint {
  /** Share of beta_max. */
  readonly ratio: number;
  /** Mean loss of a held-out row. */
  readonly loss: number;
  /** Standard error of that mean. */
  readonly standardError: number;
}

/**
 * Mean and standard error of held-out losses. The error is taken over rows, not over fold means: the same in
 * expectation when rows are independent, and steadier than a deviation of five numbers.
 */
export function validationPoint(ratio: number, losses: readonly number[]): ValidationPoint {
  const n = losses.length;
  const loss = losses.reduce((sum, value) => sum + value, 0) / n;
  const squares = losses.reduce((sum, value) => sum + (value - loss) ** 2, 0);
  return { ratio, loss, standardError: n > 1 ? Math.sqrt(squares / (n - 1) / n) : Number.POSITIVE_INFINITY };
}

function best(points: readonly ValidationPoint[]): ValidationPoint {
  if (points.length === 0) throw new RangeError("no validated beta to choose from");
  return points.reduce((a, b) => (b.loss < a.loss ? b : a));
}

/** The largest beta whose loss is within one standard error of the smallest (Breiman et al., CART, 1984, section 3.4.3). */
export function chooseRatio(points: readonly ValidationPoint[]): number {
  const { loss, standardError } = best(points);
  return Math.max(...points.filter((point) => point.loss <= loss + standardError).map(({ ratio }) => ratio));
}

/** Whether the loss has clearly risen on the way down: the last point is more than one standard error above the best. */
export function hasRisen(points: readonly ValidationPoint[]): boolean {
  const last = points.at(-1);
  if (last === undefined) return false;
  const { loss, standardError } = best(points);
  return last.loss > loss + standardError;
}

/**
 * Whether the loss at the next beta is certain to have clearly risen ({@link hasRisen}) once it is known on all rows: losses are not
 * negative, so that those known so far bound their mean from below.
 *
 * @param known losses of some held-out rows at the next beta.
 * @param rows how many held-out rows there are in all.
 */
export function mustRise(points: readonly ValidationPoint[], known: readonly number[], rows: number): boolean {
  if (points.length === 0) return false;
  const { loss, standardError } = best(points);
  return known.reduce((sum, value) => sum + value, 0) / rows > loss + standardError;
}

/**
 * Held-out rows of each fold: five folds, fewer when one would have less than two rows; classes are spread evenly, and
 * the row of a class that has no other is never held out.
 *
 * @param labels class index of each row; null for numbers.
 * @returns no folds when there are too few rows for two.
 */
export function makeFolds(n: number, labels: ArrayLike<number> | null, random: RandomStream): Uint32Array[] {
  const classes = new Map<number, number[]>();
  for (const i of random.permutation(n)) {
    const label = labels?.[i] ?? 0;
    const rows = classes.get(label);
    if (rows === undefined) classes.set(label, [i]);
    else rows.push(i);
  }
  const groups = [...classes].sort(([a], [b]) => a - b).flatMap(([, rows]) => (rows.length > 1 ? [rows] : []));
  const dealt = groups.flat();
  const count = Math.min(FOLDS, Math.floor(dealt.length / 2));
  if (count < 2) return [];
  // Dealt class by class in one round: each fold gets its share of every class, and of the rows.
  const folds = Array.from({ length: count }, () => [] as number[]);
  dealt.forEach((i, k) => {
    folds[k % count]!.push(i);
  });
  return folds.map((fold) => Uint32Array.from(fold).sort());
}

/** The rows of 0 .. n-1 that are not in `fold` (sorted). */
export function rowsOutside(n: number, fold: Uint32Array): Uint32Array {
  const inside = new Set(fold);
  return Uint32Array.from(Array.from({ length: n }, (_, i) => i).filter((i) => !inside.has(i)));
}
