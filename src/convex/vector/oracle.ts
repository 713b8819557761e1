import type { RandomStream } from "../../base/random.ts";
import type { Compute } from "../../compute/types.ts";
import { ascend } from "../patterns/local-search.ts";
import { hiddenNorm, norm, type VectorCore } from "./core.ts";

/** A direction of penalized norm 1 with the output direction w = V'(E u)_+ / ||.|| that goes with it. */
export interface VectorDirection {
  readonly u: Float64Array;
  readonly w: Float64Array;
  /** ||V'(E u)_+||: above beta, a neuron (u, w) lowers the objective. */
  readonly value: number;
}

export interface VectorEffort {
  /** Random starts besides the given ones. */
  readonly starts: number;
  /** How many of the best are refined by difference-of-convex ascent; 0 leaves that out (many rows). */
  readonly refine: number;
}

const FIXED_POINT_STEPS = 40;
const FULL_STEPS = 20;
const MAX_ALTERNATIONS = 30;
/** Weight of the coordinate that stands for a free bias, relative to the largest row: its penalty is then negligible. */
const FREE_BIAS_WEIGHT = 1e4;

/** V'(E u)_+, c entries. */
export function response({ E, n, p, c }: VectorCore, V: Float64Array, u: Float64Array): Float64Array {
  const t = new Float64Array(c);
  for (let i = 0; i < n; i++) {
    let z = 0;
    for (let k = 0; k < p; k++) z += E[i * p + k] * u[k];
    if (z > 0) for (let k = 0; k < c; k++) t[k] += z * V[i * c + k];
  }
  return t;
}

/**
 * Local maximizers of ||V'(E u)_+|| over ||u|| <= 1, best first: fixed-point steps u <- E'D(u) V w / ||.||, w = V'(E u)_+ / ||.||,
 * from many starts at once (damped in their second half), then ascent in u (difference of convex functions) and w in turn.
 * With free biases the last coordinate is nearly unpenalized. Lower bounds of M_F(V), never a certificate.
 */
export function searchVectorDirections(
  compute: Compute,
  context: VectorCore,
  V: Float64Array,
  random: RandomStream,
  effort: VectorEffort,
  given: readonly Float64Array[],
): VectorDirection[] {
  const { n, p, c, penalized, freeBias } = context;
  const count = effort.starts + given.length;
  if (n === 0 || p === 0 || count === 0) return [];
  const { Z, weight } = searchRows(context);
  const best = compute.scope((scope) => {
    const data = scope.copy(Z);
    const dual = scope.copy(V);
    const U = scope.f64(count * p);
    const ZU = scope.f64(count * n);
    const VW = scope.f64(count * n);
    const T = scope.f64(count * c);
    const G = scope.f64(count * p);
    given.forEach((u, s) => {
      U.set(u, s * p);
      if (freeBias) U[s * p + penalized] /= weight;
    });
    for (let s = given.length; s < count; s++) {
      const u = U.subarray(...slice(s, p));
      if (s % 4 === 0) u.set(Z.subarray(...slice(random.integer(n), p)));
      else for (let k = 0; k < p; k++) u[k] = random.normal();
      if (freeBias) toKink(u, Z.subarray(...slice(random.integer(n), p)));
    }
    for (let s = 0; s < count; s++) normalize(U.subarray(...slice(s, p)));
    const bestU = U.slice();
    const bestValue = new Float64Array(count).fill(Number.NEGATIVE_INFINITY);
    for (let step = 0; step <= FIXED_POINT_STEPS; step++) {
      compute.gemm(false, true, count, n, p, 1, U, p, data, p, 0, ZU, n);
      for (let k = 0; k < count * n; k++) if (!(ZU[k] > 0)) ZU[k] = 0;
      compute.gemm(false, false, count, c, n, 1, ZU, n, dual, c, 0, T, c);
      for (let s = 0; s < count; s++) {
        const value = normalize(T.subarray(...slice(s, c)));
        if (value > bestValue[s]) {
          bestValue[s] = value;
          bestU.set(U.subarray(...slice(s, p)), s * p);
        }
      }
      if (step === FIXED_POINT_STEPS) break;
      compute.gemm(false, true, count, n, c, 1, T, c, dual, c, 0, VW, n);
      for (let k = 0; k < count * n; k++) if (ZU[k] === 0) VW[k] = 0;
      compute.gemm(false, false, count, p, n, 1, VW, n, data, p, 0, G, p);
      const share = step < FULL_STEPS ? 1 : 2 / (2 + step - FULL_STEPS);
      for (let s = 0; s < count; s++) {
        const u = U.subarray(...slice(s, p));
        const g = G.subarray(...slice(s, p));
        if (!(normalize(g) > 0)) continue;
        for (let k = 0; k < p; k++) u[k] = (1 - share) * u[k] + share * g[k];
        normalize(u);
      }
    }
    return Array.from({ length: count }, (_, s) => ({ u: bestU.slice(...slice(s, p)), value: bestValue[s] }));
  });
  best.sort((a, b) => b.value - a.value);
  const chosen: Float64Array[] = [];
  const limit = effort.refine > 0 ? effort.refine : count;
  for (const { u } of best) {
    if (chosen.length >= limit) break;
    if (chosen.every((other) => inner(other, u) <= 0.9999)) chosen.push(u);
  }
  if (effort.refine > 0) {
    // The fixed points of many starts are few: ascend from some untouched random directions too.
    for (let s = 0; s < effort.refine / 2; s++) {
      const u = Float64Array.from({ length: p }, () => random.normal());
      if (freeBias) toKink(u, Z.subarray(...slice(random.integer(n), p)));
      chosen.push(u);
    }
  }
  const search = { ...context, E: Z };
  const found: VectorDirection[] = [];
  for (const start of chosen) {
    const u = effort.refine > 0 ? ascendVector(search, V, start) : start;
    if (freeBias) u[penalized] *= weight;
    const size = hiddenNorm(context, u);
    if (!(size > 0)) continue;
    for (let k = 0; k < p; k++) u[k] /= size;
    const w = response(context, V, u);
    const value = normalize(w);
    if (found.every((other) => inner(other.u, u) < (1 - 1e-12) * norm(other.u) * norm(u))) found.push({ u, w, value });
  }
  return found.sort((a, b) => b.value - a.value);
}

/** Rows in which a free bias is an ordinary coordinate of large weight, so that the unit ball nearly ignores it. */
function searchRows({ E, n, p, penalized }: VectorCore): { Z: Float64Array; weight: number } {
  if (penalized === p) return { Z: E, weight: 1 };
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, norm(E.subarray(i * p, i * p + penalized)));
  const weight = FREE_BIAS_WEIGHT * (largest || 1);
  const Z = E.slice();
  for (let i = 0; i < n; i++) Z[i * p + penalized] *= weight;
  return { Z, weight };
}

/** Ascent in u for fixed w (a scalar problem with v = V w) and in w for fixed u, until neither helps. */
function ascendVector(context: VectorCore, V: Float64Array, start: Float64Array): Float64Array {
  const { E: Z, n, p, c } = context;
  let u = start.slice();
  if (!(normalize(u) > 0)) return u;
  let w = response(context, V, u);
  let value = normalize(w);
  for (let turn = 0; turn < MAX_ALTERNATIONS; turn++) {
    const v = new Float64Array(n);
    for (let i = 0; i < n; i++) for (let k = 0; k < c; k++) v[i] += V[i * c + k] * w[k];
    const next = ascend({ Z, n, p, v }, { u, value }).u;
    const t = response(context, V, next);
    const reached = normalize(t);
    if (!(reached > value * (1 + 1e-14))) break;
    u = next.slice();
    w = t;
    value = reached;
    if (c === 1) break;
  }
  return u;
}

/** Sets the last coordinate of u, a free bias, so that row z is at its kink: other biases leave most neurons open or closed on all rows. */
function toKink(u: Float64Array, z: Float64Array): void {
  const last = u.length - 1;
  let dot = 0;
  for (let k = 0; k < last; k++) dot += u[k] * z[k];
  u[last] = -dot / z[last];
}

/** First and last index of row s of a matrix of p columns. */
function slice(s: number, p: number): [number, number] {
  return [s * p, (s + 1) * p];
}

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}

/** Scales x to length 1 in place; returns its former length (0, and x unchanged, when it is zero or not finite). */
function normalize(x: Float64Array): number {
  const length = norm(x);
  if (!(length > 0) || !Number.isFinite(length)) return 0;
  for (let k = 0; k < x.length; k++) x[k] /= length;
  return length;
}
