import type { Compute, Scope } from "../../compute/types.ts";
import type { BlockOperator } from "./block-operator.ts";
import type { NormTerm } from "./norm-terms.ts";
import { total } from "./vectors.ts";

/** Added to each diagonal entry, relative to itself: as little as Cholesky survives. */
const RIDGES = [1e-15, 1e-14, 1e-12];
/** Up to this many entries of a table of the products e_ik e_il, all blocks are formed by one product with it. */
const TABLE = 8e6;

/**
 * The linear system of one interior-point iteration in the steps x of the blocks (m x p) and dv of the dual point (n),
 *
 *   B x - F'dv = r,   F x + H^{-1} dv = g,
 *
 * with B block diagonal and H = diag(h); dv_i = 0 where h_i = 0.
 */
export interface NewtonSystem {
  /**
   * Factors the system for curvatures h (n), the blocks' norms, and inequality weights (m x n; null without
   * inequalities). False when it is not positive definite in f64.
   */
  factor(h: Float64Array, norms: readonly NormTerm[], weights: Float64Array | null): boolean;
  /** r (m x p) <- x, g (n) <- dv; a rough solution will do unless `exact`. */
  solve(r: Float64Array, g: Float64Array, exact: boolean): void;
}

/**
 * B_j = rows' diag(weights_j) rows + N_j with the unit rows of the inequalities. Factored as an (m p) x (m p) matrix, or,
 * when n is smaller, through B = LL' and the n x n matrix I + T'T with T = L^{-1} F' H^{1/2} (Woodbury).
 */
export class ConeSystem implements NewtonSystem {
  readonly #compute: Compute;
  readonly #F: BlockOperator;
  readonly #rows: Float64Array;
  readonly #size: number;
  readonly #woodbury: boolean;
  readonly #dense: Float64Array;
  readonly #blocks: Float64Array;
  /** F'H^{1/2}, or T. */
  readonly #tall: Float64Array;
  /** e_ik e_il for l <= k, n x p (p + 1) / 2, and the blocks made with it; empty when that would be large. */
  readonly #table: Float64Array;
  readonly #packed: Float64Array;
  readonly #weighted: Float64Array;
  readonly #short: Float64Array;
  /** H^{1/2}. */
  readonly #root: Float64Array;

  /**
   * `rows` are the rows of the inequalities, n x p, in kernel memory. `unbounded` says that curvatures may grow without
   * limit: then only the n x n form keeps its digits.
   */
  constructor(compute: Compute, scope: Scope, F: BlockOperator, rows: Float64Array, unbounded: boolean) {
    const { n, p, m } = F;
    this.#compute = compute;
    this.#F = F;
    this.#rows = rows;
    this.#size = m * p;
    this.#woodbury = unbounded || this.#size > n;
    const order = this.#woodbury ? n : this.#size;
    this.#dense = scope.f64(order * order);
    this.#blocks = scope.f64(m * p * p);
    this.#tall = scope.f64(this.#size * n);
    this.#short = scope.f64(n);
    this.#root = new Float64Array(n);
    const pairs = (p * (p + 1)) / 2;
    const tabled = n * pairs <= TABLE;
    this.#table = scope.f64(tabled ? n * pairs : 0);
    this.#packed = scope.f64(tabled ? m * pairs : 0);
    this.#weighted = scope.f64(tabled ? 0 : n * p);
    for (let i = 0, at = 0; tabled && i < n; i++) {
      for (let k = 0; k < p; k++) for (let l = 0; l <= k; l++) this.#table[at++] = rows[i * p + k] * rows[i * p + l];
    }
  }

  factor(h: Float64Array, norms: readonly NormTerm[], weights: Float64Array | null): boolean {
    return RIDGES.some((ridge) => this.#factor(h, norms, weights, ridge));
  }

  #factor(h: Float64Array, norms: readonly NormTerm[], weights: Float64Array | null, ridge: number): boolean {
    const { n, p, m, E, gates } = this.#F;
    const compute = this.#compute;
    const size = this.#size;
    const dense = this.#dense;
    const tall = this.#tall;
    const root = this.#root;
    for (let i = 0; i < n; i++) root[i] = Math.sqrt(h[i]);
    this.#formBlocks(norms, weights, ridge);
    for (let j = 0; j < m; j++) {
      for (let i = 0; i < n; i++) {
        const gate = gates[j * n + i] * root[i];
        for (let k = 0; k < p; k++) tall[(j * p + k) * n + i] = gate * E[i * p + k];
      }
    }
    if (!this.#woodbury) {
      compute.syrk(false, size, n, 1, tall, n, 0, dense, size);
      for (let j = 0; j < m; j++) {
        const B = this.#block(j);
        for (let r = 0; r < p; r++) for (let c = 0; c <= r; c++) dense[(j * p + r) * size + j * p + c] += B[r * p + c];
      }
      return compute.cholesky(size, dense, size) === 0;
    }
    for (let j = 0; j < m; j++) {
      if (compute.cholesky(p, this.#block(j), p) !== 0) return false;
      compute.solveLower(false, p, n, this.#block(j), p, tall.subarray(j * p * n, (j + 1) * p * n), n);
    }
    compute.syrk(true, n, size, 1, tall, n, 0, dense, n);
    for (let i = 0; i < n; i++) dense[i * n + i] = 1 + dense[i * n + i] * (1 + ridge);
    return compute.cholesky(n, dense, n) === 0;
  }

  solve(r: Float64Array, g: Float64Array): void {
    const { n, p, m } = this.#F;
    const compute = this.#compute;
    const size = this.#size;
    const dense = this.#dense;
    const tall = this.#tall;
    const short = this.#short;
    const root = this.#root;
    if (!this.#woodbury) {
      // (B + F'HF) x = r + F'H g, dv = H (g - F x)
      for (let i = 0; i < n; i++) short[i] = root[i] * g[i];
      compute.gemv(false, size, n, 1, tall, n, short, 1, r);
      compute.solveLower(false, size, 1, dense, size, r, 1);
      compute.solveLower(true, size, 1, dense, size, r, 1);
      compute.gemv(true, size, n, -1, tall, n, r, 1, short);
      for (let i = 0; i < n; i++) g[i] = root[i] * short[i];
      return;
    }
    const solveBlocks = (trans: boolean): void => {
      for (let j = 0; j < m; j++) {
        compute.solveLower(trans, p, 1, this.#block(j), p, r.subarray(j * p, (j + 1) * p), 1);
      }
    };
    // (I + T'T) s = H^{1/2} g - T'L^{-1} r, dv = H^{1/2} s, x = L^{-T} (L^{-1} r + T s): no product with H itself.
    solveBlocks(false);
    for (let i = 0; i < n; i++) short[i] = root[i] * g[i];
    compute.gemv(true, size, n, -1, tall, n, r, 1, short);
    compute.solveLower(false, n, 1, dense, n, short, 1);
    compute.solveLower(true, n, 1, dense, n, short, 1);
    compute.gemv(false, size, n, 1, tall, n, short, 1, r);
    solveBlocks(true);
    for (let i = 0; i < n; i++) g[i] = root[i] * short[i];
  }

  #block(j: number): Float64Array {
    const { p } = this.#F;
    return this.#blocks.subarray(j * p * p, (j + 1) * p * p);
  }

  /** The lower triangles of the B_j. */
  #formBlocks(norms: readonly NormTerm[], weights: Float64Array | null, ridge: number): void {
    const { n, p, m } = this.#F;
    const pairs = (p * (p + 1)) / 2;
    const tabled = this.#table.length > 0;
    if (weights !== null && tabled) {
      this.#compute.gemm(false, false, m, pairs, n, 1, weights, n, this.#table, pairs, 0, this.#packed, pairs);
    }
    norms.forEach((norm, j) => {
      const B = this.#block(j);
      B.fill(0);
      if (weights !== null && tabled) {
        for (let k = 0, at = j * pairs; k < p; k++) for (let l = 0; l <= k; l++) B[k * p + l] = this.#packed[at++];
      } else if (weights !== null) {
        const weighted = this.#weighted;
        for (let i = 0; i < n; i++) {
          const root = Math.sqrt(weights[j * n + i]);
          for (let k = 0; k < p; k++) weighted[i * p + k] = root * this.#rows[i * p + k];
        }
        this.#compute.syrk(true, p, n, 1, weighted, p, 0, B, p);
      }
      norm.addSecondOrder(B, p);
      for (let k = 0; k < p; k++) B[k * p + k] *= 1 + ridge;
    });
  }
}

/** A Newton system, with a free constant c in the predictions when there is an offset: F x + c 1, sum (v + dv) = 0. */
export class BorderedSystem {
  readonly #system: NewtonSystem;
  readonly #offset: boolean;
  /** The solution for r = 0, g = -1. */
  readonly #x: Float64Array;
  readonly #dv: Float64Array;
  #slope = 0;

  constructor(scope: Scope, F: BlockOperator, system: NewtonSystem, offset: boolean) {
    this.#system = system;
    this.#offset = offset;
    this.#x = scope.f64(offset ? F.m * F.p : 0);
    this.#dv = scope.f64(offset ? F.n : 0);
  }

  factor(h: Float64Array, norms: readonly NormTerm[], weights: Float64Array | null): boolean {
    if (!this.#system.factor(h, norms, weights)) return false;
    if (!this.#offset) return true;
    this.#x.fill(0);
    this.#dv.fill(-1);
    this.#system.solve(this.#x, this.#dv, true);
    this.#slope = total(this.#dv);
    return true;
  }

  /** r <- x, g <- dv; returns the step of the constant (0 without an offset). `v` is the current dual point. */
  solve(r: Float64Array, g: Float64Array, v: Float64Array, exact: boolean): number {
    this.#system.solve(r, g, exact);
    if (!this.#offset) return 0;
    const step = -(total(v) + total(g)) / this.#slope;
    for (let k = 0; k < r.length; k++) r[k] += step * this.#x[k];
    for (let i = 0; i < g.length; i++) g[i] += step * this.#dv[i];
    return step;
  }
}
