import { madd, sumLanes } from "./simd";

export function dot(n: i32, x: usize, y: usize): f64 {
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  const end8 = x + (<usize>(n & ~7) << 3);
  const end = x + (<usize>n << 3);
  while (x < end8) {
    s0 = madd(v128.load(x), v128.load(y), s0);
    s1 = madd(v128.load(x, 16), v128.load(y, 16), s1);
    s2 = madd(v128.load(x, 32), v128.load(y, 32), s2);
    s3 = madd(v128.load(x, 48), v128.load(y, 48), s3);
    x += 64;
    y += 64;
  }
  let sum = sumLanes(f64x2.add(f64x2.add(s0, s1), f64x2.add(s2, s3)));
  while (x < end) {
    sum += load<f64>(x) * load<f64>(y);
    x += 8;
    y += 8;
  }
  return sum;
}

export function axpy(n: i32, alpha: f64, x: usize, y: usize): void {
  const a = f64x2.splat(alpha);
  const end4 = x + (<usize>(n & ~3) << 3);
  const end = x + (<usize>n << 3);
  while (x < end4) {
    v128.store(y, madd(a, v128.load(x), v128.load(y)));
    v128.store(y, madd(a, v128.load(x, 16), v128.load(y, 16)), 16);
    x += 32;
    y += 32;
  }
  while (x < end) {
    store<f64>(y, alpha * load<f64>(x) + load<f64>(y));
    x += 8;
    y += 8;
  }
}

/** x <- alpha x; alpha = 0 overwrites, NaN included. */
export function scale(n: i32, alpha: f64, x: usize): void {
  if (alpha == 1) return;
  if (alpha == 0) {
    memory.fill(x, 0, <usize>n << 3);
    return;
  }
  const a = f64x2.splat(alpha);
  const end2 = x + (<usize>(n & ~1) << 3);
  while (x < end2) {
    v128.store(x, f64x2.mul(a, v128.load(x)));
    x += 16;
  }
  if (n & 1) store<f64>(x, alpha * load<f64>(x));
}

export function norm1(n: i32, x: usize): f64 {
  let s0 = f64x2.splat(0);
  let s1 = s0;
  const end4 = x + (<usize>(n & ~3) << 3);
  const end = x + (<usize>n << 3);
  while (x < end4) {
    s0 = f64x2.add(s0, f64x2.abs(v128.load(x)));
    s1 = f64x2.add(s1, f64x2.abs(v128.load(x, 16)));
    x += 32;
  }
  let sum = sumLanes(f64x2.add(s0, s1));
  while (x < end) {
    sum += abs(load<f64>(x));
    x += 8;
  }
  return sum;
}

/** max |x_i|: the lane-wise max of WebAssembly propagates NaN. */
export function normInf(n: i32, x: usize): f64 {
  let most = f64x2.splat(0);
  const end2 = x + (<usize>(n & ~1) << 3);
  while (x < end2) {
    most = f64x2.max(most, f64x2.abs(v128.load(x)));
    x += 16;
  }
  let largest = max(f64x2.extract_lane(most, 0), f64x2.extract_lane(most, 1));
  if (n & 1) largest = max(largest, abs(load<f64>(x)));
  return largest;
}

/** Squares between these neither overflow (summed over any array that fits in memory) nor lose digits to underflow. */
const SAFE_LOW: f64 = 1e-140;
const SAFE_HIGH: f64 = 1e140;

export function norm2(n: i32, x: usize): f64 {
  const plain = sqrt(dot(n, x, x));
  if (plain > SAFE_LOW && plain < SAFE_HIGH) return plain;
  // Rare: rescale by the largest entry.
  const largest = normInf(n, x);
  if (largest == 0 || !isFinite(largest)) return largest;
  let sum: f64 = 0;
  for (let i = 0; i < n; i++) {
    const ratio = load<f64>(x + (<usize>i << 3)) / largest;
    sum += ratio * ratio;
  }
  return largest * sqrt(sum);
}

export function blockSoftThreshold(p: i32, d: i32, v: usize, tau: f64): void {
  for (let q = 0; q < p; q++) {
    const norm = norm2(d, v);
    scale(d, norm <= tau ? 0 : 1 - tau / norm, v);
    v += <usize>d << 3;
  }
}
