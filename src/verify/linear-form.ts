import { EPS, ETA, normAbove, up } from "./arithmetic.ts";
import { Rejection } from "./reader.ts";

/** Rows z_i as the checker holds them, with upper bounds of their norms. */
export interface Rows {
  readonly n: number;
  readonly r: number;
  /** n x r, row-major. */
  readonly Z: Float64Array;
  readonly norms: Float64Array;
  /** The largest of the norms. */
  readonly largest: number;
}

/** One side of the constraint: sum_i v_i (z_i'u)_+ <= T |u| is to be shown. */
export interface Side extends Rows {
  readonly v: Float64Array;
  readonly T: number;
}

/** @throws Rejection when a norm overflows. */
export function makeRows(n: number, r: number, Z: Float64Array): Rows {
  const norms = Float64Array.from({ length: n }, (_, i) => normAbove(Z, i * r, r));
  let largest = 0;
  for (const norm of norms) {
    if (!(norm < Number.POSITIVE_INFINITY)) throw new Rejection("a row is too long for the arithmetic");
    largest = Math.max(largest, norm);
  }
  return { n, r, Z, norms, largest };
}

/**
 * A linear function c'u + offset that is built up from rows and bounds something from above on the unit ball.
 *
 * c is a rounded sum of `terms` vectors a z with |a| |z| adding up to `mass`. If each coefficient a went through at most two
 * operations, the exact sum differs from c in norm by at most ((terms + 2) u (1 + small) mass + terms ETA (sqrt r + largest norm)).
 */
export class LinearForm {
  readonly c: Float64Array;
  /** Upper bound of the constant part. */
  offset = 0;
  readonly #rows: Rows;
  #mass = 0;
  #terms = 0;

  constructor(rows: Rows) {
    this.#rows = rows;
    this.c = new Float64Array(rows.r);
  }

  clear(): void {
    this.c.fill(0);
    this.offset = 0;
    this.#mass = 0;
    this.#terms = 0;
  }

  /** Adds a z_row. */
  add(a: number, row: number): void {
    const { r, Z, norms } = this.#rows;
    const at = row * r;
    for (let k = 0; k < r; k++) this.c[k] += a * Z[at + k];
    this.#mass += Math.abs(a) * norms[row];
    this.#terms += 1;
  }

  /** Adds a times a vector whose norm is at most `norm`. */
  addVector(a: number, vector: Float64Array, norm: number): void {
    for (let k = 0; k < vector.length; k++) this.c[k] += a * vector[k];
    this.#mass += Math.abs(a) * norm;
    this.#terms += 1;
  }

  /** Adds what is at least the exact result of the operation that gave `amount`. */
  lift(amount: number): void {
    this.offset = up(this.offset + up(amount));
  }

  /** Puts the rounding errors into the offset: from then on c is meant as it stands. */
  settle(): void {
    const terms = this.#terms + 8;
    this.lift(terms * EPS * this.#mass + terms * ETA * (this.#rows.r + this.#rows.largest));
    this.#mass = 0;
    this.#terms = 0;
  }

  /** Upper bound of c'u + offset on the unit ball, once settled. */
  bound(): number {
    return up(normAbove(this.c, 0, this.c.length) + this.offset);
  }
}
