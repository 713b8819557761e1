import { type RandomStream, randomStream } from "../../base/random.ts";
import type { Compute } from "../../compute/types.ts";
import type { CoreProblem } from "../reduction.ts";
import type { SphereMaximum } from "./circle.ts";
import { ConeSearch } from "./cones/cone-search.ts";
import { roundingAllowance, type WeightedRows, weightedRows } from "./rows.ts";
import { shorBound } from "./shor.ts";
import { maximizeExactly } from "./sphere.ts";

/** An upper bound of M(v) = max_{||u|| <= 1} |sum v_i (z_i'u + b)_+| (b free or 0), and how it was found. */
export interface MaximumBound {
  readonly value: number;
  /** Exact methods: the value at the witness, without the allowances for rounding that `value` carries. */
  readonly attained: number;
  readonly method: "exact" | "shor";
  /** For exact methods: where the maximum is attained (core coordinates), its sign; null otherwise. */
  readonly witness: { readonly u: Float64Array; readonly b: number; readonly sign: 1 | -1 } | null;
}

/** Up to this rank M(v) is found exactly. */
export const EXACT_RANK = 3;
/** In rank 3 the sweep takes n^2 log n steps: from this many rows on, cones find the maximum to the tolerance below in less. */
const SWEEP_ROWS = 100;
const CONE_TOLERANCE = 1e-12;
/** Ellipsoids |u|^2 + tau (b/R)^2 <= 1 + tau that hold every (u, b) with |u| <= 1, |b| <= R. */
const FREE_BIAS_TAU = [0.03, 0.1, 0.3, 1];

/**
 * Bounds M(v): exactly when the rank is at most 3 and `stop` allows, by Shor's relaxation otherwise (less thoroughly once
 * `late`). Valid for any v;
 * with a free hidden bias v must sum to zero (else M is infinite). Floating point, not directed rounding.
 */
export function boundMaximum(
  compute: Compute,
  core: Pick<CoreProblem, "Z" | "freeBias" | "residual">,
  v: Float64Array,
  seed: number,
  stop: () => boolean,
  late: () => boolean = stop,
): MaximumBound {
  const rest = droppedPart(core.residual, v);
  if (core.Z.cols <= EXACT_RANK) {
    const exact = core.freeBias ? exactFreeBias(core.Z, v, stop) : exactPlain(core.Z, v, stop);
    if (exact !== null) return { ...exact, value: exact.value + rest };
  }
  let value = 0;
  for (const sign of [1, -1]) {
    const signed = v.map((t) => sign * t);
    const random = randomStream(seed, `shor${sign}`);
    value = Math.max(
      value,
      core.freeBias ? shorFreeBias(compute, core.Z, signed, random, late) : shor(compute, core.Z, signed, random, late),
    );
  }
  return {
    value: Number.isNaN(value) ? Number.POSITIVE_INFINITY : value + rest,
    attained: 0,
    method: "shor",
    witness: null,
  };
}

/** What rows can add to M(v) through the directions that the rotation to rank r left out. */
export function droppedPart(residual: Float64Array, v: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < v.length; i++) sum += Math.abs(v[i]) * residual[i];
  return sum;
}

type Exact = MaximumBound | null;
type Z = CoreProblem["Z"];

function exactPlain(Z: Z, v: Float64Array, stop: () => boolean): Exact {
  const rows = weightedRows(Z.data, Z.rows, Z.cols, v);
  let best: MaximumBound = { value: 0, attained: 0, method: "exact", witness: null };
  let bound = 0;
  for (const sign of [1, -1] as const) {
    const signed = { ...rows, v: rows.v.map((t) => sign * t) };
    const found = maximize(signed, stop);
    if (found === null) return null;
    bound = Math.max(bound, found.bound);
    if (found.value > best.attained) best = { ...best, attained: found.value, witness: { u: found.u, b: 0, sign } };
  }
  return { ...best, value: bound + roundingAllowance(rows) };
}

/** The maximum of G over the unit ball as a point and an upper bound, equal but for rounding; null when stopped. */
function maximize(rows: WeightedRows, stop: () => boolean): (SphereMaximum & { readonly bound: number }) | null {
  const { count, r, Z, v } = rows;
  if (r < 3 || count <= SWEEP_ROWS) {
    const found = maximizeExactly(rows, stop);
    return found === null ? null : { ...found, bound: found.value };
  }
  const search = new ConeSearch({ n: count, r, Z, v }, null);
  while (!search.finished) {
    if (stop()) return null;
    search.advance(search.witness.value * (1 + CONE_TOLERANCE), stop);
  }
  return { ...search.witness, bound: search.bound };
}

/**
 * With sum v = 0 the maximum over b is at a kink b = -x_i'u, so M is the largest of n problems without a bias, on the
 * data translated to each row.
 */
function exactFreeBias(Z: Z, v: Float64Array, stop: () => boolean): Exact {
  const { rows: n, cols: r } = Z;
  let best: MaximumBound = { value: 0, attained: 0, method: "exact", witness: null };
  let allowance = 0;
  const translated = new Float64Array(n * r);
  for (let pivot = 0; pivot < n; pivot++) {
    if (stop()) return null;
    for (let i = 0; i < n; i++)
      for (let k = 0; k < r; k++) translated[i * r + k] = Z.data[i * r + k] - Z.data[pivot * r + k];
    const found = exactPlain({ rows: n, cols: r, data: translated }, v, stop);
    if (found === null) return null;
    allowance = Math.max(allowance, found.value);
    if (found.witness === null || found.value <= best.value) continue;
    let b = 0;
    for (let k = 0; k < r; k++) b -= found.witness.u[k] * Z.data[pivot * r + k];
    best = { ...found, witness: { ...found.witness, b } };
  }
  return { ...best, value: Math.max(best.value, allowance) };
}

function shor(compute: Compute, Z: Z, v: Float64Array, random: RandomStream, late: () => boolean): number {
  return shorBound(compute, weightedRows(Z.data, Z.rows, Z.cols, v), random, late);
}

/**
 * The free bias as one more coordinate: at a maximum |b| <= R = max ||x_i||, and the ball |u| <= 1 times that interval
 * lies in the ellipsoid |u|^2 + tau (b/R)^2 <= 1 + tau for every tau > 0. The best of a few is taken.
 */
function shorFreeBias(compute: Compute, Z: Z, v: Float64Array, random: RandomStream, late: () => boolean): number {
  const { rows: n, cols: r } = Z;
  let radius = 0;
  for (let i = 0; i < n; i++) radius = Math.max(radius, Math.hypot(...Z.data.subarray(i * r, (i + 1) * r)));
  let best = Number.POSITIVE_INFINITY;
  for (const tau of FREE_BIAS_TAU) {
    const scale = Math.sqrt(1 + tau);
    const data = new Float64Array(n * (r + 1));
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < r; k++) data[i * (r + 1) + k] = scale * Z.data[i * r + k];
      data[i * (r + 1) + r] = (scale * radius) / Math.sqrt(tau);
    }
    best = Math.min(best, shorBound(compute, weightedRows(data, n, r + 1, v), random, late));
  }
  return best;
}
