/** `0.2900` -> `0.29`, `1.500e-7` -> `1.5e-7`, `3.000e+2` -> `300`. */
function plain(value: number): string {
  const size = Math.abs(value);
  if (value === 0 || (size >= 1e-4 && size < 1e7)) return String(value);
  return value.toExponential().replace("e+", "e");
}

function rounded(value: number, digits: number, direction: 1 | -1): string {
  if (!Number.isFinite(value)) return String(value);
  const nearest = Number(value.toPrecision(digits));
  if ((nearest - value) * direction >= 0) return plain(nearest);
  // One unit of the last digit further, in integers: nearest = units * 10^exponent.
  const [mantissa = "", power] = nearest.toExponential(digits - 1).split("e");
  let units = Number(mantissa.replace(".", ""));
  let exponent = Number(power) - digits + 1;
  if (units * direction < 0 && Math.abs(units) === 10 ** (digits - 1)) {
    // Towards zero from a power of ten, where the unit is a tenth.
    units *= 10;
    exponent -= 1;
  }
  return plain(Number(`${units + direction}e${exponent}`));
}

/** A decimal with `digits` significant digits that is not above `value`: for lower bounds. */
export function roundDown(value: number, digits = 4): string {
  return rounded(value, digits, -1);
}

/** A decimal with `digits` significant digits that is not below `value`: for objectives and gaps. */
export function roundUp(value: number, digits = 4): string {
  return rounded(value, digits, 1);
}

/** A relative gap as a percentage, rounded up: 0.0781 -> `7.9 %`. */
export function gapPercent(gap: number): string {
  return `${roundUp(100 * gap, 2)} %`;
}
