import type { Matrix } from "../base/matrix.ts";
import type { Compute } from "../compute/types.ts";
import { decay, type Training } from "./dynamics.ts";
import { type KernelEigen, toEigen } from "./kernel-eigen.ts";

/** How far gradient descent may step. */
export interface StepLimits {
  /** 2 (1 + momentum) / largest: beyond it, training diverges. */
  readonly largest: number;
  /** 2 / (smallest + largest): the step without momentum that shrinks the slowest residual most (Lee et al. 2019). */
  readonly critical: number;
}

/**
 * Stable step sizes from the ends of a kernel's spectrum.
 *
 * @param loss `sum`: half the summed squares; `mean`: that divided by the number `entries` of entries of the targets.
 * @param momentum coefficient of Polyak's momentum.
 */
export function stepLimits(
  ends: { readonly largest: number; readonly smallest: number },
  loss: Training["loss"],
  entries: number,
  momentum = 0,
): StepLimits {
  const scale = loss === "sum" ? 1 : entries;
  return {
    largest: (2 * (1 + momentum) * scale) / ends.largest,
    critical: (2 * scale) / (Math.max(0, ends.smallest) + ends.largest),
  };
}

/** How the squared residual is spread over a spectrum: `weights[k]` of it at the eigenvalue `values[k]`. */
export interface ResidualSpectrum {
  readonly values: Float64Array;
  readonly weights: Float64Array;
}

/** The residual (n x c) in the eigenvectors of a kernel: squares summed over the outputs. */
export function residualSpectrum(compute: Compute, eigen: KernelEigen, residual: Matrix): ResidualSpectrum {
  const { cols, data } = toEigen(compute, eigen, residual);
  const weights = eigen.values.map((_, k) => {
    let sum = 0;
    for (let q = 0; q < cols; q++) sum += data[k * cols + q] ** 2;
    return sum;
  });
  return { values: eigen.values, weights };
}

/** The squared residual that is left at a time, as a share of that at time zero; 0 when there was none. */
export function lossShare(
  { values, weights }: ResidualSpectrum,
  training: Training,
  entries: number,
  time: number,
): number {
  let [left, total] = [0, 0];
  for (let k = 0; k < values.length; k++) {
    total += weights[k];
    if (weights[k] > 0) left += weights[k] * decay(training, entries, values[k], time) ** 2;
  }
  return total === 0 ? 0 : left / total;
}

/** Halvings of the bracket of a time: to about the rounding of f64. */
const HALVINGS = 60;

/**
 * The time (gradient flow) or the number of steps (gradient descent) after which the loss is at most `share` of what it
 * was; infinity when it never is.
 *
 * @throws RangeError when `share` is not in (0, 1), or when the step is so large that the loss may grow.
 */
export function timeToShare(spectrum: ResidualSpectrum, training: Training, entries: number, share: number): number {
  if (!(share > 0 && share < 1)) throw new RangeError(`a share of the loss must be between 0 and 1, got ${share}`);
  const reached = (time: number): boolean => lossShare(spectrum, training, entries, time) <= share;
  // 1. Is it ever? At infinity only the part without eigenvalue is left.
  if (!reached(Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY;
  if (reached(0)) return 0;
  // 2. A bracket by doubling, 3. halved.
  const isFlow = training.step === "flow";
  const largest = spectrum.values.reduce((most, value) => Math.max(most, value), 0);
  let high = isFlow ? (training.loss === "sum" ? 1 : entries) / largest : 1;
  while (!reached(high)) {
    high *= 2;
    if (high > Number.MAX_SAFE_INTEGER && !isFlow) return Number.POSITIVE_INFINITY;
  }
  let low = 0;
  for (let k = 0; k < HALVINGS && (isFlow || high - low > 1); k++) {
    const middle = isFlow ? (low + high) / 2 : Math.floor((low + high) / 2);
    if (reached(middle)) high = middle;
    else low = middle;
  }
  return high;
}
