import type { Matrix } from "../base/matrix.ts";

/** One column of a table as read: numbers (NaN = missing) or categories (code -1 = missing). */
export type Column =
  | { readonly name: string; readonly kind: "number"; readonly values: Float64Array }
  | { readonly name: string; readonly kind: "category"; readonly codes: Int32Array; readonly categories: readonly string[] };

/** A table in memory. */
export interface Table {
  readonly columns: readonly Column[];
  readonly rows: number;
  /** As the user named it. */
  readonly file: string;
  /** sha256 (hex) of the raw bytes of the file. */
  readonly sha256: string;
}

export type Task = "regression" | "classification";

/** How one table column becomes feature columns; part of the saved model, so that `predict` takes raw rows. */
export type Encoding =
  | { readonly kind: "number"; readonly column: string; readonly mean: number; readonly scale: number; readonly fill: number }
  | { readonly kind: "one-hot"; readonly column: string; readonly categories: readonly string[] };

/** What turns raw rows into the features of the network; plain JSON. */
export interface Preprocessing {
  readonly encodings: readonly Encoding[];
  /** Names of the encoded features, in order (`age`, `colour=red`, ...). */
  readonly features: readonly string[];
}

/** What the outputs mean; plain JSON. */
export interface Target {
  readonly name: string;
  readonly task: Task;
  /** Class names in the order of the outputs (two classes: [negative, positive] for one output); null for regression. */
  readonly classes: readonly string[] | null;
}

/** Training and test part, encoded. */
export interface Dataset {
  readonly train: { readonly X: Matrix; readonly y: Float64Array };
  /** `y`: the number itself for regression, the class index otherwise. */
  readonly test: { readonly X: Matrix; readonly y: Float64Array } | null;
  readonly preprocessing: Preprocessing;
  readonly target: Target;
  /** Plain sentences on what was done: columns dropped, cells imputed, how the task was chosen. */
  readonly notes: readonly string[];
  /** sha256 (hex) of the raw file, and of the training matrix (X row-major then y, little-endian f64). */
  readonly fingerprint: { readonly file: string; readonly matrix: string };
}
