import { down, EPS, ETA, up } from "./arithmetic.ts";
import { entropyBelow } from "./logarithm.ts";
import type { Posed } from "./problem.ts";
import { Rejection } from "./reader.ts";

/**
 * A lower bound of the training objective of every network of any width on output q, by weak duality: with nu = alpha v and alpha M(v)
 * <= beta (n beta for the mean), the penalty is at least nu'f, so the objective at least sum_i min over t of weight_i loss(t, y_i) + nu_i t
 * (divided by n for the mean). Free output biases add nothing, for then the nu_i add up to zero.
 *
 * @param maximum at least M(v).
 * @throws Rejection when alpha v is not feasible.
 */
export function objectiveBelow(posed: Posed, q: number, v: Float64Array, alpha: number, maximum: number): number {
  const { n, scaling, beta } = posed;
  const y = posed.Y[q]!;
  if (v.length !== n) throw new Rejection(`${v.length} dual weights for ${n} rows`);
  if (!(up(alpha * maximum) <= (scaling === "mean" ? down(beta * n) : beta))) {
    throw new Rejection(`alpha = ${alpha} times the maximum ${maximum} is above beta${scaling === "mean" ? " n" : ""}`);
  }
  let sum = 0;
  for (let i = 0; i < n; i++) sum = down(sum + termBelow(posed, v[i], alpha, posed.weights[i], y[i], i));
  return Math.max(0, scaling === "mean" ? down(sum / n) : sum);
}

/** A lower bound of the minimum over t of weight loss(t, y) + alpha v t. */
function termBelow(posed: Posed, v: number, alpha: number, weight: number, y: number, i: number): number {
  const { loss, huber } = posed;
  const need = (holds: boolean): void => {
    if (!holds) throw new Rejection(`dual weight ${i} is outside the domain of the ${loss} loss`);
  };
  if (alpha === 0 || v === 0) return 0;
  need(weight > 0);
  if (loss === "logistic" || loss === "hinge") {
    need(v * y > 0 && isWithin(alpha, Math.abs(v), weight));
    if (loss === "hinge") return down(alpha * Math.abs(v));
    // weight H(p), p = alpha |v| / weight.
    const size = alpha * Math.abs(v);
    const low = Math.max(0, down(down(size) / weight));
    const high = Math.min(1, up(up(size) / weight));
    return down(weight * entropyBelow(low, high));
  }
  if (loss === "huber") need(isWithin(alpha, Math.abs(v), weight === 1 ? huber : down(weight * huber)));
  // alpha v y - (alpha v)^2 / (2 weight)
  const gain = alpha * v * y;
  const cost = up(up(alpha * Math.abs(v)) * up(alpha * Math.abs(v)));
  return down(gain - 4 * EPS * Math.abs(gain) - 4 * ETA * (1 + Math.abs(y)) - up(cost / weight / 2));
}

/** Whether a b <= limit for numbers >= 0: a product that is above it rounds to no less than it. */
function isWithin(a: number, b: number, limit: number): boolean {
  return a * b < limit || (a <= 1 && b <= limit);
}
