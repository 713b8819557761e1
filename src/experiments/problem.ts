import { ConfigError } from "../base/errors.ts";
import { type Matrix, matrix } from "../base/matrix.ts";
import { type BiasForm, type LossName, lossOf, type Program, type Scaling } from "../convex/index.ts";
import type { Target, TargetColumn } from "../data/types.ts";
import type { HiddenBiases } from "../network/index.ts";
import type { FitSettings } from "./config.ts";

/**
 * How the target column becomes the numbers that an output is fitted to: the number itself; -1/+1; or 0/1 (the one-hot
 * coding of squared loss with more than two classes).
 */
export type Coding = "number" | "minus-plus-one" | "zero-one";

/** Losses of a fit: `softmax` is that of one network with an output for each class. */
export type FitLoss = LossName | "softmax";

/**
 * How the output weights w_j of a neuron are measured when there are several: `group`, their Euclidean norm, so that outputs
 * share neurons; `l1`, the sum of their sizes, which falls apart into one network an output.
 */
export type OutputNorm = "group" | "l1";

/** What makes an objective of a network and targets. */
export interface Objective {
  readonly loss: FitLoss;
  /** Null with a single output. */
  readonly outputNorm: OutputNorm | null;
  readonly scaling: Scaling;
  readonly beta: number;
  readonly bias: BiasForm;
  readonly program: Program;
  /** Threshold of the Huber loss; present when that is the loss. */
  readonly huber?: number;
  /** n sample weights, when there are any. */
  readonly weights?: Float64Array;
}

/** Losses that need classes. */
const CLASS_LOSSES: readonly FitLoss[] = ["logistic", "hinge", "softmax"];
/** Losses with which outputs can share neurons. */
const SHARED_LOSSES: readonly FitLoss[] = ["softmax", "squared"];

/** What a fit is told about its loss and its patterns. */
type FormSettings = Pick<FitSettings, "loss" | "outputNorm" | "program" | "patterns" | "gates">;

/**
 * Loss and output norm of a fit. `auto` is logistic for two classes, softmax for more and squared for numbers. Outputs share
 * neurons (`group`) unless told otherwise or not possible: not with losses of one output, nor over listed patterns.
 *
 * @throws ConfigError when the loss is for classes and the target is a number, or when the two contradict each other.
 */
export function chooseForm(settings: FormSettings, target: Target): Pick<Objective, "loss" | "outputNorm"> {
  const { program, gates, patterns, outputNorm } = settings;
  const listed = program !== "relu" || gates !== undefined || patterns !== "generated";
  const apart = outputNorm === "l1" || listed;
  const loss = settings.loss === "auto" ? automaticLoss(target, apart) : settings.loss;
  const refuse = (message: string, hint: string): ConfigError =>
    new ConfigError(message, { code: "output-norm", hint });
  if (target.classes === null && CLASS_LOSSES.includes(loss)) {
    throw new ConfigError(`the ${loss} loss needs classes, but "${target.name}" is a number`, {
      code: "loss-needs-classes",
      hint: "use --loss squared, or --task classification if the numbers stand for classes",
    });
  }
  if (loss === "softmax" && apart) {
    throw listed
      ? refuse(
          "the softmax loss is for ReLU networks over all patterns",
          "leave --program, --gates and --patterns out, or use --loss logistic",
        )
      : refuse("the softmax loss couples the outputs: --output-norm l1 cannot take it apart", "use --loss logistic");
  }
  if (outputNames(target, loss).length === 1) return { loss, outputNorm: null };
  if (outputNorm === "group" && !SHARED_LOSSES.includes(loss)) {
    throw refuse(
      `the ${loss} loss is that of one network an output`,
      "use --loss softmax or squared, or --output-norm l1",
    );
  }
  if (outputNorm === "group" && listed) {
    throw refuse(
      "outputs share neurons over all patterns only",
      "leave --program, --gates and --patterns out, or use --output-norm l1",
    );
  }
  return { loss, outputNorm: apart || !SHARED_LOSSES.includes(loss) ? "l1" : "group" };
}

function automaticLoss({ classes }: Target, apart: boolean): FitLoss {
  if (classes === null) return "squared";
  if (classes.length === 2) return "logistic";
  return apart ? "squared" : "softmax";
}

export function chooseCoding(loss: FitLoss, target: Target): Coding {
  if (target.classes === null) return "number";
  return target.classes.length > 2 && !CLASS_LOSSES.includes(loss) ? "zero-one" : "minus-plus-one";
}

/** Names of the outputs: the target itself, its columns, or one class each when there are more than two or the loss is softmax. */
export function outputNames({ name, classes, columns }: Target, loss: FitLoss): readonly string[] {
  if (columns !== undefined) return columns.map((column) => column.name);
  return classes === null || (classes.length === 2 && loss !== "softmax") ? [name] : classes;
}

/** Targets of every output, n x c, from the target: numbers (several columns are standardized), or class indices. */
export function codeTargets(
  y: Float64Array,
  coding: Coding,
  outputs: number,
  columns: Target["columns"] = undefined,
): Matrix {
  if (coding === "number") {
    const scaled = columns === undefined ? y : y.map((t, k) => standardized(t, columns[k % outputs]!));
    return matrix(y.length / outputs, outputs, scaled);
  }
  const low = coding === "zero-one" ? 0 : -1;
  const Y = matrix(y.length, outputs);
  for (let i = 0; i < y.length; i++) {
    for (let q = 0; q < outputs; q++) Y.data[i * outputs + q] = (outputs === 1 ? y[i] > 0 : y[i] === q) ? 1 : low;
  }
  return Y;
}

function standardized(t: number, { mean, scale }: TargetColumn): number {
  return (t - mean) / scale;
}

/** Column q of a matrix, as a copy. */
export function column(a: Matrix, q: number): Float64Array {
  return Float64Array.from({ length: a.rows }, (_, i) => a.data[i * a.cols + q]);
}

/** The loss of each row, unweighted, summed over the outputs: F and Y are n x c. */
export function rowLosses(
  { loss, huber }: { readonly loss: LossName; readonly huber?: number },
  F: Matrix,
  Y: Matrix,
): Float64Array {
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
