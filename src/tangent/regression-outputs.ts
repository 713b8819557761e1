import { type Matrix, matrix } from "../base/matrix.ts";
import type { Compute } from "../compute/types.ts";
import { product } from "./kernel-eigen.ts";
import { factorShifted } from "./ridge-solver.ts";
import type { KernelEngine, KernelName } from "./types.ts";

/** Kernel values between tests and training inputs that are held at a time. */
const PANEL_ENTRIES = 1 << 22;

/** A fitted regression, as far as its outputs need it. */
export interface RegressionModel {
  readonly engine: KernelEngine;
  readonly kernel: KernelName;
  /** Training inputs, n x d. */
  readonly inputs: Matrix;
  /** n x c. */
  readonly dual: Matrix;
  /** c entries. */
  readonly intercept: Float64Array;
}

/** Rows of X by panels. */
function* panelsOf(X: Matrix, cols: number): Generator<{ readonly from: number; readonly part: Matrix }> {
  const height = Math.max(1, Math.floor(PANEL_ENTRIES / Math.max(1, cols)));
  for (let from = 0; from < X.rows; from += height) {
    const to = Math.min(X.rows, from + height);
    yield { from, part: matrix(to - from, X.cols, X.data.subarray(from * X.cols, to * X.cols)) };
  }
}

/**
 * Outputs K(x, X) dual + intercept of a regression on the rows of `tests`, m x c.
 *
 * @param progress told the share that is done.
 */
export function regressionOutputs(
  compute: Compute,
  { engine, kernel, inputs, dual, intercept }: RegressionModel,
  tests: Matrix,
  progress: (share: number) => void = () => {},
): Matrix {
  const c = dual.cols;
  const out = matrix(tests.rows, c);
  for (const { from, part } of panelsOf(tests, inputs.rows)) {
    const K = engine.block(compute, part, inputs)[kernel];
    if (K === null) throw new RangeError(`the engine makes no ${kernel} kernel`);
    const outputs = product(compute, matrix(part.rows, inputs.rows, K), false, dual);
    for (let k = 0; k < outputs.data.length; k++) outputs.data[k] += intercept[k % c];
    out.data.set(outputs.data, from * c);
    progress((from + part.rows) / tests.rows);
  }
  return out;
}

/** What the variance needs besides the model. */
export interface VarianceSettings {
  readonly ridge: number;
  /** Whether the regression has an intercept. */
  readonly withIntercept: boolean;
  /** Of the n training rows; default all 1. */
  readonly weights?: Float64Array;
}

/**
 * Predictive variances of new noisy targets of weight 1 at the rows of `tests`, in units of the signal variance: those of the Gaussian
 * process whose covariance is the kernel, with noise `ridge` / weight and, with an intercept, a constant of unknown size (Rasmussen and
 * Williams 2006, eq. 2.26 and 2.42). Takes 8 n^2 bytes of kernel memory, and as many for the kernel matrix.
 *
 * @throws RangeError when K + ridge is not positive definite in f64.
 */
export function regressionVariances(
  compute: Compute,
  { engine, kernel, inputs }: RegressionModel,
  { ridge, withIntercept, weights }: VarianceSettings,
  gram: Matrix,
  tests: Matrix,
): Float64Array {
  const n = inputs.rows;
  return compute.scope((scope) => {
    const factor = scope.f64(n * n);
    if (!factorShifted(compute, gram, ridge, weights ?? null, factor)) {
      throw new RangeError(`the kernel matrix with ridge ${ridge} is not positive definite`);
    }
    // L^-1 1, whose square is 1' G 1.
    const ones = scope.f64(n).fill(1);
    compute.solveLower(false, n, 1, factor, n, ones, 1);
    const total = compute.dot(n, ones, ones);
    const out = new Float64Array(tests.rows);
    for (const { from, part } of panelsOf(tests, 2 * n)) {
      const cross = engine.block(compute, inputs, part)[kernel]!;
      const own = engine.block(compute, part, null)[kernel]!;
      compute.scope((inner) => {
        const m = part.rows;
        const solved = inner.copy(cross);
        compute.solveLower(false, n, m, factor, n, solved, m);
        const trend = inner.f64(m);
        compute.gemv(true, n, m, 1, solved, m, ones, 0, trend);
        for (let j = 0; j < m; j++) {
          let explained = 0;
          for (let i = 0; i < n; i++) explained += solved[i * m + j] ** 2;
          const constant = withIntercept ? (1 - trend[j]) ** 2 / total : 0;
          out[from + j] = Math.max(0, own[j * (m + 1)] - explained) + constant + ridge;
        }
      });
    }
    return out;
  });
}
