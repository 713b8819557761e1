/**
 * A convex loss of predictions f in R^n, summed over samples. The dual point of a prediction is v = -grad loss(f);
 * every alpha v with |alpha| M(v) <= beta is feasible for the dual of the training problem (spec "certificates";
 * Ergen & Pilanci, arXiv:2002.11219, Theorems 8, 10 and 13).
 */
export interface Loss {
  readonly name: "squared" | "logistic";
  /** sum_i loss(f_i, y_i). */
  value(f: Float64Array, y: Float64Array): number;
  /** out_i <- -d loss / d f_i. */
  negativeGradient(f: Float64Array, y: Float64Array, out: Float64Array): void;
  /** How far a Newton step may move any f_i: the curvature says nothing beyond. */
  readonly trustedStep: number;
  /** out_i <- d^2 loss / d f_i^2, kept above a tiny positive floor. */
  curvature(f: Float64Array, y: Float64Array, out: Float64Array): void;
  /** Dual value of alpha v; -Infinity where alpha v is outside the domain of the conjugate. */
  dualValue(v: Float64Array, y: Float64Array, alpha: number): number;
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
