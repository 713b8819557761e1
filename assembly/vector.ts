import { bytes, madd, sumLanes } from "./simd";

export function dot<T extends number>(n: i32, x: usize, y: usize): T {
  let s0 = v128.splat<T>(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  const end64 = x + (bytes<T>(n) & ~63);
  const end = x + bytes<T>(n);
  while (x < end64) {
    s0 = madd<T>(v128.load(x), v128.load(y), s0);
    s1 = madd<T>(v128.load(x, 16), v128.load(y, 16), s1);
    s2 = madd<T>(v128.load(x, 32), v128.load(y, 32), s2);
    s3 = madd<T>(v128.load(x, 48), v128.load(y, 48), s3);
    x += 64;
    y += 64;
  }
  let sum = sumLanes<T>(v128.add<T>(v128.add<T>(s0, s1), v128.add<T>(s2, s3)));
  while (x < end) {
    sum = <T>(sum + load<T>(x) * load<T>(y));
    x += sizeof<T>();
    y += sizeof<T>();
  }
  return sum;
}

export function axpy<T extends number>(n: i32, alpha: T, x: usize, y: usize): void {
  const a = v128.splat<T>(alpha);
  const end32 = x + (bytes<T>(n) & ~31);
  const end = x + bytes<T>(n);
  while (x < end32) {
    v128.store(y, madd<T>(a, v128.load(x), v128.load(y)));
    v128.store(y, madd<T>(a, v128.load(x, 16), v128.load(y, 16)), 16);
    x += 32;
    y += 32;
  }
  while (x < end) {
    store<T>(y, <T>(alpha * load<T>(x) + load<T>(y)));
    x += sizeof<T>();
    y += sizeof<T>();
  }
}

/** x <- alpha x; alpha = 0 overwrites, NaN included. */
export function scale<T extends number>(n: i32, alpha: T, x: usize): void {
  if (alpha == 1) return;
  if (alpha == 0) {
    memory.fill(x, 0, bytes<T>(n));
    return;
  }
  const a = v128.splat<T>(alpha);
  const end16 = x + (bytes<T>(n) & ~15);
  const end = x + bytes<T>(n);
  while (x < end16) {
    v128.store(x, v128.mul<T>(a, v128.load(x)));
    x += 16;
  }
  while (x < end) {
    store<T>(x, <T>(alpha * load<T>(x)));
    x += sizeof<T>();
  }
}

export function norm1<T extends number>(n: i32, x: usize): T {
  let s0 = v128.splat<T>(0);
  let s1 = s0;
  const end32 = x + (bytes<T>(n) & ~31);
  const end = x + bytes<T>(n);
  while (x < end32) {
    s0 = v128.add<T>(s0, v128.abs<T>(v128.load(x)));
    s1 = v128.add<T>(s1, v128.abs<T>(v128.load(x, 16)));
    x += 32;
  }
  let sum = sumLanes<T>(v128.add<T>(s0, s1));
  while (x < end) {
    sum = <T>(sum + abs<T>(load<T>(x)));
    x += sizeof<T>();
  }
  return sum;
}

/** max |x_i|: max of WebAssembly propagates NaN. */
export function normInf<T extends number>(n: i32, x: usize): T {
  let most = v128.splat<T>(0);
  const end16 = x + (bytes<T>(n) & ~15);
  const end = x + bytes<T>(n);
  while (x < end16) {
    most = v128.max<T>(most, v128.abs<T>(v128.load(x)));
    x += 16;
  }
  let largest: T = <T>0;
  if (sizeof<T>() == 8) largest = <T>max<f64>(f64x2.extract_lane(most, 0), f64x2.extract_lane(most, 1));
  else {
    most = f32x4.max(most, v128.shuffle<f32>(most, most, 2, 3, 0, 1));
    largest = <T>max<f32>(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1));
  }
  while (x < end) {
    largest = max<T>(largest, abs<T>(load<T>(x)));
    x += sizeof<T>();
  }
  return largest;
}

/** Squares between these neither overflow (summed over any array that fits in memory) nor lose digits to underflow. */
const SAFE_LOW: f64 = 1e-140;
const SAFE_HIGH: f64 = 1e140;

export function norm2F64(n: i32, x: usize): f64 {
  const plain = sqrt(dot<f64>(n, x, x));
  if (plain > SAFE_LOW && plain < SAFE_HIGH) return plain;
  // Rare: rescale by the largest entry.
  const largest = normInf<f64>(n, x);
  if (largest == 0 || !isFinite(largest)) return largest;
  let sum: f64 = 0;
  for (let i = 0; i < n; i++) {
    const ratio = load<f64>(x + bytes<f64>(i)) / largest;
    sum += ratio * ratio;
  }
  return largest * sqrt(sum);
}

/** The norm of f32 entries, summed in f64, where their squares neither overflow nor underflow. */
export function norm2F32(n: i32, x: usize): f32 {
  let s0 = f64x2.splat(0);
  let s1 = s0;
  const end16 = x + (bytes<f32>(n) & ~15);
  const end = x + bytes<f32>(n);
  while (x < end16) {
    const low = f64x2.promote_low_f32x4(v128.load64_zero(x));
    const high = f64x2.promote_low_f32x4(v128.load64_zero(x, 8));
    s0 = madd<f64>(low, low, s0);
    s1 = madd<f64>(high, high, s1);
    x += 16;
  }
  let sum = sumLanes<f64>(f64x2.add(s0, s1));
  while (x < end) {
    const value = <f64>load<f32>(x);
    sum += value * value;
    x += 4;
  }
  // The square of infinity is infinity, and NaN stays NaN.
  return <f32>sqrt(sum);
}

export function blockSoftThreshold(p: i32, d: i32, v: usize, tau: f64): void {
  for (let q = 0; q < p; q++) {
    const norm = norm2F64(d, v);
    scale<f64>(d, norm <= tau ? 0 : 1 - tau / norm, v);
    v += bytes<f64>(d);
  }
}
