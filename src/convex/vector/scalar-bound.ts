import { randomStream } from "../../base/random.ts";
import type { Compute } from "../../compute/types.ts";
import { CONES_ALONE, Ladder } from "../bounds/ladder.ts";
import { boundMaximum } from "../bounds/maximum.ts";
import { roundingAllowance, weightedRows } from "../bounds/rows.ts";
import { withExactSum } from "../exact-sum.ts";
import { crudeMaximum, type VectorCore } from "./core.ts";
import { searchVectorDirections } from "./oracle.ts";
import type { ScalarBound } from "./types.ts";

export interface ScalarBoundOptions {
  readonly compute: Compute;
  readonly seed: number;
  /** Monotonic clock in seconds. */
  readonly now: () => number;
  /** Seconds left for all bounds together. */
  readonly left: () => number;
  readonly stop: () => boolean;
}

/** One bound may take this share of the time that is left (never longer than this, in seconds), at first and in the end. */
const SHARE = 0.1;
const LONGEST = 10;
const MOST = 0.8;
const HARDER = 2;
/** Bounds that are kept, so that a second cover does not repeat the first. */
const REMEMBERED = 512;
/** Of the local search before a race: rows times features times starts, and where it ascends as well. */
const SEARCH_SIZE = 4e6;
const ASCENT_SIZE = 3e5;
/** A maximum this near above a witness is as good as the witness. */
const MARGIN = 1e-10;
/**
 * With many outputs a cover needs many bounds, and its cones are off by more than these parts at first: bounds end this near
 * above a witness, nearer when they are to be harder.
 */
const EXCESSES = [0.1, 0.01, MARGIN];
const FEW_OUTPUTS = 3;

/** Scalar bounds whose effort can be raised. */
export interface ScalarBounds {
  readonly bound: ScalarBound;
  /** Bounds from now on are nearer to the maximum, or have a larger share of the time; false when that would change none of those so far. */
  harder(): boolean;
}

type Bound = ReturnType<ScalarBound>;

/**
 * The scalar bounds of the convex laboratory on the reduced data: exact sweeps up to rank 3, above that the race of the
 * branch and bound methods within a share of the time that is left, and Shor's relaxation where none has come to anything.
 */
export function scalarBounds(context: VectorCore, options: ScalarBoundOptions): ScalarBounds {
  const { core } = context;
  /** Those that more time would not improve, with the excess that they may have. */
  const known: { readonly v: Float64Array; readonly excess: number; readonly bound: Bound }[] = [];
  let level = context.c > FEW_OUTPUTS ? 0 : EXCESSES.length - 1;
  const excess = (): number => EXCESSES[level] ?? MARGIN;
  let share = SHARE;
  let wasCut = false;
  const boundOf = (v: Float64Array): Bound & { readonly isCut: boolean } => {
    if (options.stop()) return { value: Number.POSITIVE_INFINITY, method: "none", isCut: true };
    const raced = core.Z.cols > CONES_ALONE ? race(context, v, excess(), share, options) : null;
    if (raced !== null && !raced.isCut) return raced;
    // Searches that were cut short may be above what costs next to nothing.
    const cheap = { ...plain(context, v, options), isCut: core.Z.cols > CONES_ALONE };
    if (raced === null) return cheap;
    return cheap.value < raced.value ? { ...cheap, witness: raced.witness ?? null } : raced;
  };
  return {
    bound(v) {
      const before = known.find((one) => one.excess <= excess() && one.v.every((t, i) => t === v[i]));
      if (before !== undefined) return before.bound;
      const scale = powerOfTwo(v);
      const { isCut, ...found } = boundOf(scale === 1 ? v : v.map((t) => t / scale));
      const bound = { ...found, value: found.value * scale };
      if (isCut) wasCut = true;
      else if (known.length < REMEMBERED)
        known.push({ v, excess: found.method.startsWith("exact") ? 0 : excess(), bound });
      return bound;
    },
    harder() {
      if (level < EXCESSES.length - 1 && core.Z.cols > CONES_ALONE) {
        level += 1;
        return true;
      }
      const before = wasCut && share < MOST;
      share = Math.min(MOST, share * HARDER);
      wasCut = false;
      return before;
    },
  };
}

/** A power of two near the largest entry: the duals of well separated classes are tiny. 1 when it cannot be divided by. */
function powerOfTwo(v: Float64Array): number {
  let largest = 0;
  for (const t of v) largest = Math.max(largest, Math.abs(t));
  const power = Math.round(Math.log2(largest));
  return largest > 0 && Math.abs(power) < 1000 ? 2 ** power : 1;
}

/** Exact sweeps up to rank 3, else Shor's relaxation. */
function plain({ core }: VectorCore, v: Float64Array, { compute, seed, stop }: ScalarBoundOptions): Bound {
  const { value, method, witness } = boundMaximum(compute, core, v, seed, stop);
  const u = witness === null ? null : core.freeBias ? Float64Array.of(...witness.u, witness.b) : witness.u;
  return { value, method: method === "exact" ? `exact-rank-${core.Z.cols}` : "shor", witness: u };
}

/** The best bound of the methods that race; null when none has a finite one in the time. */
function race(
  context: VectorCore,
  v: Float64Array,
  excess: number,
  share: number,
  { compute, seed, now, left, stop }: ScalarBoundOptions,
): (Bound & { readonly isCut: boolean }) | null {
  const { core } = context;
  const until = now() + Math.min(LONGEST, share * left());
  const late = (): boolean => stop() || now() >= until;
  const weights = core.freeBias ? withExactSum(v) : v;
  let best = localMaximum(compute, context, v, seed);
  for (;;) {
    const ladder = new Ladder(compute, core, weights, { seed, now, stop: late });
    const target = Math.max(best.value * (1 + excess), Number.MIN_VALUE);
    let state = ladder.state(target);
    do {
      ladder.advance(target);
      state = ladder.state(target);
    } while (state.witness === null && !state.finished && !late());
    // What is above the target: to be reached by another race, whose searches take no witness for an answer.
    const { witness, maximum, method } = state;
    if (witness !== null) {
      best = { u: core.freeBias ? Float64Array.of(...witness.u, witness.b) : witness.u, value: witness.value };
      if (!late()) continue;
    }
    if (!Number.isFinite(maximum)) return null;
    const { data, rows, cols } = core.Z;
    const moved = crudeMaximum(
      context,
      v.map((t, i) => t - weights[i]),
    );
    const rounding = roundingAllowance(weightedRows(data, rows, cols, weights));
    return { value: maximum + moved + rounding, method, witness: best.u, isCut: witness !== null || !state.finished };
  }
}

/** The best direction that a local search finds: what the race aims at. */
function localMaximum(
  compute: Compute,
  context: VectorCore,
  v: Float64Array,
  seed: number,
): { readonly u: Float64Array | null; readonly value: number } {
  const size = context.n * context.p;
  const effort = {
    starts: Math.max(8, Math.min(32, Math.floor(SEARCH_SIZE / size))),
    refine: size <= ASCENT_SIZE ? 6 : 0,
  };
  const random = randomStream(seed, "scalar");
  return searchVectorDirections(compute, { ...context, c: 1 }, v, random, effort, [])[0] ?? { u: null, value: 0 };
}
