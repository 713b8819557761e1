import { type Matrix, matrix, row } from "../../base/matrix.ts";
import { type Cell, enumerateCells } from "../patterns/enumerate.ts";
import { patternOf } from "../patterns/pattern.ts";
import { rowSpaceBasis } from "../rank.ts";
import { nonNegative } from "./nonnegative.ts";

/** The sweeps of enumerateCells go up to this rank. */
const SWEEP_RANK = 3;
/** Cells in which some row (of unit length) is never further than this from zero on unit vectors are not told from faces. */
const MARGIN = 1e-9;

/**
 * The number of activation patterns of n rows in general position of rank r: 2 sum_{k < r} C(n - 1, k) (Cover, 1965; Ergen &
 * Pilanci, arXiv:2002.11219; at most 2 r (e (n - 1) / r)^r). Infinity where it exceeds the range of doubles.
 *
 * @throws RangeError for n < 1 or r < 0.
 */
export function cellCount(n: number, r: number): number {
  if (!(n >= 1) || !(r >= 0)) throw new RangeError(`cellCount needs n >= 1 and r >= 0, got ${n} and ${r}`);
  let term = 1;
  let sum = 0;
  for (let k = 0; k < Math.min(r, n); k++) {
    sum += term;
    term = (term * (n - 1 - k)) / (k + 1);
  }
  return r === 0 ? 1 : 2 * sum;
}

/**
 * Every activation pattern 1[X u > 0] of a full-dimensional cell, for data of any rank: by sweeps up to rank 3, else by a
 * depth-first search over the rows with one non-negative least-squares problem a node (O(n) problems a cell). Zero rows
 * are never active. For small problems: the number of cells is {@link cellCount} in general position.
 *
 * @throws RangeError when there are more than `limit` cells (default 20,000).
 */
export function arrangementCells(X: Matrix, limit = 20_000): Cell[] {
  const V = rowSpaceBasis(X);
  const r = V.cols;
  const n = X.rows;
  const Z = matrix(n, r);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < X.cols; k++)
      for (let q = 0; q < r; q++) Z.data[i * r + q] += X.data[i * X.cols + k] * V.data[k * r + q];
  }
  const lift = (z: Float64Array): Float64Array => {
    const u = new Float64Array(X.cols);
    for (let k = 0; k < X.cols; k++) for (let q = 0; q < r; q++) u[k] += V.data[k * r + q] * z[q];
    return u;
  };
  if (r === 0) return [{ pattern: patternOf(new Float64Array(n)), u: new Float64Array(X.cols) }];
  if (r <= SWEEP_RANK) return enumerateCells(Z.data, n, r).map(({ pattern, u }) => ({ pattern, u: lift(u) }));

  const lengths = Float64Array.from({ length: n }, (_, i) => Math.hypot(...row(Z, i)));
  const largest = Math.max(...lengths);
  const order = Array.from(lengths.keys()).filter((i) => lengths[i] > 1e-14 * largest);
  const signed = matrix(order.length, r + 1);
  const cells: Cell[] = [];
  const along = (i: number, u: Float64Array): number => {
    let z = 0;
    for (let k = 0; k < r; k++) z += Z.data[i * r + k] * u[k];
    return z / lengths[i];
  };
  /** A direction inside the cone of the first `count` signed rows, or null. */
  const inside = (count: number): Float64Array | null => {
    const target = new Float64Array(r + 1);
    target[r] = 1;
    const part = { rows: count, cols: r + 1, data: signed.data.subarray(0, count * (r + 1)) };
    const { residual } = nonNegative(part, target, 1);
    const u = residual.slice(0, r).map((t) => -t);
    const length = Math.hypot(...u);
    for (let k = 0; k < r; k++) u[k] /= length;
    for (let at = 0; at < count; at++) {
      let z = 0;
      for (let k = 0; k < r; k++) z += signed.data[at * (r + 1) + k] * u[k];
      if (!(z > MARGIN)) return null;
    }
    return u;
  };
  const place = (at: number, sign: number): void => {
    for (let k = 0; k < r; k++) signed.data[at * (r + 1) + k] = (sign * Z.data[order[at] * r + k]) / lengths[order[at]];
    signed.data[at * (r + 1) + r] = 1;
  };
  const visit = (at: number, u: Float64Array): void => {
    if (at === order.length) {
      if (cells.length >= limit) throw new RangeError(`more than ${limit} cells`);
      const z = Float64Array.from({ length: n }, (_, i) => (lengths[i] > 1e-14 * largest ? along(i, u) : 0));
      cells.push({ pattern: patternOf(z), u: lift(u) });
      return;
    }
    const here = along(order[at], u);
    for (const sign of [1, -1]) {
      place(at, sign);
      const point = sign * here > MARGIN ? u : inside(at + 1);
      if (point !== null) visit(at + 1, point);
    }
  };
  const start = Z.data.slice(order[0] * r, (order[0] + 1) * r).map((t) => t / lengths[order[0]]);
  visit(0, start);
  return cells;
}
