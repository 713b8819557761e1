import { ConfigError } from "../base/errors.ts";
import { type Matrix, matrix } from "../base/matrix.ts";
import { type BiasForm, type LossName, lossOf, type Program, type Scaling } from "../convex/index.ts";
import type { Target } from "../data/types.ts";
import type { HiddenBiases } from "../network/index.ts";
import type { FitSettings } from "./config.ts";

/**
 * How the target column becomes the numbers that an output is fitted to: the number itself; -1/+1; or 0/1 (the one-hot
 * coding of squared loss with more than two classes).
 */
export type Coding = "number" | "minus-plus-one" | "zero-one";

/** What makes an objective of a network and targets. */
export interface Objective {
  readonly loss: LossName;
  readonly scaling: Scaling;
  readonly beta: number;
  readonly bias: BiasForm;
  readonly program: Program;
  /** Threshold of the Huber loss; present when that is the loss. */
  readonly huber?: number;
  /** n sample weights, when there are any. */
  readonly weights?: Float64Array;
}

/** Losses that need classes coded as -1 and +1. */
const CLASS_LOSSES: readonly LossName[] = ["logistic", "hinge"];

/**
 * The loss of a fit: `auto` is logistic for two classes and squared for numbers and for more classes.
 *
 * @throws ConfigError when the loss is for classes and the target is a number.
 */
export function chooseLoss(setting: FitSettings["loss"], target: Target): LossName {
  if (target.classes === null && setting !== "auto" && CLASS_LOSSES.includes(setting)) {
    throw new ConfigError(`the ${setting} loss needs classes, but "${target.name}" is a number`, {
      code: "loss-needs-classes",
      hint: "use --loss squared, or --task classification if the numbers stand for classes",
    });
  }
  if (setting !== "auto") return setting;
  return target.classes?.length === 2 ? "logistic" : "squared";
}

export function chooseCoding(loss: LossName, target: Target): Coding {
  if (target.classes === null) return "number";
  return target.classes.length > 2 && !CLASS_LOSSES.includes(loss) ? "zero-one" : "minus-plus-one";
}

/** Names of the outputs: the target itself, or one class each when there are more than two. */
export function outputNames(target: Target): readonly string[] {
  return target.classes === null || target.classes.length === 2 ? [target.name] : target.classes;
}

/** Targets of every output, n x c, from the target column (numbers, or class indices). */
export function codeTargets(y: Float64Array, coding: Coding, outputs: number): Matrix {
  if (coding === "number") return matrix(y.length, 1, y);
  const low = coding === "zero-one" ? 0 : -1;
  const Y = matrix(y.length, outputs);
  for (let i = 0; i < y.length; i++) {
    for (let q = 0; q < outputs; q++) Y.data[i * outputs + q] = (outputs === 1 ? y[i] > 0 : y[i] === q) ? 1 : low;
  }
  return Y;
}

/** Column q of a matrix, as a copy. */
export function column(a: Matrix, q: number): Float64Array {
  return Float64Array.from({ length: a.rows }, (_, i) => a.data[i * a.cols + q]);
}

/** The loss of each row, unweighted, summed over the outputs: F and Y are n x c. */
export function rowLosses({ loss, huber }: Pick<Objective, "loss" | "huber">, F: Matrix, Y: Matrix): Float64Array {
  if (F.rows !== Y.rows || F.cols !== Y.cols) {
    throw new RangeError(`predictions are ${F.rows} x ${F.cols}, targets ${Y.rows} x ${Y.cols}`);
  }
  const { value } = lossOf({ loss, ...(huber === undefined ? {} : { huber }) });
  const f = new Float64Array(1);
  const y = new Float64Array(1);
  const out = new Float64Array(F.rows);
  for (let k = 0; k < F.data.length; k++) {
    f[0] = F.data[k];
    y[0] = Y.data[k];
    out[Math.floor(k / F.cols)] += value(f, y);
  }
  return out;
}

/** Whether the hidden biases of this bias form count in the penalty. */
export function hiddenBiases(bias: BiasForm): HiddenBiases {
  return bias === "output" ? "free" : "penalized";
}

/** (objective - bound) / |objective|; 0 when both are 0. */
export function relativeGap(objective: number, lowerBound: number): number {
  return (objective - lowerBound) / Math.max(Math.abs(objective), Number.MIN_VALUE);
}
