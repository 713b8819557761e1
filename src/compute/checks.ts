import type { Kernels } from "./types.ts";
import { patternWords } from "./types.ts";

/** Throws unless a kernel may use the array: it is in the memory of the kernels and not released. */
export type Ownership = (array: Float64Array | Uint32Array, kernel: string, name: string) => void;

/**
 * The kernels behind argument checks, so that no backend hands a bad pointer to WebAssembly or to a C library.
 *
 * @throws TypeError for an array from elsewhere, RangeError for a bad shape or a short array (when called).
 */
export function checkedKernels(raw: Kernels, own: Ownership): Kernels {
  const size = (kernel: string, name: string, value: number): void => {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`${kernel}: ${name} must be a non-negative integer, got ${value}`);
    }
  };
  const vector = (kernel: string, name: string, length: number, array: Float64Array): void => {
    if (!(array instanceof Float64Array)) throw new TypeError(`${kernel}: ${name} must be a Float64Array`);
    own(array, kernel, name);
    if (array.length < length) {
      throw new RangeError(`${kernel}: ${name} needs ${length} entries, the array has ${array.length}`);
    }
  };
  const dense = (kernel: string, name: string, rows: number, cols: number, array: Float64Array, ld: number): void => {
    size(kernel, `the row distance of ${name}`, ld);
    if (ld < cols && rows > 0) {
      throw new RangeError(`${kernel}: rows of ${name} (${rows} x ${cols}) are ${cols} long but ${ld} apart`);
    }
    const length = rows === 0 || cols === 0 ? 0 : (rows - 1) * ld + cols;
    if (array instanceof Float64Array && array.length < length) {
      const shape = `${rows} x ${cols} with rows ${ld} apart`;
      throw new RangeError(`${kernel}: ${name} (${shape}) needs ${length} entries, the array has ${array.length}`);
    }
    vector(kernel, name, 0, array);
  };
  const packed = (kernel: string, n: number, p: number, array: Uint32Array): void => {
    if (!(array instanceof Uint32Array)) throw new TypeError(`${kernel}: patterns must be a Uint32Array`);
    own(array, kernel, "patterns");
    const length = p * patternWords(n);
    if (array.length < length) {
      throw new RangeError(`${kernel}: ${p} patterns of ${n} rows need ${length} words, the array has ${array.length}`);
    }
  };
  const sizes = (kernel: string, named: Readonly<Record<string, number>>): void => {
    for (const [name, value] of Object.entries(named)) size(kernel, name, value);
  };

  return {
    gemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) {
      sizes("gemm", { m, n, k });
      dense("gemm", "A", transA ? k : m, transA ? m : k, a, lda);
      dense("gemm", "B", transB ? n : k, transB ? k : n, b, ldb);
      dense("gemm", "C", m, n, c, ldc);
      raw.gemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    },
    gemv(trans, m, n, alpha, a, lda, x, beta, y) {
      sizes("gemv", { m, n });
      dense("gemv", "A", m, n, a, lda);
      vector("gemv", "x", trans ? m : n, x);
      vector("gemv", "y", trans ? n : m, y);
      raw.gemv(trans, m, n, alpha, a, lda, x, beta, y);
    },
    normalProduct(m, n, a, lda, x, y) {
      sizes("normalProduct", { m, n });
      dense("normalProduct", "A", m, n, a, lda);
      vector("normalProduct", "x", n, x);
      vector("normalProduct", "y", n, y);
      raw.normalProduct(m, n, a, lda, x, y);
    },
    gatedForward(n, d, p, x, patterns, v, out) {
      sizes("gatedForward", { n, d, p });
      dense("gatedForward", "X", n, d, x, d);
      packed("gatedForward", n, p, patterns);
      dense("gatedForward", "V", p, d, v, d);
      vector("gatedForward", "out", n, out);
      raw.gatedForward(n, d, p, x, patterns, v, out);
    },
    gatedAdjoint(n, d, p, x, patterns, r, out) {
      sizes("gatedAdjoint", { n, d, p });
      dense("gatedAdjoint", "X", n, d, x, d);
      packed("gatedAdjoint", n, p, patterns);
      vector("gatedAdjoint", "r", n, r);
      dense("gatedAdjoint", "out", p, d, out, d);
      raw.gatedAdjoint(n, d, p, x, patterns, r, out);
    },
    activationPatterns(n, d, p, x, g, out) {
      sizes("activationPatterns", { n, d, p });
      dense("activationPatterns", "X", n, d, x, d);
      dense("activationPatterns", "G", p, d, g, d);
      packed("activationPatterns", n, p, out);
      raw.activationPatterns(n, d, p, x, g, out);
    },
    blockSoftThreshold(p, d, v, tau) {
      sizes("blockSoftThreshold", { p, d });
      dense("blockSoftThreshold", "V", p, d, v, d);
      if (!(tau >= 0)) throw new RangeError(`blockSoftThreshold: tau must be non-negative, got ${tau}`);
      raw.blockSoftThreshold(p, d, v, tau);
    },
    dot(n, x, y) {
      sizes("dot", { n });
      vector("dot", "x", n, x);
      vector("dot", "y", n, y);
      return raw.dot(n, x, y);
    },
    axpy(n, alpha, x, y) {
      sizes("axpy", { n });
      vector("axpy", "x", n, x);
      vector("axpy", "y", n, y);
      raw.axpy(n, alpha, x, y);
    },
    norm2(n, x) {
      sizes("norm2", { n });
      vector("norm2", "x", n, x);
      return raw.norm2(n, x);
    },
    normInf(n, x) {
      sizes("normInf", { n });
      vector("normInf", "x", n, x);
      return raw.normInf(n, x);
    },
    norm1(n, x) {
      sizes("norm1", { n });
      vector("norm1", "x", n, x);
      return raw.norm1(n, x);
    },
    cholesky(n, a, lda) {
      sizes("cholesky", { n });
      dense("cholesky", "A", n, n, a, lda);
      return raw.cholesky(n, a, lda);
    },
    solveLower(trans, n, nrhs, l, ldl, b, ldb) {
      sizes("solveLower", { n, nrhs });
      dense("solveLower", "L", n, n, l, ldl);
      dense("solveLower", "B", n, nrhs, b, ldb);
      raw.solveLower(trans, n, nrhs, l, ldl, b, ldb);
    },
    symmetricEigen(n, a, lda, values) {
      sizes("symmetricEigen", { n });
      dense("symmetricEigen", "A", n, n, a, lda);
      vector("symmetricEigen", "values", n, values);
      raw.symmetricEigen(n, a, lda, values);
    },
  };
}
