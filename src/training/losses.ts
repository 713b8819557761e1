import type { RealArray } from "../compute/types.ts";

/** What a network is trained to give: a number for each output, or one of its outputs as the class. */
export type Targets =
  | { readonly kind: "values"; readonly outputs: number; readonly data: Float64Array }
  | { readonly kind: "classes"; readonly classes: number; readonly labels: Uint32Array };

/** Loss of a batch: the sum over its samples, and how many of them are classified right (NaN without classes). */
export interface BatchLoss {
  readonly loss: number;
  readonly correct: number;
}

/**
 * - `squared`: ||f - y||^2 / 2, classes as unit vectors; two classes with one output as -1 and +1.
 * - `cross-entropy`: -log softmax(f)_y, classes only.
 * - `logistic`: log(1 + exp(-y f)), one output; classes 0 and 1, or values whose sign is the class.
 */
export type TrainingLossName = "squared" | "cross-entropy" | "logistic";

/** A loss, summed over samples. Arrays are n x c; `rows` are the samples' numbers in the targets. */
export interface TrainingLoss {
  readonly name: TrainingLossName;
  /** Loss of the outputs; `factor` times its derivative to `adjoint`, unless that is null. */
  evaluate(rows: ArrayLike<number>, outputs: RealArray, adjoint: RealArray | null, factor: number): BatchLoss;
  /** out <- factor times the second derivative at the outputs applied to `direction`; they may be the same array. */
  curvature(rows: ArrayLike<number>, outputs: RealArray, direction: RealArray, out: RealArray, factor: number): void;
}

/**
 * The loss of that name for targets.
 *
 * @throws RangeError when outputs, targets and loss do not fit each other.
 */
export function trainingLoss(name: TrainingLossName, targets: Targets, outputs: number): TrainingLoss {
  const wanted = targets.kind === "values" ? targets.outputs : targets.classes;
  const isBinary = outputs === 1 && wanted === (targets.kind === "values" ? 1 : 2);
  if (!isBinary && wanted !== outputs) {
    throw new RangeError(`a network of ${outputs} outputs for targets of ${wanted} with ${name} loss`);
  }
  switch (name) {
    case "squared":
      return squared(targets, outputs);
    case "cross-entropy":
      if (targets.kind === "values") throw new RangeError("cross-entropy needs classes, not values");
      return crossEntropy(targets.labels, outputs);
    case "logistic":
      if (!isBinary) throw new RangeError(`logistic loss needs one output, not ${outputs}`);
      return logistic(targets);
  }
}

function argMax(array: RealArray, from: number, count: number): number {
  let best = 0;
  for (let k = 1; k < count; k++) if (array[from + k] > array[from + best]) best = k;
  return best;
}

/** -1 and +1 for the classes 0 and 1. */
function signOf(label: number): number {
  return label === 1 ? 1 : -1;
}

function squared(targets: Targets, c: number): TrainingLoss {
  const target = (sample: number, k: number): number => {
    if (targets.kind === "values") return targets.data[sample * c + k];
    return c === 1 ? signOf(targets.labels[sample]) : Number(targets.labels[sample] === k);
  };
  const isRight = (outputs: RealArray, i: number, label: number): boolean =>
    (c === 1 ? Number(outputs[i] > 0) : argMax(outputs, i * c, c)) === label;
  return {
    name: "squared",
    evaluate(rows, outputs, adjoint, factor) {
      let loss = 0;
      let correct = targets.kind === "values" ? Number.NaN : 0;
      for (let i = 0; i < rows.length; i++) {
        const sample = rows[i]!;
        for (let k = 0; k < c; k++) {
          const residual = outputs[i * c + k] - target(sample, k);
          loss += residual * residual;
          if (adjoint !== null) adjoint[i * c + k] = factor * residual;
        }
        if (targets.kind === "classes" && isRight(outputs, i, targets.labels[sample])) correct += 1;
      }
      return { loss: loss / 2, correct };
    },
    curvature(rows, _, direction, out, factor) {
      for (let k = 0; k < rows.length * c; k++) out[k] = factor * direction[k];
    },
  };
}

function crossEntropy(labels: Uint32Array, c: number): TrainingLoss {
  const p = new Float64Array(c);
  /** Fills p with softmax probabilities; returns log sum exp. */
  const softmax = (outputs: RealArray, from: number): number => {
    let largest = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < c; k++) largest = Math.max(largest, outputs[from + k]);
    let sum = 0;
    for (let k = 0; k < c; k++) {
      p[k] = Math.exp(outputs[from + k] - largest);
      sum += p[k];
    }
    for (let k = 0; k < c; k++) p[k] /= sum;
    return largest + Math.log(sum);
  };
  return {
    name: "cross-entropy",
    evaluate(rows, outputs, adjoint, factor) {
      let loss = 0;
      let correct = 0;
      for (let i = 0; i < rows.length; i++) {
        const label = labels[rows[i]!]!;
        loss += softmax(outputs, i * c) - outputs[i * c + label];
        if (argMax(outputs, i * c, c) === label) correct += 1;
        if (adjoint === null) continue;
        for (let k = 0; k < c; k++) adjoint[i * c + k] = factor * (p[k] - Number(k === label));
      }
      return { loss, correct };
    },
    curvature(rows, outputs, direction, out, factor) {
      for (let i = 0; i < rows.length; i++) {
        softmax(outputs, i * c);
        let mean = 0;
        for (let k = 0; k < c; k++) mean += p[k] * direction[i * c + k];
        for (let k = 0; k < c; k++) out[i * c + k] = factor * p[k] * (direction[i * c + k] - mean);
      }
    },
  };
}

function logistic(targets: Targets): TrainingLoss {
  const sign = (sample: number): number =>
    targets.kind === "classes" ? signOf(targets.labels[sample]) : targets.data[sample] > 0 ? 1 : -1;
  return {
    name: "logistic",
    evaluate(rows, outputs, adjoint, factor) {
      let loss = 0;
      let correct = 0;
      for (let i = 0; i < rows.length; i++) {
        const y = sign(rows[i]!);
        const margin = y * outputs[i];
        loss += margin > 0 ? Math.log1p(Math.exp(-margin)) : -margin + Math.log1p(Math.exp(margin));
        // An output of zero names the negative class.
        if (outputs[i] > 0 === y > 0) correct += 1;
        if (adjoint !== null) adjoint[i] = (-factor * y) / (1 + Math.exp(margin));
      }
      return { loss, correct };
    },
    curvature(rows, outputs, direction, out, factor) {
      for (let i = 0; i < rows.length; i++) {
        const half = 1 / (2 * Math.cosh(outputs[i] / 2));
        out[i] = factor * half * half * direction[i];
      }
    },
  };
}
