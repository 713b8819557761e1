import { FULL, gemm, interleave } from "./gemm";
import { fourAxpys } from "./gemv";
import { at, bytes, madd } from "./simd";
import { axpy, dot } from "./vector";

/** Orders up to this are solved directly; larger ones are halved, so that gemm does most of the work. */
const LEAF = 16;

/** Half of n, rounded up to a multiple of the register tile. */
// @ts-ignore: decorator
@inline
function half(n: i32): i32 {
  return ((n >> 1) + 3) & ~3;
}

/**
 * Recursive Cholesky of the lower triangle of an n x n block, on one thread; the strict upper triangle is left alone.
 * Returns 0, or the index (from 1) of the pivot that is not positive.
 */
export function choleskyBlock(n: i32, a: usize, lda: i32, work: usize): i32 {
  if (n <= LEAF) return choleskyLeaf(n, a, lda, work);
  const top = half(n);
  const rest = n - top;
  const below = at<f64>(a, lda, top, 0);
  const corner = at<f64>(a, lda, top, top);
  const failed = choleskyBlock(top, a, lda, work);
  if (failed) return failed;
  solveRows(rest, top, a, lda, below, lda, work);
  gemm<f64>(false, true, rest, rest, top, -1, below, lda, below, lda, 1, corner, lda, 0, work);
  const second = choleskyBlock(rest, corner, lda, work);
  return second ? top + second : 0;
}

/** One column after the other, each taken out of the rows below it; its entries stand in `column` meanwhile. */
function choleskyLeaf(n: i32, a: usize, lda: i32, column: usize): i32 {
  for (let j = 0; j < n; j++) {
    const pivot = load<f64>(at<f64>(a, lda, j, j));
    if (!(pivot > 0)) return j + 1;
    const root = sqrt(pivot);
    store<f64>(at<f64>(a, lda, j, j), root);
    for (let i = j + 1; i < n; i++) {
      const row = at<f64>(a, lda, i, 0);
      const factor = load<f64>(row + bytes<f64>(j)) / root;
      store<f64>(row + bytes<f64>(j), factor);
      store<f64>(column + bytes<f64>(i), factor);
      const minus = f64x2.splat(-factor);
      const end = bytes<f64>(i + 1);
      let k = bytes<f64>(j + 1);
      if ((end - k) & 8) {
        store<f64>(row + k, load<f64>(row + k) - factor * load<f64>(column + k));
        k += 8;
      }
      for (; k < end; k += 16) v128.store(row + k, madd<f64>(minus, v128.load(column + k), v128.load(row + k)));
    }
  }
  return 0;
}

/** Zeros above the diagonal. */
export function clearUpper(n: i32, a: usize, lda: i32): void {
  for (let i = 0; i < n; i++) memory.fill(at<f64>(a, lda, i, i + 1), 0, bytes<f64>(n - 1 - i));
}

/** B (m x n) <- B L^{-T}, L lower triangular of order n. */
export function solveRows(m: i32, n: i32, l: usize, ldl: i32, b: usize, ldb: i32, work: usize): void {
  if (n > LEAF) {
    const left = half(n);
    const rest = n - left;
    const right = at<f64>(b, ldb, 0, left);
    solveRows(m, left, l, ldl, b, ldb, work);
    gemm<f64>(false, true, m, rest, left, -1, b, ldb, at<f64>(l, ldl, left, 0), ldl, 1, right, ldb, FULL, work);
    solveRows(m, rest, at<f64>(l, ldl, left, left), ldl, right, ldb, work);
    return;
  }
  let i = 0;
  for (; i + 4 <= m; i += 4) solveFourRows(n, l, ldl, at<f64>(b, ldb, i, 0), bytes<f64>(ldb), work);
  for (; i < m; i++) {
    const row = at<f64>(b, ldb, i, 0);
    for (let j = 0; j < n; j++) {
      const pivot = at<f64>(l, ldl, j, 0);
      const to = row + bytes<f64>(j);
      store<f64>(to, (load<f64>(to) - dot<f64>(j, row, pivot)) / load<f64>(pivot + bytes<f64>(j)));
    }
  }
}

/** solveRows for four rows at `b`, `step` bytes apart, side by side in the lanes; `packed` takes 4 n numbers. */
function solveFourRows(n: i32, l: usize, ldl: i32, b: usize, step: usize, packed: usize): void {
  interleave<f64>(n, b, step, packed, 32);
  for (let j = 0; j < n; j++) {
    const to = packed + (<usize>j << 5);
    let pivot = at<f64>(l, ldl, j, 0);
    let s0 = v128.load(to);
    let s1 = v128.load(to, 16);
    // Two sums for each half, so that an addition need not wait for the one before.
    let t0 = f64x2.splat(0);
    let t1 = t0;
    let from = packed;
    const pairs = packed + (<usize>(j & ~1) << 5);
    for (; from < pairs; from += 64) {
      const l0 = f64x2.neg(v128.load64_splat(pivot));
      const l1 = f64x2.neg(v128.load64_splat(pivot, 8));
      s0 = madd<f64>(l0, v128.load(from), s0);
      s1 = madd<f64>(l0, v128.load(from, 16), s1);
      t0 = madd<f64>(l1, v128.load(from, 32), t0);
      t1 = madd<f64>(l1, v128.load(from, 48), t1);
      pivot += 16;
    }
    if (j & 1) {
      const l0 = f64x2.neg(v128.load64_splat(pivot));
      s0 = madd<f64>(l0, v128.load(from), s0);
      s1 = madd<f64>(l0, v128.load(from, 16), s1);
      pivot += 8;
    }
    const divisor = v128.load64_splat(pivot);
    const x0 = f64x2.div(f64x2.add(s0, t0), divisor);
    const x1 = f64x2.div(f64x2.add(s1, t1), divisor);
    v128.store(to, x0);
    v128.store(to, x1, 16);
    const column = b + bytes<f64>(j);
    v128.store64_lane(column, x0, 0);
    v128.store64_lane(column + step, x0, 1);
    v128.store64_lane(column + 2 * step, x1, 0);
    v128.store64_lane(column + 3 * step, x1, 1);
  }
}

/** b <- L^{-1} b, or L^{-T} b, for one contiguous right-hand side: runs along the rows of L. */
function solveVector(trans: bool, n: i32, l: usize, ldl: i32, b: usize): void {
  for (let count = 0; count < n; count++) {
    const i = trans ? n - 1 - count : count;
    const row = at<f64>(l, ldl, i, 0);
    const to = b + (<usize>i << 3);
    const pivot = load<f64>(row + (<usize>i << 3));
    if (trans) {
      const value = load<f64>(to) / pivot;
      store<f64>(to, value);
      axpy<f64>(i, -value, row, b);
    } else {
      store<f64>(to, (load<f64>(to) - dot<f64>(i, row, b)) / pivot);
    }
  }
}

/** B (n x nrhs) <- L^{-1} B, or L^{-T} B when `trans`, on one thread. */
export function solveColumns(trans: bool, n: i32, nrhs: i32, l: usize, ldl: i32, b: usize, ldb: i32, work: usize): void {
  if (nrhs == 1 && ldb == 1) {
    solveVector(trans, n, l, ldl, b);
    return;
  }
  if (n > LEAF) {
    const top = half(n);
    const rest = n - top;
    const below = at<f64>(b, ldb, top, 0);
    const coupling = at<f64>(l, ldl, top, 0);
    const corner = at<f64>(l, ldl, top, top);
    if (trans) {
      solveColumns(true, rest, nrhs, corner, ldl, below, ldb, work);
      gemm<f64>(true, false, top, nrhs, rest, -1, coupling, ldl, below, ldb, 1, b, ldb, FULL, work);
      solveColumns(true, top, nrhs, l, ldl, b, ldb, work);
    } else {
      solveColumns(false, top, nrhs, l, ldl, b, ldb, work);
      gemm<f64>(false, false, rest, nrhs, top, -1, coupling, ldl, b, ldb, 1, below, ldb, FULL, work);
      solveColumns(false, rest, nrhs, corner, ldl, below, ldb, work);
    }
    return;
  }
  const factors = work;
  for (let count = 0; count < n; count++) {
    // The rows solved so far: those above, or below.
    const i = trans ? n - 1 - count : count;
    const first = trans ? i + 1 : 0;
    const row = at<f64>(b, ldb, i, 0);
    for (let k = 0; k < count; k++) {
      const entry = trans ? at<f64>(l, ldl, first + k, i) : at<f64>(l, ldl, i, k);
      store<f64>(factors + bytes<f64>(k), -load<f64>(entry));
    }
    let k = 0;
    for (; k + 4 <= count; k += 4) {
      fourAxpys<f64>(nrhs, factors + bytes<f64>(k), at<f64>(b, ldb, first + k, 0), bytes<f64>(ldb), row);
    }
    for (; k < count; k++) axpy<f64>(nrhs, load<f64>(factors + bytes<f64>(k)), at<f64>(b, ldb, first + k, 0), row);
    divide(nrhs, load<f64>(at<f64>(l, ldl, i, i)), row);
  }
}

/** x <- x / by. */
function divide(n: i32, by: f64, x: usize): void {
  const divisor = f64x2.splat(by);
  const even = bytes<f64>(n & ~1);
  for (let i: usize = 0; i < even; i += 16) v128.store(x + i, f64x2.div(v128.load(x + i), divisor));
  if (n & 1) store<f64>(x + even, load<f64>(x + even) / by);
}
