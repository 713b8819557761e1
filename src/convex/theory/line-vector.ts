import { type Matrix, matrix } from "../../base/matrix.ts";
import type { TwoLayerNetwork } from "../../network/two-layer.ts";
import { groupLasso } from "./group-lasso.ts";
import { lineData } from "./line-data.ts";

/** The global optimum of one-dimensional training with several outputs and free biases. */
export interface LineVectorFit {
  readonly network: TwoLayerNetwork;
  /** 1/2 ||F - Y||^2 + beta sum_j ||w_j|| of the network (rows w_j of W at ||u_j|| = 1). */
  readonly objective: number;
  /** Dual value: no network of any width has a smaller objective (up to rounding). */
  readonly lowerBound: number;
  /** Dual point, n x c: columns sum to zero. */
  readonly V: Matrix;
}

/**
 * minimize 1/2 ||F - Y||^2 + beta sum_j ||w_j||_2 over F(x) = sum_j w_j (u_j x + b_j)_+ + c0, |u_j| = 1, biases free, w_j and c0
 * vectors: for one-dimensional data a group lasso over the 2n ramps at the data (Ergen & Pilanci, arXiv:2002.11219,
 * Theorem 14: the dual constraint ||V'(X u + b)_+|| is convex in b between data points).
 *
 * @param Y n x c.
 * @throws RangeError when beta is not positive and finite, or Y does not fit.
 */
export function fitLineVector(x: Float64Array, Y: Matrix, beta: number): LineVectorFit {
  if (!(beta > 0) || !Number.isFinite(beta)) throw new RangeError(`beta must be positive and finite, got ${beta}`);
  if (Y.rows !== x.length) throw new RangeError(`needs as many target rows as points, got ${Y.rows} and ${x.length}`);
  const c = Y.cols;
  const { t } = lineData(x, new Float64Array(x.length));
  const candidates = ([1, -1] as const).flatMap((u) => Array.from(t, (kink) => ({ u, kink })));
  const columns = candidates.map(({ u, kink }) => x.map((value) => Math.max(0, u * (value - kink))));
  const { W: weights, c0, residual, objective, lowerBound } = groupLasso({ columns, Y, beta });
  const norms = candidates.map((_, j) => Math.hypot(...weights.data.subarray(j * c, (j + 1) * c)));
  const active = Array.from(norms.keys()).filter((j) => norms[j] > 0);
  const U = matrix(active.length, 1);
  const b = new Float64Array(active.length);
  const W = matrix(active.length, c);
  active.forEach((j, at) => {
    const root = Math.sqrt(norms[j]);
    U.data[at] = candidates[j].u * root;
    b[at] = -candidates[j].u * candidates[j].kink * root;
    for (let q = 0; q < c; q++) W.data[at * c + q] = weights.data[j * c + q] / root;
  });
  const network: TwoLayerNetwork = { kind: "two-layer", activation: "relu", U, b, W, c0, gates: null };
  return { network, objective, lowerBound, V: residual };
}
