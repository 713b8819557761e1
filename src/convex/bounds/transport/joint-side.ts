import { type RandomStream, randomStream } from "../../../base/random.ts";
import type { Compute, Scope } from "../../../compute/types.ts";
import type { SideProblem } from "../search.ts";
import { branchingRow } from "./branch.ts";
import { lbfgsSteps, stepsRoom } from "./lbfgs-steps.ts";
import { fixMultipliers, type Leaf, makeLeaf, roundMultipliers } from "./leaf.ts";
import { RANK, Relaxation, type SignedRow } from "./relaxation.ts";
import { reweighted, type ScaledSide, scaledSide } from "./scaled-side.ts";

const INNER = { iterations: 7, memory: 7, tolerance: 1e-12 };
const FIRST_INNER = { ...INNER, iterations: 150 };
/** L-BFGS iterations for the slopes of a bound. */
const SLOPES = 80;
/** Rates of Adam (Kingma & Ba, arXiv:1412.6980), and the size of its first steps. */
const DECAY_MEAN = 0.9;
const DECAY_SQUARE = 0.99;
const RATE = 0.015;
const FIRST_SIZE = 0.02;
/** Multipliers that a step takes at a time. */
const BLOCK = 1 << 14;
/** Perturbation of the factor of a child. */
const CHILD_NOISE = 0.02;

/** A leaf whose multipliers move with the weights. */
export interface JointLeaf {
  readonly id: number;
  readonly path: readonly SignedRow[];
  /** Undetermined rows of P. */
  readonly pu: Int32Array;
  readonly lam: Float64Array;
  readonly U: Float64Array;
  /** |N| x (|pu| + 1), the last column for t. */
  readonly h: Float32Array;
  readonly mean: Float32Array;
  readonly square: Float32Array;
  steps: number;
  /** Value of the relaxation when last looked at, in original units, and its slopes by the weights (n). */
  value: number;
  readonly slopes: Float64Array;
}

/** What is known of a leaf: its value or bound in original units, and the row to split it by (-1: none). */
export interface LeafReport {
  readonly id: number;
  readonly value: number;
  readonly branch: number;
}

/**
 * The relaxations of one side, root or leaves of a tree of signs, while its weights move (their signs do not):
 * Pi_ij = q_j h_ij |h_ij| / max(1, sum_i h_ij^2), the last i being t, keeps the capacities for any h, which takes a step of
 * Adam for each change of the weights. The factor U follows by a few steps of L-BFGS.
 */
export class JointSide {
  readonly #side: ScaledSide;
  readonly #relaxation: Relaxation;
  readonly #room: Float64Array;
  readonly #seed: number;
  readonly #name: string;
  /** The leaf that the relaxation is set up for. */
  #opened: JointLeaf | null = null;
  #leaves: JointLeaf[] = [];
  /** In kernel memory: a block of h and its moments; of each row of N |y|^2 / |z|, the capacity, and what a step returns. */
  #parts!: Readonly<Record<"h" | "mean" | "square", Float32Array>>;
  #slack!: Float64Array;
  #radii!: Float64Array;
  #along!: Float64Array;
  /** Valid bounds of the leaves at the weights of the last call of {@link bounds}, by their numbers. */
  #valid = new Map<number, Leaf>();

  /** @param name of its random streams, one a leaf: it does not matter which thread has it. */
  constructor(compute: Compute, problem: SideProblem, seed: number, name: string) {
    const side = scaledSide(problem);
    this.#side = side;
    this.#seed = seed;
    this.#name = name;
    this.#relaxation = new Relaxation(compute, side);
    this.#room = new Float64Array(stepsRoom(side.d * RANK, INNER.memory));
  }

  get leaves(): readonly JointLeaf[] {
    return this.#leaves;
  }

  get valid(): ReadonlyMap<number, Leaf> {
    return this.#valid;
  }

  /** Begins with the root, which gets number 0. */
  plant(): void {
    const side = this.#side;
    const cols = side.P.length + 1;
    const leaf = emptyLeaf(0, [], side.P, side);
    const random = this.#stream(leaf);
    for (let k = 0; k < leaf.h.length; k++) {
      const last = (k + 1) % cols === 0;
      leaf.h[k] = (FIRST_SIZE * (last ? 5 : 1) * random.normal()) / Math.sqrt(cols);
    }
    for (let k = 0; k < leaf.U.length; k++) leaf.U[k] = random.normal();
    this.#leaves.push(leaf);
  }

  /** Makes the arrays of the relaxation live in `scope`, with no content: all work is done in such a scope. */
  bind(scope: Scope): void {
    const { nn } = this.#relaxation;
    this.#relaxation.bind(scope);
    this.#opened = null;
    const size = Math.max(BLOCK, this.#side.P.length + 1);
    this.#parts = { h: scope.f32(size), mean: scope.f32(size), square: scope.f32(size) };
    this.#slack = scope.f64(nn);
    this.#radii = scope.f64(nn);
    this.#along = scope.f64(nn);
  }

  /** The weights of what follows. */
  setWeights(v: Float64Array): void {
    const { vUnit } = this.#side;
    for (let i = 0; i < v.length; i++) this.#side.v[i] = v[i] / vUnit;
    this.#relaxation.reweigh();
  }

  /** One step of a leaf: the factor, then h by `share` of the full rate; sets value and slopes. */
  step(leaf: JointLeaf, share: number): void {
    const relaxation = this.#relaxation;
    const { nn, np, d } = relaxation;
    const { zUnit, vUnit, N, norms, Z } = this.#side;
    this.#open(leaf);
    fixMultipliers(relaxation);
    const x = leaf.U;
    const inner = leaf.steps === 0 && leaf.path.length === 0 ? FIRST_INNER : INNER;
    for (const _ of lbfgsSteps(relaxation.fixed, x, inner, this.#room));
    const value = relaxation.fixed(x, new Float64Array(d * RANK));
    if (leaf.path.length > 0) {
      relaxation.updateMultipliers();
      leaf.lam.set(relaxation.lam);
    }
    x.set(relaxation.U);
    leaf.steps += 1;
    leaf.value = -value * zUnit * vUnit;

    const { slopes } = leaf;
    slopes.fill(0);
    const xi = new Float64Array(np * RANK);
    relaxation.signs(xi, new Float64Array(np));
    relaxation.projectRows();
    for (let i = 0; i < np; i++) {
      let slope = relaxation.YP[i * RANK];
      for (let c = 0; c < RANK; c++) slope += xi[i * RANK + c] * relaxation.YP[i * RANK + c];
      slopes[leaf.pu[i]] = (slope / 2) * zUnit;
    }
    for (const { row, sign } of leaf.path) {
      if (this.#side.v[row] < 0 || sign < 0) continue;
      let slope = 0;
      for (let k = 0; k < d; k++) slope += Z[row * d + k] * relaxation.U[k * RANK];
      slopes[row] = slope * zUnit;
    }
    relaxation.products(xi);
    const slack = this.#slack;
    for (let j = 0; j < nn; j++) {
      let length = 0;
      for (let c = j * RANK; c < (j + 1) * RANK; c++) length += relaxation.YN[c] ** 2;
      slack[j] = length / norms[N[j]];
    }
    this.#move(leaf, share);
    for (let j = 0; j < nn; j++) {
      slopes[N[j]] = (relaxation.YN[j * RANK] / 2 - (this.#along[j] - slack[j] / 2)) * zUnit;
    }
  }

  /** Valid bounds of all leaves at the weights that are set, in original units; ends early, with null, when interrupted. */
  bounds(interrupted: () => boolean): LeafReport[] | null {
    const { zUnit, vUnit } = this.#side;
    const side = reweighted(
      this.#side,
      this.#side.v.map((t) => t * vUnit),
    );
    const relaxation = this.#relaxation;
    const valid = new Map<number, Leaf>();
    const reports: LeafReport[] = [];
    for (const leaf of this.#leaves) {
      this.#open(leaf);
      roundMultipliers(relaxation.Pi, relaxation.nn, relaxation.np, relaxation.q);
      relaxation.U.set(leaf.U);
      const making = makeLeaf(relaxation, SLOPES);
      let next = making.next();
      for (; next.done !== true; next = making.next()) if (interrupted()) return null;
      const bound = next.value.bound - this.#side.allowance + side.allowance;
      valid.set(leaf.id, { ...next.value, bound });
      leaf.value = bound * zUnit * vUnit;
      const branch = leaf.pu.length > 1 ? branchingRow(side, leaf.path, next.value, bound) : -1;
      reports.push({ id: leaf.id, value: leaf.value, branch });
    }
    this.#valid = valid;
    return reports;
  }

  /** Replaces a leaf by its two children on the signs of `row`, which get the given numbers. */
  split(id: number, row: number, numbers: readonly [number, number]): void {
    const leaf = this.take(id);
    for (const [at, sign] of ([1, -1] as const).entries()) {
      this.#leaves.push(this.#child(numbers[at] as number, leaf, [...leaf.path, { row, sign }]));
    }
  }

  /** Removes a leaf, to be given to another thread. */
  take(id: number): JointLeaf {
    const leaf = this.#leaves.find((candidate) => candidate.id === id);
    if (leaf === undefined) throw new RangeError(`there is no leaf ${id}`);
    this.#leaves = this.#leaves.filter((candidate) => candidate !== leaf);
    return leaf;
  }

  give(leaf: JointLeaf): void {
    this.#leaves.push(leaf);
  }

  #stream({ id }: JointLeaf): RandomStream {
    return randomStream(this.#seed, `${this.#name}/${id}`);
  }

  #child(id: number, parent: JointLeaf, path: readonly SignedRow[]): JointLeaf {
    const { row, sign } = path.at(-1) as SignedRow;
    const drop = parent.pu.indexOf(row);
    const child = emptyLeaf(id, path, drop < 0 ? parent.pu : parent.pu.filter((i) => i !== row), this.#side);
    const before = parent.pu.length + 1;
    const lines = parent.h.length / before;
    let at = 0;
    for (let j = 0; j < lines; j++) {
      let norm = 0;
      for (let i = j * before; i < (j + 1) * before; i++) norm += parent.h[i] ** 2;
      const scale = 1 / Math.sqrt(Math.max(1, norm));
      for (let i = 0; i < before; i++) if (i !== drop) child.h[at++] = scale * parent.h[j * before + i];
      if (drop < 0) continue;
      // The multiplier of the row moves to t.
      const moved = scale * parent.h[j * before + drop];
      const t = child.h[at - 1] * Math.abs(child.h[at - 1]) + sign * moved * Math.abs(moved);
      child.h[at - 1] = Math.sign(t) * Math.sqrt(Math.abs(t));
    }
    child.lam.set(parent.lam);
    const noise = CHILD_NOISE / Math.sqrt(child.U.length);
    const random = this.#stream(child);
    for (let k = 0; k < child.U.length; k++) child.U[k] = parent.U[k] + noise * random.normal();
    child.value = parent.value;
    child.slopes.set(parent.slopes);
    return child;
  }

  /** Sets the relaxation up for a leaf. */
  #open(leaf: JointLeaf): void {
    const relaxation = this.#relaxation;
    const { zUnit, vUnit } = this.#side;
    if (this.#opened !== leaf) relaxation.open(leaf.pu, leaf.path, leaf.lam);
    this.#opened = leaf;
    relaxation.lam = leaf.lam.slice();
    relaxation.lamRate = (2 * leaf.value) / (zUnit * vUnit) || 1;
    const { nn, q, Pi } = relaxation;
    const cols = leaf.pu.length + 1;
    for (let j = 0; j < nn; j++) {
      const from = j * cols;
      let sum = 0;
      for (let i = from; i < from + cols; i++) sum += leaf.h[i] * leaf.h[i];
      const scale = q[j] / Math.max(1, sum);
      for (let i = from; i < from + cols; i++) Pi[i] = scale * leaf.h[i] * Math.abs(leaf.h[i]);
    }
  }

  /** Adam's step for the multipliers, where dF/dPi_ij = (|y_j|^2 / |z_j| sign(h) - xi_i'y_j) / 2. */
  #move({ h, mean, square, steps, pu }: JointLeaf, share: number): void {
    const { compute, B, nn, q } = this.#relaxation;
    const cols = pu.length + 1;
    const rates = {
      rate: (RATE * share) / (1 - DECAY_MEAN ** steps),
      fix: 1 / Math.sqrt(1 - DECAY_SQUARE ** steps),
      decayMean: DECAY_MEAN,
      decaySquare: DECAY_SQUARE,
    };
    this.#radii.set(q);
    const parts = this.#parts;
    const block = Math.max(1, Math.floor(BLOCK / cols));
    for (let from = 0; from < nn; from += block) {
      const rows = Math.min(block, nn - from);
      const [first, last] = [from * cols, (from + rows) * cols];
      parts.h.set(h.subarray(first, last));
      parts.mean.set(mean.subarray(first, last));
      parts.square.set(square.subarray(first, last));
      const [slack, radii, along] = [this.#slack, this.#radii, this.#along].map((x) =>
        x.subarray(from, from + rows),
      ) as [Float64Array, Float64Array, Float64Array];
      const slopes = B.subarray(first, last);
      compute.stepOnBalls(rows, cols, rates, parts.h, parts.mean, parts.square, slopes, slack, radii, along);
      h.set(parts.h.subarray(0, last - first), first);
      mean.set(parts.mean.subarray(0, last - first), first);
      square.set(parts.square.subarray(0, last - first), first);
    }
  }
}

function emptyLeaf(id: number, path: readonly SignedRow[], pu: Int32Array, { problem, d, N }: ScaledSide): JointLeaf {
  const size = N.length * (pu.length + 1);
  return {
    id,
    path,
    pu,
    lam: new Float64Array(path.length),
    U: new Float64Array(d * RANK),
    h: new Float32Array(size),
    mean: new Float32Array(size),
    square: new Float32Array(size),
    steps: 0,
    value: 0,
    slopes: new Float64Array(problem.n),
  };
}
