import { dualLines, ERF, EXPONENTIAL, GAUSSIAN, GELU, NORMALIZE, POLYNOMIAL } from "./duals";
import { int, lineOf, real, STEP } from "./image-step";
import { bytes } from "./simd";

/** An activation or normalization on block (i, i') of a tensor of all pairs of h x w pixels. */
export function activateBlock(step: usize, i: i32, p: i32, k: usize, theta: usize, numbers1: usize, numbers2: usize): void {
  const w = int(step, 6);
  const line = bytes<f64>(lineOf(w));
  const gap = <usize>int(step, 5) * line;
  const offset = bytes<f64>(int(step, 17));
  const first = numbers1 + offset + <usize>i * line;
  const second = numbers2 + offset + <usize>p * line;
  dualLines(int(step, 0), step, true, w, line, k, theta, first, gap, second, gap);
}

/** The same on a tensor of equal places. */
export function activatePixels(step: usize, k: usize, theta: usize, numbers1: usize, numbers2: usize): void {
  const all = <usize>int(step, 5) * bytes<f64>(lineOf(int(step, 6)));
  const offset = bytes<f64>(int(step, 17));
  dualLines(int(step, 0), step, false, 1, all, k, theta, numbers1 + offset, all, numbers2 + offset, all);
}

/** Coefficient `index` of a polynomial: four in each of the steps behind its own. */
// @ts-ignore: decorator
@inline
function coefficient(step: usize, index: i32): f64 {
  return real(step + bytes<f64>((1 + (index >> 2)) * STEP), 1 + (index & 3));
}

/** Writes the numbers of a step for one pixel of variance v. */
function writeNumbers(kind: i32, step: usize, v: f64, to: usize, gap: usize): void {
  if (kind == POLYNOMIAL) {
    const degree = int(step, 1);
    let index = 0;
    for (let m = 0; m <= degree; m++, to += gap) {
      const end = index + (degree - m) / 2;
      let sum: f64 = 0;
      for (let i = end; i >= index; i--) sum = sum * v + coefficient(step, i);
      store<f64>(to, sum);
      index = end + 1;
    }
    return;
  }
  const root = sqrt(v);
  let first = root;
  let second = root > 0 ? 1 / root : 0;
  if (kind == ERF) second = 1 / sqrt(1 + real(step, 2) * v);
  else if (kind == GELU) second = 1 / sqrt(1 + v);
  else if (kind == EXPONENTIAL) first = v;
  // Nothing is finite behind a Gaussian that grows faster than the density falls: 0 makes the determinant negative.
  else if (kind == GAUSSIAN) first = max(0, 1 - real(step, 3) * v);
  store<f64>(to, first);
  store<f64>(to + gap, second);
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
        writeNumbers(kind, step, v, to + bytes<f64>(i * line + j), gap);
      }
    }
  }
}
