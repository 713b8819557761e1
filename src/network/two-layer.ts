import { type Matrix, matrix, row } from "../base/matrix.ts";

/**
 * A two-layer network as data: f(x) = sum_j a_j(x) w_j + c0, one row of `U`, `b`, `W` a hidden neuron.
 *
 * - `relu`: a_j(x) = max(0, u_j . x + b_j).
 * - `gated`: a_j(x) = [g_j . x + h_j > 0] (u_j . x + b_j), with fixed gates (g_j, h_j).
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
      let z = b[j] as number;
      for (let k = 0; k < d; k++) z += (U.data[j * d + k] as number) * (x[k] as number);
      let open = z > 0;
      if (gates !== null) {
        let gate = gates.h[j] as number;
        for (let k = 0; k < d; k++) gate += (gates.G.data[j * d + k] as number) * (x[k] as number);
        open = gate > 0;
      }
      if (open) for (let q = 0; q < c; q++) f[q] = (f[q] as number) + z * (W.data[j * c + q] as number);
    }
  }
  return out;
}
