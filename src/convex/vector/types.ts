import type { Matrix } from "../../base/matrix.ts";
import type { Compute } from "../../compute/types.ts";
import type { TwoLayerNetwork } from "../../network/two-layer.ts";
import type { BiasForm, BoundScope, Scaling, SolveStatus } from "../types.ts";

/**
 * What the c outputs are fitted to.
 * `squared`: (1/2) sum_i ||f_i - y_i||^2 with Y n x c.
 * `softmax`: sum_i (log sum_k exp f_ik - f_i,label(i)), labels in 0 .. classes - 1.
 */
export type VectorTargets =
  | { readonly loss: "squared"; readonly Y: Matrix }
  | { readonly loss: "softmax"; readonly labels: ArrayLike<number>; readonly classes: number };

/**
 * Training of one network with c outputs and a shared hidden layer: minimize, over two-layer ReLU networks of any width,
 * loss(f(X)) + beta sum_j ||u_j|| ||w_j||, which is loss + (beta/2)(||U||^2 + ||W||^2) at balanced weights
 * (Ergen & Pilanci, JMLR 22 (2021), section 4.5).
 */
export interface VectorProblem {
  /** n x d features after preprocessing, without a bias column. */
  readonly X: Matrix;
  readonly targets: VectorTargets;
  readonly scaling: Scaling;
  /** n sample weights >= 0 that multiply the loss of each row; default: all 1. `mean` divides by n, not by their sum. */
  readonly weights?: Float64Array;
  /** Penalty in the problem's own scaling, > 0. */
  readonly beta: number;
  readonly bias: BiasForm;
}

export interface VectorOptions {
  readonly compute: Compute;
  /** Relative duality gap at which a solve is `optimal`; default 1e-6. */
  readonly tolerance?: number;
  /** Wall-clock budget in seconds; the best answer and bounds so far are returned when it is used up. Default: none. */
  readonly seconds?: number;
  /** A monotonic clock in seconds. */
  readonly now: () => number;
  readonly seed?: number;
  /** Polled often; true ends the solve with status `interrupted` and the best answer so far. */
  readonly cancelled?: () => boolean;
  /** A network to start from; same d and c. */
  readonly start?: TwoLayerNetwork;
  /** False: train only; `lowerBound` is then -Infinity. Default true. */
  readonly certify?: boolean;
  /** Neurons that training starts with, but for tiny problems; default 200. Most of them are merged. */
  readonly width?: number;
  /** Full passes over the rows that stochastic training makes at most; default 40. */
  readonly epochs?: number;
  /** Bounds M(v) = max over ||u|| <= 1 of |v'(Z u)_+| from above for the reduced data; default: exact sweeps or a race of branch and bound. */
  readonly scalarBound?: ScalarBound;
}

/**
 * A valid upper bound of M(v) for any v in R^n, how it was found (`exact-rank-R`, `shor`, ...) and, where the method knows
 * one, a direction in reduced coordinates (the free bias last) at which |v'(E u)_+| is large: it may become a neuron.
 */
export type ScalarBound = (v: Float64Array) => {
  readonly value: number;
  readonly method: string;
  readonly witness?: Float64Array | null;
};

export interface VectorSolution {
  readonly status: SolveStatus;
  /** Over the d features of `problem.X` (a bias column is folded into its hidden biases), c outputs; balanced. */
  readonly network: TwoLayerNetwork;
  /** Training objective of `network`, recomputed in f64 from its weights, in the problem's scaling. */
  readonly objective: number;
  /** Valid lower bound of the objective over `scope`. */
  readonly lowerBound: number;
  readonly gap: number;
  readonly scope: BoundScope;
  /** How M_F(V) was bounded: `cover-...`, `rotation-...` (both over a scalar method), `spectral`; `none` without a bound. */
  readonly method: string;
  /**
   * M_local / beta - 1, M_local the largest ||V'(Xu)_+|| that the last local search found: above 0 there is a neuron that
   * would lower the objective. Never a certificate.
   */
  readonly violation: number;
  /**
   * The bound over networks whose neurons have one of the listed activation patterns (the network's own and sampled ones);
   * null when it was not computed.
   */
  readonly listed: { readonly patterns: number; readonly lowerBound: number; readonly gap: number } | null;
  readonly neurons: number;
  readonly iterations: number;
  readonly seconds: number;
  /** Dual point behind `lowerBound` (n x c, in the sum scaling) and the bound on M_F(V) = max_u ||V'(Xu)_+|| used. */
  readonly dual: { readonly V: Matrix; readonly maxBound: number };
}
