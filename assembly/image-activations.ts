import { arcCosine } from "./angles";
import { atan2 } from "./functions";
import { ERF, int, lineOf, NORMALIZE, PIECEWISE, real } from "./image-step";
import { bytes, madd } from "./simd";

/** Piecewise linear on a line of n bytes; the roots and their inverses of the first image are one number when `one`. */
// @ts-ignore: decorator
@inline
export function piecewiseLine(one: bool, mean: f64, factor: f64, n: usize, k: usize, theta: usize, p: usize, pGap: usize, q: usize, qGap: usize): void {
  const f = f64x2.splat(factor);
  const root = f64x2.mul(v128.load64_splat(p), f);
  const inverse = v128.load64_splat(p + pGap);
  for (let j: usize = 0; j < n; j += 32) {
    const r0 = one ? root : f64x2.mul(f, v128.load(p + j));
    const r1 = one ? root : f64x2.mul(f, v128.load(p + j + 16));
    const i0 = one ? inverse : v128.load(p + pGap + j);
    const i1 = one ? inverse : v128.load(p + pGap + j + 16);
    const c0 = f64x2.mul(f64x2.mul(v128.load(k + j), i0), v128.load(q + qGap + j));
    const c1 = f64x2.mul(f64x2.mul(v128.load(k + j + 16), i1), v128.load(q + qGap + j + 16));
    const scale0 = f64x2.mul(r0, v128.load(q + j));
    const scale1 = f64x2.mul(r1, v128.load(q + j + 16));
    arcCosine(k + j, theta + j, c0, c1, scale0, scale1, mean, factor);
  }
}

/** As {@link piecewiseLine}, for the error function and for normalization. */
export function smoothLine(kind: i32, step: usize, one: bool, n: usize, k: usize, theta: usize, p: usize, q: usize): void {
  const A = v128.load64_splat(step + 8);
  const B = v128.load64_splat(step + 16);
  const C = v128.load64_splat(step + 24);
  const unit = f64x2.splat(1);
  let inverse = v128.load64_splat(p);
  for (let j: usize = 0; j < n; j += 16) {
    if (!one) inverse = v128.load(p + j);
    const other = v128.load(q + j);
    const both = f64x2.mul(inverse, other);
    if (kind == NORMALIZE) {
      const c = f64x2.mul(f64x2.mul(v128.load(k + j), inverse), other);
      const size = f64x2.abs(c);
      const full = v128.bitselect(unit, size, f64x2.gt(size, f64x2.splat(1 - 8.881784197001252e-16)));
      v128.store(k + j, v128.or(full, v128.and(c, i64x2.splat(i64.MIN_VALUE))));
      v128.store(theta + j, f64x2.mul(v128.load(theta + j), both));
    } else {
      const scaled = f64x2.mul(B, both);
      const u = f64x2.min(f64x2.max(f64x2.mul(scaled, v128.load(k + j)), f64x2.splat(-1)), unit);
      const root = f64x2.sqrt(f64x2.mul(f64x2.sub(unit, u), f64x2.add(unit, u)));
      v128.store(theta + j, f64x2.mul(f64x2.div(f64x2.mul(A, scaled), root), v128.load(theta + j)));
      v128.store(k + j, madd<f64>(A, atan2(u, root), C));
    }
  }
}

/** An activation or normalization on block (i, i') of a tensor of h x w pixels. */
export function activate(step: usize, i: i32, p: i32, k: usize, theta: usize, numbers1: usize, numbers2: usize): void {
  const kind = int(step, 0);
  const w = int(step, 6);
  const pairs = int(step, 16) != 0;
  const line = bytes<f64>(lineOf(w));
  const gap = <usize>int(step, 5) * line;
  const offset = bytes<f64>(int(step, 17));
  const mean = real(step, 1);
  const factor = real(step, 2);
  let first = numbers1 + offset + <usize>i * line;
  const second = numbers2 + offset + <usize>p * line;
  const lines = pairs ? w : 1;
  for (let j = 0; j < lines; j++) {
    if (kind != PIECEWISE) smoothLine(kind, step, pairs, line, k, theta, first + gap, second + gap);
    else if (pairs) piecewiseLine(true, mean, factor, line, k, theta, first, gap, second, gap);
    else piecewiseLine(false, mean, factor, line, k, theta, first, gap, second, gap);
    k += line;
    theta += line;
    first += 8;
  }
}

/** Writes the numbers of a step for one image from the covariances of its pixels with themselves. */
export function recordNumbers(step: usize, k: usize, numbers: usize): void {
  const kind = int(step, 0);
  const h = int(step, 5);
  const w = int(step, 6);
  const pairs = int(step, 16) != 0;
  const line = lineOf(w);
  const to = numbers + bytes<f64>(int(step, 17));
  const gap = bytes<f64>(h * line);
  const all = kind == NORMALIZE && real(step, 1) != 0;
  let sum: f64 = 0;
  for (let pass = all ? 0 : 1; pass < 2; pass++) {
    for (let i = 0; i < h; i++) {
      for (let j = 0; j < w; j++) {
        let v = load<f64>(k + bytes<f64>(pairs ? ((i * h + i) * w + j) * line + j : i * line + j));
        if (pass == 0) {
          sum += v;
          continue;
        }
        if (all) v = sum / <f64>(h * w);
        const root = sqrt(v);
        const at = to + bytes<f64>(i * line + j);
        store<f64>(at, root);
        store<f64>(at + gap, kind == ERF ? 1 / sqrt(1 + real(step, 2) * v) : root > 0 ? 1 / root : 0);
      }
    }
  }
}
