import { type RandomStream, randomStream } from "../../../base/random.ts";
import type { Compute, Scope } from "../../../compute/types.ts";
import type { Witness } from "../search.ts";
import { branchingRow } from "./branch.ts";
import { exactLeaf } from "./exact-leaf.ts";
import { fixMultipliers, type Leaf, makeLeaf, roundMultipliers } from "./leaf.ts";
import { type Effort, refine } from "./refine.ts";
import { RANK, Relaxation, type SignedRow } from "./relaxation.ts";
import type { ScaledSide } from "./scaled-side.ts";
import { witnessFrom } from "./witness.ts";

const ROOT: Effort = { rounds: 60, inner: 30, slopes: 60 };
const NODE: Effort = { rounds: 8, inner: 20, slopes: 40 };
const SHOR_ITERATIONS = 150;
/** A node is left when its bound is this near to the value of its relaxation, in parts of what is missing to the target. */
const SETTLED = 0.1;
/** ... or when a round gains less than this part of what is missing. */
const SLOW = 0.01;
const SLOW_ROUNDS = 4;

/** A node to be solved. What it says decides the outcome, so it does not matter where or when that is done. */
export interface NodeTask {
  /** Its number in the search. */
  readonly node: number;
  /** The leaf to start from: of the parent, or of the root itself (at these weights), or null to start afresh. */
  readonly from: Leaf | null;
  readonly path: readonly SignedRow[];
  /** What the parent is bounded by; for the root Infinity. */
  readonly limit: number;
  readonly rho: number;
  /** In scaled units. */
  readonly target: number;
  readonly witness: Witness;
}

/** What is known of a node when it is left. */
export interface NodeOutcome {
  readonly leaf: Leaf;
  readonly bound: number;
  readonly rho: number;
  /** The row to branch on; -1 when none is worth it. */
  readonly branch: number;
  readonly witness: Witness;
}

/** What is known of a node on the way. */
export interface Progress {
  readonly leaf: Leaf | null;
  readonly witness: Witness;
}

/** Solves the relaxations of nodes of one side, one at a time. */
export class NodeSolver {
  readonly #side: ScaledSide;
  readonly #relaxation: Relaxation;
  readonly #seed: number;

  constructor(compute: Compute, side: ScaledSide, seed: number) {
    this.#side = side;
    this.#relaxation = new Relaxation(compute, side);
    this.#seed = seed;
  }

  /** Makes the arrays live in `scope` until {@link release}: while nodes are worked on. */
  bind(scope: Scope): void {
    this.#relaxation.bind(scope);
  }

  release(): void {
    this.#relaxation.release();
  }

  /** Yields, where it may be suspended, what is known so far. */
  *solve(task: NodeTask): Generator<Progress, NodeOutcome> {
    const random = randomStream(this.#seed, `transport/${task.node}`);
    const state: NodeState = { leaf: null, rho: task.rho, witness: task.witness };
    if (task.path.length === 0) yield* this.#solveRoot(task, state, random);
    else yield* this.#solveChild(task, state, random);
    const leaf = state.leaf as Leaf;
    const bound = Math.min(leaf.bound, task.limit);
    return {
      leaf,
      bound,
      rho: state.rho,
      branch: branchingRow(this.#side, task.path, leaf, bound),
      witness: state.witness,
    };
  }

  *#solveRoot(task: NodeTask, state: NodeState, random: RandomStream): Generator<Progress, void> {
    const relaxation = this.#relaxation;
    relaxation.open(this.#side.P, [], new Float64Array(0));
    if (task.from === null) {
      for (let k = 0; k < relaxation.d * RANK; k++) relaxation.U[k] = random.normal();
      relaxation.Pi.fill(0);
      yield* this.#improve(state, makeLeaf(relaxation, SHOR_ITERATIONS));
    } else {
      state.leaf = task.from;
      relaxation.U.set(task.from.U);
      inherit(relaxation, task.from, []);
    }
    this.#seek(state, random);
    yield state;
    if (!this.#side.extreme) yield* this.#refine(task, state, ROOT, random);
  }

  *#solveChild(task: NodeTask, state: NodeState, random: RandomStream): Generator<Progress, void> {
    const relaxation = this.#relaxation;
    const parent = task.from as Leaf;
    const { row } = task.path.at(-1) as SignedRow;
    const lam = new Float64Array(task.path.length);
    lam.set(parent.lam);
    const pu = parent.pu.includes(row) ? parent.pu.filter((i) => i !== row) : parent.pu;
    if (pu.length === 0) {
      state.leaf = exactLeaf(this.#side, task.path);
      return;
    }
    relaxation.open(pu, task.path, lam);
    relaxation.lamRate = 2 * task.limit;
    relaxation.U.set(parent.U);
    inherit(relaxation, parent, task.path);
    yield* this.#improve(state, makeLeaf(relaxation, 0));
    if (!this.#side.extreme) yield* this.#refine(task, state, NODE, random);
  }

  *#improve(state: NodeState, making: Generator<void, Leaf>): Generator<Progress, void> {
    let step = making.next();
    for (; step.done !== true; step = making.next()) yield state;
    if (state.leaf === null || step.value.bound < state.leaf.bound) state.leaf = step.value;
  }

  *#refine(task: NodeTask, state: NodeState, effort: Effort, random: RandomStream): Generator<Progress, void> {
    const { target } = task;
    let before = (state.leaf as Leaf).bound;
    let slow = 0;
    if (before <= target) return;
    for (const round of refine(this.#relaxation, effort, state.rho, random)) {
      if (round === undefined) {
        yield state;
        continue;
      }
      state.rho = round.rho;
      if (round.leaf.bound < (state.leaf as Leaf).bound) state.leaf = round.leaf;
      const { bound } = state.leaf as Leaf;
      if (bound <= target) break;
      const missing = Math.min(bound - target, bound);
      slow = before - bound < SLOW * missing ? slow + 1 : 0;
      before = bound;
      if (target > Number.NEGATIVE_INFINITY && (bound - round.attained < SETTLED * missing || slow >= SLOW_ROUNDS))
        break;
      yield state;
    }
    this.#seek(state, random);
  }

  #seek(state: NodeState, random: RandomStream): void {
    state.witness = witnessFrom(this.#side.problem, (state.leaf as Leaf).U, random, state.witness);
  }
}

interface NodeState {
  leaf: Leaf | null;
  rho: number;
  witness: Witness;
}

/**
 * Fills the multipliers of an opened node from a leaf with at most one more undetermined row, whose multipliers move to t
 * with the sign that the path gives it.
 */
function inherit(relaxation: Relaxation, leaf: Leaf, path: readonly SignedRow[]): void {
  const { nn, np, Pi, q } = relaxation;
  const last = path.at(-1);
  const drop = last === undefined ? -1 : leaf.pu.indexOf(last.row);
  const before = leaf.pu.length;
  let at = 0;
  for (let j = 0; j < nn; j++) {
    let t = leaf.t[j];
    for (let i = 0; i < before; i++) {
      const p = leaf.Pi[j * before + i];
      if (i === drop) t += (last as SignedRow).sign * p;
      else Pi[at++] = p;
    }
    Pi[at++] = t;
  }
  roundMultipliers(Pi, nn, np, q);
  fixMultipliers(relaxation);
}
