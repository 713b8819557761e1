import { ConfigError, DataError } from "../base/errors.ts";
import { sha256 } from "../platform/index.ts";
import { counted, findColumn } from "./columns.ts";
import { littleEndianBytes } from "./npy.ts";
import { allRows, encodeRows, fitPreprocessing, oddCellNotes } from "./preprocessing.ts";
import { splitRows } from "./split.ts";
import { readNpyVector, readTable } from "./table.ts";
import { checkClassSizes, readTarget } from "./target.ts";
import type { Column, Dataset, Samples, Table, Target, Task } from "./types.ts";

export interface LoadOptions {
  /** CSV or npy, also gzipped. */
  readonly file: string;
  /** The target column by name, or by number counted from 1, or an npy file with one number a row. */
  readonly target: string;
  readonly task?: Task | "auto";
  /** The fraction of the rows held out as the test part, or `none`. */
  readonly split?: number | "none";
  /** `columns`: mean 0 and population standard deviation 1 of each number column over the training rows. */
  readonly standardize?: "columns" | "none";
  readonly seed?: number;
}

/**
 * Loads a table and makes it ready for training: target, split, missing values, categories, standardization.
 *
 * The same file and options give the same bits on every machine. Rows without a target value are dropped; the split
 * keeps the share of each class; everything learned from the data (medians, moments, categories) is learned from the
 * training rows.
 *
 * @throws DataError when the data cannot be used, with the place of what is wrong.
 * @throws ConfigError when the split fraction is not between 0 and 1.
 */
export function loadDataset(options: LoadOptions): Dataset {
  const { file, target: wanted, task = "auto", split = 0.2, standardize = "columns", seed = 0 } = options;
  if (split !== "none" && !(split > 0 && split < 1)) {
    throw new ConfigError(`a split of ${split} is not possible`, {
      code: "bad-split",
      hint: "give a fraction between 0 and 1, such as 0.2, or none",
    });
  }
  const table = readTable(file);
  if (table.rows < 2) {
    throw new DataError(`${file} has a single row`, {
      code: "too-few-rows",
      hint: "training needs at least two",
      place: { file },
    });
  }
  const fromFile = wanted.endsWith(".npy");
  const targetColumn = fromFile ? targetFromFile(table, wanted) : findColumn(table, wanted);
  const read = readTarget(targetColumn, task);
  const notes = [...table.notes];
  if (!fromFile && targetColumn.name !== wanted) notes.push(`the target ${wanted} is column "${targetColumn.name}"`);
  notes.push(...read.notes);

  const rows = allRows(table.rows).filter((i) => !Number.isNaN(read.y[i]!));
  if (rows.length < table.rows)
    notes.push(`${counted(table.rows - rows.length, "row")} without a target value dropped`);
  const parts =
    split === "none" ? { train: rows, test: null } : splitByClass(read.target, read.y, rows, targetColumn, split, seed);

  const candidates = table.columns.filter((column, j) => {
    if (column === targetColumn) return false;
    const index = j === 0 && isRowNumber(column);
    if (index) notes.push(`dropped ${column.name}: it has no name and only counts the rows`);
    return !index;
  });
  const fitted = fitPreprocessing(candidates, parts.train, standardize, file);
  notes.push(...fitted.notes);
  const { preprocessing } = fitted;
  const byName = new Map(candidates.map((column) => [column.name, column]));
  const columns = preprocessing.encodings.map(({ column }) => byName.get(column)!);
  const odd = new Uint32Array(columns.length);
  const encode = (part: Uint32Array): Samples => {
    const encoded = encodeRows(preprocessing, columns, part);
    encoded.odd.forEach((count, e) => {
      odd[e]! += count;
    });
    return { X: encoded.X, y: Float64Array.from(part, (i) => read.y[i]!) };
  };
  const train = encode(parts.train);
  const test = parts.test === null ? null : encode(parts.test);
  notes.push(...oddCellNotes(preprocessing, odd));
  const matrixHash = sha256(littleEndianBytes(train.X.data), littleEndianBytes(train.y));
  const fingerprint = { file: table.sha256, matrix: matrixHash };
  return { train, test, preprocessing, target: read.target, notes, fingerprint };
}

function targetFromFile(table: Table, file: string): Column {
  const column = readNpyVector(file);
  if (column.values.length !== table.rows) {
    throw new DataError(
      `the target has ${counted(column.values.length, "row")}, the data ${counted(table.rows, "row")}`,
      {
        code: "target-length",
        hint: `${table.file} and ${file} must have one row for each sample, in the same order`,
        place: { file },
      },
    );
  }
  return column;
}

function splitByClass(
  target: Target,
  y: Float64Array,
  rows: Uint32Array,
  column: Column,
  fraction: number,
  seed: number,
): { train: Uint32Array; test: Uint32Array } {
  checkClassSizes(target, y, rows, column);
  const groups = target.classes === null ? [rows] : target.classes.map((_, k) => rows.filter((i) => y[i] === k));
  return splitRows(groups, fraction, seed);
}

/** Whether a column is the row label that tables are often saved with: unnamed, and counting up by one from 0 or 1. */
function isRowNumber(column: Column): boolean {
  if (column.kind !== "number" || column.named) return false;
  const first = column.values[0];
  return (first === 0 || first === 1) && column.values.every((value, i) => value === first + i);
}
