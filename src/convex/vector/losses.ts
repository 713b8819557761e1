import type { Matrix } from "../../base/matrix.ts";

/**
 * A convex loss of predictions F (n x c, row-major), summed over rows with weights s_i: the targets are in the record.
 * The dual point of a prediction is V = -grad loss(F).
 */
export interface VectorLoss {
  readonly n: number;
  readonly c: number;
  value(F: Float64Array): number;
  /** out <- -grad loss(F), n x c. */
  negativeGradient(F: Float64Array, out: Float64Array): void;
  /** Largest eigenvalue that the Hessian of a row of weight 1 can have. */
  readonly curvature: number;
  /** out (c x c) <- a square root R of the Hessian of row i at F: R'R = H_i. */
  hessianRoot(F: Float64Array, i: number, out: Float64Array): void;
  /** Dual value of alpha V: a lower bound of the training objective when alpha V is feasible. */
  dualValue(V: Float64Array, alpha: number): number;
  /** The alpha in [0, cap] with the largest {@link dualValue}. */
  bestScale(V: Float64Array, cap: number): number;
  /** Moves V, in place and as little as rounding made necessary, to sum_i V_i = 0 inside the domain of the conjugate. */
  center(V: Float64Array): void;
}

/** sum_i s_i ||f_i - y_i||^2 / 2. Dual value of V: sum_i v_i'y_i - ||v_i||^2 / (2 s_i). */
export function squaredVectorLoss(Y: Matrix, s: Float64Array): VectorLoss {
  const { rows: n, cols: c, data: y } = Y;
  /** v'y and sum ||v_i||^2 / s_i. */
  const moments = (V: Float64Array): { vy: number; vv: number } => {
    let vy = 0;
    let vv = 0;
    for (let i = 0; i < n; i++) {
      for (let k = i * c; k < (i + 1) * c; k++) {
        vy += V[k] * y[k];
        if (V[k] !== 0) vv += (V[k] * V[k]) / s[i];
      }
    }
    return { vy, vv };
  };
  return {
    n,
    c,
    curvature: 1,
    value(F) {
      let sum = 0;
      for (let i = 0; i < n; i++) for (let k = i * c; k < (i + 1) * c; k++) sum += s[i] * (F[k] - y[k]) ** 2;
      return sum / 2;
    },
    negativeGradient(F, out) {
      for (let i = 0; i < n; i++) for (let k = i * c; k < (i + 1) * c; k++) out[k] = s[i] * (y[k] - F[k]);
    },
    hessianRoot(_F, i, out) {
      out.fill(0);
      for (let k = 0; k < c; k++) out[k * c + k] = Math.sqrt(s[i]);
    },
    dualValue(V, alpha) {
      const { vy, vv } = moments(V);
      return alpha * vy - (alpha * alpha * vv) / 2;
    },
    bestScale(V, cap) {
      const { vy, vv } = moments(V);
      return vv > 0 ? Math.min(Math.max(vy / vv, 0), cap) : 0;
    },
    center(V) {
      let total = 0;
      for (const weight of s) total += weight;
      for (let k = 0; k < c && total > 0; k++) {
        let sum = 0;
        for (let i = 0; i < n; i++) sum += V[i * c + k];
        for (let i = 0; i < n; i++) V[i * c + k] -= (s[i] * sum) / total;
      }
    },
  };
}

/**
 * sum_i s_i (log sum_k exp f_ik - f_i,label(i)). With q_i = e_label(i) - v_i / s_i on the simplex the dual value of V is
 * the sum of the entropies s_i H(q_i).
 */
export function softmaxLoss(labels: ArrayLike<number>, classes: number, s: Float64Array): VectorLoss {
  const n = labels.length;
  const c = classes;
  /** out <- softmax(f_i); returns log sum exp f_i - f_label. */
  const row = (F: Float64Array, i: number, out: Float64Array, at: number): number => {
    let top = Number.NEGATIVE_INFINITY;
    for (let k = i * c; k < (i + 1) * c; k++) top = Math.max(top, F[k]);
    let sum = 0;
    for (let k = 0; k < c; k++) {
      out[at + k] = Math.exp(F[i * c + k] - top);
      sum += out[at + k];
    }
    // The largest term is 1: log1p of the others keeps the digits of a loss that is nearly 0.
    let rest = 0;
    let peak = true;
    for (let k = 0; k < c; k++) {
      if (peak && out[at + k] === 1) peak = false;
      else rest += out[at + k];
    }
    for (let k = 0; k < c; k++) out[at + k] /= sum;
    return Math.log1p(rest) + (top - F[i * c + labels[i]]);
  };
  const p = new Float64Array(c);
  /** The largest alpha for which every row of alpha V is in the domain of the conjugate; 0 when V is not in its cone. */
  const reach = (V: Float64Array): number => {
    let alpha = Number.POSITIVE_INFINITY;
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < c; k++) {
        const v = V[i * c + k];
        if (k !== labels[i] && v > 0) return 0;
        if (k === labels[i]) {
          if (v < 0) return 0;
          if (v > 0) alpha = Math.min(alpha, s[i] / v);
        }
      }
    }
    return alpha;
  };
  /** d/d alpha of the dual value: sum v_ik log q_ik. */
  const slope = (V: Float64Array, alpha: number): number => {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < c; k++) {
        const v = V[i * c + k];
        if (v === 0) continue;
        sum += v * (k === labels[i] ? Math.log1p((-alpha * v) / s[i]) : Math.log((-alpha * v) / s[i]));
      }
    }
    return sum;
  };
  return {
    n,
    c,
    curvature: 0.5,
    value(F) {
      let sum = 0;
      for (let i = 0; i < n; i++) if (s[i] > 0) sum += s[i] * row(F, i, p, 0);
      return sum;
    },
    negativeGradient(F, out) {
      for (let i = 0; i < n; i++) {
        row(F, i, out, i * c);
        let others = 0;
        for (let k = 0; k < c; k++) {
          if (k === labels[i]) continue;
          others += out[i * c + k];
          out[i * c + k] *= -s[i];
        }
        out[i * c + labels[i]] = s[i] * others; // 1 - p without cancellation
      }
    },
    hessianRoot(F, i, out) {
      row(F, i, p, 0);
      for (let a = 0; a < c; a++) {
        const root = Math.sqrt(s[i] * p[a]);
        for (let b = 0; b < c; b++) out[a * c + b] = (a === b ? root : 0) - root * p[b];
      }
    },
    dualValue(V, alpha) {
      let sum = 0;
      for (let i = 0; i < n; i++) {
        for (let k = 0; k < c; k++) {
          const q = (k === labels[i] ? 1 : 0) - (s[i] > 0 ? (alpha * V[i * c + k]) / s[i] : 0);
          if (q < 0) return Number.NEGATIVE_INFINITY;
          if (q > 0)
            sum -= s[i] * q * (k === labels[i] ? Math.log1p(-((alpha * V[i * c + k]) / (s[i] || 1))) : Math.log(q));
        }
      }
      return sum;
    },
    bestScale(V, cap) {
      const most = reach(V);
      if (!(most > 0)) return 0;
      let low = 0;
      let high = Math.min(cap, most);
      if (high === Number.POSITIVE_INFINITY) return 0; // V = 0
      if (high < most && slope(V, high) >= 0) return high;
      for (let k = 0; k < 200 && high - low > 1e-16 * high; k++) {
        const middle = (low + high) / 2;
        if (slope(V, middle) > 0) low = middle;
        else high = middle;
      }
      return low;
    },
    center(V) {
      // Predicted shares q of each class against the true ones: classes with too much give to those with too little, row by row.
      const surplus = new Float64Array(c);
      const share = new Float64Array(c);
      for (let i = 0; i < n; i++) {
        for (let k = 0; k < c; k++) {
          surplus[k] -= V[i * c + k];
          share[k] += (k === labels[i] ? s[i] : 0) - V[i * c + k];
        }
      }
      let deficit = 0;
      for (const t of surplus) deficit += Math.max(0, -t);
      if (deficit === 0) return;
      for (let i = 0; i < n; i++) {
        let released = 0;
        for (let k = 0; k < c; k++) {
          if (!(surplus[k] > 0)) continue;
          const q = (k === labels[i] ? s[i] : 0) - V[i * c + k];
          const give = (q * surplus[k]) / share[k];
          V[i * c + k] += give;
          released += give;
        }
        for (let k = 0; k < c; k++) if (surplus[k] < 0) V[i * c + k] -= (released * -surplus[k]) / deficit;
        let others = 0;
        for (let k = 0; k < c; k++) if (k !== labels[i]) others -= V[i * c + k];
        V[i * c + labels[i]] = others;
      }
    },
  };
}

/** max over alpha in [0, beta / maxBound] of the dual value of alpha V: a lower bound of the training objective. */
export function vectorDualBound(loss: VectorLoss, V: Float64Array, beta: number, maxBound: number): number {
  if (!(maxBound >= 0) || !V.every(Number.isFinite)) return Number.NEGATIVE_INFINITY;
  const cap = maxBound > 0 ? beta / maxBound : Number.POSITIVE_INFINITY;
  return loss.dualValue(V, loss.bestScale(V, cap));
}
