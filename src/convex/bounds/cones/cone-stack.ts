import { type SideRows, UNIT } from "./side-rows.ts";

/** A row with v > 0 whose products with all rays are above -KINK |z| (or below KINK |z|) counts as determined. */
const KINK = 16 * UNIT;
/** Rows with v < 0 have a theta that a proof names when a product is this small: they stay listed. */
export const NAMED = 2 ** -40;

/**
 * The cones on the path from an orthant to the current node: for each, its rays, the rows that change sign on it with their
 * products z_i'w_k, and the sum of all other rows of G as one vector, so that a cone costs as much as it has such rows.
 */
export class ConeStack {
  readonly #side: SideRows;
  readonly #r: number;
  #depth = 0;
  /** Node of the tree, and how many of its children were begun. */
  node = new Int32Array(8);
  stage = new Uint8Array(8);
  /** rows[from .. middle) have v > 0, rows[middle .. to) have v < 0. */
  from = new Int32Array(8);
  middle = new Int32Array(8);
  to = new Int32Array(8);
  /** r rays of r entries, then the ray that splits the cone. */
  rays: Float64Array;
  /** sum of v_i z_i over determined active rows, r a cone, and what rounding took from it. */
  linear: Float64Array;
  #lost: Float64Array;
  rows: Int32Array;
  /** r + 1 a row: products with the rays, then with the splitting ray. */
  products: Float64Array;
  /** Signs of the orthant: every ray w of its cones has signs'w = 1, to rounding. */
  readonly signs: Float64Array;

  constructor(side: SideRows) {
    this.#side = side;
    this.#r = side.r;
    this.rays = new Float64Array(8 * (side.r + 1) * side.r);
    this.linear = new Float64Array(8 * side.r);
    this.#lost = new Float64Array(8 * side.r);
    this.rows = new Int32Array(2 * side.count);
    this.products = new Float64Array(2 * side.count * (side.r + 1));
    this.signs = new Float64Array(side.r);
  }

  /** Cones on the stack. */
  get depth(): number {
    return this.#depth;
  }

  pop(): void {
    this.#depth--;
  }

  /** Empties the stack and begins with an orthant: ray k is +e_k if bit k is 0, else -e_k. */
  pushOrthant(orthant: number, node: number): void {
    const r = this.#r;
    const { count, Z } = this.#side;
    this.#depth = 0;
    this.#reserve(0);
    this.rays.fill(0, 0, r * r);
    for (let k = 0; k < r; k++) {
      this.signs[k] = (orthant >> k) & 1 ? -1 : 1;
      this.rays[k * r + k] = this.signs[k];
    }
    this.linear.fill(0, 0, r);
    this.#lost.fill(0, 0, r);
    this.from[0] = 0;
    this.middle[0] = 0;
    let at = 0;
    for (let row = 0; row < count; row++) {
      for (let k = 0; k < r; k++) this.products[at * (r + 1) + k] = Z[row * r + k] * this.signs[k];
      at = this.#keep(row, at, 0);
    }
    this.to[0] = at;
    this.#settle(0);
    this.#begin(node);
  }

  /** Puts w = share w_a + (1 - share) w_b beside the rays of the top cone. */
  cut(a: number, b: number, share: number): void {
    const r = this.#r;
    const { Z } = this.#side;
    const { rays, rows, products } = this;
    const level = this.#depth - 1;
    const base = level * (r + 1) * r;
    const w = base + r * r;
    for (let k = 0; k < r; k++) rays[w + k] = share * rays[base + a * r + k] + (1 - share) * rays[base + b * r + k];
    const to = this.to[level];
    for (let at = this.from[level]; at < to; at++) {
      const row = rows[at] * r;
      let z = 0;
      for (let k = 0; k < r; k++) z += Z[row + k] * rays[w + k];
      products[at * (r + 1) + r] = z;
    }
  }

  /** Pushes the child of the top cone that has the cut's ray in place of one of its own. */
  pushChild(replaced: number, node: number): void {
    const r = this.#r;
    const stride = r + 1;
    const parent = this.#depth - 1;
    const level = this.#depth;
    this.#reserve(level);
    const { rays, rows, products, linear } = this;
    const above = parent * stride * r;
    const base = level * stride * r;
    for (let k = 0; k < r * r; k++) rays[base + k] = rays[above + k];
    for (let k = 0; k < r; k++) rays[base + replaced * r + k] = rays[above + r * r + k];
    for (let k = 0; k < r; k++) {
      linear[level * r + k] = linear[parent * r + k];
      this.#lost[level * r + k] = this.#lost[parent * r + k];
    }
    const begin = this.to[parent];
    this.from[level] = begin;
    this.middle[level] = begin;
    let at = begin;
    for (let source = this.from[parent]; source < begin; source++) {
      for (let k = 0; k < r; k++) products[at * stride + k] = products[source * stride + k];
      products[at * stride + replaced] = products[source * stride + r];
      at = this.#keep(rows[source], at, level);
    }
    this.to[level] = at;
    this.#settle(level);
    this.#begin(node);
  }

  /** Lists a row at `at`, where its products are, if its sign is not determined on the cone; returns where the next goes. */
  #keep(row: number, at: number, level: number): number {
    const r = this.#r;
    const { weights, norms, positives } = this.#side;
    const base = at * (r + 1);
    const { products } = this;
    let low = products[base];
    let high = low;
    for (let k = 1; k < r; k++) {
      const z = products[base + k];
      if (z < low) low = z;
      else if (z > high) high = z;
    }
    if (row < positives) {
      const tolerance = KINK * norms[row];
      if (high <= tolerance) return at;
      if (low < -tolerance) {
        this.rows[at] = row;
        this.middle[level] = at + 1;
        return at + 1;
      }
      this.#count(level, row, weights[row]);
      return at;
    }
    const tolerance = NAMED * norms[row];
    if (high < -tolerance) return at;
    if (low <= tolerance) {
      this.rows[at] = row;
      return at + 1;
    }
    this.#count(level, row, -weights[row]);
    return at;
  }

  /** Adds a determined row to the linear part, with what rounding loses (Neumaier's sum). */
  #count(level: number, row: number, weight: number): void {
    const r = this.#r;
    const { Z } = this.#side;
    const { linear } = this;
    for (let k = 0; k < r; k++) {
      const at = level * r + k;
      const sum = linear[at];
      const term = weight * Z[row * r + k];
      const next = sum + term;
      this.#lost[at] += Math.abs(sum) >= Math.abs(term) ? sum - next + term : term - next + sum;
      linear[at] = next;
    }
  }

  /** Gives the linear part what its sum lost. */
  #settle(level: number): void {
    const r = this.#r;
    for (let at = level * r; at < (level + 1) * r; at++) {
      const sum = this.linear[at] + this.#lost[at];
      this.#lost[at] -= sum - this.linear[at];
      this.linear[at] = sum;
    }
  }

  #begin(node: number): void {
    this.node[this.#depth] = node;
    this.stage[this.#depth] = 0;
    this.#depth++;
  }

  /** Makes room for a cone at `level` with as many rows as the one above it. */
  #reserve(level: number): void {
    const r = this.#r;
    if (level >= this.node.length) {
      const capacity = 2 * level;
      this.node = grown(this.node, capacity);
      this.stage = grown(this.stage, capacity);
      this.from = grown(this.from, capacity);
      this.middle = grown(this.middle, capacity);
      this.to = grown(this.to, capacity);
      this.rays = grown(this.rays, capacity * (r + 1) * r);
      this.linear = grown(this.linear, capacity * r);
      this.#lost = grown(this.#lost, capacity * r);
    }
    const above = level === 0 ? this.#side.count : this.to[level - 1] - this.from[level - 1];
    const needed = (level === 0 ? 0 : this.to[level - 1]) + above + 1;
    if (needed > this.rows.length) {
      this.rows = grown(this.rows, 2 * needed);
      this.products = grown(this.products, 2 * needed * (r + 1));
    }
  }
}

function grown<A extends Float64Array | Int32Array | Uint8Array>(array: A, length: number): A {
  const longer = new (array.constructor as new (length: number) => A)(length);
  longer.set(array as never);
  return longer;
}
