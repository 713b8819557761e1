import type { ProofWriter } from "../../certificate/index.ts";
import type { Compute } from "../../compute/types.ts";
import type { Lanes } from "./lanes.ts";

/**
 * One side of the dual constraint: G(u) = sum_i v_i (z_i'u)_+ over the unit ball of R^r, whose maximum g(v) is to be
 * bounded from above. M(v) is the larger of g(v) and g(-v).
 */
export interface SideProblem {
  readonly n: number;
  readonly r: number;
  /** n x r, row-major. Proofs name rows by their index here, so rows are not merged or dropped. */
  readonly Z: Float64Array;
  /** n weights, both signs; rows with weight 0 do not matter. */
  readonly v: Float64Array;
}

/** A point of the unit ball and the value of G there: a lower bound of g(v). */
export interface Witness {
  readonly u: Float64Array;
  readonly value: number;
}

/**
 * An anytime search for the maximum of G over the unit ball. `bound` is at all times a valid upper bound of g(v), up to
 * rounding; it never rises. Deterministic: what was done, not when, decides what comes next.
 */
export interface BoundSearch {
  readonly method: "cones" | "caps" | "transport";
  readonly bound: number;
  /** The best point seen. */
  readonly witness: Witness;
  /** Nodes visited so far. */
  readonly nodes: number;
  /** Estimate of the share of the work for the target of the last call that is done, where there is one. */
  readonly done?: number;
  /** Nothing is left to do for the target of the last call: it was reached, or the search cannot improve. */
  readonly finished: boolean;
  /**
   * Works towards `bound <= target` until that is reached, `stop` (polled often, at least every few milliseconds) is true,
   * or nothing is left. A point with G(u) > target shows that the target cannot be reached: it becomes the witness and the
   * call returns.
   */
  advance(target: number, stop: () => boolean): void;
  /**
   * Appends a tree that proves g(v) <= `bound`, rounding apart: the caller states a number that is larger by what a checker's
   * rounding may need. False, with nothing written, when the proof is too large to be kept.
   */
  writeProof(out: ProofWriter): boolean;
}

/** What makes a search for one side; `lanes` may help where there are any. */
export type MakeSearch = (compute: Compute, side: SideProblem, seed: number, lanes?: Lanes | null) => BoundSearch;
