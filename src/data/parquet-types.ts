import type { SchemaElement } from "hyparquet";
import { parseFloat16 } from "hyparquet/src/convert.js";
import { DataError } from "../base/errors.ts";
import { EXACT_POWERS } from "./decimal.ts";

/** A cell as Parquet stores it. */
export type RawCell = number | bigint | boolean | Uint8Array;

/** How the cells of a column are read: as numbers, or as codes of categories in order of appearance. */
export type CellReader =
  | {
      readonly kind: "number";
      read(raw: RawCell): number;
      /** What was changed in the cells read so far, as the end of a sentence on the column; null = nothing. */
      note(): string | null;
    }
  | { readonly kind: "category"; read(raw: RawCell): number; readonly categories: readonly string[] };

/**
 * The reader of a column of this type.
 *
 * @throws DataError when its cells are neither numbers nor text.
 */
export function cellReader(element: SchemaElement, file: string): CellReader {
  const { name, type, converted_type: converted, logical_type: logical } = element;
  const unreadable = (what: string): DataError =>
    new DataError(`column "${name}" ${what}`, {
      code: "parquet-type",
      hint: "drop it, or write it as numbers or text",
      place: { file },
    });
  const sort = logical?.type ?? converted;
  if (sort !== undefined && ["INTERVAL", "BSON", "GEOMETRY", "GEOGRAPHY", "VARIANT"].includes(sort)) {
    throw unreadable(`is of type ${sort}, which is not read`);
  }
  const number = numberReader(element);
  if (number !== null) return number;
  if (type === "BOOLEAN") return categoryReader((raw) => (raw ? "true" : "false"));
  if (type === "FIXED_LEN_BYTE_ARRAY") return categoryReader((raw) => hexadecimal(raw as Uint8Array));
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return categoryReader((raw) => {
    try {
      return decoder.decode(raw as Uint8Array);
    } catch {
      throw unreadable("holds bytes that are not text (UTF-8)");
    }
  });
}

function categoryReader(text: (raw: RawCell) => string): CellReader {
  const codes = new Map<string, number>();
  const categories: string[] = [];
  const read = (raw: RawCell): number => {
    const category = text(raw);
    const known = codes.get(category);
    if (known !== undefined) return known;
    codes.set(category, categories.length);
    return categories.push(category) - 1;
  };
  return { kind: "category", read, categories };
}

/** The reader of a column of numbers, dates or times; null for one of another type. */
function numberReader(element: SchemaElement): CellReader | null {
  const { type, converted_type: converted, logical_type: logical } = element;
  const numbers = (read: (raw: RawCell) => number, note: () => string | null = () => null): CellReader => ({
    kind: "number",
    read,
    note,
  });
  if (converted === "DECIMAL" || logical?.type === "DECIMAL") {
    const scale = element.scale ?? (logical?.type === "DECIMAL" ? logical.scale : 0);
    return numbers(decimalReader(scale));
  }
  const units = unitsPerDay(element);
  if (units !== null) {
    const since = sinceMidnight(element) ? "a fraction of the day" : "days since 1970-01-01";
    const days = type === "INT96" ? julianDays : (raw: RawCell): number => Number(raw) / units;
    return numbers(days, () => `read as ${since}`);
  }
  if (logical?.type === "FLOAT16") return numbers((raw) => parseFloat16(raw as Uint8Array) ?? Number.NaN);
  const unsigned = converted?.startsWith("UINT") === true || (logical?.type === "INTEGER" && !logical.isSigned);
  if (type === "INT32") return numbers(unsigned ? (raw) => Number(raw) >>> 0 : Number);
  if (type === "FLOAT" || type === "DOUBLE") return numbers(Number);
  if (type !== "INT64") return null;
  let rounded = false;
  const read = (raw: RawCell): number => {
    const value = Number(unsigned ? BigInt.asUintN(64, raw as bigint) : raw);
    rounded ||= !Number.isSafeInteger(value);
    return value;
  };
  return numbers(read, () => (rounded ? "integers of 2^53 or more rounded to f64" : null));
}

function sinceMidnight({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  return logical?.type === "TIME" || converted === "TIME_MILLIS" || converted === "TIME_MICROS";
}

const DAY_SECONDS = 86_400;
const UNITS = { MILLIS: 1e3, MICROS: 1e6, NANOS: 1e9 };

/** What a date or time counts, as a part of a day; null for other types. INT96 is always a timestamp. */
function unitsPerDay({ type, converted_type: converted, logical_type: logical }: SchemaElement): number | null {
  if (logical?.type === "DATE" || converted === "DATE") return 1;
  if (logical?.type === "TIMESTAMP" || logical?.type === "TIME") return DAY_SECONDS * UNITS[logical.unit];
  if (converted === "TIMESTAMP_MILLIS" || converted === "TIME_MILLIS") return DAY_SECONDS * UNITS.MILLIS;
  if (converted === "TIMESTAMP_MICROS" || converted === "TIME_MICROS") return DAY_SECONDS * UNITS.MICROS;
  return type === "INT96" ? 1 : null;
}

const JULIAN_DAY_OF_1970 = 2_440_588;

/** A timestamp of 96 bits: the Julian day above 64 bits of nanoseconds since midnight. */
function julianDays(raw: RawCell): number {
  const nanoseconds = BigInt.asUintN(64, raw as bigint);
  return Number((raw as bigint) >> 64n) - JULIAN_DAY_OF_1970 + Number(nanoseconds) / (DAY_SECONDS * UNITS.NANOS);
}

/** More than any decimal type has. */
const LARGEST_SCALE = 1000;
const LONGEST_DECIMAL = 64;

/** Reads integers times 10^-scale, correctly rounded: 3 tenths are 0.3, as in a CSV table. */
function decimalReader(scale: number): (raw: RawCell) => number {
  if (!(scale >= 0 && scale <= LARGEST_SCALE)) throw new RangeError("a decimal type has an impossible scale");
  return (raw) => {
    const integer = raw instanceof Uint8Array ? bigEndian(raw) : raw;
    const value = Number(integer);
    // Both factors exact means one rounding.
    if (Number.isSafeInteger(value) && scale < EXACT_POWERS.length) return value / EXACT_POWERS[scale];
    return Number(`${integer}e-${scale}`);
  };
}

/** A signed integer in two's complement, its largest byte first. */
function bigEndian(bytes: Uint8Array): bigint {
  if (bytes.length > LONGEST_DECIMAL) throw new RangeError("a decimal number is too long");
  return bytes.length === 0 ? 0n : BigInt.asIntN(8 * bytes.length, BigInt(`0x${hexadecimal(bytes)}`));
}

function hexadecimal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
