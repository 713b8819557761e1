import { ConfigError, DataError } from "../base/errors.ts";
import { sha256 } from "../platform/index.ts";
import { counted, findColumn } from "./columns.ts";
import { completeRows, type MissingPolicy, missingCategoryNotes, requireComplete, takeRows } from "./missing.ts";
import { standardization } from "./moments.ts";
import { littleEndianBytes } from "./npy.ts";
import { allRows, encodeRows, fitPreprocessing, oddCellNotes } from "./preprocessing.ts";
import { splitRows } from "./split.ts";
import { isVectorFile, readTable, readVector } from "./table.ts";
import { checkClassSizes, readTarget, readTargets } from "./target.ts";
import type { Column, Dataset, Samples, Table, Target, Task } from "./types.ts";

export interface LoadOptions {
  /** CSV, Parquet, npy or idx, also gzipped. */
  readonly file: string;
  /** The target column by name, or by number counted from 1, or an npy or idx file with one number a row. */
  readonly target: string;
  /** Whether `target` may name several columns of numbers, separated by commas. */
  readonly several?: boolean;
  readonly task?: Task | "auto";
  /**
   * What to do with missing cells of features, `impute` unless told otherwise. It speaks of the rows to learn from, all
   * those with a target: a model predicts every row, with its training median where a number is missing.
   */
  readonly missing?: MissingPolicy;
  /** The fraction of the rows held out as the test part, or `none`. */
  readonly split?: number | "none";
  /** `columns`: mean 0 and population standard deviation 1 of each number column over the training rows. */
  readonly standardize?: "columns" | "none";
  /** A column of sample weights, by name or number: numbers >= 0, not a feature. */
  readonly weights?: string;
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
  const { file, task = "auto", missing = "impute", split = 0.2, standardize = "columns", seed = 0 } = options;
  if (split !== "none" && !(split > 0 && split < 1)) {
    throw new ConfigError(`a split of ${split} is not possible`, {
      code: "bad-split",
      hint: "give a fraction between 0 and 1, such as 0.2, or none",
    });
  }
  // 1. Columns and rows to learn from.
  const table = readTable(file);
  if (table.rows < 2) {
    throw new DataError(`${file} has a single row`, {
      code: "too-few-rows",
      hint: "training needs at least two",
      place: { file },
    });
  }
  const chosen = chooseColumns(table, options);
  const settled = settleMissing(table, chosen, missing, standardize);
  const { features, targetColumns, weightColumn, notes: missingNotes } = settled;
  const [targetColumn] = targetColumns;
  const read = targetColumns.length === 1 ? readTarget(targetColumn, task) : readTargets(targetColumns, task);
  const notes = [...table.notes, ...chosen.notes, ...missingNotes, ...read.notes];
  const count = targetColumns.length;
  const total = read.y.length / count;
  const rows = allRows(total).filter((i) => !read.y.subarray(i * count, (i + 1) * count).some(Number.isNaN));
  const weights = weightColumn === null ? null : readWeights(weightColumn, rows);
  if (rows.length < total) notes.push(`${counted(total - rows.length, "row")} without a target value dropped`);
  const parts =
    split === "none" ? { train: rows, test: null } : splitByClass(read.target, read.y, rows, targetColumn, split, seed);

  // 2. What is learned from the training rows.
  const fitted = fitPreprocessing(features, parts.train, standardize, file);
  notes.push(...fitted.notes);
  const { preprocessing } = fitted;
  const byName = new Map(features.map((column) => [column.name, column]));
  const columns = preprocessing.encodings.map(({ column }) => byName.get(column)!);

  // 3. Every row encoded.
  const odd = new Uint32Array(columns.length);
  const encode = (part: Uint32Array): Samples => {
    const encoded = encodeRows(preprocessing, columns, part);
    encoded.odd.forEach((count, e) => {
      odd[e]! += count;
    });
    const y = new Float64Array(part.length * count);
    part.forEach((i, k) => {
      y.set(read.y.subarray(i * count, (i + 1) * count), k * count);
    });
    const samples = { X: encoded.X, y };
    return weights === null ? samples : { ...samples, weights: Float64Array.from(part, (i) => weights[i]!) };
  };
  const train = encode(parts.train);
  const test = parts.test === null ? null : encode(parts.test);
  notes.push(...oddCellNotes(preprocessing, odd), ...missingCategoryNotes(columns, parts.train));
  const matrixHash = sha256(littleEndianBytes(train.X.data), littleEndianBytes(train.y));
  const weightsHash = train.weights === undefined ? null : sha256(littleEndianBytes(train.weights));
  const fingerprint = { file: table.sha256, matrix: matrixHash, weights: weightsHash };
  const target = count === 1 ? read.target : withScales(read.target, targetColumns, parts.train, standardize);
  return { train, test, preprocessing, target, notes, fingerprint };
}

/** A target of several columns with what each is standardized by: its mean and deviation over the training rows. */
function withScales(
  target: Target,
  columns: readonly Column[],
  rows: Uint32Array,
  standardize: "columns" | "none",
): Target {
  return {
    ...target,
    columns: columns.map((column) => {
      const values = Float64Array.from(rows, (i) => (column.kind === "number" ? column.values[i] : Number.NaN));
      const moments = standardize === "none" ? null : standardization(values);
      return { name: column.name, ...(moments ?? { mean: 0, scale: 1 }) };
    }),
  };
}

interface ChosenColumns {
  /** All columns but the target and the row numbers. */
  readonly features: readonly Column[];
  readonly targetColumns: readonly [Column, ...Column[]];
  readonly weightColumn: Column | null;
  readonly notes: readonly string[];
}

function chooseColumns(table: Table, { target, weights, several = false }: LoadOptions): ChosenColumns {
  const notes: string[] = [];
  const isColumn = table.columns.some(({ name }) => name === target);
  const words = several && !isColumn ? target.split(",").map((word) => word.trim()) : [target];
  const [first = target, ...others] = words;
  const find = (wanted: string): Column => {
    if (isVectorFile(wanted) && !isColumn && words.length === 1) return targetFromFile(table, wanted);
    const column = findColumn(table, wanted);
    if (column.name !== wanted) notes.push(`the target ${wanted} is column "${column.name}"`);
    return column;
  };
  const targetColumns: readonly [Column, ...Column[]] = [find(first), ...others.map(find)];
  const twice = targetColumns.find((column, k) => targetColumns.indexOf(column) < k);
  if (twice !== undefined) {
    throw new ConfigError(`column "${twice.name}" is named twice as a target`, { code: "target-twice" });
  }
  const weightColumn = weights === undefined ? null : findColumn(table, weights);
  if (weightColumn !== null && targetColumns.includes(weightColumn)) {
    throw new ConfigError(`column "${weightColumn.name}" is both target and weights`, {
      code: "weights-are-target",
      hint: "name another column with --weights",
    });
  }
  const features = table.columns.filter((column, j) => {
    if (targetColumns.includes(column) || column === weightColumn) return false;
    const index = j === 0 && isRowNumber(column);
    if (index) notes.push(`dropped ${column.name}: it has no name and only counts the rows`);
    return !index;
  });
  return { features, targetColumns, weightColumn, notes };
}

/** The same columns without the rows that the policy leaves out. Columns that tell nothing may have missing cells. */
function settleMissing(
  table: Table,
  { features, targetColumns, weightColumn }: ChosenColumns,
  policy: MissingPolicy,
  standardize: "columns" | "none",
): ChosenColumns {
  if (policy === "impute") return { features, targetColumns, weightColumn, notes: [] };
  const { encodings } = fitPreprocessing(features, allRows(table.rows), standardize, table.file).preprocessing;
  const used = new Set(encodings.map(({ column }) => column));
  const telling = features.filter(({ name }) => used.has(name));
  if (policy === "error") {
    requireComplete(table, [...telling, ...targetColumns]);
    return { features, targetColumns, weightColumn, notes: [] };
  }
  const { rows, notes } = completeRows(table, telling);
  const [first, ...others] = targetColumns;
  return {
    features: features.map((column) => takeRows(column, rows)),
    targetColumns: [takeRows(first, rows), ...others.map((column) => takeRows(column, rows))],
    weightColumn: weightColumn === null ? null : takeRows(weightColumn, rows),
    notes,
  };
}

/**
 * The weights of the rows in use (others are left as they are).
 *
 * @throws DataError when one is missing, negative or no number, or when all are zero.
 */
function readWeights(column: Column, rows: Uint32Array): Float64Array {
  const { name, place } = column;
  const refuse = (message: string, hint: string): DataError =>
    new DataError(message, { code: "bad-weights", hint, place });
  if (column.kind !== "number") {
    throw refuse(`weights "${name}" are text, such as "${column.categories[0]}"`, "weights are numbers of at least 0");
  }
  const bad = rows.find((i) => !(column.values[i]! >= 0));
  if (bad !== undefined) {
    const value = column.values[bad]!;
    const what = Number.isNaN(value) ? "a missing cell" : `the value ${value}`;
    throw refuse(`weights "${name}" have ${what} in row ${bad + 1}`, "weights are numbers of at least 0");
  }
  if (rows.every((i) => column.values[i] === 0)) throw refuse(`weights "${name}" are all 0`, "some row must count");
  return column.values;
}

function targetFromFile(table: Table, file: string): Column {
  const column = readVector(file);
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
