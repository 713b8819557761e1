/** Bits of the largest entry that are kept: sums of 2^13 rows are then exact. */
const BITS = 40;

/**
 * The vector with its entries rounded to a common grid and moved towards zero, here and there by one step, so that they
 * add up to zero exactly. An unpenalized bias asks for that: any other sum would make the dual constraint infinite.
 */
export function withExactSum(v: Float64Array): Float64Array {
  let largest = 0;
  for (const t of v) largest = Math.max(largest, Math.abs(t));
  if (largest === 0) return v.slice();
  const step = 2 ** (Math.ceil(Math.log2(largest)) - BITS);
  const out = v.map((t) => Math.trunc(t / step));
  let rest = 0;
  for (const t of out) rest += t;
  const order = Array.from(out.keys()).sort((a, b) => Math.abs(out[b]) - Math.abs(out[a]));
  while (rest !== 0) {
    const before = rest;
    for (const i of order) {
      if (rest === 0) break;
      if (Math.sign(out[i]) !== Math.sign(rest)) continue;
      // One step at a time, or an even share when there are many.
      const share = Math.min(Math.abs(out[i]), Math.ceil(Math.abs(rest) / order.length));
      out[i] -= Math.sign(rest) * share;
      rest -= Math.sign(rest) * share;
    }
    if (rest === before) break;
  }
  return out.map((t) => t * step);
}
