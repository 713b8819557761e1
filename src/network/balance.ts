import { matrix, row, takeRows } from "../base/matrix.ts";
import { checkShapes, type TwoLayerNetwork } from "./two-layer.ts";

/**
 * Whether a hidden bias counts in the norm of its neuron. `penalized`: it is the weight of a column of ones, a weight
 * like the others. `free`: it carries no penalty. Output biases never carry one.
 */
export type HiddenBiases = "penalized" | "free";

/**
 * The penalty (1/2)(||U||^2 + ||W||^2), with `b` counted in ||U|| when it is penalized.
 *
 * It is at least {@link pathNorm}, with equality after {@link balance}.
 */
export function penalty(network: TwoLayerNetwork, biases: HiddenBiases): number {
  let sum = 0;
  for (const { hidden, output } of norms(network, biases)) sum += hidden * hidden + output * output;
  return sum / 2;
}

/** The path norm sum_j ||u_j|| ||w_j||, with (u_j, b_j) in the place of u_j when biases are penalized. */
export function pathNorm(network: TwoLayerNetwork, biases: HiddenBiases): number {
  let sum = 0;
  for (const { hidden, output } of norms(network, biases)) sum += hidden * output;
  return sum;
}

/**
 * The same function with balanced neurons, ||w_j|| = ||u_j||: (u_j, b_j) is multiplied and w_j divided by
 * alpha_j = (||w_j|| / ||u_j||)^(1/2) (Ergen and Pilanci, JMLR 22 (2021), Lemma 1). Gates keep their scale, which does
 * not matter. Neurons whose output weights or counted hidden weights are zero are dropped.
 *
 * With free biases a neuron of zero u_j is a constant: a ReLU one moves into the output biases. A gated one steps
 * along its gate, which no penalized weight pays for and no balanced neuron can express; it is kept as it is.
 */
export function balance(network: TwoLayerNetwork, biases: HiddenBiases): TwoLayerNetwork {
  checkShapes(network);
  const { gates } = network;
  const d = network.U.cols;
  const c = network.W.cols;
  const c0 = network.c0.slice();
  const kept: number[] = [];
  const factors: number[] = [];
  norms(network, biases).forEach(({ hidden, output }, j) => {
    const bias = network.b[j];
    if (output === 0) return;
    if (hidden > 0) {
      kept.push(j);
      factors.push(Math.sqrt(output) / Math.sqrt(hidden));
    } else if (biases === "free" && gates !== null && bias !== 0) {
      kept.push(j);
      factors.push(1);
    } else if (biases === "free" && gates === null && bias > 0) {
      const w = row(network.W, j);
      for (let q = 0; q < c; q++) c0[q] += bias * w[q];
    }
  });
  const U = takeRows(network.U, kept);
  const W = takeRows(network.W, kept);
  const b = entries(network.b, kept);
  factors.forEach((alpha, j) => {
    for (let k = 0; k < d; k++) U.data[j * d + k] *= alpha;
    for (let q = 0; q < c; q++) W.data[j * c + q] /= alpha;
    b[j] *= alpha;
  });
  const keptGates = gates === null ? null : { G: takeRows(gates.G, kept), h: entries(gates.h, kept) };
  return { ...network, U, b, W, c0, gates: keptGates };
}

function entries(values: Float64Array, indices: readonly number[]): Float64Array {
  return takeRows(matrix(values.length, 1, values), indices).data;
}

/** The counted norms of each neuron's hidden and output weights. */
function norms({ U, b, W }: TwoLayerNetwork, biases: HiddenBiases): { hidden: number; output: number }[] {
  return Array.from({ length: U.rows }, (_, j) => ({
    hidden: norm(row(U, j), biases === "penalized" ? b[j] : 0),
    output: norm(row(W, j), 0),
  }));
}

/** Euclidean norm of (values, last), scaled so that tiny and huge weights neither vanish nor overflow. */
function norm(values: Float64Array, last: number): number {
  let largest = Math.abs(last);
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  if (largest === 0 || largest === Number.POSITIVE_INFINITY) return largest;
  let sum = (last / largest) ** 2;
  for (const value of values) sum += (value / largest) ** 2;
  return largest * Math.sqrt(sum);
}
