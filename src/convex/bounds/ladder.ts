import { ProofWriter } from "../../certificate/index.ts";
import type { Compute } from "../../compute/types.ts";
import type { CoreProblem } from "../reduction.ts";
import { boundMaximum, droppedPart } from "./maximum.ts";
import type { BoundSearch, MakeSearch, SideProblem, Witness } from "./search.ts";

/** Cones alone are enough up to this rank, and are of no use above the other. */
const CONES_ALONE = 3;
const CONES_RANK = 6;
/** Pairs of rows of unlike weight above which the transport bound does not fit the memory. */
const MOST_PAIRS = 3e7;
/** Seconds of the first slice of work, how slices grow, and the longest. */
const FIRST_SLICE = 0.05;
const SLICE_GROWTH = 1.5;
const LONGEST_SLICE = 1;
/** A method that gained less than this part of what the best one gained is only tried in every n-th round. */
const USEFUL = 0.2;
const RETRY_EVERY = 4;
/** What rounding may add when a proof is checked. */
const PROOF_SLACK = 4e-12;

/** The maximum of the dual constraint as far as it is known. */
export interface Climb {
  /** A valid upper bound of M(v), what the rotation left out included. */
  readonly maximum: number;
  /** How it was found. */
  readonly method: string;
  /** A direction of the core problem with sign * v'(Z u)_+ above what was asked for. */
  readonly witness: {
    readonly u: Float64Array;
    readonly b: number;
    readonly sign: 1 | -1;
    readonly value: number;
  } | null;
  /** No method can do more for this target. */
  readonly finished: boolean;
}

export interface LadderOptions {
  readonly seed: number;
  /** Monotonic clock in seconds. */
  readonly now: () => number;
  readonly stop: () => boolean;
}

interface Runner {
  readonly make: MakeSearch;
  search: BoundSearch | null;
  /** Decrease of log(bound) a second in the last slice. */
  rate: number;
  slices: number;
}

interface Side {
  readonly problem: SideProblem;
  readonly sign: 1 | -1;
  readonly runners: readonly Runner[];
  bound: number;
  best: BoundSearch | null;
  witness: Witness | null;
}

/**
 * The certificate of a dual point: races the searches that suit rank and size against each other on both sides of
 * |v'(Z u)_+| <= M, always on the side that decides, until `target` is reached.
 */
export class Ladder {
  readonly #compute: Compute;
  readonly #core: CoreProblem;
  readonly #options: LadderOptions;
  readonly #sides: readonly Side[];
  readonly #rest: number;
  readonly #cheap: { readonly value: number; readonly method: string } | null;
  #slice = FIRST_SLICE;
  #round = 0;

  /** @param v dual point (n entries, sum scaling); sums to 0 when biases are free. */
  constructor(compute: Compute, core: CoreProblem, v: Float64Array, options: LadderOptions) {
    this.#compute = compute;
    this.#core = core;
    this.#options = options;
    this.#rest = droppedPart(core.residual, v);
    const makers = methodsFor(core, v);
    this.#sides = ([1, -1] as const).map((sign) => ({
      problem: { n: core.Z.rows, r: core.Z.cols, Z: core.Z.data, v: v.map((t) => sign * t) },
      sign,
      runners: makers.map((make) => ({ make, search: null, rate: Number.POSITIVE_INFINITY, slices: 0 })),
      bound: Number.POSITIVE_INFINITY,
      best: null,
      witness: null,
    }));
    this.#cheap = makers.length > 0 ? null : cheapBound(compute, core, v, options);
  }

  /** What is known now. `witness` is set when it is above `target`. */
  state(target: number): Climb {
    if (this.#cheap !== null) {
      return { maximum: this.#cheap.value, method: this.#cheap.method, witness: null, finished: true };
    }
    const worst = this.#worst();
    const seen = this.#sides.reduce((a, b) => ((b.witness?.value ?? 0) > (a.witness?.value ?? 0) ? b : a));
    const witness =
      seen.witness !== null && seen.witness.value > target
        ? { u: seen.witness.u, b: 0, sign: seen.sign, value: seen.witness.value }
        : null;
    return {
      maximum: worst.bound + this.#rest,
      method: worst.best?.method ?? "none",
      witness,
      finished: worst.bound <= target || worst.runners.every(({ search }) => search?.finished === true),
    };
  }

  /** One slice of work towards M(v) <= target. */
  advance(target: number): void {
    if (this.#cheap !== null) return;
    const { now, stop, seed } = this.#options;
    const side = this.#worst();
    const runner = this.#pick(side);
    runner.search ??= runner.make(this.#compute, side.problem, seed);
    const before = Math.min(runner.search.bound, side.bound);
    const begun = now();
    const until = begun + this.#slice;
    runner.search.advance(target, () => stop() || now() >= until);
    const seconds = Math.max(now() - begun, 1e-4);
    const { bound, witness } = runner.search;
    runner.slices += 1;
    runner.rate = bound < before ? Math.log(Math.min(before, 1e6 * bound) / bound) / seconds : 0;
    if (bound < side.bound) {
      side.bound = bound;
      side.best = runner.search;
    }
    if (witness.value > (side.witness?.value ?? 0)) side.witness = witness;
    if (side.runners.every(({ slices }) => slices > this.#round)) {
      this.#round += 1;
      this.#slice = Math.min(LONGEST_SLICE, this.#slice * SLICE_GROWTH);
    }
  }

  /** The parts of a proof of `maximum` (docs/certificates.md, from `scale` on); null where a bound came without one. */
  proof(): Uint8Array<ArrayBuffer> | null {
    if (this.#cheap !== null || this.#sides.some(({ best }) => best === null)) return null;
    const { core } = { core: this.#core };
    const out = new ProofWriter();
    out.f64(core.scale);
    out.u32(core.Z.cols);
    out.u8(core.basis === null ? 0 : 1);
    if (core.basis !== null) out.f64s(core.basis.data);
    out.u32(0);
    out.f64(this.#worst().bound * (1 + PROOF_SLACK));
    for (const { best } of this.#sides) best?.writeProof(out);
    return out.bytes();
  }

  #worst(): Side {
    const [a, b] = this.#sides as readonly [Side, Side];
    return b.bound > a.bound ? b : a;
  }

  #pick({ runners }: Side): Runner {
    const open = runners.filter(({ search }) => search === null || !search.finished);
    const fresh = open.find(({ search }) => search === null);
    if (fresh !== undefined) return fresh;
    const best = Math.max(...open.map(({ rate }) => rate));
    const fewest = Math.min(...open.map(({ slices }) => slices));
    const useful = open.filter(({ rate, slices }) => rate >= USEFUL * best || slices * RETRY_EVERY < this.#total(open));
    const candidates = useful.length > 0 ? useful : open;
    return candidates.reduce((a, b) => (b.slices - fewest < a.slices - fewest ? b : a), candidates[0] ?? runners[0]!);
  }

  #total(open: readonly Runner[]): number {
    return open.reduce((sum, { slices }) => sum + slices, 0);
  }
}

function methodsFor(_core: CoreProblem, _v: Float64Array): readonly MakeSearch[] {
  return [];
}

function cheapBound(compute: Compute, core: CoreProblem, v: Float64Array, { seed, stop }: LadderOptions) {
  const { value, method } = boundMaximum(compute, core, v, seed, stop);
  return { value, method: method === "exact" ? `exact-rank-${core.Z.cols}` : "shor" };
}
