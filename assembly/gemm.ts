import { at, madd } from "./simd";
import { scale } from "./vector";

/**
 * Blocking: a packed KC x 4 panel of B stays in the first-level cache, a packed MC x KC block of A in the second, a
 * packed KC x NC block of B in the third. The register tile is 4 x 4: eight f64x2 accumulators of the sixteen registers.
 */
const MC = 128;
const KC = 256;
const NC = 1024;

/** Bytes that one thread needs for its packed blocks and an edge tile. */
export function gemmWorkBytes(): usize {
  return ((MC * KC + KC * NC) << 3) + 128;
}

/**
 * Packs `count` rows (or columns) of `depth` entries into panels of four, padded with zeros: panel q holds, for each
 * p < depth, the entries p of its four rows next to each other.
 * @param along entry (i, p) is at p ld + i when true, at i ld + p otherwise
 */
function pack(along: bool, count: i32, depth: i32, source: usize, ld: i32, target: usize): void {
  const step = <usize>ld << 3;
  for (let i = 0; i < count; i += 4) {
    const rows = min(4, count - i);
    if (along) {
      let from = source + (<usize>i << 3);
      if (rows == 4) {
        for (let p = 0; p < depth; p++) {
          v128.store(target, v128.load(from));
          v128.store(target, v128.load(from, 16), 16);
          from += step;
          target += 32;
        }
      } else {
        for (let p = 0; p < depth; p++) {
          for (let r = 0; r < 4; r++) {
            store<f64>(target + (<usize>r << 3), r < rows ? load<f64>(from + (<usize>r << 3)) : 0);
          }
          from += step;
          target += 32;
        }
      }
    } else {
      const r0 = source + <usize>i * step;
      if (rows == 4) {
        const r1 = r0 + step;
        const r2 = r1 + step;
        const r3 = r2 + step;
        const end2 = <usize>(depth & ~1) << 3;
        let p: usize = 0;
        for (; p < end2; p += 16) {
          const v0 = v128.load(r0 + p);
          const v1 = v128.load(r1 + p);
          const v2 = v128.load(r2 + p);
          const v3 = v128.load(r3 + p);
          v128.store(target, v128.shuffle<f64>(v0, v1, 0, 2));
          v128.store(target, v128.shuffle<f64>(v2, v3, 0, 2), 16);
          v128.store(target, v128.shuffle<f64>(v0, v1, 1, 3), 32);
          v128.store(target, v128.shuffle<f64>(v2, v3, 1, 3), 48);
          target += 64;
        }
        if (depth & 1) {
          store<f64>(target, load<f64>(r0 + p));
          store<f64>(target, load<f64>(r1 + p), 8);
          store<f64>(target, load<f64>(r2 + p), 16);
          store<f64>(target, load<f64>(r3 + p), 24);
          target += 32;
        }
      } else {
        for (let p = 0; p < depth; p++) {
          for (let r = 0; r < 4; r++) {
            const from = r0 + <usize>r * step + (<usize>p << 3);
            store<f64>(target + (<usize>r << 3), r < rows ? load<f64>(from) : 0);
          }
          target += 32;
        }
      }
    }
  }
}

/** The 4 x 4 tile: C <- C + alpha A B over one packed panel of each. `c` has rows `step` bytes apart. */
function tile(depth: i32, alpha: f64, a: usize, b: usize, c: usize, step: usize): void {
  let c00 = f64x2.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  const end = a + (<usize>depth << 5);
  while (a < end) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const a0 = v128.load64_splat(a);
    c00 = madd(a0, b0, c00);
    c01 = madd(a0, b1, c01);
    const a1 = v128.load64_splat(a, 8);
    c10 = madd(a1, b0, c10);
    c11 = madd(a1, b1, c11);
    const a2 = v128.load64_splat(a, 16);
    c20 = madd(a2, b0, c20);
    c21 = madd(a2, b1, c21);
    const a3 = v128.load64_splat(a, 24);
    c30 = madd(a3, b0, c30);
    c31 = madd(a3, b1, c31);
    a += 32;
    b += 32;
  }
  const s = f64x2.splat(alpha);
  v128.store(c, madd(s, c00, v128.load(c)));
  v128.store(c, madd(s, c01, v128.load(c, 16)), 16);
  c += step;
  v128.store(c, madd(s, c10, v128.load(c)));
  v128.store(c, madd(s, c11, v128.load(c, 16)), 16);
  c += step;
  v128.store(c, madd(s, c20, v128.load(c)));
  v128.store(c, madd(s, c21, v128.load(c, 16)), 16);
  c += step;
  v128.store(c, madd(s, c30, v128.load(c)));
  v128.store(c, madd(s, c31, v128.load(c, 16)), 16);
}

/** A tile that hangs over the edge of C: computed beside it, then the `rows` x `cols` part is added. */
function edgeTile(depth: i32, alpha: f64, a: usize, b: usize, c: usize, step: usize, rows: i32, cols: i32, spare: usize): void {
  memory.fill(spare, 0, 128);
  tile(depth, alpha, a, b, spare, 32);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) {
      const to = c + <usize>i * step + (<usize>j << 3);
      store<f64>(to, load<f64>(to) + load<f64>(spare + (<usize>(i * 4 + j) << 3)));
    }
  }
}

/**
 * C <- alpha op(A) op(B) + beta C on one thread; `work` has gemmWorkBytes(). An entry of C comes from the same
 * operations in the same order whichever part of C (cut at multiples of 4) it is computed in. alpha = 0 reads neither
 * A nor B, as in BLAS.
 */
export function gemm(
  transA: bool,
  transB: bool,
  m: i32,
  n: i32,
  k: i32,
  alpha: f64,
  a: usize,
  lda: i32,
  b: usize,
  ldb: i32,
  beta: f64,
  c: usize,
  ldc: i32,
  work: usize,
): void {
  if (beta != 1) for (let i = 0; i < m; i++) scale(n, beta, at(c, ldc, i, 0));
  if (alpha == 0) return;
  const packedA = work;
  const packedB = packedA + ((MC * KC) << 3);
  const spare = packedB + ((KC * NC) << 3);
  const step = <usize>ldc << 3;
  for (let jc = 0; jc < n; jc += NC) {
    const nc = min(NC, n - jc);
    for (let pc = 0; pc < k; pc += KC) {
      const kc = min(KC, k - pc);
      pack(!transB, nc, kc, transB ? at(b, ldb, jc, pc) : at(b, ldb, pc, jc), ldb, packedB);
      for (let ic = 0; ic < m; ic += MC) {
        const mc = min(MC, m - ic);
        pack(transA, mc, kc, transA ? at(a, lda, pc, ic) : at(a, lda, ic, pc), lda, packedA);
        for (let jr = 0; jr < nc; jr += 4) {
          const panelB = packedB + ((<usize>jr * <usize>kc) << 3);
          const cols = min(4, nc - jr);
          for (let ir = 0; ir < mc; ir += 4) {
            const panelA = packedA + ((<usize>ir * <usize>kc) << 3);
            const rows = min(4, mc - ir);
            const target = at(c, ldc, ic + ir, jc + jr);
            if (rows == 4 && cols == 4) tile(kc, alpha, panelA, panelB, target, step);
            else edgeTile(kc, alpha, panelA, panelB, target, step, rows, cols, spare);
          }
        }
      }
    }
  }
}
