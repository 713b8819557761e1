import type { Matrix } from "../base/matrix.ts";
import type { Compute } from "../compute/types.ts";
import type { TwoLayerNetwork } from "../network/two-layer.ts";

export type LossName = "squared" | "logistic" | "hinge" | "huber";
/** `sum`: the loss is summed over samples; `mean`: divided by n. The penalty is never scaled. */
export type Scaling = "sum" | "mean";
/** See docs/objective.md. `none`; `column`: a penalized column of ones; `output`: all biases free and unpenalized. */
export type BiasForm = "none" | "column" | "output";
export type Program = "relu" | "gated";

/** Which activation patterns the program ranges over. */
export type PatternSource =
  /** Found by local search, one working set after another (relu), or sampled Gaussian gates (gated). */
  | { readonly kind: "generated" }
  /** All of them (rank <= 3 only). */
  | { readonly kind: "all" }
  /** `count` patterns of Gaussian gates. */
  | { readonly kind: "sampled"; readonly count: number }
  /** Patterns of the given gate vectors, P x d (d counts the bias column when there is one). */
  | { readonly kind: "gates"; readonly G: Matrix };

/**
 * One scalar-output training problem: minimize, over two-layer networks f of any width,
 * loss(f(X), y) + (beta/2) (||U||^2 + ||w||^2)   [relu], or loss + beta sum ||u_i|| over fixed gates [gated].
 */
export interface ConvexProblem {
  /** n x d features after preprocessing, without a bias column. */
  readonly X: Matrix;
  /** n targets: numbers, or -1/+1 for a classification loss. */
  readonly y: Float64Array;
  readonly loss: LossName;
  readonly scaling: Scaling;
  /** n sample weights >= 0 that multiply the loss of each row; default: all 1. `mean` divides by n, not by their sum. */
  readonly weights?: Float64Array;
  /** Threshold of the Huber loss: (f-y)^2/2 up to it, linear beyond; default 1. */
  readonly huber?: number;
  /** Penalty in the problem's own scaling, > 0. */
  readonly beta: number;
  readonly bias: BiasForm;
  readonly program: Program;
  readonly patterns: PatternSource;
}

/** A closed vocabulary. `optimal`: gap <= tolerance. `bounded`: converged or out of time with a valid bound. */
export type SolveStatus = "optimal" | "bounded" | "interrupted" | "stalled";
/** What a lower bound speaks of. */
export type BoundScope = "all-patterns" | "listed-patterns";

export interface SolveEvent {
  readonly phase: "train" | "bound";
  readonly iteration: number;
  /** Objective of the current network, in the problem's scaling. */
  readonly objective: number;
  /** Best valid lower bound so far, scope as in the solution; null before the first. */
  readonly bound: number | null;
  /** (objective - bound) / max(|objective|, tiny); null before the first bound. */
  readonly gap: number | null;
  readonly neurons: number;
  readonly patterns: number;
  readonly seconds: number;
}

export interface Solution {
  readonly status: SolveStatus;
  /** The network over the d features of `problem.X` (a bias column is folded into its hidden biases). */
  readonly network: TwoLayerNetwork;
  /** Training objective of `network`, recomputed in f64 from its weights, in the problem's scaling. */
  readonly objective: number;
  /** Valid lower bound of the objective over `scope`. */
  readonly lowerBound: number;
  readonly gap: number;
  readonly scope: BoundScope;
  /**
   * How the bound was obtained: `cones`, `caps`, `transport` (branch and bound), `exact-rank-R` (a sweep, R at most 3), `shor`,
   * `listed`; `none` without a bound.
   */
  readonly method: string;
  /** The same over the listed (or generated) patterns alone, when it is not the main bound. */
  readonly listed: { readonly patterns: number; readonly lowerBound: number; readonly gap: number } | null;
  readonly neurons: number;
  readonly patterns: number;
  readonly iterations: number;
  readonly seconds: number;
  /** Dual point behind `lowerBound` (n entries, in the sum scaling) and the bound on M(v) = max_u |v'(Xu)_+| used. */
  readonly dual: { readonly v: Float64Array; readonly maxBound: number };
  /** Proof of `dual.maxBound` (docs/certificates.md: the `output` of a proof file); null where the bound has none. */
  readonly proof: Uint8Array<ArrayBuffer> | null;
}

export interface SolveOptions {
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
  /** A network to start from (e.g. the solution at a nearby beta, or a checkpoint); same d. */
  readonly start?: TwoLayerNetwork;
  /** False: train only; `lowerBound` is then -Infinity. For validation folds. Default true. */
  readonly certify?: boolean;
}
