import type { TwoLayerNetwork } from "../../network/two-layer.ts";
import { lineData, type Ramp, rampNetwork } from "./line-data.ts";
import { leastRamps, lineNorm, lineShape, sparsestKinks } from "./line-norm.ts";

/** The least-norm interpolation of one-dimensional data. */
export interface LineInterpolation {
  readonly network: TwoLayerNetwork;
  readonly ramps: readonly Ramp[];
  readonly c0: number;
  /** The least sum |w_j|. */
  readonly norm: number;
  /** A dual point, one entry a sample: sum v = 0, all ramp correlations within [-1, 1], v'y = norm. */
  readonly v: Float64Array;
}

/**
 * minimize sum |w_j| subject to sum_j w_j (u_j x_i + b_j)_+ + c0 = y_i, |u_j| = 1, biases free: the minimum-norm problem (4) of
 * Ergen & Pilanci (arXiv:2002.11219) for one-dimensional data (Corollary 3), solved in closed form in O(n log n), with the
 * fewest kinks that the norm allows and at most one neuron more than kinks.
 *
 * @throws RangeError when equal points have different targets, or lengths differ, or a number is not finite.
 */
export function interpolateLine(x: Float64Array, y: Float64Array): LineInterpolation {
  const data = lineData(x, y);
  const { t, index, count } = data;
  const conflict = index.findIndex((k, i) => y[i] !== y[index.indexOf(k)]);
  if (data.spread > 0 && conflict >= 0) throw new RangeError(`two targets at the point ${t[index[conflict]]}`);
  const f = Float64Array.from(t, (_, k) => y[index.indexOf(k)]);
  const shape = lineShape(t, f);
  const fewest = sparsestKinks(t, f, shape);
  const last = t[t.length - 1];
  const { ramps, c0 } = leastRamps(fewest.kinks, { ...shape, change: fewest.change }, t[0], last, f[0]);
  const dual = dualOf(t, shape.slope, shape.change);
  return {
    network: rampNetwork(ramps, c0),
    ramps,
    c0,
    norm: lineNorm(shape),
    v: Float64Array.from(index, (k) => dual[k] / count[k]),
  };
}

/**
 * A dual point whose correlations r_j = sum_i v_i (t_i - t_j)_+ are the signs of the slope changes: any values within
 * [-1, 1] between them, so v is the second difference of a piecewise linear r. The slope at the first point has the
 * correlation X = r_first in [-1, 1]: -1 or 1 when the ramp over all data is in use.
 */
function dualOf(t: Float64Array, slope: number, change: Float64Array): Float64Array {
  const k = t.length;
  const v = new Float64Array(k);
  if (k < 2) return v;
  let up = 0;
  let down = 0;
  for (const d of change) {
    if (d > 0) up += d;
    else down -= d;
  }
  const X = slope > down ? 1 : -slope > up ? -1 : 0;
  // Right and left correlations are r and r - X; a slope change needs r = 1 and r - X <= 1, or r - X = -1 and r >= -1, ...
  const high = Math.min(1, 1 + X);
  const low = Math.max(-1, -1 + X);
  const r = new Float64Array(k);
  r[0] = X;
  for (let j = 1; j + 1 < k; j++) {
    r[j] = change[j] > 0 ? high : change[j] < 0 ? low : Math.min(high, Math.max(low, r[j - 1]));
  }
  // r is piecewise linear with slope -(sum of v behind): v_j = change of that slope.
  const fall = (j: number): number => (r[j] - r[j + 1]) / (t[j + 1] - t[j]);
  v[0] = -fall(0);
  for (let j = 1; j + 1 < k; j++) v[j] = fall(j - 1) - fall(j);
  v[k - 1] = fall(k - 2);
  return v;
}
