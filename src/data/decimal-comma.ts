import { isDash, isMissing } from "./cells.ts";
import { type CsvSource, scanRecords } from "./csv-scan.ts";

/** A number whose point may be a comma, and one that may as well be thousands: 1,234. */
const COMMA_NUMBER = /^[+-]?(\d+(,\d*)?|,\d+)(e[+-]?\d+)?$/i;
const MAYBE_THOUSANDS = /^[+-]?[1-9]\d{0,2},\d{3}$/;

/** A column being read: the cells so far, and whether all of them are such numbers. */
interface Reading {
  readonly values: Float64Array;
  isFit: boolean;
  isDecimal: boolean;
  numbers: number;
  first: string;
}

/** A column of numbers with decimal commas. */
export interface CommaColumn {
  readonly values: Float64Array;
  readonly numbers: number;
  /** Its first cell with a comma. */
  readonly example: string;
}

/**
 * Reads the columns `wanted` whose cells are all numbers or missing when a comma is the decimal sign, by their places. Columns
 * where every comma could be a thousands separator are left out.
 */
export function readDecimalCommas(
  source: CsvSource,
  start: number,
  columns: number,
  rows: number,
  wanted: readonly number[],
): ReadonlyMap<number, CommaColumn> {
  const { bytes } = source;
  const readings = new Map(
    wanted.map((column): [number, Reading] => [
      column,
      { values: new Float64Array(rows).fill(Number.NaN), isFit: true, isDecimal: false, numbers: 0, first: "" },
    ]),
  );
  scanRecords(source, start, columns, (row, column, from, to) => {
    const reading = readings.get(column);
    if (reading === undefined || !reading.isFit || isMissing(bytes, from, to) || isDash(bytes, from, to)) return;
    const text = String.fromCharCode(...bytes.subarray(from, Math.min(to, from + 64)));
    if (to - from > 64 || !COMMA_NUMBER.test(text)) {
      reading.isFit = false;
      return;
    }
    const value = Number(text.replace(",", "."));
    if (!Number.isFinite(value)) reading.isFit = false;
    reading.values[row] = value;
    reading.numbers += 1;
    if (!text.includes(",")) return;
    if (reading.first === "") reading.first = text;
    if (!MAYBE_THOUSANDS.test(text)) reading.isDecimal = true;
  });
  const found = new Map<number, CommaColumn>();
  for (const [column, { values, isFit, isDecimal, numbers, first }] of readings) {
    if (isFit && isDecimal) found.set(column, { values, numbers, example: first });
  }
  return found;
}
