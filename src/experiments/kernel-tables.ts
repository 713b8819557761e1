import { loadDataset } from "../data/dataset.ts";
import { allRows, encodeRows, fitPreprocessing, loadRows } from "../data/preprocessing.ts";
import { readTable } from "../data/table.ts";
import type { Preprocessing } from "../data/types.ts";
import type { KernelInputs } from "./kernel-inputs.ts";

/**
 * The features of a table without its target; number columns are standardized as `fitted`, or over its own rows when that is null.
 *
 * @throws DataError when it cannot be read, or lacks a column of `fitted`.
 */
export function readKernelTable(file: string, target: string | undefined, fitted: Preprocessing | null): KernelInputs {
  if (fitted !== null) {
    const { X, notes } = loadRows(fitted, file);
    return { X, shape: [X.cols], preprocessing: fitted, notes };
  }
  if (target !== undefined) {
    const { train, preprocessing, notes } = loadDataset({ file, target, split: "none" });
    return { X: train.X, shape: [train.X.cols], preprocessing, notes };
  }
  const { columns, rows, notes } = readTable(file);
  const every = allRows(rows);
  const { preprocessing, notes: more } = fitPreprocessing(columns, every, "columns", file);
  const used = preprocessing.encodings.map(({ column }) => columns.find(({ name }) => name === column)!);
  const { X } = encodeRows(preprocessing, used, every);
  return { X, shape: [X.cols], preprocessing, notes: [...notes, ...more] };
}
