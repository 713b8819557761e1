import { DataError } from "../base/errors.ts";
import { type Matrix, takeRows } from "../base/matrix.ts";
import { type Column, loadRows, type Table, type Target } from "../data/index.ts";
import { isDeepModel, isKernelModel, readOnnx, readSafetensors, type SavedModel } from "../formats/index.ts";
import { forward } from "../network/index.ts";
import { exists, readBytes } from "../platform/files.ts";
import { isFolder, joinPath } from "../platform/run-files.ts";
import { inUnits, measureOutputs } from "./measure.ts";
import { type Metrics, predictedClasses, softmaxProbabilities } from "./metrics.ts";
import { findRun } from "./run-store.ts";

/** Predictions for the rows of a file. */
export interface Prediction {
  readonly target: Target;
  /**
   * Outputs of the network, n x c, in the units of the table: the number itself (one for each target column), the score of the
   * second of two classes, or one score a class.
   */
  readonly scores: Matrix;
  /** Probabilities of the classes, n x c, where the network was trained for them (softmax); else null. */
  readonly probabilities: Matrix | null;
  /** Index of the predicted class of each row; null for regression. */
  readonly classes: Int32Array | null;
  /** Standard deviations of the targets of new rows, n x c, where they were asked for. */
  readonly deviations?: Matrix;
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
  if (file.endsWith(".onnx")) return readOnnx(bytes, file);
  if (isDeepModel(bytes)) {
    throw new DataError(`"${file}" holds a deep network, which overparam train made`, {
      code: "deep-model",
      hint: "overparam predict and overparam export take it; bounds are for two-layer networks",
      place: { file },
    });
  }
  if (isKernelModel(bytes, file)) {
    throw new DataError(`"${file}" holds a kernel regression, not a network`, {
      code: "kernel-model",
      hint: "overparam predict applies it; other formats and bounds are for networks",
      place: { file },
    });
  }
  return readSafetensors(bytes, file);
}

/**
 * Predictions of a model for the raw rows of a table file, with metrics when the file has the target too.
 *
 * @throws DataError when a column is missing or unreadable.
 */
export function predictRows({ network, preprocessing, target }: SavedModel, file: string): Prediction {
  const { table, X, notes } = loadRows(preprocessing, file);
  const outputs = forward(network, X);
  const classes = target.classes === null ? null : predictedClasses(outputs);
  const probabilities = target.link === "softmax" ? softmaxProbabilities(outputs) : null;
  const metrics = metricsOf(table, target, outputs);
  return { target, scores: inUnits(outputs, target), probabilities, classes, metrics, notes };
}

/** Metrics of outputs for the rows of a table; null when it has no targets. */
export function metricsOf(table: Pick<Table, "columns" | "rows">, target: Target, outputs: Matrix): Metrics | null {
  const names = target.columns?.map(({ name }) => name) ?? [target.name];
  const columns = names.flatMap((wanted) => table.columns.find(({ name }) => name === wanted) ?? []);
  if (columns.length < names.length) return null;
  const actual = columns.map((column) => knownTargets(column, target));
  const rows = Uint32Array.from({ length: table.rows }, (_, i) => i).filter((i) =>
    actual.every((values) => !Number.isNaN(values[i])),
  );
  if (rows.length === 0) return null;
  const known = Float64Array.from({ length: rows.length * names.length }, (_, k) => {
    const i = rows[Math.floor(k / names.length)]!;
    return actual[k % names.length]![i]!;
  });
  return measureOutputs(target, target.link === "softmax" ? "softmax" : "scores", takeRows(outputs, rows), known);
}

/** The target of each row, as number or class index; NaN where it is missing or of an unknown class. */
export function knownTargets(column: Column, { classes }: Target): Float64Array {
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
