/** Value and gradient (written to `gradient`) of a smooth function at x. */
export type Objective = (x: Float64Array, gradient: Float64Array) => number;

const ARMIJO = 1e-4;
const CURVATURE = 0.9;
const MAX_TRIALS = 25;

/**
 * Limited-memory BFGS with a weak Wolfe line search by bisection (Nocedal & Wright, algorithms 7.4 and 7.5; Lewis &
 * Overton's bracketing). Minimizes from `x`, which is overwritten with the best point.
 *
 * @returns the value there.
 */
export function minimizeLbfgs(
  objective: Objective,
  x: Float64Array,
  options: { iterations: number; memory: number; tolerance: number; stop?: (iteration: number) => boolean },
): number {
  const size = x.length;
  const g = new Float64Array(size);
  const trial = new Float64Array(size);
  const trialGradient = new Float64Array(size);
  const direction = new Float64Array(size);
  const steps: Float64Array[] = [];
  const changes: Float64Array[] = [];
  const rho: number[] = [];
  let value = objective(x, g);
  for (let iteration = 0; iteration < options.iterations; iteration++) {
    if (options.stop?.(iteration) === true) break;
    // 1. Direction by the two-loop recursion.
    for (let k = 0; k < size; k++) direction[k] = -g[k];
    const alpha = new Float64Array(steps.length);
    for (let h = steps.length - 1; h >= 0; h--) {
      alpha[h] = rho[h] * dot(steps[h], direction);
      axpy(-alpha[h], changes[h], direction);
    }
    const last = steps.length - 1;
    const scale = last >= 0 ? 1 / (rho[last] * dot(changes[last], changes[last])) : 1 / Math.max(norm(g), 1e-300);
    for (let k = 0; k < size; k++) direction[k] *= scale;
    for (let h = 0; h < steps.length; h++) axpy(alpha[h] - rho[h] * dot(changes[h], direction), steps[h], direction);
    const slope = dot(g, direction);
    if (!(slope < 0)) break;

    // 2. Step length.
    let low = 0;
    let high = Number.POSITIVE_INFINITY;
    let step = 1;
    let accepted = false;
    let next = value;
    for (let t = 0; t < MAX_TRIALS; t++) {
      for (let k = 0; k < size; k++) trial[k] = x[k] + step * direction[k];
      next = objective(trial, trialGradient);
      if (!(next <= value + ARMIJO * step * slope)) high = step;
      else if (dot(trialGradient, direction) < CURVATURE * slope) {
        low = step;
        accepted = true; // enough decrease: take it if nothing better is found
      } else {
        accepted = true;
        break;
      }
      step = high < Number.POSITIVE_INFINITY ? (low + high) / 2 : 2 * low;
    }
    if (!accepted || !(next <= value)) break;

    // 3. Memory.
    const s = Float64Array.from(trial, (t, k) => t - x[k]);
    const y = Float64Array.from(trialGradient, (t, k) => t - g[k]);
    const sy = dot(s, y);
    if (sy > 1e-12 * norm(s) * norm(y)) {
      steps.push(s);
      changes.push(y);
      rho.push(1 / sy);
      if (steps.length > options.memory) {
        steps.shift();
        changes.shift();
        rho.shift();
      }
    }
    const decrease = value - next;
    x.set(trial);
    g.set(trialGradient);
    value = next;
    if (decrease <= options.tolerance * Math.max(Math.abs(value), 1e-300)) break;
  }
  return value;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}

function norm(a: Float64Array): number {
  return Math.sqrt(dot(a, a));
}

function axpy(alpha: number, x: Float64Array, y: Float64Array): void {
  for (let k = 0; k < x.length; k++) y[k] += alpha * x[k];
}
