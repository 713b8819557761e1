import { cos, log1p, sin } from "./functions";
import { bytes } from "./simd";

/**
 * Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), the stream of
 * src/base/random.ts: block b, of four words, is a function of its number and the key alone, so a fill may start
 * anywhere and be cut anywhere.
 */
function block(number: u64, key0: u32, key1: u32, to: usize): void {
  let c0 = <u32>number;
  let c1 = <u32>(number >> 32);
  let c2: u32 = 0;
  let c3: u32 = 0;
  for (let round = 0; round < 10; round++) {
    const p0 = <u64>0xd2511f53 * <u64>c0;
    const p1 = <u64>0xcd9e8d57 * <u64>c2;
    c0 = <u32>(p1 >> 32) ^ c1 ^ key0;
    c1 = <u32>p1;
    c2 = <u32>(p0 >> 32) ^ c3 ^ key1;
    c3 = <u32>p0;
    key0 += 0x9e3779b9;
    key1 += 0xbb67ae85;
  }
  store<u32>(to, c0);
  store<u32>(to, c1, 4);
  store<u32>(to, c2, 8);
  store<u32>(to, c3, 12);
}

/** Uniform in [0, 1) from the two words at `from`: 27 bits of the first, 26 of the second. */
// @ts-ignore: decorator
@inline
function uniform(from: usize): f64 {
  const bits = ((<u64>load<u32>(from) >> 5) << 26) | (<u64>load<u32>(from, 4) >> 6);
  return <f64>(<i64>bits) * 1.1102230246251565e-16;
}

/** Words first .. first + n - 1 of the stream. `work`: 16 bytes. */
export function randomBits(key0: u32, key1: u32, first: u64, n: i32, out: usize, work: usize): void {
  for (let i = 0; i < n; i++) {
    const word = first + <u64>i;
    if (i == 0 || (word & 3) == 0) block(word >> 2, key0, key1, work);
    store<u32>(out + (<usize>i << 2), load<u32>(work + (<usize>(word & 3) << 2)));
  }
}

/** Uniforms first .. first + n - 1 of the stream: two a block. `work`: 16 bytes. */
export function randomUniform(key0: u32, key1: u32, first: u64, n: i32, out: usize, work: usize): void {
  for (let i = 0; i < n; i++) {
    const index = first + <u64>i;
    if (i == 0 || (index & 1) == 0) block(index >> 1, key0, key1, work);
    store<f64>(out + bytes<f64>(i), uniform(work + (<usize>(index & 1) << 3)));
  }
}

/**
 * Normals first .. first + n - 1 of the stream (Box and Muller): numbers 2 b and 2 b + 1 are r cos t and r sin t, with r
 * from the first uniform of block b and t from the second. `work`: 64 bytes.
 */
export function randomNormal(key0: u32, key1: u32, first: u64, n: i32, out: usize, work: usize): void {
  const words = work + 32;
  const end = first + <u64>n;
  // Two blocks at a time, one in each lane.
  for (let b = first >> 1; b << 1 < end; b += 2) {
    block(b, key0, key1, words);
    block(b + 1, key0, key1, words + 16);
    const u0 = f64x2.replace_lane(f64x2.splat(uniform(words)), 1, uniform(words + 16));
    const u1 = f64x2.replace_lane(f64x2.splat(uniform(words + 8)), 1, uniform(words + 24));
    const radius = f64x2.sqrt(f64x2.mul(f64x2.splat(-2), log1p(f64x2.neg(u0))));
    const angle = f64x2.mul(f64x2.splat(6.283185307179586), u1);
    const x = f64x2.mul(radius, cos(angle));
    const y = f64x2.mul(radius, sin(angle));
    v128.store(work, v128.shuffle<f64>(x, y, 0, 2));
    v128.store(work, v128.shuffle<f64>(x, y, 1, 3), 16);
    for (let k = 0; k < 4; k++) {
      const index = (b << 1) + <u64>k;
      if (index >= first && index < end) {
        store<f64>(out + (<usize>(index - first) << 3), load<f64>(work + (<usize>k << 3)));
      }
    }
  }
}
