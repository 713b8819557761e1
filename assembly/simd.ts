/** Kernels are written once for both precisions; T is f64 or f32, and alignof<T>() is the logarithm of its size. */

/** a b + c in each lane: one rounding in the relaxed build (where the machine has FMA), two in the plain one. */
// @ts-ignore: decorator
@inline
export function madd<T extends number>(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? v128.relaxed_madd<T>(a, b, c) : v128.add<T>(v128.mul<T>(a, b), c);
}

// @ts-ignore: decorator
@inline
export function sumLanes<T extends number>(v: v128): T {
  if (sizeof<T>() == 8) return <T>(f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1));
  const low = f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1);
  return <T>(low + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3)));
}

/** The number at `from` in every lane. */
// @ts-ignore: decorator
@inline
export function loadSplat<T extends number>(from: usize): v128 {
  return sizeof<T>() == 8 ? v128.load64_splat(from) : v128.load32_splat(from);
}

/** Bytes of `count` numbers. */
// @ts-ignore: decorator
@inline
export function bytes<T extends number>(count: i32): usize {
  return <usize>count << alignof<T>();
}

/** Address of entry (i, j) of a row-major matrix with rows `ld` entries apart. */
// @ts-ignore: decorator
@inline
export function at<T extends number>(base: usize, ld: i32, i: i32, j: i32): usize {
  return base + ((<usize>i * <usize>ld + <usize>j) << alignof<T>());
}

/** a where the lanes of `mask` are all ones, b where they are all zeros. */
// @ts-ignore: decorator
@inline
export function select(a: v128, b: v128, mask: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i64x2.relaxed_laneselect(a, b, mask) : v128.bitselect(a, b, mask);
}
