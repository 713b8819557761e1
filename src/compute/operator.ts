import { requireMatrix } from "./shapes.ts";
import type { Kernels } from "./types.ts";

/** A symmetric linear map of R^size, known by what it does to a vector. */
export interface SymmetricOperator {
  readonly size: number;
  /** out <- A x; the arrays (`size` entries) are of the same {@link Compute} and do not overlap; `x` is not changed. */
  apply(x: Float64Array, out: Float64Array): void;
  /** The diagonal of A (`size` entries), where it is known: preconditions conjugate gradients. */
  readonly diagonal?: ArrayLike<number>;
}

/** The operator of the symmetric n x n matrix in `a` (both triangles read), in use as long as the array lives. */
export function matrixOperator(kernels: Kernels, n: number, a: Float64Array, lda: number): SymmetricOperator {
  requireMatrix("matrixOperator", "A", n, n, a, lda);
  return {
    size: n,
    apply: (x, out) => kernels.gemv(false, n, n, 1, a, lda, x, 0, out),
    diagonal: Float64Array.from({ length: n }, (_, i) => a[i * lda + i]!),
  };
}

/** The operator A^T A + shift I of the m x n matrix in `a`, without forming it. */
export function normalOperator(
  kernels: Kernels,
  m: number,
  n: number,
  a: Float64Array,
  lda: number,
  shift: number,
): SymmetricOperator {
  requireMatrix("normalOperator", "A", m, n, a, lda);
  const diagonal = new Float64Array(n).fill(shift);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) diagonal[j] = diagonal[j]! + a[i * lda + j]! ** 2;
  return {
    size: n,
    apply(x, out) {
      kernels.normalProduct(m, n, a, lda, x, out);
      kernels.axpy(n, shift, x, out);
    },
    diagonal,
  };
}
