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
