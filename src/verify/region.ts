import { down, normAbove, up } from "./arithmetic.ts";
import { LinearForm, type Side } from "./linear-form.ts";
import { MOST_REMEMBERED, type ProofReader } from "./reader.ts";

const NO_CAP = 0xffffffff;

/** c'u > least holds on the region. */
interface Cap {
  readonly c: Float64Array;
  readonly norm: number;
  readonly least: number;
}

/** A moment of the walk through a tree, to which the region can be put back. */
export interface Mark {
  readonly changes: number;
  readonly caps: number;
}

/**
 * What is known at a node of a sign tree: every u of the unit ball with the signs of the path and G(u) > T has
 * low_i <= z_i'u <= high_i for all rows, and lies in the caps. Changes are remembered, so that leaving a subtree undoes them.
 */
export class Region {
  readonly side: Side;
  readonly low: Float64Array;
  readonly high: Float64Array;
  /** The bound G(u) <= c'u + offset that {@link readBound} read last. */
  readonly form: LinearForm;
  readonly #theta: Float64Array;
  #caps: Cap[] = [];
  /** Row (high end: + n) and former value of each change. */
  readonly #changed: number[] = [];
  readonly #former: number[] = [];

  constructor(side: Side) {
    this.side = side;
    this.high = Float64Array.from(side.norms);
    this.low = side.norms.map((norm) => -norm);
    this.form = new LinearForm(side);
    this.#theta = new Float64Array(side.n);
  }

  mark(): Mark {
    return { changes: this.#changed.length, caps: this.#caps.length };
  }

  undo({ changes, caps }: Mark): void {
    while (this.#changed.length > changes) {
      const end = this.#changed.pop()!;
      const value = this.#former.pop()!;
      if (end < this.side.n) this.low[end] = value;
      else this.high[end - this.side.n] = value;
    }
    this.#caps.length = caps;
  }

  /** z_row'u >= bound. Nothing changes unless that is news. */
  raiseLow(row: number, bound: number, reader: ProofReader): void {
    if (!(bound > this.low[row])) return;
    this.#remember(row, this.low[row], reader);
    this.low[row] = bound;
  }

  /** z_row'u <= bound. */
  lowerHigh(row: number, bound: number, reader: ProofReader): void {
    if (!(bound < this.high[row])) return;
    this.#remember(row + this.side.n, this.high[row], reader);
    this.high[row] = bound;
  }

  #remember(end: number, value: number, reader: ProofReader): void {
    if (2 * this.#changed.length > MOST_REMEMBERED) reader.fail("too many ranges on one path");
    this.#changed.push(end);
    this.#former.push(value);
  }

  isEmpty(): boolean {
    return this.low.some((low, i) => low > this.high[i]);
  }

  /**
   * Adds to a form what bounds v_i (z_i'u)_+ on the region: for v_i > 0 the chord over [low, high], for v_i < 0 the
   * line theta z_i'u <= (z_i'u)_+.
   */
  addRow(form: LinearForm, i: number, theta: number): void {
    const weight = this.side.v[i];
    const low = this.low[i];
    const high = this.high[i];
    if (weight < 0) {
      if (theta > 0) form.add(weight * theta, i);
    } else if (weight > 0 && low >= 0) form.add(weight, i);
    else if (weight > 0 && high > 0) {
      // (z)_+ <= k z + o on [low, high] for every k in [0, 1] whose o makes it true at both ends: it is convex.
      const k = Math.min(1, high / (high - low));
      const o = Math.max(up(k * -low), up(high * up(1 - k)));
      form.add(weight * k, i);
      form.lift(weight * o);
    }
  }

  /** The theta of a row with v_i < 0 that a proof does not mention. */
  defaultTheta(i: number): number {
    return this.low[i] >= 0 ? 1 : 0;
  }

  /**
   * Reads a multiplier list into a form: lam (s z_row'u + slack) >= 0 for each row, s the side that the row is on. The slack is 0
   * for a row that is determined, and tiny for one that is so up to rounding.
   */
  readMultipliers(reader: ProofReader, form: LinearForm): void {
    const count = reader.count(2 ** 32, 12);
    for (let k = 0; k < count; k++) {
      const row = reader.index(this.side.n, "row");
      const value = reader.nonnegative("multiplier");
      const isActive = this.low[row] + this.high[row] >= 0;
      form.add(isActive ? value : -value, row);
      form.lift(value * Math.max(0, isActive ? -this.low[row] : this.high[row]));
    }
  }

  /** Reads a `step` into {@link form}, settled. */
  readBound(reader: ProofReader): LinearForm {
    const { n, v } = this.side;
    const theta = this.#theta;
    this.form.clear();
    this.readMultipliers(reader, this.form);
    for (let i = 0; i < n; i++) theta[i] = this.defaultTheta(i);
    const count = reader.count(n, 12);
    for (let k = 0; k < count; k++) {
      const row = reader.index(n, "row");
      const value = reader.nonnegative("theta");
      if (value > 1) reader.fail("a theta above 1");
      if (!(v[row] < 0)) reader.fail(`a theta for row ${row}, whose weight is not negative`);
      theta[row] = value;
    }
    for (let i = 0; i < n; i++) this.addRow(this.form, i, theta[i]);
    this.form.settle();
    return this.form;
  }

  /** Keeps the bound that was read last as a cap: G(u) > T leaves only c'u > T - offset. */
  addCap(reader: ProofReader): void {
    const { c, offset } = this.form;
    if (this.#caps.length * c.length > MOST_REMEMBERED) reader.fail("too many caps on one path");
    this.#caps.push({ c: c.slice(), norm: normAbove(c, 0, c.length), least: down(this.side.T - offset) });
  }

  /** Reads a `range`: t z_i'u <= |t z_i + sum lam s z + kappa c| + slack - kappa (T - o). */
  readRanges(reader: ProofReader): void {
    const count = reader.count(2 ** 32, 21);
    const { form } = this;
    for (let item = 0; item < count; item++) {
      const row = reader.index(this.side.n, "row");
      const isHigh = reader.u8() === 1;
      const number = reader.u32();
      const kappa = reader.nonnegative("kappa");
      form.clear();
      form.add(isHigh ? 1 : -1, row);
      let gain = 0;
      if (number !== NO_CAP) {
        const cap = this.#caps[number] ?? reader.fail(`cap ${number} of ${this.#caps.length}`);
        form.addVector(kappa, cap.c, cap.norm);
        gain = down(kappa * cap.least);
      }
      this.readMultipliers(reader, form);
      form.settle();
      const bound = up(form.bound() - gain);
      if (isHigh) this.lowerHigh(row, bound, reader);
      else this.raiseLow(row, -bound, reader);
    }
  }
}
