import type { RealArray } from "../compute/types.ts";

/** A quantity of the theory as it was measured, beside what bounds it. */
export interface Measurement {
  readonly name: string;
  /** The layer it is of; null: of the whole network. */
  readonly layer: string | null;
  readonly value: number;
  /** The statement's right-hand side without its constant; null where there is none. */
  readonly bound: number | null;
  /** value / bound: the constant that the statement would need here. */
  readonly constant: number | null;
  /** Where the bound is from. */
  readonly statement: string | null;
  readonly status: "verified" | "recalled" | "derived" | null;
}

/**
 * Measures a training from outside: made by a factory that gets the trainer, it never changes parameters, the state of
 * the model or random streams.
 */
export interface Monitor {
  readonly name: string;
  /** Steps between two observations; step 0 is one, and with the largest safe integer the only one. */
  readonly every: number;
  /** What an observation costs, in words. */
  readonly cost: string;
  observe(step: number): readonly Measurement[];
  /** What it remembers of earlier observations; of those without a memory nothing. */
  save(): readonly RealArray[];
  /** Takes up what {@link save} gave; what is of another shape is left alone. */
  restore(saved: readonly RealArray[]): void;
}
