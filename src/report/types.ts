/** One point of a solver's history. */
export interface ConvergencePoint {
  readonly seconds: number;
  readonly objective: number;
  /** Best valid lower bound so far; null before the first one. */
  readonly bound: number | null;
  readonly neurons: number;
}

/** The history of one solve; a run that solves one problem for each class has several. */
export interface ConvergenceSeries {
  readonly label: string;
  /** In the order of time. */
  readonly points: readonly ConvergencePoint[];
}

/** Validation loss at one beta. */
export interface ValidationPoint {
  readonly beta: number;
  readonly loss: number;
  /** Of `loss` over the folds; NaN when there is only one. */
  readonly standardError: number;
  readonly chosen: boolean;
}

/** Held-out predictions of a regression, pair by pair. */
export interface Predictions {
  readonly actual: readonly number[];
  readonly predicted: readonly number[];
  /** What is predicted: the name of the target. */
  readonly name: string;
}

/** Held-out predictions of a classification: rows = true class, columns = predicted class. */
export interface Confusion {
  readonly labels: readonly string[];
  readonly counts: readonly (readonly number[])[];
}

/** A table of names and numbers or words. */
export interface ReportTable {
  readonly title: string;
  readonly columns: readonly string[];
  /** As many cells a row as there are columns; NaN, and null (NaN in JSON), are shown as a dash. */
  readonly rows: readonly (readonly (string | number | null)[])[];
  /** One sentence under the table. */
  readonly note?: string;
}

/** Everything a run's HTML report shows: plain JSON, no knowledge of how it was made. */
export interface RunReport {
  readonly title: string;
  readonly subtitle: string;
  /** The verdict: one short paragraph a line; the first is the headline. */
  readonly verdict: readonly string[];
  /** `certified`: the bound closed to the tolerance. `bounded`: it did not. `interrupted`: stopped early. */
  readonly status: "certified" | "bounded" | "interrupted";
  /** What the lower bound speaks of, in words, e.g. "every ReLU network of any width". */
  readonly scope: string;
  readonly convergence: readonly ConvergenceSeries[];
  /** Validation loss along the grid of beta, when beta was chosen by validation. */
  readonly validation: readonly ValidationPoint[] | null;
  readonly predictions: Predictions | null;
  readonly confusion: Confusion | null;
  readonly tables: readonly ReportTable[];
  /** Shell commands that repeat the run. */
  readonly reproduce: readonly string[];
  readonly footer: string;
}
