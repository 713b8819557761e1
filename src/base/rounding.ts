/**
 * Which way a number may be off when it is shortened: a lower bound is rounded down, an objective and a gap up, so that
 * what is printed is still true.
 */
export type Rounding = "nearest" | "down" | "up";

/**
 * `value` as a multiple of 10^-decimals, not above it (`down`), not below it (`up`), or the nearest.
 *
 * Works on the shortest decimal that reads back as `value`, so that 0.07 is 0.07 and not a hair more.
 */
export function roundDecimals(value: number, decimals: number, rounding: Rounding): number {
  return cut(value, (exponent) => decimals + exponent + 1, rounding);
}

/** `value` with at most `digits` significant digits, not above it (`down`), not below it (`up`), or the nearest. */
export function roundDigits(value: number, digits: number, rounding: Rounding): number {
  return cut(value, () => digits, rounding);
}

/** Cuts after `keep(e)` digits of |value| = d.ddd x 10^e; none or fewer than none may be kept. */
function cut(value: number, keep: (exponent: number) => number, rounding: Rounding): number {
  if (!Number.isFinite(value) || value === 0) return value;
  const [mantissa = "", power] = Math.abs(value).toExponential().split("e");
  const digits = mantissa.replace(".", "");
  const exponent = Number(power);
  const kept = keep(exponent);
  if (kept >= digits.length) return value;
  // What is cut off is not zero: the shortest decimal does not end in zeros.
  const next = kept < 0 ? "0" : digits.charAt(kept);
  const away = rounding === "nearest" ? next >= "5" : (rounding === "up") === value > 0;
  const units = BigInt(digits.slice(0, Math.max(0, kept))) + (away ? 1n : 0n);
  return Math.sign(value) * Number(`${units}e${exponent - kept + 1}`);
}
