import { EXACT_POWERS, roundLongDecimal } from "./decimal.ts";

const PLUS = 43;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const LOWER_E = 101;
const TO_LOWER = 32;

/** The ASCII bytes `start` .. `end` as a string. */
function ascii(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

/**
 * The number in the bytes `start` .. `end`, correctly rounded: decimal digits with optional sign, point and exponent.
 * Spellings of infinity, and numbers beyond the range of f64, give an infinity; everything else gives NaN.
 */
export function parseNumber(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  const negative = bytes[i] === MINUS;
  if (negative || bytes[i] === PLUS) i++;
  const unsigned = i;
  let mantissa = 0;
  let exponent = 0;
  let digit = 0;
  for (; i < end; i++) {
    digit = bytes[i]! - ZERO;
    if (digit < 0 || digit > 9) break;
    mantissa = mantissa * 10 + digit;
  }
  let digits = i - unsigned;
  let mantissaEnd = i;
  if (i < end && bytes[i] === DOT) {
    const fraction = ++i;
    for (; i < end; i++) {
      digit = bytes[i]! - ZERO;
      if (digit < 0 || digit > 9) break;
      mantissa = mantissa * 10 + digit;
    }
    exponent = fraction - i;
    digits += i - fraction;
    mantissaEnd = i;
  }
  if (digits === 0) return parseInfinity(bytes, unsigned, end, negative);
  if (i < end && (bytes[i]! | TO_LOWER) === LOWER_E) {
    i++;
    const down = bytes[i] === MINUS;
    if (down || bytes[i] === PLUS) i++;
    const first = i;
    let power = 0;
    for (; i < end; i++) {
      digit = bytes[i]! - ZERO;
      if (digit < 0 || digit > 9) break;
      power = power * 10 + digit;
    }
    if (i === first) return Number.NaN;
    exponent += down ? -power : power;
  }
  if (i !== end) return Number.NaN;
  // Both factors exact means one rounding (Clinger 1990); a mantissa that reached 2^53 may have lost digits.
  if (mantissa < 9007199254740992 && exponent >= -22 && exponent <= 22) {
    const value = exponent < 0 ? mantissa / EXACT_POWERS[-exponent]! : mantissa * EXACT_POWERS[exponent]!;
    return negative ? -value : value;
  }
  const long = roundLongDecimal(bytes, unsigned, mantissaEnd, exponent);
  if (Number.isNaN(long)) return Number(ascii(bytes, start, end));
  return negative ? -long : long;
}

function parseInfinity(bytes: Uint8Array, start: number, end: number, negative: boolean): number {
  if (end - start !== 3 && end - start !== 8) return Number.NaN;
  const word = ascii(bytes, start, end).toLowerCase();
  if (word !== "inf" && word !== "infinity") return Number.NaN;
  return negative ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

const MISSING = new Set(["", "NA", "N/A", "NaN", "nan", "null", "?"]);

/** Whether the bytes `start` .. `end` are a marker of a missing value in a column of any kind. */
export function isMissing(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start <= 4 && MISSING.has(ascii(bytes, start, end));
}

/** Whether a cell is a lone minus: a missing value among numbers, but a category like any other among words. */
export function isDash(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === 1 && bytes[start] === MINUS;
}
