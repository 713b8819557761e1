import type { Loss } from "./loss.ts";

/** sum (f_i - y_i)^2 / 2; dual value of alpha v: alpha v'y - alpha^2 ||v||^2 / 2. */
export const squaredLoss: Loss = {
  name: "squared",
  trustedStep: Number.POSITIVE_INFINITY,
  value(f, y) {
    let sum = 0;
    for (let i = 0; i < y.length; i++) sum += (f[i] - y[i]) ** 2;
    return sum / 2;
  },
  negativeGradient(f, y, out) {
    for (let i = 0; i < y.length; i++) out[i] = y[i] - f[i];
  },
  curvature(_f, y, out) {
    out.fill(1, 0, y.length);
  },
  dualValue(v, y, alpha) {
    let vy = 0;
    let vv = 0;
    for (let i = 0; i < y.length; i++) {
      vy += v[i] * y[i];
      vv += v[i] * v[i];
    }
    return alpha * vy - (alpha * alpha * vv) / 2;
  },
  center(v) {
    let mean = 0;
    for (let i = 0; i < v.length; i++) mean += v[i] / v.length;
    for (let i = 0; i < v.length; i++) v[i] -= mean;
  },
  bestScale(v, y, cap) {
    let vy = 0;
    let vv = 0;
    for (let i = 0; i < y.length; i++) {
      vy += v[i] * y[i];
      vv += v[i] * v[i];
    }
    return vv > 0 ? Math.min(Math.max(vy / vv, 0), cap) : 0;
  },
};
