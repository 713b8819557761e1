import { type Matrix, matrix } from "../base/matrix.ts";
import type { Compute } from "../compute/types.ts";
import { fromEigen, type KernelEigen, product, scaleRows, toEigen } from "./kernel-eigen.ts";
import type { RidgeSolution } from "./leave-one-out.ts";

/** Columns of the inverse factor that are made together. */
const BLOCK = 512;

/** Told the share of the work that is done; throws to end it. */
export type Tick = (share: number) => void;

/** [Y 1], n x (c + 1). */
export function withOnes({ rows, cols, data }: Matrix): Matrix {
  const out = matrix(rows, cols + 1);
  for (let i = 0; i < rows; i++) {
    out.data.set(data.subarray(i * cols, (i + 1) * cols), i * (cols + 1));
    out.data[i * (cols + 1) + cols] = 1;
  }
  return out;
}

/**
 * The solutions for many ridges (all positive) along a spectrum: two products with the eigenvectors for all of them together.
 *
 * @param eigen of K, or of R K R for weights with the roots R: (K + ridge R^-2)^-1 = R (R K R + ridge)^-1 R.
 * @param roots n square roots of weights; null: all 1.
 */
export function spectralSolutions(
  compute: Compute,
  eigen: KernelEigen,
  Y: Matrix,
  ridges: readonly number[],
  roots: Float64Array | null,
): RidgeSolution[] {
  const { values, vectors } = eigen;
  const [n, count] = [values.length, ridges.length];
  const rhs = toEigen(compute, eigen, byRoots(roots, withOnes(Y)));
  const width = rhs.cols;
  const inverses = matrix(n, count);
  const scaled = matrix(n, count * width);
  for (let k = 0; k < n; k++) {
    ridges.forEach((ridge, r) => {
      const inverse = 1 / (values[k] + ridge);
      inverses.data[k * count + r] = inverse;
      for (let q = 0; q < width; q++) {
        scaled.data[(k * count + r) * width + q] = inverse * rhs.data[k * width + q];
      }
    });
  }
  const squares = matrix(
    n,
    n,
    vectors.data.map((value) => value * value),
  );
  const diagonals = product(compute, squares, false, inverses);
  const solved = fromEigen(compute, eigen, scaled);
  return ridges.map((ridge, r) => {
    const own = matrix(n, width);
    for (let i = 0; i < n; i++) {
      const from = (i * count + r) * width;
      own.data.set(solved.data.subarray(from, from + width), i * width);
    }
    const diagonal = Float64Array.from({ length: n }, (_, i) => diagonals.data[i * count + r] * (roots?.[i] ?? 1) ** 2);
    return { ridge, diagonal, solved: byRoots(roots, own) };
  });
}

/** diag(roots) B, in place. */
export function byRoots(roots: Float64Array | null, B: Matrix): Matrix {
  return roots === null ? B : scaleRows(roots, B);
}

/** diag(roots) K diag(roots), anew; K itself without roots. */
export function weightedKernel(K: Matrix, roots: Float64Array | null): Matrix {
  if (roots === null) return K;
  const { rows: n, data } = K;
  const out = matrix(n, n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) out.data[i * n + j] = roots[i] * data[i * n + j] * roots[j];
  }
  return out;
}

/**
 * The solution for one ridge by Cholesky, K + ridge W^-1 = L L': two thirds of n^3 floating-point operations, half of them for the
 * diagonal of the inverse, which is the squared norms of the columns of L^-1. Takes 8 n^2 bytes of kernel memory; of K only the
 * lower triangle is read.
 *
 * @returns null when the matrix is not positive definite in f64.
 */
export function choleskySolution(
  compute: Compute,
  K: Matrix,
  Y: Matrix,
  ridge: number,
  weights: Float64Array | null,
  tick: Tick = () => {},
): RidgeSolution | null {
  const n = K.rows;
  return compute.scope((scope) => {
    const factor = scope.f64(n * n);
    if (!factorShifted(compute, K, ridge, weights, factor)) return null;
    tick(0.4);
    const rhs = withOnes(Y);
    const solved = scope.copy(rhs.data);
    compute.solveLower(false, n, rhs.cols, factor, n, solved, rhs.cols);
    compute.solveLower(true, n, rhs.cols, factor, n, solved, rhs.cols);
    const diagonal = new Float64Array(n);
    for (let from = 0; from < n; from += BLOCK) {
      const count = Math.min(BLOCK, n - from);
      const rows = n - from;
      compute.scope((inner) => {
        // Columns from .. from + count of L^-1 are zero above row `from`.
        const columns = inner.f64(rows * count);
        for (let j = 0; j < count; j++) columns[j * count + j] = 1;
        compute.solveLower(false, rows, count, factor.subarray(from * n + from), n, columns, count);
        for (let i = 0; i < rows; i++) {
          for (let j = 0; j < count; j++) diagonal[from + j] += columns[i * count + j] ** 2;
        }
      });
      tick(0.4 + 0.6 * (1 - (rows / n) ** 3));
    }
    return { ridge, diagonal, solved: matrix(n, rhs.cols, solved.slice()) };
  });
}

/** Lower Cholesky factor of K + ridge W^-1 into `factor` (n x n); false when it is not positive definite in f64. */
export function factorShifted(
  compute: Compute,
  K: Matrix,
  ridge: number,
  weights: Float64Array | null,
  factor: Float64Array,
): boolean {
  const n = K.rows;
  for (let i = 0; i < n; i++) {
    factor.set(K.data.subarray(i * n, i * n + i + 1), i * n);
    factor[i * n + i] += ridge / (weights?.[i] ?? 1);
  }
  return compute.cholesky(n, factor, n) === 0;
}
