import { type Matrix, matrix, row } from "../base/matrix.ts";

/**
 * A two-layer network as data: f(x) = sum_j a_j(x) w_j + c0, one row of `U`, `b`, `W` a hidden neuron.
 *
 * - `relu`: a_j(x) = max(0, u_j . x + b_j).
 * - `gated`: a_j(x) = [g_j . x + h_j > 0] (u_j . x + b_j), with fixed gates (g_j, h_j).
 *
 * `m = 0` is the constant network c0.
 */
export interface TwoLayerNetwork {
  readonly kind: "two-layer";
  readonly activation: "relu" | "gated";
  /** Hidden weights, m x d. */
  readonly U: Matrix;
  /** Hidden biases, m. */
  readonly b: Float64Array;
  /** Output weights, m x c. */
  readonly W: Matrix;
  /** Output biases, c. */
  readonly c0: Float64Array;
  /** Gates of a gated network: G is m x d, h has m entries; null for `relu`. */
  readonly gates: { readonly G: Matrix; readonly h: Float64Array } | null;
}

/**
 * Checks that the arrays of a network fit together.
 *
 * @throws RangeError naming the first array that does not fit, with both shapes.
 * @throws TypeError when the activation and the gates contradict each other.
 */
export function checkShapes({ activation, U, b, W, c0, gates }: TwoLayerNetwork): void {
  const need = (name: string, rows: number, cols: number, array: Matrix): void => {
    if (array.rows !== rows || array.cols !== cols || array.data.length !== rows * cols) {
      const got = `${array.rows} x ${array.cols} with ${array.data.length} entries`;
      throw new RangeError(`${name} must be ${rows} x ${cols} beside U, which is ${U.rows} x ${U.cols}; it is ${got}`);
    }
  };
  const column = (data: Float64Array): Matrix => ({ rows: data.length, cols: 1, data });
  need("U", U.rows, U.cols, U);
  need("b", U.rows, 1, column(b));
  need("W", U.rows, W.cols, W);
  need("c0", W.cols, 1, column(c0));
  if ((activation === "gated") !== (gates !== null)) {
    throw new TypeError(`a ${activation} network ${gates === null ? "needs gates" : "has no gates"}`);
  }
  if (gates !== null) {
    need("G", U.rows, U.cols, gates.G);
    need("h", U.rows, 1, column(gates.h));
  }
}

/**
 * Outputs f(x_i) of the network, n x c, in plain f64 loops (every reported objective is computed from this).
 *
 * @param X n x d inputs.
 * @throws RangeError when X does not have the network's number of inputs.
 */
export function forward(network: TwoLayerNetwork, X: Matrix): Matrix {
  const { U, b, W, c0, gates } = network;
  const d = U.cols;
  const m = U.rows;
  const c = W.cols;
  if (X.cols !== d) throw new RangeError(`the network has ${d} inputs, the data ${X.cols} columns`);
  const out = matrix(X.rows, c);
  for (let i = 0; i < X.rows; i++) {
    const x = row(X, i);
    const f = row(out, i);
    f.set(c0);
    for (let j = 0; j < m; j++) {
      const z = affine(U, b, j, x);
      const gate = gates === null ? z : affine(gates.G, gates.h, j, x);
      if (gate > 0) for (let q = 0; q < c; q++) f[q] += z * W.data[j * c + q];
    }
  }
  return out;
}

/** a_j . x + s_j, added up from the bias in the order of the inputs. */
function affine(a: Matrix, s: Float64Array, j: number, x: Float64Array): number {
  const d = a.cols;
  let sum = s[j];
  for (let k = 0; k < d; k++) sum += a.data[j * d + k] * x[k];
  return sum;
}
