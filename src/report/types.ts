/** One point of a solver's history. */
export interface ConvergencePoint {
  readonly seconds: number;
  readonly objective: number;
  /** Best valid lower bound so far; null before the first one. */
  readonly bound: number | null;
  readonly neurons: number;
}

/** A table of names and numbers or words. */
export interface ReportTable {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
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
  readonly convergence: readonly { readonly label: string; readonly points: readonly ConvergencePoint[] }[];
  /** Validation loss along the grid of beta, when beta was chosen by validation. */
  readonly validation: readonly { readonly beta: number; readonly loss: number; readonly standardError: number; readonly chosen: boolean }[] | null;
  /** Held-out predictions: regression pairs, or null. */
  readonly predictions: { readonly actual: readonly number[]; readonly predicted: readonly number[]; readonly name: string } | null;
  /** Rows = true class, columns = predicted class, or null. */
  readonly confusion: { readonly labels: readonly string[]; readonly counts: readonly (readonly number[])[] } | null;
  readonly tables: readonly ReportTable[];
  /** Shell commands that repeat the run. */
  readonly reproduce: readonly string[];
  readonly footer: string;
}
