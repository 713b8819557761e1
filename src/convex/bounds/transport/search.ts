import { type RandomStream, randomStream } from "../../../base/random.ts";
import type { ProofWriter } from "../../../certificate/index.ts";
import type { Compute } from "../../../compute/types.ts";
import type { BoundSearch, MakeSearch, SideProblem, Witness } from "../search.ts";
import { exactLeaf } from "./exact-leaf.ts";
import { fixMultipliers, type Leaf, makeLeaf, roundMultipliers } from "./leaf.ts";
import { type Effort, FIRST_RHO, refine } from "./refine.ts";
import { RANK, Relaxation, type SignedRow } from "./relaxation.ts";
import { type ScaledSide, scaledSide } from "./scaled-side.ts";
import { OpenNodes, type TreeNode, writeTree } from "./tree.ts";
import { witnessFrom } from "./witness.ts";

const ROOT: Effort = { rounds: 60, inner: 30, slopes: 60 };
const NODE: Effort = { rounds: 8, inner: 20, slopes: 40 };
const SHOR_ITERATIONS = 150;
/** A node is left when its bound is this near to the value of its relaxation, in parts of what is missing to the target. */
const SETTLED = 0.1;
/** ... or when a round gains less than this part of what is missing. */
const SLOW = 0.01;
/** Rows whose kink costs less than this part of the bound are not worth a branch. */
const NEGLIGIBLE_LOSS = 1e-14;

/** Transport bound with branch and bound on signs; see {@link TransportSearch}. */
export const transportSearch: MakeSearch = (compute, side, seed) => new TransportSearch(compute, side, seed);

/**
 * Upper bounds of g(v) by the transport relaxation ({@link Relaxation}) and best-first branch and bound on the signs of
 * z_i'u. A child starts from its parent's multipliers: those of a row of P that becomes determined move to t, where they
 * prove at least as much, so bounds never rise along a path.
 */
export class TransportSearch implements BoundSearch {
  readonly method = "transport";
  readonly side: ScaledSide;
  readonly #relaxation: Relaxation;
  readonly #random: RandomStream;
  readonly #open = new OpenNodes();
  readonly #unit: number;
  readonly #work: Generator<void, void>;
  /** The largest bound of the nodes that nothing can be done about. */
  #floor = 0;
  #root: TreeNode;
  #bound = Number.POSITIVE_INFINITY;
  #witness: Witness;
  #nodes = 0;
  #rounds = 0;
  #target = 0;
  #exhausted = false;
  readonly #seed: number;
  /** What the root ended with; its leaf is dropped when it is split. */
  #rootLeaf: Leaf | null = null;
  readonly #activations: Float64Array;
  readonly #start: WarmStart | null;

  constructor(compute: Compute, problem: SideProblem, seed: number, start: WarmStart | null = null) {
    this.#start = start;
    this.#seed = seed;
    this.side = scaledSide(problem);
    this.#unit = this.side.zUnit * this.side.vUnit;
    this.#relaxation = new Relaxation(compute, this.side);
    this.#random = randomStream(seed, "transport");
    this.#witness = { u: new Float64Array(problem.r), value: 0 };
    this.#activations = new Float64Array(problem.n);
    const leaf = trivialLeaf(this.side);
    this.#root = { path: [], leaf, bound: leaf.bound, rho: FIRST_RHO, branch: -1, children: null };
    this.#bound = leaf.bound;
    this.#work = this.#run();
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
    if (this.finished) return;
    this.#relaxation.compute.scope((scope) => {
      this.#relaxation.bind(scope);
      while (!this.finished && !stop()) {
        if (this.#work.next().done === true) this.#exhausted = true;
      }
      this.#relaxation.release();
    });
  }

  /**
   * Numbers phi_i that stand for (z_i'u)_+ at the best point of the root's relaxation, n entries: for all weights w,
   * w'phi is at most the value of the root's relaxation at w. Null before the first round there.
   */
  get activations(): Float64Array | null {
    if (this.#rounds === 0) return null;
    return this.#activations.map((phi) => phi * this.side.zUnit);
  }

  /** A new search for other weights, started from the multipliers of this one's root. */
  reweighted(v: Float64Array): TransportSearch {
    const leaf = this.#rootLeaf;
    const { n, r, Z } = this.side.problem;
    const start = leaf === null ? null : { leaf, side: this.side, rho: this.#root.rho };
    return new TransportSearch(this.#relaxation.compute, { n, r, Z, v }, this.#seed, start);
  }

  writeProof(out: ProofWriter): true {
    out.u8(0);
    writeTree(out, this.side, this.#root);
    return true;
  }

  /** Rounds of the root's relaxation so far. */
  get rounds(): number {
    return this.#rounds;
  }

  /** The bound is low enough, or the witness shows that it cannot be; the target -Infinity asks for as much as possible. */
  #reached(): boolean {
    if (this.#target === Number.NEGATIVE_INFINITY) return false;
    return this.#bound <= this.#target || this.#witness.value > this.#target * this.#unit;
  }

  *#run(): Generator<void, void> {
    const root = this.#root;
    if (this.side.P.length === 0) {
      this.#improve(root, trivialLeaf(this.side));
      return;
    }
    this.#open.push(root);
    this.#nodes = 1;
    yield* this.#solveRoot(root);
    for (;;) {
      const node = this.#open.pop();
      if (node === undefined) return;
      if (node.branch < 0) {
        this.#floor = Math.max(this.#floor, node.bound);
        this.#update();
        continue;
      }
      const children: TreeNode[] = [];
      for (const sign of [1, -1] as const) {
        const child = this.#child(node, sign);
        children.push(child);
        // Until both children are known the parent stands for them.
        yield* this.#solveNode(child, node.bound);
        this.#nodes += 1;
      }
      node.children = [children[0]!, children[1]!];
      node.leaf = null;
      for (const child of children) this.#open.push(child);
      this.#update();
      yield;
    }
  }

  *#solveRoot(root: TreeNode): Generator<void, void> {
    const relaxation = this.#relaxation;
    relaxation.open(this.side.P, [], new Float64Array(0));
    if (this.#start === null) {
      for (let k = 0; k < relaxation.d * RANK; k++) relaxation.U[k] = this.#random.normal();
      relaxation.Pi.fill(0);
    } else {
      relaxation.U.set(this.#start.leaf.U);
      root.rho = this.#start.rho;
      transfer(this.#start, this.side, relaxation.Pi);
      roundMultipliers(relaxation.Pi, relaxation.nn, relaxation.np, relaxation.q);
    }
    const shor = makeLeaf(relaxation, this.#start === null ? SHOR_ITERATIONS : ROOT.slopes);
    let step = shor.next();
    for (; step.done !== true; step = shor.next()) yield;
    this.#improve(root, step.value);
    this.#seek(step.value.U);
    yield;
    if (!this.side.extreme) yield* this.#refine(root, ROOT);
    this.#score(root);
  }

  *#solveNode(node: TreeNode, parent: number): Generator<void, void> {
    if (this.#relaxation.np === 0) {
      this.#improve(node, exactLeaf(this.side, node.path));
      this.#score(node);
      return;
    }
    const inherited = makeLeaf(this.#relaxation, 0);
    let step = inherited.next();
    for (; step.done !== true; step = inherited.next()) yield;
    this.#improve(node, step.value);
    if (!this.side.extreme) yield* this.#refine(node, NODE);
    node.bound = Math.min(node.bound, parent);
    this.#score(node);
  }

  *#refine(node: TreeNode, effort: Effort): Generator<void, void> {
    const relaxation = this.#relaxation;
    let before = node.bound;
    let slow = 0;
    const activations = node === this.#root ? this.#activations : null;
    for (const round of refine(relaxation, effort, node.rho, this.#random, activations)) {
      if (round === undefined) {
        yield;
        continue;
      }
      node.rho = round.rho;
      if (activations !== null) this.#rounds += 1;
      this.#improve(node, round.leaf);
      const missing = Math.min(node.bound - this.#target, node.bound);
      if (node.bound <= this.#target) break;
      slow = before - node.bound < SLOW * missing ? slow + 1 : 0;
      before = node.bound;
      if (this.#target > Number.NEGATIVE_INFINITY && (node.bound - round.attained < SETTLED * missing || slow >= 4))
        break;
      yield;
    }
    this.#seek((node.leaf as Leaf).U);
  }

  /** Sets up the relaxation for a child of `node`. */
  #child(node: TreeNode, sign: 1 | -1): TreeNode {
    const relaxation = this.#relaxation;
    const leaf = node.leaf as Leaf;
    const row = node.branch;
    const path: SignedRow[] = [...node.path, { row, sign }];
    const lam = new Float64Array(path.length);
    lam.set(leaf.lam);
    const drop = leaf.pu.indexOf(row);
    const pu = drop < 0 ? leaf.pu : leaf.pu.filter((i) => i !== row);
    relaxation.open(pu, path, lam);
    relaxation.lamRate = 2 * node.bound;
    relaxation.U.set(leaf.U);
    const cols = pu.length + 1;
    const before = leaf.pu.length;
    for (let j = 0; j < relaxation.nn; j++) {
      let at = j * cols;
      let t = leaf.t[j];
      for (let i = 0; i < before; i++) {
        const p = leaf.Pi[j * before + i];
        if (i === drop) t += sign * p;
        else relaxation.Pi[at++] = p;
      }
      relaxation.Pi[at] = t;
    }
    roundMultipliers(relaxation.Pi, relaxation.nn, pu.length, relaxation.q);
    fixMultipliers(relaxation);
    return { path, leaf: null, bound: Number.POSITIVE_INFINITY, rho: node.rho, branch: -1, children: null };
  }

  #improve(node: TreeNode, leaf: Leaf): void {
    if (node.leaf !== null && !(leaf.bound < node.bound)) return;
    node.leaf = leaf;
    node.bound = leaf.bound;
    if (node !== this.#root) return;
    this.#rootLeaf = leaf;
    this.#update();
  }

  #update(): void {
    const open = this.#open.top?.bound ?? (this.#root.children === null ? this.#root.bound : 0);
    this.#bound = Math.min(this.#bound, Math.max(this.#floor, open));
  }

  #seek(U: Float64Array): void {
    this.#witness = witnessFrom(this.side.problem, U, this.#random, this.#witness);
  }

  /** Chooses the row to branch on: the one whose kink the relaxation gets most wrong. */
  #score(node: TreeNode): void {
    const leaf = node.leaf as Leaf;
    const { side } = this;
    const { d, Z, v, N } = side;
    const project = (i: number, out: Float64Array): number => {
      out.fill(0);
      for (let k = 0; k < d; k++) {
        const z = Z[i * d + k]!;
        for (let c = 0; c < RANK; c++) out[c] += z * leaf.U[k * RANK + c];
      }
      return Math.hypot(...out);
    };
    const y = new Float64Array(RANK);
    const np = leaf.pu.length;
    const taken = new Set(node.path.map(({ row }) => row));
    let best = NEGLIGIBLE_LOSS * node.bound;
    const offer = (row: number, score: number): void => {
      if (score > best && !taken.has(row)) {
        best = score;
        node.branch = row;
      }
    };
    const xi = new Float64Array(np * RANK);
    for (let i = 0; i < np; i++) {
      const row = leaf.pu[i]!;
      const size = project(row, y);
      offer(row, v[row]! * (size - Math.abs(y[0])));
      // The sign that the transported row stands for is nearly that of the row.
      for (let c = 0; c < RANK; c++) xi[i * RANK + c] = size > 0 ? y[c] / size : 0;
    }
    for (let j = 0; j < N.length; j++) {
      const row = N[j]!;
      const size = project(row, y);
      let along = leaf.t[j] * y[0];
      for (let i = 0; i < np; i++) {
        const p = leaf.Pi[j * np + i];
        if (p !== 0) for (let c = 0; c < RANK; c++) along += p * xi[i * RANK + c] * y[c];
      }
      offer(row, -v[row]! * size - along);
    }
    // A factor of rank one may sit at a saddle point, with nothing to choose by: the heaviest row then.
    if (node.branch < 0) for (const row of leaf.pu) offer(row, node.bound + v[row]! * side.norms[row]!);
  }
}

/** The multipliers of a search at other weights. */
interface WarmStart {
  readonly leaf: Leaf;
  readonly side: ScaledSide;
  readonly rho: number;
}

/** Fills Pi (|N| x (|P| + 1)) with the shares of the capacities that the multipliers had before. */
function transfer({ leaf, side: before }: WarmStart, side: ScaledSide, Pi: Float64Array): void {
  const cols = side.P.length + 1;
  const width = leaf.pu.length;
  const columnOf = new Map(Array.from(side.P, (row, i) => [row, i]));
  const lineOf = new Map(Array.from(side.N, (row, j) => [row, j]));
  const columns = Int32Array.from(leaf.pu, (row) => columnOf.get(row) ?? -1);
  Pi.fill(0);
  before.N.forEach((row, j) => {
    const line = lineOf.get(row);
    if (line === undefined) return;
    const share = side.v[row]! / before.v[row]!;
    for (let i = 0; i < width; i++)
      if (columns[i]! >= 0) Pi[line * cols + columns[i]!] = leaf.Pi[j * width + i] * share;
    Pi[line * cols + cols - 1] = leaf.t[j] * share;
  });
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
