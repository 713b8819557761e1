import { type Matrix, matrix, row } from "../../base/matrix.ts";
import { boxLeastSquares } from "../solvers/bounded-least-squares.ts";

/** Constraints may be missed by this part of the largest. */
const FEASIBLE = 1e-8;
/** Solutions up to this much longer than the largest constraint are looked for, in units that grow by a factor. */
const LONGEST = 1e9;
const LONGER = 30;
/** Restarts of the active set, and the (relative) size of a multiplier that counts as wrong. */
const RESTARTS = 10;
const WRONG = 1e-11;

/**
 * The projection of q on the cone {u : G u >= 0} (G: k x d), by non-negative least squares: q + G'lambda with
 * lambda = argmin over lambda >= 0 of ||q + G'lambda||.
 */
export function projectOnCone(G: Matrix, q: Float64Array): Float64Array {
  return nonNegative(G, q, -1).residual;
}

/**
 * The shortest u with G u >= h, or null when there is none (least distance programming; Lawson and Hanson, Solving Least
 * Squares Problems, 1974, chapter 23).
 */
export function shortestAbove(G: Matrix, h: Float64Array): Float64Array | null {
  const { rows: k, cols: d } = G;
  const lengths = Float64Array.from({ length: k }, (_, i) => Math.hypot(...row(G, i)));
  let size = 0;
  for (let i = 0; i < k; i++) {
    if (lengths[i] === 0 && h[i] > 0) return null;
    if (lengths[i] > 0) size = Math.max(size, h[i] / lengths[i]);
  }
  if (!(size > 0)) return new Float64Array(d);
  // Rows of length 1. The residual is accurate when u is about as long as the unit: narrow cones need a longer one.
  const lifted = matrix(k, d + 1);
  for (let i = 0; i < k; i++) {
    if (lengths[i] > 0) for (let c = 0; c < d; c++) lifted.data[i * (d + 1) + c] = G.data[i * d + c] / lengths[i];
  }
  const target = new Float64Array(d + 1);
  target[d] = 1;
  for (let unit = size; unit <= size * LONGEST; unit *= LONGER) {
    for (let i = 0; i < k; i++) if (lengths[i] > 0) lifted.data[i * (d + 1) + d] = h[i] / lengths[i] / unit;
    const { residual } = nonNegative(lifted, target, 1);
    if (!(residual[d] > 0)) continue;
    const u = residual.slice(0, d).map((t) => (-t / residual[d]) * unit);
    // Infeasible constraints leave a residual of rounding errors: what it gives is checked.
    let missed = 0;
    for (let i = 0; i < k; i++) {
      let z = -h[i];
      for (let c = 0; c < d; c++) z += G.data[i * d + c] * u[c];
      if (lengths[i] > 0) missed = Math.max(missed, -z / lengths[i]);
    }
    if (missed <= FEASIBLE * size) return u;
  }
  return null;
}

/**
 * The point of the convex hull of the rows of P (k x d) that is nearest to x, and its weights (k, >= 0, summing to 1).
 *
 * @throws RangeError without rows.
 */
export function nearestInHull(P: Matrix, x: Float64Array): { point: Float64Array; weights: Float64Array } {
  const { rows: k, cols: d } = P;
  if (k === 0) throw new RangeError("the hull of no points is empty");
  // min over theta >= 0 of ||sum theta_i (p_i - x)||^2 + s^2 (1 - sum theta)^2 is a multiple of the hull's point nearest to x.
  const lifted = matrix(k, d + 1);
  let size = Number.POSITIVE_INFINITY;
  for (let i = 0; i < k; i++) {
    let length = 0;
    for (let c = 0; c < d; c++) {
      const t = P.data[i * d + c] - x[c];
      lifted.data[i * (d + 1) + c] = t;
      length += t * t;
    }
    size = Math.min(size, Math.sqrt(length));
  }
  const weights = new Float64Array(k);
  if (!(size > 0)) {
    for (let i = 0; i < k; i++) {
      if (row(P, i).every((t, c) => t === x[c])) {
        weights[i] = 1;
        return { point: x.slice(), weights };
      }
    }
  }
  for (let i = 0; i < k; i++) lifted.data[i * (d + 1) + d] = size;
  const target = new Float64Array(d + 1);
  target[d] = size;
  const { multipliers } = nonNegative(lifted, target, 1);
  const sum = multipliers.reduce((total, t) => total + t, 0);
  const point = new Float64Array(d);
  for (let i = 0; i < k; i++) {
    weights[i] = multipliers[i] / sum;
    if (weights[i] > 0) for (let c = 0; c < d; c++) point[c] += weights[i] * P.data[i * d + c];
  }
  return { point, weights };
}

/** argmin over lambda >= 0 of ||p - sign G'lambda||, with its residual. */
export function nonNegative(
  G: Matrix,
  p: Float64Array,
  sign: 1 | -1,
): { residual: Float64Array; multipliers: Float64Array } {
  const { rows: k, cols: d } = G;
  const X = sign === 1 ? G.data : G.data.map((t) => -t);
  const multipliers = new Float64Array(k);
  const problem = {
    X,
    stride: d,
    width: d,
    rows: Uint32Array.from({ length: k }, (_, i) => i),
    q: new Float64Array(k).fill(Number.POSITIVE_INFINITY),
    p,
  };
  let { r } = boxLeastSquares(problem, multipliers);
  // What the solver set aside as dependent may have become independent: start again from its answer while a multiplier is wrong.
  for (let again = 0; again < RESTARTS && !optimal(X, d, r, p); again++) r = boxLeastSquares(problem, multipliers).r;
  return { residual: r, multipliers };
}

/** Whether no row has a positive inner product with the residual, beyond rounding. */
function optimal(X: Float64Array, d: number, r: Float64Array, p: Float64Array): boolean {
  const scale = WRONG * Math.hypot(...p);
  if (Math.hypot(...r) <= scale) return true;
  for (let at = 0; at < X.length; at += d) {
    let along = 0;
    let norm = 0;
    for (let c = 0; c < d; c++) {
      along += X[at + c] * r[c];
      norm += X[at + c] ** 2;
    }
    if (along > scale * Math.sqrt(norm)) return false;
  }
  return true;
}
