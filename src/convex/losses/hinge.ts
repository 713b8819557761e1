import { balanceSigns, type Loss, largestScale } from "./loss.ts";

/** Margins up to here count as on the kink, where rounding decides otherwise. */
const ON_KINK = 1 + 1e-12;

/**
 * sum omega_i max(0, 1 - y_i f_i), y_i = -1 or +1; dual value of alpha v: alpha v'y while 0 <= alpha v_i y_i <= omega_i
 * (Ergen & Pilanci, arXiv:2002.11219, Theorem 10).
 */
export function hingeLoss(weights: Float64Array | null): Loss {
  const weightOf = (i: number): number => weights?.[i] ?? 1;
  return {
    name: "hinge",
    trustedStep: Number.POSITIVE_INFINITY,
    value(f, y) {
      let sum = 0;
      for (let i = 0; i < y.length; i++) sum += weightOf(i) * Math.max(0, 1 - y[i] * f[i]);
      return sum;
    },
    negativeGradient(f, y, out) {
      for (let i = 0; i < y.length; i++) {
        const margin = y[i] * f[i];
        out[i] = margin > ON_KINK ? 0 : weightOf(i) * y[i];
      }
    },
    curvature(_f, y, out) {
      out.fill(0, 0, y.length);
    },
    dualBox(y) {
      return {
        low: Float64Array.from(y, (t, i) => (t < 0 ? -weightOf(i) : 0)),
        high: Float64Array.from(y, (t, i) => (t > 0 ? weightOf(i) : 0)),
        q: new Float64Array(y.length),
      };
    },
    dualValue(v, y, alpha) {
      let sum = 0;
      for (let i = 0; i < y.length; i++) {
        const tau = alpha * v[i] * y[i];
        if (tau < 0 || tau > weightOf(i)) return Number.NEGATIVE_INFINITY;
        sum += tau;
      }
      return sum;
    },
    dualSlope(_v, y, _alpha, out) {
      out.set(y);
    },
    center: balanceSigns,
    bestScale(v, y, cap) {
      for (let i = 0; i < y.length; i++) if (v[i] * y[i] < 0) return 0;
      return insideScale(v, weightOf, cap);
    },
  };
}

/** As {@link largestScale}, but 0 without a limit, and pulled in when rounding would leave the box. */
export function insideScale(v: Float64Array, limit: (i: number) => number, cap: number): number {
  let alpha = largestScale(v, limit, cap);
  if (!Number.isFinite(alpha)) return 0;
  for (let i = 0; i < v.length; i++) while (alpha * Math.abs(v[i]) > limit(i)) alpha *= 1 - Number.EPSILON;
  return alpha;
}
