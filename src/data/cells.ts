import { EXACT_POWERS, roundLongDecimal } from "./decimal.ts";

const PLUS = 43;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const LOWER_E = 101;
const TO_LOWER = 32;
/** Below 2^53, and so with 15 digits, integers are exact; up to 7 digits behind them are rounded quickly. */
const HIGH_DIGITS = 15;
const LOW_DIGITS = 7;
const EXACT_INTEGERS = 2 ** 53;

/** The ASCII bytes `start` .. `end` as a string. */
function ascii(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

/** The number in four ASCII digits, the first in the lowest byte; negative when one of them is not a digit. */
function fourDigits(word: number): number {
  const digits = word ^ 0x30303030;
  // A byte above 9 has a high half, or gets one when 6 is added.
  if (((digits | (digits + 0x06060606)) & 0xf0f0f0f0) !== 0) return -1;
  const pairs = (Math.imul(digits, 10) + (digits >>> 8)) & 0x00ff00ff;
  return Math.imul(pairs & 0xff, 100) + (pairs >>> 16);
}

/**
 * The number in the bytes `start` .. `end`, correctly rounded: decimal digits with optional sign, point and exponent.
 * Spellings of infinity, and numbers beyond the range of f64, give an infinity; everything else gives NaN.
 *
 * @param view of the same bytes: four digits are read at a time.
 */
export function parseNumber(bytes: Uint8Array, start: number, end: number, view: DataView): number {
  let i = start;
  const negative = bytes[i] === MINUS;
  if (negative || bytes[i] === PLUS) i++;
  const unsigned = i;
  let high = 0;
  let digit = 0;
  for (; i < end; i++) {
    digit = bytes[i]! - ZERO;
    if (digit < 0 || digit > 9) break;
    high = high * 10 + digit;
  }
  let digits = i - unsigned;
  let exponent = 0;
  // The mantissa is high * 10^lowDigits + low: of the digits `high` takes no more than stay exact.
  let low = 0;
  let lowDigits = 0;
  if (i < end && bytes[i] === DOT) {
    const fraction = ++i;
    let stop = i + HIGH_DIGITS - digits;
    if (stop > end) stop = end;
    for (; i + 4 <= stop; i += 4) {
      const four = fourDigits(view.getInt32(i, true));
      if (four < 0) break;
      high = high * 10000 + four;
    }
    const lowStart = i;
    if (i + 4 <= end) {
      const four = fourDigits(view.getInt32(i, true));
      if (four >= 0) {
        low = four;
        i += 4;
      }
    }
    for (; i < end; i++) {
      digit = bytes[i]! - ZERO;
      if (digit < 0 || digit > 9) break;
      low = low * 10 + digit;
    }
    lowDigits = i - lowStart;
    exponent = fraction - i;
    digits += i - fraction;
  }
  if (digits === 0) return parseInfinity(bytes, unsigned, end, negative);
  if (i < end && (bytes[i]! | TO_LOWER) === LOWER_E) {
    i++;
    const down = bytes[i] === MINUS;
    if (down || bytes[i] === PLUS) i++;
    const first = i;
    let power = 0;
    for (; i < end; i++) {
      digit = bytes[i]! ^ ZERO;
      if (digit > 9) break;
      power = power * 10 + digit;
    }
    if (i === first) return Number.NaN;
    exponent += down ? -power : power;
  }
  if (i !== end) return Number.NaN;
  // Both factors exact means one rounding (Clinger 1990); a mantissa that reached 2^53 may have lost digits.
  const mantissa = lowDigits === 0 ? high : high * EXACT_POWERS[lowDigits]! + low;
  if (mantissa < EXACT_INTEGERS && exponent >= -22 && exponent <= 22) {
    const value = exponent < 0 ? mantissa / EXACT_POWERS[-exponent]! : mantissa * EXACT_POWERS[exponent]!;
    return negative ? -value : value;
  }
  const quick = high < EXACT_INTEGERS && lowDigits <= LOW_DIGITS;
  const long = quick ? roundLongDecimal(high, low, lowDigits, exponent) : Number.NaN;
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
