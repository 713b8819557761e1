import type { ProofWriter } from "../../../certificate/index.ts";
import type { BoundSearch, MakeSearch, SideProblem, Witness } from "../search.ts";
import { Ascent } from "./ascent.ts";
import { ConeLeaf } from "./cone-leaf.ts";
import { writeConeProof } from "./cone-proof.ts";
import { ConeStack } from "./cone-stack.ts";
import { ConeTree, LEAF } from "./cone-tree.ts";
import { type SideRows, sideRows, sideValue } from "./side-rows.ts";

/** Orthants are 2^r: more would not fit. */
const LARGEST_RANK = 12;
/** Work (rows looked at) between two looks at the clock. */
const POLL = 50_000;
/** On the way to a target the distance to it shrinks by this factor at a time, so that the bound falls early. */
const REFINE = 16;
/** Coordinates of the maximizer below this part of the largest are raised to it when an edge is chosen. */
const FLOOR = 0.05;
/** The share of an edge's nearer end at least. */
const SHARE = 0.2;
/** A kink is split at when both of its shares of the edge are larger than this. */
const NEAREST = 0.1;
/** An ascent is made when G at a leaf is better than the best by this factor. */
const BETTER = 1 + 1e-12;
/** An edge shorter than this is not split for the sake of rows with v < 0. */
const SHORTEST = 1e-2;

/**
 * Branch and bound over simplicial cones: starts from the orthants of R^r and splits a cone at a point of an edge until the
 * bound of every cone is below the target. For ranks up to 5 or 6.
 *
 * @throws RangeError above rank 12.
 */
export const coneSearch: MakeSearch = (_compute, side) => new ConeSearch(side, null);

export class ConeSearch implements BoundSearch {
  readonly method = "cones";
  readonly #side: SideRows;
  readonly #tree: ConeTree;
  readonly #roots: number;
  readonly #stack: ConeStack;
  readonly #leaf: ConeLeaf;
  readonly #ascent: Ascent;
  readonly #best: Float64Array;
  #bestValue = 0;
  /** Orthants begun in this pass; all when no pass is under way. */
  #orthants: number;
  #limit = Number.POSITIVE_INFINITY;
  #nodes = 0;
  #work = 0;
  #finished = false;
  /** Something was split or bounded in this pass. */
  #progress = true;

  /** @param tree what an earlier search of the same problem knows (its `tree`). */
  constructor(problem: SideProblem, tree: ConeTree | null) {
    const { r } = problem;
    if (r > LARGEST_RANK) throw new RangeError(`cones need rank at most ${LARGEST_RANK}, got ${r}`);
    this.#side = sideRows(problem);
    this.#tree = tree ?? new ConeTree(r);
    this.#stack = new ConeStack(this.#side);
    this.#leaf = new ConeLeaf(this.#side);
    this.#ascent = new Ascent(this.#side);
    this.#best = new Float64Array(r);
    this.#roots = 2 ** r;
    this.#orthants = this.#roots;
    if (tree !== null) return;
    for (let orthant = 0; orthant < this.#roots; orthant++) this.#tree.add();
    this.#tree.start.fill(1, 0, this.#roots * r);
    for (let orthant = 0; orthant < this.#roots; orthant++) {
      this.#stack.pushOrthant(orthant, orthant);
      this.#bound(orthant, Number.POSITIVE_INFINITY);
      this.#stack.pop();
    }
  }

  /** What another search of the same problem can go on from, once this one is not used any more. */
  get tree(): ConeTree {
    this.#scaledBound();
    return this.#tree;
  }

  get bound(): number {
    return this.#scaledBound() * this.#side.unit;
  }

  get witness(): Witness {
    return { u: Float64Array.from(this.#best), value: this.#bestValue * this.#side.unit };
  }

  get nodes(): number {
    return this.#nodes;
  }

  get finished(): boolean {
    return this.#finished;
  }

  advance(target: number, stop: () => boolean): void {
    const { unit } = this.#side;
    const goal = target / unit;
    this.#finished = false;
    if (this.#limit < goal) this.#limit = goal;
    for (;;) {
      if (this.#scaledBound() * unit <= target) {
        this.#finished = true;
        return;
      }
      if (this.#bestValue * unit > target) return;
      if (this.#orthants === this.#roots && this.#stack.depth === 0) {
        // The next pass.
        if (this.#limit === goal && !this.#progress) {
          this.#finished = true;
          return;
        }
        const bound = this.#scaledBound();
        const next = goal + (bound - goal) / REFINE;
        this.#limit = next - goal < goal - this.#bestValue || !this.#progress ? goal : next;
        this.#progress = false;
        this.#orthants = 0;
      }
      if (!this.#pass(goal, stop)) return;
    }
  }

  writeProof(out: ProofWriter): true {
    writeConeProof(out, this.#side, this.#tree, this.#scaledBound());
    return true;
  }

  /** Works on the pass; false when it was stopped or a witness was met. */
  #pass(goal: number, stop: () => boolean): boolean {
    const stack = this.#stack;
    const tree = this.#tree;
    for (;;) {
      if (stack.depth === 0) {
        if (this.#orthants === this.#roots) return true;
        const orthant = this.#orthants++;
        if (tree.bound[orthant] <= this.#limit) continue;
        stack.pushOrthant(orthant, orthant);
        this.#work += this.#side.count;
      }
      const level = stack.depth - 1;
      const node = stack.node[level];
      const stage = stack.stage[level];
      if (stage === 0) {
        if (tree.edge[node] === LEAF) {
          this.#bound(node, this.#limit);
          if (this.#bestValue > goal) return false;
          if (tree.bound[node] <= this.#limit || !this.#split(node)) {
            this.#pop(node);
            continue;
          }
          this.#progress = true;
        }
        const { a, b, share } = this.#edge(node);
        stack.cut(a, b, share);
      }
      if (stage === 2) {
        this.#pop(node);
      } else {
        const child = tree.first[node] + stage;
        stack.stage[level]++;
        const { a, b } = this.#edge(node);
        if (tree.bound[child] > this.#limit) stack.pushChild(stage === 0 ? b : a, child);
      }
      this.#work += 32 + stack.to[level] - stack.from[level];
      if (this.#work > POLL) {
        this.#work = 0;
        if (stop()) return false;
      }
    }
  }

  #pop(node: number): void {
    this.#tree.update(node);
    this.#stack.pop();
  }

  #edge(node: number): { a: number; b: number; share: number } {
    const { r } = this.#side;
    const edge = this.#tree.edge[node];
    return { a: Math.floor(edge / r), b: edge % r, share: this.#tree.share[node] };
  }

  /** The bound of the cone on top of the stack. */
  #bound(node: number, limit: number): void {
    const tree = this.#tree;
    const leaf = this.#leaf;
    this.#nodes++;
    leaf.solve(this.#stack, tree.start, node * this.#side.r, limit);
    if (leaf.own < tree.own[node]) {
      tree.own[node] = leaf.own;
      tree.update(node);
    }
    if (leaf.value > this.#bestValue * BETTER) this.#improve(leaf.u);
  }

  #improve(u: Float64Array): void {
    const point = Float64Array.from(u);
    const length = Math.hypot(...point);
    for (let k = 0; k < point.length; k++) point[k] /= length;
    const value = Math.max(sideValue(this.#side, point), this.#ascent.climb(point));
    if (value > this.#bestValue) {
      this.#bestValue = value;
      this.#best.set(point);
    }
  }

  /** Splits the cone on top of the stack, whose leaf was just bounded; false when that would not lower its bound. */
  #split(node: number): boolean {
    const { r, weights } = this.#side;
    const leaf = this.#leaf;
    const stack = this.#stack;
    const tree = this.#tree;
    const { t } = leaf;
    if (leaf.own - leaf.value <= leaf.slack) return false;
    let largest = 0;
    for (let k = 0; k < r; k++) largest = Math.max(largest, t[k]);
    if (!(largest > 0)) largest = 1;
    const floor = FLOOR * largest;
    const level = stack.depth - 1;
    const { products, rows } = stack;
    const stride = r + 1;
    let best = 0;
    let edge = -1;
    for (let a = 1; a < r; a++) {
      const ta = Math.max(floor, t[a]);
      for (let b = 0; b < a; b++) {
        const tb = Math.max(floor, t[b]);
        let score = 0;
        for (let at = stack.from[level]; at < stack.middle[level]; at++) {
          const za = ta * products[at * stride + a];
          const zb = tb * products[at * stride + b];
          if (za > 0 ? zb < 0 : zb > 0) score += weights[rows[at]] * Math.min(Math.abs(za), Math.abs(zb));
        }
        if (score > best) {
          best = score;
          edge = a * r + b;
        }
      }
    }
    // Without a kink of v > 0 F is G, and a split helps only a search that was not finished.
    if (edge < 0 && !leaf.optimal) edge = this.#longestEdge(level);
    if (edge < 0) return false;
    const a = Math.floor(edge / r);
    const b = edge % r;
    const ta = Math.max(floor, t[a]);
    const tb = Math.max(floor, t[b]);
    const share = this.#kink(level, a, b, ta, tb) ?? Math.min(1 - SHARE, Math.max(SHARE, ta / (ta + tb)));
    tree.split(node, a, b, share);
    // Both children start at the maximizer, or at its nearest point in their coordinates.
    const first = tree.first[node];
    const { start } = tree;
    for (let k = 0; k < r; k++) {
      start[first * r + k] = t[k];
      start[(first + 1) * r + k] = t[k];
    }
    start[first * r + b] = t[b] / (1 - share);
    start[first * r + a] = Math.max(0, t[a] - (share / (1 - share)) * t[b]);
    start[(first + 1) * r + a] = t[a] / share;
    start[(first + 1) * r + b] = Math.max(0, t[b] - ((1 - share) / share) * t[a]);
    return true;
  }

  /**
   * The share at which the edge crosses the kink of the row that matters most to it: its sign is then determined on both sides,
   * where a split beside it would be followed by more. Null: that is too near an end.
   */
  #kink(level: number, a: number, b: number, ta: number, tb: number): number | null {
    const { r, weights } = this.#side;
    const stack = this.#stack;
    const { products, rows } = stack;
    const stride = r + 1;
    let largest = 0;
    let share = 0;
    for (let at = stack.from[level]; at < stack.middle[level]; at++) {
      const za = products[at * stride + a];
      const zb = products[at * stride + b];
      if (za > 0 ? zb >= 0 : zb <= 0) continue;
      const score = weights[rows[at]] * Math.min(ta * Math.abs(za), tb * Math.abs(zb));
      if (score > largest) {
        largest = score;
        share = zb / (zb - za);
      }
    }
    return share > NEAREST && share < 1 - NEAREST ? share : null;
  }

  #longestEdge(level: number): number {
    const { r } = this.#side;
    const { rays } = this.#stack;
    const base = level * (r + 1) * r;
    let longest = SHORTEST * SHORTEST;
    let edge = -1;
    for (let a = 1; a < r; a++) {
      for (let b = 0; b < a; b++) {
        let squares = 0;
        for (let i = 0; i < r; i++) squares += (rays[base + a * r + i] - rays[base + b * r + i]) ** 2;
        if (squares > longest) {
          longest = squares;
          edge = a * r + b;
        }
      }
    }
    return edge;
  }

  /** Bound of the scaled rows, with what the pass under way has shown so far. */
  #scaledBound(): number {
    const tree = this.#tree;
    const stack = this.#stack;
    for (let level = stack.depth - 1; level >= 0; level--) tree.update(stack.node[level]);
    let bound = 0;
    for (let orthant = 0; orthant < this.#roots; orthant++) bound = Math.max(bound, tree.bound[orthant]);
    return bound;
  }
}
