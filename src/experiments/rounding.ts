import { roundDigits } from "../base/rounding.ts";

/** Plain decimals for sizes that are read easily so, powers of ten for others: `0.29`, `1.5e-7`. */
export function plainNumber(value: number): string {
  const size = Math.abs(value);
  if (value === 0 || (size >= 1e-4 && size < 1e7)) return String(value);
  return value.toExponential().replace("e+", "e");
}

/** A decimal with `digits` significant digits that is not above `value`: for lower bounds. */
export function roundDown(value: number, digits = 4): string {
  return plainNumber(roundDigits(value, digits, "down"));
}

/** A decimal with `digits` significant digits that is not below `value`: for objectives and gaps. */
export function roundUp(value: number, digits = 4): string {
  return plainNumber(roundDigits(value, digits, "up"));
}

/** A relative gap, rounded up: as a percentage while that is readable, `7.9 %`, else as it is, `4e-11`. */
export function gapText(gap: number): string {
  if (gap > 0 && gap < 1e-5) return roundUp(gap, 1);
  // 100 x 0.07 is 7.000000000000001, which must not become 7.1.
  return `${roundUp(Number((100 * gap).toPrecision(15)), 2)} %`;
}
