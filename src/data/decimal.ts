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
 * The correctly rounded value of (high 10^lowDigits + low) 10^exponent, or NaN when this quick way cannot tell: an
 * exponent outside -22 .. 22, or a value too close to the middle of two f64 numbers. It divides (or multiplies) in
 * double-double arithmetic, where the power is exact, and accepts the result when an error margin far above its own
 * error does not change the rounding.
 *
 * @param high below 2^53.
 * @param low of at most 7 digits, as many as `lowDigits`.
 */
export function roundLongDecimal(high: number, low: number, lowDigits: number, exponent: number): number {
  if (exponent < -22 || exponent > 22) return Number.NaN;

  // 1. All digits as the exact sum head + tail.
  const shift = EXACT_POWERS[lowDigits]!;
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
