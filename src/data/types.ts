import type { Place } from "../base/errors.ts";
import type { Matrix } from "../base/matrix.ts";

export type ColumnKind = "number" | "category";

interface ColumnHead {
  readonly name: string;
  /** Whether the name is the file's own; false when the header left it empty, or there is no header. */
  readonly named: boolean;
  /** Where the name stands; without line and column when the file has no header line. */
  readonly place: Place;
}

/** A column of numbers; NaN = missing, never infinite. */
export interface NumberColumn extends ColumnHead {
  readonly kind: "number";
  readonly values: Float64Array;
}

/** A column of categories: `codes` index into the sorted `categories`, -1 = missing. */
export interface CategoryColumn extends ColumnHead {
  readonly kind: "category";
  readonly codes: Int32Array;
  readonly categories: readonly string[];
}

export type Column = NumberColumn | CategoryColumn;

/** What a file of any format says. */
export interface TableContent {
  readonly columns: readonly Column[];
  readonly rows: number;
  /** Plain sentences on what looked odd while reading. */
  readonly notes: readonly string[];
  /** Where a cell stands (row and column counted from 0): with line and column when the file has lines. */
  placeOf(row: number, column: number): Place;
}

/** A table in memory. */
export interface Table extends TableContent {
  /** As the user named it. */
  readonly file: string;
  /** sha256 (hex) of the raw bytes of the file. */
  readonly sha256: string;
}

export type Task = "regression" | "classification";

/**
 * How one table column becomes feature columns; part of the saved model, so that `predict` takes raw rows.
 *
 * - `number`: one feature, (value - mean) / scale, where a missing value counts as `fill`.
 * - `one-hot`: one 0/1 feature for each category, but a single one (1 = the second category) when there are two.
 *   A `null` category stands for a missing cell.
 */
export type Encoding =
  | {
      readonly kind: "number";
      readonly column: string;
      readonly mean: number;
      readonly scale: number;
      readonly fill: number;
    }
  | { readonly kind: "one-hot"; readonly column: string; readonly categories: readonly (string | null)[] };

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
  /** How the outputs of a network become probabilities of the classes; absent where they are only scores. */
  readonly link?: "softmax";
  /** The columns of a regression on several; the network's outputs are (value - mean) / scale of each. */
  readonly columns?: readonly TargetColumn[];
}

/** One of several target columns, with what its values are standardized by. */
export interface TargetColumn {
  readonly name: string;
  readonly mean: number;
  readonly scale: number;
}

/**
 * Encoded rows: X is n x d; `y` has the number itself for regression, the class index otherwise. With c target columns `y` is
 * n x c, row-major, in the units of the file.
 */
export interface Samples {
  readonly X: Matrix;
  readonly y: Float64Array;
  /** n sample weights, when a column of them was named. */
  readonly weights?: Float64Array;
}

/** Training and test part, encoded. */
export interface Dataset {
  readonly train: Samples;
  readonly test: Samples | null;
  readonly preprocessing: Preprocessing;
  readonly target: Target;
  /** Plain sentences on what was done: columns dropped, cells imputed, how the task was chosen. */
  readonly notes: readonly string[];
  /** sha256 (hex) of the raw file, of the training matrix (X row-major then y, little-endian f64), and of the weights. */
  readonly fingerprint: { readonly file: string; readonly matrix: string; readonly weights: string | null };
}
