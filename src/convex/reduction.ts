import { type Matrix, matrix, row } from "../base/matrix.ts";
import type { TwoLayerNetwork } from "../network/two-layer.ts";
import { rowSpaceBasis } from "./rank.ts";
import type { BiasForm, ConvexProblem } from "./types.ts";

/**
 * The training problem in the coordinates that the solvers use, *equivalent* to the original: their optimal values are
 * equal (up to the factor `unscale`), and `toNetwork` maps any point of one to a point of the other with the same value.
 *
 * minimize over neurons (a_j, b_j), sign s_j, and c0:
 *   loss(sum_j s_j (Z a_j + b_j)_+ + c0) + beta sum_j ||a_j||,    loss summed over samples;
 * b_j = 0 and c0 = 0 unless `freeBias`. Scaling `mean` has become `sum` by beta <- n beta; a bias column has become a
 * column of Z; Z has been scaled to rows of about unit length, and rotated to rank r when that is smaller than its number of
 * columns.
 */
export interface CoreProblem {
  /** n x r. */
  readonly Z: Matrix;
  readonly y: Float64Array;
  readonly beta: number;
  readonly freeBias: boolean;
  /** What the data were divided by (a power of two): a is `scale` times, beta and M(v) are 1 / `scale` times the original. */
  readonly scale: number;
  /** What the rotation left out of each row (n norms): M(v) may be larger than over Z by sum |v_i| residual_i. */
  readonly residual: Float64Array;
  /** The rotation: Z = (augmented X / scale) V; null when there is none. */
  readonly basis: Matrix | null;
  /** Multiply a core objective by this to get the problem's own scaling: 1 (sum) or 1/n (mean). */
  readonly unscale: number;
  /** The vector over the augmented inputs with coordinates a: V a. */
  toInput(a: Float64Array): Float64Array;
  /**
   * The balanced network of the neurons: hidden weights a/sqrt||a||, output weight s sqrt||a||. With `gates` (vectors
   * over the augmented inputs, one a neuron) a gated network.
   */
  toNetwork(neurons: readonly CoreNeuron[], c0: number, gates: readonly Float64Array[] | null): TwoLayerNetwork;
  /** Neurons of a network in core coordinates. */
  fromNetwork(network: TwoLayerNetwork): { neurons: CoreNeuron[]; c0: number };
}

/** One hidden unit s (Z a + b)_+ with its output weight folded in: penalty beta ||a||. */
export interface CoreNeuron {
  readonly a: Float64Array;
  readonly b: number;
  readonly sign: 1 | -1;
}

/** X with what the bias form adds: a column of ones, or nothing. */
function augment(X: Matrix, bias: BiasForm): Matrix {
  if (bias !== "column") return X;
  const out = matrix(X.rows, X.cols + 1);
  for (let i = 0; i < X.rows; i++) {
    out.data.set(X.data.subarray(i * X.cols, (i + 1) * X.cols), i * out.cols);
    out.data[i * out.cols + X.cols] = 1;
  }
  return out;
}

/** Column means, or zeros when the model does not absorb a shift. */
function shiftOf(X: Matrix, freeBias: boolean): Float64Array {
  const mean = new Float64Array(X.cols);
  if (!freeBias) return mean;
  for (let i = 0; i < X.rows; i++) for (let k = 0; k < X.cols; k++) mean[k] += X.data[i * X.cols + k] / X.rows;
  return mean;
}

/** Reduces a problem; see {@link CoreProblem}. */
export function reduce(problem: Omit<ConvexProblem, "beta"> & { beta?: number }): CoreProblem {
  const { X, y, bias } = problem;
  const n = X.rows;
  const freeBias = bias === "output";
  const augmented = augment(X, bias);
  const shift = shiftOf(augmented, freeBias);
  const centered = matrix(n, augmented.cols);
  let largest = 0;
  for (let i = 0; i < n; i++) {
    const z = row(centered, i);
    for (let k = 0; k < augmented.cols; k++) z[k] = augmented.data[i * augmented.cols + k] - shift[k];
    largest = Math.max(largest, Math.hypot(...z));
  }
  // Rows of about unit length make every tolerance of the solvers relative; a power of two makes the scaling exact.
  const scale = largest > 0 ? 2 ** Math.round(Math.log2(largest)) : 1;
  for (let k = 0; k < centered.data.length; k++) centered.data[k] /= scale;
  // Rotate only when it removes coordinates: otherwise the data themselves are exact and a rotation is not.
  const V = rowSpaceBasis(centered);
  const rotate = V.cols < centered.cols;
  const Z = rotate ? multiply(centered, V) : centered;
  const residual = rotate ? residualNorms(centered, Z, V) : new Float64Array(n);
  const toInput = (a: Float64Array): Float64Array => {
    if (!rotate) return a;
    const u = new Float64Array(centered.cols);
    for (let k = 0; k < u.length; k++) for (let q = 0; q < V.cols; q++) u[k] += V.data[k * V.cols + q] * a[q];
    return u;
  };
  const fromInput = (u: Float64Array): Float64Array => {
    if (!rotate) return Float64Array.from(u);
    const a = new Float64Array(V.cols);
    for (let k = 0; k < u.length; k++) for (let q = 0; q < V.cols; q++) a[q] += V.data[k * V.cols + q] * u[k];
    return a;
  };
  /** Splits a vector over the augmented inputs into feature weights and the bias that they imply. */
  const split = (u: Float64Array, b: number): { weights: Float64Array; bias: number } => {
    let offset = b;
    for (let k = 0; k < shift.length; k++) offset -= u[k] * shift[k];
    if (bias === "column") offset += u[X.cols];
    return { weights: u.subarray(0, X.cols), bias: offset };
  };

  return {
    Z,
    y,
    beta: ((problem.beta ?? 0) * (problem.scaling === "mean" ? n : 1)) / scale,
    scale,
    residual,
    basis: rotate ? V : null,
    freeBias,
    unscale: problem.scaling === "mean" ? 1 / n : 1,
    toInput,
    toNetwork(neurons, c0, gates) {
      const m = neurons.length;
      const U = matrix(m, X.cols);
      const b = new Float64Array(m);
      const W = matrix(m, 1);
      const G = matrix(m, X.cols);
      const h = new Float64Array(m);
      neurons.forEach((neuron, j) => {
        const a = neuron.a.map((t) => t / scale);
        const root = Math.sqrt(Math.hypot(...a));
        const hidden = split(toInput(a), neuron.b);
        for (let k = 0; k < X.cols; k++) U.data[j * X.cols + k] = hidden.weights[k] / root;
        b[j] = hidden.bias / root;
        W.data[j] = neuron.sign * root;
        const gate = gates?.[j];
        if (gate !== undefined) {
          G.data.set(gate.subarray(0, X.cols), j * X.cols);
          h[j] = bias === "column" ? gate[X.cols] : 0;
        }
      });
      const activation = gates === null ? "relu" : "gated";
      return {
        kind: "two-layer",
        activation,
        U,
        b,
        W,
        c0: Float64Array.of(c0),
        gates: gates === null ? null : { G, h },
      };
    },
    fromNetwork(network) {
      if (network.U.cols !== X.cols || network.W.cols !== 1) {
        throw new RangeError(
          `a start needs ${X.cols} inputs and 1 output, got ${network.U.cols} and ${network.W.cols}`,
        );
      }
      const neurons: CoreNeuron[] = [];
      let constant = 0;
      for (let j = 0; j < network.U.rows; j++) {
        const w = network.W.data[j];
        if (w === 0) continue;
        const size = Math.abs(w);
        const u = new Float64Array(augmented.cols);
        let offset = network.b[j] * size;
        for (let k = 0; k < X.cols; k++) {
          u[k] = network.U.data[j * X.cols + k] * size;
          offset += u[k] * shift[k];
        }
        if (bias === "column") u[X.cols] = offset;
        if (u.every((t) => t === 0)) {
          if (freeBias) constant += Math.sign(w) * Math.max(0, offset);
          continue;
        }
        neurons.push({ a: fromInput(u).map((t) => t * scale), b: freeBias ? offset : 0, sign: w > 0 ? 1 : -1 });
      }
      return { neurons, c0: freeBias ? network.c0[0] + constant : 0 };
    },
  };
}

/** ||x_i - V z_i|| of each row. */
function residualNorms(X: Matrix, Z: Matrix, V: Matrix): Float64Array {
  const left = new Float64Array(X.cols);
  return Float64Array.from({ length: X.rows }, (_, i) => {
    left.set(row(X, i));
    for (let q = 0; q < V.cols; q++) {
      for (let k = 0; k < X.cols; k++) left[k] -= V.data[k * V.cols + q] * Z.data[i * V.cols + q];
    }
    return Math.hypot(...left);
  });
}

function multiply(A: Matrix, B: Matrix): Matrix {
  const out = matrix(A.rows, B.cols);
  for (let i = 0; i < A.rows; i++) {
    for (let k = 0; k < A.cols; k++) {
      const a = A.data[i * A.cols + k];
      for (let j = 0; j < B.cols; j++) out.data[i * B.cols + j] += a * B.data[k * B.cols + j];
    }
  }
  return out;
}
