import { gemm } from "./gemm";
import { at } from "./simd";
import { axpy, dot } from "./vector";

/** Orders up to this are solved by plain loops; larger ones are halved, so that gemm does most of the work. */
const LEAF = 16;

/** Half of n, rounded up to a multiple of the register tile. */
// @ts-ignore: decorator
@inline
function half(n: i32): i32 {
  return ((n >> 1) + 3) & ~3;
}

/**
 * Recursive Cholesky of the lower triangle of an n x n block, on one thread. Returns 0, or the index (from 1) of the
 * pivot that is not positive. The strict upper triangle is overwritten.
 */
export function choleskyBlock(n: i32, a: usize, lda: i32, work: usize): i32 {
  if (n > LEAF) {
    const top = half(n);
    const rest = n - top;
    const below = at(a, lda, top, 0);
    const corner = at(a, lda, top, top);
    const failed = choleskyBlock(top, a, lda, work);
    if (failed) return failed;
    solveRows(rest, top, a, lda, below, lda, work);
    gemm(false, true, rest, rest, top, -1, below, lda, below, lda, 1, corner, lda, work);
    const second = choleskyBlock(rest, corner, lda, work);
    return second ? top + second : 0;
  }
  for (let i = 0; i < n; i++) {
    const row = at(a, lda, i, 0);
    for (let j = 0; j < i; j++) {
      const other = at(a, lda, j, 0);
      const to = row + (<usize>j << 3);
      store<f64>(to, (load<f64>(to) - dot(j, row, other)) / load<f64>(other + (<usize>j << 3)));
    }
    const diagonal = row + (<usize>i << 3);
    const pivot = load<f64>(diagonal) - dot(i, row, row);
    if (!(pivot > 0)) return i + 1;
    store<f64>(diagonal, sqrt(pivot));
  }
  return 0;
}

/** B (m x n) <- B L^{-T}, L lower triangular of order n. */
export function solveRows(m: i32, n: i32, l: usize, ldl: i32, b: usize, ldb: i32, work: usize): void {
  if (n > LEAF) {
    const left = half(n);
    const rest = n - left;
    const right = at(b, ldb, 0, left);
    solveRows(m, left, l, ldl, b, ldb, work);
    gemm(false, true, m, rest, left, -1, b, ldb, at(l, ldl, left, 0), ldl, 1, right, ldb, work);
    solveRows(m, rest, at(l, ldl, left, left), ldl, right, ldb, work);
    return;
  }
  for (let i = 0; i < m; i++) {
    const row = at(b, ldb, i, 0);
    for (let j = 0; j < n; j++) {
      const pivot = at(l, ldl, j, 0);
      const to = row + (<usize>j << 3);
      store<f64>(to, (load<f64>(to) - dot(j, row, pivot)) / load<f64>(pivot + (<usize>j << 3)));
    }
  }
}

/** b <- L^{-1} b, or L^{-T} b, for one contiguous right-hand side: runs along the rows of L. */
function solveVector(trans: bool, n: i32, l: usize, ldl: i32, b: usize): void {
  for (let count = 0; count < n; count++) {
    const i = trans ? n - 1 - count : count;
    const row = at(l, ldl, i, 0);
    const to = b + (<usize>i << 3);
    const pivot = load<f64>(row + (<usize>i << 3));
    if (trans) {
      const value = load<f64>(to) / pivot;
      store<f64>(to, value);
      axpy(i, -value, row, b);
    } else {
      store<f64>(to, (load<f64>(to) - dot(i, row, b)) / pivot);
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
    const below = at(b, ldb, top, 0);
    const coupling = at(l, ldl, top, 0);
    const corner = at(l, ldl, top, top);
    if (trans) {
      solveColumns(true, rest, nrhs, corner, ldl, below, ldb, work);
      gemm(true, false, top, nrhs, rest, -1, coupling, ldl, below, ldb, 1, b, ldb, work);
      solveColumns(true, top, nrhs, l, ldl, b, ldb, work);
    } else {
      solveColumns(false, top, nrhs, l, ldl, b, ldb, work);
      gemm(false, false, rest, nrhs, top, -1, coupling, ldl, b, ldb, 1, below, ldb, work);
      solveColumns(false, rest, nrhs, corner, ldl, below, ldb, work);
    }
    return;
  }
  for (let count = 0; count < n; count++) {
    const i = trans ? n - 1 - count : count;
    const row = at(b, ldb, i, 0);
    if (trans) {
      for (let k = i + 1; k < n; k++) axpy(nrhs, -load<f64>(at(l, ldl, k, i)), at(b, ldb, k, 0), row);
    } else {
      for (let k = 0; k < i; k++) axpy(nrhs, -load<f64>(at(l, ldl, i, k)), at(b, ldb, k, 0), row);
    }
    const pivot = load<f64>(at(l, ldl, i, i));
    for (let q = 0; q < nrhs; q++) {
      const to = row + (<usize>q << 3);
      store<f64>(to, load<f64>(to) / pivot);
    }
  }
}
