import { madd, select } from "./simd";

/**
 * Constants, loaded where they are used: the engine makes a constant in the code anew each time from several instructions.
 * First (asin t - t) / t^3 in y = t^2 <= 1/4, highest power first, from tools/polynomials.py.
 */
const TABLE = memory.data<f64>([
  0.028169218060881414, -0.010749050339697808, 0.01603551434914882, 0.0078029494773533175, 0.011875494382636922,
  0.013929652902326633, 0.017355259955786323, 0.02237204763174451, 0.03038194736709848, 0.044642857103423646,
  0.07500000000020764, 0.1666666666666665,
  1, 0.5, 2, 1.5707963267948966, 8.881784197001252e-16, -0.0, -1,
]);
export const ONE = 12;
export const HALF = 13;
export const TWO = 14;
export const QUARTER_TURN = 15;
/** 2^-50. */
export const NEAR = 16;
export const SIGN_BIT = 17;
export const MINUS_ONE = 18;

// @ts-ignore: decorator
@inline
export function constant(index: usize): v128 {
  return v128.load64_splat(TABLE + (index << 3));
}

/** 1 - |c|, and 0 below 2^-50: as near as rounding brings equal and opposite inputs. */
// @ts-ignore: decorator
@inline
export function distance(c: v128): v128 {
  const d = f64x2.sub(constant(ONE), f64x2.abs(c));
  return v128.and(d, f64x2.gt(d, constant(NEAR)));
}

/** sqrt(1 - c^2) from d = 1 - |c|. */
// @ts-ignore: decorator
@inline
export function complement(d: v128): v128 {
  return f64x2.sqrt(f64x2.mul(d, f64x2.sub(constant(TWO), d)));
}

/**
 * asin c, with d = 1 - |c|: by its series for |c| up to 1/2; beyond, pi / 2 less twice the arc of sqrt(d / 2). No division,
 * and angles near the ends are as exact as d. Even and odd powers apart, for their chains are what one would wait for.
 */
// @ts-ignore: decorator
@inline
export function arcSine(c: v128, d: v128): v128 {
  const far = f64x2.lt(d, constant(HALF));
  const y = select(f64x2.mul(constant(HALF), d), f64x2.mul(c, c), far);
  const t = f64x2.sqrt(y);
  const z = f64x2.mul(y, y);
  let odd = constant(0);
  let even = constant(1);
  odd = madd<f64>(odd, z, constant(2));
  even = madd<f64>(even, z, constant(3));
  odd = madd<f64>(odd, z, constant(4));
  even = madd<f64>(even, z, constant(5));
  odd = madd<f64>(odd, z, constant(6));
  even = madd<f64>(even, z, constant(7));
  odd = madd<f64>(odd, z, constant(8));
  even = madd<f64>(even, z, constant(9));
  odd = madd<f64>(odd, z, constant(10));
  even = madd<f64>(even, z, constant(11));
  const arc = madd<f64>(f64x2.mul(t, y), madd<f64>(odd, y, even), t);
  const angle = select(f64x2.sub(constant(QUARTER_TURN), f64x2.add(arc, arc)), arc, far);
  return v128.xor(angle, v128.and(c, constant(SIGN_BIT)));
}

/**
 * The arc-cosine step of two vectors at k and theta, which share the constants: slope = middle + factor asin c; k <- slope k + scale
 * sqrt(1 - c^2); theta <- slope theta. The same operations as in {@link arcSine}.
 */
// @ts-ignore: decorator
@inline
export function arcCosineStep(
  k: usize, theta: usize, c0: v128, c1: v128, scale0: v128, scale1: v128, middle: v128, factor: v128,
): void {
  const d0 = distance(c0);
  const d1 = distance(c1);
  const half = constant(HALF);
  const far0 = f64x2.lt(d0, half);
  const far1 = f64x2.lt(d1, half);
  const y0 = select(f64x2.mul(half, d0), f64x2.mul(c0, c0), far0);
  const y1 = select(f64x2.mul(half, d1), f64x2.mul(c1, c1), far1);
  const t0 = f64x2.sqrt(y0);
  const t1 = f64x2.sqrt(y1);
  let p0 = constant(0);
  let p1 = p0;
  p0 = madd<f64>(p0, y0, constant(1));
  p1 = madd<f64>(p1, y1, constant(1));
  p0 = madd<f64>(p0, y0, constant(2));
  p1 = madd<f64>(p1, y1, constant(2));
  p0 = madd<f64>(p0, y0, constant(3));
  p1 = madd<f64>(p1, y1, constant(3));
  p0 = madd<f64>(p0, y0, constant(4));
  p1 = madd<f64>(p1, y1, constant(4));
  p0 = madd<f64>(p0, y0, constant(5));
  p1 = madd<f64>(p1, y1, constant(5));
  p0 = madd<f64>(p0, y0, constant(6));
  p1 = madd<f64>(p1, y1, constant(6));
  p0 = madd<f64>(p0, y0, constant(7));
  p1 = madd<f64>(p1, y1, constant(7));
  p0 = madd<f64>(p0, y0, constant(8));
  p1 = madd<f64>(p1, y1, constant(8));
  p0 = madd<f64>(p0, y0, constant(9));
  p1 = madd<f64>(p1, y1, constant(9));
  p0 = madd<f64>(p0, y0, constant(10));
  p1 = madd<f64>(p1, y1, constant(10));
  p0 = madd<f64>(p0, y0, constant(11));
  p1 = madd<f64>(p1, y1, constant(11));
  const arc0 = madd<f64>(f64x2.mul(t0, y0), p0, t0);
  const arc1 = madd<f64>(f64x2.mul(t1, y1), p1, t1);
  const quarter = constant(QUARTER_TURN);
  const sign = constant(SIGN_BIT);
  const angle0 = select(f64x2.sub(quarter, f64x2.add(arc0, arc0)), arc0, far0);
  const angle1 = select(f64x2.sub(quarter, f64x2.add(arc1, arc1)), arc1, far1);
  const slope0 = madd<f64>(factor, v128.xor(angle0, v128.and(c0, sign)), middle);
  const slope1 = madd<f64>(factor, v128.xor(angle1, v128.and(c1, sign)), middle);
  v128.store(theta, f64x2.mul(slope0, v128.load(theta)));
  v128.store(theta, f64x2.mul(slope1, v128.load(theta, 16)), 16);
  v128.store(k, madd<f64>(slope0, v128.load(k), f64x2.mul(scale0, complement(d0))));
  v128.store(k, madd<f64>(slope1, v128.load(k, 16), f64x2.mul(scale1, complement(d1))), 16);
}
