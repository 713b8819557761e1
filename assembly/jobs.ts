import { applyBinary, applyUnary } from "./elementwise";
import { activationPatterns, gatedAdjoint, gatedForward, threadWorkBytes } from "./gated";
import { FULL, gemm, tileCols } from "./gemm";
import { gemvRows, gemvTransposed, normalProduct } from "./gemv";
import { imagePairs } from "./images";
import { copyLines } from "./lines";
import { pairRecursion } from "./pairs";
import { entriesAtPlaces, largestOfWindows, spreadOverWindows, sumsOfWindows } from "./pools";
import { randomBits, randomNormal, randomUniform } from "./random";
import { at, bytes } from "./simd";
import { solveColumns, solveRows } from "./triangular";
import { gatherWindows, scatterWindows } from "./windows";

/**
 * The jobs of the thread team: each is cut into parts by thread index alone, so its result depends on the number of
 * threads at most, never on timing. The numbers are mirrored in src/compute/wasm-kernels.ts.
 */
const ARGUMENTS = 64;

/** Elementwise jobs are cut at cache lines. */
const ENTRIES = 16;

/** Added to the number of a job that runs in f32. */
const F32 = 64;

/** Jobs of both precisions behind those of f64 alone. */
const GATHER_WINDOWS = 17;
const SCATTER_WINDOWS = 18;
const COPY_LINES = 19;
const LARGEST_OF_WINDOWS = 20;
const SUMS_OF_WINDOWS = 21;
const SPREAD_OVER_WINDOWS = 22;
const ENTRIES_AT_PLACES = 23;

// @ts-ignore: decorator
@inline
function int(control: usize, index: usize): i32 {
  return load<i32>(control + ARGUMENTS + (index << 3));
}

// @ts-ignore: decorator
@inline
function pointer(control: usize, index: usize): usize {
  return load<usize>(control + ARGUMENTS + (index << 3));
}

// @ts-ignore: decorator
@inline
function real<T extends number>(control: usize, index: usize): T {
  return <T>load<f64>(control + ARGUMENTS + (index << 3));
}

/** Where part `id` of `total` begins when cut into `count` nearly equal parts of whole `unit`s. */
// @ts-ignore: decorator
@inline
function cut(total: i32, unit: i32, id: i32, count: i32): i32 {
  const units = (total + unit - 1) / unit;
  return min(total, <i32>((<i64>units * id) / count) * unit);
}

/** The first row of part `id` when the lower triangle of order n is cut into parts of nearly equal area. */
// @ts-ignore: decorator
@inline
function cutTriangle(n: i32, id: i32, count: i32): i32 {
  if (id == count) return n;
  return <i32>(<f64>n * sqrt(<f64>id / <f64>count)) & ~3;
}

/** transA transB m n k alpha a lda b ldb beta c ldc */
function gemmPart<T extends number>(c: usize, id: i32, count: i32, work: usize): void {
  const transA = int(c, 0) != 0;
  const transB = int(c, 1) != 0;
  const m = int(c, 2);
  const n = int(c, 3);
  const lda = int(c, 7);
  const ldb = int(c, 9);
  const ldc = int(c, 12);
  let a = pointer(c, 6);
  let b = pointer(c, 8);
  let i0 = 0;
  let i1 = m;
  let j0 = 0;
  let j1 = n;
  // The longer side of C is cut: less is packed twice.
  if (m >= n) {
    i0 = cut(m, 4, id, count);
    i1 = cut(m, 4, id + 1, count);
    a = transA ? at<T>(a, lda, 0, i0) : at<T>(a, lda, i0, 0);
  } else {
    j0 = cut(n, tileCols<T>(), id, count);
    j1 = cut(n, tileCols<T>(), id + 1, count);
    b = transB ? at<T>(b, ldb, j0, 0) : at<T>(b, ldb, 0, j0);
  }
  const to = at<T>(pointer(c, 11), ldc, i0, j0);
  const alpha = real<T>(c, 5);
  gemm<T>(transA, transB, i1 - i0, j1 - j0, int(c, 4), alpha, a, lda, b, ldb, real<T>(c, 10), to, ldc, FULL, work);
}

/** trans n k alpha a lda beta c ldc */
function syrkPart<T extends number>(c: usize, id: i32, count: i32, work: usize): void {
  const trans = int(c, 0) != 0;
  const n = int(c, 1);
  const a = pointer(c, 4);
  const lda = int(c, 5);
  const ldc = int(c, 8);
  const i0 = cutTriangle(n, id, count);
  const i1 = cutTriangle(n, id + 1, count);
  const rows = trans ? at<T>(a, lda, 0, i0) : at<T>(a, lda, i0, 0);
  const to = at<T>(pointer(c, 7), ldc, i0, 0);
  gemm<T>(trans, !trans, i1 - i0, i1, int(c, 2), real<T>(c, 3), rows, lda, a, lda, real<T>(c, 6), to, ldc, i0, work);
}

/** m n alpha a lda x beta y */
function gemvRowsPart<T extends number>(c: usize, id: i32, count: i32, work: usize): void {
  const lda = int(c, 4);
  const i0 = cut(int(c, 0), 4, id, count);
  const i1 = cut(int(c, 0), 4, id + 1, count);
  const y = pointer(c, 7) + bytes<T>(i0);
  const rows = at<T>(pointer(c, 3), lda, i0, 0);
  gemvRows<T>(i1 - i0, int(c, 1), real<T>(c, 2), rows, lda, pointer(c, 5), real<T>(c, 6), y, work);
}

/** m n alpha a lda x beta y partials: thread 0 writes y itself, thread t > 0 partial sums t - 1 */
function gemvTransposedPart<T extends number>(c: usize, id: i32, count: i32, work: usize): void {
  const n = int(c, 1);
  const lda = int(c, 4);
  const i0 = cut(int(c, 0), 4, id, count);
  const i1 = cut(int(c, 0), 4, id + 1, count);
  const y = id == 0 ? pointer(c, 7) : at<T>(pointer(c, 8), n, id - 1, 0);
  const x = pointer(c, 5) + bytes<T>(i0);
  const beta = id == 0 ? real<T>(c, 6) : <T>0;
  gemvTransposed<T>(i1 - i0, n, real<T>(c, 2), at<T>(pointer(c, 3), lda, i0, 0), lda, x, beta, y, work);
}

/** m n a lda x y partials */
function normalProductPart<T extends number>(c: usize, id: i32, count: i32, work: usize): void {
  const n = int(c, 1);
  const lda = int(c, 3);
  const i0 = cut(int(c, 0), 4, id, count);
  const i1 = cut(int(c, 0), 4, id + 1, count);
  const y = id == 0 ? pointer(c, 5) : at<T>(pointer(c, 6), n, id - 1, 0);
  normalProduct<T>(i1 - i0, n, at<T>(pointer(c, 2), lda, i0, 0), lda, pointer(c, 4), y, work);
}

/** lower rows cols steps program rowNumbers rowStride colNumbers colStride k ldk theta ldt */
function pairRecursionPart<T extends number>(c: usize, id: i32, count: i32, work: usize): void {
  const lower = int(c, 0) != 0;
  const rows = int(c, 1);
  const from = lower ? cutTriangle(rows, id, count) : cut(rows, 1, id, count);
  const to = lower ? cutTriangle(rows, id + 1, count) : cut(rows, 1, id + 1, count);
  pairRecursion<T>(
    lower, from, to, int(c, 2), int(c, 3), pointer(c, 4), pointer(c, 5), int(c, 6), pointer(c, 7), int(c, 8),
    pointer(c, 9), int(c, 10), pointer(c, 11), int(c, 12), work,
  );
}

/** Jobs that exist in both precisions. */
function executeReal<T extends number>(job: i32, c: usize, id: i32, count: i32, work: usize): void {
  if (job == 0) gemmPart<T>(c, id, count, work);
  else if (job == 1) gemvRowsPart<T>(c, id, count, work);
  else if (job == 2) gemvTransposedPart<T>(c, id, count, work);
  else if (job == 3) normalProductPart<T>(c, id, count, work);
  else if (job == 4) syrkPart<T>(c, id, count, work);
  else if (job == 5) {
    // kind n x out
    const from = cut(int(c, 1), ENTRIES, id, count);
    const to = cut(int(c, 1), ENTRIES, id + 1, count);
    applyUnary<T>(int(c, 0), to - from, pointer(c, 2) + bytes<T>(from), pointer(c, 3) + bytes<T>(from));
  } else if (job == 6) {
    // kind n x y out
    const from = cut(int(c, 1), ENTRIES, id, count);
    const to = cut(int(c, 1), ENTRIES, id + 1, count);
    const offset = bytes<T>(from);
    applyBinary<T>(int(c, 0), to - from, pointer(c, 2) + offset, pointer(c, 3) + offset, pointer(c, 4) + offset);
  } else if (job == 7) pairRecursionPart<T>(c, id, count, work);
  else if (job == GATHER_WINDOWS) {
    // images rows shape images patches
    const rows = int(c, 0) * int(c, 1);
    gatherWindows<T>(cut(rows, 1, id, count), cut(rows, 1, id + 1, count), pointer(c, 2), pointer(c, 3), pointer(c, 4));
  } else if (job == SCATTER_WINDOWS) {
    // Whole images: windows overlap.
    const from = cut(int(c, 0), 1, id, count) * int(c, 1);
    const to = cut(int(c, 0), 1, id + 1, count) * int(c, 1);
    scatterWindows<T>(from, to, pointer(c, 2), pointer(c, 3), pointer(c, 4));
  } else if (job == COPY_LINES) {
    // mode images height length fromLine fromImage toLine toImage source target
    const lines = int(c, 1) * int(c, 2);
    copyLines<T>(
      int(c, 0), cut(lines, 1, id, count), cut(lines, 1, id + 1, count), int(c, 2), int(c, 3),
      int(c, 4), int(c, 5), int(c, 6), int(c, 7), pointer(c, 8), pointer(c, 9),
    );
  } else if (job == LARGEST_OF_WINDOWS) {
    // images rows shape images out places
    const rows = int(c, 0) * int(c, 1);
    const from = cut(rows, 1, id, count);
    const to = cut(rows, 1, id + 1, count);
    largestOfWindows<T>(from, to, pointer(c, 2), pointer(c, 3), pointer(c, 4), pointer(c, 5));
  } else if (job == SUMS_OF_WINDOWS) {
    // images rows shape images out factor
    const rows = int(c, 0) * int(c, 1);
    const from = cut(rows, 1, id, count);
    const to = cut(rows, 1, id + 1, count);
    sumsOfWindows<T>(from, to, pointer(c, 2), pointer(c, 3), pointer(c, 4), real<T>(c, 5));
  } else if (job == SPREAD_OVER_WINDOWS) {
    // images rows shape values images factor; whole images: windows overlap
    const from = cut(int(c, 0), 1, id, count) * int(c, 1);
    const to = cut(int(c, 0), 1, id + 1, count) * int(c, 1);
    spreadOverWindows<T>(from, to, pointer(c, 2), pointer(c, 3), pointer(c, 4), real<T>(c, 5));
  } else if (job == ENTRIES_AT_PLACES) {
    // puts n size imageSize values places images
    const from = cut(int(c, 1), 1, id, count);
    const to = cut(int(c, 1), 1, id + 1, count);
    entriesAtPlaces<T>(int(c, 0) != 0, from, to, int(c, 2), int(c, 3), pointer(c, 4), pointer(c, 5), pointer(c, 6));
  }
}

/** The part of thread `id` in job `job`, whose arguments are in the control block. */
export function execute(job: i32, control: usize, id: i32, count: i32, spaces: usize): void {
  const c = control;
  const work = spaces + <usize>id * threadWorkBytes();
  if (job >= F32) executeReal<f32>(job - F32, c, id, count, work);
  else if (job < 8 || job >= GATHER_WINDOWS) executeReal<f64>(job, c, id, count, work);
  else if (job == 8) {
    // n d p x patterns v out
    const words = (int(c, 0) + 31) >> 5;
    const from = cut(words, 1, id, count);
    const to = cut(words, 1, id + 1, count);
    gatedForward(int(c, 0), int(c, 1), int(c, 2), from, to, pointer(c, 3), pointer(c, 4), pointer(c, 5), pointer(c, 6), work);
  } else if (job == 9) {
    // n d p x patterns r out
    const from = cut(int(c, 2), 1, id, count);
    const to = cut(int(c, 2), 1, id + 1, count);
    gatedAdjoint(int(c, 0), int(c, 1), from, to, pointer(c, 3), pointer(c, 4), pointer(c, 5), pointer(c, 6), work);
  } else if (job == 10) {
    // n d p x g out
    const from = cut(int(c, 2), 4, id, count);
    const to = cut(int(c, 2), 4, id + 1, count);
    activationPatterns(int(c, 0), int(c, 1), from, to, pointer(c, 3), pointer(c, 4), pointer(c, 5), work);
  } else if (job == 11) {
    // m n l ldl b ldb
    const i0 = cut(int(c, 0), 4, id, count);
    const i1 = cut(int(c, 0), 4, id + 1, count);
    const ldb = int(c, 5);
    solveRows(i1 - i0, int(c, 1), pointer(c, 2), int(c, 3), at<f64>(pointer(c, 4), ldb, i0, 0), ldb, work);
  } else if (job == 12) {
    // trans n nrhs l ldl b ldb
    const j0 = cut(int(c, 2), 4, id, count);
    const j1 = cut(int(c, 2), 4, id + 1, count);
    const b = pointer(c, 5) + bytes<f64>(j0);
    solveColumns(int(c, 0) != 0, int(c, 1), j1 - j0, pointer(c, 3), int(c, 4), b, int(c, 6), work);
  } else if (job <= 15) {
    // key0 key1 first n out
    const from = cut(int(c, 3), ENTRIES, id, count);
    const n = cut(int(c, 3), ENTRIES, id + 1, count) - from;
    const key0 = <u32>int(c, 0);
    const key1 = <u32>int(c, 1);
    const first = <u64>real<f64>(c, 2) + <u64>from;
    const out = pointer(c, 4);
    if (job == 13) randomBits(key0, key1, first, n, out + (<usize>from << 2), work);
    else if (job == 14) randomUniform(key0, key1, first, n, out + bytes<f64>(from), work);
    else randomNormal(key0, key1, first, n, out + bytes<f64>(from), work);
  } else if (job == 16) {
    // record lower rows cols steps program images1 images2 imageSize numbers1 numbers2 numbersSize nngp ntk tensor slots
    // room work workSize
    const own = pointer(c, 17) + <usize>id * bytes<f64>(int(c, 18));
    imagePairs(
      int(c, 0) != 0, int(c, 1) != 0, int(c, 2), int(c, 3), int(c, 4), pointer(c, 5), pointer(c, 6), pointer(c, 7),
      int(c, 8), pointer(c, 9), pointer(c, 10), int(c, 11), pointer(c, 12), pointer(c, 13),
      int(c, 14), int(c, 15), int(c, 16), id, count, own,
    );
  }
}
