import { type Arithmetic, fillTriangle, type ReflectorBlock, reflector, reflectRows, transpose } from "./reflectors.ts";
import { requireMatrix } from "./shapes.ts";
import type { Scope } from "./types.ts";

/** Reflectors that are applied together. */
const PANEL = 32;

/** A P = Q R of an m x n matrix, k = min(m, n): Q orthogonal, R upper trapezoidal. The arrays live in the caller's scope. */
export interface QrFactors {
  readonly rows: number;
  readonly cols: number;
  /** R^T, n x k, lower trapezoidal with zeros above its diagonal, rows {@link distance} apart. */
  readonly lower: Float64Array;
  readonly distance: number;
  /** Column j of A P is column `permutation[j]` of A. */
  readonly permutation: Uint32Array;
  /** Q = B_0 B_1 ...; block b acts on the entries from {@link PANEL} b on. */
  readonly blocks: readonly ReflectorBlock[];
}

/** The k x m reflectors of a factorization in panels, zero left of their diagonal. */
function reflectorBlocks(scope: Scope, m: number, n: number): ReflectorBlock[] {
  const k = Math.min(m, n);
  return Array.from({ length: Math.ceil(k / PANEL) }, (_, b) => {
    const count = Math.min(PANEL, k - b * PANEL);
    const length = m - b * PANEL;
    return { count, length, v: scope.f64(count * length), distance: length, t: scope.f64(count * count) };
  });
}

/** Replaces the transposed factored matrix by R^T: zeros above the diagonal. */
function clearReflectors(m: number, n: number, lower: Float64Array): void {
  for (let j = 0; j < Math.min(m, n); j++) lower.fill(0, j * m + j + 1, (j + 1) * m);
}

/**
 * Householder QR of the m x n matrix `a` (rows `lda` apart, not changed), in panels. A column with an entry that is not
 * finite makes what follows NaN. Source: Golub and Van Loan, Matrix Computations, 4th ed., section 5.2.3.
 */
export function factorQr(
  arithmetic: Arithmetic,
  scope: Scope,
  m: number,
  n: number,
  a: Float64Array,
  lda: number,
): QrFactors {
  requireMatrix("factorQr", "A", m, n, a, lda);
  // Transposed, so that columns are contiguous.
  const lower = scope.f64(n * m);
  transpose(m, n, a, lda, lower, m);
  const blocks = reflectorBlocks(scope, m, n);
  arithmetic.scope((workspace) => {
    const products = workspace.f64(PANEL);
    const tau = new Float64Array(PANEL);
    blocks.forEach((block, b) => {
      const start = b * PANEL;
      const end = start + block.count;
      // 1. The panel, one column after the other.
      for (let j = start; j < end; j++) {
        const length = m - j;
        const v = lower.subarray(j * m + j, (j + 1) * m);
        const made = reflector(arithmetic, length, v);
        tau[j - start] = made.tau;
        block.v.set(v, (j - start) * block.distance + j - start);
        const others = end - j - 1;
        if (others > 0 && made.tau !== 0) {
          const rest = lower.subarray((j + 1) * m + j);
          arithmetic.gemv(false, others, length, made.tau, rest, m, v, 0, products);
          arithmetic.gemm(false, false, others, length, 1, -1, products, 1, v, length, 1, rest, m);
        }
        v[0] = made.image;
      }
      // 2. The columns to the right of it.
      fillTriangle(arithmetic, block, tau);
      if (end < n) reflectRows(arithmetic, false, n - end, lower.subarray(end * m + start), m, block);
    });
  });
  clearReflectors(m, n, lower);
  return { rows: m, cols: n, lower, distance: m, permutation: Uint32Array.from({ length: n }, (_, j) => j), blocks };
}

function swapRows(a: Float64Array, distance: number, length: number, i: number, j: number): void {
  const kept = a.slice(i * distance, i * distance + length);
  a.copyWithin(i * distance, j * distance, j * distance + length);
  a.set(kept, j * distance);
}

/** A downdated squared norm that lost this part of itself to cancellation is computed again. */
const CANCELLATION = Math.sqrt(Number.EPSILON);

/**
 * Householder QR with column pivoting: each step takes the remaining column of largest norm, so |R_00| >= |R_11| >= ...
 * up to rounding. `a` is not changed.
 * Source: Quintana-Orti, Sun and Bischof, A BLAS-3 version of the QR factorization with column pivoting, 1998.
 */
export function factorPivotedQr(
  arithmetic: Arithmetic,
  scope: Scope,
  m: number,
  n: number,
  a: Float64Array,
  lda: number,
): QrFactors {
  requireMatrix("factorPivotedQr", "A", m, n, a, lda);
  const k = Math.min(m, n);
  const lower = scope.f64(n * m);
  transpose(m, n, a, lda, lower, m);
  const blocks = reflectorBlocks(scope, m, n);
  const tau = new Float64Array(k);
  const permutation = Uint32Array.from({ length: n }, (_, j) => j);
  const columnNorm = (j: number, from: number): number =>
    from === m ? 0 : arithmetic.norm2(m - from, lower.subarray(j * m + from, (j + 1) * m));
  // Norms of the remaining columns: downdated, and as last computed.
  const norms = Float64Array.from({ length: n }, (_, j) => columnNorm(j, 0));
  const exact = norms.slice();

  arithmetic.scope((workspace) => {
    // The updated columns are A^T - F^T V: row q of `v` and of `f` belong to reflector q of the panel.
    const v = workspace.f64(PANEL * m);
    const f = workspace.f64(PANEL * n);
    const coefficients = workspace.f64(PANEL);
    const update = workspace.f64(n);
    for (let start = 0; start < k; ) {
      const stale: number[] = [];
      let j = start;
      for (; j < k && j < start + PANEL && stale.length === 0; j++) {
        const done = j - start;
        // 1. Swap in the column of largest norm.
        let pivot = j;
        for (let c = j + 1; c < n; c++) if (norms[c]! > norms[pivot]!) pivot = c;
        if (pivot !== j) {
          swapRows(lower, m, m, pivot, j);
          for (let q = 0; q < done; q++) {
            const kept = f[q * n + pivot]!;
            f[q * n + pivot] = f[q * n + j]!;
            f[q * n + j] = kept;
          }
          [permutation[pivot], permutation[j]] = [permutation[j]!, permutation[pivot]!];
          norms[pivot] = norms[j]!;
          exact[pivot] = exact[j]!;
        }
        // 2. Bring it up to date and reflect it.
        const length = m - j;
        const column = lower.subarray(j * m + j, (j + 1) * m);
        for (let q = 0; q < done; q++) coefficients[q] = f[q * n + j]!;
        arithmetic.gemv(true, done, length, -1, v.subarray(j), m, coefficients, 1, column);
        const made = reflector(arithmetic, length, column);
        tau[j] = made.tau;
        v.fill(0, done * m, done * m + j);
        v.set(column, done * m + j);
        const block = blocks[Math.floor(j / PANEL)]!;
        const inside = j % PANEL;
        block.v.set(column, inside * block.distance + inside);
        // 3. Row j of F: tau A^T v with A brought up to date.
        const others = n - j - 1;
        const row = f.subarray(done * n + j + 1, (done + 1) * n);
        if (others > 0) {
          arithmetic.gemv(false, others, length, made.tau, lower.subarray((j + 1) * m + j), m, column, 0, row);
          arithmetic.gemv(false, done, length, made.tau, v.subarray(j), m, column, 0, coefficients);
          arithmetic.gemv(true, done, others, -1, f.subarray(j + 1), n, coefficients, 1, row);
        }
        column[0] = made.image;
        // 4. Row j of R, and the norms without it.
        for (let q = 0; q <= done; q++) coefficients[q] = v[q * m + j]!;
        if (others > 0) arithmetic.gemv(true, done + 1, others, 1, f.subarray(j + 1), n, coefficients, 0, update);
        for (let c = j + 1; c < n; c++) {
          const at = c * m + j;
          lower[at] = lower[at]! - update[c - j - 1]!;
          if (norms[c] === 0) continue;
          const left = Math.max(0, 1 - (lower[at]! / norms[c]!) ** 2);
          if (left * (norms[c]! / exact[c]!) ** 2 <= CANCELLATION) stale.push(c);
          else norms[c] = norms[c]! * Math.sqrt(left);
        }
      }
      // 5. The columns to the right of the panel.
      const count = j - start;
      if (j < n && j < m) {
        const rest = lower.subarray(j * m + j);
        arithmetic.gemm(true, false, n - j, m - j, count, -1, f.subarray(j), n, v.subarray(j), m, 1, rest, m);
      }
      for (const c of stale) {
        norms[c] = columnNorm(c, j);
        exact[c] = norms[c]!;
      }
      start = j;
    }
  });
  clearReflectors(m, n, lower);
  blocks.forEach((block, b) => {
    fillTriangle(arithmetic, block, tau.subarray(b * PANEL));
  });
  return { rows: m, cols: n, lower, distance: m, permutation, blocks };
}

/** X <- X Q, or X Q^T when `trans`; X is count x m with rows `ldx` apart. */
export function multiplyRowsByQ(
  arithmetic: Arithmetic,
  factors: QrFactors,
  trans: boolean,
  count: number,
  x: Float64Array,
  ldx: number,
): void {
  const { blocks } = factors;
  for (let step = 0; step < blocks.length; step++) {
    const b = trans ? blocks.length - 1 - step : step;
    reflectRows(arithmetic, trans, count, x.subarray(b * PANEL), ldx, blocks[b]!);
  }
}

/** B <- Q B, or Q^T B when `trans`; B is m x nrhs with rows `ldb` apart. */
export function multiplyByQ(
  arithmetic: Arithmetic,
  factors: QrFactors,
  trans: boolean,
  nrhs: number,
  b: Float64Array,
  ldb: number,
): void {
  const { rows } = factors;
  requireMatrix("multiplyByQ", "B", rows, nrhs, b, ldb);
  arithmetic.scope((scope) => {
    const transposed = scope.f64(nrhs * rows);
    transpose(rows, nrhs, b, ldb, transposed, rows);
    multiplyRowsByQ(arithmetic, factors, !trans, nrhs, transposed, rows);
    transpose(nrhs, rows, transposed, rows, b, ldb);
  });
}

/** `q` (m x k, rows `ldq` apart) <- the first k columns of Q. */
export function thinQ(arithmetic: Arithmetic, factors: QrFactors, q: Float64Array, ldq: number): void {
  const { rows, cols, blocks } = factors;
  const k = Math.min(rows, cols);
  requireMatrix("thinQ", "Q", rows, k, q, ldq);
  arithmetic.scope((scope) => {
    const transposed = scope.f64(k * rows);
    for (let i = 0; i < k; i++) transposed[i * rows + i] = 1;
    for (let b = blocks.length - 1; b >= 0; b--) {
      // Unit vectors before the block are not moved by it, nor by those behind it.
      const start = b * PANEL;
      reflectRows(arithmetic, true, k - start, transposed.subarray(start * rows + start), rows, blocks[b]!);
    }
    transpose(k, rows, transposed, rows, q, ldq);
  });
}

/**
 * Numerical rank of a matrix from its pivoted QR: the diagonal entries of R above `tolerance` times the first one
 * (default: max(m, n) machine epsilon). An entry that is NaN counts.
 */
export function qrRank(
  factors: QrFactors,
  tolerance: number = Math.max(factors.rows, factors.cols) * Number.EPSILON,
): number {
  const { rows, cols, lower, distance } = factors;
  const threshold = tolerance * Math.abs(lower[0] ?? 0);
  let rank = 0;
  while (rank < Math.min(rows, cols) && !(Math.abs(lower[rank * distance + rank]!) <= threshold)) rank += 1;
  return rank;
}

/**
 * X (n x nrhs) <- the minimizer of ||A X - B||_F, of smallest norm where there are several, for A m x n and B m x nrhs
 * (neither is changed); returns the rank of A that was used, at relative `tolerance` (as in {@link qrRank}).
 *
 * Complete orthogonal decomposition. Source: Golub and Van Loan, Matrix Computations, 4th ed., section 5.5.2.
 */
export function leastSquares(
  arithmetic: Arithmetic,
  m: number,
  n: number,
  a: Float64Array,
  lda: number,
  nrhs: number,
  b: Float64Array,
  ldb: number,
  x: Float64Array,
  ldx: number,
  tolerance?: number,
): number {
  requireMatrix("leastSquares", "B", m, nrhs, b, ldb);
  requireMatrix("leastSquares", "X", n, nrhs, x, ldx);
  return arithmetic.scope((scope) => {
    // 1. A P = Q R and C = Q^T B.
    const factors = factorPivotedQr(arithmetic, scope, m, n, a, lda);
    const rank = qrRank(factors, tolerance);
    const rhs = scope.f64(m * nrhs);
    for (let i = 0; i < m; i++) rhs.set(b.subarray(i * ldb, i * ldb + nrhs), i * nrhs);
    multiplyByQ(arithmetic, factors, true, nrhs, rhs, nrhs);
    const solution = scope.f64(n * nrhs);
    solution.set(rhs.subarray(0, rank * nrhs));
    // 2. Solve with the first `rank` rows of R; they are wide when the rank is not full, and their own QR makes the
    // solution of smallest norm.
    if (rank === n) arithmetic.solveLower(true, rank, nrhs, factors.lower, m, solution, nrhs);
    else if (rank > 0) {
      const second = factorQr(arithmetic, scope, n, rank, factors.lower, m);
      arithmetic.solveLower(false, rank, nrhs, second.lower, n, solution, nrhs);
      multiplyByQ(arithmetic, second, false, nrhs, solution, nrhs);
    }
    // 3. Undo the permutation.
    for (let j = 0; j < n; j++) {
      x.set(solution.subarray(j * nrhs, (j + 1) * nrhs), factors.permutation[j]! * ldx);
    }
    return rank;
  });
}
