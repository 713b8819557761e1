import type { Matrix } from "../../../base/matrix.ts";
import type { ProofWriter } from "../../../certificate/index.ts";
import type { SideProblem } from "../search.ts";
import { ConeSearch } from "./cone-search.ts";
import type { ConeTree } from "./cone-tree.ts";

/** What a proof states in the place of zero, so that rounding has room. */
const LEAST = 1e-150;
/** On the way to a target the distance to it shrinks by this factor at a time, over all pivots. */
const REFINE = 16;

/** A direction and bias with the value of sign * sum_i v_i (z_i'u + b)_+. */
export interface PivotWitness {
  readonly u: Float64Array;
  readonly b: number;
  readonly sign: 1 | -1;
  readonly value: number;
}

/** One pivot with one sign. */
interface Job {
  readonly pivot: number;
  readonly sign: 1 | -1;
  bound: number;
  tree: ConeTree | null;
  /** The target of the last call if nothing was left to do for it. */
  exhausted: number;
}

/**
 * Bounds M = max over |u| <= 1 and b of |sum_i v_i (z_i'u + b)_+| for weights that add up to zero: the maximum over b is at a kink
 * b = -z_p'u, so M is the largest over pivots p and both signs of the maxima over rows z_i - z_p without a bias. Anytime, like BoundSearch;
 * one cone search for each pivot and sign, of which only the tree is kept between visits.
 */
export class PivotSearch {
  readonly #Z: Matrix;
  readonly #v: Float64Array;
  readonly #jobs: Job[] = [];
  /** Job of the positive sign for each row; equal rows share theirs. The negative one follows. */
  readonly #jobOf: Int32Array;
  readonly #nothing: Float64Array;
  #witness: PivotWitness;
  #limit = Number.POSITIVE_INFINITY;
  #nodes = 0;
  #finished = false;

  constructor(Z: Matrix, v: Float64Array) {
    const { rows: n, cols: r, data } = Z;
    if (v.length !== n) throw new RangeError(`${n} rows need ${n} weights, got ${v.length}`);
    this.#Z = Z;
    this.#v = v;
    this.#jobOf = new Int32Array(n);
    this.#nothing = new Float64Array(r);
    this.#witness = { u: this.#nothing, b: 0, sign: 1, value: 0 };
    const seen = new Map<string, number>();
    for (let pivot = 0; pivot < n; pivot++) {
      const key = data.subarray(pivot * r, (pivot + 1) * r).join(",");
      const known = seen.get(key);
      this.#jobOf[pivot] = known ?? this.#jobs.length;
      if (known !== undefined) continue;
      seen.set(key, this.#jobs.length);
      const { plus, minus } = this.#crude(pivot);
      this.#jobs.push({ pivot, sign: 1, bound: plus, tree: null, exhausted: Number.NaN });
      this.#jobs.push({ pivot, sign: -1, bound: minus, tree: null, exhausted: Number.NaN });
    }
  }

  /** A valid upper bound of M; never rises. */
  get bound(): number {
    return this.#jobs.reduce((largest, { bound }) => Math.max(largest, bound), 0);
  }

  get witness(): PivotWitness {
    return this.#witness;
  }

  get nodes(): number {
    return this.#nodes;
  }

  /** Nothing is left to do for the target of the last call. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Works towards `bound <= target` as BoundSearch.advance does. */
  advance(target: number, stop: () => boolean): void {
    this.#finished = false;
    this.#limit = Math.max(this.#limit, target);
    for (;;) {
      const bound = this.bound;
      if (bound <= target) break;
      if (this.#witness.value > target) return;
      const open = this.#jobs.filter((job) => job.bound > this.#limit && job.exhausted !== this.#limit);
      if (open.length === 0) {
        if (this.#limit === target) break;
        const next = target + (bound - target) / REFINE;
        this.#limit = next - target < target - this.#witness.value || next >= this.#limit ? target : next;
        continue;
      }
      // The worst first: where the witness is.
      open.sort((a, b) => b.bound - a.bound);
      for (const job of open) {
        if (stop()) return;
        this.#work(job, this.#limit, stop);
        if (this.#witness.value > target) return;
      }
    }
    this.#finished = true;
  }

  /** Appends one part for each row (docs/certificates.md): its T, then the trees of both signs. */
  writeParts(out: ProofWriter): void {
    for (let pivot = 0; pivot < this.#jobOf.length; pivot++) {
      const searches = [0, 1].map((k) => {
        const job = this.#jobs[this.#jobOf[pivot] + k]!;
        const search = new ConeSearch(this.#side(job), job.tree);
        this.#keep(job, search);
        return search;
      });
      out.f64(Math.max(LEAST, ...searches.map(({ bound }) => bound)));
      for (const search of searches) search.writeProof(out);
    }
  }

  #work(job: Job, target: number, stop: () => boolean): void {
    const search = new ConeSearch(this.#side(job), job.tree);
    search.advance(target, stop);
    this.#nodes += search.nodes;
    this.#keep(job, search);
    if (search.finished) job.exhausted = target;
    const { u, value } = search.witness;
    if (value <= this.#witness.value) return;
    const { cols: r, data } = this.#Z;
    let b = 0;
    for (let k = 0; k < r; k++) b -= u[k] * data[job.pivot * r + k];
    this.#witness = { u, b, sign: job.sign, value };
  }

  #keep(job: Job, search: ConeSearch): void {
    job.bound = Math.min(job.bound, search.bound);
    job.tree = search.tree;
  }

  #side({ pivot, sign }: Job): SideProblem {
    const { rows: n, cols: r, data } = this.#Z;
    const Z = new Float64Array(n * r);
    for (let i = 0; i < n; i++) for (let k = 0; k < r; k++) Z[i * r + k] = data[i * r + k] - data[pivot * r + k];
    return { n, r, Z, v: sign === 1 ? this.#v : this.#v.map((t) => -t) };
  }

  /** sum of the positive, and of the negative, |v_i| |z_i - z_p|. */
  #crude(pivot: number): { plus: number; minus: number } {
    const { rows: n, cols: r, data } = this.#Z;
    const rounding = 1 + (n + r + 8) * Number.EPSILON;
    let plus = 0;
    let minus = 0;
    for (let i = 0; i < n; i++) {
      let squares = 0;
      for (let k = 0; k < r; k++) squares += (data[i * r + k] - data[pivot * r + k]) ** 2;
      const length = Math.sqrt(squares) * Math.abs(this.#v[i]);
      if (this.#v[i] > 0) plus += length;
      else minus += length;
    }
    return { plus: plus * rounding, minus: minus * rounding };
  }
}
