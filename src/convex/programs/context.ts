import type { Loss } from "../losses/index.ts";
import { type LossChoice, lossOf } from "../losses/index.ts";
import { isActive, type Pattern, patternKey } from "../patterns/pattern.ts";
import type { CoreProblem } from "../reduction.ts";

/** A core problem with the matrix that neurons multiply: E = Z, or [Z, 1] when hidden biases are free. */
export interface ProgramContext {
  readonly core: CoreProblem;
  readonly loss: Loss;
  /** n x p, row-major. */
  readonly E: Float64Array;
  readonly n: number;
  readonly p: number;
  /** The first `penalized` of the p coordinates carry the penalty. */
  readonly penalized: number;
  readonly gated: boolean;
  /** Multipliers with which patterns were last priced, for either sign: only where the next pricing starts. */
  readonly multipliers: WeakMap<Pattern, Record<1 | -1, Float64Array>>;
}

/** A unit of the working set: s (E a)_+ , or s D E a in a gated program; `a` may be a mere direction before a solve. */
export interface Unit {
  readonly key: string;
  readonly pattern: Pattern;
  readonly sign: 1 | -1;
  readonly a: Float64Array;
  /** Gate vector over the augmented inputs (gated programs). */
  readonly gate: Float64Array | null;
}

export function programContext(core: CoreProblem, choice: LossChoice, gated: boolean): ProgramContext {
  const { rows: n, cols: r, data } = core.Z;
  const p = core.freeBias ? r + 1 : r;
  let E = data;
  if (core.freeBias) {
    E = new Float64Array(n * p);
    for (let i = 0; i < n; i++) {
      E.set(data.subarray(i * r, (i + 1) * r), i * p);
      E[i * p + r] = 1;
    }
  }
  return { core, loss: lossOf(choice), E, n, p, penalized: r, gated, multipliers: new WeakMap() };
}

/** Norm of the penalized part of a. */
export function penalizedNorm({ penalized }: ProgramContext, a: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < penalized; k++) sum += a[k] * a[k];
  return Math.sqrt(sum);
}

/** Predictions of the network of these units (each unit's own ReLU, or its gate), n entries. */
export function predictions({ E, n, p, gated }: ProgramContext, units: readonly Unit[], c0: number): Float64Array {
  const f = new Float64Array(n).fill(c0);
  for (const { a, sign, pattern } of units) {
    for (let i = 0; i < n; i++) {
      let z = 0;
      for (let k = 0; k < p; k++) z += E[i * p + k] * a[k];
      if (gated ? isActive(pattern, i) : z > 0) f[i] += sign * z;
    }
  }
  return f;
}

/** Objective of these units and predictions in core scaling. */
export function coreObjective(context: ProgramContext, units: readonly Unit[], f: Float64Array): number {
  let penalty = 0;
  for (const unit of units) penalty += penalizedNorm(context, unit.a);
  return context.loss.value(f, context.core.y) + context.core.beta * penalty;
}

/** The dual point v = -grad loss(f), centered when biases are free. */
export function dualPoint({ core, loss }: ProgramContext, f: Float64Array): Float64Array {
  const v = new Float64Array(f.length);
  loss.negativeGradient(f, core.y, v);
  if (core.freeBias) loss.center(v, core.y);
  return v;
}

/** E u, n entries. */
export function rowsTimes(E: Float64Array, n: number, p: number, u: Float64Array): Float64Array {
  const z = new Float64Array(n);
  for (let i = 0; i < n; i++) for (let k = 0; k < p; k++) z[i] += E[i * p + k] * u[k];
  return z;
}

/** What tells units of a working set apart: the sign and the pattern. */
export function unitKey(sign: 1 | -1, pattern: Pattern): string {
  return `${sign}${patternKey(pattern)}`;
}
