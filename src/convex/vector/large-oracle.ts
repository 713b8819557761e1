import type { RandomStream } from "../../base/random.ts";
import type { Compute, Scope } from "../../compute/types.ts";
import type { LargeData } from "./row-panels.ts";

/** Rows of the subsample that the search begins on, its random starts, and its steps. */
const SAMPLE = 4000;
const STARTS = 96;
const SAMPLE_STEPS = 30;
/** The best directions of the subsample go on over all rows. */
const KEPT = 24;
const FULL_STEPS = 6;
const PANEL = 4096;
/** A free bias is a coordinate of this weight, so that the unit ball nearly ignores it. */
const FREE_BIAS_WEIGHT = 100;

export interface LargeDirection {
  /** p entries, penalized part of norm 1. */
  readonly u: Float64Array;
  readonly w: Float64Array;
  readonly value: number;
}

/**
 * Local maximizers of ||V'(E u)_+|| by fixed-point steps, from many starts on a subsample of the rows and then, from the best
 * of them and the given directions, over all rows in panels (single precision). Best first.
 *
 * @param V n x c.
 */
export function searchLarge(
  compute: Compute,
  large: LargeData,
  V: Float64Array,
  random: RandomStream,
  given: readonly Float64Array[],
): LargeDirection[] {
  const { E, n, p, c } = large;
  const sample = random.permutation(n).subarray(0, Math.min(SAMPLE, n)).sort();
  const starts: Float64Array[] = [];
  for (let s = 0; s < STARTS; s++) {
    const i = random.integer(n);
    starts.push(Float64Array.from({ length: p }, (_, k) => (s % 2 === 0 ? E[i * p + k] : random.normal())));
  }
  const rows = new Float32Array(sample.length * p);
  const dual = new Float64Array(sample.length * c);
  sample.forEach((i, k) => {
    rows.set(E.subarray(i * p, (i + 1) * p), k * p);
    dual.set(V.subarray(i * c, (i + 1) * c), k * c);
  });
  const climbed = climb(compute, large, rows, dual, sample.length, starts, SAMPLE_STEPS);
  climbed.sort((a, b) => b.value - a.value);
  const distinct: Float64Array[] = [];
  for (const { u } of climbed) {
    if (distinct.length >= KEPT) break;
    if (distinct.every((other) => cosine(other, u) < 0.99)) distinct.push(u);
  }
  const found = climb(compute, large, E, V, n, [...distinct, ...given], FULL_STEPS);
  return found.sort((a, b) => b.value - a.value);
}

/** The best point of each start's fixed-point steps u <- E'D(u) V w / ||.||, w = V'(E u)_+ / ||.||, over `count` rows. */
function climb(
  compute: Compute,
  large: LargeData,
  rows: Float32Array,
  dual: Float64Array,
  count: number,
  starts: readonly Float64Array[],
  steps: number,
): LargeDirection[] {
  return compute.scope((scope) => climbIn(scope, compute, large, rows, dual, count, starts, steps));
}

function climbIn(
  scope: Scope,
  compute: Compute,
  large: LargeData,
  rows: Float32Array,
  dual: Float64Array,
  count: number,
  starts: readonly Float64Array[],
  steps: number,
): LargeDirection[] {
  const { p, c, freeBias, penalized } = large;
  const { f32 } = compute;
  const m = starts.length;
  const panel = Math.min(PANEL, count);
  const U = scope.f32(m * p);
  const T = scope.f32(m * c);
  const A = scope.f32(panel * m);
  const pull = scope.f32(panel * m);
  const G = scope.f32(m * p);
  const part = scope.f32(panel * p);
  const V = scope.f32(panel * c);
  const load = (from: number, size: number): void => {
    part.set(rows.subarray(from * p, (from + size) * p));
    V.set(dual.subarray(from * c, (from + size) * c));
  };
  const best: { u: Float64Array; w: Float64Array; value: number }[] = starts.map((u) => ({
    u,
    w: new Float64Array(c),
    value: -1,
  }));
  // The ball is that of the penalized coordinates and, with a small weight, the free bias.
  const stretch = (u: Float32Array | Float64Array, power: number): void => {
    if (freeBias) u[penalized] *= FREE_BIAS_WEIGHT ** power;
  };
  starts.forEach((u, s) => {
    const scaled = u.slice();
    stretch(scaled, -1);
    normalize(scaled);
    stretch(scaled, 1);
    U.set(scaled, s * p);
  });
  for (let step = 0; step <= steps; step++) {
    T.fill(0);
    for (let from = 0; from < count; from += panel) {
      const size = Math.min(panel, count - from);
      load(from, size);
      f32.gemm(false, true, size, m, p, 1, part, p, U, p, 0, A, m);
      f32.relu(size * m, A, A);
      f32.gemm(true, false, m, c, size, 1, A, m, V, c, 1, T, c);
    }
    for (let s = 0; s < m; s++) {
      const u = Float64Array.from(U.subarray(s * p, (s + 1) * p));
      const hidden = Math.hypot(...u.subarray(0, penalized));
      const w = Float64Array.from(T.subarray(s * c, (s + 1) * c));
      const length = normalize(w);
      T.set(w, s * c);
      const value = hidden > 0 ? length / hidden : 0;
      if (value > best[s]!.value) best[s] = { u: u.map((t) => t / hidden), w, value };
    }
    if (step === steps) break;
    G.fill(0);
    for (let from = 0; from < count; from += panel) {
      const size = Math.min(panel, count - from);
      load(from, size);
      f32.gemm(false, true, size, m, p, 1, part, p, U, p, 0, A, m);
      f32.gemm(false, true, size, m, c, 1, V, c, T, c, 0, pull, m);
      f32.reluMask(size * m, A, pull, pull);
      f32.gemm(true, false, m, p, size, 1, pull, m, part, p, 1, G, p);
    }
    for (let s = 0; s < m; s++) {
      const g = Float64Array.from(G.subarray(s * p, (s + 1) * p));
      stretch(g, 1);
      if (!(normalize(g) > 0)) continue;
      stretch(g, 1);
      U.set(g, s * p);
    }
  }
  return best;
}

function cosine(a: Float64Array, b: Float64Array): number {
  let dot = 0;
  for (let k = 0; k < a.length; k++) dot += a[k] * b[k];
  return dot / (Math.hypot(...a) * Math.hypot(...b));
}

/** Scales x to length 1 in place; returns its former length (0 when it is zero or not finite). */
function normalize(x: Float64Array): number {
  const length = Math.hypot(...x);
  if (!(length > 0) || !Number.isFinite(length)) return 0;
  for (let k = 0; k < x.length; k++) x[k] /= length;
  return length;
}
