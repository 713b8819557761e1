import { DataError } from "../base/errors.ts";
import type { Matrix } from "../base/matrix.ts";
import { loadDataset } from "../data/dataset.ts";
import { allRows, encodeRows, fitPreprocessing, loadRows } from "../data/preprocessing.ts";
import { readTable, readVector } from "../data/table.ts";
import { readTarget } from "../data/target.ts";
import type { Preprocessing, Target } from "../data/types.ts";
import type { KernelInputs } from "./kernel-inputs.ts";
import { chooseCoding, codeTargets, outputNames } from "./problem.ts";

/**
 * The features of a table without its target; number columns are standardized as `fitted`, or over its own rows when that is null.
 *
 * @throws DataError when it cannot be read, or lacks a column of `fitted`.
 */
export function readKernelTable(file: string, target: string | undefined, fitted: Preprocessing | null): KernelInputs {
  if (fitted !== null) {
    const { X, notes } = loadRows(fitted, file);
    return { X, shape: [X.cols], labels: null, preprocessing: fitted, notes };
  }
  if (target !== undefined) {
    const { train, target: read, preprocessing, notes } = loadDataset({ file, target, split: "none" });
    return { X: train.X, shape: [train.X.cols], labels: coded(train.y, read), preprocessing, notes };
  }
  const { columns, rows, notes } = readTable(file);
  const every = allRows(rows);
  const { preprocessing, notes: more } = fitPreprocessing(columns, every, "columns", file);
  const used = preprocessing.encodings.map(({ column }) => columns.find(({ name }) => name === column)!);
  const { X } = encodeRows(preprocessing, used, every);
  return { X, shape: [X.cols], labels: null, preprocessing, notes: [...notes, ...more] };
}

function coded(y: Float64Array, target: Target): Matrix {
  return codeTargets(y, chooseCoding("squared", target), outputNames(target, "squared").length, target.columns);
}

/**
 * Targets of an npy or idx file, one for each of `rows` samples, coded as for the squared loss.
 *
 * @throws DataError when it is no such file, or has another length or missing values.
 */
export function readLabels(file: string, rows: number): Matrix {
  const fail = (what: string): DataError =>
    new DataError(`the targets in ${file} ${what}`, {
      code: "kernel-targets",
      hint: "give one finite number for each sample",
      place: { file },
    });
  const { target, y } = readTarget(readVector(file), "auto");
  if (y.length !== rows) throw fail(`are ${y.length}, the samples ${rows}`);
  if (!y.every(Number.isFinite)) throw fail("have missing values");
  return coded(y, target);
}
