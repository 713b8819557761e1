import { balanceSigns, type Loss, largestScale } from "./loss.ts";

/** Shares nearer to 0 than this have the slope that belongs to it. */
const TINY = 1e-300;

/** Binary entropy -p ln p - (1-p) ln(1-p), zero at the ends, -Infinity outside [0, 1]. */
function entropy(p: number): number {
  if (p < 0 || p > 1) return Number.NEGATIVE_INFINITY;
  const left = p > 0 ? p * Math.log(p) : 0;
  const right = p < 1 ? (1 - p) * Math.log1p(-p) : 0;
  return -left - right;
}

/**
 * sum omega_i log(1 + exp(-y_i f_i)), y_i = -1 or +1. With tau_i = y_i v_i / omega_i in [0, 1] the dual value of alpha v is
 * sum omega_i H(alpha tau_i), H the binary entropy.
 */
export function logisticLoss(weights: Float64Array | null): Loss {
  const weightOf = (i: number): number => weights?.[i] ?? 1;
  return {
    name: "logistic",
    trustedStep: 2,
    value(f, y) {
      let sum = 0;
      for (let i = 0; i < y.length; i++) {
        const margin = y[i] * f[i];
        const loss = margin > 0 ? Math.log1p(Math.exp(-margin)) : Math.log1p(Math.exp(margin)) - margin;
        sum += weightOf(i) * loss;
      }
      return sum;
    },
    negativeGradient(f, y, out) {
      for (let i = 0; i < y.length; i++) out[i] = (weightOf(i) * y[i]) / (1 + Math.exp(y[i] * f[i]));
    },
    curvature(f, y, out) {
      for (let i = 0; i < y.length; i++) {
        const p = 1 / (1 + Math.exp(-Math.abs(f[i])));
        out[i] = weightOf(i) * p * (1 - p);
      }
    },
    dualBox: () => null,
    dualValue(v, y, alpha) {
      let sum = 0;
      for (let i = 0; i < y.length; i++) {
        if (v[i] !== 0) sum += weightOf(i) * entropy((alpha * v[i] * y[i]) / weightOf(i));
      }
      return alpha === 0 ? 0 : sum;
    },
    dualSlope(v, y, alpha, out) {
      for (let i = 0; i < y.length; i++) {
        const tau = Math.min(Math.max((alpha * v[i] * y[i]) / weightOf(i), TINY), 1 - Number.EPSILON);
        out[i] = v[i] === 0 ? 0 : y[i] * (Math.log1p(-tau) - Math.log(tau));
      }
    },
    center: balanceSigns,
    bestScale(v, y, cap) {
      for (let i = 0; i < y.length; i++) if (v[i] * y[i] < 0) return 0;
      const end = largestScale(v, weightOf, Number.POSITIVE_INFINITY);
      if (!Number.isFinite(end)) return 0;
      // sum v_i y_i log((1 - a tau_i) / (a tau_i)) is decreasing in a: bisection on its sign.
      let low = 0;
      let high = Math.min(cap, end);
      const slope = (alpha: number): number => {
        let sum = 0;
        for (let i = 0; i < y.length; i++) {
          const share = v[i] * y[i];
          const tau = share / weightOf(i);
          if (share > 0) sum += share * (Math.log1p(-alpha * tau) - Math.log(alpha * tau));
        }
        return sum;
      };
      if (high < end && slope(high) >= 0) return high;
      for (let k = 0; k < 200 && high - low > 1e-16 * high; k++) {
        const middle = (low + high) / 2;
        if (slope(middle) > 0) low = middle;
        else high = middle;
      }
      return low;
    },
  };
}
