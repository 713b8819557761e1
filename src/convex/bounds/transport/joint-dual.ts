import type { ProofWriter } from "../../../certificate/index.ts";
import type { Compute } from "../../../compute/types.ts";
import { dualBound, type Loss } from "../../losses/index.ts";
import type { Lanes } from "../lanes.ts";
import type { Proven } from "../output-proof.ts";
import { JointShard, type ShardLeaves, type ShardRequest, type ShardStep } from "./joint-shard.ts";
import type { JointLeaf, LeafReport } from "./joint-side.ts";
import type { Leaf } from "./leaf.ts";
import { FIRST_RHO } from "./refine.ts";
import type { SignedRow } from "./relaxation.ts";
import { reweighted, scaledSide } from "./scaled-side.ts";
import { type TreeNode, writeTree } from "./tree.ts";

/** What the dual point is optimized for, in core scaling. */
export interface JointProblem {
  readonly loss: Loss;
  readonly y: Float64Array;
  readonly beta: number;
  /** n x r. */
  readonly Z: Float64Array;
  readonly n: number;
  readonly r: number;
  /** The dual point to start from, e.g. of the trained network. */
  readonly v: Float64Array;
}

/** A dual point, the larger of valid bounds of g(v) and g(-v), and the lower bound that follows. */
export interface JointPoint {
  readonly v: Float64Array;
  readonly maximum: number;
  readonly lowerBound: number;
}

/** The best point, with trees that prove its bounds: of g(v), and of g(-v). */
export interface JointResult extends JointPoint {
  readonly searches: readonly [Proven, Proven];
}

/** Steps with the roots alone, and between valid bounds. */
const ROOT_STEPS = 400;
const ROUND = 20;
/** Step of log |v|, what is left of it when leaves are split, and in the end. */
const RATE = 0.02;
const SPLIT_SHARE = 0.3;
const LAST_SHARE = 0.02;
const DECAY_MEAN = 0.9;
const DECAY_SQUARE = 0.99;
/** Width, as a share of the largest value, in which a leaf counts although its value is lower; beyond the other it rests. */
const TEMPERATURE = 0.002;
const RESTING = 0.02;
/** One of so many active leaves is split at a time. */
const SPLITTING = 3;
/** Limit of |log(v / v_0)|. */
const FARTHEST = 30;

/** Numbers that all leaves of a shard have together at most: h with its moments, and the multipliers of its bounds. */
const MOST_NUMBERS = 4e7;

/** A node of the tree of a side; `row` is what it is split by. */
interface Split {
  readonly id: number;
  row: number;
  children: readonly [Split, Split] | null;
}

/** A leaf that is worked on. */
interface OpenLeaf {
  readonly node: Split;
  lane: number;
  /** Of its relaxation, or its bound. */
  value: number;
  branch: number;
}

/** Where shards live. */
interface Shards {
  readonly count: number;
  /** Sends each shard a request (null: none); null when interrupted. */
  call(requests: readonly (ShardRequest | null)[], stop: () => boolean): unknown[] | null;
}

function localShard(compute: Compute): Shards {
  const shard = new JointShard(compute);
  return {
    count: 1,
    call([request], stop) {
      const answer = request ? shard.answer(request, stop) : null;
      return answer === null ? null : [answer];
    },
  };
}

function shardsOf(lanes: Lanes): Shards {
  const { count } = lanes;
  return {
    count,
    call(requests, stop) {
      const sent = requests.map((request) => (request === null ? null : ({ to: "joint", request } as const)));
      const answers = lanes.call(sent, stop);
      return answers?.every((answer, at) => answer !== null || requests[at] === null) ? answers : null;
    },
  };
}

/**
 * Optimizes the dual point for the relaxations of both sides: maximize the lower bound over v = v_0 exp(l), whose signs stay,
 * jointly with the multipliers of the relaxations, by Adam (the value of a relaxation is convex in v while the signs stay).
 * Then leaves are split on signs, those with the largest values first, and the dual point follows: a branch and bound
 * whose nodes are never done with. Steps shrink with `spent`, the share of the time for this that is over.
 */
export class JointDual {
  best: JointPoint | null = null;
  readonly #problem: JointProblem;
  readonly #shards: Shards;
  readonly #spent: () => number;
  readonly #v: Float64Array;
  readonly #log: Float64Array;
  readonly #mean: Float64Array;
  readonly #square: Float64Array;
  /** Of both sides, by their numbers. */
  readonly #leaves: readonly [Map<number, OpenLeaf>, Map<number, OpenLeaf>];
  readonly #roots: readonly [Split, Split];
  /** The trees of the best point. */
  #kept: readonly Split[] = [];
  /** Leaves that there may be. */
  readonly #most: number;
  #next = 1;
  #steps = 0;
  /** Nothing more can be done. */
  #over: boolean;
  #lost = false;

  constructor(compute: Compute, problem: JointProblem, seed: number, lanes: Lanes | null, spent: () => number) {
    const { n, r, Z, v } = problem;
    this.#problem = problem;
    this.#spent = spent;
    this.#shards = lanes !== null && lanes.count > 1 ? shardsOf(lanes) : localShard(compute);
    this.#v = v.slice();
    this.#log = new Float64Array(n);
    this.#mean = new Float64Array(n);
    this.#square = new Float64Array(n);
    const { P, N, extreme } = scaledSide({ n, r, Z, v });
    this.#over = extreme || P.length === 0 || N.length === 0;
    this.#most = Math.max(2, Math.floor(MOST_NUMBERS / (P.length * N.length + n)));
    this.#roots = [
      { id: 0, row: -1, children: null },
      { id: 0, row: -1, children: null },
    ];
    const leafOf = (node: Split, lane: number): OpenLeaf => ({ node, lane, value: 0, branch: -1 });
    const other = this.#shards.count - 1;
    this.#leaves = [new Map([[0, leafOf(this.#roots[0], 0)]]), new Map([[0, leafOf(this.#roots[1], other)]])];
    if (this.#over) return;
    this.#all({ kind: "open", problem: { n, r, Z, v }, seed }, never);
    this.#one(0, { kind: "plant", side: 0 });
    this.#one(other, { kind: "plant", side: 1 });
  }

  /** The threads are gone, and what they knew. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Some steps, valid bounds, and splits; false when that was interrupted, or nothing more can be done. */
  round(stop: () => boolean): boolean {
    for (let t = 0; t < ROUND; t++) if (this.#over || !this.#step(stop)) return false;
    if (!this.#bound(stop)) return false;
    if (this.#steps >= ROOT_STEPS) this.#split();
    return !this.#over;
  }

  /** The best point with its proof; null when there is none, or the threads that know it are gone. */
  result(): JointResult | null {
    const { n, r, Z, v } = this.#problem;
    if (this.best === null) return null;
    const answers = this.#all({ kind: "kept" }, never) as readonly ShardLeaves[] | null;
    if (answers === null) return null;
    const searches = this.#kept.map((root, at) => {
      const signed = (weights: Float64Array): Float64Array => (at === 0 ? weights : weights.map((t) => -t));
      const side = reweighted(scaledSide({ n, r, Z, v: signed(v) }), signed((this.best as JointPoint).v));
      const leaves = new Map(answers.flatMap((shard) => [...(shard[at] as ReadonlyMap<number, Leaf>)]));
      const tree = treeOf(root, leaves, []);
      const writeProof = (out: ProofWriter): true => {
        out.u8(0);
        writeTree(out, side, tree);
        return true;
      };
      return { bound: tree.bound * side.zUnit * side.vUnit, writeProof };
    });
    return { ...this.best, searches: [searches[0] as Proven, searches[1] as Proven] };
  }

  get #largest(): number {
    let most = 0;
    for (const side of this.#leaves) for (const { value } of side.values()) most = Math.max(most, value);
    return most;
  }

  /** One step of the multipliers and of v. */
  #step(stop: () => boolean): boolean {
    const { loss, y, beta, v: start } = this.#problem;
    const before = this.#largest;
    const early = 1 - (1 - SPLIT_SHARE) * (this.#steps / ROOT_STEPS);
    const share = Math.max(LAST_SHARE, Math.min(Math.max(early, SPLIT_SHARE), 1 - this.#spent()));
    const width = TEMPERATURE * Math.max(before, beta);
    const v = this.#v;
    const request = { kind: "step", v, share, threshold: (1 - RESTING) * before, width } as const;
    const answers = this.#all(request, stop) as readonly ShardStep[] | null;
    if (answers === null) return false;
    this.#steps += 1;
    for (const { values } of answers) this.#note(values);
    // d LB = alpha dD + (d LB / d M) dM with M the largest value, softly.
    const M = answers.reduce((most, { top }) => Math.max(most, top), 0);
    const n = v.length;
    const rise = new Float64Array(n);
    let total = 0;
    for (const { top, weight, rise: part } of answers) {
      const factor = Math.exp((top - M) / width);
      total += factor * weight;
      for (let i = 0; i < n; i++) rise[i] += factor * part[i];
    }
    const alpha = loss.bestScale(v, y, beta / M);
    const slope = new Float64Array(n);
    loss.dualSlope(v, y, alpha, slope);
    let tight = 0;
    if (alpha * M >= beta * (1 - 1e-12)) for (let i = 0; i < n; i++) tight += v[i] * slope[i];
    tight *= alpha / (M * total);
    if (!Number.isFinite(alpha) || !Number.isFinite(tight)) return false;
    const box = loss.dualBox(y);
    const fix = 1 / Math.sqrt(1 - DECAY_SQUARE ** this.#steps);
    const rate = (RATE * share) / (1 - DECAY_MEAN ** this.#steps);
    for (let i = 0; i < n; i++) {
      if (v[i] === 0) continue;
      const g = (alpha * slope[i] - tight * rise[i]) * v[i];
      this.#mean[i] = DECAY_MEAN * this.#mean[i] + (1 - DECAY_MEAN) * g;
      this.#square[i] = DECAY_SQUARE * this.#square[i] + (1 - DECAY_SQUARE) * g * g;
      const moved = this.#log[i] + (rate * this.#mean[i]) / (fix * Math.sqrt(this.#square[i]) + Number.MIN_VALUE);
      this.#log[i] = Math.min(Math.max(moved, -FARTHEST), FARTHEST);
      v[i] = start[i] * Math.exp(this.#log[i]);
      if (box !== null && alpha > 0) v[i] = Math.min(Math.max(v[i], box.low[i] / alpha), box.high[i] / alpha);
    }
    return true;
  }

  /** Valid bounds of all leaves, and so of the lower bound. */
  #bound(stop: () => boolean): boolean {
    const { loss, y, beta } = this.#problem;
    const answers = this.#all({ kind: "bounds", v: this.#v }, stop) as readonly (readonly LeafReport[])[][] | null;
    if (answers === null) return false;
    for (const reports of answers) this.#note(reports);
    const maximum = this.#largest;
    const lowerBound = dualBound(loss, this.#v, y, beta, maximum);
    if (this.best !== null && !(lowerBound > this.best.lowerBound)) return true;
    if (this.#all({ kind: "keep" }, never) === null) return false;
    this.best = { v: this.#v.slice(), maximum, lowerBound };
    this.#kept = this.#roots.map(copyOf);
    return true;
  }

  #note(values: readonly (readonly LeafReport[])[]): void {
    for (const [at, reports] of values.entries()) {
      for (const { id, value, branch } of reports) {
        const leaf = this.#leaves[at]?.get(id);
        if (leaf !== undefined) Object.assign(leaf, { value, branch });
      }
    }
  }

  /** Splits the leaves with the largest bounds, and shares the new ones out. */
  #split(): void {
    const threshold = (1 - RESTING) * this.#largest;
    const active = this.#leaves
      .flatMap((leaves, side) => [...leaves.values()].map((leaf) => ({ leaf, side })))
      .filter(({ leaf }) => leaf.value >= threshold)
      .sort((a, b) => b.leaf.value - a.leaf.value);
    const load = new Array<number>(this.#shards.count).fill(0);
    for (const { leaf } of active) load[leaf.lane] = (load[leaf.lane] as number) + 1;
    for (const { leaf, side } of active.slice(0, Math.ceil(active.length / SPLITTING))) {
      const leaves = this.#leaves[side] as Map<number, OpenLeaf>;
      const { node, lane, value, branch: row } = leaf;
      if (row < 0 || leaves.size >= this.#most) continue;
      const [first, second] = [this.#next, this.#next + 1];
      this.#next += 2;
      this.#one(lane, { kind: "split", side, id: node.id, row, numbers: [first, second] });
      node.row = row;
      node.children = [
        { id: first, row: -1, children: null },
        { id: second, row: -1, children: null },
      ];
      leaves.delete(node.id);
      const idle = load.indexOf(Math.min(...load));
      if (idle !== lane) {
        const [moved] = this.#one(lane, { kind: "take", side, id: second }) ?? [];
        if (moved !== undefined) this.#one(idle, { kind: "give", side, leaf: moved as JointLeaf });
      }
      load[idle] = (load[idle] as number) + 1;
      for (const [child, at] of [
        [node.children[0], lane],
        [node.children[1], idle],
      ] as const) {
        leaves.set(child.id, { node: child, lane: at, value, branch: -1 });
      }
    }
  }

  /** Asks all shards; null when interrupted. */
  #all(request: ShardRequest, stop: () => boolean): readonly unknown[] | null {
    const answers = this.#shards.call(new Array<ShardRequest>(this.#shards.count).fill(request), stop);
    if (answers === null && !stop()) this.#end();
    return answers;
  }

  /** Asks one shard: its answer in a list; null when it is gone. */
  #one(lane: number, request: ShardRequest): readonly unknown[] | null {
    const requests = Array.from({ length: this.#shards.count }, (_, at) => (at === lane ? request : null));
    const answers = this.#shards.call(requests, never);
    if (answers === null) this.#end();
    return answers === null ? null : [answers[lane]];
  }

  #end(): void {
    this.#lost = true;
    this.#over = true;
  }
}

const never = (): boolean => false;

function copyOf(node: Split): Split {
  return { ...node, children: node.children === null ? null : [copyOf(node.children[0]), copyOf(node.children[1])] };
}

/** The tree below a node, with the leaves of the given numbers. */
function treeOf(node: Split, leaves: ReadonlyMap<number, Leaf>, path: readonly SignedRow[]): TreeNode {
  const base = { path, rho: FIRST_RHO, branch: node.row };
  if (node.children === null) {
    const leaf = leaves.get(node.id) as Leaf;
    return { ...base, leaf, bound: leaf.bound, children: null };
  }
  const [plus, minus] = node.children;
  const children = [
    treeOf(plus, leaves, [...path, { row: node.row, sign: 1 }]),
    treeOf(minus, leaves, [...path, { row: node.row, sign: -1 }]),
  ] as const;
  return { ...base, leaf: null, bound: Math.max(children[0].bound, children[1].bound), children };
}
