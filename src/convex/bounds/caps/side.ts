import type { SideProblem } from "../search.ts";

/**
 * A side of the dual constraint in units where the longest row and the largest weight are about 1 (powers of two, so that
 * nothing is rounded), split by the sign of the weights.
 */
export interface ScaledSide {
  readonly r: number;
  /** Indices (of the given rows) of the positive weights, P, and of the negative ones, N; rows of zeros are left out. */
  readonly positive: Int32Array;
  readonly negative: Int32Array;
  /** Rows of P, |P| x r, their weights and norms. */
  readonly ZP: Float64Array;
  readonly vP: Float64Array;
  readonly normP: Float64Array;
  /** Rows of N, |N| x r, and q = |v|. */
  readonly ZN: Float64Array;
  readonly qN: Float64Array;
  /** What the rows and the weights were multiplied by. */
  readonly rowScale: number;
  readonly weightScale: number;
  /** sum |v_i| ||z_i||: rounding errors of G are a small multiple of it. */
  readonly total: number;
}

/** @throws RangeError when the arrays do not fit the shape, or a number is not finite. */
export function scaleSide({ n, r, Z, v }: SideProblem): ScaledSide {
  if (Z.length !== n * r || v.length !== n) {
    throw new RangeError(`a side of ${n} x ${r} needs ${n * r} and ${n} numbers, got ${Z.length} and ${v.length}`);
  }
  let row = 0;
  let weight = 0;
  for (const t of Z) row = Math.max(row, Math.abs(t));
  for (const t of v) weight = Math.max(weight, Math.abs(t));
  if (!Number.isFinite(row) || !Number.isFinite(weight)) throw new RangeError("a side has a number that is not finite");
  const rowScale = inverse(row);
  const weightScale = inverse(weight);
  const norms = new Float64Array(n);
  const positive: number[] = [];
  const negative: number[] = [];
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let k = 0; k < r; k++) sum += (Z[i * r + k] * rowScale) ** 2;
    norms[i] = Math.sqrt(sum);
    if (norms[i] === 0 || v[i] * weightScale === 0) continue;
    (v[i] > 0 ? positive : negative).push(i);
  }
  const take = (rows: readonly number[]): Float64Array => {
    const out = new Float64Array(rows.length * r);
    rows.forEach((i, at) => {
      for (let k = 0; k < r; k++) out[at * r + k] = Z[i * r + k] * rowScale;
    });
    return out;
  };
  let total = 0;
  for (let i = 0; i < n; i++) total += Math.abs(v[i]) * weightScale * norms[i];
  return {
    r,
    positive: Int32Array.from(positive),
    negative: Int32Array.from(negative),
    ZP: take(positive),
    vP: Float64Array.from(positive, (i) => v[i] * weightScale),
    normP: Float64Array.from(positive, (i) => norms[i]),
    ZN: take(negative),
    qN: Float64Array.from(negative, (i) => -v[i] * weightScale),
    rowScale,
    weightScale,
    total,
  };
}

/** A power of two near 1 / x (1 for 0), small enough to stay a number. */
function inverse(x: number): number {
  return x > 0 ? 2 ** -Math.max(-1000, Math.min(1000, Math.floor(Math.log2(x)))) : 1;
}
