import type { LossName } from "../types.ts";

/** loss_i(f) = max over v in [low_i, high_i] of v (y_i - f) - q_i v^2 / 2: a quadratic whose slope may jump or stop growing. */
export interface DualBox {
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly q: Float64Array;
}

/**
 * A convex loss of predictions f in R^n, weighted by omega_i >= 0 and summed over samples. The dual point of a prediction
 * is v = -grad loss(f); every alpha v with |alpha| M(v) <= beta is feasible for the dual of the training problem (spec
 * "certificates"; Ergen & Pilanci, arXiv:2002.11219, Theorems 8, 10 and 13).
 */
export interface Loss {
  readonly name: LossName;
  /** sum_i omega_i loss(f_i, y_i). */
  value(f: Float64Array, y: Float64Array): number;
  /** out_i <- -d loss / d f_i; at a kink the slope of largest size. */
  negativeGradient(f: Float64Array, y: Float64Array, out: Float64Array): void;
  /** How far a Newton step may move any f_i: the curvature says nothing beyond. */
  readonly trustedStep: number;
  /** out_i <- d^2 loss / d f_i^2 (0 where it has a jump). */
  curvature(f: Float64Array, y: Float64Array, out: Float64Array): void;
  /** The loss as a maximum over a box of dual points (infinite ends allowed); null when it is not piecewise quadratic. */
  dualBox(y: Float64Array): DualBox | null;
  /** Dual value of alpha v; -Infinity where alpha v is outside the domain of the conjugate. */
  dualValue(v: Float64Array, y: Float64Array, alpha: number): number;
  /** out_i <- d {@link dualValue} / d (alpha v_i) at a point inside the domain. */
  dualSlope(v: Float64Array, y: Float64Array, alpha: number, out: Float64Array): void;
  /** Moves v, in place and as little as rounding made necessary, to sum v = 0 inside the domain of the conjugate. */
  center(v: Float64Array, y: Float64Array): void;
  /** The alpha in [0, cap] with the largest {@link dualValue}. */
  bestScale(v: Float64Array, y: Float64Array, cap: number): number;
}

/** max over alpha in [0, beta / maxBound] of the dual value of alpha v: a lower bound of the training objective. */
export function dualBound(loss: Loss, v: Float64Array, y: Float64Array, beta: number, maxBound: number): number {
  if (!(maxBound >= 0) || !v.every(Number.isFinite)) return Number.NEGATIVE_INFINITY;
  const cap = maxBound > 0 ? beta / maxBound : Number.POSITIVE_INFINITY;
  return loss.dualValue(v, y, loss.bestScale(v, y, cap));
}

/** sum v = 0 by scaling down the heavier of the positive and the negative entries: stays inside any box around zero. */
export function balanceSigns(v: Float64Array): void {
  let positive = 0;
  let negative = 0;
  for (const t of v) {
    if (t > 0) positive += t;
    else negative -= t;
  }
  for (let i = 0; i < v.length; i++) {
    if (v[i] > 0 && positive > negative) v[i] *= negative / positive;
    if (v[i] < 0 && negative > positive) v[i] *= positive / negative;
  }
}

/** The largest alpha <= cap with |alpha v_i| <= limit_i for every i. */
export function largestScale(v: Float64Array, limit: (i: number) => number, cap: number): number {
  let alpha = cap;
  for (let i = 0; i < v.length; i++) if (v[i] !== 0) alpha = Math.min(alpha, limit(i) / Math.abs(v[i]));
  return alpha;
}
