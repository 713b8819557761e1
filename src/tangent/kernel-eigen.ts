import { type Matrix, matrix } from "../base/matrix.ts";
import { type Compute, outsideMatrix } from "../compute/index.ts";

/** A symmetric positive semidefinite kernel matrix as V diag(values) V'. */
export interface KernelEigen {
  /** Ascending, n of them; what rounding cannot tell from zero (n epsilon times the largest, and below) is zero. */
  readonly values: Float64Array;
  /** V, n x n: column k belongs to value k. */
  readonly vectors: Matrix;
}

/** Departure from symmetry, and negative eigenvalues, beyond which a matrix is no kernel matrix, as a share of its size. */
const TOLERANCE = 1e-7;

/**
 * All eigenvalues and eigenvectors of a kernel matrix.
 *
 * @throws RangeError when K is not square, finite, symmetric and positive semidefinite (up to rounding).
 */
export function kernelEigen(compute: Compute, K: Matrix): KernelEigen {
  const { rows: n, cols, data } = K;
  if (n !== cols) throw new RangeError(`a kernel matrix is square, got ${n} x ${cols}`);
  checkSymmetric(K);
  return compute.scope((scope) => {
    const a = scope.copy(data);
    const values = scope.f64(n);
    compute.symmetricEigen(n, a, n, values);
    const [smallest, largest] = [values[0] ?? 0, values[n - 1] ?? 0];
    if (smallest < -TOLERANCE * Math.abs(largest)) {
      throw new RangeError(`a kernel matrix has no negative eigenvalues, got ${smallest} beside ${largest}`);
    }
    const zero = zeroLevel(n, largest);
    return {
      values: Float64Array.from(values, (value) => (value <= zero ? 0 : value)),
      vectors: matrix(n, n, a.slice()),
    };
  });
}

/** Eigenvalues of an n x n kernel matrix up to here are zero as far as rounding lets us know. */
export function zeroLevel(n: number, largest: number): number {
  return n * Number.EPSILON * largest;
}

function checkSymmetric({ rows: n, data }: Matrix): void {
  let [largest, difference] = [0, 0];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const value = data[i * n + j];
      if (!Number.isFinite(value)) throw new RangeError(`entry (${i}, ${j}) of a kernel matrix is ${value}`);
      largest = Math.max(largest, Math.abs(value));
      const off = Math.abs(value - data[j * n + i]);
      if (!(off <= difference)) difference = off;
    }
  }
  if (!(difference <= TOLERANCE * largest)) throw new RangeError(`a kernel matrix is symmetric, got ${difference} off`);
}

/** V' A: the rows of A (n x c) in the coordinates of the eigenvectors. */
export function toEigen(compute: Compute, { vectors }: KernelEigen, A: Matrix): Matrix {
  return product(compute, vectors, true, A);
}

/** V B: back from the coordinates of the eigenvectors. */
export function fromEigen(compute: Compute, { vectors }: KernelEigen, B: Matrix): Matrix {
  return product(compute, vectors, false, B);
}

/** A B, or A' B when `trans`; the matrices may be larger than the memory of the kernels. */
export function product(compute: Compute, A: Matrix, trans: boolean, B: Matrix): Matrix {
  const [rows, inner] = trans ? [A.cols, A.rows] : [A.rows, A.cols];
  if (B.rows !== inner) {
    throw new RangeError(`the product of ${rows} x ${inner} and ${B.rows} x ${B.cols} is not defined`);
  }
  const out = matrix(rows, B.cols);
  if (out.data.length > 0 && inner > 0) {
    outsideMatrix(compute, A.rows, A.cols, A.data).gemm(trans, B.cols, 1, B.data, 0, out.data);
  }
  return out;
}

/** diag(factors) B, in place. */
export function scaleRows(factors: Float64Array, B: Matrix): Matrix {
  for (let k = 0; k < B.rows; k++) {
    for (let q = 0; q < B.cols; q++) B.data[k * B.cols + q] *= factors[k];
  }
  return B;
}
