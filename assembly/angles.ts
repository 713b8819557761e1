import { madd, select } from "./simd";

/**
 * The arc-cosine step of kernels for two vectors at once, which then share the constants, at k, theta and 16 bytes behind:
 * slope = mean - factor angle, the angle in [0, pi] with cosine c; k <- slope k + scale sin angle; theta <- slope theta.
 * |c| nearer to 1 than 2^-50 is 1: as near as rounding brings equal and opposite patches.
 *
 * asin t = t + t y P(y) with y = t^2 <= 1/4, for t = |c| up to 1/2 and for t = sin(angle / 2), angle of |c|, beyond: no
 * division, and small angles are as exact as 1 - |c|. The constants come from tools/polynomials.py.
 */
// @ts-ignore: decorator
@inline
export function arcCosine(
  k: usize, theta: usize, c0: v128, c1: v128, scale0: v128, scale1: v128, mean: f64, factor: f64,
): void {
  const one = f64x2.splat(1);
  const half = f64x2.splat(0.5);
  const two = f64x2.splat(2);
  const near = f64x2.splat(8.881784197001252e-16);
  // 1. t^2.
  let d0 = f64x2.sub(one, f64x2.abs(c0));
  let d1 = f64x2.sub(one, f64x2.abs(c1));
  d0 = v128.and(d0, f64x2.gt(d0, near));
  d1 = v128.and(d1, f64x2.gt(d1, near));
  const far0 = f64x2.lt(d0, half);
  const far1 = f64x2.lt(d1, half);
  const y0 = select(f64x2.mul(half, d0), f64x2.mul(c0, c0), far0);
  const y1 = select(f64x2.mul(half, d1), f64x2.mul(c1, c1), far1);
  const t0 = f64x2.sqrt(y0);
  const t1 = f64x2.sqrt(y1);
  // 2. asin t.
  let p0 = f64x2.splat(0.028169218060881414);
  let p1 = p0;
  p0 = madd<f64>(p0, y0, f64x2.splat(-0.010749050339697808));
  p1 = madd<f64>(p1, y1, f64x2.splat(-0.010749050339697808));
  p0 = madd<f64>(p0, y0, f64x2.splat(0.01603551434914882));
  p1 = madd<f64>(p1, y1, f64x2.splat(0.01603551434914882));
  p0 = madd<f64>(p0, y0, f64x2.splat(0.0078029494773533175));
  p1 = madd<f64>(p1, y1, f64x2.splat(0.0078029494773533175));
  p0 = madd<f64>(p0, y0, f64x2.splat(0.011875494382636922));
  p1 = madd<f64>(p1, y1, f64x2.splat(0.011875494382636922));
  p0 = madd<f64>(p0, y0, f64x2.splat(0.013929652902326633));
  p1 = madd<f64>(p1, y1, f64x2.splat(0.013929652902326633));
  p0 = madd<f64>(p0, y0, f64x2.splat(0.017355259955786323));
  p1 = madd<f64>(p1, y1, f64x2.splat(0.017355259955786323));
  p0 = madd<f64>(p0, y0, f64x2.splat(0.02237204763174451));
  p1 = madd<f64>(p1, y1, f64x2.splat(0.02237204763174451));
  p0 = madd<f64>(p0, y0, f64x2.splat(0.03038194736709848));
  p1 = madd<f64>(p1, y1, f64x2.splat(0.03038194736709848));
  p0 = madd<f64>(p0, y0, f64x2.splat(0.044642857103423646));
  p1 = madd<f64>(p1, y1, f64x2.splat(0.044642857103423646));
  p0 = madd<f64>(p0, y0, f64x2.splat(0.07500000000020764));
  p1 = madd<f64>(p1, y1, f64x2.splat(0.07500000000020764));
  p0 = madd<f64>(p0, y0, f64x2.splat(0.1666666666666665));
  p1 = madd<f64>(p1, y1, f64x2.splat(0.1666666666666665));
  const arc0 = madd<f64>(f64x2.mul(t0, y0), p0, t0);
  const arc1 = madd<f64>(f64x2.mul(t1, y1), p1, t1);
  // 3. What the angle is less than pi / 2: the arc, or pi / 2 - 2 arc; less than zero on the left.
  const f = f64x2.splat(factor);
  const quarter = f64x2.splat(factor * (Math.PI / 2));
  const twice = f64x2.splat(-2 * factor);
  const turn0 = select(madd<f64>(twice, arc0, quarter), f64x2.mul(f, arc0), far0);
  const turn1 = select(madd<f64>(twice, arc1, quarter), f64x2.mul(f, arc1), far1);
  const middle = f64x2.splat(mean - factor * (Math.PI / 2));
  const sign = i64x2.splat(i64.MIN_VALUE);
  const slope0 = f64x2.add(middle, v128.xor(turn0, v128.and(c0, sign)));
  const slope1 = f64x2.add(middle, v128.xor(turn1, v128.and(c1, sign)));
  const sine0 = f64x2.sqrt(f64x2.mul(d0, f64x2.sub(two, d0)));
  const sine1 = f64x2.sqrt(f64x2.mul(d1, f64x2.sub(two, d1)));
  v128.store(theta, f64x2.mul(slope0, v128.load(theta)));
  v128.store(theta + 16, f64x2.mul(slope1, v128.load(theta + 16)));
  v128.store(k, madd<f64>(slope0, v128.load(k), f64x2.mul(scale0, sine0)));
  v128.store(k + 16, madd<f64>(slope1, v128.load(k + 16), f64x2.mul(scale1, sine1)));
}
