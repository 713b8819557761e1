import { BoxSolver, dotRow } from "../../solvers/bounded-least-squares.ts";
import { TreeRecord } from "./record.ts";
import type { ScaledSide } from "./side.ts";
import { RangeBound } from "./tighten.ts";

/** Passes over the ranges of a node while its offset falls. */
const PASSES = 40;
/** The offset must fall to this share for another pass. */
const FALL = 0.97;
/** A new cap is made once the offset has fallen by this share. */
const BLOCK = 0.15;
/** A range is tightened when that lowers the offset by this share of what a row adds to it on average. */
const GAIN = 0.01;
/** Ranges are left alone when they would become narrower than this share of |z_i|: chords would amplify rounding errors. */
const NARROW = 1e-3;
/** By how much (in |z_i|) an empty range must be empty. */
const CLEAR = 1e-9;
/** A node's problem is solved until no more than this share of what is missing can still be gained. */
const RESOLUTION = 0.02;
/** Weight of the offset in the choice of the row to branch on. */
const OFFSET_SHARE = 0.1;

type TreeStatus = "open" | "closed" | "witness" | "stuck";

/** State of a node on the path: what its children start from. */
interface Frame {
  /** Ranges of the rows of P. */
  readonly low: Float64Array;
  readonly high: Float64Array;
  /** Multipliers of N (in units of the weights) and of the multiplier rows. */
  readonly theta: Float64Array;
  /** Place of the row that the node was branched on. */
  branched: number;
  /** How many multiplier rows there are. */
  count: number;
  /** 0: the active child is next; 1: the inactive one; 2: both done. */
  phase: number;
  caps: number;
}

/**
 * A depth-first tree that shows G(u) <= T on the unit ball, or finds a point where G is larger. In every node each
 * undetermined row of P has its chord on [l, h], rows of N a slope theta in [0, 1], rows of the path a multiplier
 * >= 0: G(u) <= c'u + o, so the node closes when |c| + o <= T. Otherwise every u of the node with G(u) > T lies in the cap
 * c'u > T - o, which tightens the ranges, and so the chords.
 */
export class SignTree {
  readonly target: number;
  status: TreeStatus = "open";
  nodes = 0;
  /** |c| + o at the root, before any cap: a bound of g. */
  rootBound = Number.POSITIVE_INFINITY;
  /** The share of the tree that is done, were every subtree as large as its sibling (Knuth, Math. Comp. 29, 1975, 121-136). */
  done = 0;
  readonly record: TreeRecord;
  readonly #side: ScaledSide;
  readonly #offer: (u: Float64Array) => number;
  readonly #slack: number;
  readonly #frames: Frame[] = [];
  readonly #products: Float64Array[] = [];
  readonly #path: Int32Array;
  readonly #signs: Float64Array;
  readonly #solver: BoxSolver;
  readonly #range: RangeBound;
  readonly #p: Float64Array;
  readonly #c: Float64Array;
  readonly #u: Float64Array;
  readonly #zc: Float64Array;
  /** The undetermined rows of P in the order of this pass, and how far it is. */
  readonly #order: Int32Array;
  readonly #held: Float64Array;
  #open = 0;
  #next = 0;
  #passes = 0;
  /** The offset at the beginning of the pass. */
  #before = 0;
  /** Whether the current node is unfinished. */
  #inside = false;
  #length = 0;
  #offset = 0;
  #depth = 0;

  /** `offer` takes a unit vector and returns the largest value of G that is known; the record holds at most `mostBytes`. */
  constructor(side: ScaledSide, target: number, offer: (u: Float64Array) => number, mostBytes: number) {
    const { r, positive, negative, ZN, qN } = side;
    const most = positive.length;
    this.target = target;
    this.#side = side;
    this.#offer = offer;
    this.#slack = slackOf(side);
    this.record = new TreeRecord(side, mostBytes);
    this.#path = new Int32Array(most + 1);
    this.#signs = new Float64Array(most + 1);
    const rows = new Float64Array((negative.length + most) * r);
    rows.set(ZN);
    const q = new Float64Array(negative.length + most);
    q.set(qN);
    this.#solver = new BoxSolver(rows, q, r);
    this.#range = new RangeBound(side);
    this.#p = new Float64Array(r);
    this.#c = new Float64Array(r);
    this.#u = new Float64Array(r);
    this.#zc = new Float64Array(most);
    this.#order = new Int32Array(most);
    this.#held = new Float64Array(most);
    const root = this.#frame(0);
    for (let i = 0; i < most; i++) {
      root.low[i] = -side.normP[i];
      root.high[i] = side.normP[i];
    }
    for (let j = 0; j < negative.length; j++) root.theta[j] = qN[j] / 2;
  }

  /** Works until the tree is closed or shown to be impossible, or `stop`, or `most` more nodes are done. */
  run(stop: () => boolean, most: number): void {
    const last = this.nodes + most;
    while (this.status === "open" && !stop()) {
      if (this.#inside) this.#work();
      else if (this.nodes >= last) return;
      else if (this.#depth === 0) this.#arrive();
      else {
        const frame = this.#frames[this.#depth - 1];
        if (frame.phase < 2) {
          this.#enter(frame);
          this.#arrive();
        } else {
          this.#depth -= 1;
          if (this.#depth === 0) this.status = "closed";
        }
      }
    }
  }

  /**
   * The rows of P with a known sign where every u of the current node with G(u) > target lies: what another kind of leaf may
   * build on.
   */
  determinedRows(): { readonly row: number; readonly sign: 1 | -1 }[] {
    const { low, high } = this.#frame(this.#depth);
    const rows: { row: number; sign: 1 | -1 }[] = [];
    this.#side.positive.forEach((row, i) => {
      if (low[i] >= 0) rows.push({ row, sign: 1 });
      else if (high[i] <= 0) rows.push({ row, sign: -1 });
    });
    return rows;
  }

  #frame(depth: number): Frame {
    for (let d = this.#frames.length; d <= depth; d++) {
      const most = this.#side.positive.length;
      const frame = {
        low: new Float64Array(most),
        high: new Float64Array(most),
        theta: new Float64Array(this.#side.negative.length + most),
        branched: -1,
        count: 0,
        phase: 0,
        caps: 0,
      };
      this.#frames.push(frame);
    }
    return this.#frames[depth];
  }

  /** Prepares the next child of the branched node at depth - 1. */
  #enter(parent: Frame): void {
    const child = this.#frame(this.#depth);
    child.low.set(parent.low);
    child.high.set(parent.high);
    child.theta.set(parent.theta);
    child.caps = parent.caps;
    child.count = parent.count;
    const active = parent.phase === 0;
    (active ? child.low : child.high)[parent.branched] = 0;
    this.#list(child, parent.branched, active ? 1 : -1);
    parent.phase += 1;
  }

  /** Adds the row at a place of P, of known sign, to the multiplier rows of a node. */
  #list(frame: Frame, place: number, sign: number): void {
    const { r, negative, positive, ZP } = this.#side;
    const at = frame.count;
    this.#path[at] = place;
    this.#signs[at] = sign;
    this.#solver.setRow(negative.length + at, -sign, ZP, place);
    frame.theta[negative.length + at] = 0;
    if (this.#products.length === at) this.#products.push(new Float64Array(positive.length));
    const row = ZP.subarray(place * r, (place + 1) * r);
    for (let i = 0; i < positive.length; i++) this.#products[at][i] = dotRow(ZP, i * r, row, r);
    frame.count += 1;
  }

  /** Begins the node at the current depth. */
  #arrive(): void {
    const frame = this.#frame(this.#depth);
    this.nodes += 1;
    this.#inside = true;
    this.#passes = 0;
    this.#open = 0;
    this.#next = 0;
    this.#solver.start(frame.theta, this.#side.negative.length + frame.count);
  }

  /** Bounds the node, and either ends it (closed, impossible, branched) or tightens some of its ranges. */
  #work(): void {
    const frame = this.#frame(this.#depth);
    const { theta, count } = frame;
    const first = this.rootBound === Number.POSITIVE_INFINITY;
    const undetermined = this.#bound(frame, first);
    const bound = this.#length + this.#offset;
    if (first) this.rootBound = bound;
    if (bound <= this.target - this.#slack) {
      this.record.close(theta, this.#path, count);
      this.#leave();
    } else if (this.#evaluate() > this.target) this.status = "witness";
    else if (undetermined === 0) this.status = "stuck";
    else if (this.#next === this.#open && !this.#begin(frame)) this.#branch(frame);
    else {
      const empty = this.#tighten(frame);
      if (this.record.cap(theta, this.#path, count)) frame.caps += 1;
      if (!empty) return;
      this.record.empty();
      this.#leave();
    }
  }

  /** The node is a leaf. */
  #leave(): void {
    this.done += 2 ** -this.#depth;
    this.#inside = false;
    if (this.#depth === 0) this.status = "closed";
  }

  /** Begins another pass over the ranges, unless the last one did little. */
  #begin(frame: Frame): boolean {
    if (this.#passes === PASSES || (this.#passes > 0 && this.#offset > FALL * this.#before)) return false;
    this.#passes += 1;
    this.#before = this.#offset;
    this.#sort(frame);
    return true;
  }

  /** Orders the undetermined rows of P, those that add most to the offset first. */
  #sort({ low, high }: Frame): void {
    const { positive, vP } = this.#side;
    const held = this.#held;
    let open = 0;
    for (let i = 0; i < positive.length; i++) {
      if (low[i] >= 0 || high[i] <= 0) continue;
      held[i] = (vP[i] * high[i] * low[i]) / (high[i] - low[i]);
      this.#order[open++] = i;
    }
    this.#order.subarray(0, open).sort((a, b) => held[a] - held[b]);
    this.#open = open;
    this.#next = 0;
  }

  /** Fills c, its length and the offset from the ranges and the best multipliers; returns how many rows of P are undetermined. */
  #bound(frame: Frame, first: boolean): number {
    const { r, positive, negative, ZP, vP } = this.#side;
    const { low, high, theta } = frame;
    const p = this.#p;
    const c = this.#c;
    p.fill(0);
    let offset = 0;
    let undetermined = 0;
    for (let i = 0; i < positive.length; i++) {
      if (high[i] <= 0 && low[i] < 0) continue;
      let weight = vP[i];
      if (low[i] < 0) {
        weight *= high[i] / (high[i] - low[i]);
        offset -= weight * low[i];
        undetermined += 1;
      }
      for (let k = 0; k < r; k++) p[k] += weight * ZP[i * r + k];
    }
    const count = negative.length + frame.count;
    const solver = this.#solver;
    // The root is solved to the end: its bound holds for every target.
    const enough = first ? 0 : (this.target - this.#slack) * (1 - 1e-12) - offset;
    solver.solve(p, count, Math.max(0, enough), first || undetermined === 0 ? 0 : RESOLUTION);
    theta.set(solver.theta.subarray(0, count));
    c.set(p);
    for (let j = 0; j < negative.length; j++) {
      if (theta[j] > 0) for (let k = 0; k < r; k++) c[k] -= theta[j] * this.#side.ZN[j * r + k];
    }
    for (let f = 0; f < frame.count; f++) {
      const weight = theta[negative.length + f] * this.#signs[f];
      if (weight !== 0) for (let k = 0; k < r; k++) c[k] += weight * ZP[this.#path[f] * r + k];
    }
    this.#length = Math.sqrt(dotRow(c, 0, c, r));
    this.#offset = offset;
    return undetermined;
  }

  /** G at c / |c|; also z_i'c / |c| over P. */
  #evaluate(): number {
    const { r, positive, ZP } = this.#side;
    const u = this.#u;
    const length = this.#length || 1;
    for (let k = 0; k < r; k++) u[k] = this.#c[k] / length;
    for (let i = 0; i < positive.length; i++) this.#zc[i] = dotRow(ZP, i * r, u, r);
    return this.#offer(u);
  }

  /** Tightens the next rows of the pass by the current cap until that has lowered the offset enough for a new one; true if the node is empty. */
  #tighten(frame: Frame): boolean {
    const { vP, normP } = this.#side;
    const { low, high, count } = frame;
    const zc = this.#zc;
    const range = this.#range;
    const need = this.target - this.#offset;
    range.setRegion(this.#c, this.#length, need, zc, this.#path, this.#signs, this.#products, count);
    const least = (GAIN * this.#offset) / this.#open;
    let gained = 0;
    while (this.#next < this.#open && gained < BLOCK * this.#offset) {
      const i = this.#order[this.#next++];
      for (let t = 1; t >= -1; t -= 2) {
        const l = low[i];
        const h = high[i];
        if (l >= 0 || h <= 0) break;
        const old = t > 0 ? h : -l;
        const other = t > 0 ? -l : h; // the range is [-other, old] in the direction t
        const held = (vP[i] * old * other) / (h - l);
        if (held <= least) break;
        let found = range.byCap(i, t, zc[i]);
        if (count > 0 && found > 0) found = range.byPath(i, t, zc[i]);
        if (!(found < old)) continue;
        const left = found > 0 ? (vP[i] * found * other) / (found + other) : 0;
        if (held - left < least) continue;
        const empty = found < -other - CLEAR * normP[i];
        if (!empty && other + Math.max(0, found) < NARROW * normP[i]) continue;
        this.record.range(i, t > 0, frame.caps, range.kappa, range.lambda, this.#path, count);
        if (empty) return true;
        gained += held - left;
        if (t > 0) high[i] = found;
        else low[i] = -found;
      }
    }
    return false;
  }

  /** Chooses the row whose chord is farthest above the function at c / |c|. */
  #branch(frame: Frame): void {
    const { positive, vP } = this.#side;
    const { low, high } = frame;
    let best = -1;
    let most = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < positive.length; i++) {
      if (low[i] >= 0 || high[i] <= 0) continue;
      const z = this.#zc[i];
      const slope = high[i] / (high[i] - low[i]);
      const score = vP[i] * (slope * (z - low[i]) - Math.max(z, 0) - OFFSET_SHARE * slope * low[i]);
      if (score > most) {
        most = score;
        best = i;
      }
    }
    frame.branched = best;
    this.record.split(best);
    frame.phase = 0;
    this.#depth += 1;
    this.#inside = false;
  }
}

/** What a closing inequality must hold by, so that arithmetic with directed rounding confirms it. */
export function slackOf({ total, positive, negative }: ScaledSide): number {
  return (1e-12 + 4 * (positive.length + negative.length) * 2 ** -53) * total;
}
