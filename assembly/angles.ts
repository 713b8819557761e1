import { madd } from "./simd";

/**
 * mean - factor angle, the angle in [0, pi] with cosine c; `size` is |c|, rounded where that is wanted. asin t = t + t y P(y)
 * with y = t^2 <= 1/4, for t = |c| up to 1/2 and for t = sin(angle / 2) = sqrt((1 - |c|) / 2) beyond: no division, and
 * small angles are as exact as 1 - |c|. The constants come from tools/polynomials.py.
 */
// @ts-ignore: decorator
@inline
export function kernelSlope(c: v128, size: v128, mean: f64, factor: f64): v128 {
  const half = f64x2.splat(0.5);
  const far = f64x2.gt(size, half);
  const y = v128.bitselect(f64x2.mul(half, f64x2.sub(f64x2.splat(1), size)), f64x2.mul(size, size), far);
  const t = v128.bitselect(f64x2.sqrt(y), size, far);
  // Even and odd powers apart: the chain is half as long.
  const z = f64x2.mul(y, y);
  let p = f64x2.splat(0.028757851367421566);
  let q = f64x2.splat(-0.014851887071247204);
  p = madd<f64>(p, z, f64x2.splat(0.01740087944269402));
  q = madd<f64>(q, z, f64x2.splat(0.005457506718640358));
  p = madd<f64>(p, z, f64x2.splat(0.01032281435018578));
  q = madd<f64>(q, z, f64x2.splat(0.011479177415184906));
  p = madd<f64>(p, z, f64x2.splat(0.013971212973552933));
  q = madd<f64>(q, z, f64x2.splat(0.017352392720869973));
  p = madd<f64>(p, z, f64x2.splat(0.02237217294214989));
  q = madd<f64>(q, z, f64x2.splat(0.030381944138531247));
  p = madd<f64>(p, z, f64x2.splat(0.04464285714635543));
  q = madd<f64>(q, z, f64x2.splat(0.07499999999998433));
  p = madd<f64>(p, z, f64x2.splat(0.16666666666666669));
  const arc = madd<f64>(f64x2.mul(t, y), madd<f64>(q, y, p), t);
  const sign = v128.and(c, i64x2.splat(i64.MIN_VALUE));
  // The angle is pi / 2 - arc for small |c|; 2 arc, or pi - 2 arc on the left, for large.
  const left = v128.bitselect(f64x2.splat(mean - factor * Math.PI), f64x2.splat(mean), f64x2.lt(c, f64x2.splat(0)));
  const base = v128.bitselect(left, f64x2.splat(mean - factor * (Math.PI / 2)), far);
  const times = v128.bitselect(f64x2.splat(-2 * factor), f64x2.splat(factor), far);
  return madd<f64>(times, v128.xor(arc, sign), base);
}
