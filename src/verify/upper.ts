import type { Certificate } from "../certificate/index.ts";
import { above, EPS, ETA, normAbove, up } from "./arithmetic.ts";
import { softplusAbove } from "./logarithm.ts";
import type { Posed } from "./problem.ts";

/**
 * Upper bounds of the training objectives of a network, one an output: loss term + beta sum_j |w_j| |u_j|, the path norm, b_j counted in
 * u_j when it is the weight of a bias column. (It equals the weight decay of the same network with rescaled neurons.)
 */
export function objectivesAbove(posed: Posed, network: Certificate["network"]): number[] {
  const { n, X, Y, weights, scaling, beta, bias } = posed;
  const { U, b, W, c0 } = network;
  const d = X.cols;
  const m = U.rows;
  const c = Y.length;
  // 1. Norms: `long` counts the bias in any case.
  const neuron = new Float64Array(d + 1);
  const long = new Float64Array(m);
  const norm = long.map((_, j) => {
    for (let k = 0; k < d; k++) neuron[k] = U.data[j * d + k]!;
    neuron[d] = b[j]!;
    long[j] = normAbove(neuron, 0, d + 1);
    return bias === "output" ? normAbove(neuron, 0, d) : long[j];
  });
  const weighted = (q: number, norms: Float64Array): number =>
    above(
      norms.reduce((sum, size, j) => sum + Math.abs(W.data[j * c + q]!) * size, 0),
      m + 4,
    );
  const reach = Y.map((_, q) => weighted(q, long));
  const size = Y.map((_, q) => weighted(q, new Float64Array(m).fill(1)));

  // 2. Losses.
  const losses = new Float64Array(c);
  const x = new Float64Array(d + 1).fill(1);
  const f = new Float64Array(c);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < d; k++) x[k] = X.data[i * d + k];
    f.set(c0);
    for (let j = 0; j < m; j++) {
      let z = b[j]!;
      for (let k = 0; k < d; k++) z += U.data[j * d + k]! * x[k];
      if (!(z <= 0)) for (let q = 0; q < c; q++) f[q] += z * W.data[j * c + q]!;
    }
    // z_j is off by (d + 1) u |(u_j, b_j)| |(x, 1)|, which also bounds it; so f by (d + m + 3) u (reach |(x, 1)| + |c0|).
    const length = normAbove(x, 0, d + 1);
    for (let q = 0; q < c; q++) {
      const magnitude = reach[q]! * length + Math.abs(c0[q]!);
      const error = up((d + m + 16) * (EPS * magnitude + ETA * (1 + size[q]!)));
      losses[q] = up(losses[q] + up(weights[i] * lossAbove(posed, f[q], error, Y[q]![i])));
    }
  }
  return Y.map((_, q) => up(up(scaling === "mean" ? losses[q] / n : losses[q]) + up(beta * weighted(q, norm))));
}

/** The largest loss over predictions within `error` of f. */
function lossAbove({ loss, huber }: Posed, f: number, error: number, y: number): number {
  if (loss === "logistic") return softplusAbove(up(error - y * f));
  if (loss === "hinge") return Math.max(0, up(up(1 - y * f) + error));
  const distance = up(up(Math.abs(f - y)) + error);
  if (loss === "squared" || distance <= huber) return up(up(distance * distance) / 2);
  return up(huber * up(distance - huber / 2));
}
