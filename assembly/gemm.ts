import { at, bytes, loadSplat, madd } from "./simd";
import { scale } from "./vector";

/**
 * Blocking: a packed KC-deep panel of B stays in the first-level cache, a packed block of A in the second, a packed
 * block of B in the third; the figures are in bytes, so that an f32 block has twice as many entries. The register tile
 * is 4 rows x 32 bytes (4 x 4 in f64, 4 x 8 in f32): eight accumulators of the sixteen registers.
 */
const KC = 256;
const BLOCK_A = 128 * KC * 8;
const BLOCK_B = 1024 * KC * 8;
const TILE_ROWS = 4;
const TILE_BYTES = 32;

/** A band wide enough for any matrix: all of C is computed. */
export const FULL: i32 = i32.MAX_VALUE;

/** Columns of the register tile; cut C at multiples of it and of four rows, and its entries do not change. */
// @ts-ignore: decorator
@inline
export function tileCols<T extends number>(): i32 {
  return TILE_BYTES / <i32>sizeof<T>();
}

/** Bytes that one thread needs for its packed blocks and an edge tile. */
// @ts-ignore: decorator
@inline
export function gemmWorkBytes(): usize {
  return BLOCK_A + BLOCK_B + TILE_ROWS * TILE_BYTES;
}

/** Interleaves four rows of `depth` entries, `step` bytes apart: entries p go to target + p pitch. */
export function interleave<T extends number>(depth: i32, r0: usize, step: usize, target: usize, pitch: usize): void {
  const r1 = r0 + step;
  const r2 = r1 + step;
  const r3 = r2 + step;
  const whole = bytes<T>(depth) & ~15;
  const end = bytes<T>(depth);
  let p: usize = 0;
  for (; p < whole; p += 16) {
    const v0 = v128.load(r0 + p);
    const v1 = v128.load(r1 + p);
    const v2 = v128.load(r2 + p);
    const v3 = v128.load(r3 + p);
    if (sizeof<T>() == 8) {
      v128.store(target, v128.shuffle<f64>(v0, v1, 0, 2));
      v128.store(target, v128.shuffle<f64>(v2, v3, 0, 2), 16);
      target += pitch;
      v128.store(target, v128.shuffle<f64>(v0, v1, 1, 3));
      v128.store(target, v128.shuffle<f64>(v2, v3, 1, 3), 16);
      target += pitch;
    } else {
      const a = v128.shuffle<f32>(v0, v1, 0, 4, 1, 5);
      const b = v128.shuffle<f32>(v2, v3, 0, 4, 1, 5);
      const c = v128.shuffle<f32>(v0, v1, 2, 6, 3, 7);
      const d = v128.shuffle<f32>(v2, v3, 2, 6, 3, 7);
      v128.store(target, v128.shuffle<f32>(a, b, 0, 1, 4, 5));
      target += pitch;
      v128.store(target, v128.shuffle<f32>(a, b, 2, 3, 6, 7));
      target += pitch;
      v128.store(target, v128.shuffle<f32>(c, d, 0, 1, 4, 5));
      target += pitch;
      v128.store(target, v128.shuffle<f32>(c, d, 2, 3, 6, 7));
      target += pitch;
    }
  }
  for (; p < end; p += sizeof<T>()) {
    store<T>(target, load<T>(r0 + p));
    store<T>(target + sizeof<T>(), load<T>(r1 + p));
    store<T>(target + 2 * sizeof<T>(), load<T>(r2 + p));
    store<T>(target + 3 * sizeof<T>(), load<T>(r3 + p));
    target += pitch;
  }
}

/**
 * Packs `count` rows (or columns) of `depth` entries into panels of `width` (4, or 8 in f32), padded with zeros: panel
 * q holds, for each p < depth, the entries p of its rows next to each other.
 * @param along entry (i, p) is at p ld + i when true, at i ld + p otherwise
 */
function pack<T extends number>(along: bool, width: i32, count: i32, depth: i32, source: usize, ld: i32, target: usize): void {
  const step = bytes<T>(ld);
  const pitch = bytes<T>(width);
  const panel = <usize>depth * pitch;
  for (let i = 0; i < count; i += width) {
    const rows = min(width, count - i);
    if (rows < width) {
      const across = along ? sizeof<T>() : step;
      const down = along ? step : sizeof<T>();
      const corner = source + <usize>i * across;
      for (let p = 0; p < depth; p++) {
        const to = target + <usize>p * pitch;
        for (let r = 0; r < width; r++) {
          const value = r < rows ? load<T>(corner + <usize>r * across + <usize>p * down) : <T>0;
          store<T>(to + bytes<T>(r), value);
        }
      }
    } else if (along) {
      let from = source + bytes<T>(i);
      const end = target + panel;
      if (pitch == 16) {
        for (let to = target; to < end; to += 16) {
          v128.store(to, v128.load(from));
          from += step;
        }
      } else {
        for (let to = target; to < end; to += 32) {
          v128.store(to, v128.load(from));
          v128.store(to, v128.load(from, 16), 16);
          from += step;
        }
      }
    } else {
      for (let r = 0; r < width; r += 4) {
        interleave<T>(depth, source + <usize>(i + r) * step, step, target + bytes<T>(r), pitch);
      }
    }
    target += panel;
  }
}

/** The tile: C <- C + alpha A B over one packed panel of each. `c` has rows `step` bytes apart. */
function tile<T extends number>(depth: i32, alpha: T, a: usize, b: usize, c: usize, step: usize): void {
  let c00 = v128.splat<T>(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  const end = b + (<usize>depth << 5);
  while (b < end) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const a0 = loadSplat<T>(a);
    c00 = madd<T>(a0, b0, c00);
    c01 = madd<T>(a0, b1, c01);
    const a1 = sizeof<T>() == 8 ? v128.load64_splat(a, 8) : v128.load32_splat(a, 4);
    c10 = madd<T>(a1, b0, c10);
    c11 = madd<T>(a1, b1, c11);
    const a2 = sizeof<T>() == 8 ? v128.load64_splat(a, 16) : v128.load32_splat(a, 8);
    c20 = madd<T>(a2, b0, c20);
    c21 = madd<T>(a2, b1, c21);
    const a3 = sizeof<T>() == 8 ? v128.load64_splat(a, 24) : v128.load32_splat(a, 12);
    c30 = madd<T>(a3, b0, c30);
    c31 = madd<T>(a3, b1, c31);
    a += TILE_ROWS * sizeof<T>();
    b += TILE_BYTES;
  }
  const s = v128.splat<T>(alpha);
  v128.store(c, madd<T>(s, c00, v128.load(c)));
  v128.store(c, madd<T>(s, c01, v128.load(c, 16)), 16);
  c += step;
  v128.store(c, madd<T>(s, c10, v128.load(c)));
  v128.store(c, madd<T>(s, c11, v128.load(c, 16)), 16);
  c += step;
  v128.store(c, madd<T>(s, c20, v128.load(c)));
  v128.store(c, madd<T>(s, c21, v128.load(c, 16)), 16);
  c += step;
  v128.store(c, madd<T>(s, c30, v128.load(c)));
  v128.store(c, madd<T>(s, c31, v128.load(c, 16)), 16);
}

/**
 * A tile that hangs over an edge of C or over the band: computed beside it, then the entries (i, j) with i < rows,
 * j < cols and j - i <= band are added.
 */
function edgeTile<T extends number>(
  depth: i32,
  alpha: T,
  a: usize,
  b: usize,
  c: usize,
  step: usize,
  rows: i32,
  cols: i32,
  band: i32,
  spare: usize,
): void {
  memory.fill(spare, 0, TILE_ROWS * TILE_BYTES);
  tile<T>(depth, alpha, a, b, spare, TILE_BYTES);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols && j - i <= band; j++) {
      const to = c + <usize>i * step + bytes<T>(j);
      store<T>(to, <T>(load<T>(to) + load<T>(spare + <usize>(i * TILE_BYTES) + bytes<T>(j))));
    }
  }
}

/**
 * C <- alpha op(A) op(B) + beta C on one thread, only at the entries (i, j) with j - i <= `band`; `work` has
 * gemmWorkBytes(). An entry of C comes from the same operations in the same order whichever part of C (cut at multiples
 * of the tile) it is computed in. alpha = 0 reads neither A nor B, as in BLAS.
 */
export function gemm<T extends number>(
  transA: bool,
  transB: bool,
  m: i32,
  n: i32,
  k: i32,
  alpha: T,
  a: usize,
  lda: i32,
  b: usize,
  ldb: i32,
  beta: T,
  c: usize,
  ldc: i32,
  band: i32,
  work: usize,
): void {
  if (beta != 1) {
    for (let i = 0; i < m; i++) scale<T>(band == FULL ? n : min(n, i + band + 1), beta, at<T>(c, ldc, i, 0));
  }
  if (alpha == 0) return;
  const mcMost = BLOCK_A / (KC * <i32>sizeof<T>());
  const ncMost = BLOCK_B / (KC * <i32>sizeof<T>());
  const nr = tileCols<T>();
  const packedA = work;
  const packedB = packedA + BLOCK_A;
  const spare = packedB + BLOCK_B;
  const step = bytes<T>(ldc);
  for (let jc = 0; jc < n; jc += ncMost) {
    const nc = min(ncMost, n - jc);
    for (let pc = 0; pc < k; pc += KC) {
      const kc = min(KC, k - pc);
      pack<T>(!transB, nr, nc, kc, transB ? at<T>(b, ldb, jc, pc) : at<T>(b, ldb, pc, jc), ldb, packedB);
      for (let ic = 0; ic < m; ic += mcMost) {
        const mc = min(mcMost, m - ic);
        if (jc - (ic + mc - 1) > band) continue;
        pack<T>(transA, TILE_ROWS, mc, kc, transA ? at<T>(a, lda, pc, ic) : at<T>(a, lda, ic, pc), lda, packedA);
        for (let jr = 0; jr < nc; jr += nr) {
          const panelB = packedB + <usize>jr * bytes<T>(kc);
          const cols = min(nr, nc - jr);
          for (let ir = 0; ir < mc; ir += TILE_ROWS) {
            const rows = min(TILE_ROWS, mc - ir);
            // How far the tile's first row may reach to the right of the tile's first column.
            const reach = band == FULL ? FULL : band + (ic + ir) - (jc + jr);
            if (reach <= -rows) continue;
            const panelA = packedA + <usize>ir * bytes<T>(kc);
            const target = at<T>(c, ldc, ic + ir, jc + jr);
            if (rows == TILE_ROWS && cols == nr && reach >= nr - 1) tile<T>(kc, alpha, panelA, panelB, target, step);
            else edgeTile<T>(kc, alpha, panelA, panelB, target, step, rows, cols, reach, spare);
          }
        }
      }
    }
  }
}
