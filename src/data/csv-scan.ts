import { DataError, type Place } from "../base/errors.ts";

const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const QUOTE = 34;

/** The bytes of a delimited text file, already known to be UTF-8. */
export interface CsvSource {
  readonly bytes: Uint8Array;
  readonly delimiter: number;
  readonly file: string;
}

/**
 * Receives one cell: `bytes[start .. end)` without quotes and, outside quotes, without spaces around it. A doubled
 * quote inside a quoted cell is still doubled.
 */
export type CellVisitor = (row: number, column: number, start: number, end: number, quoted: boolean) => void;

type Located = Pick<CsvSource, "bytes" | "file">;

/** Line and column (1-based, in characters) of a byte. */
export function placeAt(source: Located, offset: number): Place {
  return placesAt(source, [offset])[0]!;
}

/** Line and column (1-based, in characters) of bytes at ascending offsets. */
export function placesAt({ bytes, file }: Located, offsets: readonly number[]): Place[] {
  let position = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  let line = 1;
  let column = 1;
  return offsets.map((offset) => {
    for (; position < offset; position++) {
      const byte = bytes[position]!;
      if (byte === LF || (byte === CR && bytes[position + 1] !== LF)) {
        line++;
        column = 1;
      } else if ((byte & 0xc0) !== 0x80) {
        // Every byte but a continuation byte of UTF-8 begins a character.
        column++;
      }
    }
    return { file, line, column };
  });
}

/** The byte after the line break at `position`, which must stand on one or at the end. */
function afterLineBreak(bytes: Uint8Array, position: number): number {
  return bytes[position] === CR && bytes[position + 1] === LF ? position + 2 : position + 1;
}

/** Where the spaces that start at `position` end (tabs too, unless they delimit). */
function skipSpaces(source: CsvSource, position: number): number {
  const { bytes, delimiter } = source;
  let p = position;
  while (bytes[p] === SPACE || (bytes[p] === TAB && delimiter !== TAB)) p++;
  return p;
}

/** The offset of the quote that closes the one at `open`. */
function closingQuote(source: CsvSource, open: number): number {
  const { bytes } = source;
  let p = bytes.indexOf(QUOTE, open + 1);
  while (p !== -1 && bytes[p + 1] === QUOTE) p = bytes.indexOf(QUOTE, p + 2);
  if (p === -1) {
    throw new DataError("a quote is opened here and never closed", {
      code: "open-quote",
      hint: 'close it, or write a quote inside a quoted cell twice ("")',
      place: placeAt(source, open),
    });
  }
  return p;
}

/**
 * Visits the cells of the record that starts at `start`; returns the byte after its line break.
 *
 * @param columns how many cells it must have, or null for any number.
 * @throws DataError at a quote that does not close its cell, or at a record with another number of cells.
 */
export function scanRecord(
  source: CsvSource,
  start: number,
  row: number,
  columns: number | null,
  visit: CellVisitor,
): number {
  const { bytes, delimiter } = source;
  const length = bytes.length;
  const limit = columns ?? Number.POSITIVE_INFINITY;
  let position = start;
  let column = 0;
  for (; ; column++) {
    if (column === limit) throw ragged(source, start, position, limit);
    const first = skipSpaces(source, position);
    if (bytes[first] === QUOTE) {
      const close = closingQuote(source, first);
      position = skipSpaces(source, close + 1);
      const next = bytes[position];
      if (position < length && next !== delimiter && next !== LF && next !== CR) {
        throw new DataError("text follows a closing quote", {
          code: "stray-quote",
          hint: 'write a quote inside a quoted cell twice ("")',
          place: placeAt(source, position),
        });
      }
      visit(row, column, first + 1, close, true);
    } else {
      position = first;
      while (position < length) {
        const byte = bytes[position];
        if (byte === delimiter || byte === LF || byte === CR) break;
        position++;
      }
      let end = position;
      while (end > first && (bytes[end - 1] === SPACE || bytes[end - 1] === TAB)) end--;
      visit(row, column, first, end, false);
    }
    if (position >= length || bytes[position] !== delimiter) break;
    position++;
  }
  if (columns !== null && column + 1 < columns) throw ragged(source, start, position, columns);
  return position < length ? afterLineBreak(bytes, position) : length;
}

function ragged(source: CsvSource, start: number, position: number, columns: number): DataError {
  let cells = 0;
  scanRecord(source, start, 0, null, () => {
    cells++;
  });
  const hint =
    cells === columns + 1
      ? "quote a cell that contains the delimiter; if every row begins with an unnamed row label, name it in the header"
      : cells > columns
        ? "quote cells that contain the delimiter"
        : "leave the delimiters in place where values are missing";
  return new DataError(`the header has ${columns} cell${columns === 1 ? "" : "s"}, this line ${cells}`, {
    code: "ragged-row",
    hint,
    place: placeAt(source, position),
  });
}

/** The start of the first line from `position` on that is not blank (or the length of the file). */
export function skipBlankLines(source: CsvSource, position: number): number {
  const { bytes } = source;
  let p = position;
  while (p < bytes.length) {
    const end = skipSpaces(source, p);
    if (end < bytes.length && bytes[end] !== LF && bytes[end] !== CR) return p;
    p = Math.min(afterLineBreak(bytes, end), bytes.length);
  }
  return p;
}

/**
 * Visits every cell of the records from `start` on and returns how many records there are. Blank lines are skipped,
 * except between the values of a table with a single column, where they are empty cells.
 *
 * @throws DataError as `scanRecord`.
 */
export function scanRecords(source: CsvSource, start: number, columns: number, visit: CellVisitor): number {
  const { bytes } = source;
  let row = 0;
  let position = start;
  while (position < bytes.length) {
    const next = skipBlankLines(source, position);
    if (next >= bytes.length) break;
    if (columns === 1) {
      for (let p = position; p < next; p = afterLineBreak(bytes, skipSpaces(source, p))) visit(row++, 0, p, p, false);
    }
    position = scanRecord(source, next, row, columns, visit);
    row++;
  }
  return row;
}

/** An upper bound on the number of records: the line breaks, and one more. */
export function countLines(bytes: Uint8Array): number {
  let lines = 1;
  for (let p = bytes.indexOf(LF); p !== -1; p = bytes.indexOf(LF, p + 1)) lines++;
  for (let p = bytes.indexOf(CR); p !== -1; p = bytes.indexOf(CR, p + 1)) if (bytes[p + 1] !== LF) lines++;
  return lines;
}

const CANDIDATES = [..."\t;,|"].map((character) => character.charCodeAt(0));
const SAMPLE_RECORDS = 20;

/**
 * The delimiter of a file: of comma, semicolon, tab and pipe the one that splits its first records most often into
 * equally many cells. Delimiters inside quotes do not count.
 */
export function detectDelimiter(bytes: Uint8Array, start: number): number {
  const counts = CANDIDATES.map((): number[] => [0]);
  let quoted = false;
  let blank = true;
  let cellStart = true;
  let records = 0;
  for (let i = start; i < bytes.length && records < SAMPLE_RECORDS; i++) {
    const byte = bytes[i]!;
    if (quoted) {
      // A doubled quote closes and opens again: behind a quote a cell still counts as just begun.
      if (byte === QUOTE) quoted = false;
    } else if (byte === QUOTE && cellStart) {
      quoted = true;
      blank = false;
    } else if (byte === LF || byte === CR) {
      if (!blank) {
        for (const count of counts) count.push(0);
        records++;
      }
      blank = true;
      cellStart = true;
    } else {
      const candidate = CANDIDATES.indexOf(byte);
      if (candidate >= 0) counts[candidate]![records]!++;
      if (byte !== SPACE) {
        blank = false;
        cellStart = candidate >= 0;
      }
    }
  }
  // The last entry belongs to a record that is empty or cut off, unless the file ends in it.
  const complete = blank || records === SAMPLE_RECORDS ? records : records + 1;
  let best = ",".charCodeAt(0);
  let bestScore = 0;
  CANDIDATES.forEach((candidate, k) => {
    const perRecord = counts[k]!.slice(0, complete);
    const header = perRecord[0] ?? 0;
    const even = perRecord.every((count) => count === header);
    // Any even split beats any uneven one.
    const score = header === 0 ? 0 : header + (even ? 1e9 : 0);
    if (score > bestScore) {
      best = candidate;
      bestScore = score;
    }
  });
  return best;
}
