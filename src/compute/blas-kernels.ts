import type { BlasLibrary, BlasProducts } from "../platform/blas.ts";
import type { Kernels, RealArray, RealKernels } from "./types.ts";

/** Multiply-adds below which our own kernels win over the call into the library. */
const GEMM_WORK = 1 << 13;
/** Order from which LAPACK's Cholesky factorization is the faster one. */
const CHOLESKY_ORDER = 96;

/** `own` with the products of a system BLAS where those are faster. */
function productsOver<A extends RealArray>(own: RealKernels<A>, blas: BlasProducts<A>): RealKernels<A> {
  return {
    ...own,
    gemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) {
      const target = m * n * k < GEMM_WORK ? own : blas;
      target.gemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    },
    syrk(trans, n, k, alpha, a, lda, beta, c, ldc) {
      const target = n * n * k < GEMM_WORK ? own : blas;
      target.syrk(trans, n, k, alpha, a, lda, beta, c, ldc);
    },
    gemv(trans, m, n, alpha, a, lda, x, beta, y) {
      const target = m * n < GEMM_WORK ? own : blas;
      target.gemv(trans, m, n, alpha, a, lda, x, beta, y);
    },
  };
}

/** `own` with the dense kernels of a system BLAS and LAPACK where those are faster. */
export function blasKernels(own: Kernels, blas: BlasLibrary): Kernels {
  const { potrf, syevd } = blas;
  return {
    ...own,
    ...productsOver<Float64Array>(own, blas),
    f32: productsOver(own.f32, blas.single),
    cholesky(n, a, lda) {
      if (potrf === null || n < CHOLESKY_ORDER) return own.cholesky(n, a, lda);
      const failed = potrf(n, a, lda);
      if (failed !== 0) return failed;
      for (let i = 0; i < n; i++) {
        // Some libraries do not stop at a pivot that is NaN.
        if (!(a[i * lda + i]! > 0)) return i + 1;
        a.fill(0, i * lda + i + 1, i * lda + n);
      }
      return 0;
    },
    solveLower(trans, n, nrhs, l, ldl, b, ldb) {
      if (nrhs === 1 || n * n * nrhs < GEMM_WORK) own.solveLower(trans, n, nrhs, l, ldl, b, ldb);
      else blas.trsm(trans, n, nrhs, l, ldl, b, ldb);
    },
    symmetricEigen(n, a, lda, values) {
      let size = 0;
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) size += Math.abs(a[i * lda + j]!);
      // Not every LAPACK survives NaN.
      if (syevd === null || n === 0 || !Number.isFinite(size)) return own.symmetricEigen(n, a, lda, values);
      if (syevd(n, a, lda, values) !== 0) throw new Error("symmetricEigen: the QR iteration did not converge");
      for (let i = 1; i < n; i++) {
        for (let j = 0; j < i; j++) {
          const kept = a[i * lda + j]!;
          a[i * lda + j] = a[j * lda + i]!;
          a[j * lda + i] = kept;
        }
      }
    },
  };
}
