import { at, bytes, loadSplat, madd } from "./simd";
import { axpy, dot, scale } from "./vector";


/** Sums the lanes of four vectors of f64 (into two vectors) or f32 (into one), at `z`. */
// @ts-ignore: decorator
@inline
function storeSums<T extends number>(s0: v128, s1: v128, s2: v128, s3: v128, z: usize): void {
  // Whole vectors, because a load that spans two narrower stores waits for both.
  if (sizeof<T>() == 8) {
    v128.store(z, f64x2.add(v128.shuffle<f64>(s0, s1, 0, 2), v128.shuffle<f64>(s0, s1, 1, 3)));
    v128.store(z, f64x2.add(v128.shuffle<f64>(s2, s3, 0, 2), v128.shuffle<f64>(s2, s3, 1, 3)), 16);
  } else {
    const low = f32x4.add(v128.shuffle<f32>(s0, s1, 0, 1, 4, 5), v128.shuffle<f32>(s0, s1, 2, 3, 6, 7));
    const high = f32x4.add(v128.shuffle<f32>(s2, s3, 0, 1, 4, 5), v128.shuffle<f32>(s2, s3, 2, 3, 6, 7));
    v128.store(z, f32x4.add(v128.shuffle<f32>(low, high, 0, 2, 4, 6), v128.shuffle<f32>(low, high, 1, 3, 5, 7)));
  }
}

/** z_r <- z_r + a_r xj for the entries j of four rows. */
// @ts-ignore: decorator
@inline
function addColumn<T extends number>(a: usize, a1: usize, a2: usize, a3: usize, xj: T, z: usize): void {
  store<T>(z, <T>(load<T>(z) + load<T>(a) * xj));
  store<T>(z + sizeof<T>(), <T>(load<T>(z + sizeof<T>()) + load<T>(a1) * xj));
  store<T>(z + 2 * sizeof<T>(), <T>(load<T>(z + 2 * sizeof<T>()) + load<T>(a2) * xj));
  store<T>(z + 3 * sizeof<T>(), <T>(load<T>(z + 3 * sizeof<T>()) + load<T>(a3) * xj));
}

/**
 * The four inner products of x with the rows at `a`, `a + step`, ... into `z`. Two products are added before they meet
 * their accumulator: with eight accumulators V8 moves all loads to the front of the loop and spills (half the speed).
 */
function fourDots<T extends number>(n: i32, a: usize, step: usize, x: usize, z: usize): void {
  const a1 = a + step;
  const a2 = a1 + step;
  const a3 = a2 + step;
  let s0 = v128.splat<T>(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  const end32 = bytes<T>(n) & ~31;
  const end = bytes<T>(n);
  let j: usize = 0;
  for (; j < end32; j += 32) {
    const x0 = v128.load(x + j);
    const x1 = v128.load(x + j, 16);
    s0 = v128.add<T>(s0, madd<T>(v128.load(a + j, 16), x1, v128.mul<T>(v128.load(a + j), x0)));
    s1 = v128.add<T>(s1, madd<T>(v128.load(a1 + j, 16), x1, v128.mul<T>(v128.load(a1 + j), x0)));
    s2 = v128.add<T>(s2, madd<T>(v128.load(a2 + j, 16), x1, v128.mul<T>(v128.load(a2 + j), x0)));
    s3 = v128.add<T>(s3, madd<T>(v128.load(a3 + j, 16), x1, v128.mul<T>(v128.load(a3 + j), x0)));
  }
  storeSums<T>(s0, s1, s2, s3, z);
  for (; j < end; j += sizeof<T>()) addColumn<T>(a + j, a1 + j, a2 + j, a3 + j, load<T>(x + j), z);
}

/** y <- y + sum_r z_r (row r at `a`, `a + step`, ...), four rows. */
export function fourAxpys<T extends number>(n: i32, z: usize, a: usize, step: usize, y: usize): void {
  const a1 = a + step;
  const a2 = a1 + step;
  const a3 = a2 + step;
  const z0 = loadSplat<T>(z);
  const z1 = loadSplat<T>(z + sizeof<T>());
  const z2 = loadSplat<T>(z + 2 * sizeof<T>());
  const z3 = loadSplat<T>(z + 3 * sizeof<T>());
  const end16 = bytes<T>(n) & ~15;
  const end = bytes<T>(n);
  let j: usize = 0;
  for (; j < end16; j += 16) {
    const left = madd<T>(z1, v128.load(a1 + j), madd<T>(z0, v128.load(a + j), v128.load(y + j)));
    v128.store(y + j, madd<T>(z3, v128.load(a3 + j), madd<T>(z2, v128.load(a2 + j), left)));
  }
  for (; j < end; j += sizeof<T>()) {
    let sum = load<T>(y + j);
    sum = <T>(sum + load<T>(z) * load<T>(a + j));
    sum = <T>(sum + load<T>(z + sizeof<T>()) * load<T>(a1 + j));
    sum = <T>(sum + load<T>(z + 2 * sizeof<T>()) * load<T>(a2 + j));
    sum = <T>(sum + load<T>(z + 3 * sizeof<T>()) * load<T>(a3 + j));
    store<T>(y + j, sum);
  }
}

/** y <- alpha A x + beta y over the m rows given; alpha = 0 reads neither A nor x. `work`: 32 bytes. */
export function gemvRows<T extends number>(
  m: i32,
  n: i32,
  alpha: T,
  a: usize,
  lda: i32,
  x: usize,
  beta: T,
  y: usize,
  work: usize,
): void {
  scale<T>(m, beta, y);
  if (alpha == 0) return;
  const factor = v128.splat<T>(alpha);
  const step = bytes<T>(lda);
  let i = 0;
  for (; i + 4 <= m; i += 4) {
    fourDots<T>(n, at<T>(a, lda, i, 0), step, x, work);
    const to = y + bytes<T>(i);
    v128.store(to, madd<T>(factor, v128.load(work), v128.load(to)));
    if (sizeof<T>() == 8) v128.store(to, madd<T>(factor, v128.load(work, 16), v128.load(to, 16)), 16);
  }
  for (; i < m; i++) {
    const to = y + bytes<T>(i);
    store<T>(to, <T>(load<T>(to) + alpha * dot<T>(n, at<T>(a, lda, i, 0), x)));
  }
}

/** y <- alpha A^T x + beta y over the m rows given. `work`: 32 bytes. */
export function gemvTransposed<T extends number>(
  m: i32,
  n: i32,
  alpha: T,
  a: usize,
  lda: i32,
  x: usize,
  beta: T,
  y: usize,
  work: usize,
): void {
  scale<T>(n, beta, y);
  if (alpha == 0) return;
  const factor = v128.splat<T>(alpha);
  const step = bytes<T>(lda);
  let i = 0;
  for (; i + 4 <= m; i += 4) {
    const from = x + bytes<T>(i);
    v128.store(work, v128.mul<T>(factor, v128.load(from)));
    if (sizeof<T>() == 8) v128.store(work, v128.mul<T>(factor, v128.load(from, 16)), 16);
    fourAxpys<T>(n, work, at<T>(a, lda, i, 0), step, y);
  }
  for (; i < m; i++) axpy<T>(n, <T>(alpha * load<T>(x + bytes<T>(i))), at<T>(a, lda, i, 0), y);
}

/** y <- A^T (A x) over the m rows given: each group of four rows is used twice while in cache. `work`: 32 bytes. */
export function normalProduct<T extends number>(m: i32, n: i32, a: usize, lda: i32, x: usize, y: usize, work: usize): void {
  memory.fill(y, 0, bytes<T>(n));
  const step = bytes<T>(lda);
  let i = 0;
  for (; i + 4 <= m; i += 4) {
    const rows = at<T>(a, lda, i, 0);
    fourDots<T>(n, rows, step, x, work);
    fourAxpys<T>(n, work, rows, step, y);
  }
  for (; i < m; i++) {
    const row = at<T>(a, lda, i, 0);
    axpy<T>(n, dot<T>(n, row, x), row, y);
  }
}
