import type { RandomStream } from "../../base/random.ts";
import type { Compute } from "../../compute/types.ts";
import { boundMaximum, droppedPart, EXACT_RANK } from "../bounds/maximum.ts";
import { gain, searchDirections } from "../patterns/local-search.ts";
import { isActive, type Pattern, patternKey, patternOf } from "../patterns/pattern.ts";
import { boxLeastSquares } from "../solvers/bounded-least-squares.ts";
import { norm2 } from "../solvers/vectors.ts";
import { type ProgramContext, penalizedNorm, rowsTimes, type Unit, unitKey } from "./context.ts";

/** A unit that would lower the objective, with its gain |v'(E u)_+| at ||u|| = 1 (above beta). */
export interface Candidate {
  readonly unit: Unit;
  readonly gain: number;
}

/**
 * Pricing: which patterns, outside the working set, violate the dual constraint |v'(E u)_+| <= beta? Column generation
 * ends when none does.
 */
export interface Pricer {
  /** Candidates at the dual point v, best first. `confirm` asks for a more thorough search (when there is a choice). */
  price(v: Float64Array, units: readonly Unit[], confirm: boolean): Candidate[];
  /** Every unit that there is, where one solve can take them all; `price` is then not asked. */
  readonly all?: readonly Unit[];
}

/** A dual constraint counts as violated above beta times this. */
export const VIOLATED = 1 + 1e-8;
/** Weight of the coordinate that stands for a free bias, relative to the largest row: its penalty is then negligible. */
const FREE_BIAS_WEIGHT = 1e4;
/** A search makes at most this many products starts x n x p a step (the confirming one more), from at least so many starts. */
const SEARCH_SIZE = 4e6;
const CONFIRM_SIZE = 2e7;
const FEWEST_STARTS = 8;
/** A confirming search refines so many starts x n x p, where that is between 16 and 96 starts. */
const CONFIRM_ASCENTS = 2e5;
/** How far a direction is moved off the boundaries that it sits on before its pattern is read. */
const OFF_BOUNDARY = 1e-9;

/** Rows in which a free bias is an ordinary coordinate of large weight, so that the unit ball nearly ignores it. */
function weightedBias({ E, n, p, penalized }: ProgramContext): { Z: Float64Array; weight: number } {
  if (penalized === p) return { Z: E, weight: 1 };
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, Math.hypot(...E.subarray(i * p, i * p + penalized)));
  const weight = FREE_BIAS_WEIGHT * (largest || 1);
  const Z = E.slice();
  for (let i = 0; i < n; i++) Z[i * p + penalized] *= weight;
  return { Z, weight };
}

/**
 * Local search over all patterns (relu programs). The confirming search also asks the exact oracle where there is one
 * (rank at most 3), so that no neuron can be missed there.
 */
export function localSearchPricer(
  compute: Compute,
  context: ProgramContext,
  random: RandomStream,
  stop: () => boolean,
): Pricer {
  const { E, n, p, penalized, core } = context;
  const { Z, weight } = weightedBias(context);
  /** A search direction in the coordinates of E, penalized part of norm 1. */
  const toUnit = (u: Float64Array): Float64Array | null => {
    const a = u.slice();
    for (let k = penalized; k < p; k++) a[k] *= weight;
    const norm = penalizedNorm(context, a);
    if (!(norm > 0)) return null;
    return a.map((t) => t / norm);
  };
  const toSearch = (a: Float64Array): Float64Array => {
    const u = a.slice();
    for (let k = penalized; k < p; k++) u[k] /= weight;
    const norm = Math.hypot(...u);
    return u.map((t) => t / norm);
  };
  /** The candidate at a direction `a` of penalized norm 1, when its gain is high enough. */
  const candidateAt = (a: Float64Array, sign: 1 | -1, v: Float64Array): Candidate | null => {
    const signed = v.map((t) => sign * t);
    const value = gain({ Z: E, n, p, v: signed }, a);
    if (value <= core.beta * VIOLATED) return null;
    // Directions sit on kinks: read the pattern a little off them, so that its cell has an interior.
    const moved = a.map((t) => t + OFF_BOUNDARY * random.normal());
    const pattern = patternOf(rowsTimes(E, n, p, moved));
    return { unit: { key: unitKey(sign, pattern), pattern, sign, a, gate: null }, gain: value };
  };
  /** Every pattern that was ever offered or in use: the confirming search prices them all again, exactly. */
  const met = new Map<string, ListedPattern>();
  const remember = ({ pattern, gate }: Unit): void => {
    met.set(patternKey(pattern), { pattern, gate });
  };
  return {
    price(v, units, confirm) {
      const candidates: Candidate[] = [];
      units.forEach(remember);
      if (confirm) candidates.push(...(priceListed(context, [...met.values()], v, stop)?.candidates ?? []));
      if (confirm && core.Z.cols <= EXACT_RANK) {
        const { witness } = boundMaximum(compute, core, v, 0, stop);
        if (witness !== null) {
          const a = core.freeBias ? Float64Array.of(...witness.u, witness.b) : witness.u;
          const candidate = candidateAt(a, witness.sign, v);
          if (candidate !== null) candidates.push(candidate);
        }
      }
      for (const sign of [1, -1] as const) {
        const signed = v.map((t) => sign * t);
        const own = units.filter((unit) => unit.sign === sign).map((unit) => toSearch(unit.a));
        const [most, size] = confirm ? [512, CONFIRM_SIZE] : [128, SEARCH_SIZE];
        const starts = Math.max(FEWEST_STARTS, Math.min(most, Math.floor(size / (n * p || 1))));
        const refine = confirm ? Math.max(16, Math.min(96, Math.floor(CONFIRM_ASCENTS / (n * p || 1)))) : 8;
        const effort = { starts, refine: refine + own.length };
        const given = penalized < p ? [...own, ...kinkStarts(context, random, starts).map(toSearch)] : own;
        for (const { u } of searchDirections(compute, { Z, n, p, v: signed }, random, effort, given)) {
          const a = toUnit(u);
          if (a === null) continue;
          const candidate = candidateAt(a, sign, v);
          if (candidate !== null) candidates.push(candidate);
        }
      }
      for (const { unit } of candidates) remember(unit);
      return candidates.sort((x, y) => y.gain - x.gain);
    },
  };
}

/** Random directions with a free bias that has its kink at a random row: where an optimal bias is. */
function kinkStarts({ E, n, p, penalized }: ProgramContext, random: RandomStream, count: number): Float64Array[] {
  return Array.from({ length: count }, () => {
    const a = Float64Array.from({ length: p }, (_, k) => (k < penalized ? random.normal() : 0));
    const row = random.integer(n) * p;
    for (let k = 0; k < penalized; k++) a[penalized] -= a[k] * E[row + k];
    return a;
  });
}

/** A listed pattern with its gate vector over the augmented inputs (null when only the pattern matters). */
export interface ListedPattern {
  readonly pattern: Pattern;
  readonly gate: Float64Array | null;
}

/** The largest gain over listed patterns at v, never below the true one, and the units that exceed beta. */
export function priceListed(
  context: ProgramContext,
  listed: readonly ListedPattern[],
  v: Float64Array,
  stop: () => boolean,
): { maximum: number; candidates: Candidate[] } | null {
  const { core, gated, E, n, p } = context;
  const candidates: Candidate[] = [];
  const weighted = new Float64Array(n * p);
  for (let i = 0; i < n; i++) for (let k = 0; k < p; k++) weighted[i * p + k] = v[i] * E[i * p + k];
  const q = new Float64Array(p);
  let maximum = 0;
  for (const { pattern, gate } of listed) {
    if (stop()) return null;
    activeSum(weighted, n, p, pattern, q);
    for (const sign of gated ? ([1] as const) : ([1, -1] as const)) {
      const { bound, a } = cellMaximum(context, pattern, q, sign);
      maximum = Math.max(maximum, bound);
      if (a === null || bound <= core.beta * VIOLATED) continue;
      candidates.push({ unit: { key: unitKey(sign, pattern), pattern, sign, a, gate }, gain: bound });
    }
  }
  candidates.sort((x, y) => y.gain - x.gain);
  return { maximum: maximum + droppedPart(core.residual, v), candidates };
}

/** q <- the sum of the active rows. */
function activeSum(rows: Float64Array, n: number, p: number, pattern: Pattern, q: Float64Array): void {
  q.fill(0);
  for (let i = 0; i < n; i++) {
    if (!isActive(pattern, i)) continue;
    const at = i * p;
    for (let k = 0; k < p; k++) q[k] += rows[at + k];
  }
}

/** Gated programs of up to this many rows are solved over all listed patterns at once. */
const WHOLE_ROWS = 4000;

/** Prices a fixed list of patterns exactly, at most `batch` candidates at a time, or takes them all. */
export function listedPricer(context: ProgramContext, listed: readonly ListedPattern[], batch: number): Pricer {
  const { gated, n } = context;
  const price = (v: Float64Array): Candidate[] =>
    (priceListed(context, listed, v, () => false)?.candidates ?? []).slice(0, batch);
  if (!gated || n > WHOLE_ROWS) return { price };
  const all = listed.map(({ pattern, gate }): Unit => {
    const a = new Float64Array(context.p);
    activeSum(context.E, n, context.p, pattern, a);
    if (!(penalizedNorm(context, a) > 0)) a[0] = 1;
    return { key: unitKey(1, pattern), pattern, sign: 1, a, gate };
  });
  return { price, all };
}

/**
 * max of s v'D E u over ||u|| <= 1 and, unless gated, (2D - I) E u >= 0: the norm of the projection of s E'D v (`slope` is
 * E'D v) on the cone, by non-negative least squares. `bound` is an upper bound whatever the accuracy of the projection (any
 * multipliers >= 0 give one); `a` is the maximizer, or null when `bound` is at most beta without it: where the
 * multipliers of the last call show that, nothing is solved.
 */
function cellMaximum(
  context: ProgramContext,
  pattern: Pattern,
  slope: Float64Array,
  sign: 1 | -1,
): { bound: number; a: Float64Array | null } {
  const { E, n, p, penalized, gated, core } = context;
  const q = slope.map((t) => sign * t);
  const free = penalized < p;
  const norm = norm2(q.subarray(0, penalized));
  if (!free && norm <= core.beta) return { bound: norm, a: null };
  if (gated && !free) return { bound: norm, a: q.map((t) => t / norm) };
  if (gated) throw new RangeError("a gated program has no free hidden bias");
  const theta = multipliersOf(context, pattern, sign);
  if (!free) {
    const r = q.slice();
    for (let i = 0; i < n; i++) {
      if (theta[i] === 0) continue;
      const weight = isActive(pattern, i) ? theta[i] : -theta[i];
      for (let k = 0; k < p; k++) r[k] += weight * E[i * p + k];
    }
    const known = norm2(r);
    if (known <= core.beta) return { bound: known, a: null };
  }
  const { Z, weight } = weightedBias(context);
  const signed = new Float64Array(n * p);
  for (let i = 0; i < n; i++) {
    const s = isActive(pattern, i) ? -1 : 1;
    for (let k = 0; k < p; k++) signed[i * p + k] = s * Z[i * p + k];
  }
  if (free) q[penalized] *= weight;
  const rows = Uint32Array.from({ length: n }, (_, i) => i);
  const unbounded = new Float64Array(n).fill(Number.POSITIVE_INFINITY);
  const { r } = boxLeastSquares({ X: signed, stride: p, width: p, rows, q: unbounded, p: q }, theta);
  const projected = norm2(r.subarray(0, penalized));
  if (!free) return { bound: projected, a: projected > 0 ? r.map((t) => t / projected) : null };
  // |b| <= max ||x_i|| at a maximizer, so what the free coordinate leaves over costs at most that much.
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, norm2(E.subarray(i * p, i * p + penalized)));
  const bound = projected + (Math.abs(r[penalized]) / weight) * largest;
  if (!(projected > 0)) return { bound, a: null };
  const a = r.map((t) => t / projected);
  a[penalized] *= weight;
  return { bound, a };
}

/** The multipliers of the last projection on the cone of a pattern, to start from; kept as long as the context. */
function multipliersOf({ multipliers, n }: ProgramContext, pattern: Pattern, sign: 1 | -1): Float64Array {
  let known = multipliers.get(pattern);
  if (known === undefined) {
    known = { "1": new Float64Array(n), "-1": new Float64Array(n) };
    multipliers.set(pattern, known);
  }
  return known[sign];
}
