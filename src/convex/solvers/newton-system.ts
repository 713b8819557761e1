import type { Compute, Scope } from "../../compute/types.ts";
import type { NormTerm } from "./norm-terms.ts";

/** Rows of a symmetric product made at once. */
const PANEL = 128;
/** Added to each diagonal entry, relative to itself, so that Cholesky survives rounding. */
const RIDGE = 1e-15;

/** What the Newton system is made of; all arrays in kernel memory. */
export interface NewtonParts {
  readonly n: number;
  /** Coordinates a block. */
  readonly p: number;
  readonly m: number;
  /** F' = s_j D_j E stacked and transposed, (m p) x n. */
  readonly FT: Float64Array;
  /** Rows of the inequalities, n x p. */
  readonly rows: Float64Array;
  /** Whether a constant c0 borders the system. */
  readonly offset: boolean;
}

/**
 * The linear system of one interior-point iteration, (B + F'HF) x = r with B block diagonal,
 * B_j = rows' diag(weights_j) rows + N_j, and, with an offset, bordered by F'H1.
 *
 * Factored as an (m p) x (m p) matrix, or, when n is smaller, through B = LL' and the n x n matrix H^{-1} + T'T with
 * T = L^{-1} F' (Woodbury).
 */
export class NewtonSystem {
  readonly #compute: Compute;
  readonly #parts: NewtonParts;
  readonly #size: number;
  readonly #woodbury: boolean;
  readonly #dense: Float64Array;
  readonly #blocks: Float64Array;
  /** F'H, or T. */
  readonly #tall: Float64Array;
  readonly #weighted: Float64Array;
  readonly #column: Float64Array;
  readonly #solvedColumn: Float64Array;
  readonly #short: Float64Array;
  #curvatureSum = 0;

  constructor(compute: Compute, scope: Scope, parts: NewtonParts) {
    const { n, p, m } = parts;
    this.#compute = compute;
    this.#parts = parts;
    this.#size = m * p;
    this.#woodbury = this.#size > n;
    const order = this.#woodbury ? n : this.#size;
    this.#dense = scope.f64(order * order);
    this.#blocks = scope.f64(m * p * p);
    this.#tall = scope.f64(this.#size * n);
    this.#weighted = scope.f64(n * p);
    this.#column = scope.f64(parts.offset ? this.#size : 0);
    this.#solvedColumn = scope.f64(parts.offset ? this.#size : 0);
    this.#short = scope.f64(n);
  }

  /**
   * Factors the system for curvatures h (n), the blocks' norms, and inequality weights (m x n; null without
   * inequalities). False when it is not positive definite in f64.
   */
  factor(h: Float64Array, norms: readonly NormTerm[], weights: Float64Array | null): boolean {
    const { n, p, m, FT, offset } = this.#parts;
    const compute = this.#compute;
    const size = this.#size;
    const dense = this.#dense;
    const tall = this.#tall;
    norms.forEach((norm, j) => {
      this.#formBlock(j, norm, weights === null ? null : weights.subarray(j * n, (j + 1) * n));
    });
    if (!this.#woodbury) {
      for (let row = 0; row < size; row++) for (let i = 0; i < n; i++) tall[row * n + i] = FT[row * n + i] * h[i];
      this.#lowerProduct(false, size, n, tall, FT);
      for (let j = 0; j < m; j++) {
        const B = this.#block(j);
        for (let r = 0; r < p; r++) for (let c = 0; c < p; c++) dense[(j * p + r) * size + j * p + c] += B[r * p + c];
      }
      if (compute.cholesky(size, dense, size) !== 0) return false;
    } else {
      tall.set(FT);
      for (let j = 0; j < m; j++) {
        if (compute.cholesky(p, this.#block(j), p) !== 0) return false;
        compute.solveLower(false, p, n, this.#block(j), p, tall.subarray(j * p * n, (j + 1) * p * n), n);
      }
      this.#lowerProduct(true, n, size, tall, tall);
      for (let i = 0; i < n; i++) dense[i * n + i] += 1 / h[i];
      if (compute.cholesky(n, dense, n) !== 0) return false;
    }
    if (offset) {
      compute.gemv(false, size, n, 1, FT, n, h, 0, this.#column);
      this.#solvedColumn.set(this.#column);
      this.#solvePlain(this.#solvedColumn);
      this.#curvatureSum = 0;
      for (let i = 0; i < n; i++) this.#curvatureSum += h[i];
    }
    return true;
  }

  /** r <- x; returns the step of c0, whose own right-hand side is `constant` (0 without an offset). */
  solve(r: Float64Array, constant: number): number {
    this.#solvePlain(r);
    if (!this.#parts.offset) return 0;
    let residual = constant;
    let curvature = this.#curvatureSum;
    for (let k = 0; k < this.#size; k++) {
      residual -= this.#column[k] * r[k];
      curvature -= this.#column[k] * this.#solvedColumn[k];
    }
    const step = residual / curvature;
    for (let k = 0; k < this.#size; k++) r[k] -= step * this.#solvedColumn[k];
    return step;
  }

  #block(j: number): Float64Array {
    const { p } = this.#parts;
    return this.#blocks.subarray(j * p * p, (j + 1) * p * p);
  }

  #formBlock(j: number, norm: NormTerm, weights: Float64Array | null): void {
    const { n, p, rows } = this.#parts;
    const B = this.#block(j);
    if (weights === null) B.fill(0);
    else {
      const weighted = this.#weighted;
      for (let i = 0; i < n; i++) for (let k = 0; k < p; k++) weighted[i * p + k] = weights[i] * rows[i * p + k];
      this.#compute.gemm(true, false, p, p, n, 1, weighted, p, rows, p, 0, B, p);
    }
    norm.addSecondOrder(B, p);
    for (let k = 0; k < p; k++) B[k * p + k] *= 1 + RIDGE;
  }

  /** Lower triangle of the dense matrix <- A B' (or A'B), which is symmetric: by panels of rows, up to the diagonal. */
  #lowerProduct(transA: boolean, order: number, inner: number, A: Float64Array, B: Float64Array): void {
    const stride = this.#parts.n;
    for (let from = 0; from < order; from += PANEL) {
      const to = Math.min(order, from + PANEL);
      const panel = A.subarray(transA ? from : from * stride);
      const out = this.#dense.subarray(from * order);
      this.#compute.gemm(transA, !transA, to - from, to, inner, 1, panel, stride, B, stride, 0, out, order);
    }
  }

  /** r <- (B + F'HF)^{-1} r. */
  #solvePlain(r: Float64Array): void {
    const { n, p, m } = this.#parts;
    const compute = this.#compute;
    const size = this.#size;
    const dense = this.#dense;
    const short = this.#short;
    if (!this.#woodbury) {
      compute.solveLower(false, size, 1, dense, size, r, 1);
      compute.solveLower(true, size, 1, dense, size, r, 1);
      return;
    }
    const solveBlocks = (trans: boolean): void => {
      for (let j = 0; j < m; j++) {
        compute.solveLower(trans, p, 1, this.#block(j), p, r.subarray(j * p, (j + 1) * p), 1);
      }
    };
    solveBlocks(false);
    compute.gemv(true, size, n, 1, this.#tall, n, r, 0, short);
    compute.solveLower(false, n, 1, dense, n, short, 1);
    compute.solveLower(true, n, 1, dense, n, short, 1);
    compute.gemv(false, size, n, -1, this.#tall, n, short, 1, r);
    solveBlocks(true);
  }
}
