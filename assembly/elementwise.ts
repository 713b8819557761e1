import { atan2, cos, erf, exp, log1p, sin, softplus, tanh } from "./functions";
import { bytes, loadSplat } from "./simd";

/** Two numbers at `from` as f64 lanes. */
// @ts-ignore: decorator
@inline
function loadPair<T extends number>(from: usize): v128 {
  return sizeof<T>() == 8 ? v128.load(from) : f64x2.promote_low_f32x4(v128.load64_zero(from));
}

/** One number at `from` in both f64 lanes. */
// @ts-ignore: decorator
@inline
function loadOne<T extends number>(from: usize): v128 {
  return sizeof<T>() == 8 ? loadSplat<f64>(from) : f64x2.promote_low_f32x4(loadSplat<f32>(from));
}

// @ts-ignore: decorator
@inline
function storePair<T extends number>(to: usize, value: v128): void {
  if (sizeof<T>() == 8) v128.store(to, value);
  else v128.store64_lane(to, f32x4.demote_f64x2_zero(value), 0);
}

// @ts-ignore: decorator
@inline
function storeOne<T extends number>(to: usize, value: v128): void {
  store<T>(to, <T>f64x2.extract_lane(value, 0));
}

/** The functions, numbered as in ELEMENTWISE of src/compute/types.ts. */
const RELU = 0;
const EXP = 1;
const LOG1P = 2;
const SOFTPLUS = 3;
const TANH = 4;
const ERF = 5;
const SIN = 6;
const COS = 7;

// @ts-ignore: decorator
@inline
function evaluate(kind: i32, x: v128): v128 {
  if (kind == EXP) return exp(x);
  if (kind == LOG1P) return log1p(x);
  if (kind == SOFTPLUS) return softplus(x);
  if (kind == TANH) return tanh(x);
  if (kind == ERF) return erf(x);
  if (kind == SIN) return sin(x);
  return cos(x);
}

/**
 * out_i <- f(x_i); f32 goes through f64 and is rounded once. An entry does not depend on its neighbours. Inlined with a
 * constant `kind`, so that each function has its own loop.
 */
// @ts-ignore: decorator
@inline
function map<T extends number>(kind: i32, n: i32, x: usize, out: usize): void {
  const pairs = bytes<T>(n & ~1);
  for (let i: usize = 0; i < pairs; i += 2 * sizeof<T>()) storePair<T>(out + i, evaluate(kind, loadPair<T>(x + i)));
  if (n & 1) storeOne<T>(out + pairs, evaluate(kind, loadOne<T>(x + pairs)));
}

function relu<T extends number>(n: i32, x: usize, out: usize): void {
  const zero = v128.splat<T>(0);
  const whole = bytes<T>(n) & ~15;
  const end = bytes<T>(n);
  let i: usize = 0;
  for (; i < whole; i += 16) v128.store(out + i, v128.max<T>(v128.load(x + i), zero));
  for (; i < end; i += sizeof<T>()) store<T>(out + i, max<T>(load<T>(x + i), <T>0));
}

function reluMask<T extends number>(n: i32, x: usize, g: usize, out: usize): void {
  const zero = v128.splat<T>(0);
  const whole = bytes<T>(n) & ~15;
  const end = bytes<T>(n);
  let i: usize = 0;
  for (; i < whole; i += 16) v128.store(out + i, v128.and(v128.load(g + i), v128.gt<T>(v128.load(x + i), zero)));
  for (; i < end; i += sizeof<T>()) store<T>(out + i, load<T>(x + i) > <T>0 ? load<T>(g + i) : <T>0);
}

export function applyUnary<T extends number>(kind: i32, n: i32, x: usize, out: usize): void {
  if (kind == RELU) relu<T>(n, x, out);
  else if (kind == EXP) map<T>(EXP, n, x, out);
  else if (kind == LOG1P) map<T>(LOG1P, n, x, out);
  else if (kind == SOFTPLUS) map<T>(SOFTPLUS, n, x, out);
  else if (kind == TANH) map<T>(TANH, n, x, out);
  else if (kind == ERF) map<T>(ERF, n, x, out);
  else if (kind == SIN) map<T>(SIN, n, x, out);
  else if (kind == COS) map<T>(COS, n, x, out);
}

function add<T extends number>(n: i32, x: usize, y: usize, out: usize): void {
  const whole = bytes<T>(n) & ~15;
  const end = bytes<T>(n);
  let i: usize = 0;
  for (; i < whole; i += 16) v128.store(out + i, v128.add<T>(v128.load(x + i), v128.load(y + i)));
  for (; i < end; i += sizeof<T>()) store<T>(out + i, load<T>(x + i) + load<T>(y + i));
}

/** out_i <- f(x_i, y_i): the derivative of relu at x times y, the angle of the point (y, x), or the sum. */
export function applyBinary<T extends number>(kind: i32, n: i32, x: usize, y: usize, out: usize): void {
  if (kind == 0) {
    reluMask<T>(n, x, y, out);
    return;
  }
  if (kind == 2) {
    add<T>(n, x, y, out);
    return;
  }
  const pairs = bytes<T>(n & ~1);
  for (let i: usize = 0; i < pairs; i += 2 * sizeof<T>()) {
    storePair<T>(out + i, atan2(loadPair<T>(x + i), loadPair<T>(y + i)));
  }
  if (n & 1) storeOne<T>(out + pairs, atan2(loadOne<T>(x + pairs), loadOne<T>(y + pairs)));
}
