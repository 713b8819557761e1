/**
 * The rows that matter to G(u) = sum v_i (z_i'u)_+ : those with v_i z_i != 0. Identical rows are merged (v adds up).
 */
export interface WeightedRows {
  readonly count: number;
  readonly r: number;
  /** count x r. */
  readonly Z: Float64Array;
  readonly v: Float64Array;
}

/** Drops and merges rows of Z (n x r, row-major); exact: only rows that are equal in every bit are merged. */
export function weightedRows(Z: Float64Array, n: number, r: number, v: Float64Array): WeightedRows {
  const first = new Map<string, number>();
  const kept: number[] = [];
  const weights: number[] = [];
  const words = new Uint32Array(2 * r);
  const view = new Float64Array(words.buffer);
  for (let i = 0; i < n; i++) {
    let zero = true;
    for (let k = 0; k < r; k++) {
      view[k] = Z[i * r + k] + 0; // -0 becomes 0
      if (view[k] !== 0) zero = false;
    }
    if (zero) continue;
    const key = words.join(",");
    const at = first.get(key);
    if (at === undefined) {
      first.set(key, kept.length);
      kept.push(i);
      weights.push(v[i]);
    } else weights[at] += v[i];
  }
  const alive = kept.map((_, k) => k).filter((k) => weights[k] !== 0);
  const out = new Float64Array(alive.length * r);
  alive.forEach((k, at) => {
    out.set(Z.subarray(kept[k] * r, (kept[k] + 1) * r), at * r);
  });
  return { count: alive.length, r, Z: out, v: Float64Array.from(alive, (k) => weights[k]) };
}

/** On the sphere, rows whose projection on a plane is below this part of their length count as normal to it. */
export const PARALLEL = 1e-12;

/** The rounding error (and, on the sphere, the part of nearly normal rows) that a sum over all rows can carry: what exact sweeps add to their result. */
export function roundingAllowance({ count, r, Z, v }: WeightedRows): number {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    let norm = 0;
    for (let k = 0; k < r; k++) norm += Z[i * r + k] ** 2;
    sum += Math.abs(v[i]) * Math.sqrt(norm);
  }
  return (4 * (r + Math.sqrt(count)) * 2 ** -53 + (r === 3 ? PARALLEL : 0)) * sum;
}
