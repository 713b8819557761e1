import { type Matrix, matrix, row } from "../../base/matrix.ts";
import { checkShapes, type TwoLayerNetwork } from "../../network/two-layer.ts";
import { isActive, type Pattern } from "../patterns/pattern.ts";
import { shortestAbove } from "./nonnegative.ts";

/** u = v - w with v and w in the cone of a pattern, K = {u : (2 D - I) X u >= 0}. */
export interface ConeDecomposition {
  readonly v: Float64Array;
  readonly w: Float64Array;
}

/** `least-squares`: the least ||v||^2 + ||w||^2; `least-norm`: the least ||v|| + ||w||, the penalty of the ReLU program. */
export type DecompositionNorm = "least-squares" | "least-norm";

const STEPS = 300;
const SETTLED = 1e-13;

/**
 * Splits a gated neuron into two ReLU neurons of one pattern (Mishkin, Sahiner & Pilanci, "Fast convex optimization for
 * two-layer ReLU networks", 2022): with v = (t + u)/2 and w = (t - u)/2 both lie in the cone exactly when (2D - I) X t >= |X u|
 * row by row, so the least-squares split is the shortest such t (non-negative least squares), and the least-norm split
 * minimizes ||t + u|| + ||t - u||, by reweighted least distances (a majorization: the sum never grows).
 *
 * Null when the cone has no interior where u needs it (a singular gate): no decomposition exists.
 */
export function decomposeOnCone(
  X: Matrix,
  pattern: Pattern,
  u: Float64Array,
  norm: DecompositionNorm,
): ConeDecomposition | null {
  const { rows: n, cols: d } = X;
  if (u.length !== d) throw new RangeError(`X has ${d} columns, u ${u.length} entries`);
  const G = matrix(n, d);
  const h = new Float64Array(n);
  let inside = true;
  let opposite = true;
  for (let i = 0; i < n; i++) {
    const sign = isActive(pattern, i) ? 1 : -1;
    let z = 0;
    for (let k = 0; k < d; k++) {
      z += X.data[i * d + k] * u[k];
      G.data[i * d + k] = sign * X.data[i * d + k];
    }
    h[i] = Math.abs(z);
    if (sign * z < 0) inside = false;
    if (sign * z > 0) opposite = false;
  }
  const zero = new Float64Array(d);
  if (inside) return { v: u.slice(), w: zero };
  if (opposite) return { v: zero, w: u.map((t) => -t) };
  let t = shortestAbove(G, h);
  if (t === null) return null;
  if (norm === "least-norm") t = leastNorm(G, h, u, t);
  return split(G, u, t);
}

/** minimize ||t + u|| + ||t - u|| subject to G t >= h: shortest distances from weighted centers on the segment -u, u. */
function leastNorm(G: Matrix, h: Float64Array, u: Float64Array, start: Float64Array): Float64Array {
  const d = u.length;
  const lengths = (t: Float64Array): [number, number] => [
    Math.hypot(...t.map((x, k) => x + u[k])),
    Math.hypot(...t.map((x, k) => x - u[k])),
  ];
  let t = start;
  let [plus, minus] = lengths(t);
  for (let step = 0; step < STEPS && plus > 0 && minus > 0; step++) {
    // ||t + u||^2 / plus + ||t - u||^2 / minus has its center at u (1/minus - 1/plus) / (1/minus + 1/plus).
    const center = (plus - minus) / (plus + minus);
    const shifted = h.slice();
    for (let i = 0; i < h.length; i++) for (let k = 0; k < d; k++) shifted[i] -= G.data[i * d + k] * center * u[k];
    const moved = shortestAbove(G, shifted);
    if (moved === null) break;
    const next = moved.map((x, k) => x + center * u[k]);
    const [a, b] = lengths(next);
    const settled = a + b >= (plus + minus) * (1 - SETTLED);
    if (a + b < plus + minus) {
      t = next;
      plus = a;
      minus = b;
    }
    if (settled) break;
  }
  return t;
}

/** v = (t + u)/2, w = v - u exactly; rounding that leaves the cone is undone by growing t. */
function split(G: Matrix, u: Float64Array, t: Float64Array): ConeDecomposition {
  const v = u.map((x, k) => (t[k] + x) / 2);
  const w = u.map((x, k) => v[k] - x);
  for (let pass = 0; pass < 60; pass++) {
    let worst = 0;
    for (let i = 0; i < G.rows; i++) {
      const g = row(G, i);
      let inV = 0;
      let inW = 0;
      for (let k = 0; k < u.length; k++) {
        inV += g[k] * v[k];
        inW += g[k] * w[k];
      }
      worst = Math.min(worst, inV, inW);
    }
    if (worst >= 0) break;
    const grow = 2 ** (pass - 50);
    for (let k = 0; k < u.length; k++) {
      v[k] = (t[k] * (1 + grow) + u[k]) / 2;
      w[k] = v[k] - u[k];
    }
  }
  return { v, w };
}

/**
 * A ReLU network with the outputs of a gated network on X: each gated neuron becomes the two ReLU neurons of
 * {@link decomposeOnCone}, with output weights of opposite sign. Equal on X only; elsewhere a ReLU follows its own sign.
 *
 * @throws RangeError when the network is not gated, has biases, or the gate of a neuron is singular on X.
 */
export function gatedToRelu(network: TwoLayerNetwork, X: Matrix, norm: DecompositionNorm): TwoLayerNetwork {
  checkShapes(network);
  const { U, b, W, gates } = network;
  if (gates === null) throw new RangeError("the network is not gated");
  if (b.some((t) => t !== 0)) throw new RangeError("fold hidden biases into a column of ones first");
  const units: { a: Float64Array; out: Float64Array }[] = [];
  for (let j = 0; j < U.rows; j++) {
    const g = row(gates.G, j);
    const pattern = new Uint32Array((X.rows + 31) >>> 5);
    for (let i = 0; i < X.rows; i++) {
      let z = gates.h[j];
      for (let k = 0; k < X.cols; k++) z += g[k] * X.data[i * X.cols + k];
      if (z > 0) pattern[i >>> 5] |= 1 << (i & 31);
    }
    const parts = decomposeOnCone(X, pattern, row(U, j).slice(), norm);
    if (parts === null)
      throw new RangeError(`the gate of neuron ${j} is singular: its cone does not split its weights`);
    const out = row(W, j);
    units.push({ a: parts.v, out: out.slice() }, { a: parts.w, out: out.map((t) => -t) });
  }
  const alive = units.filter(({ a }) => a.some((t) => t !== 0));
  const outU = matrix(alive.length, U.cols);
  const outW = matrix(alive.length, W.cols);
  alive.forEach(({ a, out }, j) => {
    outU.data.set(a, j * U.cols);
    outW.data.set(out, j * W.cols);
  });
  return { ...network, activation: "relu", U: outU, b: new Float64Array(alive.length), W: outW, gates: null };
}
