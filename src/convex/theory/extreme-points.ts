import { type Matrix, matrix, row, takeRows } from "../../base/matrix.ts";
import type { TwoLayerNetwork } from "../../network/two-layer.ts";
import { inner } from "./dense.ts";
import { type Neuron, neuronNetwork } from "./neurons.ts";
import { nearestInHull, nonNegative } from "./nonnegative.ts";

/** A neuron (x'u + b)_+ with ||u|| = 1 that is active on one row only. */
export interface HullNeuron {
  readonly u: Float64Array;
  readonly b: number;
  /** Its activation on that row: the distance of the row from the convex hull of the others. */
  readonly distance: number;
}

/** A row nearer to the hull of the others than this part of the largest distance between rows lies in it. */
const IN_HULL = 1e-9;

/**
 * The extreme point of the rectified ellipsoid along e_i, or null when row i lies in the convex hull of the others (Ergen &
 * Pilanci, arXiv:2002.11219, Lemma 7): u = (x_i - p) / ||x_i - p||, p the nearest point of that hull,
 * b = min_{j != i} -x_j'u.
 *
 * @throws RangeError for a single row, which has no others.
 */
export function hullNeuron(X: Matrix, i: number): HullNeuron | null {
  const others = takeRows(
    X,
    Array.from({ length: X.rows }, (_, k) => k).filter((k) => k !== i),
  );
  const x = row(X, i);
  const { point } = nearestInHull(others, x);
  const r = x.map((t, k) => t - point[k]);
  const distance = Math.hypot(...r);
  let reach = 0;
  for (let j = 0; j < others.rows; j++) reach = Math.max(reach, Math.hypot(...row(others, j).map((t, k) => t - x[k])));
  if (!(distance > IN_HULL * reach)) return null;
  const u = r.map((t) => t / distance);
  let b = Number.POSITIVE_INFINITY;
  for (let j = 0; j < others.rows; j++) b = Math.min(b, -inner(row(others, j), u));
  return { u, b, distance: inner(x, u) + b };
}

/**
 * Interpolation by one neuron a row when every row is a vertex of the convex hull of the data (Theorem 6): with the neurons
 * of {@link hullNeuron} the activations are a diagonal matrix, and w_i = y_i / distance_i. Its norm sum |w_i| is an upper
 * bound of the least one. Null when some row is not a vertex.
 *
 * For Gaussian rows and d > 2 n log(n - 1) all rows are vertices with probability 1 - O(1/n) (Theorem 7).
 */
export function interpolateVertices(X: Matrix, y: Float64Array): { network: TwoLayerNetwork; norm: number } | null {
  const neurons: Neuron[] = [];
  for (let i = 0; i < X.rows; i++) {
    const neuron = hullNeuron(X, i);
    if (neuron === null) return null;
    neurons.push({ ...neuron, w: y[i] / neuron.distance });
  }
  const norm = neurons.reduce((sum, { w }) => sum + Math.abs(w), 0);
  return { network: neuronNetwork(X.cols, neurons, 0), norm };
}

/** The extreme point along a direction with a given active set, and its representer form. */
export interface ExtremePoint {
  readonly u: Float64Array;
  readonly b: number;
  /** alpha'(X u + b)_+. */
  readonly value: number;
  /** The row at which the neuron switches: b = -x_pivot'u. */
  readonly pivot: number;
  /** u is proportional to sum_i coefficients_i (x_i - x_pivot) (Corollary 1). */
  readonly coefficients: Float64Array;
}

/**
 * argmax of alpha'(X u + b)_+ over ||u|| <= 1 and all b for which exactly the rows of `active` may be positive (Ergen &
 * Pilanci, arXiv:2002.11219, Lemma 8 and Corollary 1): the kink is at an active row when the active entries of alpha sum to
 * at most 0, else at an inactive one, and for each such row u is the projection of sum_S alpha_i (x_i - x_k) on the cone of
 * the active set. Null when the best value is 0 (u = 0).
 *
 * @throws RangeError when the maximum is infinite: all rows active and sum alpha > 0.
 */
export function extremePoint(X: Matrix, alpha: Float64Array, active: readonly boolean[]): ExtremePoint | null {
  const n = X.rows;
  const d = X.cols;
  if (alpha.length !== n || active.length !== n) {
    throw new RangeError(`${n} rows need ${n} weights and flags, got ${alpha.length} and ${active.length}`);
  }
  let sum = 0;
  for (let i = 0; i < n; i++) if (active[i]) sum += alpha[i];
  const pivots = Array.from({ length: n }, (_, k) => k).filter((k) => active[k] === sum <= 0);
  if (sum > 0 && pivots.length === 0)
    throw new RangeError("all rows are active and alpha sums to more than 0: unbounded");
  let best: ExtremePoint | null = null;
  for (const pivot of pivots) {
    const G = matrix(n, d);
    const q = new Float64Array(d);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < d; k++) {
        const t = X.data[i * d + k] - X.data[pivot * d + k];
        G.data[i * d + k] = active[i] ? t : -t;
        if (active[i]) q[k] += alpha[i] * t;
      }
    }
    const { residual, multipliers } = nonNegative(G, q, -1);
    const value = Math.hypot(...residual);
    if (!(value > 1e-12 * Math.hypot(...q)) || value <= (best?.value ?? 0)) continue;
    const u = residual.map((t) => t / value);
    best = {
      u,
      b: -inner(row(X, pivot), u),
      value,
      pivot,
      coefficients: multipliers.map((lambda, i) => (active[i] ? alpha[i] + lambda : -lambda)),
    };
  }
  return best;
}
