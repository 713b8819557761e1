import { boxLeastSquares } from "../../solvers/bounded-least-squares.ts";
import type { Leaf } from "./leaf.ts";
import { RANK, type SignedRow } from "./relaxation.ts";
import type { ScaledSide } from "./scaled-side.ts";

/**
 * The best leaf of a node whose rows of P are all determined: G is concave there, so its maximum over the ball is the
 * distance from the sum of the active rows of P to the zonotope of N (less the cone of the path's rows), a least-squares
 * problem in theta_j = (q_j + t_j) / 2 in [0, q_j] and lam >= 0.
 */
export function exactLeaf(side: ScaledSide, path: readonly SignedRow[]): Leaf {
  const { d, Z, v, N, norms } = side;
  const rows = N.length + path.length;
  const X = new Float64Array(rows * d);
  const q = new Float64Array(rows);
  const target = new Float64Array(d);
  N.forEach((j, at) => {
    X.set(Z.subarray(j * d, (j + 1) * d), at * d);
    q[at] = -v[j]!;
  });
  path.forEach(({ row, sign }, f) => {
    const at = (N.length + f) * d;
    for (let k = 0; k < d; k++) X[at + k] = (-sign * Z[row * d + k]!) / norms[row]!;
    q[N.length + f] = Number.POSITIVE_INFINITY;
    if (v[row]! > 0 && sign > 0) for (let k = 0; k < d; k++) target[k] += v[row]! * Z[row * d + k]!;
  });
  const theta = new Float64Array(rows);
  boxLeastSquares({ X, stride: d, width: d, rows: Int32Array.from(q.keys()), q, p: target }, theta);
  const t = Float64Array.from(N, (_, at) => Math.min(Math.max(2 * theta[at] - q[at], -q[at]), q[at]) * (1 - 2 ** -50));
  const lam = Float64Array.from(path, (_, f) => Math.max(theta[N.length + f], 0));
  // What the solver returned is not trusted: the linear part is added up from the numbers of the leaf.
  const a = target.slice();
  for (let j = 0; j < rows; j++) {
    const weight = j < N.length ? (q[j] + t[j]) / 2 : lam[j - N.length];
    for (let k = 0; k < d; k++) a[k] -= weight * X[j * d + k];
  }
  let norm = 0;
  for (let k = 0; k < d; k++) norm += a[k] * a[k];
  norm = Math.sqrt(norm);
  const U = new Float64Array(d * RANK);
  for (let k = 0; k < d; k++) U[k * RANK] = norm > 0 ? a[k] / norm : 0;
  return {
    bound: norm + side.allowance,
    mu: norm / 2,
    pu: new Int32Array(0),
    s: new Float64Array(0),
    t,
    Pi: new Float32Array(0),
    lam,
    U,
  };
}
