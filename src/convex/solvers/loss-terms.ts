import type { Scope } from "../../compute/types.ts";
import type { DualBox, Loss } from "../losses/index.ts";

/** The loss inside the interior-point method. All arrays have n entries; v and h are in kernel memory. */
export interface LossTerm {
  /** The dual point that stationarity uses: -grad loss(f), or a variable of its own. */
  readonly v: Float64Array;
  /** A Newton step obeys df + dv / h = {@link residual}. */
  readonly h: Float64Array;
  /** How many complementarity pairs the term counts as. */
  readonly degree: number;
  /** Places the term at predictions f; where v is independent, at `scale` times -grad loss(from). */
  start(f: Float64Array, from: Float64Array, scale: number): void;
  /** Recomputes what depends on the predictions f. */
  prepare(f: Float64Array): void;
  /** Complementarity of the term. */
  gap(): number;
  /** loss(f) + loss*(-v) + v'f >= 0: what the term adds to the duality gap. */
  excess(f: Float64Array): number;
  /** out <- what df + dv / h has to be. */
  residual(mu: number, corrected: boolean, out: Float64Array): void;
  setStep(df: Float64Array, dv: Float64Array): void;
  /** Largest step in [0, 1] that keeps the term interior, and within which its model can be trusted. */
  maxStep(): number;
  trusted(): number;
  gapAfter(step: number): number;
  advance(step: number): void;
}

/** The term of a loss at targets y; {@link LossTerm.start} comes first. */
export function lossTerm(scope: Scope, loss: Loss, y: Float64Array): LossTerm {
  const box = loss.dualBox(y);
  return box === null ? smoothTerm(scope, loss, y) : boxTerm(scope, loss, box, y);
}

/** A twice differentiable loss: v = -grad loss(f) exactly, no pairs of its own. */
function smoothTerm(scope: Scope, loss: Loss, y: Float64Array): LossTerm {
  const v = scope.f64(y.length);
  const h = scope.f64(y.length);
  let largest = 0;
  return {
    v,
    h,
    degree: 0,
    start: (f) => loss.negativeGradient(f, y, v),
    prepare(f) {
      loss.negativeGradient(f, y, v);
      loss.curvature(f, y, h);
    },
    gap: () => 0,
    excess: () => 0,
    residual: (_mu, _corrected, out) => out.fill(0),
    setStep(df) {
      largest = 0;
      for (let i = 0; i < df.length; i++) largest = Math.max(largest, Math.abs(df[i]));
    },
    maxStep: () => 1,
    trusted: () => Math.min(1, loss.trustedStep / largest),
    gapAfter: () => 0,
    advance: () => {},
  };
}

/** Starting dual points keep at least this part of their interval to either end. */
const MARGIN = 0.1;
/** Starting multipliers of the box, relative to the mean size of the residuals they make up for. */
const SPREAD = 0.1;

/**
 * A loss max over v in [low, high] of v (y - f) - q v^2 / 2 with v as a variable of its own, so that it stays feasible for
 * the blocks whatever the rounding of f, and with multipliers a, b >= 0 of finite ends:
 * y - f - q v + a - b = 0, a (v - low) = mu, b (high - v) = mu. For the hinge loss they are its two slacks, for the Huber
 * loss the l1 part of the residual. Eliminated, they leave h = 1 / (q + a / (v - low) + b / (high - v)). Rows whose
 * interval is a point (weight 0) take no part.
 */
function boxTerm(scope: Scope, loss: Loss, box: DualBox, y: Float64Array): LossTerm {
  const n = y.length;
  const { low, high, q } = box;
  const v = scope.f64(n);
  const h = scope.f64(n);
  const [a, b, da, db, dv, rest] = Array.from({ length: 6 }, () => new Float64Array(n));
  const boxed: number[] = [];
  const open: number[] = [];
  for (let i = 0; i < n; i++) {
    if (high[i] === Number.POSITIVE_INFINITY) open.push(i);
    else if (high[i] > low[i]) boxed.push(i);
  }
  const gapAfter = (step: number): number => {
    let gap = 0;
    for (const i of boxed) {
      const at = v[i] + step * dv[i];
      gap += (a[i] + step * da[i]) * (at - low[i]) + (b[i] + step * db[i]) * (high[i] - at);
    }
    return gap;
  };
  return {
    v,
    h,
    degree: 2 * boxed.length,
    start(f, from, scale) {
      loss.negativeGradient(from, y, v);
      let mean = 0;
      for (const i of boxed) {
        const margin = MARGIN * (high[i] - low[i]);
        v[i] = Math.max(low[i] + margin, Math.min(high[i] - margin, v[i]));
      }
      for (let i = 0; i < n; i++) v[i] *= scale;
      for (const i of boxed) mean += Math.abs(f[i] + q[i] * v[i] - y[i]) / boxed.length;
      const spread = SPREAD * mean || 1;
      for (const i of boxed) {
        // a - b = t, a b = spread^2
        const t = f[i] + q[i] * v[i] - y[i];
        const root = Math.hypot(t, 2 * spread);
        a[i] = t > 0 ? (t + root) / 2 : (2 * spread * spread) / (root - t);
        b[i] = t > 0 ? (2 * spread * spread) / (root + t) : (root - t) / 2;
      }
    },
    prepare(f) {
      for (const i of open) {
        rest[i] = y[i] - f[i] - q[i] * v[i];
        h[i] = 1 / q[i];
      }
      for (const i of boxed) {
        rest[i] = y[i] - f[i] - q[i] * v[i] + a[i] - b[i];
        h[i] = 1 / (q[i] + a[i] / (v[i] - low[i]) + b[i] / (high[i] - v[i]));
      }
    },
    gap: () => {
      let gap = 0;
      for (const i of boxed) gap += a[i] * (v[i] - low[i]) + b[i] * (high[i] - v[i]);
      return gap;
    },
    excess(f) {
      let conjugate = 0;
      for (let i = 0; i < n; i++) conjugate += v[i] * (y[i] - f[i]) - (q[i] * v[i] * v[i]) / 2;
      return Math.max(0, loss.value(f, y) - conjugate);
    },
    residual(mu, corrected, out) {
      out.set(rest);
      for (const i of boxed) {
        const second = corrected ? dv[i] : 0;
        // The steps of a and b are these less what dv does to them.
        da[i] = (mu - da[i] * second) / (v[i] - low[i]) - a[i];
        db[i] = (mu + db[i] * second) / (high[i] - v[i]) - b[i];
        out[i] += da[i] - db[i];
      }
    },
    setStep(_df, step) {
      dv.set(step);
      for (const i of boxed) {
        da[i] -= (a[i] / (v[i] - low[i])) * dv[i];
        db[i] += (b[i] / (high[i] - v[i])) * dv[i];
      }
    },
    maxStep() {
      let step = 1;
      for (const i of boxed) {
        if (da[i] < 0) step = Math.min(step, -a[i] / da[i]);
        if (db[i] < 0) step = Math.min(step, -b[i] / db[i]);
        if (dv[i] < 0) step = Math.min(step, (low[i] - v[i]) / dv[i]);
        else if (dv[i] > 0) step = Math.min(step, (high[i] - v[i]) / dv[i]);
      }
      return step;
    },
    trusted: () => 1,
    gapAfter,
    advance(step) {
      for (let i = 0; i < n; i++) v[i] += step * dv[i];
      for (const i of boxed) {
        a[i] += step * da[i];
        b[i] += step * db[i];
      }
    },
  };
}
