import type { SolveEvent } from "../convex/index.ts";

/** Shape of the training problem of one solve; `features` counts a bias column. */
export interface SolveSize {
  readonly rows: number;
  readonly features: number;
  readonly outputs: number;
}

/** Seconds of one core per unit of work, fitted by least squares of relative errors to solves of validation folds. */
const SECONDS = {
  /** One output: a solve. */
  solve: 0.04,
  /** ... a round: a start of its local search x rows x features. */
  search: 6e-9,
  /** ... a round: a neuron of its working set x rows^2, x rows x features, and x rows x features^2 (the Newton systems). */
  system: 1.5e-8,
  neuron: 2.5e-7,
  block: 5e-9,
  /** Outputs that share their neurons: a solve, and the same x rows x features x outputs. */
  shared: 0.012,
  sharedEntry: 5e-7,
  /** ... an epoch or a round, and the same x rows x features x outputs. */
  sharedRound: 0.005,
  sharedRoundEntry: 1e-7,
} as const;

/** A local search makes at most so many products starts x rows x features a step, from at least and at most so many starts. */
const SEARCH_PRODUCTS = 4e6;
const FEWEST_STARTS = 8;
const MOST_STARTS = 128;

/**
 * Time by what was done instead of by the clock: about the seconds that the solves so far take on a quiet machine of middling
 * speed (most are within a factor of two), but a function of their rounds and sizes alone. So what is decided by it is decided
 * alike on every machine, however busy.
 */
export class WorkClock {
  /** Nominal seconds so far. */
  seconds = 0;

  /** Counts the beginning of a solve. */
  begin({ rows, features, outputs }: SolveSize): void {
    this.seconds += outputs > 1 ? SECONDS.shared + SECONDS.sharedEntry * rows * features * outputs : SECONDS.solve;
  }

  /** Counts a round of a solve. */
  count({ rows, features, outputs }: SolveSize, { neurons }: Pick<SolveEvent, "neurons">): void {
    const entries = rows * features;
    if (outputs > 1) {
      this.seconds += SECONDS.sharedRound + SECONDS.sharedRoundEntry * entries * outputs;
      return;
    }
    const starts = Math.max(FEWEST_STARTS, Math.min(MOST_STARTS, SEARCH_PRODUCTS / entries));
    const each = SECONDS.system * rows * rows + (SECONDS.neuron + SECONDS.block * features) * entries;
    this.seconds += SECONDS.search * starts * entries + neurons * each;
  }
}
