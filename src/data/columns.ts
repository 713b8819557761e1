import { didYouMean } from "../base/did-you-mean.ts";
import { DataError } from "../base/errors.ts";
import type { Column, Table } from "./types.ts";

/** Names to show in a sentence: all of a few, the first ones of many. */
export function listing(names: readonly string[], most = 8): string {
  const shown = names.slice(0, most).join(", ");
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

/** `1 row`, `2 rows`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** The error for a column name that the table does not have; shows the most similar one and where it stands. */
export function columnNotFound(table: Table, name: string): DataError {
  const names = table.columns.map((column) => column.name);
  const similar = didYouMean(name, names);
  const place = table.columns.find((column) => column.name === similar)?.place ?? { file: table.file };
  return new DataError(`column "${name}" not found in ${table.file}`, {
    code: "column-not-found",
    hint: similar === null ? `its columns are ${listing(names)}` : `did you mean "${similar}"?`,
    place,
  });
}

/**
 * The column of this name, or else the column of this number, counted from 1.
 *
 * @throws DataError when there is neither.
 */
export function findColumn(table: Table, nameOrNumber: string): Column {
  const named = table.columns.find((column) => column.name === nameOrNumber);
  if (named !== undefined) return named;
  if (!/^\d+$/.test(nameOrNumber)) throw columnNotFound(table, nameOrNumber);
  const numbered = table.columns[Number(nameOrNumber) - 1];
  if (numbered === undefined) {
    throw new DataError(`there is no column ${nameOrNumber} in ${table.file}`, {
      code: "column-not-found",
      hint: `its columns are numbered 1 to ${table.columns.length}`,
      place: { file: table.file },
    });
  }
  return numbered;
}
