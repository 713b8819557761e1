import { DataError, type Place } from "../base/errors.ts";
import { CategoryIndex } from "./category-index.ts";
import { sortedCategories } from "./category-order.ts";
import { isDash, isMissing, parseNumber } from "./cells.ts";
import {
  type CsvSource,
  countLines,
  detectDelimiter,
  placeAt,
  placesAt,
  scanRecord,
  scanRecords,
  skipBlankLines,
} from "./csv-scan.ts";
import { readDecimalCommas } from "./decimal-comma.ts";
import type { CategoryColumn, Column, ColumnKind, NumberColumn, TableContent } from "./types.ts";

/** A column during the first pass, which reads every cell as a number. */
interface Draft {
  readonly head: Pick<Column, "name" | "named" | "place">;
  values: Float64Array;
  numbers: number;
  firstInfinite: number;
  /** Cells that are neither numbers nor missing. */
  others: number;
  firstOther: number;
  firstOtherEnd: number;
}

/**
 * Reads delimited text (RFC 4180; comma, semicolon, tab or pipe; UTF-8) whose first line names the columns. A column
 * whose cells are all numbers or missing is a number column, any other one a category column.
 *
 * @param file named in errors.
 * @param kinds what columns of these names must be; the others then pass unchecked, as columns nobody needs. Without
 * it, every column is inferred and checked.
 * @throws DataError with the place of what is wrong.
 */
export function readCsv(bytes: Uint8Array, file: string, kinds?: ReadonlyMap<string, ColumnKind>): TableContent {
  const start = textStart(bytes, file);
  const source: CsvSource = { bytes, delimiter: detectDelimiter(bytes, start), file };
  const header = readHeader(source, start);

  // Pass 1: every cell as a number.
  const view = viewOf(bytes);
  const capacity = countLines(bytes);
  const drafts = header.columns.map(
    (head): Draft => ({
      head,
      values: new Float64Array(kinds?.get(head.name) === "category" ? 0 : capacity),
      numbers: 0,
      firstInfinite: -1,
      others: 0,
      firstOther: -1,
      firstOtherEnd: -1,
    }),
  );
  const rows = scanRecords(source, header.end, drafts.length, (row, column, from, to) => {
    const draft = drafts[column]!;
    const value = parseNumber(bytes, from, to, view);
    draft.values[row] = value;
    if (!Number.isNaN(value)) {
      draft.numbers++;
      if (!Number.isFinite(value) && draft.firstInfinite < 0) draft.firstInfinite = from;
    } else if (!isMissing(bytes, from, to) && !isDash(bytes, from, to)) {
      if (draft.others === 0) {
        draft.firstOther = from;
        draft.firstOtherEnd = to;
      }
      draft.others++;
    }
  });
  if (rows === 0) {
    throw new DataError("the file has a header but no rows", {
      code: "no-rows",
      hint: "the first line is read as the names of the columns",
      place: placeAt(source, bytes.length),
    });
  }

  const notes = [...header.notes];
  takeDecimalCommas(source, header.end, rows, drafts, notes);

  // Pass 2: the cells of category columns as words.
  const isCategory = drafts.map((draft) => {
    const wanted = kinds && (kinds.get(draft.head.name) ?? uncheckedKind(draft));
    return inferKind(source, draft, wanted, notes) === "category";
  });
  const categories = isCategory.includes(true)
    ? readCategories(source, header.end, rows, drafts, isCategory)
    : new Map<number, CategoryColumn>();
  const columns = drafts.map((draft, j): Column => categories.get(j) ?? numberColumn(draft, rows));
  return {
    columns,
    rows,
    notes,
    placeOf: (row, column) => placeOfCell(source, header.end, columns.length, row, column),
  };
}

/** Columns that are numbers once their commas are read as points, in files whose author writes numbers so. */
function takeDecimalCommas(source: CsvSource, start: number, rows: number, drafts: Draft[], notes: string[]): void {
  const wanted = drafts.flatMap(({ others, firstOther, firstOtherEnd, values }, j) => {
    const hasComma = others > 0 && source.bytes.subarray(firstOther, firstOtherEnd).includes(COMMA);
    return hasComma && values.length > 0 ? [j] : [];
  });
  if (wanted.length === 0) return;
  const found = readDecimalCommas(source, start, drafts.length, rows, wanted);
  for (const [j, { values, numbers }] of found)
    Object.assign(drafts[j]!, { values, numbers, others: 0, firstOther: -1 });
  const [first] = found;
  if (first === undefined) return;
  const names = [...found.keys()].map((j) => `"${drafts[j]!.head.name}"`);
  const which =
    names.length > 3 ? `${names.length} columns` : `column${names.length > 1 ? "s" : ""} ${names.join(", ")}`;
  notes.push(`decimal commas in ${which} are read as decimal points, such as "${first[1].example}"`);
}

const COMMA = 44;

/** Where a cell stands; scans the records again. */
function placeOfCell(source: CsvSource, start: number, columns: number, row: number, column: number): Place {
  let offset = start;
  scanRecords(source, start, columns, (i, j, from) => {
    if (i === row && j === column) offset = from;
  });
  return placeAt(source, offset);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function numberColumn({ head, values }: Draft, rows: number): NumberColumn {
  return { ...head, kind: "number", values: values.subarray(0, rows) };
}

/** Where the text starts, behind a byte order mark. */
function textStart(bytes: Uint8Array, file: string): number {
  const fail = (message: string, code: string, hint: string): DataError =>
    new DataError(message, { code, hint, place: { file } });
  const head = bytes.subarray(0, 4096);
  const starts = (...magic: number[]): boolean => magic.every((byte, i) => head[i] === byte);
  if (starts(0x50, 0x4b, 3, 4)) {
    throw fail("the file is a zip archive or a spreadsheet", "not-text", "save the sheet as CSV (UTF-8)");
  }
  if (starts(0xff, 0xfe) || starts(0xfe, 0xff)) {
    throw fail("the file is text in UTF-16", "not-utf8", "save it as UTF-8, e.g. iconv -f UTF-16 -t UTF-8");
  }
  const zeros = head.reduce((count, byte) => count + (byte === 0 ? 1 : 0), 0);
  if (zeros > 0.3 * head.length) {
    throw fail("the file looks like text in UTF-16", "not-utf8", "save it as UTF-8, e.g. iconv -f UTF-16LE -t UTF-8");
  }
  if (zeros > 0) throw fail("the file is not text", "not-text", "expected CSV text (also gzipped) or npy");
  const start = starts(0xef, 0xbb, 0xbf) ? 3 : 0;
  if (skipBlankLines({ bytes, delimiter: 0, file }, start) >= bytes.length) {
    throw fail("the file is empty", "empty-file", "expected a line of column names, then a line for each row");
  }
  return start;
}

interface Header {
  readonly columns: readonly Draft["head"][];
  readonly end: number;
  readonly notes: readonly string[];
}

function readHeader(source: CsvSource, start: number): Header {
  const { bytes } = source;
  const view = viewOf(bytes);
  const names: string[] = [];
  const offsets: number[] = [];
  let numeric = 0;
  const end = scanRecord(source, skipBlankLines(source, start), 0, null, (_row, _column, from, to, quoted) => {
    names.push(decodeCell(source, from, to, quoted));
    offsets.push(from);
    if (!Number.isNaN(parseNumber(bytes, from, to, view))) numeric++;
  });
  const looksLikeData = numeric === names.length;
  const seen = new Set<string>();
  names.forEach((name, j) => {
    if (name !== "" && seen.has(name)) {
      throw new DataError(`two columns are named "${name}"`, {
        code: "duplicate-column",
        hint: looksLikeData
          ? "the first line looks like data: add a line with the names of the columns above it"
          : "give every column a name of its own",
        place: placeAt(source, offsets[j]!),
      });
    }
    seen.add(name);
  });
  const notes: string[] = [];
  if (looksLikeData) {
    notes.push(
      "the first line has only numbers, but is read as the names of the columns: if it is data, add a line of names above it",
    );
  }
  const places = placesAt(source, offsets);
  const columns = names.map((name, j): Draft["head"] => {
    let made = `column ${j + 1}`;
    while (seen.has(made)) made += "'";
    return { name: name === "" ? made : name, named: name !== "", place: places[j]! };
  });
  return { columns, end, notes };
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeCell(source: CsvSource, start: number, end: number, quoted: boolean): string {
  try {
    const text = decoder.decode(source.bytes.subarray(start, end));
    return quoted ? text.replaceAll('""', '"') : text;
  } catch {
    throw new DataError("the text is not UTF-8", {
      code: "not-utf8",
      hint: "save the file as UTF-8, e.g. iconv -f LATIN1 -t UTF-8",
      place: placeAt(source, start),
    });
  }
}

/** A column of this many cells with a single word among its numbers has a typing error, not categories. */
const TYPO_CELLS = 20;

/** What an unneeded column is, so that nothing in it is an error. */
function uncheckedKind({ others, firstInfinite }: Draft): ColumnKind {
  return others === 0 && firstInfinite < 0 ? "number" : "category";
}

/**
 * Whether a column holds numbers or categories; as wanted, or else as its cells say.
 *
 * @throws DataError when a few cells (below 1 %, or a single one) of a column of numbers are not numbers, or a number
 * is infinite.
 */
function inferKind(source: CsvSource, draft: Draft, wanted: ColumnKind | undefined, notes: string[]): ColumnKind {
  const { head, numbers, others, firstOther, firstOtherEnd, firstInfinite } = draft;
  const { name } = head;
  const cells = numbers + others;
  const few = others * 100 < cells || (others === 1 && cells >= TYPO_CELLS);
  const kind = wanted ?? (others === 0 || few ? "number" : "category");
  if (kind === "number" && others > 0) {
    const text = decodeCell(source, firstOther, firstOtherEnd, false);
    throw new DataError(`column "${name}" has a cell that is not a number: "${text}"`, {
      code: "not-a-number",
      hint:
        wanted === undefined
          ? `${numbers} other cells of the column are numbers; leave a missing value empty, or write NA`
          : "the model was trained with numbers in this column",
      place: placeAt(source, firstOther),
    });
  }
  if (kind === "number" && firstInfinite >= 0) {
    throw new DataError(`column "${name}" has a number that is infinite or beyond the range of f64`, {
      code: "not-finite",
      hint: "leave a missing value empty, or write NA",
      place: placeAt(source, firstInfinite),
    });
  }
  if (wanted === undefined && kind === "category") {
    const text = decodeCell(source, firstOther, firstOtherEnd, false);
    if (numbers > others) {
      notes.push(
        `column "${name}" is read as categories: ${others} of its ${cells} cells are not numbers, such as "${text}"`,
      );
    } else if (/^[+-]?\d[\d., ']*$/.test(text)) {
      notes.push(
        `column "${name}" is read as categories: numbers such as "${text}" need a decimal point and no thousands separators`,
      );
    }
  }
  return kind;
}

function readCategories(
  source: CsvSource,
  start: number,
  rows: number,
  drafts: readonly Draft[],
  isCategory: readonly boolean[],
): ReadonlyMap<number, CategoryColumn> {
  const { bytes } = source;
  const indices = isCategory.map((yes) =>
    yes ? { codes: new Int32Array(rows), cells: new CategoryIndex(bytes) } : null,
  );
  scanRecords(source, start, drafts.length, (row, column, from, to, quoted) => {
    const index = indices[column];
    if (index) index.codes[row] = isMissing(bytes, from, to) ? -1 : index.cells.code(from, to, quoted);
  });
  const columns = new Map<number, CategoryColumn>();
  indices.forEach((index, j) => {
    if (index === null || index === undefined) return;
    const seen = index.cells.decoded((from, to, quoted) => decodeCell(source, from, to, quoted));
    columns.set(j, { ...drafts[j]!.head, kind: "category", ...sortedCategories(seen, index.codes) });
  });
  return columns;
}
