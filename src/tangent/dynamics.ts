import { type Matrix, matrix } from "../base/matrix.ts";
import type { Compute } from "../compute/types.ts";
import { fromEigen, type KernelEigen, product, scaleRows, toEigen } from "./kernel-eigen.ts";

/**
 * Training a model that is linear in its parameters, f' = -gradient: with kernel T on the n training inputs, the outputs F (n x c) follow
 * T alone. The loss is half the squared errors, summed (`sum`), or divided by the number n c of entries (`mean`, the
 * convention of neural-tangents).
 */
export interface Training {
  readonly loss: "sum" | "mean";
  /** `flow`: gradient flow, time is continuous; a number: gradient descent with this step size, time counts steps. */
  readonly step: "flow" | number;
}

/** What the n c entries of the targets divide the gradient by. */
export function divisor({ loss }: Training, entries: number): number {
  return loss === "sum" ? 1 : entries;
}

function checkTime(training: Training, time: number): void {
  if (!(time >= 0)) throw new RangeError(`a time must be at least 0, got ${time}`);
  const { step } = training;
  if (step === "flow") return;
  if (!(step > 0 && Number.isFinite(step))) throw new RangeError(`a step size must be positive, got ${step}`);
  if (time !== Number.POSITIVE_INFINITY && !Number.isSafeInteger(time)) {
    throw new RangeError(`gradient descent counts whole steps, got ${time}`);
  }
}

/**
 * What is left of the residual along an eigenvector of value `value` at a time: exp(-value t / s), or (1 - step value / s)^t,
 * with s = 1 or n c.
 *
 * @throws RangeError for a negative time, a broken step, and at infinity when the step is too large to converge.
 */
export function decay(training: Training, entries: number, value: number, time: number): number {
  checkTime(training, time);
  const rate = value / divisor(training, entries);
  if (training.step === "flow") return rate === 0 ? 1 : Math.exp(-rate * time);
  const factor = 1 - training.step * rate;
  if (time !== Number.POSITIVE_INFINITY) return factor ** time;
  if (factor <= -1) {
    throw new RangeError(`gradient descent diverges: the step ${training.step} is not below ${2 / rate}`);
  }
  return rate === 0 ? 1 : 0;
}

/**
 * (1 - decay) / value: how far the output at another input has moved for each unit of its kernel. Along an eigenvalue of
 * zero a kernel between any input and the training inputs vanishes, and this is 0.
 */
function movement(training: Training, entries: number, value: number, time: number): number {
  return value === 0 ? 0 : reach(training, entries, value, time);
}

/** (1 - decay) / value, at an eigenvalue of zero too, where it is the time (or the steps times their size) over the divisor. */
export function reach(training: Training, entries: number, value: number, time: number): number {
  const left = decay(training, entries, value, time);
  const s = divisor(training, entries);
  if (value === 0) return ((training.step === "flow" ? 1 : training.step) * time) / s;
  const rate = value / s;
  const { step } = training;
  if (step === "flow") return -Math.expm1(-rate * time) / value;
  // Small steps lose their digits in 1 - step rate.
  return (step * rate < 0.5 ? -Math.expm1(time * Math.log1p(-step * rate)) : 1 - left) / value;
}

/** Targets and outputs at time zero; without the latter, they are zero. */
export interface Start {
  /** n x c. */
  readonly Y: Matrix;
  /** n x c. */
  readonly outputs?: Matrix;
}

/** Inputs other than the training ones. */
export interface TestStart {
  /** m x n: the kernel that trains, between these inputs and the training inputs. */
  readonly kernel: Matrix;
  /** m x c: outputs at time zero; without them, they are zero. */
  readonly outputs?: Matrix;
}

/**
 * Outputs on the training inputs at a time (infinity included), f_t = y + decay(T) (f_0 - y).
 *
 * Source: Lee et al. (2019), eq. 8, for gradient flow. Where T is singular, the part of the residual that it cannot see stays.
 *
 * @param eigen of T.
 */
export function trainedOutputs(
  compute: Compute,
  eigen: KernelEigen,
  training: Training,
  time: number,
  start: Start,
): Matrix {
  const entries = start.Y.data.length;
  const residual = toEigen(compute, eigen, residualOf(eigen.values.length, start));
  const left = eigen.values.map((value) => decay(training, entries, value, time));
  const out = fromEigen(compute, eigen, scaleRows(left, residual));
  for (let k = 0; k < out.data.length; k++) out.data[k] += start.Y.data[k];
  return out;
}

/**
 * Outputs on other inputs at a time (infinity included): f_0(x) - T(x, X) T^-1 (1 - decay(T)) (f_0 - y). T is not inverted where
 * it is singular.
 *
 * Source: Lee et al. (2019), eq. 10 and 11, for gradient flow.
 */
export function testOutputs(
  compute: Compute,
  eigen: KernelEigen,
  training: Training,
  time: number,
  start: Start,
  { kernel, outputs }: TestStart,
): Matrix {
  const entries = start.Y.data.length;
  const residual = toEigen(compute, eigen, residualOf(eigen.values.length, start));
  const moved = eigen.values.map((value) => -movement(training, entries, value, time));
  const out = product(compute, kernel, false, fromEigen(compute, eigen, scaleRows(moved, residual)));
  if (outputs === undefined) return out;
  requireShape("outputs", outputs, out.rows, out.cols);
  for (let k = 0; k < out.data.length; k++) out.data[k] += outputs.data[k];
  return out;
}

/** f_0 - y, on n inputs. */
export function residualOf(n: number, { Y, outputs }: Start): Matrix {
  requireShape("targets", Y, n, Y.cols);
  if (outputs === undefined)
    return matrix(
      Y.rows,
      Y.cols,
      Y.data.map((value) => -value),
    );
  requireShape("outputs", outputs, Y.rows, Y.cols);
  return matrix(
    Y.rows,
    Y.cols,
    Y.data.map((value, k) => outputs.data[k] - value),
  );
}

function requireShape(name: string, { rows, cols }: Matrix, wantedRows: number, wantedCols: number): void {
  if (rows !== wantedRows || cols !== wantedCols) {
    throw new RangeError(`${name} are ${rows} x ${cols}, not ${wantedRows} x ${wantedCols}`);
  }
}

/** Covariances of the outputs at time zero (the nngp kernel), of one output. */
export interface PriorCovariance {
  /** n x n, m x n and m x m. */
  readonly train: Matrix;
  readonly testTrain: Matrix;
  readonly test: Matrix;
}

/**
 * Covariance, m x m, over the draws of the network, of an output on other inputs at a time (infinity included):
 * K(x, x) + A K A' - A K(X, x) - K(x, X) A' with A = T(x, X) T^-1 (1 - decay(T)). With T = K it is that of a network whose last layer
 * alone is trained, at infinity the posterior without noise.
 *
 * Source: Lee et al. (2019), eq. 16.
 *
 * @param entries number n c of entries of the targets, which matters for the mean loss.
 * @param kernel T(x, X), m x n.
 */
export function ensembleCovariance(
  compute: Compute,
  eigen: KernelEigen,
  training: Training,
  time: number,
  entries: number,
  kernel: Matrix,
  prior: PriorCovariance,
): Matrix {
  const [m, n] = [kernel.rows, eigen.values.length];
  requireShape("kernels between tests and training inputs", kernel, m, n);
  requireShape("covariances of the training inputs", prior.train, n, n);
  requireShape("covariances between tests and training inputs", prior.testTrain, m, n);
  requireShape("covariances of the tests", prior.test, m, m);
  // A' = V movement V' T(X, x).
  const moved = eigen.values.map((value) => movement(training, entries, value, time));
  const projected = product(compute, eigen.vectors, true, transposed(kernel));
  const At = fromEigen(compute, eigen, scaleRows(moved, projected));
  const KAt = product(compute, prior.train, false, At);
  // A K A' - A K(X, x) - K(x, X) A' in one symmetric sum.
  const quadratic = product(compute, At, true, KAt);
  const cross = product(compute, prior.testTrain, false, At);
  const out = matrix(m, m);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < m; j++) {
      const both = (quadratic.data[i * m + j] + quadratic.data[j * m + i]) / 2;
      out.data[i * m + j] = prior.test.data[i * m + j] + both - cross.data[i * m + j] - cross.data[j * m + i];
    }
  }
  return out;
}

/** Mean (m x c) and covariance (m x m, of each output) of a Gaussian process given noisy targets. */
export interface Posterior {
  readonly mean: Matrix;
  readonly covariance: Matrix;
}

/**
 * The Gaussian process with covariance K (of `eigen`) and mean zero, given targets with noise of variance `noise`: mean
 * K(x, X) (K + noise)^-1 Y, covariance K(x, x) - K(x, X) (K + noise)^-1 K(X, x), of the noiseless output.
 *
 * Source: Rasmussen and Williams (2006), eq. 2.23 and 2.24; Lee et al. (2018) for K = nngp.
 *
 * @param test K(x, X), m x n, and K(x, x), m x m.
 */
export function posterior(
  compute: Compute,
  eigen: KernelEigen,
  noise: number,
  Y: Matrix,
  test: { readonly testTrain: Matrix; readonly test: Matrix },
): Posterior {
  if (!(noise >= 0)) throw new RangeError(`a noise variance is at least 0, got ${noise}`);
  const n = eigen.values.length;
  const m = test.testTrain.rows;
  requireShape("targets", Y, n, Y.cols);
  requireShape("kernels between tests and training inputs", test.testTrain, m, n);
  requireShape("kernels of the tests", test.test, m, m);
  const inverse = eigen.values.map((value) => (value + noise > 0 ? 1 / (value + noise) : 0));
  const dual = fromEigen(compute, eigen, scaleRows(inverse, toEigen(compute, eigen, Y)));
  const projected = product(compute, eigen.vectors, true, transposed(test.testTrain));
  const scaled = scaleRows(inverse.map(Math.sqrt), projected);
  const explained = product(compute, scaled, true, scaled);
  const covariance = matrix(
    m,
    m,
    test.test.data.map((value, k) => value - explained.data[k]),
  );
  return { mean: product(compute, test.testTrain, false, dual), covariance };
}

function transposed(A: Matrix): Matrix {
  const out = matrix(A.cols, A.rows);
  for (let i = 0; i < A.rows; i++) for (let j = 0; j < A.cols; j++) out.data[j * A.rows + i] = A.data[i * A.cols + j];
  return out;
}
