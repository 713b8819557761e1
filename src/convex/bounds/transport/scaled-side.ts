import type { SideProblem } from "../search.ts";

/** Rows shorter than this part of the longest one count as zero in a norm that is divided by. */
const SHORTEST = 2 ** -300;

/**
 * One side with its rows split by the sign of their weight, and scaled by powers of two to rows and weights of at most
 * about one: in scaled units every number is the original one divided by `zUnit`, `vUnit`, or both.
 */
export interface ScaledSide {
  readonly problem: SideProblem;
  readonly d: number;
  readonly zUnit: number;
  readonly vUnit: number;
  /** Row indices with v > 0, and with v < 0; rows that are zero are in neither. */
  readonly P: Int32Array;
  readonly N: Int32Array;
  /** Of all n rows: scaled z (n x d) and v. */
  readonly Z: Float64Array;
  readonly v: Float64Array;
  /** |z_i| of all rows. */
  readonly norms: Float64Array;
  /** What rounding can take from a bound, scaled: all sums are of numbers that add up to sum |v_i| |z_i|. */
  readonly allowance: number;
  /** Weights so far from one that their ratios are lost in single precision: Pi has to stay zero. */
  readonly extreme: boolean;
}

export function scaledSide(problem: SideProblem): ScaledSide {
  const { n, r: d, Z, v } = problem;
  const zUnit = powerOfTwo(largestEntry(Z));
  const vUnit = powerOfTwo(largestEntry(v));
  const scaledZ = Float64Array.from(Z, (z) => z / zUnit);
  const scaledV = Float64Array.from(v, (t) => t / vUnit);
  const norms = new Float64Array(n);
  const P: number[] = [];
  const N: number[] = [];
  let mass = 0;
  for (let i = 0; i < n; i++) {
    const z = scaledZ.subarray(i * d, (i + 1) * d);
    const largest = largestEntry(z);
    if (largest === 0 || scaledV[i] === 0) continue;
    let sum = 0;
    for (let k = 0; k < d; k++) sum += (z[k] / largest) ** 2;
    norms[i] = Math.max(largest * Math.sqrt(sum), SHORTEST);
    mass += Math.abs(scaledV[i]) * norms[i];
    (scaledV[i] > 0 ? P : N).push(i);
  }
  return {
    problem,
    d,
    zUnit,
    vUnit,
    P: Int32Array.from(P),
    N: Int32Array.from(N),
    Z: scaledZ,
    v: scaledV,
    norms,
    allowance: allowanceFor(d, n, mass),
    extreme: vUnit > 2 ** 100 || vUnit < 2 ** -80,
  };
}

/** The same rows with other weights of the same signs, in the same units. */
export function reweighted(side: ScaledSide, weights: Float64Array): ScaledSide {
  const { n, r, Z } = side.problem;
  const v = Float64Array.from(weights, (t) => t / side.vUnit);
  let mass = 0;
  for (const rows of [side.P, side.N]) for (const i of rows) mass += Math.abs(v[i]) * side.norms[i];
  return { ...side, problem: { n, r, Z, v: weights }, v, allowance: allowanceFor(side.d, n, mass) };
}

/** What rounding can take from a bound: all sums are of numbers that add up to `mass`. */
function allowanceFor(d: number, n: number, mass: number): number {
  return 4 * (d + Math.sqrt(n) + 4) * 2 ** -53 * mass;
}

function largestEntry(x: Float64Array): number {
  let largest = 0;
  for (const t of x) largest = Math.max(largest, Math.abs(t));
  return largest;
}

/** The power of two just above x, never so small that dividing by it overflows. */
function powerOfTwo(x: number): number {
  return x > 0 ? 2 ** Math.max(Math.min(Math.ceil(Math.log2(x)), 1023), -1022) : 1;
}
