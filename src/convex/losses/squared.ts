import type { Loss } from "./loss.ts";

/**
 * sum omega_i (f_i - y_i)^2 / 2; dual value of alpha v: alpha v'y - alpha^2 sum v_i^2 / (2 omega_i), v_i = 0 where
 * omega_i = 0.
 */
export function squaredLoss(weights: Float64Array | null): Loss {
  return {
    name: "squared",
    trustedStep: Number.POSITIVE_INFINITY,
    value(f, y) {
      let sum = 0;
      for (let i = 0; i < y.length; i++) sum += (weights?.[i] ?? 1) * (f[i] - y[i]) ** 2;
      return sum / 2;
    },
    negativeGradient(f, y, out) {
      for (let i = 0; i < y.length; i++) out[i] = (weights?.[i] ?? 1) * (y[i] - f[i]);
    },
    curvature(_f, y, out) {
      for (let i = 0; i < y.length; i++) out[i] = weights?.[i] ?? 1;
    },
    dualBox(y) {
      const bound = Float64Array.from(y, (_, i) => ((weights?.[i] ?? 1) > 0 ? Number.POSITIVE_INFINITY : 0));
      return { low: bound.map((t) => -t), high: bound, q: Float64Array.from(y, (_, i) => 1 / (weights?.[i] || 1)) };
    },
    dualValue(v, y, alpha) {
      const { vy, vv } = products(v, y, weights);
      return alpha === 0 ? 0 : alpha * vy - (alpha * alpha * vv) / 2;
    },
    dualSlope(v, y, alpha, out) {
      for (let i = 0; i < y.length; i++) out[i] = v[i] === 0 ? y[i] : y[i] - (alpha * v[i]) / (weights?.[i] ?? 1);
    },
    center(v) {
      let sum = 0;
      let total = 0;
      for (let i = 0; i < v.length; i++) {
        sum += v[i];
        total += weights?.[i] ?? 1;
      }
      if (total > 0) for (let i = 0; i < v.length; i++) v[i] -= (sum * (weights?.[i] ?? 1)) / total;
    },
    bestScale(v, y, cap) {
      const { vy, vv } = products(v, y, weights);
      return vv > 0 ? Math.min(Math.max(vy / vv, 0), cap) : 0;
    },
  };
}

/** v'y and sum v_i^2 / omega_i. */
function products(v: Float64Array, y: Float64Array, weights: Float64Array | null): { vy: number; vv: number } {
  let vy = 0;
  let vv = 0;
  for (let i = 0; i < y.length; i++) {
    vy += v[i] * y[i];
    if (v[i] !== 0) vv += (v[i] * v[i]) / (weights?.[i] ?? 1);
  }
  return { vy, vv };
}
