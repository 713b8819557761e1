import { type Matrix, matrix, takeRows } from "../base/matrix.ts";
import type { KernelRegression } from "../tangent/index.ts";

/** The training rows that a regression is on. */
export interface CountedRows {
  readonly X: Matrix;
  readonly Y: Matrix;
  /** Positive; null: all 1. */
  readonly weights: Float64Array | null;
  /** Their numbers, and those of the rows that do not count; null where all do. */
  readonly split: { readonly counted: Uint32Array; readonly others: Uint32Array } | null;
}

/** A weight of so small a share of the largest changes nothing that f64 shows. */
const LEAST_SHARE = 2 ** -100;

/** The rows of X and Y with a weight above zero; without weights, all of them. */
export function countedRows(X: Matrix, Y: Matrix, weights: Float64Array | undefined): CountedRows {
  if (weights === undefined) return { X, Y, weights: null, split: null };
  const least = LEAST_SHARE * weights.reduce((most, weight) => Math.max(most, weight), 0);
  const rows = Array.from(weights.keys());
  const counted = Uint32Array.from(rows.filter((i) => weights[i]! > least));
  if (counted.length === weights.length) return { X, Y, weights, split: null };
  const others = Uint32Array.from(rows.filter((i) => weights[i]! <= least));
  return {
    X: takeRows(X, counted),
    Y: takeRows(Y, counted),
    weights: Float64Array.from(counted, (i) => weights[i]!),
    split: { counted, others },
  };
}

/** What a regression says of its training rows. */
type OfRows = Pick<KernelRegression, "fitted" | "leaveOneOut">;

/**
 * Outputs on all n training rows: those that do not count are left out already, and have `outputs` (rows x c) both ways.
 */
export function onAllRows(
  { fitted, leaveOneOut }: OfRows,
  { split }: CountedRows,
  outputs: (others: Uint32Array) => Matrix,
): OfRows {
  if (split === null) return { fitted, leaveOneOut };
  const { counted, others } = split;
  const more = outputs(others);
  const all = (part: Matrix): Matrix => {
    const out = matrix(counted.length + others.length, part.cols);
    for (const [rows, { data }] of [
      [counted, part],
      [others, more],
    ] as const) {
      rows.forEach((i, k) => {
        out.data.set(data.subarray(k * part.cols, (k + 1) * part.cols), i * part.cols);
      });
    }
    return out;
  };
  return { fitted: all(fitted), leaveOneOut: all(leaveOneOut) };
}

/** W^1/2 (Y - 1 m'), m the means with the weights: what the weighted kernel matrix aligns with. */
export function weightedTargets(Y: Matrix, weights: Float64Array): Matrix {
  const mass = weights.reduce((sum, weight) => sum + weight, 0);
  const c = Y.cols;
  const means = new Float64Array(c);
  for (let k = 0; k < Y.data.length; k++) means[k % c] += Y.data[k] * (weights[Math.floor(k / c)]! / mass);
  return matrix(
    Y.rows,
    c,
    Y.data.map((value, k) => Math.sqrt(weights[Math.floor(k / c)]!) * (value - means[k % c]!)),
  );
}
