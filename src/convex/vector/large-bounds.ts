import type { RandomStream } from "../../base/random.ts";
import type { Compute } from "../../compute/types.ts";
import type { TwoLayerNetwork } from "../../network/two-layer.ts";
import type { VectorMaximum } from "./bound.ts";
import { spectralBound } from "./spectral.ts";
import type { VectorProblem } from "./types.ts";

const PANEL = 4096;
/** Sampled patterns beside the network's own, and patterns that are priced together. */
const SAMPLED = 100;
const GROUP = 50;

/** Bounds of M_F(V) at the dual point of a network of many rows, in f64, in the problem's own coordinates. */
export interface LargeBounds {
  /** Over all patterns. */
  readonly all: VectorMaximum;
  /** Over the patterns of the network's neurons and of Gaussian gates; null when cancelled or with free biases. */
  readonly listed: { readonly patterns: number; readonly maximum: number } | null;
}

/** Predictions (n x c) and path norm of a network, through matrix products in f64. */
export function largePredictions(
  compute: Compute,
  { X, bias }: VectorProblem,
  network: TwoLayerNetwork,
): { F: Float64Array; penalty: number } {
  const { U, b, W, c0 } = network;
  const { rows: n, cols: d } = X;
  const m = U.rows;
  const c = W.cols;
  const F = new Float64Array(n * c);
  compute.scope((scope) => {
    const hidden = scope.copy(U.data);
    const outputs = scope.copy(W.data);
    const part = scope.f64(Math.min(n, PANEL) * d);
    const A = scope.f64(Math.min(n, PANEL) * m);
    const f = scope.f64(Math.min(n, PANEL) * c);
    for (let from = 0; from < n; from += PANEL) {
      const count = Math.min(PANEL, n - from);
      part.set(X.data.subarray(from * d, (from + count) * d));
      compute.gemm(false, true, count, m, d, 1, part, d, hidden, d, 0, A, m);
      for (let k = 0; k < count * m; k++) A[k] = Math.max(0, A[k] + b[k % m]);
      compute.gemm(false, false, count, c, m, 1, A, m, outputs, c, 0, f, c);
      for (let k = 0; k < count * c; k++) F[from * c + k] = f[k] + c0[k % c];
    }
  });
  let penalty = 0;
  for (let j = 0; j < m; j++) {
    const length = Math.hypot(...U.data.subarray(j * d, (j + 1) * d), bias === "column" ? b[j] : 0);
    penalty += length * Math.hypot(...W.data.subarray(j * c, (j + 1) * c));
  }
  return { F, penalty };
}

/** Bounds M_F(V) over all patterns (`spectral`; `row-norms` with free biases) and over listed ones. */
export function boundLarge(
  compute: Compute,
  problem: VectorProblem,
  network: TwoLayerNetwork,
  V: Float64Array,
  random: RandomStream,
  stop: () => boolean,
): LargeBounds {
  const { X, bias } = problem;
  const { rows: n, cols: d } = X;
  const c = network.W.cols;
  const p = bias === "column" ? d + 1 : d;
  let crude = 0;
  let largest = 0;
  for (let i = 0; i < n; i++) {
    let square = bias === "column" ? 1 : 0;
    for (let k = i * d; k < (i + 1) * d; k++) square += X.data[k] ** 2;
    largest = Math.max(largest, Math.sqrt(square));
    crude += Math.hypot(...V.subarray(i * c, (i + 1) * c)) * Math.sqrt(square);
  }
  if (bias === "output") {
    // |b| <= max ||x_i|| at a maximizer.
    for (let i = 0; i < n; i++) crude += Math.hypot(...V.subarray(i * c, (i + 1) * c)) * largest;
    return { all: { value: crude, method: "row-norms", witness: null }, listed: null };
  }
  const byNorms: VectorMaximum = { value: crude, method: "row-norms", witness: null };
  if (stop()) return { all: byNorms, listed: null };
  let E = X.data;
  if (p > d) {
    E = new Float64Array(n * p).fill(1);
    for (let i = 0; i < n; i++) E.set(X.data.subarray(i * d, (i + 1) * d), i * p);
  }
  const listed = listedMaximum(compute, E, n, p, network, V, random, stop);
  if (stop()) return { all: byNorms, listed };
  const spectral = spectralBound(compute, E, n, p, V, c, random);
  return { all: spectral < crude ? { value: spectral, method: "spectral", witness: null } : byNorms, listed };
}

/** max over listed patterns D of the spectral norm of V'D E: at least ||V'(E u)_+|| for every u with one of these patterns. */
function listedMaximum(
  compute: Compute,
  E: Float64Array,
  n: number,
  p: number,
  { U, b, W }: TwoLayerNetwork,
  V: Float64Array,
  random: RandomStream,
  stop: () => boolean,
): LargeBounds["listed"] {
  const c = W.cols;
  const patterns = U.rows + SAMPLED;
  const gates = new Float64Array(patterns * p);
  for (let g = 0; g < patterns; g++) {
    for (let k = 0; k < p; k++) {
      gates[g * p + k] = g >= U.rows ? random.normal() : k < U.cols ? U.data[g * U.cols + k] : b[g];
    }
  }
  let maximum = 0;
  for (let first = 0; first < patterns; first += GROUP) {
    if (stop()) return null;
    const count = Math.min(GROUP, patterns - first);
    compute.scope((scope) => {
      const G = scope.copy(gates.subarray(first * p, (first + count) * p));
      const part = scope.f64(Math.min(n, PANEL) * p);
      const Z = scope.f64(Math.min(n, PANEL) * count);
      const masked = scope.f64(Math.min(n, PANEL) * count * c);
      const products = scope.f64(count * c * p);
      for (let from = 0; from < n; from += PANEL) {
        const size = Math.min(PANEL, n - from);
        part.set(E.subarray(from * p, (from + size) * p));
        compute.gemm(false, true, size, count, p, 1, part, p, G, p, 0, Z, count);
        for (let i = 0; i < size; i++) {
          for (let g = 0; g < count; g++) {
            const open = Z[i * count + g] > 0;
            for (let k = 0; k < c; k++) masked[(i * count + g) * c + k] = open ? V[(from + i) * c + k] : 0;
          }
        }
        compute.gemm(true, false, count * c, p, size, 1, masked, count * c, part, p, 1, products, p);
      }
      const gram = scope.f64(c * c);
      const squares = scope.f64(c);
      for (let g = 0; g < count; g++) {
        const B = products.subarray(g * c * p, (g + 1) * c * p);
        compute.gemm(false, true, c, c, p, 1, B, p, B, p, 0, gram, c);
        compute.symmetricEigen(c, gram, c, squares);
        maximum = Math.max(maximum, Math.sqrt(Math.max(0, squares[c - 1])) * (1 + 1e-12));
      }
    });
  }
  return { patterns, maximum };
}
