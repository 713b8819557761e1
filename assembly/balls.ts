import { bytes, madd, sumLanes } from "./simd";

/** Newton's method for a threshold is finite; this many steps are never needed but for rounding. */
const MAX_PASSES = 60;

/** Added to the size that a step of Adam is divided by. */
const LEAST: f32 = 1e-9;

/** Where {@link measure} leaves the number of entries. */
let above: i32 = 0;

/** sum max(|b_i| - level, 0) over n entries; `above` becomes the number of positive terms. */
function measure(n: i32, b: usize, level: f64): f64 {
  const levels = f64x2.splat(level);
  const zero = f64x2.splat(0);
  let s0 = zero;
  let s1 = zero;
  let c0 = i64x2.splat(0);
  let c1 = c0;
  const end = b + bytes<f64>(n);
  const wide = b + (bytes<f64>(n) & ~31);
  while (b < wide) {
    const x0 = f64x2.sub(f64x2.abs(v128.load(b)), levels);
    const x1 = f64x2.sub(f64x2.abs(v128.load(b, 16)), levels);
    const m0 = f64x2.gt(x0, zero);
    const m1 = f64x2.gt(x1, zero);
    s0 = f64x2.add(s0, v128.and(x0, m0));
    s1 = f64x2.add(s1, v128.and(x1, m1));
    c0 = i64x2.sub(c0, m0);
    c1 = i64x2.sub(c1, m1);
    b += 32;
  }
  c0 = i64x2.add(c0, c1);
  let sum = sumLanes<f64>(f64x2.add(s0, s1));
  let count = <i32>(i64x2.extract_lane(c0, 0) + i64x2.extract_lane(c0, 1));
  while (b < end) {
    const x = abs(load<f64>(b)) - level;
    if (x > 0) {
      sum += x;
      count += 1;
    }
    b += 8;
  }
  above = count;
  return sum;
}

/** The threshold at which what is left of a row adds up to its radius; 0 inside the ball. */
function threshold(n: i32, b: usize, radius: f64, level: f64): f64 {
  let before = -1;
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const sum = measure(n, b, level);
    if (level == 0 && sum <= radius) break;
    // Nothing is left: right for radius 0, or up to rounding, when the level came from the left.
    if (above == 0 && before >= 0) break;
    const next = above > 0 ? level + (sum - radius) / <f64>above : 0;
    if (!(next > 0)) {
      if (level == 0) break;
      level = 0;
      before = -1;
      continue;
    }
    const settled = above == before || abs(sum - radius) <= 1e-14 * radius;
    level = next;
    // From the left the number above the level only falls: the same number twice means that it is right.
    if (settled) break;
    before = sum >= radius ? above : -1;
  }
  return level;
}

/** b_i <- p_i = b_i with its size lowered by `level`; returns sum p_i (2 b_i - p_i). */
function shrink(n: i32, b: usize, level: f64): f64 {
  const levels = f64x2.splat(level);
  const half = f64x2.splat(-0.5);
  let s0 = f64x2.splat(0);
  let s1 = s0;
  const end = b + bytes<f64>(n);
  const wide = b + (bytes<f64>(n) & ~31);
  while (b < wide) {
    const x0 = v128.load(b);
    const x1 = v128.load(b, 16);
    const p0 = madd<f64>(half, f64x2.sub(f64x2.abs(f64x2.add(x0, levels)), f64x2.abs(f64x2.sub(x0, levels))), x0);
    const p1 = madd<f64>(half, f64x2.sub(f64x2.abs(f64x2.add(x1, levels)), f64x2.abs(f64x2.sub(x1, levels))), x1);
    v128.store(b, p0);
    v128.store(b, p1, 16);
    s0 = madd<f64>(p0, f64x2.sub(f64x2.add(x0, x0), p0), s0);
    s1 = madd<f64>(p1, f64x2.sub(f64x2.add(x1, x1), p1), s1);
    b += 32;
  }
  let sum = sumLanes<f64>(f64x2.add(s0, s1));
  while (b < end) {
    const x = load<f64>(b);
    const p = x - 0.5 * (abs(x + level) - abs(x - level));
    store<f64>(b, p);
    sum += p * (2 * x - p);
    b += 8;
  }
  return sum;
}

/** See `projectOnBalls` in src/compute/types.ts. */
export function projectOnBalls(rows: i32, cols: i32, b: usize, radii: usize, levels: usize, gains: usize): void {
  for (let j = 0; j < rows; j++) {
    const level = threshold(cols, b, load<f64>(radii), load<f64>(levels));
    store<f64>(levels, level);
    store<f64>(gains, shrink(cols, b, level));
    b += bytes<f64>(cols);
    radii += 8;
    levels += 8;
    gains += 8;
  }
}

/** Two f32 at `from` as f64. */
// @ts-ignore: decorator
@inline
function widen(from: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(from));
}

/** Four f64 at `from` as f32. */
// @ts-ignore: decorator
@inline
function narrow(from: usize): v128 {
  const low = f32x4.demote_f64x2_zero(v128.load(from));
  const high = f32x4.demote_f64x2_zero(v128.load(from, 16));
  return v128.shuffle<u64>(low, high, 0, 2);
}

/** See `stepOnBalls` in src/compute/types.ts. */
export function stepOnBalls(
  rows: i32, cols: i32, rate: f64, fix: f64, decayMean: f64, decaySquare: f64,
  h: usize, mean: usize, square: usize, slopes: usize, slack: usize, radii: usize, along: usize,
): void {
  const sign = f32x4.splat(-0.0);
  const keepMean = f32x4.splat(<f32>decayMean);
  const keepSquare = f32x4.splat(<f32>decaySquare);
  const newMean = f32x4.splat(<f32>(1 - decayMean));
  const newSquare = f32x4.splat(<f32>(1 - decaySquare));
  const rates = f32x4.splat(<f32>rate);
  const fixes = f32x4.splat(<f32>fix);
  const least = f32x4.splat(LEAST);
  const wide = cols & ~3;
  for (let j = 0; j < rows; j++) {
    const loose = load<f64>(slack + bytes<f64>(j));
    const radius = load<f64>(radii + bytes<f64>(j));
    // 1. sum h^2, and sum (slack |h| - B h) |h|.
    const looses = f64x2.splat(loose);
    let norms = f64x2.splat(0);
    let products = f64x2.splat(0);
    for (let i = 0; i < wide; i += 2) {
      const x = widen(h + bytes<f32>(i));
      const squares = f64x2.mul(x, x);
      norms = f64x2.add(norms, squares);
      const pulled = f64x2.mul(v128.load(slopes + bytes<f64>(i)), f64x2.mul(x, f64x2.abs(x)));
      products = f64x2.add(products, f64x2.sub(f64x2.mul(looses, squares), pulled));
    }
    let norm = sumLanes<f64>(norms);
    let product = sumLanes<f64>(products);
    for (let i = wide; i < cols; i++) {
      const x = <f64>load<f32>(h + bytes<f32>(i));
      norm += x * x;
      product += loose * x * x - load<f64>(slopes + bytes<f64>(i)) * x * abs(x);
    }
    const inverse = 1 / max(1, norm);
    product *= inverse / 2;
    store<f64>(along + bytes<f64>(j), product);

    // 2. The slope g = radius (h (slack / norm - pull) - B |h| / norm), and Adam's step.
    const own = <f32>(radius * (loose * inverse - (norm > 1 ? 2 * product * inverse : 0)));
    const other = <f32>(radius * inverse);
    const owns = f32x4.splat(own);
    const others = f32x4.splat(other);
    for (let i = 0; i < wide; i += 4) {
      const at = bytes<f32>(i);
      const x = v128.load(h + at);
      const pulled = f32x4.mul(narrow(slopes + bytes<f64>(i)), v128.andnot(x, sign));
      const g = f32x4.sub(f32x4.mul(x, owns), f32x4.mul(pulled, others));
      const m = f32x4.add(f32x4.mul(keepMean, v128.load(mean + at)), f32x4.mul(newMean, g));
      const s = f32x4.add(f32x4.mul(keepSquare, v128.load(square + at)), f32x4.mul(newSquare, f32x4.mul(g, g)));
      v128.store(mean + at, m);
      v128.store(square + at, s);
      const size = f32x4.add(f32x4.mul(fixes, f32x4.sqrt(s)), least);
      v128.store(h + at, f32x4.sub(x, f32x4.div(f32x4.mul(rates, m), size)));
    }
    for (let i = wide; i < cols; i++) {
      const at = bytes<f32>(i);
      const x = load<f32>(h + at);
      const g = x * own - <f32>load<f64>(slopes + bytes<f64>(i)) * abs(x) * other;
      const m = <f32>decayMean * load<f32>(mean + at) + <f32>(1 - decayMean) * g;
      const s = <f32>decaySquare * load<f32>(square + at) + <f32>(1 - decaySquare) * (g * g);
      store<f32>(mean + at, m);
      store<f32>(square + at, s);
      store<f32>(h + at, x - (<f32>rate * m) / (<f32>fix * sqrt<f32>(s) + LEAST));
    }
    h += bytes<f32>(cols);
    mean += bytes<f32>(cols);
    square += bytes<f32>(cols);
    slopes += bytes<f64>(cols);
  }
}
