import { tridiagonalEigen } from "./divide-and-conquer.ts";
import { symmetricEigen, tridiagonalQr } from "./eigen.ts";
import { type Arithmetic, fillTriangle, reflector, reflectRows, transpose } from "./reflectors.ts";
import { requireMatrix } from "./shapes.ts";

/** Order up to which plain loops are as fast. */
const SMALL = 32;
/** Columns reduced before the rest of the matrix is updated, in the reduction. */
const PANEL = 32;
/** Reflectors applied together to the eigenvectors. */
const BACK_PANEL = 64;

/**
 * Householder reduction of the symmetric matrix `a` (n x n, contiguous, both triangles) to tridiagonal form
 * T = Q^T A Q, Q = H_0 H_1 ... H_{n-2}. On return row j of `a` holds reflector j from column j + 1 on.
 *
 * Half of the work are products of the remaining matrix with a vector; the other half are rank-2k updates.
 * Source: Dongarra, Hammarling and Sorensen, Block reduction of matrices to condensed forms, 1989.
 */
function tridiagonalize(
  arithmetic: Arithmetic,
  n: number,
  a: Float64Array,
  diagonal: Float64Array,
  off: Float64Array,
  tau: Float64Array,
): void {
  arithmetic.scope((scope) => {
    // Rows v_0, w_0, v_1, w_1, ... and w_0, v_0, w_1, v_1, ...: the updated matrix is A - left^T right.
    const left = scope.f64(2 * PANEL * n);
    const right = scope.f64(2 * PANEL * n);
    const coefficients = scope.f64(2 * PANEL);
    const image = scope.f64(n);
    for (let start = 0; start < n; start += PANEL) {
      const end = Math.min(start + PANEL, n);
      for (let j = start; j < end; j++) {
        const done = 2 * (j - start);
        // 1. Row j with the updates of this panel.
        const row = a.subarray(j * n + j, (j + 1) * n);
        for (let q = 0; q < done; q++) coefficients[q] = right[q * n + j]!;
        arithmetic.gemv(true, done, n - j, -1, left.subarray(j), n, coefficients, 1, row);
        diagonal[j] = row[0]!;
        const length = n - j - 1;
        if (length === 0) break;
        // 2. Its reflector.
        const v = row.subarray(1);
        const made = reflector(arithmetic, length, v);
        off[j] = made.image;
        tau[j] = made.tau;
        // 3. w = tau A v - (tau^2 / 2) (v^T A v) v, with A the updated remainder.
        const w = image.subarray(0, length);
        if (made.tau === 0) w.fill(0);
        else {
          arithmetic.gemv(false, length, length, made.tau, a.subarray((j + 1) * n + j + 1), n, v, 0, w);
          arithmetic.gemv(false, done, length, made.tau, right.subarray(j + 1), n, v, 0, coefficients);
          arithmetic.gemv(true, done, length, -1, left.subarray(j + 1), n, coefficients, 1, w);
          arithmetic.axpy(length, -0.5 * made.tau * arithmetic.dot(length, v, w), v, w);
        }
        const at = done * n + j + 1;
        left.set(v, at);
        left.set(w, at + n);
        right.set(w, at);
        right.set(v, at + n);
      }
      // 4. The remainder.
      const rest = n - end;
      const remainder = a.subarray(end * n + end);
      const width = 2 * (end - start);
      const [leftRest, rightRest] = [left.subarray(end), right.subarray(end)];
      arithmetic.gemm(true, false, rest, rest, width, -1, leftRest, n, rightRest, n, 1, remainder, n);
    }
  });
}

/** X <- X Q^T for the n x n matrix `rows`, Q as {@link tridiagonalize} left it in `a` and `tau`. */
function backTransform(
  arithmetic: Arithmetic,
  n: number,
  a: Float64Array,
  tau: Float64Array,
  rows: Float64Array,
): void {
  arithmetic.scope((scope) => {
    const v = scope.f64(BACK_PANEL * n);
    const t = scope.f64(BACK_PANEL * BACK_PANEL);
    const blocks = Math.ceil((n - 1) / BACK_PANEL);
    for (let block = blocks - 1; block >= 0; block--) {
      const start = block * BACK_PANEL;
      const count = Math.min(BACK_PANEL, n - 1 - start);
      const length = n - 1 - start;
      for (let k = 0; k < count; k++) {
        const row = v.subarray(k * n, k * n + length);
        row.fill(0, 0, k);
        row.set(a.subarray((start + k) * n + start + k + 1, (start + k + 1) * n), k);
      }
      const product = { count, length, v, distance: n, t };
      fillTriangle(arithmetic, product, tau.subarray(start));
      reflectRows(arithmetic, true, n, rows.subarray(start + 1), n, product);
    }
  });
}

/**
 * `z` (n x n, contiguous) <- (A + A^T) / 2 divided by its largest entry, which is returned: nothing that follows
 * overflows. NaN or infinite when an entry is (`z` is then undefined).
 */
function scaledSymmetric(n: number, a: Float64Array, lda: number, z: Float64Array): number {
  transpose(n, n, a, lda, z, n);
  let scale = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const entry = 0.5 * a[i * lda + j]! + 0.5 * z[i * n + j]!;
      z[i * n + j] = entry;
      scale = Math.max(scale, Math.abs(entry));
    }
  }
  if (scale > 0 && Number.isFinite(scale)) for (let k = 0; k < n * n; k++) z[k] = z[k]! / scale;
  return scale;
}

/**
 * See `Kernels.symmetricEigen`: blocked tridiagonalization, divide and conquer, blocked back-transformation. A matrix with
 * an entry that is not finite has NaN eigenvalues and eigenvectors.
 */
export function blockedSymmetricEigen(
  arithmetic: Arithmetic,
  n: number,
  a: Float64Array,
  lda: number,
  values: Float64Array,
): void {
  if (n <= SMALL) {
    symmetricEigen(n, a, lda, values);
    return;
  }
  arithmetic.scope((scope) => {
    const z = scope.f64(n * n);
    const scale = scaledSymmetric(n, a, lda, z);
    if (!Number.isFinite(scale)) {
      values.fill(Number.NaN, 0, n);
      for (let i = 0; i < n; i++) a.fill(Number.NaN, i * lda, i * lda + n);
      return;
    }
    const diagonal = new Float64Array(n);
    const off = new Float64Array(n);
    const tau = new Float64Array(n);
    tridiagonalize(arithmetic, n, z, diagonal, off, tau);
    const rows = scope.f64(n * n);
    tridiagonalEigen(arithmetic, n, diagonal, off, rows);
    backTransform(arithmetic, n, z, tau, rows);
    const order = Array.from(diagonal.keys()).sort((i, j) => diagonal[i]! - diagonal[j]!);
    order.forEach((from, to) => {
      values[to] = scale * diagonal[from]!;
      z.set(rows.subarray(from * n, (from + 1) * n), to * n);
    });
    transpose(n, n, z, n, a, lda);
  });
}

/**
 * Eigenvalues (ascending, into `values`) of the symmetric n x n matrix in `a` (both triangles read, not changed), without
 * eigenvectors; NaN when an entry is not finite.
 */
export function symmetricEigenvalues(
  arithmetic: Arithmetic,
  n: number,
  a: Float64Array,
  lda: number,
  values: Float64Array,
): void {
  requireMatrix("symmetricEigenvalues", "A", n, n, a, lda);
  requireMatrix("symmetricEigenvalues", "values", 1, n, values, n);
  arithmetic.scope((scope) => {
    const z = scope.f64(n * n);
    const scale = scaledSymmetric(n, a, lda, z);
    if (!Number.isFinite(scale)) {
      values.fill(Number.NaN, 0, n);
      return;
    }
    const off = new Float64Array(n);
    tridiagonalize(arithmetic, n, z, values, off, new Float64Array(n));
    tridiagonalQr(n, values, off, null);
    for (let i = 0; i < n; i++) values[i] = scale * values[i]!;
    values.subarray(0, n).sort();
  });
}
