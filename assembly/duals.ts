import { arcCosineStep, arcSine, complement, constant, distance, MINUS_ONE, ONE, SIGN_BIT, TWO } from "./angles";
import { exp } from "./functions";
import { madd } from "./simd";

/**
 * Activations as kernels see them: what they make of the covariance k of two Gaussians, and the slope that theta is
 * multiplied by. Kinds, parameters A, B, C and the numbers of an input are described, and mirrored, in src/compute/duals.ts.
 */
export const PIECEWISE = 32;
export const ERF = 33;
export const NORMALIZE = 34;
export const GELU = 35;
export const EXPONENTIAL = 36;
export const GAUSSIAN = 37;
export const SIGN = 38;
export const RECTIFIED = 39;
export const POLYNOMIAL = 40;

/** Number j of the first input: the same for all of a line when `one`. */
// @ts-ignore: decorator
@inline
function first(one: bool, p: usize, j: usize): v128 {
  return one ? v128.load64_splat(p) : v128.load(p + j);
}

/** x between -1 and 1; NaN stays (the pseudo-minimum is one instruction and returns its first operand then). */
// @ts-ignore: decorator
@inline
function clamp(x: v128): v128 {
  return f64x2.pmin(f64x2.pmax(x, constant(MINUS_ONE)), constant(ONE));
}

/** theta <- slope theta, 16 bytes. */
// @ts-ignore: decorator
@inline
function multiply(theta: usize, slope: v128): void {
  v128.store(theta, f64x2.mul(slope, v128.load(theta)));
}

/** Of `lines` lines one behind the other; number j of the first input is that of line j when `one`. */
// @ts-ignore: decorator
@inline
function piecewise(
  one: bool, lines: i32, A: f64, B: f64, n: usize, k: usize, theta: usize, p: usize, pGap: usize, q: usize, qGap: usize,
): void {
  const factor = f64x2.splat(B);
  const middle = f64x2.splat(A - B * (Math.PI / 2));
  for (let line = 0; line < lines; line++, p += 8, k += n, theta += n) {
    const root = f64x2.mul(factor, v128.load64_splat(p));
    const inverse = v128.load64_splat(p + pGap);
    for (let j: usize = 0; j < n; j += 32) {
      const at = p + j;
      const other = q + j;
      const inverse0 = one ? inverse : v128.load(at + pGap);
      const inverse1 = one ? inverse : v128.load(at + pGap, 16);
      // Not through the product of the inverses, which may overflow.
      const c0 = f64x2.mul(f64x2.mul(v128.load(k + j), inverse0), v128.load(other + qGap));
      const c1 = f64x2.mul(f64x2.mul(v128.load(k + j, 16), inverse1), v128.load(other + qGap, 16));
      const scale0 = f64x2.mul(one ? root : f64x2.mul(factor, v128.load(at)), v128.load(other));
      const scale1 = f64x2.mul(one ? root : f64x2.mul(factor, v128.load(at, 16)), v128.load(other, 16));
      arcCosineStep(k + j, theta + j, c0, c1, scale0, scale1, middle, factor);
    }
  }
}

/** |k| <= sqrt(v v') means 1 - u^2 >= P^2 + Q^2 - P^2 Q^2, which rounding loses where the variances are large. */
function erf(one: bool, A: v128, B: v128, C: v128, n: usize, k: usize, theta: usize, p: usize, q: usize): void {
  for (let j: usize = 0; j < n; j += 16) {
    const inverse = first(one, p, j);
    const other = v128.load(q + j);
    const product = f64x2.mul(inverse, other);
    const both = f64x2.mul(B, product);
    const u = clamp(f64x2.mul(both, v128.load(k + j)));
    const d = f64x2.sub(constant(ONE), f64x2.abs(u));
    const squares = f64x2.add(f64x2.mul(inverse, inverse), f64x2.mul(other, other));
    const least = f64x2.sub(squares, f64x2.mul(product, product));
    const root = f64x2.sqrt(f64x2.pmax(f64x2.mul(d, f64x2.sub(constant(TWO), d)), least));
    multiply(theta + j, f64x2.div(f64x2.mul(A, both), root));
    v128.store(k + j, madd<f64>(A, arcSine(u, d), C));
  }
}

/** Correlations; with `over` = 1 the variance is the mean over all pixels, and a value may be more than 1. */
function normalize(one: bool, over: f64, n: usize, k: usize, theta: usize, p: usize, q: usize): void {
  const limit = f64x2.splat(over == 1 ? Infinity : 1 - 8.881784197001252e-16);
  for (let j: usize = 0; j < n; j += 16) {
    const inverse = first(one, p, j);
    const c = f64x2.mul(f64x2.mul(v128.load(k + j), inverse), v128.load(q + j));
    const size = f64x2.abs(c);
    const full = v128.bitselect(constant(ONE), size, f64x2.gt(size, limit));
    v128.store(k + j, v128.or(full, v128.and(c, constant(SIGN_BIT))));
    multiply(theta + j, f64x2.mul(inverse, v128.load(q + j)));
  }
}

/** H = P(both positive), e / (2 pi) the density of the two derivatives; see gelu of src/tangent/dual-activations.ts. */
function gelu(one: bool, n: usize, k: usize, theta: usize, p: usize, pGap: usize, q: usize, qGap: usize): void {
  const unit = constant(ONE);
  const turn = f64x2.splat(1 / (2 * Math.PI));
  for (let j: usize = 0; j < n; j += 16) {
    const root = first(one, p, j);
    const other = v128.load(q + j);
    const inverse = first(one, p + pGap, j);
    const otherInverse = v128.load(q + qGap + j);
    const roots = f64x2.mul(root, other);
    const x = f64x2.pmin(f64x2.pmax(v128.load(k + j), f64x2.neg(roots)), roots);
    const across = f64x2.mul(f64x2.sub(roots, x), f64x2.add(roots, x));
    const variances = f64x2.add(f64x2.mul(root, root), f64x2.mul(other, other));
    const D = f64x2.add(f64x2.add(unit, variances), across);
    const u = f64x2.mul(f64x2.mul(x, inverse), otherInverse);
    const H = madd<f64>(turn, arcSine(u, f64x2.sub(unit, f64x2.abs(u))), f64x2.splat(0.25));
    const e = f64x2.div(turn, f64x2.sqrt(D));
    const weight = f64x2.sub(f64x2.add(f64x2.mul(inverse, inverse), f64x2.mul(otherInverse, otherInverse)), unit);
    const rest = madd<f64>(f64x2.mul(x, x), weight, f64x2.mul(roots, roots));
    const bend = f64x2.add(f64x2.add(unit, f64x2.add(weight, weight)), f64x2.div(rest, D));
    multiply(theta + j, madd<f64>(f64x2.mul(x, e), bend, H));
    v128.store(k + j, madd<f64>(x, H, f64x2.mul(e, rest)));
  }
}

function exponential(one: bool, A: f64, B: f64, C: f64, n: usize, k: usize, theta: usize, p: usize, q: usize): void {
  const two = f64x2.splat(C < 0 ? -2 : 2);
  const rate = f64x2.splat(2 * abs(C));
  for (let j: usize = 0; j < n; j += 16) {
    const variances = f64x2.add(first(one, p, j), v128.load(q + j));
    const twice = f64x2.mul(two, v128.load(k + j));
    const near = f64x2.mul(f64x2.splat(A), exp(f64x2.mul(f64x2.splat(C), f64x2.add(variances, twice))));
    let far = f64x2.splat(0);
    if (B != 0) far = f64x2.mul(f64x2.splat(B), exp(f64x2.mul(f64x2.splat(C), f64x2.sub(variances, twice))));
    multiply(theta + j, f64x2.mul(rate, f64x2.sub(near, far)));
    v128.store(k + j, f64x2.add(near, far));
  }
}

function gaussian(one: bool, A: v128, C: v128, n: usize, k: usize, theta: usize, p: usize, q: usize): void {
  for (let j: usize = 0; j < n; j += 16) {
    const across = f64x2.mul(C, v128.load(k + j));
    const determinant = f64x2.sub(f64x2.mul(first(one, p, j), v128.load(q + j)), f64x2.mul(across, across));
    const value = f64x2.div(A, f64x2.sqrt(determinant));
    multiply(theta + j, f64x2.div(f64x2.mul(f64x2.mul(C, across), value), determinant));
    v128.store(k + j, value);
  }
}

function sign(one: bool, n: usize, k: usize, theta: usize, p: usize, q: usize): void {
  memory.fill(theta, 0, n);
  for (let j: usize = 0; j < n; j += 16) {
    const c = f64x2.mul(f64x2.mul(v128.load(k + j), first(one, p, j)), v128.load(q + j));
    v128.store(k + j, f64x2.mul(f64x2.splat(2 / Math.PI), arcSine(c, distance(c))));
  }
}

/** J_A of the angle by its recursion; see rectifiedMonomial of src/tangent/dual-activations.ts. */
function rectified(one: bool, A: f64, n: usize, k: usize, theta: usize, p: usize, pGap: usize, q: usize, qGap: usize): void {
  const turn = f64x2.splat(1 / (2 * Math.PI));
  for (let j: usize = 0; j < n; j += 16) {
    const c = clamp(f64x2.mul(f64x2.mul(v128.load(k + j), first(one, p + pGap, j)), v128.load(q + qGap + j)));
    const d = distance(c);
    const sine = complement(d);
    const square = f64x2.mul(sine, sine);
    const scale = f64x2.mul(first(one, p, j), v128.load(q + j));
    let power = turn;
    let before = f64x2.add(f64x2.splat(Math.PI / 2), arcSine(c, d));
    let last = madd<f64>(c, before, sine);
    for (let m: f64 = 2; m <= A; m++) {
      const next = f64x2.mul(f64x2.mul(f64x2.splat((m - 1) * (m - 1)), square), before);
      before = last;
      last = madd<f64>(f64x2.mul(f64x2.splat(2 * m - 1), c), last, next);
      power = f64x2.mul(power, scale);
    }
    multiply(theta + j, f64x2.mul(f64x2.mul(f64x2.splat(A * A), power), before));
    v128.store(k + j, f64x2.mul(f64x2.mul(power, scale), last));
  }
}

/** The sum of products of numbers m of both inputs times k^m, m = 0 .. A, and its derivative. */
function polynomial(one: bool, A: i32, n: usize, k: usize, theta: usize, p: usize, pGap: usize, q: usize, qGap: usize): void {
  for (let j: usize = 0; j < n; j += 16) {
    const x = v128.load(k + j);
    let slope = f64x2.splat(0);
    let value = f64x2.splat(0);
    for (let m = <usize>A + 1; m > 0; m--) {
      slope = madd<f64>(slope, x, value);
      const product = f64x2.mul(first(one, p + (m - 1) * pGap, j), v128.load(q + (m - 1) * qGap + j));
      value = madd<f64>(value, x, product);
    }
    multiply(theta + j, slope);
    v128.store(k + j, value);
  }
}

/**
 * Takes `lines` lines of n bytes, one behind the other, through a step of one of the kinds above. The first input has one
 * number for all of a line when `one`, and the next one for the next line; the second has the same numbers for all lines.
 */
export function dualLines(
  kind: i32, step: usize, one: bool, lines: i32, n: usize, k: usize, theta: usize,
  p: usize, pGap: usize, q: usize, qGap: usize,
): void {
  const A = load<f64>(step, 8);
  const B = load<f64>(step, 16);
  const C = load<f64>(step, 24);
  if (kind == PIECEWISE) {
    if (one) piecewise(true, lines, A, B, n, k, theta, p, pGap, q, qGap);
    else piecewise(false, lines, A, B, n, k, theta, p, pGap, q, qGap);
    return;
  }
  for (let line = 0; line < lines; line++, p += 8, k += n, theta += n) {
    if (kind == ERF) erf(one, f64x2.splat(A), f64x2.splat(B), f64x2.splat(C), n, k, theta, p + pGap, q + qGap);
    else if (kind == NORMALIZE) normalize(one, A, n, k, theta, p + pGap, q + qGap);
    else if (kind == GELU) gelu(one, n, k, theta, p, pGap, q, qGap);
    else if (kind == EXPONENTIAL) exponential(one, A, B, C, n, k, theta, p, q);
    else if (kind == GAUSSIAN) gaussian(one, f64x2.splat(A), f64x2.splat(C), n, k, theta, p, q);
    else if (kind == SIGN) sign(one, n, k, theta, p + pGap, q + qGap);
    else if (kind == RECTIFIED) rectified(one, A, n, k, theta, p, pGap, q, qGap);
    else polynomial(one, <i32>A, n, k, theta, p, pGap, q, qGap);
  }
}
