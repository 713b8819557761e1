import type { ProofWriter } from "../../../certificate/index.ts";
import type { Compute } from "../../../compute/types.ts";
import type { Lanes } from "../lanes.ts";
import type { BoundSearch, MakeSearch, Witness } from "../search.ts";
import type { Leaf } from "./leaf.ts";
import type { NodeOutcome, NodeTask, Progress } from "./node-solver.ts";
import { FIRST_RHO } from "./refine.ts";
import { RANK, type SignedRow } from "./relaxation.ts";
import { LaneRunner, LocalRunner, type NodeRunner } from "./runner.ts";
import { type ScaledSide, scaledSide } from "./scaled-side.ts";
import { OpenNodes, type TreeNode, writeTree } from "./tree.ts";

/** Nodes that are split at a time: their children are independent of each other. */
const BATCH = 2;
/** Pairs of rows of unlike weight from which other threads help, and above which the arrays of each would be too large. */
const FEWEST_PAIRS = 4096;
const MOST_PAIRS = 2e6;

/** Transport bound with branch and bound on signs; see {@link TransportSearch}. */
export const transportSearch: MakeSearch = (compute, problem, seed, lanes = null) =>
  new TransportSearch(compute, scaledSide(problem), seed, lanes);

/**
 * Upper bounds of g(v) by the transport relaxation ({@link Relaxation}) and best-first branch and bound on the signs of
 * z_i'u. A child starts from its parent's multipliers: those of a row of P that becomes determined move to t, where they
 * prove at least as much, so bounds never rise along a path.
 */
export class TransportSearch implements BoundSearch {
  readonly method = "transport";
  readonly #side: ScaledSide;
  /** For the root; and for the others, when it is not the same. */
  #runner: NodeRunner;
  readonly #team: NodeRunner | null = null;
  readonly #open = new OpenNodes();
  readonly #unit: number;
  /** The largest bound of the nodes that nothing can be done about. */
  #floor = 0;
  readonly #root: TreeNode;
  /** Nodes whose children are being solved; the root itself before it is solved. */
  #split: readonly TreeNode[] = [];
  #bound: number;
  #witness: Witness;
  #nodes = 1;
  #solved = false;
  #target = Number.NEGATIVE_INFINITY;
  /** The runner has tasks. */
  #pending = false;
  #exhausted = false;

  constructor(compute: Compute, side: ScaledSide, seed: number, lanes: Lanes | null) {
    this.#side = side;
    this.#unit = side.zUnit * side.vUnit;
    const local = new LocalRunner(compute, side, seed);
    this.#runner = local;
    const pairs = side.P.length * side.N.length;
    if (lanes !== null && pairs >= FEWEST_PAIRS && pairs <= MOST_PAIRS) {
      lanes.start();
      this.#team = new LaneRunner(lanes, side, seed, local);
    }
    this.#witness = { u: new Float64Array(side.problem.r), value: 0 };
    const leaf = trivialLeaf(side);
    this.#root = { path: [], leaf, bound: leaf.bound, rho: FIRST_RHO, branch: -1, children: null };
    this.#bound = leaf.bound;
    this.#exhausted = side.P.length === 0;
    if (this.#exhausted) return;
    this.#open.push(this.#root);
  }

  get bound(): number {
    return this.#bound * this.#unit;
  }

  get witness(): Witness {
    return this.#witness;
  }

  get nodes(): number {
    return this.#nodes;
  }

  get finished(): boolean {
    return this.#exhausted || this.#reached();
  }

  advance(target: number, stop: () => boolean): void {
    this.#target = target / this.#unit;
    const enough = (): boolean => stop() || this.#reached();
    while (!this.finished && !stop()) {
      if (!this.#pending) {
        if (this.#solved) this.#branch();
        else this.#hand([this.#task(this.#root, 0, null, Number.POSITIVE_INFINITY)]);
      }
      if (this.#pending && this.#runner.work(enough, (progress) => this.#report(progress))) this.#take();
    }
  }

  writeProof(out: ProofWriter): true {
    out.u8(0);
    writeTree(out, this.#side, this.#root);
    return true;
  }

  /** The bound is low enough, or the witness shows that it cannot be; the target -Infinity asks for as much as possible. */
  #reached(): boolean {
    if (this.#target === Number.NEGATIVE_INFINITY) return false;
    return this.#bound <= this.#target || this.#witness.value > this.#target * this.#unit;
  }

  #task(node: TreeNode, number: number, from: Leaf | null, limit: number): NodeTask {
    const { path, rho } = node;
    return { node: number, from, path, limit, rho, target: this.#target, witness: this.#witness };
  }

  /** Hands out the children of the nodes with the largest bounds. */
  #branch(): void {
    const split: TreeNode[] = [];
    const tasks: NodeTask[] = [];
    for (let node = this.#open.top; node !== undefined && split.length < BATCH; node = this.#open.top) {
      if (node.bound <= Math.max(this.#target, this.#floor)) break;
      this.#open.pop();
      if (node.branch < 0) {
        this.#floor = node.bound;
        continue;
      }
      split.push(node);
      for (const sign of [1, -1] as const) {
        const path: SignedRow[] = [...node.path, { row: node.branch, sign }];
        tasks.push(this.#task({ ...node, path }, this.#nodes, node.leaf, node.bound));
        this.#nodes += 1;
      }
    }
    this.#split = split;
    this.#update();
    if (tasks.length > 0) this.#hand(tasks);
    else this.#exhausted = (this.#open.top?.bound ?? 0) <= this.#floor;
  }

  #hand(tasks: readonly NodeTask[]): void {
    this.#runner.start(tasks);
    this.#pending = true;
  }

  /** Takes what the runner has found. */
  #take(): void {
    const { outcomes } = this.#runner;
    this.#pending = false;
    for (const { witness } of outcomes) this.#offer(witness);
    if (!this.#solved) {
      const { leaf, rho, branch } = outcomes[0] as NodeOutcome;
      this.#improveRoot(leaf);
      this.#root.rho = rho;
      this.#root.branch = branch;
      this.#solved = true;
      if (this.#team !== null) this.#runner = this.#team;
      return;
    }
    this.#split.forEach((node, at) => {
      const children = ([1, -1] as const).map((sign, k) => {
        const { leaf, bound, rho, branch } = outcomes[2 * at + k] as NodeOutcome;
        const path: SignedRow[] = [...node.path, { row: node.branch, sign }];
        return { path, leaf, bound, rho, branch, children: null };
      });
      node.children = [children[0]!, children[1]!];
      node.leaf = null;
      for (const child of children) this.#open.push(child);
    });
    this.#split = [];
    this.#update();
  }

  #report({ leaf, witness }: Progress): void {
    this.#offer(witness);
    if (!this.#solved && leaf !== null) this.#improveRoot(leaf);
  }

  #offer(witness: Witness): void {
    if (witness.value > this.#witness.value) this.#witness = witness;
  }

  #improveRoot(leaf: Leaf): void {
    const root = this.#root;
    if (!(leaf.bound < root.bound)) return;
    root.leaf = leaf;
    root.bound = leaf.bound;
    this.#update();
  }

  #update(): void {
    let open = this.#open.top?.bound ?? 0;
    for (const node of this.#split) open = Math.max(open, node.bound);
    this.#bound = Math.min(this.#bound, Math.max(this.#floor, open));
  }
}

/** G(u) <= |sum_P v_i z_i| + ... without a search: all of P active, or nothing at all. */
function trivialLeaf(side: ScaledSide): Leaf {
  const { d, Z, v, P, N, norms } = side;
  const nn = N.length;
  const empty = { pu: P, t: new Float64Array(nn), Pi: new Float32Array(nn * P.length), lam: new Float64Array(0) };
  const U = new Float64Array(d * RANK);
  if (P.length === 0) {
    // -q (z)_+ <= 0: theta = 0, which is t = -q.
    const t = Float64Array.from(N, (j) => v[j]!);
    return { ...empty, t, bound: 0, mu: 0, s: new Float64Array(0), U };
  }
  const s = Float64Array.from(P, (i) => v[i]! * norms[i]!);
  // v |z'u| <= (v z'u)^2 / (2s) + s/2 with s = v |z|, and |u'Qu| <= sum s / 4.
  const a = new Float64Array(d);
  for (let k = 0; k < d; k++) {
    for (const i of P) a[k] += (v[i]! * Z[i * d + k]!) / 2;
    for (const j of N) a[k] += (v[j]! * Z[j * d + k]!) / 2;
  }
  const mass = s.reduce((sum, t) => sum + t, 0);
  const length = Math.hypot(...a);
  const mu = mass / 4 + Math.max(length / 2, mass * 1e-9);
  return { ...empty, bound: (mass / 2 + length) * (1 + 1e-8) + side.allowance, mu, s, U };
}
