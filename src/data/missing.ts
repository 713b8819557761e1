import { DataError } from "../base/errors.ts";
import { counted, listing } from "./columns.ts";
import type { Column, Table } from "./types.ts";

/**
 * What to do with missing cells of features in training: fill numbers with the median of the training rows and make a
 * category of missing words (`impute`), leave out the rows that have one (`drop`), or refuse the table (`error`).
 */
export type MissingPolicy = "impute" | "drop" | "error";

function isMissingAt(column: Column, row: number): boolean {
  return column.kind === "number" ? Number.isNaN(column.values[row]) : column.codes[row] < 0;
}

function rowCount(column: Column): number {
  return column.kind === "number" ? column.values.length : column.codes.length;
}

function countMissing(column: Column): number {
  let count = 0;
  for (let i = 0; i < rowCount(column); i++) if (isMissingAt(column, i)) count++;
  return count;
}

/** `age (3), colour (1)`: the columns with missing cells, and how many. */
function missingListing(columns: readonly Column[]): string {
  const counts = columns.map((column) => ({ name: column.name, count: countMissing(column) }));
  return listing(counts.filter(({ count }) => count > 0).map(({ name, count }) => `${name} (${count})`));
}

/**
 * Checks that no cell of the columns is missing.
 *
 * @throws DataError at the first one, by row and then by column.
 */
export function requireComplete(table: Table, columns: readonly Column[]): void {
  let row = table.rows;
  let found: Column | null = null;
  for (const column of columns) {
    let first = 0;
    while (first < row && !isMissingAt(column, first)) first++;
    if (first >= row) continue;
    row = first;
    found = column;
  }
  if (found === null) return;
  // A target from a file of its own is not a column of the table.
  const position = table.columns.indexOf(found);
  throw new DataError(`column "${found.name}" has a missing cell in row ${row + 1}`, {
    code: "missing-cell",
    hint: `fill in the missing cells of ${missingListing(columns)}, or use --missing impute or --missing drop`,
    place: position < 0 ? found.place : table.placeOf(row, position),
  });
}

/**
 * The rows in which no cell of the columns is missing, and a sentence on the others.
 *
 * @throws DataError when fewer than two rows are left.
 */
export function completeRows(
  table: Table,
  columns: readonly Column[],
): { readonly rows: Uint32Array; readonly notes: readonly string[] } {
  const rows = Uint32Array.from({ length: table.rows }, (_, i) => i).filter((i) =>
    columns.every((column) => !isMissingAt(column, i)),
  );
  const dropped = table.rows - rows.length;
  if (rows.length < 2) {
    throw new DataError(
      `${rows.length === 0 ? "every row" : "every row but one"} of ${table.file} has a missing cell`,
      {
        code: "too-few-rows",
        hint: `remove columns with many missing cells, or use --missing impute: ${missingListing(columns)}`,
        place: { file: table.file },
      },
    );
  }
  const notes =
    dropped === 0 ? [] : [`${counted(dropped, "row")} with a missing cell dropped: ${missingListing(columns)}`];
  return { rows, notes };
}

/** A column with some of its rows. */
export function takeRows<C extends Column>(column: C, rows: Uint32Array): C {
  return column.kind === "number"
    ? { ...column, values: Float64Array.from(rows, (i) => column.values[i]) }
    : { ...column, codes: Int32Array.from(rows, (i) => column.codes[i]) };
}

/** A sentence on the missing cells that became a category of their own in the rows used; none when there is none. */
export function missingCategoryNotes(columns: readonly Column[], rows: Uint32Array): readonly string[] {
  const words = columns.filter(({ kind }) => kind === "category").map((column) => takeRows(column, rows));
  const total = words.reduce((sum, column) => sum + countMissing(column), 0);
  if (total === 0) return [];
  return [`${counted(total, "missing cell")} of categories read as a category "(missing)": ${missingListing(words)}`];
}
