import { type Matrix, row } from "../base/matrix.ts";
import { forEqualRows } from "./equal-rows.ts";

/** What makes kernel matrices singular, by row numbers counted from 0. */
export interface InputChecks {
  readonly zero: readonly number[];
  /** The first pairs of equal rows, and how many rows equal an earlier one. */
  readonly equal: { readonly count: number; readonly first: readonly (readonly [number, number])[] };
  /** Rows that are multiples of an earlier one, of either sign, to about 1e-8 (equal and zero ones apart). */
  readonly parallel: { readonly count: number; readonly first: readonly (readonly [number, number])[] };
}

const SHOWN = 5;
/** Distance of unit vectors that counts as none: the kernel knows angles to the root of the rounding error. */
const TOLERANCE = 1e-8;

/** Looks for zero, equal and parallel rows in about one pass over the data. */
export function checkInputs(X: Matrix): InputChecks {
  const zero: number[] = [];
  // 1. Equal rows; later ones of a class do not count as parallel again.
  const repeated = new Set<number>();
  const equal: (readonly [number, number])[] = [];
  forEqualRows(X, null, (i, j) => {
    if (!repeated.has(i) && equal.length < SHOWN) equal.push([j, i]);
    repeated.add(i);
  });
  // 2. Directions, projected on fixed pseudo-random numbers: parallel rows have projections of equal size.
  const projections: { readonly i: number; readonly size: number; readonly sign: number; readonly norm: number }[] = [];
  for (let i = 0; i < X.rows; i++) {
    const x = row(X, i);
    const most = x.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    if (most === 0) zero.push(i);
    if (most === 0 || repeated.has(i)) continue;
    let [square, projection] = [0, 0];
    for (let j = 0; j < x.length; j++) {
      const value = x[j]! / most;
      square += value * value;
      projection += value * ((((j + 1) * 0.7548776662466927) % 1) - 0.5);
    }
    const norm = Math.sqrt(square) * most;
    projections.push({ i, size: (Math.abs(projection) * most) / norm, sign: projection < 0 ? -1 : 1, norm });
  }
  projections.sort((a, b) => a.size - b.size || a.i - b.i);
  // 3. Neighbours are compared entry by entry.
  const parallel: (readonly [number, number])[] = [];
  let count = 0;
  projections.forEach((a, k) => {
    for (let l = k - 1; l >= 0; l--) {
      const b = projections[l]!;
      if (a.size - b.size > TOLERANCE) return;
      if (!isParallel(row(X, a.i), a.norm * a.sign, row(X, b.i), b.norm * b.sign)) continue;
      count += 1;
      if (parallel.length < SHOWN) parallel.push([Math.min(a.i, b.i), Math.max(a.i, b.i)]);
      return;
    }
  });
  return { zero, equal: { count: repeated.size, first: equal }, parallel: { count, first: parallel } };
}

function isParallel(x: Float64Array, xScale: number, y: Float64Array, yScale: number): boolean {
  const distance = (sign: number): number => {
    let square = 0;
    for (let j = 0; j < x.length && square <= TOLERANCE ** 2; j++)
      square += (x[j]! / xScale - (sign * y[j]!) / yScale) ** 2;
    return square;
  };
  // Where the projection vanishes, its sign says nothing.
  return Math.min(distance(1), distance(-1)) <= TOLERANCE ** 2;
}
