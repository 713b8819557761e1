import { randomStream } from "../../base/random.ts";
import type { Compute } from "../../compute/types.ts";
import { droppedPart } from "../bounds/maximum.ts";
import { crudeMaximum, hiddenNorm, type VectorCore } from "./core.ts";
import { coverSphere } from "./cover.ts";
import { response } from "./oracle.ts";
import { spectralBound } from "./spectral.ts";
import type { ScalarBound } from "./types.ts";

/** A valid upper bound of M_F(V), and how it was found. */
export interface VectorMaximum {
  readonly value: number;
  readonly method: string;
  /** The witness of the scalar bounds with the largest ||V'(E u)_+||, if there was any. */
  readonly witness: { readonly u: Float64Array; readonly value: number } | null;
}

export interface BoundEffort {
  /** Scalar bounds that may be computed for each cover. */
  readonly evaluations: number;
  /** A known lower bound of M_F(V). */
  readonly attained: number;
  readonly stop: () => boolean;
  /** Seconds left, of which every cover may take its part; Infinity (default) without a limit. */
  readonly left?: () => number;
}

/** Output directions are covered together up to this many, in groups as equal as can be. */
const GROUP = 4;
/** The part of the time left that all covers together may take. */
const COVER_SHARE = 0.8;
/** Singular values of V below this part of the largest are bounded crudely. */
const NEGLIGIBLE = 1e-13;

/**
 * Bounds M_F(V) = max over ||u|| <= 1 of ||V'(E u)_+||, any V (n x c) that sums to zero over rows when biases are free.
 *
 * M_F(V) = max over ||w|| = 1 of M(V w), and M(V w) is convex and homogeneous in w: rotate V by its right singular vectors
 * q_k, cover the sphere of groups of up to four of them with scalar bounds at finitely many w (`cover`; with single vectors
 * M_F(V)^2 <= sum_k M(V q_k)^2, `rotation`), add the groups' squares; and bound all outputs at once (`spectral`). The
 * smallest is returned.
 */
export function boundVectorMaximum(
  compute: Compute,
  context: VectorCore,
  V: Float64Array,
  scalar: ScalarBound,
  seed: number,
  effort: BoundEffort,
): VectorMaximum {
  const { n, c, p, E, freeBias, core } = context;
  const { directions, kept } = rightSingularVectors(compute, V, n, c);
  const random = randomStream(seed, "spectral");
  const residual = rowNorms(V, n, c);
  const dropped = droppedPart(core.residual, residual);
  let rest = 0;
  for (const q of directions.slice(kept)) rest += crudeMaximum(context, times(V, n, c, [q])) ** 2;

  let label = "";
  let witness: VectorMaximum["witness"] = null;
  const M =
    (group: readonly Float64Array[]) =>
    (w: Float64Array): number => {
      const q = new Float64Array(c);
      group.forEach((e, k) => {
        for (let l = 0; l < c; l++) q[l] += w[k] * e[l];
      });
      const { value, method, witness: u } = scalar(times(V, n, c, [q]));
      label = method;
      if (u) {
        const reached = Math.hypot(...response(context, V, u)) / hiddenNorm(context, u);
        if (reached > (witness?.value ?? 0)) witness = { u, value: reached };
      }
      return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
    };
  const spectral = (group: readonly Float64Array[]): number =>
    freeBias
      ? Number.POSITIVE_INFINITY
      : spectralBound(compute, E, n, p, times(V, n, c, group), group.length, random) + dropped;

  const leading = directions.slice(0, kept);
  const whole = spectral(leading);
  let best: VectorMaximum = { value: Math.sqrt(whole ** 2 + rest), method: "spectral", witness };
  if (kept > 0 && best.value > effort.attained * (1 + 1e-9)) {
    let square = rest;
    const size = effort.evaluations > kept ? Math.ceil(kept / Math.ceil(kept / GROUP)) : 1;
    for (let from = 0; from < kept; from += size) {
      const group = leading.slice(from, from + size);
      // One group: nothing below what is attained can come out. Several: each is refined within its share.
      const floor = kept <= size ? effort.attained : 0;
      const before = effort.left?.() ?? Number.POSITIVE_INFINITY;
      const own = (COVER_SHARE * before) / Math.ceil((kept - from) / size);
      const over = (): boolean => before - (effort.left?.() ?? before) >= own;
      const limits = {
        evaluations: Math.ceil(effort.evaluations / Math.ceil(kept / size)),
        stop: () => effort.stop() || over(),
      };
      const covered = coverSphere(group.length, M(group), floor, limits);
      const also = group.length > 1 && group.length < kept ? spectral(group) : Number.POSITIVE_INFINITY;
      square += Math.min(covered, also) ** 2;
    }
    const value = Math.sqrt(square);
    const kind = kept === 1 ? "" : size === 1 ? "rotation-" : "cover-";
    if (value < best.value) best = { value, method: `${kind}${label}`, witness };
  }
  return { ...best, witness };
}

/** Orthonormal right singular vectors of V, largest singular value first, and how many are not negligible. */
function rightSingularVectors(
  compute: Compute,
  V: Float64Array,
  n: number,
  c: number,
): { directions: Float64Array[]; kept: number } {
  return compute.scope((scope) => {
    const dual = scope.copy(V);
    const gram = scope.f64(c * c);
    const squares = scope.f64(c);
    let largest = 0;
    for (const t of V) largest = Math.max(largest, Math.abs(t));
    // Scaled so that squares neither overflow nor vanish.
    for (let k = 0; k < V.length && largest > 0; k++) dual[k] /= largest;
    compute.gemm(true, false, c, c, n, 1, dual, c, dual, c, 0, gram, c);
    compute.symmetricEigen(c, gram, c, squares);
    const directions = Array.from({ length: c }, (_, k) =>
      Float64Array.from({ length: c }, (_, l) => gram[l * c + c - 1 - k]),
    );
    const norms = directions.map((q) => Math.hypot(...times(V, n, c, [q])));
    const top = norms[0] ?? 0;
    return { directions, kept: top > 0 ? norms.filter((t) => t > NEGLIGIBLE * top).length : 0 };
  });
}

/** V Q for the columns Q, n x Q.length. */
function times(V: Float64Array, n: number, c: number, Q: readonly Float64Array[]): Float64Array {
  const m = Q.length;
  const out = new Float64Array(n * m);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < m; k++) {
      let sum = 0;
      for (let l = 0; l < c; l++) sum += V[i * c + l] * Q[k]![l];
      out[i * m + k] = sum;
    }
  }
  return out;
}

function rowNorms(V: Float64Array, n: number, c: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => Math.hypot(...V.subarray(i * c, (i + 1) * c)));
}
