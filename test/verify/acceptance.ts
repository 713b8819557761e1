import { checkMaximum } from "../../src/verify/maximum.ts";
import { ProofReader, Rejection } from "../../src/verify/reader.ts";
import { maximum, type NaiveSide, valueAt } from "./prover.ts";

type Rows = readonly (readonly number[])[];

/** Inputs of the checker from rows. */
export const inputsOf = (X: Rows) => ({ rows: X.length, cols: X[0]!.length, data: Float64Array.from(X.flat()) });

/** The bound that the checker takes from a proof; null when it refuses it. */
export function accept(bytes: Uint8Array, X: Rows, v: readonly number[], freeBiases = false): number | null {
  const reader = new ProofReader(bytes);
  try {
    const bound = checkMaximum(reader, inputsOf(X), freeBiases, Float64Array.from(v));
    reader.end();
    return bound;
  } catch (error) {
    if (error instanceof Rejection) return null;
    throw error;
  }
}

/** M(v) from below: where enumeration attains it. */
export function attained(X: Rows, v: readonly number[]): number {
  return Math.max(
    ...[1, -1].map((sign) => {
      const side: NaiveSide = { Z: X, v: v.map((t) => sign * t) };
      return valueAt(side, maximum(side).u);
    }),
  );
}
