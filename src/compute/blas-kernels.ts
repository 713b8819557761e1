import type { BlasLibrary, BlasProducts } from "../platform/blas.ts";
import type { Kernels, RealArray, RealKernels } from "./types.ts";

/** Multiply-adds below which our own kernels win over the call into the library. */
const GEMM_WORK = 1 << 13;
/** Order from which LAPACK's Cholesky factorization is the faster one. */
const CHOLESKY_ORDER = 96;

/**
 * Multiply-adds below which the library is held to one thread (measured with OpenBLAS 0.3: where a second one begins to
 * pay). Left alone it wakes its threads far earlier and waits for them at every step of a factorization: some 50
 * microseconds when they sleep, and milliseconds when another program has the core.
 */
const THREAD_WORK = { gemm: 1 << 20, syrk: 1 << 22, gemv: 1 << 20, trsm: 1 << 19, potrf: 1 << 24, syevd: 1 << 27 };

/** Readies the library for a routine with so many multiply-adds. */
type ChooseThreads = (routine: keyof typeof THREAD_WORK, work: number) => void;

/** `own` with the products of a system BLAS where those are faster. */
function productsOver<A extends RealArray>(
  own: RealKernels<A>,
  blas: BlasProducts<A>,
  chooseThreads: ChooseThreads,
): RealKernels<A> {
  return {
    ...own,
    gemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) {
      const work = m * n * k;
      if (work >= GEMM_WORK) chooseThreads("gemm", work);
      const target = work < GEMM_WORK ? own : blas;
      target.gemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    },
    syrk(trans, n, k, alpha, a, lda, beta, c, ldc) {
      const work = n * n * k;
      if (work >= GEMM_WORK) chooseThreads("syrk", work / 2);
      const target = work < GEMM_WORK ? own : blas;
      target.syrk(trans, n, k, alpha, a, lda, beta, c, ldc);
    },
    gemv(trans, m, n, alpha, a, lda, x, beta, y) {
      const work = m * n;
      if (work >= GEMM_WORK) chooseThreads("gemv", work);
      const target = work < GEMM_WORK ? own : blas;
      target.gemv(trans, m, n, alpha, a, lda, x, beta, y);
    },
  };
}

/** `own` with the dense kernels of a system BLAS and LAPACK, on at most `threads` threads, where those are faster. */
export function blasKernels(own: Kernels, blas: BlasLibrary, threads: number): Kernels {
  const { potrf, syevd } = blas;
  // The count is the library's and other users of it in this process may change it, so it is set at every call: 40 ns.
  const chooseThreads: ChooseThreads = (routine, work) => {
    blas.setThreads(work < THREAD_WORK[routine] ? 1 : threads);
  };
  return {
    ...own,
    ...productsOver<Float64Array>(own, blas, chooseThreads),
    f32: productsOver(own.f32, blas.single, chooseThreads),
    cholesky(n, a, lda) {
      if (potrf === null || n < CHOLESKY_ORDER) return own.cholesky(n, a, lda);
      chooseThreads("potrf", n ** 3 / 3);
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
      const work = n * n * nrhs;
      if (nrhs === 1 || work < GEMM_WORK) return own.solveLower(trans, n, nrhs, l, ldl, b, ldb);
      chooseThreads("trsm", work / 2);
      blas.trsm(trans, n, nrhs, l, ldl, b, ldb);
    },
    symmetricEigen(n, a, lda, values) {
      let size = 0;
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) size += Math.abs(a[i * lda + j]!);
      // Not every LAPACK survives NaN.
      if (syevd === null || n === 0 || !Number.isFinite(size)) return own.symmetricEigen(n, a, lda, values);
      chooseThreads("syevd", n ** 3);
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
