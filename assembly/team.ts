import { activationPatterns, gatedAdjoint, gatedForward, threadWorkBytes } from "./gated";
import { gemm } from "./gemm";
import { gemvRows, gemvTransposed, normalProduct } from "./gemv";
import { at } from "./simd";
import { solveColumns, solveRows } from "./triangular";
import { axpy } from "./vector";

/**
 * The thread team. All threads share a control block: words for the hand-over, then the arguments of one job, eight
 * bytes each. The caller is thread 0; a job is cut into parts by thread index alone, so its result depends on the
 * number of threads at most, never on timing. The layout is mirrored in src/compute/team.ts.
 */
const GENERATION = 0;
const PENDING = 4;
const STOP = 8;
const JOB = 12;
const ARGUMENTS = 64;

/** Polls before a thread goes to sleep: some ten microseconds, the gap between kernels of an iterative solver. */
const POLLS = 4096;

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
function real(control: usize, index: usize): f64 {
  return load<f64>(control + ARGUMENTS + (index << 3));
}

/** Where part `id` of `total` begins when cut into `count` nearly equal parts of whole `unit`s. */
// @ts-ignore: decorator
@inline
function cut(total: i32, unit: i32, id: i32, count: i32): i32 {
  const units = (total + unit - 1) / unit;
  return min(total, <i32>((<i64>units * id) / count) * unit);
}

/** The part of thread `id` in the posted job. */
function execute(control: usize, id: i32, count: i32, spaces: usize): void {
  const c = control;
  const work = spaces + <usize>id * threadWorkBytes();
  const job = load<i32>(c, JOB);
  if (job == 0) {
    // transA transB m n k alpha a lda b ldb beta c ldc
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
      a = transA ? at(a, lda, 0, i0) : at(a, lda, i0, 0);
    } else {
      j0 = cut(n, 4, id, count);
      j1 = cut(n, 4, id + 1, count);
      b = transB ? at(b, ldb, j0, 0) : at(b, ldb, 0, j0);
    }
    const to = at(pointer(c, 11), ldc, i0, j0);
    gemm(transA, transB, i1 - i0, j1 - j0, int(c, 4), real(c, 5), a, lda, b, ldb, real(c, 10), to, ldc, work);
  } else if (job == 1) {
    // m n alpha a lda x beta y
    const lda = int(c, 4);
    const i0 = cut(int(c, 0), 4, id, count);
    const i1 = cut(int(c, 0), 4, id + 1, count);
    const y = pointer(c, 7) + (<usize>i0 << 3);
    gemvRows(i1 - i0, int(c, 1), real(c, 2), at(pointer(c, 3), lda, i0, 0), lda, pointer(c, 5), real(c, 6), y, work);
  } else if (job == 2) {
    // m n alpha a lda x beta y partials: thread 0 writes y itself, thread t > 0 partial sums t - 1
    const n = int(c, 1);
    const lda = int(c, 4);
    const i0 = cut(int(c, 0), 4, id, count);
    const i1 = cut(int(c, 0), 4, id + 1, count);
    const y = id == 0 ? pointer(c, 7) : at(pointer(c, 8), n, id - 1, 0);
    const x = pointer(c, 5) + (<usize>i0 << 3);
    const beta = id == 0 ? real(c, 6) : 0;
    gemvTransposed(i1 - i0, n, real(c, 2), at(pointer(c, 3), lda, i0, 0), lda, x, beta, y, work);
  } else if (job == 3) {
    // m n a lda x y partials
    const n = int(c, 1);
    const lda = int(c, 3);
    const i0 = cut(int(c, 0), 4, id, count);
    const i1 = cut(int(c, 0), 4, id + 1, count);
    const y = id == 0 ? pointer(c, 5) : at(pointer(c, 6), n, id - 1, 0);
    normalProduct(i1 - i0, n, at(pointer(c, 2), lda, i0, 0), lda, pointer(c, 4), y, work);
  } else if (job == 4) {
    // n d p x patterns v out
    const words = (int(c, 0) + 31) >> 5;
    const from = cut(words, 1, id, count);
    const to = cut(words, 1, id + 1, count);
    gatedForward(int(c, 0), int(c, 1), int(c, 2), from, to, pointer(c, 3), pointer(c, 4), pointer(c, 5), pointer(c, 6), work);
  } else if (job == 5) {
    // n d p x patterns r out
    const from = cut(int(c, 2), 1, id, count);
    const to = cut(int(c, 2), 1, id + 1, count);
    gatedAdjoint(int(c, 0), int(c, 1), from, to, pointer(c, 3), pointer(c, 4), pointer(c, 5), pointer(c, 6), work);
  } else if (job == 6) {
    // n d p x g out
    const from = cut(int(c, 2), 4, id, count);
    const to = cut(int(c, 2), 4, id + 1, count);
    activationPatterns(int(c, 0), int(c, 1), from, to, pointer(c, 3), pointer(c, 4), pointer(c, 5), work);
  } else if (job == 7) {
    // m n l ldl b ldb
    const i0 = cut(int(c, 0), 4, id, count);
    const i1 = cut(int(c, 0), 4, id + 1, count);
    const ldb = int(c, 5);
    solveRows(i1 - i0, int(c, 1), pointer(c, 2), int(c, 3), at(pointer(c, 4), ldb, i0, 0), ldb, work);
  } else if (job == 8) {
    // trans n nrhs l ldl b ldb
    const j0 = cut(int(c, 2), 4, id, count);
    const j1 = cut(int(c, 2), 4, id + 1, count);
    const b = pointer(c, 5) + (<usize>j0 << 3);
    solveColumns(int(c, 0) != 0, int(c, 1), j1 - j0, pointer(c, 3), int(c, 4), b, int(c, 6), work);
  }
}

/** Runs the posted job on `count` threads; 1 does not wake the others. The caller is thread 0. */
export function run(control: usize, count: i32, spaces: usize): void {
  if (count == 1) {
    execute(control, 0, 1, spaces);
    return;
  }
  atomic.store<i32>(control, count - 1, PENDING);
  atomic.add<i32>(control, 1, GENERATION);
  atomic.notify(control + GENERATION, count - 1);
  execute(control, 0, count, spaces);
  for (let poll = 0; poll < POLLS; poll++) if (atomic.load<i32>(control, PENDING) == 0) return;
  let left = atomic.load<i32>(control, PENDING);
  while (left != 0) {
    atomic.wait<i32>(control + PENDING, left, -1);
    left = atomic.load<i32>(control, PENDING);
  }
}

/** Adds the partial vectors of threads 1 .. count - 1 to y, in that order. */
export function addPartials(n: i32, count: i32, partials: usize, y: usize): void {
  for (let t = 1; t < count; t++) axpy(n, 1, at(partials, n, t - 1, 0), y);
}

/** Serves jobs as thread `id` of `count`, beginning with the first after generation `seen`, until told to stop. */
export function serve(control: usize, id: i32, count: i32, spaces: usize, seen: i32): void {
  while (true) {
    for (let poll = 0; poll < POLLS; poll++) if (atomic.load<i32>(control, GENERATION) != seen) break;
    while (atomic.load<i32>(control, GENERATION) == seen) atomic.wait<i32>(control + GENERATION, seen, -1);
    if (atomic.load<i32>(control, STOP) != 0) return;
    seen += 1;
    execute(control, id, count, spaces);
    finish(control);
  }
}

/** Counts one thread as done and wakes the caller when it was the last. */
export function finish(control: usize): void {
  if (atomic.sub<i32>(control, 1, PENDING) == 1) atomic.notify(control + PENDING, 1);
}
