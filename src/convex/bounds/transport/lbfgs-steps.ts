/** Value and gradient (written to `gradient`) of a smooth function at x. */
type Objective = (x: Float64Array, gradient: Float64Array) => number;

const ARMIJO = 1e-4;
const CURVATURE = 0.9;
const MAX_TRIALS = 12;

/** What {@link lbfgsSteps} needs for so many unknowns. */
export function stepsRoom(size: number, memory: number): number {
  return (4 + 2 * memory) * size;
}

/**
 * Limited-memory BFGS with a weak Wolfe line search by bisection (Nocedal & Wright, algorithms 7.4 and 7.5) that can be
 * suspended: it yields the value after each iteration and keeps its memory in between. Minimizes from `x`, which always
 * holds the best point. Ends when an iteration gains less than `tolerance` times the value, or at a point where rounding hides
 * the gradient.
 *
 * @param room where it works, of {@link stepsRoom} numbers, for those who call it often
 */
export function* lbfgsSteps(
  objective: Objective,
  x: Float64Array,
  options: { iterations: number; memory: number; tolerance: number },
  room: Float64Array = new Float64Array(stepsRoom(x.length, options.memory)),
): Generator<number, number> {
  const size = x.length;
  const { memory, tolerance, iterations } = options;
  const [g, trial, trialGradient, direction, ...pairs] = Array.from({ length: 4 + 2 * memory }, (_, k) =>
    room.subarray(k * size, (k + 1) * size),
  ) as [Float64Array, Float64Array, Float64Array, Float64Array, ...Float64Array[]];
  const steps = pairs.slice(0, memory);
  const changes = pairs.slice(memory);
  const rho = new Float64Array(memory);
  const alpha = new Float64Array(memory);
  /** Pairs kept, and where the next one goes. */
  let kept = 0;
  let slot = 0;
  let value = objective(x, g);
  for (let iteration = 0; iteration < iterations; iteration++) {
    // 1. Direction by the two-loop recursion.
    for (let k = 0; k < size; k++) direction[k] = -g[k];
    for (let back = 1; back <= kept; back++) {
      const h = (slot - back + memory) % memory;
      alpha[h] = rho[h] * dot(steps[h]!, direction);
      axpy(-alpha[h], changes[h]!, direction);
    }
    const last = (slot - 1 + memory) % memory;
    const scale =
      kept > 0 ? 1 / (rho[last] * dot(changes[last]!, changes[last]!)) : 0.1 / Math.max(Math.sqrt(dot(g, g)), 1e-300);
    for (let k = 0; k < size; k++) direction[k] *= scale;
    for (let back = kept; back >= 1; back--) {
      const h = (slot - back + memory) % memory;
      axpy(alpha[h] - rho[h] * dot(changes[h]!, direction), steps[h]!, direction);
    }
    const slope = dot(g, direction);
    if (!(slope < 0)) break;

    // 2. Step length.
    let low = 0;
    let high = Number.POSITIVE_INFINITY;
    let step = 1;
    let next = value;
    let accepted = false;
    for (let t = 0; t < MAX_TRIALS; t++) {
      for (let k = 0; k < size; k++) trial[k] = x[k] + step * direction[k];
      next = objective(trial, trialGradient);
      if (!(next <= value + ARMIJO * step * slope)) high = step;
      else {
        accepted = true;
        if (dot(trialGradient, direction) >= CURVATURE * slope) break;
        low = step;
      }
      step = high < Number.POSITIVE_INFINITY ? (low + high) / 2 : 2 * low;
    }
    if (!accepted || !(next <= value)) break;

    // 3. Memory.
    const s = steps[slot]!;
    const y = changes[slot]!;
    let sy = 0;
    for (let k = 0; k < size; k++) {
      s[k] = trial[k] - x[k];
      y[k] = trialGradient[k] - g[k];
      sy += s[k] * y[k];
    }
    if (sy > 1e-12 * Math.sqrt(dot(s, s) * dot(y, y))) {
      rho[slot] = 1 / sy;
      slot = (slot + 1) % memory;
      kept = Math.min(kept + 1, memory);
    }
    const decrease = value - next;
    x.set(trial);
    g.set(trialGradient);
    value = next;
    yield value;
    if (decrease <= tolerance * Math.abs(value)) break;
  }
  return value;
}

/** Four sums at once: one alone waits for the latency of each addition. */
function dot(a: Float64Array, b: Float64Array): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 3 < a.length; k += 4) {
    s0 += a[k] * b[k];
    s1 += a[k + 1] * b[k + 1];
    s2 += a[k + 2] * b[k + 2];
    s3 += a[k + 3] * b[k + 3];
  }
  for (; k < a.length; k++) s0 += a[k] * b[k];
  return s0 + s1 + (s2 + s3);
}

function axpy(alpha: number, x: Float64Array, y: Float64Array): void {
  for (let k = 0; k < x.length; k++) y[k] += alpha * x[k];
}
