import { ProofWriter } from "../../../certificate/index.ts";
import type { ScaledSide } from "./side.ts";

const SPLIT = 0;
const LINEAR = 2;
const RANGE = 3;
const CLOSE = 4;
const EMPTY = 5;

/** Writes the steps of a sign tree in preorder, in the units and row numbers of the given side (docs/certificates.md). */
export class TreeRecord {
  out = new ProofWriter();
  /** Nothing is kept any more: more than `most` bytes would have been. */
  overflowed = false;
  readonly #most: number;
  readonly #side: ScaledSide;
  /** Whether anything in it depends on the number that is proved. */
  hasCaps = false;
  #ranges = new ProofWriter();
  #count = 0;

  constructor(side: ScaledSide, most: number) {
    this.#side = side;
    this.#most = most;
  }

  /** Forgets everything when it has become too much. */
  #weigh(): void {
    if (this.out.length <= this.#most) return;
    this.overflowed = true;
    this.out = new ProofWriter();
  }

  /** `place` is a place in P. The subtree of the active side follows, then that of the inactive one. */
  split(place: number): void {
    this.out.u8(SPLIT);
    this.out.u32(this.#side.positive[place]);
  }

  /** A closing step, with the multipliers of N and of the path (`theta`: |N| entries, then one a row of the path). */
  close(theta: Float64Array, path: Int32Array, depth: number): void {
    this.out.u8(CLOSE);
    this.#step(theta, path, depth);
    this.#weigh();
  }

  /** A cap, with the ranges that were collected since; nothing when there are none. Returns whether it was written. */
  cap(theta: Float64Array, path: Int32Array, depth: number): boolean {
    if (this.#count === 0) return false;
    this.hasCaps = true;
    this.out.u8(LINEAR);
    this.#step(theta, path, depth);
    this.out.u8(RANGE);
    this.out.u32(this.#count);
    this.out.append(this.#ranges);
    this.#ranges = new ProofWriter();
    this.#count = 0;
    this.#weigh();
    return true;
  }

  /** One range by cap number `cap` and the multipliers `lambda` of the path's first `depth` rows. */
  range(
    place: number,
    upper: boolean,
    cap: number,
    kappa: number,
    lambda: Float64Array,
    path: Int32Array,
    depth: number,
  ): void {
    const out = this.#ranges;
    out.u32(this.#side.positive[place]);
    out.u8(upper ? 1 : 0);
    out.u32(cap);
    out.f64(kappa * this.#side.weightScale);
    this.#multipliers(out, lambda, 0, 1, path, depth);
    this.#count += 1;
  }

  empty(): void {
    this.out.u8(EMPTY);
  }

  #step(theta: Float64Array, path: Int32Array, depth: number): void {
    const { negative, qN, weightScale } = this.#side;
    const m = negative.length;
    this.#multipliers(this.out, theta, m, 1 / weightScale, path, depth);
    let count = 0;
    for (let j = 0; j < m; j++) if (theta[j] > 0) count += 1;
    this.out.u32(count);
    for (let j = 0; j < m; j++) {
      if (theta[j] <= 0) continue;
      this.out.u32(negative[j]);
      this.out.f64(Math.min(1, theta[j] / qN[j]));
    }
  }

  #multipliers(
    out: ProofWriter,
    values: Float64Array,
    from: number,
    scale: number,
    path: Int32Array,
    depth: number,
  ): void {
    let count = 0;
    for (let f = 0; f < depth; f++) if (values[from + f] > 0) count += 1;
    out.u32(count);
    for (let f = 0; f < depth; f++) {
      if (values[from + f] <= 0) continue;
      out.u32(this.#side.positive[path[f]]);
      out.f64(values[from + f] * scale);
    }
  }
}
