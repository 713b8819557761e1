/**
 * Mean and population standard deviation of numbers, in two passes over numbers scaled by a power of two, so that
 * nothing overflows and, underflow apart, nothing is rounded by the scaling.
 *
 * @returns null when the numbers are all equal, or so close that their deviation underflows.
 */
export function standardization(values: Float64Array): { readonly mean: number; readonly scale: number } | null {
  let lowest = Number.POSITIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value < lowest) lowest = value;
    if (value > highest) highest = value;
  }
  if (!(lowest < highest)) return null;
  const unit = 2 ** Math.min(Math.floor(Math.log2(Math.max(-lowest, highest))), 1023);
  let sum = 0;
  for (const value of values) sum += value / unit;
  const scaledMean = sum / values.length;
  let squares = 0;
  for (const value of values) {
    const deviation = value / unit - scaledMean;
    squares += deviation * deviation;
  }
  const scale = unit * Math.sqrt(squares / values.length);
  return scale > 0 ? { mean: unit * scaledMean, scale } : null;
}

/** Reorders `values` so that `values[k]` is its k-th smallest, smaller ones before it and larger ones behind (Hoare 1961). */
function select(values: Float64Array, k: number): void {
  let left = 0;
  let right = values.length - 1;
  while (left < right) {
    const pivot = values[k]!;
    let i = left;
    let j = right;
    while (i <= j) {
      while (values[i]! < pivot) i++;
      while (values[j]! > pivot) j--;
      if (i > j) break;
      const kept = values[i]!;
      values[i] = values[j]!;
      values[j] = kept;
      i++;
      j--;
    }
    if (j < k) left = i;
    if (i > k) right = j;
  }
}

/** The median of one or more numbers, none of them NaN; reorders them. */
export function median(values: Float64Array): number {
  const middle = values.length >> 1;
  select(values, middle);
  const upper = values[middle]!;
  if (values.length % 2 === 1) return upper;
  let lower = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < middle; i++) lower = Math.max(lower, values[i]!);
  // Halves before the sum: two large numbers must not overflow.
  return lower / 2 + upper / 2;
}
