import { madd, select } from "./simd";

/**
 * slope and sine of arc-cosine kernels
 */
// @ts-ignore: decorator
@inline
export function arcCosine(k: usize, theta: usize, before: v128, c: v128, scale: v128, mean: f64, factor: f64): void {
  const one = f64x2.splat(1);
  const half = f64x2.splat(0.5);
  let d = f64x2.sub(one, f64x2.abs(c));
  d = v128.and(d, f64x2.gt(d, f64x2.splat(8.881784197001252e-16)));
  const far = f64x2.lt(d, half);
  const square = f64x2.mul(c, c);
  const y = select(f64x2.mul(half, d), square, far);
  const t = f64x2.sqrt(y);
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
  const turn = select(madd<f64>(f64x2.splat(-2 * factor), arc, f64x2.splat(factor * (Math.PI / 2))), f64x2.mul(f64x2.splat(factor), arc), far);
  const sign = v128.and(c, i64x2.splat(i64.MIN_VALUE));
  const slope = f64x2.add(f64x2.splat(mean - factor * (Math.PI / 2)), v128.xor(turn, sign));
  const sine = f64x2.sqrt(f64x2.mul(d, f64x2.sub(f64x2.splat(2), d)));
  v128.store(theta, f64x2.mul(slope, v128.load(theta)));
  v128.store(k, madd<f64>(slope, before, f64x2.mul(scale, sine)));
}
