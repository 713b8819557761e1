import type { KernelMemory } from "./memory.ts";
import type { Job, Team } from "./team.ts";
import type { ElementwiseKernels, RealArray, RealKernels, WindowShape } from "./types.ts";
import { ELEMENTWISE, LINE_MODES, PAIR_STEP_SIZE, windowSizes } from "./types.ts";

/** Jobs of assembly/jobs.ts in both precisions; `reals` marks the arguments that are real numbers (always f64). */
const GEMM: Job = { code: 0, reals: (1 << 5) | (1 << 10) };
const GEMV_ROWS: Job = { code: 1, reals: (1 << 2) | (1 << 6) };
const GEMV_TRANSPOSED: Job = { code: 2, reals: (1 << 2) | (1 << 6) };
const NORMAL_PRODUCT: Job = { code: 3, reals: 0 };
const SYRK: Job = { code: 4, reals: (1 << 3) | (1 << 6) };
const UNARY: Job = { code: 5, reals: 0 };
const BINARY: Job = { code: 6, reals: 0 };
const PAIR_RECURSION: Job = { code: 7, reals: 0 };
const GATHER_WINDOWS: Job = { code: 17, reals: 0 };
const SCATTER_WINDOWS: Job = { code: 18, reals: 0 };
const COPY_LINES: Job = { code: 19, reals: 0 };
const LARGEST_OF_WINDOWS: Job = { code: 20, reals: 0 };
const SUMS_OF_WINDOWS: Job = { code: 21, reals: 1 << 5 };
const SPREAD_OVER_WINDOWS: Job = { code: 22, reals: 1 << 5 };
const ENTRIES_AT_PLACES: Job = { code: 23, reals: 0 };
/** Functions of the binary job. */
const RELU_MASK = 0;
const ATAN2 = 1;
const ADD = 2;
/** Added to the number of a job that runs in f32. */
const F32_JOB = 64;

/**
 * Multiply-adds below which a kernel stays on one thread: about 20 microseconds of work. Waking a helper costs less
 * than one when it still polls, and some ten when it sleeps or the machine is busy.
 */
const THREAD_WORK = 1 << 19;
/** The same for the matrix-vector products, which wait for memory. */
const VECTOR_THREAD_WORK = 1 << 18;
/** Multiply-adds that one entry of an elementwise function costs: the cheap ones wait for memory. */
const ENTRY_WORK = 32;
const CHEAP_ENTRY_WORK = 4;

/** The kernels of one precision, and what the kernels above them need. */
export interface WasmRealKernels {
  readonly kernels: RealKernels<RealArray>;
  /** Threads for a kernel of so many multiply-adds. */
  threadsFor(work: number, enough?: number): number;
  /** syrk on pointers. */
  rankUpdate(
    trans: boolean,
    n: number,
    k: number,
    alpha: number,
    a: number,
    lda: number,
    beta: number,
    c: number,
    ldc: number,
  ): void;
}

/** A shape as assembly/windows.ts reads it. */
function shapeWords(shape: WindowShape): number[] {
  const { height, width, channels, filterHeight, filterWidth, strideHeight, strideWidth, top, left } = shape;
  const filter = [filterHeight, filterWidth, strideHeight, strideWidth, top, left];
  return [height, width, channels, ...filter, shape.outHeight, shape.outWidth, shape.circular ? 1 : 0];
}

/** The kernels of assembly/ in one precision, on the threads of `team`. Arguments are not checked here. */
export function wasmRealKernels(team: Team, memory: KernelMemory, precision: "F64" | "F32"): WasmRealKernels {
  const { exports } = team;
  const single = precision === "F32";
  const threadsFor = (work: number, enough = THREAD_WORK): number => (work < enough ? 1 : team.threads);
  const run = (job: Job, threads: number, args: readonly number[]): void =>
    team.run(single ? { code: job.code + F32_JOB, reals: job.reals } : job, threads, args);

  /** Runs a job whose threads each make their own sum of n entries, and adds the sums to `y` in thread order. */
  const runWithPartials = (job: Job, n: number, work: number, args: readonly number[], y: RealArray): void => {
    const threads = threadsFor(work, VECTOR_THREAD_WORK);
    if (threads === 1) run(job, 1, [...args, 0]);
    else
      memory.scope((scope) => {
        const length = (threads - 1) * n;
        const partials = (single ? scope.f32(length) : scope.f64(length)).byteOffset;
        run(job, threads, [...args, partials]);
        exports[`addPartials${precision}`](n, threads, partials, y.byteOffset);
      });
  };
  const binary = (kind: number, entryWork: number, n: number, x: RealArray, y: RealArray, out: RealArray): void =>
    run(BINARY, threadsFor(n * entryWork), [kind, n, x.byteOffset, y.byteOffset, out.byteOffset]);
  const unary = ELEMENTWISE.map((name, kind) => {
    const entryWork = name === "relu" ? CHEAP_ENTRY_WORK : ENTRY_WORK;
    return [
      name,
      (n: number, x: RealArray, out: RealArray): void =>
        run(UNARY, threadsFor(n * entryWork), [kind, n, x.byteOffset, out.byteOffset]),
    ];
  });
  const windows = (job: Job, n: number, shape: WindowShape, ...rest: readonly number[]): void => {
    memory.scope((scope) => {
      const words = scope.u32(12);
      words.set(shapeWords(shape));
      const threads = threadsFor(n * windowSizes(shape).patches * CHEAP_ENTRY_WORK);
      run(job, threads, [n, shape.outHeight, words.byteOffset, ...rest]);
    });
  };
  const entries = (isPut: number, n: number, size: number, imageSize: number, ...arrays: readonly number[]): void =>
    run(ENTRIES_AT_PLACES, threadsFor(n * size * CHEAP_ENTRY_WORK), [isPut, n, size, imageSize, ...arrays]);
  const rankUpdate: WasmRealKernels["rankUpdate"] = (trans, n, k, alpha, a, lda, beta, c, ldc) => {
    run(SYRK, threadsFor((n * n * k) / 2), [trans ? 1 : 0, n, k, alpha, a, lda, beta, c, ldc]);
  };

  const kernels: RealKernels<RealArray> = {
    ...(Object.fromEntries(unary) as ElementwiseKernels<RealArray>),
    gemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) {
      const scalars = [transA ? 1 : 0, transB ? 1 : 0, m, n, k, alpha];
      run(GEMM, threadsFor(m * n * k), [...scalars, a.byteOffset, lda, b.byteOffset, ldb, beta, c.byteOffset, ldc]);
    },
    syrk(trans, n, k, alpha, a, lda, beta, c, ldc) {
      rankUpdate(trans, n, k, alpha, a.byteOffset, lda, beta, c.byteOffset, ldc);
    },
    gemv(trans, m, n, alpha, a, lda, x, beta, y) {
      const args = [m, n, alpha, a.byteOffset, lda, x.byteOffset, beta, y.byteOffset];
      if (trans) runWithPartials(GEMV_TRANSPOSED, n, m * n, args, y);
      else run(GEMV_ROWS, threadsFor(m * n, VECTOR_THREAD_WORK), args);
    },
    normalProduct(m, n, a, lda, x, y) {
      runWithPartials(NORMAL_PRODUCT, n, 2 * m * n, [m, n, a.byteOffset, lda, x.byteOffset, y.byteOffset], y);
    },
    dot: (n, x, y) => exports[`dot${precision}`](n, x.byteOffset, y.byteOffset),
    axpy: (n, alpha, x, y) => exports[`axpy${precision}`](n, alpha, x.byteOffset, y.byteOffset),
    norm2: (n, x) => exports[`norm2${precision}`](n, x.byteOffset),
    normInf: (n, x) => exports[`normInf${precision}`](n, x.byteOffset),
    norm1: (n, x) => exports[`norm1${precision}`](n, x.byteOffset),
    reluMask: (n, x, g, out) => binary(RELU_MASK, CHEAP_ENTRY_WORK, n, x, g, out),
    gatherWindows: (n, shape, images, patches) =>
      windows(GATHER_WINDOWS, n, shape, images.byteOffset, patches.byteOffset),
    scatterWindows: (n, shape, patches, images) =>
      windows(SCATTER_WINDOWS, n, shape, images.byteOffset, patches.byteOffset),
    copyLines(mode, { images, height, length, fromLine, fromImage, toLine, toImage }, from, to) {
      const threads = threadsFor(images * height * length * CHEAP_ENTRY_WORK);
      const strides = [fromLine, fromImage, toLine, toImage];
      run(COPY_LINES, threads, [LINE_MODES[mode], images, height, length, ...strides, from.byteOffset, to.byteOffset]);
    },
    largestOfWindows: (n, shape, images, out, places) =>
      windows(LARGEST_OF_WINDOWS, n, shape, images.byteOffset, out.byteOffset, places.byteOffset),
    sumsOfWindows: (n, shape, factor, images, out) =>
      windows(SUMS_OF_WINDOWS, n, shape, images.byteOffset, out.byteOffset, factor),
    spreadOverWindows: (n, shape, factor, values, images) =>
      windows(SPREAD_OVER_WINDOWS, n, shape, values.byteOffset, images.byteOffset, factor),
    entriesAt: (n, size, imageSize, places, images, values) =>
      entries(0, n, size, imageSize, values.byteOffset, places.byteOffset, images.byteOffset),
    addEntriesAt: (n, size, imageSize, places, values, images) =>
      entries(1, n, size, imageSize, values.byteOffset, places.byteOffset, images.byteOffset),
    add: (n, x, y, out) => binary(ADD, CHEAP_ENTRY_WORK, n, x, y, out),
    atan2: (n, y, x, out) => binary(ATAN2, ENTRY_WORK, n, y, x, out),
    pairRecursion(lower, rows, cols, program, rowNumbers, rowStride, colNumbers, colStride, k, ldk, theta, ldt) {
      const steps = Math.floor(program.length / PAIR_STEP_SIZE);
      const work = (rows * cols * steps * ENTRY_WORK) / (lower ? 2 : 1);
      const numbers = [rowNumbers.byteOffset, rowStride, colNumbers.byteOffset, colStride];
      const shape = [lower ? 1 : 0, rows, cols, steps, program.byteOffset];
      run(PAIR_RECURSION, threadsFor(work), [...shape, ...numbers, k.byteOffset, ldk, theta?.byteOffset ?? 0, ldt]);
    },
  };
  return { kernels, threadsFor, rankUpdate };
}
