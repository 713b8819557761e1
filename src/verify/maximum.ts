import { above, EPS, ETA, normAbove, sumsToZero, up, weightedSumAbove } from "./arithmetic.ts";
import { checkConeTree } from "./cone-tree.ts";
import { makeRows, type Rows } from "./linear-form.ts";
import type { ProofReader } from "./reader.ts";
import { checkSignTree } from "./sign-tree.ts";

const SIGNS = 0;
const CONES = 1;
const SIGNS_FOR = 2;

/** n x D inputs, row-major, with the bias column when there is one. */
export interface Inputs {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float64Array;
}

/** The rows of the proof: |x_i - V (scale z_i)| <= scale rest_i, |V| <= stretch. */
interface Coordinates {
  readonly scale: number;
  readonly r: number;
  readonly Z: Float64Array;
  readonly stretch: number;
  readonly rest: Float64Array;
}

/**
 * Reads an `output` of a proof and returns an upper bound of M(v) = max over |u| <= 1 of |sum_i v_i (x_i'u)_+|; with free biases, of
 * the maximum of |sum_i v_i (x_i'u + b)_+| over b too. That one is finite only if the weights add up to zero; it is then constant for b
 * beyond all kinks, so that it is attained at a kink b = -x_p'u.
 *
 * @throws Rejection when the proof does not show what it says.
 */
export function checkMaximum(reader: ProofReader, inputs: Inputs, freeBiases: boolean, v: Float64Array): number {
  const n = inputs.rows;
  const { scale, r, Z, stretch, rest } = readCoordinates(reader, inputs, freeBiases);
  if (reader.u32() !== (freeBiases ? n : 0)) reader.fail("a wrong number of pivots");
  const weight = above(
    v.reduce((sum, t) => sum + Math.abs(t), 0),
    n + 4,
  );
  let largest = 0;
  if (freeBiases) {
    if (!sumsToZero(v)) reader.fail("free biases need dual weights that add up to zero");
    const shifted = new Float64Array(n * r);
    for (let p = 0; p < n; p++) {
      for (let i = 0; i < n; i++) for (let k = 0; k < r; k++) shifted[i * r + k] = Z[i * r + k] - Z[p * r + k];
      const rows = makeRows(n, r, shifted);
      const left = up(weightedSumAbove(v, rest) + up(weight * rest[p]));
      // The rows of a pivot were rounded once more.
      const sum = up(checkPart(reader, rows, v) + up(EPS * weightedSumAbove(v, rows.norms)));
      largest = Math.max(largest, up(up(stretch * sum) + left));
    }
  } else {
    largest = up(up(stretch * checkPart(reader, makeRows(n, r, Z), v)) + weightedSumAbove(v, rest));
  }
  return up(scale * largest);
}

/** Reads a `part` and returns its T. */
function checkPart(reader: ProofReader, rows: Rows, v: Float64Array): number {
  const T = reader.nonnegative("T");
  for (const sign of [1, -1]) {
    const side = { ...rows, v: v.map((t) => sign * t), T };
    const kind = reader.u8();
    if (kind === SIGNS) checkSignTree(reader, side);
    else if (kind === CONES) checkConeTree(reader, side);
    else if (kind === SIGNS_FOR) {
      const own = reader.nonnegative("T of a tree");
      if (own > T) reader.fail(`a tree for ${own} in the place of one for ${T}`);
      checkSignTree(reader, { ...side, T: own });
    } else reader.fail(`a tree of unknown kind ${kind}`);
  }
  return T;
}

/**
 * Reads scale and V, and computes z_i = V'(x_i / scale). Then x_i'u / scale = z_i'(V'u) + (x_i / scale - V z_i)'u, whose last part is at most
 * rest_i |u|, and |V'u| <= stretch |u|. With free biases x_i stands for x_i less the first row.
 */
function readCoordinates(reader: ProofReader, { rows: n, cols: D, data }: Inputs, freeBiases: boolean): Coordinates {
  const scale = reader.f64();
  if (!isPowerOfTwo(scale)) reader.fail("a scale that is not a power of two");
  const r = reader.index(D + 1, "rank");
  const isRotated = reader.u8() === 1;
  if (!isRotated && r !== D) reader.fail(`rank ${r} without a rotation of ${D} columns`);
  const V = isRotated ? reader.f64s(D * r) : null;
  const Z = new Float64Array(n * r);
  const rest = new Float64Array(n);
  const spread = V === null ? 0 : normAbove(V, 0, V.length);
  const x = new Float64Array(D);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < D; k++) x[k] = (freeBiases ? data[i * D + k] - data[k] : data[i * D + k]) / scale;
    const z = Z.subarray(i * r, (i + 1) * r);
    // What the division, and with free biases the difference, were rounded by.
    rest[i] = up((freeBiases ? EPS : 0) * normAbove(x, 0, D) + ETA * (D + 1));
    if (V === null) {
      z.set(x);
      continue;
    }
    for (let k = 0; k < D; k++) for (let q = 0; q < r; q++) z[q] += V[k * r + q] * x[k];
    const terms = r + 8;
    const rounding = terms * (EPS * (normAbove(x, 0, D) + spread * normAbove(z, 0, r)) + ETA * (D + 1));
    for (let k = 0; k < D; k++) for (let q = 0; q < r; q++) x[k] -= V[k * r + q] * z[q];
    rest[i] = up(rest[i] + up(normAbove(x, 0, D) + up(rounding)));
  }
  return { scale, r, Z, stretch: V === null ? 1 : spectralNormAbove(V, D, r), rest };
}

/** An upper bound of |V|, D x r: the square root of the largest absolute row sum of V'V. */
function spectralNormAbove(V: Float64Array, D: number, r: number): number {
  const square = new Float64Array(r * r);
  const sizes = new Float64Array(r);
  for (let k = 0; k < D; k++) {
    for (let p = 0; p < r; p++) {
      const a = V[k * r + p];
      sizes[p] += a * a;
      for (let q = 0; q < r; q++) square[p * r + q] += a * V[k * r + q];
    }
  }
  // Entry (p, q) is off by at most (D + 1) u (1 + small) |V_p| |V_q| + D ETA, a row by that with the sum over q.
  const lengths = sizes.map((size) => up(Math.sqrt(above(size, D + 4))));
  const total = above(
    lengths.reduce((sum, length) => sum + length, 0),
    r + 4,
  );
  let largest = 0;
  for (let p = 0; p < r; p++) {
    let sum = 0;
    for (let q = 0; q < r; q++) sum += Math.abs(square[p * r + q]);
    const error = up((D + 8) * EPS * lengths[p] * total + (D + 8) * r * ETA);
    largest = Math.max(largest, up(above(sum, r + 4) + error));
  }
  return up(Math.sqrt(largest));
}

/** Whether x is 2^k for a normal double: its fraction bits are zero. */
function isPowerOfTwo(x: number): boolean {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, x);
  const exponent = bits.getUint32(0) >>> 20;
  return exponent > 0 && exponent < 0x7ff && (bits.getBigUint64(0) & 0xfffffffffffffn) === 0n;
}
