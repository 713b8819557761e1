import { int, lineOf, real } from "./image-step";
import { bytes, madd } from "./simd";

/** The covariances of the inputs: channel by channel, planes of h lines. */
export function input(step: usize, k: usize, theta: usize, x: usize, y: usize): void {
  const h = int(step, 5);
  const w = int(step, 6);
  const pairs = int(step, 16) != 0;
  const channels = int(step, 18);
  const lines = pairs ? w : 1;
  const line = bytes<f64>(lineOf(w));
  const plane = <usize>h * line;
  const scale = v128.load64_splat(step + 8);
  const start = k;
  for (let i = 0; i < h; i++) {
    const end = pairs ? h : i + 1;
    for (let p = pairs ? 0 : i; p < end; p++) {
      for (let j = 0; j < lines; j++) {
        for (let q: usize = 0; q < line; q += 16) {
          let at1 = x + <usize>i * line + (pairs ? bytes<f64>(j) : q);
          let at2 = y + <usize>p * line + q;
          let sum = f64x2.splat(0);
          for (let c = 0; c < channels; c++, at1 += plane, at2 += plane) {
            sum = madd<f64>(pairs ? v128.load64_splat(at1) : v128.load(at1), v128.load(at2), sum);
          }
          v128.store(k + q, f64x2.mul(scale, sum));
        }
        k += line;
      }
    }
  }
  memory.fill(theta, 0, k - start);
}

/** Sum of the entries of a tensor: of all pairs, or of its pixels. */
export function total(step: usize, from: usize): f64 {
  const h = int(step, 5);
  const w = int(step, 6);
  const lines = int(step, 16) != 0 ? h * h * w : h;
  const gap = bytes<f64>(lineOf(w));
  let sum: f64 = 0;
  for (let l = 0; l < lines; l++, from += gap) {
    let part: f64 = 0;
    for (let j = 0; j < w; j++) part += load<f64>(from + bytes<f64>(j));
    sum += part;
  }
  return sum;
}

/** One number of each of the two tensors in the place of all. */
export function reduce(step: usize, scale: f64, k: usize, theta: usize): void {
  const ofK = total(step, k);
  const ofTheta = total(step, theta);
  const line = bytes<f64>(lineOf(1));
  memory.fill(k, 0, line);
  memory.fill(theta, 0, line);
  store<f64>(k, scale * ofK);
  store<f64>(theta, scale * ofTheta);
}

/** The entries of pairs of equal places. */
export function diagonal(step: usize, from: usize, to: usize): void {
  const h = int(step, 5);
  const w = int(step, 6);
  const line = lineOf(w);
  for (let i = 0; i < h; i++) {
    for (let j = 0; j < line; j++) {
      const value = j < w ? load<f64>(from + bytes<f64>(((i * h + i) * w + j) * line + j)) : 0;
      store<f64>(to + bytes<f64>(i * line + j), value);
    }
  }
}
