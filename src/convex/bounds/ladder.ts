import { ProofWriter } from "../../certificate/index.ts";
import type { Compute } from "../../compute/types.ts";
import type { CoreProblem } from "../reduction.ts";
import { capSearch } from "./caps/index.ts";
import { coneSearch } from "./cones/cone-search.ts";
import { PivotSearch } from "./cones/pivots.ts";
import type { Lanes } from "./lanes.ts";
import { boundMaximum, droppedPart } from "./maximum.ts";
import { canBePositive, nothingSearch } from "./nothing.ts";
import { emptyProof, outputProof, writeHead } from "./output-proof.ts";
import type { BoundSearch, MakeSearch, SideProblem, Witness } from "./search.ts";
import { transportSearch } from "./transport/index.ts";

/** Cones alone are enough up to this rank, and are of no use above the other. */
export const CONES_ALONE = 3;
export const CONES_RANK = 6;
/** Pairs of rows of unlike weight above which the transport bound does not fit the memory. */
export const MOST_PAIRS = 3e7;
/** Seconds of the first slice of work, how slices grow, and the longest. */
const FIRST_SLICE = 0.02;
const SLICE_GROWTH = 1.15;
const LONGEST_SLICE = 0.5;
/** Every n-th slice of a side goes to the method that had the fewest, the others to the one that promises most; n grows once. */
const EXPLORE_EARLY = 2;
const EXPLORE_LATE = 8;
const EARLY_SLICES = 14;
/** A search that expects to end within this many times the seconds spent on its side so far has all of the time. */
const NEAR = 5;
/** An excess over the target smaller than this, relatively, is none. */
const TINY_EXCESS = 1e-14;

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
  /** A search of the side that is behind expects to be done soon. */
  readonly near: boolean;
  /** Nodes that the transport bound has visited on the side that is behind. */
  readonly transportNodes: number;
}

export interface LadderOptions {
  readonly seed: number;
  /** Monotonic clock in seconds. */
  readonly now: () => number;
  readonly stop: () => boolean;
  /** Threads that searches may use. */
  readonly lanes?: Lanes | null;
  /** Seconds of a side that caps have before all others: what they can close they often close at once. */
  readonly headStart?: number;
}

interface Runner {
  readonly make: MakeSearch;
  search: BoundSearch | null;
  /** What it was last asked for, and the seconds that it has had for that. */
  target: number;
  seconds: number;
  /** What it said to have done, and the seconds, after each slice. */
  course: { readonly seconds: number; readonly done: number }[];
  /** Logarithm of the excess of its bound over the target, and how fast that fell in its last slices, a second. */
  excess: number;
  rate: number;
  slices: number;
}

interface Side {
  readonly problem: SideProblem;
  readonly sign: 1 | -1;
  readonly runners: readonly Runner[];
  /** Spent on it. */
  seconds: number;
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
  /** For free biases in low rank: one search for both sides and all pivots. */
  readonly #pivots: PivotSearch | null;
  #slice = FIRST_SLICE;

  /** @param v dual point (n entries, sum scaling); sums to 0 when biases are free. */
  constructor(compute: Compute, core: CoreProblem, v: Float64Array, options: LadderOptions) {
    this.#compute = compute;
    this.#core = core;
    this.#options = options;
    this.#rest = droppedPart(core.residual, v);
    const makers = methodsFor(core, v);
    const problems = ([1, -1] as const).map((sign) => ({
      sign,
      problem: { n: core.Z.rows, r: core.Z.cols, Z: core.Z.data, v: v.map((t) => sign * t) },
    }));
    const isOpen = problems.some(({ problem }) => canBePositive(problem));
    this.#sides = problems.map(({ sign, problem }) => {
      const nothing = canBePositive(problem) ? null : nothingSearch(problem);
      const fresh = {
        ...{ search: null, target: Number.NaN, seconds: 0, course: [] },
        ...{ excess: Number.POSITIVE_INFINITY, rate: 0, slices: 0 },
      };
      return {
        problem,
        sign,
        runners: nothing === null ? makers.map((make) => ({ make, ...fresh })) : [],
        seconds: 0,
        bound: nothing?.bound ?? Number.POSITIVE_INFINITY,
        best: nothing,
        witness: null,
      };
    });
    const pivoted = isOpen && core.freeBias && core.Z.cols > 0 && core.Z.cols <= CONES_RANK;
    this.#pivots = pivoted ? new PivotSearch(core.Z, v) : null;
    this.#cheap = makers.length > 0 || pivoted || !isOpen ? null : cheapBound(compute, core, v, options);
  }

  /** What is known now. `witness` is set when it is above `target`. */
  state(target: number): Climb {
    if (this.#cheap !== null) {
      return {
        maximum: this.#cheap.value,
        method: this.#cheap.method,
        witness: null,
        finished: true,
        near: false,
        transportNodes: 0,
      };
    }
    if (this.#pivots !== null) {
      const { bound, witness, finished } = this.#pivots;
      return {
        maximum: bound + this.#rest,
        method: "cones",
        witness: witness.value > target ? witness : null,
        finished: bound <= target || finished,
        near: false,
        transportNodes: 0,
      };
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
      finished: worst.bound <= target || worst.runners.every((runner) => isFinished(runner, target)),
      near: worst.runners.some((runner) => isNear(runner, worst, target)),
      transportNodes: worst.runners.find(({ search }) => search?.method === "transport")?.search?.nodes ?? 0,
    };
  }

  /** One slice of work towards M(v) <= target. */
  advance(target: number): void {
    if (this.#cheap !== null) return;
    const { now, stop, seed, lanes = null } = this.#options;
    if (this.#pivots !== null) {
      const until = now() + LONGEST_SLICE;
      this.#pivots.advance(target, () => stop() || now() >= until);
      return;
    }
    const side = this.#worst();
    const runner = pick(side, target, this.#slice, this.#options.headStart ?? 0);
    if (runner === null) return;
    runner.search ??= runner.make(this.#compute, side.problem, seed, lanes);
    const begun = now();
    const until = begun + this.#slice;
    runner.search.advance(target, () => stop() || now() >= until);
    const seconds = Math.max(now() - begun, 1e-4);
    if (runner.target !== target) Object.assign(runner, { target, seconds: 0, course: [] });
    runner.seconds += seconds;
    runner.course.push({ seconds: runner.seconds, done: runner.search.done ?? 0 });
    side.seconds += seconds;
    const { bound, witness } = runner.search;
    const excess = Math.log(Math.max(bound / target - 1, TINY_EXCESS));
    const rate = Number.isFinite(runner.excess) ? Math.max(0, runner.excess - excess) / seconds : 0;
    runner.rate = (runner.rate + rate) / 2;
    runner.excess = excess;
    runner.slices += 1;
    this.#slice = Math.min(LONGEST_SLICE, this.#slice * SLICE_GROWTH);
    if (bound < side.bound) {
      side.bound = bound;
      side.best = runner.search;
    }
    if (witness.value > (side.witness?.value ?? 0)) side.witness = witness;
  }

  /** The parts of a proof of `maximum` (docs/certificates.md, from `scale` on); null where a bound came without one. */
  proof(): Uint8Array<ArrayBuffer> | null {
    if (this.#core.Z.cols === 0) return emptyProof(this.#core);
    if (this.#cheap !== null) return null;
    if (this.#pivots === null) {
      const [plus, minus] = this.#sides.map(({ best }) => best);
      const problem = this.#sides[0]?.problem;
      return plus && minus && problem ? outputProof(this.#core, problem.v, [plus, minus]) : null;
    }
    const out = new ProofWriter();
    writeHead(out, this.#core, this.#core.Z.rows);
    this.#pivots.writeParts(out);
    return out.bytes();
  }

  #worst(): Side {
    const [a, b] = this.#sides as readonly [Side, Side];
    return b.bound > a.bound ? b : a;
  }
}

/** Nothing is left to do for this target: a search that stopped at a witness goes on when the target is raised above it. */
function isFinished({ search, target }: Runner, asked: number): boolean {
  return search?.finished === true && target === asked;
}

/** Whether a search, at the pace of the later half of its time, ends soon against what its side has cost so far. */
function isNear({ search, target, seconds, course }: Runner, side: Side, asked: number): boolean {
  if (target !== asked || search?.finished !== false) return false;
  const half = course.findLast((entry) => entry.seconds <= seconds / 2) ?? { seconds: 0, done: 0 };
  const done = course.at(-1)?.done ?? 0;
  return (1 - done) * (seconds - half.seconds) < NEAR * side.seconds * (done - half.done);
}

/** The runner whose turn it is; null when all are finished. */
function pick(side: Side, target: number, slice: number, headStart: number): Runner | null {
  const open = side.runners.filter((runner) => !isFinished(runner, target));
  const near = open.find((runner) => isNear(runner, side, target));
  if (near !== undefined) return near;
  const [leading] = side.runners;
  if (side.seconds < headStart && leading !== undefined && open.includes(leading)) return leading;
  const [first] = open;
  if (first === undefined) return null;
  const total = open.reduce((sum, { slices }) => sum + slices, 0);
  const fewest = open.reduce((a, b) => (b.slices < a.slices ? b : a));
  if (fewest.slices === 0 || total % (total < EARLY_SLICES ? EXPLORE_EARLY : EXPLORE_LATE) === 0) return fewest;
  const promise = ({ excess, rate }: Runner): number => excess - rate * slice;
  return open.reduce((a, b) => (promise(b) < promise(a) ? b : a));
}

function methodsFor({ Z, freeBias }: CoreProblem, v: Float64Array): readonly MakeSearch[] {
  if (freeBias || Z.cols === 0) return [];
  if (Z.cols <= CONES_ALONE) return [coneSearch];
  let positive = 0;
  let negative = 0;
  for (const t of v) {
    if (t > 0) positive += 1;
    if (t < 0) negative += 1;
  }
  if (positive * negative > MOST_PAIRS) return [];
  return Z.cols <= CONES_RANK ? [capSearch, transportSearch, coneSearch] : [capSearch, transportSearch];
}

function cheapBound(compute: Compute, core: CoreProblem, v: Float64Array, { seed, stop }: LadderOptions) {
  const { value, method } = boundMaximum(compute, core, v, seed, stop);
  return { value, method: method === "exact" ? `exact-rank-${core.Z.cols}` : "shor" };
}
