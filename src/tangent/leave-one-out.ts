import { type Matrix, matrix } from "../base/matrix.ts";

/** What G = (K + ridge W^-1)^-1, with W the sample weights (1 without them), says about the targets Y (n x c). */
export interface RidgeSolution {
  readonly ridge: number;
  /** The n diagonal entries of G. */
  readonly diagonal: Float64Array;
  /** G [Y 1], n x (c + 1). */
  readonly solved: Matrix;
}

/** A kernel ridge regression: outputs K(x, X) dual + intercept. */
export interface RidgeFit {
  /** n x c. */
  readonly dual: Matrix;
  /** c constants without penalty; zeros without an intercept. */
  readonly intercept: Float64Array;
  /** n x c: outputs on the training inputs. */
  readonly fitted: Matrix;
  /** n x c: what the regression on all other rows says of each row. */
  readonly leaveOneOut: Matrix;
  /** Mean square of its errors over all entries, each row with its weight. */
  readonly error: number;
  /**
   * c: what the kernel is to be multiplied by for the covariance of each output as a Gaussian process, such that the leave-one-out errors have mean
   * square 1 in units of their standard deviations (Sundararajan and Keerthi 2001).
   */
  readonly signalVariance: Float64Array;
}

/**
 * The regression on Y and its leave-one-out predictions, all n of them, from one solve: the error of row i is dual_i / g_i,
 * with g_i the i-th diagonal entry of the matrix that takes Y to `dual`. With an intercept, that is G - G 1 1' G / (1' G 1). Nothing in this
 * asks the rows to have the same noise: weights change G alone, as ridge / w_i is the noise of row i.
 *
 * Source: Allen's PRESS statistic; Cawley and Talbot, Fast exact leave-one-out cross-validation of sparse least-squares
 * support vector machines (2004), eq. 12, for the intercept.
 *
 * @param weights n positive numbers; null: all 1.
 */
export function ridgeFit(
  { ridge, diagonal, solved }: RidgeSolution,
  Y: Matrix,
  withIntercept: boolean,
  weights: Float64Array | null,
): RidgeFit {
  const { rows: n, cols: c } = Y;
  const width = c + 1;
  const ones = (i: number): number => solved.data[i * width + c];
  const mass = weights === null ? n : weights.reduce((sum, weight) => sum + weight, 0);
  let total = 0;
  for (let i = 0; i < n; i++) total += ones(i);
  const intercept = new Float64Array(c);
  if (withIntercept) {
    for (let i = 0; i < n; i++) for (let q = 0; q < c; q++) intercept[q] += (ones(i) * Y.data[i * c + q]) / total;
  }
  const dual = matrix(n, c);
  const fitted = matrix(n, c);
  const leaveOneOut = matrix(n, c);
  const signalVariance = new Float64Array(c);
  let error = 0;
  for (let i = 0; i < n; i++) {
    // A row that nothing else bears on (the only one) is its own prediction.
    const left = withIntercept ? diagonal[i] - ones(i) ** 2 / total : diagonal[i];
    const g = Math.max(left, Number.EPSILON * diagonal[i]);
    const weight = weights?.[i] ?? 1;
    for (let q = 0; q < c; q++) {
      const y = Y.data[i * c + q];
      const value = solved.data[i * width + q] - intercept[q] * ones(i);
      dual.data[i * c + q] = value;
      fitted.data[i * c + q] = y - (ridge / weight) * value;
      leaveOneOut.data[i * c + q] = y - value / g;
      signalVariance[q] += ((value / g) * value) / n;
      error += (weight / mass) * ((value / g) ** 2 / c);
    }
  }
  return { dual, intercept, fitted, leaveOneOut, error, signalVariance };
}
