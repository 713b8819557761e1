import type { BlasLibrary, BlasProducts } from "../platform/blas.ts";
import type { KernelMemory } from "./memory.ts";
import { referenceKernels } from "./reference.ts";
import type { RealArray, RealKernels } from "./types.ts";

/** Entries that are small multiples of 1/8: sums of their products are exact in f32 too, so differences are real. */
function eighths(length: number, seed: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => (((i + seed) * 37) % 23) / 8 - 1.375);
}

function differ(actual: RealArray, expected: RealArray): boolean {
  return actual.some((value, i) => !(Math.abs(value - expected[i]!) <= 1e-12));
}

const M = 19;
const N = 14;
const K = 23;

/** The products of one precision against the naive loops; `copy` makes an array of it in the kernel memory. */
function checkProducts<A extends RealArray>(
  blas: BlasProducts<A>,
  reference: RealKernels<A>,
  prefix: string,
  copy: (source: ArrayLike<number>) => A,
): string | null {
  for (const beta of [0, -0.5]) {
    // beta = 0 must overwrite NaN.
    const target = (length: number, seed: number): Float64Array =>
      beta === 0 ? new Float64Array(length).fill(Number.NaN) : eighths(length, seed);
    for (const transA of [false, true]) {
      const a = copy(eighths(M * K, 1));
      for (const transB of [false, true]) {
        const b = copy(eighths(K * N, 5));
        const [c, expected] = [copy(target(M * N, 2)), copy(target(M * N, 2))];
        const [lda, ldb] = [transA ? M : K, transB ? K : N];
        reference.gemm(transA, transB, M, N, K, 2, a, lda, b, ldb, beta, expected, N);
        blas.gemm(transA, transB, M, N, K, 2, a, lda, b, ldb, beta, c, N);
        if (differ(c, expected)) return `cblas_${prefix}gemm`;
      }
      const x = copy(eighths(transA ? M : K, 4));
      const length = transA ? K : M;
      const [y, expectedY] = [copy(target(length, 6)), copy(target(length, 6))];
      reference.gemv(transA, M, K, 2, a, K, x, beta, expectedY);
      blas.gemv(transA, M, K, 2, a, K, x, beta, y);
      if (differ(y, expectedY)) return `cblas_${prefix}gemv`;

      // The strict upper triangle must stay.
      const [s, expectedS] = [copy(eighths(M * M, 2)), copy(eighths(M * M, 2))];
      for (let i = 0; i < M; i++) for (let j = 0; beta === 0 && j <= i; j++) s[i * M + j] = Number.NaN;
      reference.syrk(transA, M, K, 2, a, transA ? M : K, beta, expectedS, M);
      blas.syrk(transA, M, K, 2, a, transA ? M : K, beta, s, M);
      if (differ(s, expectedS)) return `cblas_${prefix}syrk`;
    }
  }
  return null;
}

/**
 * Compares a library with the naive loops on small problems in the kernel memory: a library that was built for other
 * integers, another layout or a broken machine must not be used.
 *
 * @returns null when all agree, else the first routine that does not.
 */
export function checkBlas(blas: BlasLibrary, memory: KernelMemory): string | null {
  const [m, n] = [M, N];
  return memory.scope((scope) => {
    const single = (source: ArrayLike<number>): Float32Array => {
      const array = scope.f32(source.length);
      array.set(source);
      return array;
    };
    const products =
      checkProducts<Float64Array>(blas, referenceKernels, "d", scope.copy) ??
      checkProducts<Float32Array>(blas.single, referenceKernels.f32, "s", single);
    if (products !== null) return products;
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
      // Rows are orthonormal eigenvectors: V V^T = I and V A = diag(values) V.
      const identity = Float64Array.from({ length: m * m }, (_, i) => (i % (m + 1) === 0 ? 1 : 0));
      const gram = scope.f64(m * m);
      const image = scope.f64(m * m);
      referenceKernels.gemm(false, true, m, m, m, 1, vectors, m, vectors, m, 0, gram, m);
      referenceKernels.gemm(false, false, m, m, m, 1, vectors, m, product, m, 0, image, m);
      const scaled = vectors.map((value, i) => value * values[Math.floor(i / m)]!);
      if (differ(gram, identity) || differ(image, scaled)) return "dsyevd";
    }
    return null;
  });
}
