import { ConfigError } from "../../base/errors.ts";
import { type Matrix, matrix } from "../../base/matrix.ts";
import type { TwoLayerNetwork } from "../../network/two-layer.ts";
import { type CoreProblem, reduce } from "../reduction.ts";
import { softmaxLoss, squaredVectorLoss, type VectorLoss } from "./losses.ts";
import type { VectorProblem } from "./types.ts";

/** A neuron (E u)_+ w' of the reduced problem. */
export interface VectorUnit {
  /** p entries: the penalized ones, then the free bias if there is one. */
  readonly u: Float64Array;
  /** c entries. */
  readonly w: Float64Array;
}

/** A training problem in reduced coordinates (see {@link CoreProblem}): loss summed, E = Z or [Z, 1] with free biases. */
export interface VectorCore {
  readonly core: CoreProblem;
  readonly loss: VectorLoss;
  readonly beta: number;
  readonly freeBias: boolean;
  /** n x p. */
  readonly E: Float64Array;
  readonly n: number;
  readonly p: number;
  readonly c: number;
  /** Leading entries of u that the penalty counts. */
  readonly penalized: number;
}

/**
 * Checks a problem.
 *
 * @throws RangeError for shapes or entries that do not fit.
 * @throws ConfigError for a beta that is not positive, and for a free output bias without an optimum.
 */
export function checkVectorProblem({ X, targets, weights, beta, bias }: VectorProblem): void {
  const n = X.rows;
  const rows = targets.loss === "squared" ? targets.Y.rows : targets.labels.length;
  const c = outputsOf(targets);
  if (n === 0 || c === 0) throw new RangeError(`a problem needs rows and outputs, got ${n} and ${c}`);
  if (rows !== n) throw new RangeError(`X has ${n} rows, the targets ${rows}`);
  if (!X.data.every(Number.isFinite)) throw new RangeError("X has an entry that is not finite");
  if (weights !== undefined && (weights.length !== n || !weights.every((s) => s >= 0 && Number.isFinite(s)))) {
    throw new RangeError(`weights must be ${n} finite numbers >= 0, got ${weights.length}`);
  }
  if (!(beta > 0) || !Number.isFinite(beta)) {
    throw new ConfigError(`beta must be a positive number, got ${beta}`, { code: "beta" });
  }
  if (targets.loss === "squared") {
    if (!targets.Y.data.every(Number.isFinite)) throw new RangeError("Y has an entry that is not finite");
    return;
  }
  const total = new Float64Array(c);
  for (let i = 0; i < n; i++) {
    const label = targets.labels[i];
    if (!Number.isInteger(label) || label < 0 || label >= c) {
      throw new RangeError(`labels must be integers in 0 .. ${c - 1}, row ${i} has ${label}`);
    }
    total[label] += weights?.[i] ?? 1;
  }
  const missing = total.indexOf(0);
  if (bias === "output" && missing >= 0) {
    throw new ConfigError(`class ${missing} has no rows: its free output bias has no optimum`, {
      code: "class-missing",
      hint: "leave the class out, or use --bias column",
    });
  }
}

/** Number of outputs. */
export function outputsOf(targets: VectorProblem["targets"]): number {
  return targets.loss === "squared" ? targets.Y.cols : targets.classes;
}

/** The loss of a problem, summed over rows. */
export function vectorLoss({ X, targets, weights }: Pick<VectorProblem, "X" | "targets" | "weights">): VectorLoss {
  const s = weights ?? new Float64Array(X.rows).fill(1);
  return targets.loss === "squared" ? squaredVectorLoss(targets.Y, s) : softmaxLoss(targets.labels, targets.classes, s);
}

/** Reduces a problem. */
export function vectorCore(problem: VectorProblem): VectorCore {
  const core = reduce({
    X: problem.X,
    y: new Float64Array(problem.X.rows),
    loss: "squared",
    scaling: problem.scaling,
    beta: problem.beta,
    bias: problem.bias,
    program: "relu",
    patterns: { kind: "generated" },
  });
  const { rows: n, cols: r, data } = core.Z;
  const p = core.freeBias ? r + 1 : r;
  const E = core.freeBias ? new Float64Array(n * p).fill(1) : data;
  if (core.freeBias) for (let i = 0; i < n; i++) E.set(data.subarray(i * r, (i + 1) * r), i * p);
  const loss = vectorLoss(problem);
  return { core, loss, beta: core.beta, freeBias: core.freeBias, E, n, p, c: loss.c, penalized: r };
}

/** Euclidean norm. */
export function norm(x: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += x[k] * x[k];
  return Math.sqrt(sum);
}

/** Cosine of the angle between two vectors that are not zero. */
export function cosine(a: Float64Array, b: Float64Array): number {
  let dot = 0;
  for (let k = 0; k < a.length; k++) dot += a[k] * b[k];
  return dot / (norm(a) * norm(b));
}

/** Norm of the penalized part of u. */
export function hiddenNorm({ penalized }: Pick<VectorCore, "penalized">, u: Float64Array): number {
  return norm(u.subarray(0, penalized));
}

/** sum_i |v_i| ||x_i||, with twice the largest row for a free bias: above M(v) for any v that sums to zero. */
export function crudeMaximum({ core, freeBias }: VectorCore, v: Float64Array): number {
  const { rows: n, cols: r, data } = core.Z;
  let largest = 0;
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const length = Math.hypot(...data.subarray(i * r, (i + 1) * r)) + core.residual[i];
    largest = Math.max(largest, length);
    sum += Math.abs(v[i]) * length;
  }
  if (freeBias) for (let i = 0; i < n; i++) sum += Math.abs(v[i]) * largest;
  return sum;
}

/** The balanced network of these units and output biases. */
export function toVectorNetwork(
  { core, c, penalized, freeBias }: VectorCore,
  units: readonly VectorUnit[],
  c0: Float64Array,
): TwoLayerNetwork {
  // A scalar network of neurons ||w_j|| u_j is balanced; its output weights are the lengths of the rows of W.
  const scalar = core.toNetwork(
    units.map(({ u, w }) => {
      const size = norm(w);
      const a = u.map((t) => t * size);
      return { a: a.subarray(0, penalized), b: freeBias ? a[penalized] : 0, sign: 1 };
    }),
    0,
    null,
  );
  const W = matrix(units.length, c);
  units.forEach(({ w }, j) => {
    const size = norm(w);
    for (let k = 0; k < c; k++) W.data[j * c + k] = (w[k] / size) * scalar.W.data[j];
  });
  return { ...scalar, W, c0: Float64Array.from(c0) };
}

/**
 * Units and output biases of a network, in reduced coordinates.
 *
 * @throws RangeError when the network has other inputs or outputs.
 */
export function fromVectorNetwork(
  context: VectorCore,
  network: TwoLayerNetwork,
): { units: VectorUnit[]; c0: Float64Array } {
  const { core, c, freeBias } = context;
  const { U, b, W } = network;
  if (W.cols !== c) throw new RangeError(`a start needs ${c} outputs, got ${W.cols}`);
  const c0 = freeBias ? Float64Array.from(network.c0) : new Float64Array(c);
  const units: VectorUnit[] = [];
  for (let j = 0; j < U.rows; j++) {
    const w = W.data.slice(j * c, (j + 1) * c);
    if (!(norm(w) > 0)) continue;
    const one = {
      ...network,
      U: rowOf(U, j),
      b: b.slice(j, j + 1),
      W: matrix(1, 1, Float64Array.of(1)),
      c0: new Float64Array(1),
    };
    const { neurons, c0: constant } = core.fromNetwork(one);
    for (let k = 0; k < c; k++) c0[k] += constant * w[k];
    for (const { a, b: offset } of neurons) {
      const u = freeBias ? Float64Array.of(...a, offset) : a;
      if (hiddenNorm(context, u) > 0) units.push({ u, w });
    }
  }
  return { units, c0 };
}

function rowOf(a: Matrix, j: number): Matrix {
  return matrix(1, a.cols, a.data.slice(j * a.cols, (j + 1) * a.cols));
}

/** A set of units with what follows from it. */
export interface VectorIterate {
  readonly units: readonly VectorUnit[];
  readonly c0: Float64Array;
  /** n x c predictions. */
  readonly F: Float64Array;
  /** Objective in core scaling: loss + beta sum ||u_j|| ||w_j||. */
  readonly objective: number;
  /** n x c dual point -grad loss(F), centered when biases are free. */
  readonly V: Float64Array;
}

/** The iterate of these units, in plain f64 loops. */
export function vectorIterate(context: VectorCore, units: readonly VectorUnit[], c0: Float64Array): VectorIterate {
  const { E, n, p, c, loss, beta, freeBias } = context;
  const F = new Float64Array(n * c);
  for (let i = 0; i < n; i++) F.set(c0, i * c);
  let penalty = 0;
  for (const { u, w } of units) {
    penalty += hiddenNorm(context, u) * norm(w);
    for (let i = 0; i < n; i++) {
      let z = 0;
      for (let k = 0; k < p; k++) z += E[i * p + k] * u[k];
      if (z > 0) for (let k = 0; k < c; k++) F[i * c + k] += z * w[k];
    }
  }
  const V = new Float64Array(n * c);
  loss.negativeGradient(F, V);
  if (freeBias) loss.center(V);
  return { units, c0, F, objective: loss.value(F) + beta * penalty, V };
}
