import { type Matrix, matrix, row, takeRows } from "../../base/matrix.ts";
import { balance, type HiddenBiases } from "../../network/balance.ts";
import { checkShapes, type TwoLayerNetwork } from "../../network/two-layer.ts";

/** Weights below this part of their size before a step are zero. */
const ZERO = 1e-13;
/** A column nearer than this (relative to its length) to the span of the others depends on them. */
const DEPENDENT = 1e-11;

/**
 * A network with at most n c neurons (n rows, c outputs; n for one output), the same outputs on X and a path norm that is not
 * larger: no activation of it is a combination of the others. At a global optimum both objectives are equal, so this is a
 * minimal-width optimal network in the sense of Ergen & Pilanci (arXiv:2002.11219), Theorems 1 and 3 (m* <= n + 1), and Mishkin &
 * Pilanci ("Optimal sets and solution paths of ReLU networks", 2023).
 *
 * 1. Neurons with one activation pattern on X and parallel output weights of the same direction are added up (triangle
 *    inequality). 2. While the contributions h_j w_j' are dependent, a null combination scales neurons, in the direction in
 *    which the path norm does not grow, until one of them vanishes (Caratheodory).
 *
 * @throws RangeError when X does not fit, or the network is gated.
 */
export function pruneNetwork(network: TwoLayerNetwork, X: Matrix, biases: HiddenBiases): TwoLayerNetwork {
  checkShapes(network);
  if (network.gates !== null) throw new RangeError("only ReLU networks are pruned");
  if (X.cols !== network.U.cols) throw new RangeError(`the network has ${network.U.cols} inputs, X ${X.cols} columns`);
  return caratheodory(addUp(balance(network, biases), X, biases), X, biases);
}

/** Activations of the neurons on X, one row a neuron (m x n). */
function activations({ U, b }: TwoLayerNetwork, X: Matrix): Matrix {
  const out = matrix(U.rows, X.rows);
  for (let j = 0; j < U.rows; j++) {
    for (let i = 0; i < X.rows; i++) {
      let z = b[j];
      for (let k = 0; k < X.cols; k++) z += U.data[j * X.cols + k] * X.data[i * X.cols + k];
      out.data[j * X.rows + i] = z;
    }
  }
  return out;
}

function addUp(network: TwoLayerNetwork, X: Matrix, biases: HiddenBiases): TwoLayerNetwork {
  const { U, b, W } = network;
  const c = W.cols;
  const Z = activations(network, X);
  const groups = new Map<string, { direction: Float64Array; members: number[] }[]>();
  for (let j = 0; j < U.rows; j++) {
    const w = row(W, j);
    const size = Math.hypot(...w);
    const direction = w.map((t) => t / size);
    const pattern = Array.from(row(Z, j), (z) => (z > 0 ? 1 : 0)).join("");
    const list = groups.get(pattern) ?? [];
    groups.set(pattern, list);
    const known = list.find((group) => group.direction.every((t, q) => Math.abs(t - direction[q]) <= ZERO));
    if (known === undefined) list.push({ direction, members: [j] });
    else known.members.push(j);
  }
  const merged = [...groups.values()].flat();
  const outU = matrix(merged.length, U.cols);
  const outB = new Float64Array(merged.length);
  const outW = matrix(merged.length, c);
  merged.forEach(({ direction, members }, at) => {
    for (const j of members) {
      const size = Math.hypot(...row(W, j));
      for (let k = 0; k < U.cols; k++) outU.data[at * U.cols + k] += size * U.data[j * U.cols + k];
      outB[at] += size * b[j];
    }
    outW.data.set(direction, at * c);
  });
  return balance({ ...network, U: outU, b: outB, W: outW }, biases);
}

function caratheodory(network: TwoLayerNetwork, X: Matrix, biases: HiddenBiases): TwoLayerNetwork {
  const { U, b, W } = network;
  const m = U.rows;
  const c = W.cols;
  const size = X.rows * c;
  const Z = activations(network, X);
  // Contributions of the neurons, h_j w_j', as vectors of n c entries, and what they cost.
  const columns = Array.from({ length: m }, (_, j) => {
    const column = new Float64Array(size);
    for (let i = 0; i < X.rows; i++) {
      const z = Math.max(0, Z.data[j * X.rows + i]);
      for (let q = 0; q < c; q++) column[i * c + q] = z * W.data[j * c + q];
    }
    return column;
  });
  const cost = Array.from({ length: m }, (_, j) => {
    const hidden = Math.hypot(...row(U, j), biases === "penalized" ? b[j] : 0);
    return hidden * Math.hypot(...row(W, j));
  });
  const scale = new Float64Array(m).fill(1);
  let alive = Array.from({ length: m }, (_, j) => j).filter((j) => {
    const active = columns[j].some((t) => t !== 0);
    if (!active) scale[j] = 0;
    return active;
  });
  for (;;) {
    const z = nullCombination(alive.map((j) => columns[j]));
    if (z === null) break;
    let slope = 0;
    alive.forEach((j, k) => {
      slope += z[k] * cost[j];
    });
    const turn = slope > 0 ? -1 : 1;
    let step = Number.POSITIVE_INFINITY;
    alive.forEach((j, k) => {
      if (turn * z[k] < 0) step = Math.min(step, scale[j] / -(turn * z[k]));
    });
    if (step === Number.POSITIVE_INFINITY) {
      // All grow at no cost: only possible for contributions that cancel, turn the other way.
      alive.forEach((j, k) => {
        if (z[k] !== 0) step = Math.min(step, scale[j] / Math.abs(z[k]));
      });
      step = -step;
    }
    alive.forEach((j, k) => {
      const before = scale[j];
      scale[j] += step * turn * z[k];
      if (scale[j] <= ZERO * before) scale[j] = 0;
    });
    alive = alive.filter((j) => scale[j] > 0);
  }
  const kept = Array.from({ length: m }, (_, j) => j).filter((j) => scale[j] > 0);
  const root = kept.map((j) => Math.sqrt(scale[j]));
  const thin = { ...network, U: takeRows(U, kept), b: Float64Array.from(kept, (j) => b[j]), W: takeRows(W, kept) };
  root.forEach((t, j) => {
    for (let k = 0; k < U.cols; k++) thin.U.data[j * U.cols + k] *= t;
    for (let q = 0; q < c; q++) thin.W.data[j * c + q] *= t;
    thin.b[j] *= t;
  });
  return thin;
}

/** z != 0 with sum z_k a_k = 0 (largest entry 1), or null when the columns are independent. */
function nullCombination(columns: readonly Float64Array[]): Float64Array | null {
  const Q: Float64Array[] = [];
  const R: Float64Array[] = [];
  for (let k = 0; k < columns.length; k++) {
    const q = columns[k].slice();
    const before = Math.hypot(...q);
    const r = new Float64Array(k + 1);
    for (let pass = 0; pass < 2; pass++) {
      Q.forEach((e, a) => {
        let along = 0;
        for (let i = 0; i < q.length; i++) along += e[i] * q[i];
        r[a] += along;
        for (let i = 0; i < q.length; i++) q[i] -= along * e[i];
      });
    }
    const length = Math.hypot(...q);
    if (length > DEPENDENT * before) {
      r[k] = length;
      R.push(r);
      Q.push(q.map((t) => t / length));
      continue;
    }
    const z = new Float64Array(columns.length);
    z[k] = 1;
    for (let a = k - 1; a >= 0; a--) {
      let sum = -r[a];
      for (let e = a + 1; e < k; e++) sum -= R[e][a] * z[e];
      z[a] = sum / R[a][a];
    }
    const largest = z.reduce((most, t) => Math.max(most, Math.abs(t)), 0);
    return z.map((t) => t / largest);
  }
  return null;
}
