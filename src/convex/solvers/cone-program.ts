import type { Loss } from "../losses/index.ts";
import type { Pattern } from "../patterns/pattern.ts";

/** One block of the program: a pattern D, a sign s, and a starting direction (p entries, not zero in the first q). */
export interface Block {
  readonly pattern: Pattern;
  readonly sign: 1 | -1;
  readonly start: Float64Array;
}

/**
 * minimize  loss(sum_j s_j D_j E a_j + c0) + beta sum_j ||a_j[0..q)||
 * subject to  (2 D_j - I) E a_j >= 0 for every j   (when `cones`),
 *
 * the convex program of Pilanci & Ergen (arXiv:2002.10553) over listed patterns; without the cones the gated program.
 */
export interface ConeProgram {
  /** n x p, row-major. */
  readonly E: Float64Array;
  readonly n: number;
  readonly p: number;
  /** Penalized leading coordinates q <= p (p - 1 when the last one is a free hidden bias). */
  readonly penalized: number;
  readonly y: Float64Array;
  readonly loss: Loss;
  readonly beta: number;
  readonly cones: boolean;
  /** Whether c0 is a variable (else 0), and where it starts. */
  readonly offset: boolean;
  readonly c0: number;
  readonly blocks: readonly Block[];
}

export interface ConeSolution {
  readonly a: readonly Float64Array[];
  readonly c0: number;
  /** The dual point of the iterate, n entries: feasible for the listed cells up to the accuracy of the solve. */
  readonly v: Float64Array;
  /** Objective of the iterate. */
  readonly objective: number;
  /** Duality gap of the iterate relative to the objective: complementarity and what the residuals add. */
  readonly gap: number;
  readonly iterations: number;
  readonly converged: boolean;
}
