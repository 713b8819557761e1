import type { Compute } from "../../compute/types.ts";
import { minimizeLbfgs } from "../solvers/lbfgs.ts";
import { hiddenNorm, norm, type VectorCore, type VectorUnit } from "./core.ts";
import { type SmoothedObjective, smoothedObjective } from "./smoothed.ts";

export interface LocalOptions {
  /** Width of the smoothing relative to ||u_j||, at the beginning and at the end. */
  readonly from: number;
  readonly to: number;
  readonly stop: () => boolean;
}

/** Each stage narrows the smoothing by this. */
const NARROW = 0.1;
const NEWTON_STEPS = 30;
const HALVINGS = 30;
/** Newton's method is used while its cost, rows x outputs x variables^2, stays below this. */
const NEWTON_SIZE = 4e9;
/** Units with a penalty below this part of the largest are dropped between stages. */
const VANISHED = 1e-9;
/** Units whose directions agree this well are one. */
const PARALLEL = 1 - 1e-11;
const ARMIJO = 1e-4;
/** Relative rounding error of values. */
const ROUNDING = 1e-14;

/**
 * A local minimum near the given units of the objective over units and output biases: path following in the width of a
 * smoothed ReLU, by Newton's method (dense, regularized) when the problem is small and by L-BFGS otherwise. Patterns are
 * free to move.
 */
export function solveLocally(
  compute: Compute,
  context: VectorCore,
  units: readonly VectorUnit[],
  c0: Float64Array,
  options: LocalOptions,
): { units: VectorUnit[]; c0: Float64Array } {
  let current = { units: balanced(context, units), c0 };
  const newton = (m: number): boolean => {
    const size = m * (context.p + context.c);
    return context.n * context.c * size * size <= NEWTON_SIZE;
  };
  let width = options.from;
  while (current.units.length > 0 && !options.stop()) {
    const last = width <= options.to * (1 + 1e-9);
    const { units: before } = current;
    if (!newton(before.length)) current = stage(compute, context, current, width, null, options.stop);
    else current = stage(compute, context, current, width, last ? 1 : NARROW, options.stop);
    current = { ...current, units: prune(context, mergeParallel(context, current.units)) };
    if (last) break;
    width = Math.max(width * NARROW, options.to);
  }
  if (current.units.length === 0 && context.freeBias) current = stage(compute, context, current, 0, 1, options.stop);
  return current;
}

/** Minimizes at one width; then, with `narrow` < 1, moves to where the minimum will be at `narrow` times it. Null: L-BFGS. */
function stage(
  compute: Compute,
  context: VectorCore,
  { units, c0 }: { units: readonly VectorUnit[]; c0: Float64Array },
  width: number,
  narrow: number | null,
  stop: () => boolean,
): { units: VectorUnit[]; c0: Float64Array } {
  const m = units.length;
  const { p, c, freeBias } = context;
  return compute.scope((scope) => {
    const objective = smoothedObjective(compute, scope, context, m);
    const x = new Float64Array(objective.size);
    const widths = new Float64Array(m);
    units.forEach(({ u, w }, j) => {
      x.set(u, j * p);
      x.set(w, m * p + j * c);
      widths[j] = width * hiddenNorm(context, u);
    });
    if (freeBias) x.set(c0, m * (p + c));
    objective.setWidths(widths);
    if (narrow === null) {
      minimizeLbfgs((point, gradient) => objective.evaluate(point, gradient), x, {
        iterations: 400,
        memory: 20,
        tolerance: Math.max(1e-12, 1e-4 * width),
        stop,
      });
    } else {
      const H = scope.f64(objective.size ** 2);
      minimizeNewton(compute, objective, H, x, narrow === 1 ? ROUNDING / 10 : 1e-3 * width, stop);
      if (narrow < 1 && !stop()) predict(compute, objective, H, x, widths, narrow);
    }
    return {
      units: balanced(
        context,
        Array.from({ length: m }, (_, j) => ({
          u: x.slice(j * p, (j + 1) * p),
          w: x.slice(m * p + j * c, m * p + (j + 1) * c),
        })),
      ),
      c0: freeBias ? x.slice(m * (p + c)) : c0,
    };
  });
}

/** Newton's method with a multiple of the identity added where the Hessian is not positive definite; x is overwritten. */
function minimizeNewton(
  compute: Compute,
  objective: SmoothedObjective,
  H: Float64Array,
  x: Float64Array,
  tolerance: number,
  stop: () => boolean,
): void {
  const { size } = objective;
  const gradient = new Float64Array(size);
  const trial = new Float64Array(size);
  const trialGradient = new Float64Array(size);
  let value = objective.evaluate(x, gradient);
  let shift = 0;
  for (let step = 0; step < NEWTON_STEPS && !stop(); step++) {
    objective.hessian(H);
    const { direction, shift: used } = solveShifted(compute, H, gradient, shift);
    shift = used / 10;
    let slope = 0;
    for (let k = 0; k < size; k++) slope += gradient[k] * direction[k];
    if (!(-slope > 2 * tolerance * Math.abs(value))) {
      if (tolerance > ROUNDING) return;
      // Values no longer tell steps apart, gradients still do.
      for (let k = 0; k < size; k++) trial[k] = x[k] + direction[k];
      const next = objective.evaluate(trial, trialGradient);
      if (!(norm(trialGradient) < norm(gradient) / 2) || next > value + ROUNDING * Math.abs(value)) return;
      x.set(trial);
      gradient.set(trialGradient);
      value = next;
      continue;
    }
    let length = 1;
    let next = value;
    for (let halving = 0; halving < HALVINGS; halving++, length /= 2) {
      for (let k = 0; k < size; k++) trial[k] = x[k] + length * direction[k];
      next = objective.evaluate(trial, trialGradient);
      if (next <= value + ARMIJO * length * slope) break;
    }
    if (!(next < value)) return;
    x.set(trial);
    gradient.set(trialGradient);
    value = next;
  }
}

/** One step along the path of minimizers to widths multiplied by `narrow`: rows at kinks follow their width. */
function predict(
  compute: Compute,
  objective: SmoothedObjective,
  H: Float64Array,
  x: Float64Array,
  widths: Float64Array,
  narrow: number,
): void {
  const gradient = new Float64Array(objective.size);
  const drift = new Float64Array(objective.size);
  objective.evaluate(x, gradient);
  objective.hessian(H);
  objective.drift(narrow - 1, drift);
  for (let k = 0; k < drift.length; k++) drift[k] += gradient[k];
  const { direction } = solveShifted(compute, H, drift, 0);
  objective.setWidths(widths.map((t) => narrow * t));
  const trial = new Float64Array(objective.size);
  let best = objective.evaluate(x, gradient);
  let length = 0;
  for (const candidate of [1, 0.7, 0.3]) {
    for (let k = 0; k < x.length; k++) trial[k] = x[k] + candidate * direction[k];
    const value = objective.evaluate(trial, gradient);
    if (value < best) {
      best = value;
      length = candidate;
    }
  }
  for (let k = 0; k < x.length; k++) x[k] += length * direction[k];
}

/** direction = -(H + shift I)^{-1} g with the smallest tried shift that makes the matrix positive definite. */
function solveShifted(
  compute: Compute,
  H: Float64Array,
  g: Float64Array,
  shift: number,
): { direction: Float64Array; shift: number } {
  const size = g.length;
  let diagonal = 0;
  for (let k = 0; k < size; k++) diagonal = Math.max(diagonal, Math.abs(H[k * size + k]));
  return compute.scope((scope) => {
    const L = scope.f64(size * size);
    const b = scope.f64(size);
    let added = shift > 1e-14 * diagonal ? shift : 1e-15 * diagonal;
    for (;;) {
      L.set(H);
      for (let k = 0; k < size; k++) L[k * size + k] += added;
      if (compute.cholesky(size, L, size) === 0) break;
      added = Math.max(10 * added, 1e-9 * diagonal);
      if (!Number.isFinite(added)) return { direction: g.map((t) => -t), shift: 0 };
    }
    for (let k = 0; k < size; k++) b[k] = -g[k];
    compute.solveLower(false, size, 1, L, size, b, 1);
    compute.solveLower(true, size, 1, L, size, b, 1);
    return { direction: b.slice(), shift: added };
  });
}

/** The same units with ||a_j|| = ||w_j||; units without hidden or output weights are left out. */
function balanced(context: VectorCore, units: readonly VectorUnit[]): VectorUnit[] {
  const out: VectorUnit[] = [];
  for (const { u, w } of units) {
    const ratio = Math.sqrt(norm(w) / hiddenNorm(context, u));
    if (!(ratio > 0) || !Number.isFinite(ratio)) continue;
    out.push({ u: u.map((t) => t * ratio), w: w.map((t) => t / ratio) });
  }
  return out;
}

function prune(context: VectorCore, units: readonly VectorUnit[]): VectorUnit[] {
  const size = (unit: VectorUnit): number => hiddenNorm(context, unit.u) * norm(unit.w);
  const largest = units.reduce((top, unit) => Math.max(top, size(unit)), 0);
  return units.filter((unit) => size(unit) > VANISHED * largest);
}

/** Units with equal directions become one, with the sum of their output weights: the penalty does not rise. */
function mergeParallel(context: VectorCore, units: readonly VectorUnit[]): VectorUnit[] {
  const out: VectorUnit[] = [];
  for (const { u, w } of units) {
    const length = norm(u);
    const at = out.findIndex((other) => {
      let dot = 0;
      for (let k = 0; k < u.length; k++) dot += u[k] * other.u[k];
      return dot > PARALLEL * length * norm(other.u);
    });
    if (at < 0) out.push({ u, w });
    else {
      const kept = out[at]!;
      const ratio = length / norm(kept.u);
      out[at] = { u: kept.u, w: kept.w.map((t, k) => t + ratio * w[k]) };
    }
  }
  return balanced(context, out);
}
