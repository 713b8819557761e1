import { dotRow } from "../../solvers/bounded-least-squares.ts";
import type { ScaledSide } from "./side.ts";

/** Sweeps over the multipliers of the path, each followed by the best multiplier of the cap. */
const SWEEPS = 4;

/**
 * The largest t z_i'u over unit u in the cap c'u > T - o and the cone of the path's rows s_f z_f'u >= 0:
 * at most |t z_i + sum lam_f s_f z_f + kappa c| - kappa (T - o) for any lam, kappa >= 0. Good multipliers come from
 * coordinate descent on lam, in inner products alone, and the closed form of kappa.
 */
export class RangeBound {
  /** Multipliers of the last bound. */
  readonly lambda: Float64Array;
  kappa = 0;
  readonly #side: ScaledSide;
  readonly #y: Float64Array;
  readonly #g: Float64Array;
  /** s_f z_f'c / |c|. */
  readonly #along: Float64Array;
  #c: Float64Array = new Float64Array(0);
  #length = 0;
  #need = 0;
  #tau = 0;
  #path: Int32Array = new Int32Array(0);
  #signs: Float64Array = new Float64Array(0);
  #products: readonly Float64Array[] = [];
  /** s_e s_f z_e'z_f of the path's rows, depth x depth. */
  #gram: Float64Array = new Float64Array(0);
  #depth = 0;

  constructor(side: ScaledSide) {
    const most = side.positive.length;
    this.#side = side;
    this.lambda = new Float64Array(most);
    this.#y = new Float64Array(most);
    this.#along = new Float64Array(most);
    this.#g = new Float64Array(side.r);
  }

  /** The cap c'u > need with |c| = length, and the path: places in P, signs, and products[f] = z_i'z_f over P. */
  setRegion(
    c: Float64Array,
    length: number,
    need: number,
    zc: Float64Array,
    path: Int32Array,
    signs: Float64Array,
    products: readonly Float64Array[],
    depth: number,
  ): void {
    this.#c = c;
    this.#length = length;
    this.#need = need;
    this.#tau = need / length;
    this.#path = path;
    this.#signs = signs;
    this.#products = products;
    this.#depth = depth;
    for (let f = 0; f < depth; f++) this.#along[f] = signs[f] * zc[path[f]];
    if (this.#gram.length < depth * depth) this.#gram = new Float64Array(4 * depth * depth);
    for (let f = 0; f < depth; f++) {
      for (let e = 0; e < depth; e++) this.#gram[f * depth + e] = signs[f] * signs[e] * products[f][path[e]];
    }
  }

  /** kappa |c| that is best for a vector of norm sqrt(square) whose part along c is `along`. */
  #best(square: number, along: number): number {
    const tau = this.#tau;
    if (tau <= -1) return 0;
    if (tau >= 1) return Number.POSITIVE_INFINITY;
    const across = Math.sqrt(Math.max(0, square - along * along));
    return Math.max(0, (tau * across) / Math.sqrt(1 - tau * tau) - along);
  }

  /** The bound by the cap alone for the row at `place` of P, t = +-1, along = z_i'c / |c|; multipliers are left for it. */
  byCap(place: number, t: number, along: number): number {
    const norm = this.#side.normP[place];
    this.lambda.fill(0, 0, this.#depth);
    this.kappa = this.#best(norm * norm, t * along) / this.#length;
    return this.#value(place, t, 0);
  }

  /** The bound by the cap and the path. */
  byPath(place: number, t: number, along: number): number {
    const { lambda } = this;
    const y = this.#y;
    const depth = this.#depth;
    const path = this.#path;
    const signs = this.#signs;
    const products = this.#products;
    const gram = this.#gram;
    const norms = this.#side.normP;
    let square = norms[place] * norms[place];
    let a = t * along;
    let x = this.#best(square, a);
    for (let f = 0; f < depth; f++) {
      lambda[f] = 0;
      y[f] = signs[f] * t * products[f][place] + x * this.#along[f];
    }
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
      let largest = 0;
      for (let f = 0; f < depth; f++) {
        const norm = norms[path[f]];
        const next = Math.max(0, lambda[f] - y[f] / (norm * norm));
        const change = next - lambda[f];
        if (change === 0) continue;
        largest = Math.max(largest, Math.abs(change) * norm);
        lambda[f] = next;
        square += change * (2 * (y[f] - x * this.#along[f]) + change * norm * norm);
        a += change * this.#along[f];
        const at = f * depth;
        for (let e = 0; e < depth; e++) y[e] += change * gram[at + e];
      }
      const better = this.#best(square, a);
      const shift = better - x;
      x = better;
      if (shift !== 0) for (let f = 0; f < depth; f++) y[f] += shift * this.#along[f];
      if (largest + Math.abs(shift) <= 1e-3 * norms[place]) break;
    }
    this.kappa = x / this.#length;
    return this.#value(place, t, depth);
  }

  /** The bound as a checker computes it from the multipliers. */
  #value(place: number, t: number, depth: number): number {
    const { r, ZP } = this.#side;
    const { lambda, kappa } = this;
    if (!(kappa < 1e12)) return Number.POSITIVE_INFINITY;
    const g = this.#g;
    const c = this.#c;
    const at = place * r;
    for (let k = 0; k < r; k++) g[k] = t * ZP[at + k] + kappa * c[k];
    for (let f = 0; f < depth; f++) {
      if (lambda[f] === 0) continue;
      const weight = lambda[f] * this.#signs[f];
      const row = this.#path[f] * r;
      for (let k = 0; k < r; k++) g[k] += weight * ZP[row + k];
    }
    return Math.sqrt(dotRow(g, 0, g, r)) - kappa * this.#need;
  }
}
