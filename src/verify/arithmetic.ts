/**
 * Bounds of exact real numbers from rounded ones. Trusted: + - * / and Math.sqrt on doubles round to the nearest double
 * (u = 2^-53 relative; products and quotients that underflow lose at most 2^-1075), comparisons and Math.abs are exact.
 * Overflow gives Infinity or NaN, and every inequality of the checker is written so that it then fails.
 */

/** 2^-52, twice the relative error u of one operation: the factor 2 pays for the rounding of the bounds themselves. */
export const EPS = Number.EPSILON;
/** 2^-1074, twice what one operation can lose to underflow. */
export const ETA = Number.MIN_VALUE;

/**
 * An upper bound of the exact result of the one operation that gave `x`: at least the next double above x. (EPS |x| is at
 * least the spacing of doubles at x, rounding is monotone, and the next double bounds all that rounds to x.)
 */
export function up(x: number): number {
  return x + (Math.abs(x) * EPS + ETA);
}

/** A lower bound of the exact result of the one operation that gave `x`. */
export function down(x: number): number {
  return x - (Math.abs(x) * EPS + ETA);
}

/**
 * An upper bound of an exact sum of numbers >= 0 from its rounded value, where no term went through more than k - 3
 * operations (its own and the additions) and no more than k underflowed, k <= 2^40: the exact sum is at most
 * (1 + (k - 3) u / (1 - (k - 3) u)) sum + k ETA / 2, and the three roundings here take less than what k EPS adds to that.
 */
export function above(sum: number, k: number): number {
  return sum * (1 + k * EPS) + k * ETA;
}

/** An upper bound of the Euclidean norm of x[at .. at + count). */
export function normAbove(x: Float64Array, at: number, count: number): number {
  let sum = 0;
  for (let k = at; k < at + count; k++) sum += x[k] * x[k];
  return up(Math.sqrt(above(sum, count + 4)));
}

/** An upper bound of sum_i |a_i| b_i, b >= 0. */
export function weightedSumAbove(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]) * b[i];
  return above(sum, a.length + 4);
}

/** Whether finite numbers add up to zero exactly. */
export function sumsToZero(values: Float64Array): boolean {
  let total = 0n;
  for (const value of values) total += inSmallestUnits(value);
  return total === 0n;
}

/** A finite double as a whole number of 2^-1074. */
function inSmallestUnits(value: number): bigint {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, Math.abs(value));
  const exponent = bits.getUint32(0) >>> 20;
  const fraction = bits.getBigUint64(0) & 0xfffffffffffffn;
  const size = exponent === 0 ? fraction : (fraction | 0x10000000000000n) << BigInt(exponent - 1);
  return value < 0 ? -size : size;
}
