import { type Matrix, row } from "../../base/matrix.ts";
import { type Ramp, rampNetwork } from "./line-data.ts";
import { fitLine, type LineFit } from "./line-fit.ts";
import { interpolateLine, type LineInterpolation } from "./line-interpolation.ts";
import { fitLineSvm, type LineSvm } from "./line-svm.ts";

/** X = c a' with ||a|| = 1: the data are the points c on a line through the origin. */
export interface RankOne {
  /** n positions along `direction`. */
  readonly positions: Float64Array;
  /** Unit vector, d entries. */
  readonly direction: Float64Array;
}

/** Rows that leave the line by more than this part of the longest row are not on it. */
const OFF_LINE = 1e-12;

/** The factors of a matrix of rank one (or zero), or null when its rank is larger. */
export function rankOneFactors(X: Matrix): RankOne | null {
  const d = X.cols;
  let longest = 0;
  let pivot = 0;
  for (let i = 0; i < X.rows; i++) {
    const length = Math.hypot(...row(X, i));
    if (length > longest) {
      longest = length;
      pivot = i;
    }
  }
  const direction = new Float64Array(d);
  if (longest === 0) {
    if (d > 0) direction[0] = 1;
    return { positions: new Float64Array(X.rows), direction };
  }
  for (let k = 0; k < d; k++) direction[k] = X.data[pivot * d + k] / longest;
  const positions = new Float64Array(X.rows);
  for (let i = 0; i < X.rows; i++) {
    const x = row(X, i);
    for (let k = 0; k < d; k++) positions[i] += x[k] * direction[k];
    if (Math.hypot(...x.map((t, k) => t - positions[i] * direction[k])) > OFF_LINE * longest) return null;
  }
  return { positions, direction };
}

function onLine<T extends { readonly ramps: readonly Ramp[]; readonly c0: number }>(
  X: Matrix,
  solve: (positions: Float64Array) => T,
): T {
  const factors = rankOneFactors(X);
  if (factors === null) throw new RangeError(`the ${X.rows} x ${X.cols} data are not of rank one`);
  const solution = solve(factors.positions);
  return { ...solution, network: rampNetwork(solution.ramps, solution.c0, factors.direction) };
}

/**
 * {@link fitLine} for data of rank one, X = c a' with entries of c of any sign (Ergen & Pilanci, arXiv:2002.11219,
 * Corollaries 5 and 6): the candidates are u = +-a / ||a||, b = -+c_i ||a||.
 *
 * @throws RangeError when X has a larger rank.
 */
export function fitRankOne(X: Matrix, y: Float64Array, beta: number): LineFit {
  return onLine(X, (positions) => fitLine(positions, y, beta));
}

/** {@link interpolateLine} for data of rank one (Corollary 5). @throws RangeError when X has a larger rank. */
export function interpolateRankOne(X: Matrix, y: Float64Array): LineInterpolation {
  return onLine(X, (positions) => interpolateLine(positions, y));
}

/** {@link fitLineSvm} for data of rank one (Theorem 11). @throws RangeError when X has a larger rank. */
export function fitRankOneSvm(X: Matrix, y: Float64Array, beta: number): LineSvm {
  return onLine(X, (positions) => fitLineSvm(positions, y, beta));
}
