import { atan2 } from "./functions";
import { at, bytes, madd } from "./simd";

/**
 * Recursions over pairs: each entry (i, j) of a matrix goes through a list of steps, together with a second number theta
 * that starts at zero. A row goes strip by strip, a strip through all steps while it is in the first-level cache.
 * The steps are described, and their numbers mirrored, in src/compute/types.ts.
 */
const AFFINE = 0;
const PIECEWISE = 1;
const NORMALIZE = 2;
const SAVE = 3;
const EXCHANGE = 4;
const ADD = 5;
const ERF = 6;

/** Numbers of a step: its kind and its parameters. */
const STEP: i32 = 6;
/** Entries of a strip, and bytes of one of its two arrays. */
const STRIP: i32 = 256;
const ARRAY: usize = <usize>STRIP << 3;

// @ts-ignore: decorator
@inline
function parameter(step: usize, index: i32): v128 {
  return v128.load64_splat(step + (<usize>index << 3));
}

/** x between -1 and 1; NaN stays (the pseudo-minimum is one instruction and returns its first operand then). */
// @ts-ignore: decorator
@inline
function clamp(x: v128): v128 {
  return f64x2.pmin(f64x2.pmax(x, f64x2.splat(-1)), f64x2.splat(1));
}

/** sqrt(1 - x^2). */
// @ts-ignore: decorator
@inline
function complement(x: v128): v128 {
  const one = f64x2.splat(1);
  return f64x2.sqrt(f64x2.mul(f64x2.sub(one, x), f64x2.add(one, x)));
}

/** m = w k + b; theta <- w theta + a m + c k + e; k <- m, for n bytes. */
function affine(step: usize, n: usize, k: usize, theta: usize): void {
  const w = parameter(step, 1);
  const b = parameter(step, 2);
  const a = parameter(step, 3);
  const c = parameter(step, 4);
  const e = parameter(step, 5);
  for (let j: usize = 0; j < n; j += 16) {
    const before = v128.load(k + j);
    const after = madd<f64>(w, before, b);
    const added = madd<f64>(a, after, madd<f64>(c, before, e));
    v128.store(theta + j, madd<f64>(w, v128.load(theta + j), added));
    v128.store(k + j, after);
  }
}

/** The ratio whose arc tangent is the angle of a point on the upper half of the unit circle, up to multiples of pi / 4. */
// @ts-ignore: decorator
@inline
function ratio(sine: v128, c: v128): v128 {
  const a = f64x2.abs(c);
  const large = f64x2.pmax(a, sine);
  const small = f64x2.pmin(a, sine);
  const far = f64x2.gt(small, f64x2.mul(large, f64x2.splat(0.547)));
  const numerator = v128.bitselect(f64x2.sub(small, large), small, far);
  return f64x2.div(numerator, v128.bitselect(f64x2.add(small, large), large, far));
}

/** The angle of the point (c, sine) from its ratio t and the bend atan t - t: as in atan2 of functions.ts. */
// @ts-ignore: decorator
@inline
function angle(sine: v128, c: v128, t: v128, bend: v128): v128 {
  const a = f64x2.abs(c);
  const steep = f64x2.gt(sine, a);
  const left = f64x2.lt(c, f64x2.splat(0));
  const far = f64x2.gt(f64x2.pmin(a, sine), f64x2.mul(f64x2.pmax(a, sine), f64x2.splat(0.547)));
  let m = v128.and(f64x2.splat(1), far);
  m = v128.bitselect(f64x2.sub(f64x2.splat(2), m), m, steep);
  m = v128.bitselect(f64x2.sub(f64x2.splat(4), m), m, left);
  const turn = v128.and(v128.xor(steep, left), f64x2.splat(-0.0));
  const rest = f64x2.add(v128.xor(t, turn), madd<f64>(m, f64x2.splat(3.061616997868383e-17), v128.xor(bend, turn)));
  return f64x2.add(f64x2.mul(m, f64x2.splat(0.7853981633974483)), rest);
}

/**
 * mean, factor; the numbers of a row and a column are the root of the variance and its inverse. Two vectors at a time,
 * which share the constants of the series: half of the time would go into loading them.
 */
function piecewise(step: usize, n: usize, k: usize, theta: usize, row: usize, rowGap: usize, col: usize, colGap: usize): void {
  const mean = parameter(step, 1);
  const factor = parameter(step, 2);
  const root = f64x2.mul(v128.load64_splat(row), factor);
  const inverse = v128.load64_splat(row + rowGap);
  for (let j: usize = 0; j < n; j += 32) {
    const k0 = v128.load(k + j);
    const k1 = v128.load(k + j, 16);
    const c0 = clamp(f64x2.mul(k0, f64x2.mul(inverse, v128.load(col + colGap + j))));
    const c1 = clamp(f64x2.mul(k1, f64x2.mul(inverse, v128.load(col + colGap + j, 16))));
    const sine0 = complement(c0);
    const sine1 = complement(c1);
    const t0 = ratio(sine0, c0);
    const t1 = ratio(sine1, c1);
    const z0 = f64x2.mul(t0, t0);
    const z1 = f64x2.mul(t1, t1);
    let q = f64x2.splat(0.00582402383295046);
    let p0 = q;
    let p1 = q;
    q = f64x2.splat(-0.018540318382981105);
    p0 = madd<f64>(p0, z0, q);
    p1 = madd<f64>(p1, z1, q);
    q = f64x2.splat(0.031600076337574674);
    p0 = madd<f64>(p0, z0, q);
    p1 = madd<f64>(p1, z1, q);
    q = f64x2.splat(-0.040776852844912795);
    p0 = madd<f64>(p0, z0, q);
    p1 = madd<f64>(p1, z1, q);
    q = f64x2.splat(0.04699751527206424);
    p0 = madd<f64>(p0, z0, q);
    p1 = madd<f64>(p1, z1, q);
    q = f64x2.splat(-0.05252886566086682);
    p0 = madd<f64>(p0, z0, q);
    p1 = madd<f64>(p1, z1, q);
    q = f64x2.splat(0.05881139800482136);
    p0 = madd<f64>(p0, z0, q);
    p1 = madd<f64>(p1, z1, q);
    q = f64x2.splat(-0.06666565855310785);
    p0 = madd<f64>(p0, z0, q);
    p1 = madd<f64>(p1, z1, q);
    q = f64x2.splat(0.07692301967653598);
    p0 = madd<f64>(p0, z0, q);
    p1 = madd<f64>(p1, z1, q);
    q = f64x2.splat(-0.09090908879249977);
    p0 = madd<f64>(p0, z0, q);
    p1 = madd<f64>(p1, z1, q);
    q = f64x2.splat(0.11111111106404786);
    p0 = madd<f64>(p0, z0, q);
    p1 = madd<f64>(p1, z1, q);
    q = f64x2.splat(-0.14285714285659498);
    p0 = madd<f64>(p0, z0, q);
    p1 = madd<f64>(p1, z1, q);
    q = f64x2.splat(0.19999999999999749);
    p0 = madd<f64>(p0, z0, q);
    p1 = madd<f64>(p1, z1, q);
    q = f64x2.splat(-0.3333333333333333);
    p0 = madd<f64>(p0, z0, q);
    p1 = madd<f64>(p1, z1, q);
    const slope0 = f64x2.sub(mean, f64x2.mul(factor, angle(sine0, c0, t0, f64x2.mul(f64x2.mul(t0, z0), p0))));
    const slope1 = f64x2.sub(mean, f64x2.mul(factor, angle(sine1, c1, t1, f64x2.mul(f64x2.mul(t1, z1), p1))));
    const across0 = f64x2.mul(f64x2.mul(root, v128.load(col + j)), sine0);
    const across1 = f64x2.mul(f64x2.mul(root, v128.load(col + j, 16)), sine1);
    v128.store(theta + j, f64x2.mul(slope0, v128.load(theta + j)));
    v128.store(theta + j, f64x2.mul(slope1, v128.load(theta + j, 16)), 16);
    v128.store(k + j, madd<f64>(slope0, k0, across0));
    v128.store(k + j, madd<f64>(slope1, k1, across1), 16);
  }
}

/** A, B, C; the numbers of a row and a column: unused, 1 / sqrt(1 + B variance). */
function erf(step: usize, n: usize, k: usize, theta: usize, inverse: v128, inverses: usize): void {
  const A = parameter(step, 1);
  const B = parameter(step, 2);
  const C = parameter(step, 3);
  for (let j: usize = 0; j < n; j += 16) {
    const both = f64x2.mul(B, f64x2.mul(inverse, v128.load(inverses + j)));
    const u = clamp(f64x2.mul(both, v128.load(k + j)));
    const root = complement(u);
    const slope = f64x2.div(f64x2.mul(A, both), root);
    v128.store(theta + j, f64x2.mul(slope, v128.load(theta + j)));
    v128.store(k + j, madd<f64>(A, atan2(u, root), C));
  }
}

/** The numbers of a row and a column: unused, the inverse of the root of the variance. */
function normalize(n: usize, k: usize, theta: usize, inverse: v128, inverses: usize): void {
  for (let j: usize = 0; j < n; j += 16) {
    const both = f64x2.mul(inverse, v128.load(inverses + j));
    v128.store(k + j, clamp(f64x2.mul(both, v128.load(k + j))));
    v128.store(theta + j, f64x2.mul(both, v128.load(theta + j)));
  }
}

/** current <-> slot. */
function exchange(n: usize, current: usize, slot: usize): void {
  for (let j: usize = 0; j < n; j += 16) {
    const before = v128.load(current + j);
    v128.store(current + j, v128.load(slot + j));
    v128.store(slot + j, before);
  }
}

function add(n: usize, current: usize, slot: usize): void {
  for (let j: usize = 0; j < n; j += 16) {
    v128.store(current + j, f64x2.add(v128.load(current + j), v128.load(slot + j)));
  }
}

/**
 * Rows `from` <= i < `to` of the recursion, columns j <= i only when `lower`. Numbers of rows and columns: for each step two
 * arrays of `rowStride` (`colStride`) entries; columns are read up to the next multiple of four. `theta` may be 0: not
 * written. `work` has room for 4 kB (1 + slots).
 */
export function pairRecursion<T extends number>(
  lower: bool, from: i32, to: i32, cols: i32, steps: i32, program: usize,
  rowNumbers: usize, rowStride: i32, colNumbers: usize, colStride: i32,
  k: usize, ldk: i32, theta: usize, ldt: i32, work: usize,
): void {
  const here = work;
  const second = work + ARRAY;
  const rowGap = bytes<f64>(rowStride);
  const colGap = bytes<f64>(colStride);
  for (let i = from; i < to; i++) {
    const end = lower ? i + 1 : cols;
    for (let j0 = 0; j0 < end; j0 += STRIP) {
      const count = min(STRIP, end - j0);
      const n = bytes<f64>((count + 3) & ~3);
      // 1. The strip in f64, up to a whole number of four entries.
      const kRow = at<T>(k, ldk, i, j0);
      memory.fill(here + n - 32, 0, 32);
      if (sizeof<T>() == 8) memory.copy(here, kRow, bytes<f64>(count));
      else for (let j = 0; j < count; j++) store<f64>(here + bytes<f64>(j), <f64>load<T>(kRow + bytes<T>(j)));
      memory.fill(second, 0, n);
      // 2. Its steps.
      for (let s = 0; s < steps; s++) {
        const step = program + bytes<f64>(s * STEP);
        const kind = <i32>load<f64>(step);
        const row = rowNumbers + <usize>(2 * s) * rowGap + bytes<f64>(i);
        const col = colNumbers + <usize>(2 * s) * colGap + bytes<f64>(j0);
        const slot = work + 2 * ARRAY * (1 + <usize>load<f64>(step, 8));
        if (kind == AFFINE) affine(step, n, here, second);
        else if (kind == PIECEWISE) piecewise(step, n, here, second, row, rowGap, col, colGap);
        else if (kind == NORMALIZE) normalize(n, here, second, v128.load64_splat(row + rowGap), col + colGap);
        else if (kind == ERF) erf(step, n, here, second, v128.load64_splat(row + rowGap), col + colGap);
        else if (kind == SAVE) {
          memory.copy(slot, here, 2 * ARRAY);
        } else if (kind == EXCHANGE) {
          exchange(n, here, slot);
          exchange(n, second, slot + ARRAY);
        } else if (kind == ADD) {
          add(n, here, slot);
          add(n, second, slot + ARRAY);
        }
      }
      // 3. Back.
      write<T>(kRow, here, count);
      if (theta != 0) write<T>(at<T>(theta, ldt, i, j0), second, count);
    }
  }
}

// @ts-ignore: decorator
@inline
function write<T extends number>(to: usize, from: usize, count: i32): void {
  if (sizeof<T>() == 8) memory.copy(to, from, bytes<f64>(count));
  else for (let j = 0; j < count; j++) store<T>(to + bytes<T>(j), <T>load<f64>(from + bytes<f64>(j)));
}
