import { type FileMetaData, parquetMetadata, type SchemaElement } from "hyparquet";
import { DataError, UserError } from "../base/errors.ts";
import { sortedCategories } from "./category-order.ts";
import { listing } from "./columns.ts";
import { Cursor, passStruct } from "./parquet-guard.ts";
import { CODECS, dataPages } from "./parquet-pages.ts";
import { cellReader, type RawCell } from "./parquet-types.ts";
import type { Column, ColumnKind, TableContent } from "./types.ts";

const FOOTER_BYTES = 8;
/** No file of real data packs more rows into a byte. */
const MOST_ROWS_PER_BYTE = 4096;
/** As many f64 as fit into 2 GiB. */
const MOST_CELLS = 2 ** 28;

/** Whether the bytes begin like a Parquet file (and not like a CSV table with a column named so). */
export function isParquet(bytes: Uint8Array): boolean {
  const magic = String.fromCharCode(...bytes.subarray(0, 4));
  const next = bytes[4] ?? 0;
  return (magic === "PAR1" || magic === "PARE") && next < 32 && next !== 10 && next !== 13;
}

/**
 * Reads a Parquet file whose columns are not nested.
 *
 * Numbers of every type and decimals become numbers, text, booleans and UUIDs categories; dates, times and timestamps
 * become days (since 1970-01-01 in UTC, or since midnight). Only nulls and NaN are missing. The index that pandas saves
 * beside the columns is left out.
 *
 * @param file named in errors.
 * @param kinds the columns that are needed (see `readCsv`): of the others, those that cannot be read are left out.
 * @throws DataError when the file is damaged or encrypted, or a column is nested or of a type that is not a cell.
 */
export function readParquet(bytes: Uint8Array, file: string, kinds?: ReadonlyMap<string, ColumnKind>): TableContent {
  const place = { file };
  const { metadata, fields } = guarded(file, () => readFooter(bytes, file));
  const rows = Number(metadata.num_rows);
  if (rows === 0 || fields.length === 0) {
    throw new DataError(rows === 0 ? "the file has no rows" : "the file has no columns", {
      code: rows === 0 ? "no-rows" : "empty-file",
      hint: "was the table filled before it was written?",
      place,
    });
  }
  if (rows * fields.length > MOST_CELLS) {
    throw new DataError(`the table has ${rows} rows and ${fields.length} columns, too many to hold in memory`, {
      code: "file-too-large",
      hint: "write a sample of its rows, or only the columns that are needed",
      place,
    });
  }
  const changed = new Map<string, string[]>();
  const note: Note = (name, what) => changed.set(what, [...(changed.get(what) ?? []), name]);
  const columns: Column[] = [];
  const seen = new Set<string>();
  for (const { element, nested } of fields) {
    const { name } = element;
    if (seen.has(name)) {
      throw new DataError(`two columns are named "${name}"`, {
        code: "duplicate-column",
        hint: "give every column a name of its own",
        place,
      });
    }
    seen.add(name);
    if (/^__index_level_\d+__$/.test(name)) {
      note(name, "dropped, as the index that pandas saves with a table");
      continue;
    }
    try {
      if (nested) throw nestedColumn(name, file);
      columns.push(guarded(file, () => readColumn(bytes, metadata, element, file, note)));
    } catch (error) {
      const needed = kinds === undefined || kinds.has(name);
      if (needed || !(error instanceof DataError)) throw error;
    }
  }
  // As with CSV, what is odd is told when a table is read to learn from it.
  const notes =
    kinds === undefined
      ? [...changed].map(([what, names]) => `column${names.length === 1 ? "" : "s"} ${listing(names)}: ${what}`)
      : [];
  return { columns, rows, notes, placeOf: () => place };
}

/** Remembers what was changed in a column. */
type Note = (name: string, what: string) => void;

/** hyparquet meets damage with errors of any kind: each becomes a sentence for the user. */
function guarded<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof UserError || !(error instanceof Error)) throw error;
    throw new DataError(`"${file}" cannot be read as Parquet: ${error.message}`, {
      code: "damaged-parquet",
      hint: "it may be cut short: copy it or write it again",
      place: { file },
    });
  }
}

function readFooter(bytes: Uint8Array, file: string): { metadata: FileMetaData; fields: Field[] } {
  const tail = bytes.subarray(-FOOTER_BYTES);
  const magic = String.fromCharCode(...tail.subarray(4));
  if (magic === "PARE") {
    throw new DataError("the file is encrypted", {
      code: "encrypted-parquet",
      hint: "write it without encryption",
      place: { file },
    });
  }
  if (magic !== "PAR1" || bytes.length < 4 + FOOTER_BYTES) throw new RangeError("its end is missing");
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(0, true);
  passStruct(new Cursor(bytes, bytes.length - FOOTER_BYTES - length, bytes.length - FOOTER_BYTES));
  const metadata = parquetMetadata(bytes, { geoparquet: false });
  const sizes = metadata.row_groups.map((group) => Number(group.num_rows));
  const rows = sizes.reduce((sum, size) => sum + size, 0);
  if (!sizes.every((size) => size >= 0) || rows !== Number(metadata.num_rows)) {
    throw new RangeError("its parts do not have the rows that it promises");
  }
  if (rows > MOST_ROWS_PER_BYTE * bytes.length) throw new RangeError(`it is too small for ${rows} rows`);
  return { metadata, fields: topLevel(metadata.schema) };
}

interface Field {
  readonly element: SchemaElement;
  readonly nested: boolean;
}

/** The columns of the table; what is inside a nested one is passed over. */
function topLevel(schema: readonly SchemaElement[]): Field[] {
  const fields: Field[] = [];
  for (let i = 1; i < schema.length; ) {
    const element = schema[i++]!;
    if (element.name === undefined) throw new RangeError("a column has no name");
    let inside = element.num_children ?? 0;
    fields.push({ element, nested: inside > 0 || element.repetition_type === "REPEATED" });
    for (; inside > 0 && i < schema.length; i++) inside += (schema[i]!.num_children ?? 0) - 1;
  }
  return fields;
}

function nestedColumn(name: string, file: string): DataError {
  return new DataError(`column "${name}" is nested: its cells are lists or records, not values`, {
    code: "nested-column",
    hint: "drop it or flatten it into columns of its own before writing, in pandas with json_normalize or explode",
    place: { file },
  });
}

function readColumn(
  bytes: Uint8Array,
  metadata: FileMetaData,
  element: SchemaElement,
  file: string,
  note: Note,
): Column {
  const { name } = element;
  const head = { name, named: true, place: { file } };
  const rows = Number(metadata.num_rows);
  const reader = cellReader(element, file);
  if (reader.kind === "category") {
    const codes = new Int32Array(rows).fill(-1);
    readCells(bytes, metadata, element, file, reader.read, codes);
    return { ...head, kind: "category", ...sortedCategories(reader.categories, codes) };
  }
  const values = new Float64Array(rows).fill(Number.NaN);
  readCells(bytes, metadata, element, file, reader.read, values);
  const infinite = values.findIndex((value) => Math.abs(value) === Number.POSITIVE_INFINITY);
  if (infinite >= 0) {
    throw new DataError(`column "${name}" has an infinite number in row ${infinite + 1}`, {
      code: "not-finite",
      hint: "write a missing value as null",
      place: { file },
    });
  }
  const what = reader.note();
  if (what !== null) note(name, what);
  return { ...head, kind: "number", values };
}

/** Fills in the cells of a column that are present. */
function readCells(
  bytes: Uint8Array,
  { row_groups: groups }: FileMetaData,
  element: SchemaElement,
  file: string,
  read: (raw: RawCell) => number,
  out: Float64Array | Int32Array,
): void {
  let row = 0;
  for (const group of groups) {
    const rows = Number(group.num_rows);
    const chunk = group.columns.find(({ meta_data: data }) => data?.path_in_schema.join() === element.name);
    const data = chunk?.meta_data;
    if (data === undefined || data.type !== element.type || chunk?.file_path !== undefined) {
      throw new RangeError(`a part of column "${element.name}" is not there`);
    }
    if (data.codec !== "UNCOMPRESSED" && CODECS[data.codec] === undefined) {
      throw new DataError(`the file is compressed with ${data.codec}, which is not read`, {
        code: "parquet-codec",
        hint: "write it with snappy, zstd, gzip, brotli or lz4",
        place: { file },
      });
    }
    let lookUp: ((index: number) => number) | null = null;
    for (const page of dataPages(bytes, data, element, rows)) {
      const { present, values, dictionary } = page;
      if (dictionary !== null) lookUp ??= dictionaryLookUp(dictionary, read);
      const cell = dictionary === null ? read : lookUp!;
      let k = 0;
      for (let i = 0; i < page.rows; i++, row++) {
        if (present === null || present[i] === 1) out[row] = cell(values[k++]);
      }
    }
  }
}

/** Converts an entry of a dictionary when it is first used, so that categories without a cell do not appear. */
function dictionaryLookUp(dictionary: ArrayLike<RawCell>, read: (raw: RawCell) => number): (index: number) => number {
  const cells = new Float64Array(dictionary.length);
  const known = new Uint8Array(dictionary.length);
  return (index) => {
    if (index >= dictionary.length) throw new RangeError("a page refers to an entry that its dictionary does not have");
    if (known[index] === 0) {
      cells[index] = read(dictionary[index]!);
      known[index] = 1;
    }
    return cells[index];
  };
}
