import type { Loss } from "./loss.ts";

const CURVATURE_FLOOR = 1e-10;

/** Binary entropy -p ln p - (1-p) ln(1-p), zero at the ends, -Infinity outside [0, 1]. */
function entropy(p: number): number {
  if (p < 0 || p > 1) return Number.NEGATIVE_INFINITY;
  const left = p > 0 ? p * Math.log(p) : 0;
  const right = p < 1 ? (1 - p) * Math.log1p(-p) : 0;
  return -left - right;
}

/**
 * sum log(1 + exp(-y_i f_i)), y_i = -1 or +1. With tau_i = y_i v_i in [0, 1] the dual value of alpha v is
 * sum H(alpha tau_i), H the binary entropy.
 */
export const logisticLoss: Loss = {
  name: "logistic",
  trustedStep: 2,
  value(f, y) {
    let sum = 0;
    for (let i = 0; i < y.length; i++) {
      const margin = y[i] * f[i];
      sum += margin > 0 ? Math.log1p(Math.exp(-margin)) : Math.log1p(Math.exp(margin)) - margin;
    }
    return sum;
  },
  negativeGradient(f, y, out) {
    for (let i = 0; i < y.length; i++) out[i] = y[i] / (1 + Math.exp(y[i] * f[i]));
  },
  curvature(f, y, out) {
    for (let i = 0; i < y.length; i++) {
      const p = 1 / (1 + Math.exp(-Math.abs(f[i])));
      out[i] = Math.max(p * (1 - p), CURVATURE_FLOOR);
    }
  },
  dualValue(v, y, alpha) {
    let sum = 0;
    for (let i = 0; i < y.length; i++) sum += entropy(alpha * v[i] * y[i]);
    return sum;
  },
  center(v, y) {
    // tau stays in [0, 1]: only the heavier class is scaled, down.
    let positive = 0;
    let negative = 0;
    for (let i = 0; i < v.length; i++) {
      if (y[i] > 0) positive += v[i];
      else negative -= v[i];
    }
    for (let i = 0; i < v.length; i++) {
      if (y[i] > 0 && positive > negative) v[i] *= negative / positive;
      if (y[i] < 0 && negative > positive) v[i] *= positive / negative;
    }
  },
  bestScale(v, y, cap) {
    let largest = 0;
    for (let i = 0; i < y.length; i++) {
      const tau = v[i] * y[i];
      if (tau < 0) return 0;
      largest = Math.max(largest, tau);
    }
    if (largest === 0) return 0;
    // sum tau_i log((1 - a tau_i) / (a tau_i)) is decreasing in a: bisection on its sign.
    let low = 0;
    let high = Math.min(cap, 1 / largest);
    const slope = (alpha: number): number => {
      let sum = 0;
      for (let i = 0; i < y.length; i++) {
        const tau = v[i] * y[i];
        if (tau > 0) sum += tau * (Math.log1p(-alpha * tau) - Math.log(alpha * tau));
      }
      return sum;
    };
    if (high < 1 / largest && slope(high) >= 0) return high;
    for (let k = 0; k < 200 && high - low > 1e-16 * high; k++) {
      const middle = (low + high) / 2;
      if (slope(middle) > 0) low = middle;
      else high = middle;
    }
    return low;
  },
};
