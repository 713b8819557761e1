const ZERO = 48;
const HIGH_DIGITS = 15;
const LOW_DIGITS = 7;
const SPLITTER = 134217729; // 2^27 + 1

/** The powers of ten that are exact in f64: 10^0 .. 10^22. */
export const EXACT_POWERS = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/** The rounding error of the product `p` of `a` and `b` (Dekker 1971); exact without over- and underflow. */
function productError(a: number, b: number, p: number): number {
  const ca = SPLITTER * a;
  const aHigh = ca - (ca - a);
  const aLow = a - aHigh;
  const cb = SPLITTER * b;
  const bHigh = cb - (cb - b);
  const bLow = b - bHigh;
  return aHigh * bHigh - p + aHigh * bLow + aLow * bHigh + aLow * bLow;
}

/**
 * The correctly rounded value of the digits in `bytes[start .. end)` (a point is skipped) times 10^exponent, or NaN
 * when this quick way cannot tell: above 22 significant digits, an exponent outside -22 .. 22, or a value too close to
 * the middle of two f64 numbers. It divides (or multiplies) in double-double arithmetic, where the power is exact, and
 * accepts the result when an error margin far above its own error does not change the rounding.
 */
export function roundLongDecimal(bytes: Uint8Array, start: number, end: number, exponent: number): number {
  if (exponent < -22 || exponent > 22) return Number.NaN;
  let high = 0;
  let low = 0;
  let digits = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i]! - ZERO;
    if (digit < 0 || digit > 9 || (digits === 0 && digit === 0)) continue;
    if (digits < HIGH_DIGITS) high = high * 10 + digit;
    else low = low * 10 + digit;
    digits++;
  }
  if (digits <= HIGH_DIGITS || digits > HIGH_DIGITS + LOW_DIGITS) return Number.NaN;

  // 1. All digits as the exact sum head + tail.
  const shift = EXACT_POWERS[digits - HIGH_DIGITS]!;
  const shifted = high * shift;
  const rest = productError(high, shift, shifted) + low;
  const head = shifted + rest;
  const tail = rest - (head - shifted);

  // 2. Times or over the power of ten, as value + correction.
  const power = EXACT_POWERS[Math.abs(exponent)]!;
  let value: number;
  let correction: number;
  if (exponent < 0) {
    value = head / power;
    const back = value * power;
    correction = (head - back - productError(value, power, back) + tail) / power;
  } else {
    value = head * power;
    correction = productError(head, power, value) + tail * power;
  }

  // 3. One rounding, if it is beyond doubt.
  const margin = value * 2 ** -98;
  const rounded = value + (correction - margin);
  return rounded === value + (correction + margin) ? rounded : Number.NaN;
}
