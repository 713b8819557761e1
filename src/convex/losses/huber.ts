import { insideScale } from "./hinge.ts";
import { balanceSigns, type Loss } from "./loss.ts";
import { squaredLoss } from "./squared.ts";

/**
 * sum omega_i h(f_i - y_i), h(r) = r^2 / 2 up to |r| = delta and delta |r| - delta^2 / 2 beyond; the dual value of alpha v is
 * that of the squared loss while |alpha v_i| <= omega_i delta.
 */
export function huberLoss(delta: number, weights: Float64Array | null): Loss {
  const squared = squaredLoss(weights);
  const limit = (i: number): number => (weights?.[i] ?? 1) * delta;
  return {
    name: "huber",
    trustedStep: Number.POSITIVE_INFINITY,
    value(f, y) {
      let sum = 0;
      for (let i = 0; i < y.length; i++) {
        const r = Math.abs(f[i] - y[i]);
        sum += (weights?.[i] ?? 1) * (r <= delta ? (r * r) / 2 : delta * (r - delta / 2));
      }
      return sum;
    },
    negativeGradient(f, y, out) {
      for (let i = 0; i < y.length; i++) {
        out[i] = (weights?.[i] ?? 1) * Math.max(-delta, Math.min(delta, y[i] - f[i]));
      }
    },
    curvature(f, y, out) {
      for (let i = 0; i < y.length; i++) out[i] = Math.abs(f[i] - y[i]) < delta ? (weights?.[i] ?? 1) : 0;
    },
    dualBox(y) {
      const high = Float64Array.from(y, (_, i) => limit(i));
      const q = Float64Array.from(y, (_, i) => (high[i] > 0 ? delta / high[i] : 0));
      return { low: high.map((t) => -t), high, q };
    },
    dualValue(v, y, alpha) {
      for (let i = 0; i < y.length; i++) if (Math.abs(alpha * v[i]) > limit(i)) return Number.NEGATIVE_INFINITY;
      return squared.dualValue(v, y, alpha);
    },
    dualSlope: squared.dualSlope,
    center: balanceSigns,
    bestScale(v, y, cap) {
      const inside = insideScale(v, limit, cap);
      return squared.bestScale(v, y, inside);
    },
  };
}
