import type { SideProblem } from "../search.ts";

/** Unit roundoff of f64. */
export const UNIT = 2 ** -53;

/**
 * The rows of a side that matter (v_i z_i != 0), those with v > 0 first, scaled by powers of two so that the largest
 * entry of Z and the largest |v| are in [1, 2): G = `unit` times the G of the scaled rows.
 */
export interface SideRows {
  /** Rows of the side problem. */
  readonly n: number;
  readonly r: number;
  readonly count: number;
  /** Rows below this one have v > 0. */
  readonly positives: number;
  /** count x r. */
  readonly Z: Float64Array;
  /** |v|. */
  readonly weights: Float64Array;
  readonly norms: Float64Array;
  /** Row of the side problem. */
  readonly index: Int32Array;
  readonly unit: number;
  /** sum |v_i| |z_i|, scaled. */
  readonly size: number;
}

/** @throws RangeError when Z or v has not n rows; TypeError when an entry is not finite. */
export function sideRows({ n, r, Z, v }: SideProblem): SideRows {
  if (Z.length !== n * r || v.length !== n) {
    throw new RangeError(
      `a side of ${n} x ${r} needs ${n * r} entries and ${n} weights, got ${Z.length} and ${v.length}`,
    );
  }
  const kept: number[] = [];
  const negative: number[] = [];
  let largestZ = 0;
  let largestV = 0;
  for (let i = 0; i < n; i++) {
    let largest = 0;
    for (let k = 0; k < r; k++) {
      if (!Number.isFinite(Z[i * r + k])) throw new TypeError(`row ${i} of Z is not finite`);
      largest = Math.max(largest, Math.abs(Z[i * r + k]));
    }
    if (!Number.isFinite(v[i])) throw new TypeError(`weight ${i} is not finite`);
    if (largest === 0 || v[i] === 0) continue;
    (v[i] > 0 ? kept : negative).push(i);
    largestZ = Math.max(largestZ, largest);
    largestV = Math.max(largestV, Math.abs(v[i]));
  }
  const positives = kept.length;
  for (const i of negative) kept.push(i);
  const count = kept.length;
  const scaleZ = powerOfTwo(largestZ);
  const scaleV = powerOfTwo(largestV);
  const rows = new Float64Array(count * r);
  const weights = new Float64Array(count);
  const norms = new Float64Array(count);
  let size = 0;
  for (let at = 0; at < count; at++) {
    const i = kept[at];
    let squares = 0;
    for (let k = 0; k < r; k++) {
      const z = Z[i * r + k] / scaleZ;
      rows[at * r + k] = z;
      squares += z * z;
    }
    weights[at] = Math.abs(v[i]) / scaleV;
    norms[at] = Math.sqrt(squares);
    size += weights[at] * norms[at];
  }
  return {
    n,
    r,
    count,
    positives,
    Z: rows,
    weights,
    norms,
    index: Int32Array.from(kept),
    unit: scaleZ * scaleV,
    size,
  };
}

/** The largest power of two that is at most x; 1 for 0. */
function powerOfTwo(x: number): number {
  if (x === 0) return 1;
  let power = 2 ** Math.floor(Math.log2(x));
  if (power > x) power /= 2;
  else if (2 * power <= x) power *= 2;
  return power;
}

/** G(u) of the scaled rows. */
export function sideValue({ r, count, positives, Z, weights }: SideRows, u: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    let z = 0;
    for (let k = 0; k < r; k++) z += Z[i * r + k] * u[k];
    if (z > 0) sum += i < positives ? weights[i] * z : -weights[i] * z;
  }
  return sum;
}
