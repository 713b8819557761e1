import type { Compute, Kernels } from "./types.ts";

/** What a blocked algorithm runs on: the kernels, and scopes for its workspace. A {@link Compute} is one. */
export type Arithmetic = Kernels & Pick<Compute, "scope">;

/** Beyond these sizes a vector is scaled by {@link RESCALE} before it is reflected. */
const TINY = 1e-290;
const RESCALE = 2 ** 700;

/**
 * The reflector H = I - tau v v^T, v_0 = 1, with H x = image e_0: overwrites the first `n` > 0 entries of `x` with v.
 * tau = 0 where x is a multiple of e_0 already; NaN where x has an entry that is not finite.
 * Source: LAPACK, dlarfg.
 */
export function reflector(
  kernels: Kernels,
  n: number,
  x: Float64Array,
): { readonly tau: number; readonly image: number } {
  const first = x[0]!;
  if (n === 1 || kernels.normInf(n - 1, x.subarray(1)) === 0) {
    x[0] = 1;
    return { tau: 0, image: first };
  }
  const size = kernels.norm2(n, x);
  if (size < TINY) {
    for (let i = 0; i < n; i++) x[i] = x[i]! * RESCALE;
    const { tau, image } = reflector(kernels, n, x);
    return { tau, image: image / RESCALE };
  }
  const image = first > 0 ? -size : size;
  const factor = 1 / (first - image);
  for (let i = 1; i < n; i++) x[i] = x[i]! * factor;
  x[0] = 1;
  return { tau: (image - first) / image, image };
}

/** The product H_0 H_1 ... H_{count-1} = I - V^T T V of reflectors of length `length`. */
export interface ReflectorBlock {
  readonly count: number;
  readonly length: number;
  /** V, count x length with rows `distance` apart: row k is v_k. */
  readonly v: Float64Array;
  readonly distance: number;
  /** T, count x count, upper triangular. */
  readonly t: Float64Array;
}

/**
 * Fills the triangle T (`block.t`) of a product of reflectors with coefficients `tau`.
 * Source: Schreiber and Van Loan, A storage-efficient WY representation for products of Householder transformations, 1989.
 */
export function fillTriangle(arithmetic: Arithmetic, block: ReflectorBlock, tau: Float64Array): void {
  const { count, length, v, distance, t } = block;
  arithmetic.scope((scope) => {
    const gram = scope.f64(count * count);
    arithmetic.gemm(false, true, count, count, length, 1, v, distance, v, distance, 0, gram, count);
    t.fill(0, 0, count * count);
    for (let j = 0; j < count; j++) {
      t[j * count + j] = tau[j]!;
      for (let i = 0; i < j; i++) {
        let sum = 0;
        for (let k = i; k < j; k++) sum += t[i * count + k]! * gram[k * count + j]!;
        t[i * count + j] = -tau[j]! * sum;
      }
    }
  });
}

/** X <- X (I - V^T T V), or X (I - V^T T^T V) when `trans`; X is rows x block.length with rows `ldx` apart. */
export function reflectRows(
  arithmetic: Arithmetic,
  trans: boolean,
  rows: number,
  x: Float64Array,
  ldx: number,
  block: ReflectorBlock,
): void {
  const { count, length, v, distance, t } = block;
  arithmetic.scope((scope) => {
    const inner = scope.f64(rows * count);
    const scaled = scope.f64(rows * count);
    arithmetic.gemm(false, true, rows, count, length, 1, x, ldx, v, distance, 0, inner, count);
    arithmetic.gemm(false, trans, rows, count, count, 1, inner, count, t, count, 0, scaled, count);
    arithmetic.gemm(false, false, rows, length, count, -1, scaled, count, v, distance, 1, x, ldx);
  });
}

/** Side of the tiles of {@link transpose}: two of them stay in the first cache. */
const TILE = 32;

/** `to` (cols x rows, rows `ldt` apart) <- the transpose of `from` (rows x cols, rows `ldf` apart). */
export function transpose(
  rows: number,
  cols: number,
  from: Float64Array,
  ldf: number,
  to: Float64Array,
  ldt: number,
): void {
  for (let top = 0; top < rows; top += TILE) {
    const bottom = Math.min(top + TILE, rows);
    for (let left = 0; left < cols; left += TILE) {
      const right = Math.min(left + TILE, cols);
      for (let j = left; j < right; j++) for (let i = top; i < bottom; i++) to[j * ldt + i] = from[i * ldf + j]!;
    }
  }
}
