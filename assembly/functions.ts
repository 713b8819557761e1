import { madd } from "./simd";

/**
 * Elementary functions of two f64 lanes. Reductions of the argument use plain multiplications and additions, whose
 * rounding is known (a relaxed multiply-add may round once or twice); polynomials use `madd`. The series are Taylor's
 * where nothing else is said; the other constants come from tools/polynomials.py.
 */

/** Adding it rounds |x| < 2^51 to an integer, which is then in the low bits. */
const ROUND: f64 = 6755399441055744.0;
const LN2_HIGH: f64 = 0.6931471805592082;
const LN2_LOW: f64 = 7.371002565167799e-13;
const SIGN: i64 = i64.MIN_VALUE;

/** Series, highest power first, in memory: the engine makes a constant in the code anew each time from several instructions. */
const EXP = memory.data<f64>([
  1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0, 1.0 / 362880.0, 1.0 / 40320.0,
  1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 1.0 / 2.0,
]);
const LOG = memory.data<f64>([
  2.0 / 21.0, 2.0 / 19.0, 2.0 / 17.0, 2.0 / 15.0, 2.0 / 13.0, 2.0 / 11.0, 2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0,
]);
const TANH = memory.data<f64>([
  -2.0602765376366344e-05, 8.511313685577672e-05, -0.0002346347410887237, 0.0005889360520074057,
  -0.001455661830100716, 0.003592110378689024, -0.008863234397814355, 0.021869488493666944, -0.053968253967434016,
  0.13333333333332714, -0.3333333333333333,
]);
const ERFC = memory.data<f64>([
  3.381355142042904e-09, 1.2755818949624478e-06, 2.0135111426447427e-06, -8.00978093907608e-06,
  -1.2845780030775907e-05, 6.406279226046039e-05, 4.525434558991009e-05, -0.0005970624964924544,
  0.0007077464666941425, 0.004269136356961225, -0.024392499318915004, 0.07166583719747308, -0.15011593650077898,
  0.24560380171233487, -0.3262335600430372, 0.17900115118138996,
]);
const ERF = memory.data<f64>([
  -4.230945824295338e-12, 8.709045129053106e-11, -1.216456005728345e-09, 1.4792401209404813e-08,
  -1.6364642158167616e-07, 1.6462045441468418e-06, -1.4925647567519332e-05, 0.00012055332902888736,
  -0.000854832702193483, 0.0052239776254232985, -0.02686617064512984, 0.1128379167095512, -0.37612638903183754,
  0.1283791670955126,
]);
const SIN = memory.data<f64>([
  1.0 / 355687428096000.0, -1.0 / 1307674368000.0, 1.0 / 6227020800.0, -1.0 / 39916800.0, 1.0 / 362880.0,
  -1.0 / 5040.0, 1.0 / 120.0, -1.0 / 6.0,
]);
const COS = memory.data<f64>([
  -1.0 / 6402373705728000.0, 1.0 / 20922789888000.0, -1.0 / 87178291200.0, 1.0 / 479001600.0, -1.0 / 3628800.0,
  1.0 / 40320.0, -1.0 / 720.0, 1.0 / 24.0,
]);
const ATAN = memory.data<f64>([
  0.00582402383295046, -0.018540318382981105, 0.031600076337574674, -0.040776852844912795, 0.04699751527206424,
  -0.05252886566086682, 0.05881139800482136, -0.06666565855310785, 0.07692301967653598, -0.09090908879249977,
  0.11111111106404786, -0.14285714285659498, 0.19999999999999749, -0.3333333333333333,
]);

/** Number `index` of a series. */
// @ts-ignore: decorator
@inline
function term(series: usize, index: usize): v128 {
  return v128.load64_splat(series + (index << 3));
}

// @ts-ignore: decorator
@inline
function withSignOf(magnitude: v128, sign: v128): v128 {
  return v128.or(magnitude, v128.and(sign, i64x2.splat(SIGN)));
}

/** 2^k for an integer -1022 <= k <= 1023 that had ROUND added. */
// @ts-ignore: decorator
@inline
function power(rounded: v128): v128 {
  return i64x2.shl(i64x2.add(rounded, i64x2.splat(1023)), 52);
}

/** e^x = 2^k e^r with |r| <= ln 2 / 2; below 0.7 ulp. */
export function exp(x: v128): v128 {
  // Beyond these the result is 0 or infinity anyway; NaN stays.
  const clamped = f64x2.pmin(f64x2.pmax(x, f64x2.splat(-746)), f64x2.splat(710));
  const round = f64x2.splat(ROUND);
  const k = f64x2.sub(f64x2.add(f64x2.mul(clamped, f64x2.splat(1.4426950408889634)), round), round);
  // 1. r + tail = x - k ln 2; the first product is exact.
  const near = f64x2.sub(clamped, f64x2.mul(k, f64x2.splat(LN2_HIGH)));
  const low = f64x2.mul(k, f64x2.splat(LN2_LOW));
  const r = f64x2.sub(near, low);
  const tail = f64x2.sub(f64x2.sub(near, r), low);
  // 2. e^r = 1 + r + r^2 (1/2! + r/3! + ...), the sum of the first two with its rounding error; even and odd powers
  // apart, for one would wait for their chain.
  const z = f64x2.mul(r, r);
  let odd = term(EXP, 0);
  let even = term(EXP, 1);
  odd = madd<f64>(odd, z, term(EXP, 2));
  even = madd<f64>(even, z, term(EXP, 3));
  odd = madd<f64>(odd, z, term(EXP, 4));
  even = madd<f64>(even, z, term(EXP, 5));
  odd = madd<f64>(odd, z, term(EXP, 6));
  even = madd<f64>(even, z, term(EXP, 7));
  odd = madd<f64>(odd, z, term(EXP, 8));
  even = madd<f64>(even, z, term(EXP, 9));
  odd = madd<f64>(odd, z, term(EXP, 10));
  even = madd<f64>(even, z, term(EXP, 11));
  const p = madd<f64>(odd, r, even);
  const one = f64x2.splat(1);
  const head = f64x2.add(one, r);
  const error = f64x2.add(f64x2.add(f64x2.sub(one, head), r), tail);
  const value = f64x2.add(head, f64x2.add(error, f64x2.mul(z, p)));
  // 3. Two factors, because 2^k may be outside of the range of f64 where the result is not.
  const half = f64x2.add(f64x2.mul(k, f64x2.splat(0.5)), round);
  const rest = f64x2.add(f64x2.sub(k, f64x2.sub(half, round)), round);
  return f64x2.mul(f64x2.mul(value, power(half)), power(rest));
}

/**
 * log(1 + x) = k ln 2 + log m + c / u, where u = 1 + x is rounded by c and u = 2^k m with sqrt(1/2) <= m < sqrt(2).
 * log m = log(1 + f) by the series of log((1 + s) / (1 - s)), s = f / (2 + f), arranged as in fdlibm (Sun, 1993) so
 * that f itself is added last.
 */
export function log1p(x: v128): v128 {
  const one = f64x2.splat(1);
  const u = f64x2.add(one, x);
  const added = f64x2.sub(u, one);
  const c = f64x2.div(f64x2.add(f64x2.sub(one, f64x2.sub(u, added)), f64x2.sub(x, added)), u);
  // 1. Split u; `biased` has the exponent of u over sqrt(1/2), plus 1023.
  const biased = i64x2.add(i64x2.sub(u, i64x2.splat(0x3fe6a09e667f3bcd)), i64x2.splat(0x3ff0000000000000));
  const m = i64x2.sub(u, i64x2.sub(v128.and(biased, i64x2.splat(0xfff0000000000000)), i64x2.splat(0x3ff0000000000000)));
  const exponent = v128.or(i64x2.shr_u(biased, 52), i64x2.splat(0x4330000000000000));
  const k = f64x2.sub(exponent, f64x2.splat(4503599627371519.0));
  // 2. The series.
  const f = f64x2.sub(m, one);
  const s = f64x2.div(f, f64x2.add(f, f64x2.splat(2)));
  const z = f64x2.mul(s, s);
  let p = term(LOG, 0);
  p = madd<f64>(p, z, term(LOG, 1));
  p = madd<f64>(p, z, term(LOG, 2));
  p = madd<f64>(p, z, term(LOG, 3));
  p = madd<f64>(p, z, term(LOG, 4));
  p = madd<f64>(p, z, term(LOG, 5));
  p = madd<f64>(p, z, term(LOG, 6));
  p = madd<f64>(p, z, term(LOG, 7));
  p = madd<f64>(p, z, term(LOG, 8));
  p = madd<f64>(p, z, term(LOG, 9));
  const square = f64x2.mul(f64x2.mul(f, f64x2.splat(0.5)), f);
  const series = madd<f64>(s, madd<f64>(z, p, square), madd<f64>(k, f64x2.splat(LN2_LOW), c));
  const value = f64x2.sub(
    f64x2.mul(k, f64x2.splat(LN2_HIGH)),
    f64x2.sub(f64x2.sub(square, series), f),
  );
  // 3. Special values: x itself near zero (of either sign) and at infinity; the pole; NaN beyond it.
  const infinity = f64x2.splat(Infinity);
  const itself = v128.or(f64x2.lt(f64x2.abs(x), f64x2.splat(1e-17)), f64x2.eq(x, infinity));
  const beyond = v128.bitselect(f64x2.neg(infinity), f64x2.splat(NaN), f64x2.eq(x, f64x2.splat(-1)));
  return v128.bitselect(v128.bitselect(x, value, itself), beyond, f64x2.gt(u, f64x2.splat(0)));
}

/** log(1 + e^x). */
export function softplus(x: v128): v128 {
  return f64x2.add(f64x2.max(x, f64x2.splat(0)), log1p(exp(f64x2.neg(f64x2.abs(x)))));
}

/** x + x^3 T(x^2) up to 0.55, 1 - 2 / (e^(2x) + 1) beyond. */
export function tanh(x: v128): v128 {
  const a = f64x2.abs(x);
  const one = f64x2.splat(1);
  const large = f64x2.sub(one, f64x2.div(f64x2.splat(2), f64x2.add(exp(f64x2.add(a, a)), one)));
  const z = f64x2.mul(a, a);
  let p = term(TANH, 0);
  p = madd<f64>(p, z, term(TANH, 1));
  p = madd<f64>(p, z, term(TANH, 2));
  p = madd<f64>(p, z, term(TANH, 3));
  p = madd<f64>(p, z, term(TANH, 4));
  p = madd<f64>(p, z, term(TANH, 5));
  p = madd<f64>(p, z, term(TANH, 6));
  p = madd<f64>(p, z, term(TANH, 7));
  p = madd<f64>(p, z, term(TANH, 8));
  p = madd<f64>(p, z, term(TANH, 9));
  p = madd<f64>(p, z, term(TANH, 10));
  const small = f64x2.add(a, f64x2.mul(f64x2.mul(a, z), p));
  return withSignOf(v128.bitselect(small, large, f64x2.lt(a, f64x2.splat(0.55))), x);
}

/** e^(x^2) erfc(x) for 1 <= x <= 6, a polynomial in (x - 3) / (x + 3). */
// @ts-ignore: decorator
@inline
function scaledErfc(x: v128): v128 {
  const three = f64x2.splat(3);
  const t = f64x2.div(f64x2.sub(x, three), f64x2.add(x, three));
  let p = term(ERFC, 0);
  p = madd<f64>(p, t, term(ERFC, 1));
  p = madd<f64>(p, t, term(ERFC, 2));
  p = madd<f64>(p, t, term(ERFC, 3));
  p = madd<f64>(p, t, term(ERFC, 4));
  p = madd<f64>(p, t, term(ERFC, 5));
  p = madd<f64>(p, t, term(ERFC, 6));
  p = madd<f64>(p, t, term(ERFC, 7));
  p = madd<f64>(p, t, term(ERFC, 8));
  p = madd<f64>(p, t, term(ERFC, 9));
  p = madd<f64>(p, t, term(ERFC, 10));
  p = madd<f64>(p, t, term(ERFC, 11));
  p = madd<f64>(p, t, term(ERFC, 12));
  p = madd<f64>(p, t, term(ERFC, 13));
  p = madd<f64>(p, t, term(ERFC, 14));
  p = madd<f64>(p, t, term(ERFC, 15));
  return p;
}

/** x + x E(x^2) up to 1, 1 - erfc(x) beyond, where erfc is small enough for its own error not to count. */
export function erf(x: v128): v128 {
  const a = f64x2.abs(x);
  const one = f64x2.splat(1);
  const b = f64x2.min(a, f64x2.splat(6));
  const large = f64x2.sub(one, f64x2.mul(exp(f64x2.neg(f64x2.mul(b, b))), scaledErfc(f64x2.max(b, one))));
  const z = f64x2.mul(b, b);
  let p = term(ERF, 0);
  p = madd<f64>(p, z, term(ERF, 1));
  p = madd<f64>(p, z, term(ERF, 2));
  p = madd<f64>(p, z, term(ERF, 3));
  p = madd<f64>(p, z, term(ERF, 4));
  p = madd<f64>(p, z, term(ERF, 5));
  p = madd<f64>(p, z, term(ERF, 6));
  p = madd<f64>(p, z, term(ERF, 7));
  p = madd<f64>(p, z, term(ERF, 8));
  p = madd<f64>(p, z, term(ERF, 9));
  p = madd<f64>(p, z, term(ERF, 10));
  p = madd<f64>(p, z, term(ERF, 11));
  p = madd<f64>(p, z, term(ERF, 12));
  p = madd<f64>(p, z, term(ERF, 13));
  const small = f64x2.add(b, f64x2.mul(b, p));
  return withSignOf(v128.bitselect(small, large, f64x2.lt(a, one)), x);
}

/** Largest argument of the reduction by parts. */
const TRIGONOMETRIC_LIMIT: f64 = 1e5;

/** sin (`turn` = 0) or cos (`turn` = 1) of 0 <= x <= TRIGONOMETRIC_LIMIT; |r| <= pi / 4 after k quarter turns. */
// @ts-ignore: decorator
@inline
function quarterTurns(x: v128, turn: i64): v128 {
  // 1. r + tail = x - k pi / 2 (Cody and Waite). The first three parts of pi / 2 have 33 bits: their products are
  // exact, and so is the first difference; the errors of the next two are kept.
  const round = f64x2.splat(ROUND);
  const rounded = f64x2.add(f64x2.mul(x, f64x2.splat(0.6366197723675814)), round);
  const k = f64x2.sub(rounded, round);
  const d1 = f64x2.sub(x, f64x2.mul(k, f64x2.splat(1.5707963267341256)));
  const w2 = f64x2.mul(k, f64x2.splat(6.077100506303966e-11));
  const d2 = f64x2.sub(d1, w2);
  const b2 = f64x2.sub(d1, d2);
  const e2 = f64x2.add(f64x2.sub(d1, f64x2.add(d2, b2)), f64x2.sub(b2, w2));
  const w3 = f64x2.mul(k, f64x2.splat(2.0222662487111665e-21));
  const d3 = f64x2.sub(d2, w3);
  const b3 = f64x2.sub(d2, d3);
  const e3 = f64x2.add(f64x2.sub(d2, f64x2.add(d3, b3)), f64x2.sub(b3, w3));
  const low = f64x2.sub(f64x2.add(e2, e3), f64x2.mul(k, f64x2.splat(8.4784276603689e-32)));
  const r = f64x2.add(d3, low);
  const tail = f64x2.add(f64x2.sub(d3, r), low);
  // 2. Both series; the tail counts to first order.
  const z = f64x2.mul(r, r);
  const halfSquare = f64x2.mul(z, f64x2.splat(0.5));
  const one = f64x2.splat(1);
  const head = f64x2.sub(one, halfSquare);
  const sine = f64x2.add(r, f64x2.add(f64x2.mul(f64x2.mul(r, z), sinSeries(z)), f64x2.mul(tail, head)));
  const rounding = f64x2.sub(f64x2.sub(one, head), halfSquare);
  const higher = f64x2.sub(f64x2.mul(f64x2.mul(z, z), cosSeries(z)), f64x2.mul(r, tail));
  const cosine = f64x2.add(head, f64x2.add(rounding, higher));
  // 3. The quadrant.
  const quadrant = i64x2.add(rounded, i64x2.splat(turn));
  const odd = i64x2.neg(v128.and(quadrant, i64x2.splat(1)));
  const sign = i64x2.shl(v128.and(quadrant, i64x2.splat(2)), 62);
  return v128.xor(v128.bitselect(cosine, sine, odd), sign);
}

/** (sin r - r) / r^3 in z = r^2. */
// @ts-ignore: decorator
@inline
function sinSeries(z: v128): v128 {
  let p = term(SIN, 0);
  p = madd<f64>(p, z, term(SIN, 1));
  p = madd<f64>(p, z, term(SIN, 2));
  p = madd<f64>(p, z, term(SIN, 3));
  p = madd<f64>(p, z, term(SIN, 4));
  p = madd<f64>(p, z, term(SIN, 5));
  p = madd<f64>(p, z, term(SIN, 6));
  p = madd<f64>(p, z, term(SIN, 7));
  return p;
}

/** (cos r - 1 + r^2 / 2) / r^4 in z = r^2. */
// @ts-ignore: decorator
@inline
function cosSeries(z: v128): v128 {
  let p = term(COS, 0);
  p = madd<f64>(p, z, term(COS, 1));
  p = madd<f64>(p, z, term(COS, 2));
  p = madd<f64>(p, z, term(COS, 3));
  p = madd<f64>(p, z, term(COS, 4));
  p = madd<f64>(p, z, term(COS, 5));
  p = madd<f64>(p, z, term(COS, 6));
  p = madd<f64>(p, z, term(COS, 7));
  return p;
}

/** The library function, for the lanes of x that are beyond the limit of the reduction. */
function beyondLimit(x: v128, value: v128, turn: i64): v128 {
  const x0 = f64x2.extract_lane(x, 0);
  const x1 = f64x2.extract_lane(x, 1);
  if (x0 > TRIGONOMETRIC_LIMIT) value = f64x2.replace_lane(value, 0, turn ? NativeMath.cos(x0) : NativeMath.sin(x0));
  if (x1 > TRIGONOMETRIC_LIMIT) value = f64x2.replace_lane(value, 1, turn ? NativeMath.cos(x1) : NativeMath.sin(x1));
  return value;
}

export function sin(x: v128): v128 {
  const a = f64x2.abs(x);
  let value = quarterTurns(a, 0);
  if (v128.any_true(f64x2.gt(a, f64x2.splat(TRIGONOMETRIC_LIMIT)))) value = beyondLimit(a, value, 0);
  return v128.xor(value, v128.and(x, i64x2.splat(SIGN)));
}

export function cos(x: v128): v128 {
  const a = f64x2.abs(x);
  const value = quarterTurns(a, 1);
  return v128.any_true(f64x2.gt(a, f64x2.splat(TRIGONOMETRIC_LIMIT))) ? beyondLimit(a, value, 1) : value;
}

/**
 * The angle of (x, y): m pi / 4 +- atan t with |t| <= 0.547, where t is the ratio of the smaller to the larger coordinate,
 * or their difference over their sum when the ratio is above 0.547 (the result is then above 1/2, where its last place is
 * coarser).
 */
export function atan2(y: v128, x: v128): v128 {
  const zero = f64x2.splat(0);
  const one = f64x2.splat(1);
  const ax = f64x2.abs(x);
  const ay = f64x2.abs(y);
  let large = f64x2.max(ax, ay);
  let small = f64x2.min(ax, ay);
  // 1. Infinite coordinates count as 1 and finite ones beside them as 0; the origin as the end of the x axis. Halves
  // of halves, so that the sum of two coordinates does not overflow.
  const infinity = f64x2.splat(Infinity);
  const infinite = f64x2.eq(large, infinity);
  small = v128.bitselect(v128.and(one, f64x2.eq(small, infinity)), small, infinite);
  large = v128.bitselect(one, large, v128.or(infinite, f64x2.eq(large, zero)));
  const down = v128.bitselect(f64x2.splat(0.25), one, f64x2.gt(large, f64x2.splat(1e300)));
  small = f64x2.mul(small, down);
  large = f64x2.mul(large, down);
  // 2. atan t = t + t^3 A(t^2).
  const far = f64x2.gt(small, f64x2.mul(large, f64x2.splat(0.547)));
  const numerator = v128.bitselect(f64x2.sub(small, large), small, far);
  const t = f64x2.div(numerator, v128.bitselect(f64x2.add(small, large), large, far));
  const z = f64x2.mul(t, t);
  let p = term(ATAN, 0);
  p = madd<f64>(p, z, term(ATAN, 1));
  p = madd<f64>(p, z, term(ATAN, 2));
  p = madd<f64>(p, z, term(ATAN, 3));
  p = madd<f64>(p, z, term(ATAN, 4));
  p = madd<f64>(p, z, term(ATAN, 5));
  p = madd<f64>(p, z, term(ATAN, 6));
  p = madd<f64>(p, z, term(ATAN, 7));
  p = madd<f64>(p, z, term(ATAN, 8));
  p = madd<f64>(p, z, term(ATAN, 9));
  p = madd<f64>(p, z, term(ATAN, 10));
  p = madd<f64>(p, z, term(ATAN, 11));
  p = madd<f64>(p, z, term(ATAN, 12));
  p = madd<f64>(p, z, term(ATAN, 13));
  const bend = f64x2.mul(f64x2.mul(t, z), p);
  // 3. The octant: m = far, then 2 - m above the diagonal, then 4 - m on the left; each turns the angle round.
  const steep = f64x2.gt(ay, ax);
  const left = i64x2.lt_s(x, i64x2.splat(0));
  let m = v128.and(one, far);
  m = v128.bitselect(f64x2.sub(f64x2.splat(2), m), m, steep);
  m = v128.bitselect(f64x2.sub(f64x2.splat(4), m), m, left);
  const turn = v128.and(v128.xor(steep, left), i64x2.splat(SIGN));
  const rest = f64x2.add(v128.xor(t, turn), madd<f64>(m, f64x2.splat(3.061616997868383e-17), v128.xor(bend, turn)));
  const value = f64x2.add(f64x2.mul(m, f64x2.splat(0.7853981633974483)), rest);
  return v128.or(value, v128.and(y, i64x2.splat(SIGN)));
}
