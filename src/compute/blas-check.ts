import type { BlasLibrary } from "../platform/blas.ts";
import type { KernelMemory } from "./memory.ts";
import { referenceKernels } from "./reference.ts";

/** Entries that are small multiples of 1/8: sums of their products are exact, so differences are real. */
function eighths(length: number, seed: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => (((i + seed) * 37) % 23) / 8 - 1.375);
}

function differ(actual: Float64Array, expected: Float64Array): boolean {
  return actual.some((value, i) => !(Math.abs(value - expected[i]!) <= 1e-12));
}

/**
 * Compares a library with the naive loops on small problems in the kernel memory: a library that was built for other
 * integers, another layout or a broken machine must not be used.
 *
 * @returns null when all agree, else the first routine that does not.
 */
export function checkBlas(blas: BlasLibrary, memory: KernelMemory): string | null {
  const [m, n, k] = [19, 14, 23];
  return memory.scope((scope) => {
    for (const transA of [false, true]) {
      for (const transB of [false, true]) {
        for (const beta of [0, -0.5]) {
          const a = scope.copy(eighths(m * k, 1));
          const b = scope.copy(eighths(k * n, 5));
          const c = scope.copy(beta === 0 ? new Float64Array(m * n).fill(Number.NaN) : eighths(m * n, 2));
          const expected = c.slice();
          const [lda, ldb] = [transA ? m : k, transB ? k : n];
          referenceKernels.gemm(transA, transB, m, n, k, 2, a, lda, b, ldb, beta, expected, n);
          blas.gemm(transA, transB, m, n, k, 2, a, lda, b, ldb, beta, c, n);
          if (differ(c, expected)) return "cblas_dgemm";
        }
      }
    }
    for (const trans of [false, true]) {
      for (const beta of [0, -0.5]) {
        const a = scope.copy(eighths(m * k, 3));
        const x = scope.copy(eighths(trans ? m : k, 4));
        const length = trans ? k : m;
        const y = scope.copy(beta === 0 ? new Float64Array(length).fill(Number.NaN) : eighths(length, 6));
        const expected = y.slice();
        referenceKernels.gemv(trans, m, k, 2, a, k, x, beta, expected);
        blas.gemv(trans, m, k, 2, a, k, x, beta, y);
        if (differ(y, expected)) return "cblas_dgemv";
      }
    }
    // A diagonally dominant triangle, and its product with its transpose.
    const l = scope.copy(eighths(m * m, 7).map((value) => value / m));
    for (let i = 0; i < m; i++) l[i * m + i] = 2;
    for (const trans of [false, true]) {
      const b = scope.copy(eighths(m * n, 8));
      const expected = b.slice();
      referenceKernels.solveLower(trans, m, n, l, m, expected, n);
      blas.trsm(trans, m, n, l, m, b, n);
      if (differ(b, expected)) return "cblas_dtrsm";
    }
    for (let i = 0; i < m; i++) l.fill(0, i * m + i + 1, (i + 1) * m);
    const product = scope.f64(m * m);
    referenceKernels.gemm(false, true, m, m, m, 1, l, m, l, m, 0, product, m);
    if (blas.potrf !== null) {
      const factor = scope.copy(product);
      const failed = blas.potrf(m, factor, m);
      for (let i = 0; i < m; i++) factor.fill(0, i * m + i + 1, (i + 1) * m);
      if (failed !== 0 || differ(factor, l)) return "dpotrf";
      const indefinite = scope.copy([1, 0, 0, 0, -1, 0, 0, 0, 1]);
      if (blas.potrf(3, indefinite, 3) !== 2) return "dpotrf";
    }
    if (blas.syevd !== null) {
      const vectors = scope.copy(product);
      const values = scope.f64(m);
      if (blas.syevd(m, vectors, m, values) !== 0) return "dsyevd";
      // Rows are eigenvectors: V A = diag(values) V.
      const image = scope.f64(m * m);
      referenceKernels.gemm(false, false, m, m, m, 1, vectors, m, product, m, 0, image, m);
      if (
        differ(
          image,
          vectors.map((value, i) => value * values[Math.floor(i / m)]!),
        )
      )
        return "dsyevd";
    }
    return null;
  });
}
