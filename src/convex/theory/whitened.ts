import { ConfigError } from "../../base/errors.ts";
import { type Matrix, matrix } from "../../base/matrix.ts";
import { numericalRank, svd } from "../../compute/index.ts";
import type { Compute } from "../../compute/types.ts";
import type { TwoLayerNetwork } from "../../network/two-layer.ts";

/** A global optimum on whitened data, from a closed form. */
export interface WhitenedFit {
  readonly network: TwoLayerNetwork;
  readonly objective: number;
  /** The betas at which neurons vanish, one a part of the target (two signs, or the classes). */
  readonly deaths: Float64Array;
  /** Optimal dual point: n entries, or n x c row-major. */
  readonly v: Float64Array;
}

/** Entries of X X' - I of a whitened matrix are at most this large. */
const WHITE = 1e-9;

/**
 * U_s of X = U_s S V' (n x n when the rank is n), and the map that whitens other rows: x -> x'V S^-1.
 *
 * @throws ConfigError when the rank is below n (always when n > d): then X X' cannot become I, and Theorems 9, 12 and 15
 * do not apply.
 */
export function whiten(compute: Compute, X: Matrix): { data: Matrix; map: Matrix } {
  const { rows: n, cols: d } = X;
  return compute.scope((scope) => {
    const k = Math.min(n, d);
    const values = scope.f64(k);
    const u = scope.f64(n * k);
    const vt = scope.f64(k * d);
    svd(compute, n, d, scope.copy(X.data), d, values, u, k, vt, d);
    const rank = numericalRank(n, d, values);
    if (rank < n) {
      throw new ConfigError(`${n} rows of rank ${rank} cannot be whitened to X X' = I`, {
        code: "not-whitened",
        hint: "whitening needs as many independent features as rows (n <= d)",
      });
    }
    const map = matrix(d, n);
    for (let j = 0; j < d; j++) for (let q = 0; q < n; q++) map.data[j * n + q] = vt[q * d + j] / values[q];
    return { data: matrix(n, n, Float64Array.from(u)), map };
  });
}

/** @throws ConfigError unless X X' = I. */
function requireWhite(X: Matrix): void {
  const { rows: n, cols: d } = X;
  let worst = n > d ? Number.POSITIVE_INFINITY : 0;
  for (let i = 0; i < n && worst <= WHITE; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = i === j ? -1 : 0;
      for (let k = 0; k < d; k++) sum += X.data[i * d + k] * X.data[j * d + k];
      if (!(Math.abs(sum) <= worst)) worst = Math.abs(sum);
    }
  }
  if (worst <= WHITE) return;
  const off = n > d ? `${n} rows in ${d} dimensions cannot have X X' = I` : `X X' differs from I by ${worst}`;
  throw new ConfigError(`the data are not whitened: ${off}`, {
    code: "not-whitened",
    hint: "the closed forms hold for X X' = I only; whiten(compute, X) makes it so when n <= d",
  });
}

/** The network of neurons (weight w >= 0 times X'z / ||z||, output direction): balanced. */
function whiteNetwork(
  X: Matrix,
  c: number,
  parts: readonly { z: Float64Array; w: number; output: number; sign: number }[],
): TwoLayerNetwork {
  const { rows: n, cols: d } = X;
  const alive = parts.filter(({ w }) => w > 0);
  const U = matrix(alive.length, d);
  const W = matrix(alive.length, c);
  alive.forEach(({ z, w, output, sign }, j) => {
    const scale = Math.sqrt(w) / Math.hypot(...z);
    for (let i = 0; i < n; i++) for (let k = 0; k < d; k++) U.data[j * d + k] += scale * z[i] * X.data[i * d + k];
    W.data[j * c + output] = sign * Math.sqrt(w);
  });
  const b = new Float64Array(alive.length);
  return { kind: "two-layer", activation: "relu", U, b, W, c0: new Float64Array(c), gates: null };
}

const SIGNS = [1, -1] as const;

/**
 * minimize 1/2 ||f - y||^2 + beta/2 (||U||^2 + ||w||^2) over ReLU networks without biases, for whitened data X X' = I (Ergen &
 * Pilanci, arXiv:2002.11219, Theorem 9): a neuron along X^+ (y)_+ of weight ||(y)_+|| - beta, one along X^+ (-y)_+ of weight
 * -(||(-y)_+|| - beta), each present while that is positive.
 *
 * @throws ConfigError when X X' is not I (always when n > d).
 */
export function fitWhitened(X: Matrix, y: Float64Array, beta: number): WhitenedFit {
  requireWhite(X);
  const v = new Float64Array(y.length);
  let objective = 0;
  const parts = SIGNS.map((sign) => {
    const z = y.map((t) => Math.max(0, sign * t));
    const length = Math.hypot(...z);
    const alive = length > beta;
    objective += alive ? beta * length - beta ** 2 / 2 : length ** 2 / 2;
    for (let i = 0; i < z.length; i++) v[i] += sign * (alive ? beta / length : 1) * z[i];
    return { z, w: length - beta, output: 0, sign, length };
  });
  return {
    network: whiteNetwork(X, 1, parts),
    objective,
    deaths: Float64Array.from(parts, ({ length }) => length),
    v,
  };
}

/**
 * minimize sum max(0, 1 - y_i f_i) + beta/2 (||U||^2 + ||w||^2), y = +-1, for whitened data (Theorem 12, with the box
 * 0 <= y_i v_i <= 1 that its printed proof leaves out): for each class of n_k samples a neuron of weight sqrt(n_k) while
 * beta < sqrt(n_k), none beyond; at beta = sqrt(n_k) every weight in between is optimal. Value: sum min(beta sqrt(n_k), n_k).
 *
 * @throws ConfigError when X X' is not I; RangeError when a label is not -1 or 1.
 */
export function fitWhitenedHinge(X: Matrix, y: Float64Array, beta: number): WhitenedFit {
  requireWhite(X);
  if (!y.every((t) => t === 1 || t === -1)) throw new RangeError("labels must be -1 or 1");
  const v = new Float64Array(y.length);
  let objective = 0;
  const parts = SIGNS.map((sign) => {
    const z = y.map((t) => Math.max(0, sign * t));
    const size = z.reduce((sum, t) => sum + t, 0);
    const root = Math.sqrt(size);
    objective += Math.min(beta * root, size);
    for (let i = 0; i < z.length; i++) if (z[i] > 0) v[i] = sign * Math.min(1, beta / root);
    return { z, w: beta < root ? root : 0, output: 0, sign, root };
  });
  return { network: whiteNetwork(X, 1, parts), objective, deaths: Float64Array.from(parts, ({ root }) => root), v };
}

/**
 * minimize 1/2 ||F - Y||^2 + beta/2 (||U||^2 + ||W||^2) for one-hot Y and whitened data (Theorem 15): for each class j of n_j
 * samples a neuron along X^+ y_j with output weight (sqrt(n_j) - beta) e_j while beta < sqrt(n_j); it dies at
 * beta = sqrt(n_j).
 *
 * @param labels class of each row, integers from 0 to classes - 1.
 * @throws ConfigError when X X' is not I; RangeError when a label is not such an integer.
 */
export function fitWhitenedOneHot(X: Matrix, labels: ArrayLike<number>, classes: number, beta: number): WhitenedFit {
  requireWhite(X);
  const n = X.rows;
  const sizes = new Float64Array(classes);
  for (let i = 0; i < n; i++) {
    if (!Number.isInteger(labels[i]) || labels[i] < 0 || labels[i] >= classes) {
      throw new RangeError(`label ${labels[i]} of row ${i} is not an integer from 0 to ${classes - 1}`);
    }
    sizes[labels[i]] += 1;
  }
  const v = new Float64Array(n * classes);
  const parts = Array.from(sizes, (size, output) => {
    const root = Math.sqrt(size);
    const z = Float64Array.from({ length: n }, (_, i) => (labels[i] === output ? 1 : 0));
    for (let i = 0; i < n; i++) if (z[i] > 0) v[i * classes + output] = Math.min(1, beta / root);
    return { z, w: root - beta, output, sign: 1 };
  });
  return {
    network: whiteNetwork(X, classes, parts),
    objective: oneHotOptimum(sizes, beta),
    deaths: sizes.map(Math.sqrt),
    v,
  };
}

/** The optimal value of Theorem 15, equation (68), from the class sizes alone. */
export function oneHotOptimum(sizes: ArrayLike<number>, beta: number): number {
  let value = 0;
  for (let j = 0; j < sizes.length; j++) {
    const root = Math.sqrt(sizes[j]);
    value += beta <= root ? beta * root - beta ** 2 / 2 : sizes[j] / 2;
  }
  return value;
}

/**
 * The interpolation of non-negative parts by one neuron each, for data of full row rank: column k of Y >= 0 by
 * u_k = X^+ y_k / ||X^+ y_k||, w_k = ||X^+ y_k|| e_k (Ergen & Pilanci, arXiv:2002.11219, Lemma 12). For a single target of both
 * signs pass its positive and negative part: two neurons, the fewest possible (Lemma 9, Corollary 7); they have the least
 * norm too when the data are whitened (Lemma 10), in general not.
 *
 * @param Y n x c, entries >= 0.
 * @returns the neurons X^+ y_k (rows of a c x d matrix, zero for a zero column) and the norm sum ||X^+ y_k||.
 * @throws ConfigError when X does not have full row rank; RangeError when an entry is negative or shapes differ.
 */
export function interpolateParts(compute: Compute, X: Matrix, Y: Matrix): { neurons: Matrix; norm: number } {
  if (Y.rows !== X.rows) throw new RangeError(`X has ${X.rows} rows, Y ${Y.rows}`);
  if (!Y.data.every((t) => t >= 0)) throw new RangeError("the parts must be non-negative");
  const { data, map } = whiten(compute, X);
  const n = X.rows;
  const d = X.cols;
  const neurons = matrix(Y.cols, d);
  let norm = 0;
  for (let k = 0; k < Y.cols; k++) {
    // X^+ y = V S^-1 U'y
    let length = 0;
    for (let q = 0; q < n; q++) {
      let coefficient = 0;
      for (let i = 0; i < n; i++) coefficient += data.data[i * n + q] * Y.data[i * Y.cols + k];
      for (let j = 0; j < d; j++) neurons.data[k * d + j] += coefficient * map.data[j * n + q];
    }
    for (let j = 0; j < d; j++) length += neurons.data[k * d + j] ** 2;
    norm += Math.sqrt(length);
  }
  return { neurons, norm };
}
