import { DataError } from "../base/errors.ts";
import type { Matrix } from "../base/matrix.ts";
import { type Column, loadRows, type Table, type Target } from "../data/index.ts";
import { readOnnx, readSafetensors, type SavedModel } from "../formats/index.ts";
import { forward } from "../network/index.ts";
import { exists, readBytes } from "../platform/files.ts";
import { isFolder, joinPath } from "../platform/run-files.ts";
import { binaryMetrics, type Metrics, multiclassMetrics, predictedClasses, regressionMetrics } from "./metrics.ts";
import { findRun } from "./run-store.ts";

/** Predictions for the rows of a file. */
export interface Prediction {
  readonly target: Target;
  /** Outputs of the network, n x c: the number itself, the score of the second of two classes, or one score a class. */
  readonly scores: Matrix;
  /** Index of the predicted class of each row; null for regression. */
  readonly classes: Int32Array | null;
  /** Over the rows whose target is known; null when the file has no target column. */
  readonly metrics: Metrics | null;
  /** Plain sentences on cells that had to be guessed. */
  readonly notes: readonly string[];
}

/** The model files of a run folder, the exact one first. */
const MODEL_FILES = ["model.safetensors", "model.onnx"];

/**
 * The model file that a word names: a model file, a run folder, or a run's id (see {@link findRun}).
 *
 * @throws UsageError when there is no such run; DataError when its folder holds no model.
 */
export function findModel(runsFolder: string, word: string): string {
  if (exists(word) ? !isFolder(word) : /\.(onnx|safetensors)$/.test(word)) return word;
  const folder = findRun(runsFolder, word);
  const file = MODEL_FILES.map((name) => joinPath(folder, name)).find(exists);
  if (file !== undefined) return file;
  throw new DataError(`"${folder}" holds no model`, {
    code: "no-model",
    hint: `a run folder has a ${MODEL_FILES.join(" or a ")}`,
    place: { file: folder },
  });
}

/**
 * Reads a model file; the format is told by its name.
 *
 * @throws DataError when it is missing or not a model of this program.
 */
export function readModel(file: string): SavedModel {
  const bytes = readBytes(file);
  return file.endsWith(".onnx") ? readOnnx(bytes, file) : readSafetensors(bytes, file);
}

/**
 * Predictions of a model for the raw rows of a table file, with metrics when the file has the target too.
 *
 * @throws DataError when a column is missing or unreadable.
 */
export function predictRows({ network, preprocessing, target }: SavedModel, file: string): Prediction {
  const { table, X, notes } = loadRows(preprocessing, file);
  const scores = forward(network, X);
  const classes = target.classes === null ? null : predictedClasses(scores);
  return { target, scores, classes, metrics: metricsOf(table, target, scores), notes };
}

function metricsOf(table: Table, target: Target, scores: Matrix): Metrics | null {
  const column = table.columns.find(({ name }) => name === target.name);
  if (column === undefined) return null;
  const actual = knownTargets(column, target);
  const rows = Uint32Array.from(actual.keys()).filter((i) => !Number.isNaN(actual[i]));
  if (rows.length === 0) return null;
  const known = Float64Array.from(rows, (i) => actual[i]);
  const { cols } = scores;
  const kept = new Float64Array(rows.length * cols);
  rows.forEach((i, k) => {
    kept.set(scores.data.subarray(i * cols, (i + 1) * cols), k * cols);
  });
  if (target.classes === null) return regressionMetrics(kept, known);
  if (cols === 1) return binaryMetrics(kept, known, false);
  return multiclassMetrics({ rows: rows.length, cols, data: kept }, known, target.classes);
}

/** The target of each row, as number or class index; NaN where it is missing or of an unknown class. */
function knownTargets(column: Column, { classes }: Target): Float64Array {
  const n = column.kind === "number" ? column.values.length : column.codes.length;
  const out = new Float64Array(n).fill(Number.NaN);
  const index = new Map(classes?.map((name, k) => [name, k]));
  for (let i = 0; i < n; i++) {
    if (column.kind === "number") {
      const value = column.values[i];
      if (!Number.isNaN(value)) out[i] = classes === null ? value : (index.get(String(value)) ?? Number.NaN);
    } else if (classes !== null && column.codes[i] >= 0) {
      out[i] = index.get(column.categories[column.codes[i]] ?? "") ?? Number.NaN;
    }
  }
  return out;
}
