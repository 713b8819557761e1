import { at, madd } from "./simd";
import { axpy, dot, scale } from "./vector";

/** (a_0 + a_1, b_0 + b_1). */
// @ts-ignore: decorator
@inline
function sumPairs(a: v128, b: v128): v128 {
  return f64x2.add(v128.shuffle<f64>(a, b, 0, 2), v128.shuffle<f64>(a, b, 1, 3));
}

/**
 * The four inner products of x with the rows at `a`, `a + step`, ... into `z`. Two products are added before they meet
 * their accumulator: with eight accumulators V8 moves all loads to the front of the loop and spills (half the speed).
 */
function fourDots(n: i32, a: usize, step: usize, x: usize, z: usize): void {
  const a1 = a + step;
  const a2 = a1 + step;
  const a3 = a2 + step;
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  const end4 = <usize>(n & ~3) << 3;
  const end = <usize>n << 3;
  let j: usize = 0;
  for (; j < end4; j += 32) {
    const x0 = v128.load(x + j);
    const x1 = v128.load(x + j, 16);
    s0 = f64x2.add(s0, madd(v128.load(a + j, 16), x1, f64x2.mul(v128.load(a + j), x0)));
    s1 = f64x2.add(s1, madd(v128.load(a1 + j, 16), x1, f64x2.mul(v128.load(a1 + j), x0)));
    s2 = f64x2.add(s2, madd(v128.load(a2 + j, 16), x1, f64x2.mul(v128.load(a2 + j), x0)));
    s3 = f64x2.add(s3, madd(v128.load(a3 + j, 16), x1, f64x2.mul(v128.load(a3 + j), x0)));
  }
  let low = sumPairs(s0, s1);
  let high = sumPairs(s2, s3);
  for (; j < end; j += 8) {
    const xj = v128.load64_splat(x + j);
    low = madd(v128.load64_lane(a1 + j, v128.load64_zero(a + j), 1), xj, low);
    high = madd(v128.load64_lane(a3 + j, v128.load64_zero(a2 + j), 1), xj, high);
  }
  // Whole vectors, because a load that spans two narrower stores waits for both.
  v128.store(z, low);
  v128.store(z, high, 16);
}

/** y <- y + sum_r z_r (row r at `a`, `a + step`, ...), four rows. */
function fourAxpys(n: i32, z: usize, a: usize, step: usize, y: usize): void {
  const a1 = a + step;
  const a2 = a1 + step;
  const a3 = a2 + step;
  const z0 = v128.load64_splat(z);
  const z1 = v128.load64_splat(z, 8);
  const z2 = v128.load64_splat(z, 16);
  const z3 = v128.load64_splat(z, 24);
  const end2 = <usize>(n & ~1) << 3;
  let j: usize = 0;
  for (; j < end2; j += 16) {
    const left = madd(z1, v128.load(a1 + j), madd(z0, v128.load(a + j), v128.load(y + j)));
    v128.store(y + j, madd(z3, v128.load(a3 + j), madd(z2, v128.load(a2 + j), left)));
  }
  if (n & 1) {
    let sum = load<f64>(y + j) + load<f64>(z) * load<f64>(a + j);
    sum += load<f64>(z, 8) * load<f64>(a1 + j);
    sum += load<f64>(z, 16) * load<f64>(a2 + j);
    sum += load<f64>(z, 24) * load<f64>(a3 + j);
    store<f64>(y + j, sum);
  }
}

/** y <- alpha A x + beta y over the m rows given; alpha = 0 reads neither A nor x. `work`: 32 bytes. */
export function gemvRows(m: i32, n: i32, alpha: f64, a: usize, lda: i32, x: usize, beta: f64, y: usize, work: usize): void {
  scale(m, beta, y);
  if (alpha == 0) return;
  const factor = f64x2.splat(alpha);
  const step = <usize>lda << 3;
  let i = 0;
  for (; i + 4 <= m; i += 4) {
    fourDots(n, at(a, lda, i, 0), step, x, work);
    const to = y + (<usize>i << 3);
    v128.store(to, madd(factor, v128.load(work), v128.load(to)));
    v128.store(to, madd(factor, v128.load(work, 16), v128.load(to, 16)), 16);
  }
  for (; i < m; i++) {
    const to = y + (<usize>i << 3);
    store<f64>(to, load<f64>(to) + alpha * dot(n, at(a, lda, i, 0), x));
  }
}

/** y <- alpha A^T x + beta y over the m rows given. `work`: 32 bytes. */
export function gemvTransposed(m: i32, n: i32, alpha: f64, a: usize, lda: i32, x: usize, beta: f64, y: usize, work: usize): void {
  scale(n, beta, y);
  if (alpha == 0) return;
  const factor = f64x2.splat(alpha);
  const step = <usize>lda << 3;
  let i = 0;
  for (; i + 4 <= m; i += 4) {
    const from = x + (<usize>i << 3);
    v128.store(work, f64x2.mul(factor, v128.load(from)));
    v128.store(work, f64x2.mul(factor, v128.load(from, 16)), 16);
    fourAxpys(n, work, at(a, lda, i, 0), step, y);
  }
  for (; i < m; i++) axpy(n, alpha * load<f64>(x + (<usize>i << 3)), at(a, lda, i, 0), y);
}

/** y <- A^T (A x) over the m rows given: each group of four rows is used twice while it is in cache. `work`: 32 bytes. */
export function normalProduct(m: i32, n: i32, a: usize, lda: i32, x: usize, y: usize, work: usize): void {
  memory.fill(y, 0, <usize>n << 3);
  const step = <usize>lda << 3;
  let i = 0;
  for (; i + 4 <= m; i += 4) {
    const rows = at(a, lda, i, 0);
    fourDots(n, rows, step, x, work);
    fourAxpys(n, work, rows, step, y);
  }
  for (; i < m; i++) {
    const row = at(a, lda, i, 0);
    axpy(n, dot(n, row, x), row, y);
  }
}
