import { DataError } from "../base/errors.ts";
import { type Matrix, matrix } from "../base/matrix.ts";
import { columnNotFound, counted, listing } from "./columns.ts";
import { median, standardization } from "./moments.ts";
import { readTable } from "./table.ts";
import type { CategoryColumn, Column, ColumnKind, Encoding, NumberColumn, Preprocessing, Table } from "./types.ts";

/** A category column with more distinct values than this is not encoded. */
const MOST_CATEGORIES = 50;

/** The rows 0 .. n-1. */
export function allRows(n: number): Uint32Array {
  return Uint32Array.from({ length: n }, (_, i) => i);
}

/** How a missing cell is written in the name of a feature. */
function categoryName(category: string | null): string {
  return category ?? "(missing)";
}

/** How many features a column becomes. */
export function featureWidth(encoding: Encoding): number {
  return encoding.kind === "number" ? 1 : indicators(encoding.categories).length;
}

/** The categories that have a feature of their own: all, but of two only the second. */
function indicators(categories: readonly (string | null)[]): readonly (string | null)[] {
  return categories.length === 2 ? categories.slice(1) : categories;
}

function featureNames(encoding: Encoding): string[] {
  if (encoding.kind === "number") return [encoding.column];
  return indicators(encoding.categories).map((category) => `${encoding.column}=${categoryName(category)}`);
}

/**
 * Learns from the training rows how columns become features: the median that fills missing numbers, mean and scale,
 * and the categories. Columns that tell nothing are left out with a note: category columns with more than 50 values or
 * no value twice, columns without a value, and constant ones (constant numbers stay when nothing is standardized).
 *
 * @param rows the training rows.
 * @param standardize `columns`: numbers get mean 0 and population standard deviation 1 over the training rows.
 * @throws DataError when no feature is left.
 */
export function fitPreprocessing(
  columns: readonly Column[],
  rows: Uint32Array,
  standardize: "columns" | "none",
  file: string,
): { preprocessing: Preprocessing; notes: readonly string[] } {
  const dropped = new Map<string, string[]>();
  const drop = (name: string, reason: string): null => {
    dropped.set(reason, [...(dropped.get(reason) ?? []), name]);
    return null;
  };
  const encodings = columns
    .map((column) =>
      column.kind === "number" ? fitNumber(column, rows, standardize, drop) : fitCategories(column, rows, drop),
    )
    .filter((encoding) => encoding !== null);
  const notes = [...dropped].map(
    ([reason, names]) => `dropped ${names.length === 1 ? "column" : "columns"} ${listing(names)}: ${reason}`,
  );
  if (encodings.length === 0) {
    throw new DataError(`no feature is left in ${file}`, {
      code: "no-features",
      hint: notes.length > 0 ? notes.join("; ") : "the table has no column besides the target",
      place: { file },
    });
  }
  return { preprocessing: { encodings, features: encodings.flatMap(featureNames) }, notes };
}

type Drop = (name: string, reason: string) => null;

function fitNumber(
  column: NumberColumn,
  rows: Uint32Array,
  standardize: "columns" | "none",
  drop: Drop,
): Encoding | null {
  const filled = new Float64Array(rows.length);
  const present = new Float64Array(rows.length);
  let count = 0;
  rows.forEach((i, k) => {
    const value = column.values[i]!;
    filled[k] = value;
    if (!Number.isNaN(value)) present[count++] = value;
  });
  if (count === 0) return drop(column.name, "no value in the training rows");
  const fill = median(present.subarray(0, count));
  const encoding = { kind: "number", column: column.name, fill } as const;
  if (standardize === "none") return { ...encoding, mean: 0, scale: 1 };
  if (count < filled.length)
    filled.forEach((value, k) => {
      if (Number.isNaN(value)) filled[k] = fill;
    });
  const moments = standardization(filled);
  return moments === null ? drop(column.name, "constant on the training rows") : { ...encoding, ...moments };
}

function fitCategories(column: CategoryColumn, rows: Uint32Array, drop: Drop): Encoding | null {
  const { codes, categories } = column;
  if (categories.length > MOST_CATEGORIES) return drop(column.name, `more than ${MOST_CATEGORIES} categories`);
  if (categories.length > 2 && categories.length === codes.length)
    return drop(column.name, "another value in every row");
  const seen = new Set<number>();
  for (const i of rows) seen.add(codes[i]!);
  const kept: (string | null)[] = categories.filter((_, code) => seen.has(code));
  if (seen.has(-1)) kept.push(null);
  if (kept.length < 2) return drop(column.name, "constant on the training rows");
  return { kind: "one-hot", column: column.name, categories: kept };
}

/** Encoded rows, and for each encoding how many cells were filled (numbers) or of an unknown category (one-hot). */
export interface Encoded {
  readonly X: Matrix;
  readonly odd: Uint32Array;
}

/**
 * Features of the given rows, n x d, in plain ordered loops.
 *
 * @param columns one for each encoding, in that order.
 */
export function encodeRows(preprocessing: Preprocessing, columns: readonly Column[], rows: Uint32Array): Encoded {
  const X = matrix(rows.length, preprocessing.features.length);
  const odd = new Uint32Array(columns.length);
  let offset = 0;
  preprocessing.encodings.forEach((encoding, e) => {
    const column = columns[e]!;
    if (encoding.kind === "number") {
      if (column.kind !== "number") throw new TypeError(`column "${column.name}" must hold numbers`);
      odd[e] = encodeNumbers(encoding, column, rows, X, offset);
    } else {
      odd[e] = encodeCategories(encoding, asCategories(column), rows, X, offset);
    }
    offset += featureWidth(encoding);
  });
  return { X, odd };
}

function encodeNumbers(
  { mean, scale, fill }: Encoding & { kind: "number" },
  column: NumberColumn,
  rows: Uint32Array,
  X: Matrix,
  offset: number,
): number {
  let filled = 0;
  rows.forEach((i, k) => {
    let value = column.values[i]!;
    if (Number.isNaN(value)) {
      value = fill;
      filled++;
    }
    const centred = value - mean;
    // The difference of two huge numbers may overflow; that of their halves does not.
    X.data[k * X.cols + offset] = Number.isFinite(centred) ? centred / scale : (value / 2 - mean / 2) / (scale / 2);
  });
  return filled;
}

function encodeCategories(
  { categories }: Encoding & { kind: "one-hot" },
  column: CategoryColumn,
  rows: Uint32Array,
  X: Matrix,
  offset: number,
): number {
  const feature = new Map(indicators(categories).map((category, k) => [category, k]));
  const known = new Set(categories);
  let unknown = 0;
  rows.forEach((i, k) => {
    const code = column.codes[i]!;
    const category = code < 0 ? null : column.categories[code]!;
    const position = feature.get(category);
    if (position !== undefined) X.data[k * X.cols + offset + position] = 1;
    else if (!known.has(category)) unknown++;
  });
  return unknown;
}

/** Numbers as categories: what a table says when all categories of a column happen to be numbers. */
function asCategories(column: Column): CategoryColumn {
  if (column.kind === "category") return column;
  const categories: string[] = [];
  const codeOf = new Map<number, number>();
  const codes = Int32Array.from(column.values, (value) => {
    if (Number.isNaN(value)) return -1;
    const code = codeOf.get(value) ?? categories.push(String(value)) - 1;
    codeOf.set(value, code);
    return code;
  });
  return { name: column.name, named: column.named, place: column.place, kind: "category", codes, categories };
}

/** Sentences on the cells that `encodeRows` had to guess. */
export function oddCellNotes({ encodings }: Preprocessing, odd: Uint32Array): readonly string[] {
  const said = (kind: Encoding["kind"]): string[] =>
    encodings.flatMap((encoding, e) =>
      encoding.kind === kind && odd[e]! > 0 ? [`${encoding.column} (${odd[e]})`] : [],
    );
  const filled = said("number");
  const unknown = said("one-hot");
  const total = (kind: Encoding["kind"]): number =>
    odd.reduce((sum, count, e) => sum + (encodings[e]!.kind === kind ? count : 0), 0);
  const notes: string[] = [];
  if (filled.length > 0) {
    notes.push(`${counted(total("number"), "missing cell")} filled with the training median: ${listing(filled)}`);
  }
  if (unknown.length > 0) {
    notes.push(
      `${counted(total("one-hot"), "cell")} of a category not seen in training, encoded as zeros: ${listing(unknown)}`,
    );
  }
  return notes;
}

/** What the columns that a preprocessing uses must be read as. */
function columnKinds(preprocessing: Preprocessing): ReadonlyMap<string, ColumnKind> {
  return new Map(
    preprocessing.encodings.map(({ column, kind }) => [column, kind === "number" ? "number" : "category"]),
  );
}

/**
 * The features (n x d) of the raw rows of a table, as learned in training; columns it does not use are ignored.
 *
 * @throws DataError when a column is missing, or has text where numbers are needed.
 */
export function applyPreprocessing(
  preprocessing: Preprocessing,
  table: Table,
): { readonly X: Matrix; readonly notes: readonly string[] } {
  const byName = new Map(table.columns.map((column) => [column.name, column]));
  const columns = preprocessing.encodings.map((encoding) => {
    const column = byName.get(encoding.column);
    if (column === undefined) throw columnNotFound(table, encoding.column);
    if (encoding.kind === "number" && column.kind === "category") {
      throw new DataError(`column "${column.name}" holds text, but the model was trained with numbers in it`, {
        code: "not-a-number",
        hint: `one of its cells is "${column.categories[0] ?? ""}"`,
        place: column.place,
      });
    }
    return column;
  });
  const { X, odd } = encodeRows(preprocessing, columns, allRows(table.rows));
  return { X, notes: oddCellNotes(preprocessing, odd) };
}

/**
 * Reads raw rows from a file, with the columns as the preprocessing needs them: what `predict` takes. An all-number
 * file read so keeps `01` and `1` apart where the model knows them as categories.
 *
 * @throws DataError as `readTable` and `applyPreprocessing`.
 */
export function loadRows(
  preprocessing: Preprocessing,
  file: string,
): { readonly table: Table; readonly X: Matrix; readonly notes: readonly string[] } {
  const table = readTable(file, columnKinds(preprocessing));
  const { X, notes } = applyPreprocessing(preprocessing, table);
  return { table, X, notes: [...table.notes, ...notes] };
}
