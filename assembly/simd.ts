/** a b + c in each lane: one rounding in the relaxed build (where the machine has FMA), two in the plain one. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f64x2.relaxed_madd(a, b, c) : f64x2.add(f64x2.mul(a, b), c);
}

// @ts-ignore: decorator
@inline
export function sumLanes(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

/** Address of entry (i, j) of a row-major matrix with rows `ld` entries apart. */
// @ts-ignore: decorator
@inline
export function at(base: usize, ld: i32, i: i32, j: i32): usize {
  return base + ((<usize>i * <usize>ld + <usize>j) << 3);
}
