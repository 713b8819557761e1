import { bytes } from "./simd";

/** The steps of image programs, and how tensors lie in memory; mirrored in src/compute/image-program.ts. */

export const INPUT = 0;
export const CONV = 1;
export const POOL = 2;
export const AFFINE = 3;
export const SAVE = 4;
export const EXCHANGE = 5;
export const ADD = 6;
export const DIAGONAL = 7;
export const MEAN = 8;
export const TOTAL = 9;
/** The kinds of duals.ts, from which on a step is one of them. */
export const DUAL = 32;

/**
 * Numbers of a step: 0 kind, 1 w, 2 b, 3 a, 4 e, 5 height, 6 width, 7 outHeight, 8 outWidth, 9 filterHeight, 10 filterWidth,
 * 11 strideHeight, 12 strideWidth, 13 top, 14 left, 15 circular, 16 pairs, 17 at, 18 id.
 */
export const STEP: i32 = 20;

/** Number `index` of a step, as an integer. */
// @ts-ignore: decorator
@inline
export function int(step: usize, index: usize): i32 {
  return <i32>load<f64>(step + (index << 3));
}

/** Number `index` of a step. */
// @ts-ignore: decorator
@inline
export function real(step: usize, index: usize): f64 {
  return load<f64>(step + (index << 3));
}

/** The distance of lines of w entries. */
// @ts-ignore: decorator
@inline
export function lineOf(w: i32): i32 {
  return (w + 3) & ~3;
}

/** Bytes of a tensor of h x w pixels. */
// @ts-ignore: decorator
@inline
export function tensorBytes(step: usize): usize {
  const h = int(step, 5);
  const w = int(step, 6);
  return bytes<f64>((int(step, 16) != 0 ? h * h * w : h) * lineOf(w));
}
