import { FULL, gemm, gemmWorkBytes } from "./gemm";
import { PAIR_BYTES } from "./pairs";
import { at, madd, sumLanes } from "./simd";

/**
 * Gated products by the method of four Russians: the sums of all 16 subsets of four vectors are tabulated once, and a
 * 0/1 combination of 32 vectors is then eight table rows added, whatever the bits are. Half of the multiplications of
 * the masked product are by zero and the others by one, so nothing is multiplied at all.
 *
 * A table holds 8 groups of 16 rows, each `width` (even) entries; columns are taken in chunks so that it stays in the
 * first-level cache.
 */
const CHUNK = 32;
const GROUP_ROWS = 16;
const TABLE_BYTES = (8 * GROUP_ROWS * CHUNK) << 3;
/** Behind the table: a row of zeros, then a square of 32 x 32 bits. */
const SQUARE_AT = TABLE_BYTES + (CHUNK << 3);
const GATED_BYTES = SQUARE_AT + 128;

/** Row and pattern block of activationPatterns. */
const SIGN_BLOCK = 128;

/** Bytes that one thread needs for any kernel of this module. */
// @ts-ignore: decorator
@inline
export function threadWorkBytes(): usize {
  return max(PAIR_BYTES, gemmWorkBytes() + max(GATED_BYTES, (SIGN_BLOCK * SIGN_BLOCK) << 3));
}

/** Stores the 16 subset sums of four vectors, `rowBytes` apart. */
// @ts-ignore: decorator
@inline
function storeSums(v0: v128, v1: v128, v2: v128, v3: v128, to: usize, rowBytes: usize): void {
  const s3 = f64x2.add(v0, v1);
  const s5 = f64x2.add(v0, v2);
  const s6 = f64x2.add(v1, v2);
  const s7 = f64x2.add(s3, v2);
  v128.store(to, f64x2.splat(0));
  v128.store((to += rowBytes), v0);
  v128.store((to += rowBytes), v1);
  v128.store((to += rowBytes), s3);
  v128.store((to += rowBytes), v2);
  v128.store((to += rowBytes), s5);
  v128.store((to += rowBytes), s6);
  v128.store((to += rowBytes), s7);
  v128.store((to += rowBytes), v3);
  v128.store((to += rowBytes), f64x2.add(v0, v3));
  v128.store((to += rowBytes), f64x2.add(v1, v3));
  v128.store((to += rowBytes), f64x2.add(s3, v3));
  v128.store((to += rowBytes), f64x2.add(v2, v3));
  v128.store((to += rowBytes), f64x2.add(s5, v3));
  v128.store((to += rowBytes), f64x2.add(s6, v3));
  v128.store(to + rowBytes, f64x2.add(s7, v3));
}

/**
 * Tabulates up to 32 vectors of `cols` entries at `source`, rows `ld` apart, each times its entry of `factors` (0:
 * unscaled). Missing vectors count as zero. Returns the number of groups, rounded up to half a table.
 */
function tabulate(count: i32, cols: i32, source: usize, ld: i32, factors: usize, table: usize, width: usize): i32 {
  const rowBytes = width << 3;
  const even = <usize>(cols & ~1) << 3;
  const zeros = table + TABLE_BYTES;
  memory.fill(zeros, 0, rowBytes);
  const groups = (count + 3) >> 2;
  for (let g = 0; g < groups; g++) {
    const base = table + <usize>(g * GROUP_ROWS) * rowBytes;
    const i = g << 2;
    const r0 = at<f64>(source, ld, i, 0);
    const r1 = i + 1 < count ? at<f64>(source, ld, i + 1, 0) : zeros;
    const r2 = i + 2 < count ? at<f64>(source, ld, i + 2, 0) : zeros;
    const r3 = i + 3 < count ? at<f64>(source, ld, i + 3, 0) : zeros;
    let f0 = f64x2.splat(1);
    let f1 = f0;
    let f2 = f0;
    let f3 = f0;
    if (factors) {
      const f = factors + (<usize>i << 3);
      f0 = v128.load64_splat(f);
      if (i + 1 < count) f1 = v128.load64_splat(f, 8);
      if (i + 2 < count) f2 = v128.load64_splat(f, 16);
      if (i + 3 < count) f3 = v128.load64_splat(f, 24);
    }
    for (let j: usize = 0; j < even; j += 16) {
      const v0 = f64x2.mul(f0, v128.load(r0 + j));
      const v1 = f64x2.mul(f1, v128.load(r1 + j));
      const v2 = f64x2.mul(f2, v128.load(r2 + j));
      const v3 = f64x2.mul(f3, v128.load(r3 + j));
      storeSums(v0, v1, v2, v3, base + j, rowBytes);
    }
    if (cols & 1) {
      const v0 = f64x2.mul(f0, v128.load64_zero(r0 + even));
      const v1 = f64x2.mul(f1, v128.load64_zero(r1 + even));
      const v2 = f64x2.mul(f2, v128.load64_zero(r2 + even));
      const v3 = f64x2.mul(f3, v128.load64_zero(r3 + even));
      storeSums(v0, v1, v2, v3, base + even, rowBytes);
    }
  }
  // A combination always adds a whole number of halves (four groups): point the missing groups at zeros.
  const padded = (groups + 3) & ~3;
  for (let g = groups; g < padded; g++) memory.fill(table + <usize>(g * GROUP_ROWS) * rowBytes, 0, rowBytes);
  return padded;
}

// @ts-ignore: decorator
@inline
function entry(table: usize, group: usize, bits: u32, rowBytes: usize): usize {
  return table + (group * GROUP_ROWS + ((bits >> <u32>(group << 2)) & 15)) * rowBytes;
}

/** Rows p of out (P x d) <- X^T (D_p r), for `from` <= p < `to`. */
export function gatedAdjoint(n: i32, d: i32, from: i32, to: i32, x: usize, patterns: usize, r: usize, out: usize, work: usize): void {
  const words = (n + 31) >> 5;
  memory.fill(at<f64>(out, d, from, 0), 0, (<usize>(to - from) * <usize>d) << 3);
  for (let column = 0; column < d; column += CHUNK) {
    const cols = min(CHUNK, d - column);
    const width = <usize>((cols + 1) & ~1);
    const rowBytes = width << 3;
    const even = <usize>(cols & ~1) << 3;
    for (let w = 0; w < words; w++) {
      const first = w << 5;
      const count = min(32, n - first);
      const full = tabulate(count, cols, at<f64>(x, d, first, column), d, r + (<usize>first << 3), work, width) > 4;
      // Bits beyond the last row are ignored.
      const mask: u32 = count == 32 ? 0xffffffff : (1 << count) - 1;
      for (let p = from; p < to; p++) {
        const bits = load<u32>(patterns + (<usize>(p * words + w) << 2)) & mask;
        if (bits == 0) continue;
        const target = at<f64>(out, d, p, column);
        const t0 = entry(work, 0, bits, rowBytes);
        const t1 = entry(work, 1, bits, rowBytes);
        const t2 = entry(work, 2, bits, rowBytes);
        const t3 = entry(work, 3, bits, rowBytes);
        if (full) {
          const t4 = entry(work, 4, bits, rowBytes);
          const t5 = entry(work, 5, bits, rowBytes);
          const t6 = entry(work, 6, bits, rowBytes);
          const t7 = entry(work, 7, bits, rowBytes);
          for (let j: usize = 0; j < even; j += 16) {
            const low = f64x2.add(
              f64x2.add(v128.load(t0 + j), v128.load(t1 + j)),
              f64x2.add(v128.load(t2 + j), v128.load(t3 + j)),
            );
            const high = f64x2.add(
              f64x2.add(v128.load(t4 + j), v128.load(t5 + j)),
              f64x2.add(v128.load(t6 + j), v128.load(t7 + j)),
            );
            v128.store(target + j, f64x2.add(v128.load(target + j), f64x2.add(low, high)));
          }
          if (cols & 1) {
            const low = load<f64>(t0 + even) + load<f64>(t1 + even) + (load<f64>(t2 + even) + load<f64>(t3 + even));
            const high = load<f64>(t4 + even) + load<f64>(t5 + even) + (load<f64>(t6 + even) + load<f64>(t7 + even));
            store<f64>(target + even, load<f64>(target + even) + (low + high));
          }
        } else {
          for (let j: usize = 0; j < even; j += 16) {
            const low = f64x2.add(
              f64x2.add(v128.load(t0 + j), v128.load(t1 + j)),
              f64x2.add(v128.load(t2 + j), v128.load(t3 + j)),
            );
            v128.store(target + j, f64x2.add(v128.load(target + j), low));
          }
          if (cols & 1) {
            const low = load<f64>(t0 + even) + load<f64>(t1 + even) + (load<f64>(t2 + even) + load<f64>(t3 + even));
            store<f64>(target + even, load<f64>(target + even) + low);
          }
        }
      }
    }
  }
}

/** Transposes a 32 x 32 bit matrix in place (word q, bit i) -> (word i, bit q), by swapping halves. */
function transposeBits(words: usize): void {
  let mask: u32 = 0x0000ffff;
  for (let span = 16; span != 0; span >>= 1, mask ^= mask << span) {
    for (let k = 0; k < 32; k = (k + span + 1) & ~span) {
      const low = words + (<usize>k << 2);
      const high = words + (<usize>(k + span) << 2);
      const a = load<u32>(low);
      const b = load<u32>(high);
      const swap = ((a >> span) ^ b) & mask;
      store<u32>(low, a ^ (swap << span));
      store<u32>(high, b ^ swap);
    }
  }
}

/** out_i <- sum_p D_p(i) x_i . v_p, for the rows i of the 32-row words `from` <= w < `to`. */
export function gatedForward(n: i32, d: i32, p: i32, from: i32, to: i32, x: usize, patterns: usize, v: usize, out: usize, work: usize): void {
  const words = (n + 31) >> 5;
  const begin = from << 5;
  const end = min(n, to << 5);
  const square = work + SQUARE_AT;
  if (begin >= end) return;
  memory.fill(out + (<usize>begin << 3), 0, <usize>(end - begin) << 3);
  for (let block = 0; block < p; block += 32) {
    const count = min(32, p - block);
    for (let column = 0; column < d; column += CHUNK) {
      const cols = min(CHUNK, d - column);
      const width = <usize>((cols + 1) & ~1);
      const rowBytes = width << 3;
      const even = <usize>(cols & ~1) << 3;
      const full = tabulate(count, cols, at<f64>(v, d, block, column), d, 0, work, width) > 4;
      for (let w = from; w < to; w++) {
        memory.fill(square, 0, 128);
        for (let q = 0; q < count; q++) {
          store<u32>(square + (<usize>q << 2), load<u32>(patterns + (<usize>((block + q) * words + w) << 2)));
        }
        transposeBits(square);
        const first = w << 5;
        const rows = min(32, n - first);
        for (let i = 0; i < rows; i++) {
          const bits = load<u32>(square + (<usize>i << 2));
          if (bits == 0) continue;
          const row = at<f64>(x, d, first + i, column);
          const t0 = entry(work, 0, bits, rowBytes);
          const t1 = entry(work, 1, bits, rowBytes);
          const t2 = entry(work, 2, bits, rowBytes);
          const t3 = entry(work, 3, bits, rowBytes);
          let lanes = f64x2.splat(0);
          let tail: f64 = 0;
          if (full) {
            const t4 = entry(work, 4, bits, rowBytes);
            const t5 = entry(work, 5, bits, rowBytes);
            const t6 = entry(work, 6, bits, rowBytes);
            const t7 = entry(work, 7, bits, rowBytes);
            for (let j: usize = 0; j < even; j += 16) {
              const low = f64x2.add(
                f64x2.add(v128.load(t0 + j), v128.load(t1 + j)),
                f64x2.add(v128.load(t2 + j), v128.load(t3 + j)),
              );
              const high = f64x2.add(
                f64x2.add(v128.load(t4 + j), v128.load(t5 + j)),
                f64x2.add(v128.load(t6 + j), v128.load(t7 + j)),
              );
              lanes = madd<f64>(v128.load(row + j), f64x2.add(low, high), lanes);
            }
            if (cols & 1) {
              const low = load<f64>(t0 + even) + load<f64>(t1 + even) + (load<f64>(t2 + even) + load<f64>(t3 + even));
              const high = load<f64>(t4 + even) + load<f64>(t5 + even) + (load<f64>(t6 + even) + load<f64>(t7 + even));
              tail = load<f64>(row + even) * (low + high);
            }
          } else {
            for (let j: usize = 0; j < even; j += 16) {
              const low = f64x2.add(
                f64x2.add(v128.load(t0 + j), v128.load(t1 + j)),
                f64x2.add(v128.load(t2 + j), v128.load(t3 + j)),
              );
              lanes = madd<f64>(v128.load(row + j), low, lanes);
            }
            if (cols & 1) {
              const low = load<f64>(t0 + even) + load<f64>(t1 + even) + (load<f64>(t2 + even) + load<f64>(t3 + even));
              tail = load<f64>(row + even) * low;
            }
          }
          const target = out + (<usize>(first + i) << 3);
          store<f64>(target, load<f64>(target) + (sumLanes<f64>(lanes) + tail));
        }
      }
    }
  }
}

/** Patterns `from` <= p < `to` of D_p(i) = [x_i . g_p > 0]; `work` has threadWorkBytes(). */
export function activationPatterns(n: i32, d: i32, from: i32, to: i32, x: usize, g: usize, out: usize, work: usize): void {
  const words = (n + 31) >> 5;
  const products = work + gemmWorkBytes();
  for (let p = from; p < to; p += SIGN_BLOCK) {
    const count = min(SIGN_BLOCK, to - p);
    for (let first = 0; first < n; first += SIGN_BLOCK) {
      const rows = min(SIGN_BLOCK, n - first);
      const rowsX = at<f64>(x, d, first, 0);
      gemm<f64>(false, true, count, rows, d, 1, at<f64>(g, d, p, 0), d, rowsX, d, 0, products, SIGN_BLOCK, FULL, work);
      for (let q = 0; q < count; q++) {
        const row = at<f64>(products, SIGN_BLOCK, q, 0);
        for (let i = 0; i < rows; i += 32) {
          const size = min(32, rows - i);
          let bits: u32 = 0;
          for (let k = 0; k < size; k++) {
            bits |= <u32>(load<f64>(row + (<usize>(i + k) << 3)) > 0) << k;
          }
          store<u32>(out + (<usize>((p + q) * words + ((first + i) >> 5)) << 2), bits);
        }
      }
    }
  }
}
