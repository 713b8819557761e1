import type { RealArray } from "../../compute/types.ts";
import type { DeepInputs, DeepTarget } from "../../formats/index.ts";
import type { Shape } from "../../network/architecture/index.ts";

/** Samples with what is to be learned of them. */
export interface LabelledSamples {
  readonly n: number;
  /** n x the numbers of a sample. */
  readonly X: RealArray;
  /** Class indices, or the numbers to predict in their own units. */
  readonly y: Float64Array;
}

/** Everything that a training reads. */
export interface TrainingInputs {
  readonly shape: Shape;
  readonly train: LabelledSamples;
  readonly test: LabelledSamples | null;
  readonly inputs: DeepInputs;
  readonly target: DeepTarget;
  readonly notes: readonly string[];
  /** Names the samples and their order: equal data and settings give equal ones. */
  readonly fingerprint: string;
}

/** Arrays of the precision of a training. */
export type MakeArray = (length: number) => RealArray;

/** The samples of these numbers, in that order. */
export function takeSamples({ X, y, n }: LabelledSamples, rows: ArrayLike<number>, make: MakeArray): LabelledSamples {
  const size = X.length / n;
  const taken = make(rows.length * size);
  for (let k = 0; k < rows.length; k++) taken.set(X.subarray(rows[k]! * size, (rows[k]! + 1) * size), k * size);
  return { n: rows.length, X: taken, y: Float64Array.from(rows, (row) => y[row]) };
}
