import type { ProofWriter } from "../../../certificate/index.ts";
import { ascend, gain } from "../../patterns/local-search.ts";
import type { BoundSearch, MakeSearch, SideProblem, Witness } from "../search.ts";
import { type ScaledSide, scaleSide } from "./side.ts";
import { SignTree, slackOf } from "./tree.ts";

/** Targets tried on the way, as shares above the caller's. */
const LADDER = [2, 1, 0.5, 0.3, 0.2, 0.1, 0.05, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8];
/** The caller's target has this many nodes before the ladder begins. */
const HEAD_START = 512;
/** Nodes of the tree for the caller's target for each of the ladder after that. */
const MAIN_SHARE = 3;
/** The ladder is left alone when this share of the tree for the caller's target is done: bounds on the way are not needed then. */
const NEARLY = 0.05;
/** The kind of the tree in the file: signs, with a number of its own. */
const SIGNS_FOR = 2;
/** Longer records of proofs are not kept: their bounds come without a proof. */
const KEPT = 2 ** 27;
/** Nodes of a turn. */
const TURN = 32;

/** Sign branch and bound with caps and tightening (see {@link SignTree}), one tree a target. */
export const capSearch = ((_compute, side) => new CapSearch(side)) satisfies MakeSearch;

class CapSearch implements BoundSearch {
  readonly method = "caps";
  bound: number;
  witness: Witness;
  finished = false;
  readonly #problem: SideProblem;
  readonly #side: ScaledSide;
  /** Scaled G = unit * G. */
  readonly #unit: number;
  /** The value (scaled) from which a new point is worth an ascent. */
  #known = 0;
  /** The tree for the caller's target; it takes turns with those of the ladder, which give bounds on the way. */
  #main: SignTree | null = null;
  #rung: SignTree | null = null;
  #rungs: number[] = [];
  #climbed = 0;
  #nodes = 0;
  #proof: SignTree;

  constructor(problem: SideProblem) {
    this.#problem = problem;
    this.#side = scaleSide(problem);
    this.#unit = this.#side.rowScale * this.#side.weightScale;
    this.witness = { u: new Float64Array(problem.r), value: 0 };
    const root = new SignTree(this.#side, Number.POSITIVE_INFINITY, () => 0, KEPT);
    root.run(() => false, 1);
    this.#proof = root;
    // Nothing is rounded by the power of two, unless the bound is denormal.
    const least = (root.rootBound + slackOf(this.#side)) / this.#unit;
    this.bound = least > 0 ? least + Number.MIN_VALUE : 0;
  }

  get nodes(): number {
    return this.#nodes;
  }

  get done(): number {
    return this.#main?.done ?? 0;
  }

  advance(target: number, stop: () => boolean): void {
    if (Number.isNaN(target)) throw new RangeError("a target must be a number");
    if (this.#main === null || this.#main.target !== target * this.#unit) {
      this.#main = this.#tree(target);
      this.#rung = null;
      this.#climbed = 0;
      this.#rungs = LADDER.map((share) => target * (1 + share));
    }
    const main = this.#main;
    for (;;) {
      this.#rungs = this.#rungs.filter((rung) => rung < this.bound);
      const alone = this.#rungs.length === 0;
      this.finished = this.bound <= target || this.witness.value > target || (alone && main.status !== "open");
      if (this.finished || stop()) return;
      const turn = alone || main.done > NEARLY || main.nodes < HEAD_START + MAIN_SHARE * this.#climbed;
      if (turn && main.status === "open") this.#run(main, stop);
      else {
        this.#rung ??= this.#tree(this.#rungs[0]);
        this.#climbed += this.#run(this.#rung, stop);
        if (this.#rung.status !== "open") {
          this.#rung = null;
          this.#rungs.shift();
        }
      }
    }
  }

  /** Ranges depend on the number that is proved, so the tree names it: the bound itself. */
  writeProof(out: ProofWriter): boolean {
    const { record } = this.#proof;
    if (record.overflowed) return false;
    out.u8(SIGNS_FOR);
    out.f64(this.bound);
    out.append(record.out);
    return true;
  }

  #tree(target: number): SignTree {
    return new SignTree(this.#side, target * this.#unit, (u) => this.#offer(u), KEPT);
  }

  /** One turn of a tree; returns the nodes that it took. */
  #run(tree: SignTree, stop: () => boolean): number {
    const before = tree.nodes;
    tree.run(stop, TURN);
    if (tree.status === "closed") {
      this.bound = Math.min(this.bound, tree.target / this.#unit);
      this.#proof = tree;
    }
    this.#nodes += tree.nodes - before;
    return tree.nodes - before;
  }

  /** Takes a unit vector; returns the largest value of G (scaled) known after it. */
  #offer(u: Float64Array): number {
    const { Z, v, n, r } = this.#problem;
    const problem = { Z, v, n, p: r };
    const value = gain(problem, u);
    if (value > this.#known) {
      this.#known = value;
      const found = ascend(problem, { u: u.slice(), value });
      if (found.value > this.witness.value) this.witness = found;
      this.#known = Math.max(value, this.witness.value);
    }
    return this.witness.value * this.#unit;
  }
}
