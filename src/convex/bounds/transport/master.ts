import type { Loss } from "../../losses/index.ts";

const NEWTON_STEPS = 40;
const SWEEPS = 60;
/** Part of the largest diagonal entry that is added to the Hessian: columns may be dependent, losses flat. */
const RIDGE = 1e-9;
const PRECISION = 1e-10;

/** The solution of the restricted problem: weights c, dual point v (n entries) and value. */
export interface Master {
  readonly c: Float64Array;
  readonly v: Float64Array;
  readonly value: number;
}

/**
 * minimize loss(sum_k c_k phi_k) + beta sum_k c_k over c >= 0, by projected Newton steps whose quadratic models are minimized
 * by coordinate descent. Its dual point v maximizes the dual value subject to phi_k'v <= beta for the given columns.
 */
export function solveMaster(
  loss: Loss,
  y: Float64Array,
  beta: number,
  columns: readonly Float64Array[],
  start: ArrayLike<number>,
): Master {
  const n = y.length;
  const size = columns.length;
  const c = Float64Array.from({ length: size }, (_, k) => start[k] ?? 0);
  const f = new Float64Array(n);
  const v = new Float64Array(n);
  const h = new Float64Array(n);
  const predict = (weights: Float64Array): number => {
    f.fill(0);
    let penalty = 0;
    for (let k = 0; k < size; k++) {
      penalty += weights[k];
      if (weights[k] !== 0) for (let i = 0; i < n; i++) f[i] += weights[k] * columns[k]![i]!;
    }
    return loss.value(f, y) + beta * penalty;
  };
  let value = predict(c);
  const H = new Float64Array(size * size);
  const g = new Float64Array(size);
  const trial = new Float64Array(size);
  for (let step = 0; step < NEWTON_STEPS; step++) {
    loss.negativeGradient(f, y, v);
    loss.curvature(f, y, h);
    let top = 0;
    for (let k = 0; k < size; k++) {
      const a = columns[k]!;
      g[k] = beta;
      for (let i = 0; i < n; i++) g[k] -= a[i]! * v[i];
      for (let l = 0; l <= k; l++) {
        const b = columns[l]!;
        let sum = 0;
        for (let i = 0; i < n; i++) sum += a[i]! * b[i]! * h[i];
        H[k * size + l] = sum;
        H[l * size + k] = sum;
      }
      top = Math.max(top, H[k * size + k]);
    }
    for (let k = 0; k < size; k++) H[k * size + k] += RIDGE * top + Number.MIN_VALUE;
    // Coordinate descent on g'd + d'Hd/2 over c + d >= 0; g is kept as the gradient at d.
    trial.set(c);
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
      let moved = 0;
      for (let k = 0; k < size; k++) {
        const next = Math.max(0, trial[k] - g[k] / H[k * size + k]);
        const change = next - trial[k];
        if (change === 0) continue;
        trial[k] = next;
        moved = Math.max(moved, change * change * H[k * size + k]);
        for (let l = 0; l < size; l++) g[l] += change * H[k * size + l];
      }
      if (moved <= PRECISION * PRECISION * Math.abs(value)) break;
    }
    const direction = trial.map((t, k) => t - c[k]);
    let length = 1;
    let next = value;
    for (; length > 1e-6; length /= 2) {
      for (let k = 0; k < size; k++) trial[k] = Math.max(0, c[k] + length * direction[k]);
      next = predict(trial);
      if (next < value) break;
    }
    if (!(next < value)) break;
    const gained = value - next;
    c.set(trial);
    value = next;
    if (gained <= PRECISION * Math.abs(value)) break;
  }
  value = predict(c);
  loss.negativeGradient(f, y, v);
  return { c, v: v.slice(), value };
}
