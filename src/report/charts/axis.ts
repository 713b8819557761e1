import { formatFixed, formatNumber } from "../format.ts";

/** A numeric axis, decided before drawing so that labels can be placed on it. */
export interface Axis {
  readonly type: "linear" | "log";
  readonly domain: readonly [number, number];
  readonly ticks: readonly number[];
  readonly format: (tick: number) => string;
}

/** Beyond these magnitudes differences and powers of ten leave the range of f64. */
const LARGEST = 1e300;
const SMALLEST = 1e-300;

/** Whether a number has a place on an axis. */
export function drawable(value: number): boolean {
  return Number.isFinite(value) && Math.abs(value) <= LARGEST;
}

/** Whether a number has a place on a logarithmic axis. */
export function positive(value: number): boolean {
  return value >= SMALLEST && value <= LARGEST;
}

/** Smallest and largest entry, in a loop because a spread of 10^5 arguments overflows the stack; [0, 0] when empty. */
export function extent(values: readonly number[]): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 0];
}

/** Multiples of 1, 2 or 5 times a power of ten inside the domain, about `count` of them. */
function linearTicks([low, high]: readonly [number, number], count: number): { ticks: number[]; step: number } {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  // Geometric midpoints between 1, 2, 5 and 10 decide which of them is nearest.
  const ratio = raw / power;
  const step = (ratio < Math.SQRT2 ? 1 : ratio < Math.sqrt(10) ? 2 : ratio < Math.sqrt(50) ? 5 : 10) * power;
  const first = Math.ceil(low / step);
  const ticks = Array.from({ length: Math.floor(high / step) - first + 1 }, (_, k) => (first + k) * step);
  return { ticks, step };
}

/** Enough digits to tell neighbouring ticks apart. */
function linearFormat(domain: readonly [number, number], step: number): (tick: number) => string {
  const size = Math.max(Math.abs(domain[0]), Math.abs(domain[1]));
  const stepPower = Math.floor(Math.log10(step));
  if (size >= 1e6 || size < 1e-3) {
    const digits = Math.min(15, Math.max(1, Math.floor(Math.log10(size)) - stepPower + 1));
    return (tick) => formatNumber(tick, digits);
  }
  const decimals = Math.min(15, Math.max(0, -stepPower));
  return (tick) => (tick === 0 ? "0" : formatFixed(tick, decimals));
}

/**
 * A linear axis around the values, with a margin of 6 % on both sides.
 *
 * @param count about how many ticks.
 */
export function linearAxis(values: readonly number[], count: number): Axis {
  const [low, high] = extent(values);
  // A range below 1 % of the magnitude (a constant series above all) is widened: its wiggles are not worth a full height.
  const size = Math.max(Math.abs(low), Math.abs(high));
  const margin = Math.max(0.06 * (high - low), 0.005 * size, size < SMALLEST ? 1 : 0);
  const domain: [number, number] = [low - margin, high + margin];
  const { ticks, step } = linearTicks(domain, count);
  return { type: "linear", domain, ticks, format: linearFormat(domain, step) };
}

/** Ticks at the given multiples of every `stride`-th power of ten inside [low, high]. */
function decadeTicks(low: number, high: number, factors: readonly number[], stride: number): number[] {
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    if (power % stride !== 0) continue;
    for (const factor of factors) ticks.push(factor * 10 ** power);
  }
  // A domain that ends on a power of ten up to rounding keeps its tick.
  return ticks.filter((tick) => tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9));
}

/**
 * A logarithmic axis over [low, high], 0 < low <= high.
 *
 * @param count at most this many ticks: the densest of 1-2-5 steps, 1-3 steps and whole decades that fits, every k-th
 *   decade when there are too many, plain steps in a range without two such ticks.
 */
export function logAxis(low: number, high: number, count: number): Axis {
  const domain: [number, number] = high > 1.1 * low ? [low, high] : [low / 2, high * 2];
  const decades = Math.log10(domain[1]) - Math.log10(domain[0]);
  const sparse = Array.from({ length: Math.ceil(decades / 2) }, (_, k) => decadeTicks(...domain, [1], k + 1));
  const candidates = [decadeTicks(...domain, [1, 2, 5], 1), decadeTicks(...domain, [1, 3], 1), ...sparse];
  const ticks = candidates.find((some) => some.length <= count && some.length >= 2) ?? linearTicks(domain, 3).ticks;
  return { type: "log", domain, ticks, format: (tick) => formatNumber(tick, 3) };
}

/** Where a value falls on an axis drawn from pixel `start` to pixel `end`. */
export function pixel(axis: Axis, value: number, start: number, end: number): number {
  const scale = axis.type === "log" ? Math.log10 : (x: number) => x;
  const [low, high] = [scale(axis.domain[0]), scale(axis.domain[1])];
  return start + ((scale(value) - low) / (high - low)) * (end - start);
}

/**
 * The axis of elapsed seconds shared by every chart against time: logarithmic when it spans a decade, because the
 * first second matters as much as the last minute.
 *
 * @returns the axis, and the map that brings a time of zero (a first point before the clock moved) onto it.
 */
export function timeAxis(
  seconds: readonly number[],
  count: number,
): { axis: Axis; clamp: (seconds: number) => number } {
  const [low, high] = extent(seconds.filter(positive));
  if (high === 0 || high / low < 10) {
    const [start, end] = extent(seconds);
    // A single moment stands in the middle of an axis that starts at zero.
    const single = !(end - start > 1e-6 * Math.max(Math.abs(start), Math.abs(end)));
    const domain: [number, number] = !single ? [start, end] : start < 0 ? [2 * start, 0] : [0, 2 * start || 1];
    const { ticks, step } = linearTicks(domain, count);
    return { axis: { type: "linear", domain, ticks, format: linearFormat(domain, step) }, clamp: (time) => time };
  }
  return { axis: logAxis(low, high, count), clamp: (time) => Math.max(time, low) };
}
