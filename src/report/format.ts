import { type Rounding, roundDecimals } from "../base/rounding.ts";

/** Shown for a number that does not exist (NaN). */
export const DASH = "–";

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
/** At least this many digits before the decimal point, or a magnitude below `SMALL`, means scientific notation. */
const LARGE = 1e7;
const SMALL = 1e-3;

function superscript(exponent: number): string {
  const digits = [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[Number(digit)]).join("");
  return exponent < 0 ? `⁻${digits}` : digits;
}

/** `12345.6` -> `12,345.6`, with a true minus sign. */
function typeset(decimal: string): string {
  const [whole = "", fraction] = decimal.replace("-", "−").split(".");
  const grouped = whole.replace(/(\d)(?=(\d{3})+$)/g, "$1,");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

function fixed(value: number, decimals: number, rounding: Rounding): string {
  return roundDecimals(value, decimals, rounding).toFixed(decimals);
}

function withoutZeros(decimal: string): string {
  return decimal.includes(".") ? decimal.replace(/\.?0+$/, "") : decimal;
}

function scientific(value: number, digits: number, rounding: Rounding): string {
  const [mantissa, power] = value.toExponential().split("e").map(Number) as [number, number];
  const text = withoutZeros(fixed(mantissa, digits - 1, rounding));
  const [short, exponent] = text === "10" || text === "-10" ? [text.slice(0, -1), power + 1] : [text, power];
  const tens = `10${superscript(exponent)}`;
  return short === "1" ? tens : `${short.replace("-", "−")}×${tens}`;
}

/** NaN, infinities and zero, which no rounding rule applies to; null for every other number. */
function special(value: number): string | null {
  if (Number.isNaN(value)) return DASH;
  if (value === Number.POSITIVE_INFINITY) return "∞";
  if (value === Number.NEGATIVE_INFINITY) return "−∞";
  return value === 0 ? "0" : null;
}

/** A number with `digits` significant digits, whole numbers in full, very small and very large ones as m×10ⁿ. */
export function formatNumber(value: number, digits = 4, rounding: Rounding = "nearest"): string {
  const named = special(value);
  if (named !== null) return named;
  const size = Math.abs(value);
  if (size >= LARGE || size < SMALL) return scientific(value, digits, rounding);
  if (Number.isInteger(value)) return typeset(String(value));
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return typeset(withoutZeros(fixed(value, decimals, rounding)));
}

/** A number with exactly `decimals` decimals. */
export function formatFixed(value: number, decimals: number, rounding: Rounding = "nearest"): string {
  return Number.isFinite(value) ? typeset(fixed(value, decimals, rounding)) : formatNumber(value);
}

/** A relative gap, rounded up: per cent down to a tenth of one, scientific below; rounding errors below zero as zero. */
export function formatGap(gap: number): string {
  if (gap < 0 && gap > -1e-12) return "0";
  if (Math.abs(gap) < 1e-3 || !Number.isFinite(gap)) return formatNumber(gap, 2, "up");
  // 100 x 0.07 is 7.000000000000001, which must not become 7.1.
  return `${formatNumber(Number((100 * gap).toPrecision(14)), 2, "up")} %`;
}

/** A duration in the unit a person would choose. */
export function formatSeconds(seconds: number): string {
  if (!(seconds >= 60)) return `${formatNumber(seconds, 3)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/**
 * The formatter for numbers that are read together: the same decimals for all when their magnitudes allow it, so that
 * decimal points line up (four significant digits for the largest, at least two for the smallest); number by number
 * otherwise.
 */
export function columnFormatter(values: readonly number[]): (value: number, rounding?: Rounding) => string {
  const apart = (value: number, rounding: Rounding = "nearest") => formatNumber(value, 4, rounding);
  const sizes = values.map(Math.abs).filter((size) => size > 0 && Number.isFinite(size));
  if (sizes.length === 0 || sizes.every(Number.isInteger)) return apart;
  const largest = Math.max(...sizes);
  const smallest = Math.min(...sizes);
  if (smallest < SMALL || largest >= LARGE || largest / smallest >= 100) return apart;
  const wanted = Math.max(3 - Math.floor(Math.log10(largest)), 1 - Math.floor(Math.log10(smallest)), 0);
  // Rounded up as well as down: 10.69999 and 10.7 share two decimals, not one.
  const shortened = values.flatMap((value) => [apart(value, "up"), apart(value, "down")]);
  const needed = Math.max(...shortened.map((text) => (text.split(".")[1] ?? "").length));
  const decimals = Math.min(wanted, needed);
  return (value, rounding = "nearest") => formatFixed(value, decimals, rounding);
}
