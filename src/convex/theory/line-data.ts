import { type Matrix, matrix } from "../../base/matrix.ts";
import type { TwoLayerNetwork } from "../../network/two-layer.ts";
import { neuronNetwork } from "./neurons.ts";

/** One-dimensional samples, sorted, equal points merged. */
export interface LineData {
  /** k distinct points, ascending. */
  readonly t: Float64Array;
  /** Samples at each point. */
  readonly count: Float64Array;
  /** Mean target at each point. */
  readonly y: Float64Array;
  /** 1/2 sum of squared differences between targets and the mean target at their point: no function can avoid it. */
  readonly spread: number;
  /** The point (index into `t`) of each sample, in the order given. */
  readonly index: Uint32Array;
}

/**
 * Sorts and merges samples.
 *
 * @throws RangeError without samples, when the lengths differ, or when a number is not finite.
 */
export function lineData(x: Float64Array, y: Float64Array): LineData {
  const n = x.length;
  if (n === 0 || y.length !== n) throw new RangeError(`needs as many targets as points, got ${n} and ${y.length}`);
  if (!x.every(Number.isFinite) || !y.every(Number.isFinite)) throw new RangeError("a point or target is not finite");
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((i, j) => x[i] - x[j] || i - j);
  const index = new Uint32Array(n);
  const t: number[] = [];
  const count: number[] = [];
  const sum: number[] = [];
  for (const i of order) {
    if (t.length === 0 || x[i] !== t[t.length - 1]) {
      t.push(x[i] + 0);
      count.push(0);
      sum.push(0);
    }
    const k = t.length - 1;
    index[i] = k;
    count[k] += 1;
    sum[k] += y[i];
  }
  const mean = Float64Array.from(sum, (s, k) => s / count[k]);
  let spread = 0;
  for (let i = 0; i < n; i++) spread += (y[i] - mean[index[i]]) ** 2 / 2;
  return { t: Float64Array.from(t), count: Float64Array.from(count), y: mean, spread, index };
}

/** One ramp w (u (x - kink))_+ with u = +1 or -1. */
export interface Ramp {
  readonly u: 1 | -1;
  readonly kink: number;
  readonly w: number;
}

/** sum of ramps + c0 at x. */
export function evaluateRamps(ramps: readonly Ramp[], c0: number, x: number): number {
  let f = c0;
  for (const { u, kink, w } of ramps) f += w * Math.max(0, u * (x - kink));
  return f;
}

/**
 * The balanced network over d inputs of ramps along the unit vector `direction` (default: one input): hidden weight
 * u sqrt|w| direction, hidden bias -u kink sqrt|w|, output weight sign(w) sqrt|w|. Ramps of weight 0 are left out.
 */
export function rampNetwork(
  ramps: readonly Ramp[],
  c0: number,
  direction: Float64Array = Float64Array.of(1),
): TwoLayerNetwork {
  const neurons = ramps.map(({ u, kink, w }) => ({ u: direction.map((t) => u * t), b: -u * kink, w }));
  return neuronNetwork(direction.length, neurons, c0);
}

/**
 * The correlations of a dual point v (k entries, about the points t, ascending) with all candidate ramps:
 * right_j = sum_i v_i (t_i - t_j)_+ and left_j = sum_i v_i (t_j - t_i)_+, in O(k) by prefix sums (Ergen & Pilanci, Lemma 6:
 * extreme points have u = +-1 and their kink at a data point). Finite over all biases only if sum v = 0.
 */
export function rampCorrelations(t: Float64Array, v: Float64Array): { right: Float64Array; left: Float64Array } {
  const k = t.length;
  const right = new Float64Array(k);
  const left = new Float64Array(k);
  let mass = 0;
  for (let j = k - 2; j >= 0; j--) {
    mass += v[j + 1];
    right[j] = right[j + 1] + mass * (t[j + 1] - t[j]);
  }
  mass = 0;
  for (let j = 1; j < k; j++) {
    mass += v[j - 1];
    left[j] = left[j - 1] + mass * (t[j] - t[j - 1]);
  }
  return { right, left };
}

/** M(v) = max over u = +-1 and all biases of |sum v_i (u t_i + b)_+|, for sum v = 0 (Lemma 6); O(k). */
export function lineMaximum(t: Float64Array, v: Float64Array): { value: number; u: 1 | -1; kink: number } {
  const { right, left } = rampCorrelations(t, v);
  let best: { value: number; u: 1 | -1; kink: number } = { value: 0, u: 1, kink: t[0] };
  for (let j = 0; j < t.length; j++) {
    if (Math.abs(right[j]) > best.value) best = { value: Math.abs(right[j]), u: 1, kink: t[j] };
    if (Math.abs(left[j]) > best.value) best = { value: Math.abs(left[j]), u: -1, kink: t[j] };
  }
  return best;
}

/**
 * The features of the 2k candidate ramps of Corollaries 3 and 4 on the points x: column j < k is (x_i - t_j)_+, column k + j is
 * (t_j - x_i)_+ (Ergen & Pilanci, arXiv:2002.11219, (17); with an unpenalized constant their lasso is {@link fitLine}'s problem,
 * without one it is exact only where the residual sums to zero).
 */
export function rampMatrix(x: Float64Array, kinks: Float64Array): Matrix {
  const k = kinks.length;
  const H = matrix(x.length, 2 * k);
  for (let i = 0; i < x.length; i++) {
    for (let j = 0; j < k; j++) {
      H.data[i * 2 * k + j] = Math.max(0, x[i] - kinks[j]);
      H.data[i * 2 * k + k + j] = Math.max(0, kinks[j] - x[i]);
    }
  }
  return H;
}
