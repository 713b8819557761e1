import type { ConeStack } from "./cone-stack.ts";
import { PiecewiseMaximizer } from "./piecewise-maximizer.ts";
import { type SideRows, UNIT } from "./side-rows.ts";

/** Part of the size of a side by which F is made positive where it is not, and how often that is tried. */
const RAISED = 1e-12;
const RAISES = 12;

/**
 * What the inequalities of a leaf need above their values for a checker with proven error bounds to confirm them, relative to sum |v_i| |z_i|
 * + |c|: sums over all rows in their order, in value and product, and the roundings of a ray, a few a split; listed rows are what this side
 * of the proof adds one by one.
 */
function marginOf(count: number, r: number, listed: number, splits: number): number {
  return UNIT * (2 * (count + r) + listed + 64 + 6 * splits);
}

/**
 * The bound of one cone (top of the stack). On cone{w_1 .. w_r} h_P(u) = sum_P v_i (z_i'u)_+ is convex and homogeneous, so
 * G(sum t_k w_k) <= sum t_k h_P(w_k) - h_N(u) = F(u), which is concave: its maximum over the unit ball of the cone is the
 * length of the shortest c with c'w_k >= h_P(w_k) - sum theta_j q_j z_j'w_k for some theta in [0, 1].
 */
export class ConeLeaf {
  /** Proven: G(u) <= own |u| on the cone, with c below; infinite when the search for c was given up early. */
  own = Number.POSITIVE_INFINITY;
  /** |c| <= own, and c satisfies the inequalities with a margin for rounding. */
  readonly c: Float64Array;
  /** The point where F is largest (or was found too large), and its coordinates in the rays. */
  readonly u: Float64Array;
  readonly t: Float64Array;
  /** G(u) / |u|. */
  value = 0;
  /** What the bound carries for rounding. */
  margin = 0;
  /** How far `own` may be above the maximum of F. */
  slack = 0;
  /** The multipliers are the best ones. */
  optimal = false;

  readonly #side: SideRows;
  readonly #maximizer: PiecewiseMaximizer;
  readonly #h: Float64Array;
  readonly #inverse: Float64Array;
  readonly #work: Float64Array;
  /** What was added to F, in multiples of |u|_1. */
  #raised = 0;

  constructor(side: SideRows) {
    const { r } = side;
    this.#side = side;
    this.#maximizer = new PiecewiseMaximizer(side);
    this.c = this.#maximizer.c;
    this.u = this.#maximizer.u;
    this.t = new Float64Array(r);
    this.#h = new Float64Array(r);
    this.#inverse = new Float64Array(r * r);
    this.#work = new Float64Array(2 * r * r);
  }

  /** theta of the listed rows with v < 0, in their order. */
  get theta(): Float64Array {
    return this.#maximizer.theta;
  }

  /**
   * @param start coordinates (at `at`, r of them) from which the search starts.
   * @param limit the search may be given up when the bound is known to be above it.
   */
  solve(stack: ConeStack, start: Float64Array, at: number, limit: number): void {
    const { n, r, size } = this.#side;
    const level = stack.depth - 1;
    const base = level * (r + 1) * r;
    const { rays } = stack;
    const { u } = this;
    this.margin = marginOf(n, r, stack.to[level] - stack.from[level], level) * size;
    this.#raised = 0;
    this.#chord(stack, level);
    const cone = this.#invert(rays, base);
    u.fill(0);
    for (let k = 0; k < r; k++) {
      for (let i = 0; i < r; i++) u[i] += start[at + k] * rays[base + k * r + i];
    }
    this.own = Number.POSITIVE_INFINITY;
    const { middle, to, rows } = stack;
    let end = cone ? this.#maximizer.run(rows, middle[level], to[level], r, limit) : "flat";
    let raised = 0;
    if (end === "zero") {
      this.#center(rays, base);
      raised = 10 * Math.sqrt(r) * RAISED * size;
      for (let raise = 0; raise < RAISES; raise++) {
        this.#raise(stack, level);
        end = this.#maximizer.run(rows, middle[level], to[level], r, Number.POSITIVE_INFINITY);
        if (end !== "optimal" || lengthOf(u) <= raised) break;
      }
    }
    this.optimal = end === "optimal";
    this.slack = raised + (4 + 4 * Math.sqrt(r)) * this.margin;
    if (end === "exceeded") {
      this.#evaluate(stack, level);
      // At a point where F is G, the cone cannot be closed, and a split would not help: find its bound.
      if (this.#maximizer.value - this.value > 8 * this.margin) {
        this.#coordinates();
        return;
      }
      end = this.#maximizer.run(rows, middle[level], to[level], r, Number.POSITIVE_INFINITY);
      this.optimal = end === "optimal";
    }
    this.#prove(stack, level);
    if (end === "flat" || end === "zero") this.#center(rays, base);
    this.#evaluate(stack, level);
    this.#coordinates();
  }

  /** u <- the middle of the cone. */
  #center(rays: Float64Array, base: number): void {
    const { r } = this.#side;
    this.u.fill(0);
    for (let k = 0; k < r; k++) for (let i = 0; i < r; i++) this.u[i] += rays[base + k * r + i];
  }

  /**
   * Where F <= 0 the maximizer is 0, which has no multipliers to read: F + kappa |u|_1, linear on an orthant and no smaller, takes
   * its place, with kappa such that it is just positive at u. Repeated from its maximizer, kappa falls quickly to the smallest
   * possible (Dinkelbach's iteration for the largest F(u) / |u|_1).
   */
  #raise(stack: ConeStack, level: number): void {
    const { r, Z, weights, size } = this.#side;
    const { signs } = stack;
    const { u } = this;
    const { p } = this.#maximizer;
    let value = 0;
    let length = 0;
    for (let k = 0; k < r; k++) {
      value += p[k] * u[k];
      length += u[k] * signs[k];
    }
    const to = stack.to[level];
    for (let at = stack.middle[level]; at < to; at++) {
      const row = stack.rows[at];
      let z = 0;
      for (let k = 0; k < r; k++) z += Z[row * r + k] * u[k];
      if (z > 0) value -= weights[row] * z;
    }
    const kappa = Math.max(-this.#raised, RAISED * size - value / length);
    this.#raised += kappa;
    for (let k = 0; k < r; k++) p[k] += kappa * signs[k];
    for (let k = 0; k < r; k++) this.#h[k] += kappa;
  }

  /** h_k: F at the rays without the kinks of listed rows with v < 0. */
  #chord(stack: ConeStack, level: number): void {
    const { r } = this.#side;
    const { weights } = this.#side;
    const { rays, linear, rows, products } = stack;
    const base = level * (r + 1) * r;
    const h = this.#h;
    for (let k = 0; k < r; k++) {
      let sum = 0;
      for (let i = 0; i < r; i++) sum += linear[level * r + i] * rays[base + k * r + i];
      h[k] = sum;
    }
    const to = stack.middle[level];
    for (let at = stack.from[level]; at < to; at++) {
      const weight = weights[rows[at]];
      for (let k = 0; k < r; k++) {
        const z = products[at * (r + 1) + k];
        if (z > 0) h[k] += weight * z;
      }
    }
  }

  /** The inverse of the matrix of rays (columns), unit facet normals, and the p with p'w_k = h_k; false: numerically flat. */
  #invert(rays: Float64Array, base: number): boolean {
    const { r } = this.#side;
    const work = this.#work;
    const inverse = this.#inverse;
    const width = 2 * r;
    for (let i = 0; i < r; i++) {
      for (let k = 0; k < r; k++) {
        work[i * width + k] = rays[base + k * r + i];
        work[i * width + r + k] = i === k ? 1 : 0;
      }
    }
    for (let k = 0; k < r; k++) {
      let pivot = k;
      for (let i = k + 1; i < r; i++) {
        if (Math.abs(work[i * width + k]) > Math.abs(work[pivot * width + k])) pivot = i;
      }
      if (!(Math.abs(work[pivot * width + k]) > 1e-15)) return false;
      if (pivot !== k) {
        for (let j = k; j < width; j++) {
          const kept = work[k * width + j];
          work[k * width + j] = work[pivot * width + j];
          work[pivot * width + j] = kept;
        }
      }
      const scale = 1 / work[k * width + k];
      for (let j = k; j < width; j++) work[k * width + j] *= scale;
      for (let i = 0; i < r; i++) {
        const factor = i === k ? 0 : work[i * width + k];
        if (factor === 0) continue;
        for (let j = k; j < width; j++) work[i * width + j] -= factor * work[k * width + j];
      }
    }
    const { normals, p } = this.#maximizer;
    for (let k = 0; k < r; k++) {
      let squares = 0;
      for (let i = 0; i < r; i++) {
        const entry = work[k * width + r + i];
        inverse[k * r + i] = entry;
        squares += entry * entry;
      }
      const length = Math.sqrt(squares);
      for (let i = 0; i < r; i++) normals[k * r + i] = inverse[k * r + i] / length;
    }
    // p, refined: thin cones have large inverses.
    p.fill(0);
    for (let pass = 0; pass < 2; pass++) {
      for (let k = 0; k < r; k++) {
        let left = this.#h[k];
        for (let i = 0; i < r; i++) left -= p[i] * rays[base + k * r + i];
        work[k] = left;
      }
      for (let k = 0; k < r; k++) for (let i = 0; i < r; i++) p[i] += work[k] * inverse[k * r + i];
    }
    return true;
  }

  /** Makes c satisfy the inequalities of the cone, and takes its length. */
  #prove(stack: ConeStack, level: number): void {
    const { n, r, weights, size } = this.#side;
    const { rays, rows, products, signs } = stack;
    const base = level * (r + 1) * r;
    const { c, theta } = this.#maximizer;
    const needed = this.#work;
    for (let k = 0; k < r; k++) needed[k] = this.#h[k];
    const from = stack.middle[level];
    const to = stack.to[level];
    for (let at = from; at < to; at++) {
      const q = theta[at - from] * weights[rows[at]];
      if (q === 0) continue;
      for (let k = 0; k < r; k++) needed[k] -= q * products[at * (r + 1) + k];
    }
    let short = Number.NEGATIVE_INFINITY;
    let largest = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < r; k++) {
      let along = 0;
      for (let i = 0; i < r; i++) along += c[i] * rays[base + k * r + i];
      short = Math.max(short, needed[k] - along);
      largest = Math.max(largest, needed[k]);
    }
    let length = 0;
    for (let k = 0; k < r; k++) length += c[k] * c[k];
    const margin = this.margin * (1 + Math.sqrt(length) / size);
    // signs'w_k = 1: along the signs every inequality gains alike.
    const lift = Math.max(0, short) + margin;
    let squares = 0;
    for (let k = 0; k < r; k++) squares += (c[k] + lift * signs[k]) ** 2;
    const alone = (Math.max(0, largest) + this.margin) * (1 + r * marginOf(n, r, 0, level));
    const shorter = !(squares <= r * alone * alone);
    for (let k = 0; k < r; k++) c[k] = shorter ? alone * signs[k] : c[k] + lift * signs[k];
    this.own = Math.sqrt(shorter ? r * alone * alone : squares) * (1 + (2 * r + 32) * UNIT);
  }

  /** G at u. */
  #evaluate(stack: ConeStack, level: number): void {
    const { r, Z, weights } = this.#side;
    const { linear, rows } = stack;
    const { u } = this;
    let sum = 0;
    let squares = 0;
    for (let k = 0; k < r; k++) {
      sum += linear[level * r + k] * u[k];
      squares += u[k] * u[k];
    }
    const middle = stack.middle[level];
    const to = stack.to[level];
    for (let at = stack.from[level]; at < to; at++) {
      const row = rows[at];
      let z = 0;
      for (let k = 0; k < r; k++) z += Z[row * r + k] * u[k];
      if (z > 0) sum += at < middle ? weights[row] * z : -weights[row] * z;
    }
    this.value = sum / Math.sqrt(squares);
  }

  #coordinates(): void {
    const { r } = this.#side;
    for (let k = 0; k < r; k++) {
      let t = 0;
      for (let i = 0; i < r; i++) t += this.#inverse[k * r + i] * this.u[i];
      this.t[k] = Math.max(0, t);
    }
  }
}

function lengthOf(u: Float64Array): number {
  let squares = 0;
  for (let k = 0; k < u.length; k++) squares += u[k] * u[k];
  return Math.sqrt(squares);
}
