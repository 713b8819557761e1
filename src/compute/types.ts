import { DUAL_STEPS } from "./duals.ts";

/** Which arithmetic a {@link Compute} runs on. `js` is the naive reference for tests. */
export type BackendName = "wasm" | "blas" | "js";

/** What a run reports about the machinery that it used. */
export interface BackendInfo {
  readonly name: BackendName;
  /** Name and version of the system BLAS, e.g. `OpenBLAS 0.3.21`; null without one. */
  readonly blas: string | null;
  /** WebAssembly build in use; `none` for the `js` backend. */
  readonly simd: "plain" | "relaxed" | "none";
  readonly threads: number;
}

export interface ComputeOptions {
  /** `auto` (default): the system BLAS when one is found and passes its self-test, WebAssembly otherwise. */
  readonly backend?: BackendName | "auto";
  /** Threads of the kernels and of the BLAS; default: the machine's cores, at most 8. */
  readonly threads?: number;
  /** WebAssembly build; `auto` probes for relaxed SIMD. */
  readonly simd?: "plain" | "relaxed" | "auto";
  /** Bytes that scopes may hold together; default: all that the machine lets the kernels address, at most 4 GiB. */
  readonly memoryLimit?: number;
}

/** Arrays made inside one {@link Compute.scope}; all are released together when the scope's body returns. */
export interface Scope {
  /** `length` zeros, 64-byte aligned, in the memory of the kernels. */
  f64(length: number): Float64Array;
  /** `length` zeros in single precision. */
  f32(length: number): Float32Array;
  /** `length` zero words, for bit-packed activation patterns. */
  u32(length: number): Uint32Array;
  /** A copy of `source` in the memory of the kernels. */
  copy(source: ArrayLike<number>): Float64Array;
}

/** The arrays of the two precisions. */
export type RealArray = Float64Array | Float32Array;

/** Functions of one variable, applied entry by entry. */
export const ELEMENTWISE = ["relu", "exp", "log1p", "softplus", "tanh", "erf", "sin", "cos"] as const;
export type ElementwiseName = (typeof ELEMENTWISE)[number];

/**
 * out_i <- f(x_i) for n entries; `out` may be `x`. At most 2 ulp from the true value in f64 and 4 in f32 (4 on the `js`
 * backend; sin and cos: up to |x| = 1e5, 3 beyond). softplus(x) = log(1 + exp(x)); relu(x) = max(x, 0), NaN at NaN.
 */
export type ElementwiseKernels<A extends RealArray> = {
  readonly [name in ElementwiseName]: (n: number, x: A, out: A) => void;
};

/**
 * How windows lie in an image, height x width x channels: window (i, j) begins at row i strideHeight - top and column
 * j strideWidth - left. Outside the image there are zeros, or with `circular` the image again.
 */
export interface WindowShape {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly filterHeight: number;
  readonly filterWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly top: number;
  readonly left: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly circular: boolean;
}

/**
 * Lines of images: `images` times `height` runs of `length` numbers, a line `fromLine` and `toLine` numbers behind the last,
 * an image `fromImage` and `toImage`. Lines do not overlap.
 */
export interface LineLayout {
  readonly images: number;
  readonly height: number;
  readonly length: number;
  readonly fromLine: number;
  readonly fromImage: number;
  readonly toLine: number;
  readonly toImage: number;
}

/** What {@link RealKernels.copyLines} does with a line; `frame`: copy, and zeros behind it up to where the next begins. */
export const LINE_MODES = { set: 0, add: 1, frame: 2 } as const;
export type LineMode = keyof typeof LINE_MODES;

/** Numbers that the lines reach over in the source and in the target. */
export function lineSizes(layout: LineLayout, mode: LineMode): { readonly from: number; readonly to: number } {
  const { images, height, length, fromLine, fromImage, toLine, toImage } = layout;
  if (images * height === 0) return { from: 0, to: 0 };
  const reach = (line: number, image: number): number => (images - 1) * image + (height - 1) * line + length;
  return { from: reach(fromLine, fromImage), to: mode === "frame" ? images * toImage : reach(toLine, toImage) };
}

/** Numbers of an image, and of all its windows. */
export function windowSizes(shape: WindowShape): { readonly image: number; readonly patches: number } {
  const { height, width, channels, filterHeight, filterWidth, outHeight, outWidth } = shape;
  return { image: height * width * channels, patches: outHeight * outWidth * filterHeight * filterWidth * channels };
}

/**
 * Dense kernels of one precision. Matrices are row-major; `lda` is the distance between rows. Every array argument must
 * come from a {@link Scope} of the same {@link Compute} (else TypeError); an array shorter than the shape asks for is a
 * RangeError that names both. Zero-sized shapes are allowed everywhere. NaN and infinity propagate as in IEEE
 * arithmetic. Outputs may not alias inputs unless said.
 */
export interface RealKernels<A extends RealArray> extends ElementwiseKernels<A> {
  /**
   * C <- alpha op(A) op(B) + beta C, with op(A) m x k and op(B) k x n. `beta = 0` overwrites C, NaN included;
   * `alpha = 0` reads neither A nor B (as in BLAS; {@link gemv} and {@link syrk} alike).
   */
  gemm(
    transA: boolean,
    transB: boolean,
    m: number,
    n: number,
    k: number,
    alpha: number,
    a: A,
    lda: number,
    b: A,
    ldb: number,
    beta: number,
    c: A,
    ldc: number,
  ): void;
  /**
   * Lower triangle of C (n x n) <- alpha op(A) op(A)^T + beta C, with op(A) n x k: A, or the transpose of the stored
   * k x n matrix when `trans`. The strict upper triangle is neither read nor written.
   */
  syrk(trans: boolean, n: number, k: number, alpha: number, a: A, lda: number, beta: number, c: A, ldc: number): void;
  /** y <- alpha op(A) x + beta y with A m x n as stored (`trans`: y has n entries, x has m). */
  gemv(trans: boolean, m: number, n: number, alpha: number, a: A, lda: number, x: A, beta: number, y: A): void;
  /** y <- A^T (A x), A m x n, reading A once. */
  normalProduct(m: number, n: number, a: A, lda: number, x: A, y: A): void;
  dot(n: number, x: A, y: A): number;
  /** y <- alpha x + y. */
  axpy(n: number, alpha: number, x: A, y: A): void;
  /** Euclidean norm, safe against overflow and underflow. */
  norm2(n: number, x: A): number;
  /** max |x_i|; NaN if any entry is. */
  normInf(n: number, x: A): number;
  /** sum |x_i|. */
  norm1(n: number, x: A): number;
  /** out_i <- g_i where x_i > 0, else 0: the derivative of {@link relu} applied to g. `out` may be `x` or `g`. */
  reluMask(n: number, x: A, g: A, out: A): void;
  /** patches (n x outHeight x outWidth x filterHeight x filterWidth x channels) <- the windows of n images. */
  gatherWindows(n: number, shape: WindowShape, images: A, patches: A): void;
  /** images += the patches, each where its window lies: the transpose of {@link gatherWindows}. */
  scatterWindows(n: number, shape: WindowShape, patches: A, images: A): void;
  /** Lines of `from` into `to`: how images get a margin of zeros, and lose it. */
  copyLines(mode: LineMode, layout: LineLayout, from: A, to: A): void;
  /**
   * out (n x outHeight x outWidth x channels) <- the largest entry of each window of n images and channel, padding left out
   * (NaN wins; a window outside of the image: -infinity); `places` <- its number in its image, the first of equal ones.
   */
  largestOfWindows(n: number, shape: WindowShape, images: A, out: A, places: A): void;
  /** out (n x outHeight x outWidth x channels) <- factor times the sum of each window of n images and channel. */
  sumsOfWindows(n: number, shape: WindowShape, factor: number, images: A, out: A): void;
  /** images += factor times the values, each over its window: the transpose of {@link sumsOfWindows}. */
  spreadOverWindows(n: number, shape: WindowShape, factor: number, values: A, images: A): void;
  /** values (n x size) <- the entries of n images of `imageSize` numbers at `places` (n x size); NaN where there is none. */
  entriesAt(n: number, size: number, imageSize: number, places: A, images: A, values: A): void;
  /** images += values, each at its place: the transpose of {@link entriesAt}. */
  addEntriesAt(n: number, size: number, imageSize: number, places: A, values: A, images: A): void;
  /** out <- x + y. `out` may be either. */
  add(n: number, x: A, y: A, out: A): void;
  /** out_i <- the angle of the point (x_i, y_i), in [-pi, pi], to 2 ulp (f32: 4). `out` may be `y` or `x`. */
  atan2(n: number, y: A, x: A, out: A): void;
  /**
   * Takes each entry k of K (rows x cols; when `lower` only those with j <= i) through the steps of a program, with a
   * second number theta that starts at 0 and is written to `theta` unless that is null. All arithmetic is in f64. A step
   * is its kind in {@link PAIR_STEPS} and five numbers; `rowNumbers` has, for each step, `rowStride` first and then
   * `rowStride` second numbers p_i, P_i of the rows, and `colNumbers` likewise q_j, Q_j of the columns (colStride at
   * least cols rounded up to a multiple of four, for they are read that far). The kinds:
   *
   * - affine w b a d e: m = w k + b; theta <- w theta + a m + d k + e; k <- m.
   * - save s, exchange s, add s: (k, theta) to slot s; with slot s; plus slot s. There are {@link PAIR_SLOTS} slots.
   * - those of {@link DUAL_STEPS} with their parameters; a polynomial takes the numbers of the steps `numbers` behind it too.
   */
  pairRecursion(
    lower: boolean,
    rows: number,
    cols: number,
    program: Float64Array,
    rowNumbers: Float64Array,
    rowStride: number,
    colNumbers: Float64Array,
    colStride: number,
    k: A,
    ldk: number,
    theta: A | null,
    ldt: number,
  ): void;
}

/** Kinds of the steps of {@link RealKernels.pairRecursion}, as numbered in assembly/pairs.ts; `numbers` does nothing. */
export const PAIR_STEPS = { affine: 0, save: 1, exchange: 2, add: 3, numbers: 4, ...DUAL_STEPS } as const;
/** Numbers of a step: its kind and five parameters. */
export const PAIR_STEP_SIZE = 6;
/** Places for values put aside. */
export const PAIR_SLOTS = 256;

/** The 64-bit key of a Philox stream, as two words. */
export type StreamKey = readonly [number, number];

/** Of Adam (Kingma & Ba, arXiv:1412.6980): h <- h - rate m / (fix sqrt(s) + 1e-9), m and s the decayed moments. */
export interface AdamRates {
  readonly rate: number;
  readonly fix: number;
  readonly decayMean: number;
  readonly decaySquare: number;
}

/** All dense kernels in f64; the arrays are as for {@link RealKernels}. */
export interface Kernels extends RealKernels<Float64Array> {
  /** The kernels that exist in single precision too; sums are made in f32 unless said. */
  readonly f32: RealKernels<Float32Array>;
  /**
   * Gated product: out_i <- sum_p D_p(i) x_i . v_p. X is n x d, V is P x d (row p is v_p).
   * `patterns` is bit-packed, {@link patternWords}(n) words a pattern; bit (i mod 32) of word floor(i / 32) is D_p(i).
   */
  gatedForward(
    n: number,
    d: number,
    p: number,
    x: Float64Array,
    patterns: Uint32Array,
    v: Float64Array,
    out: Float64Array,
  ): void;
  /** Adjoint of {@link gatedForward}: row p of out (P x d) <- X^T (D_p r). */
  gatedAdjoint(
    n: number,
    d: number,
    p: number,
    x: Float64Array,
    patterns: Uint32Array,
    r: Float64Array,
    out: Float64Array,
  ): void;
  /** Bit-packed activation patterns D_p(i) = [x_i . g_p > 0] of the rows g_p of G (P x d). */
  activationPatterns(n: number, d: number, p: number, x: Float64Array, g: Float64Array, out: Uint32Array): void;
  /** Each row v_p of V (P x d) <- max(0, 1 - tau / ||v_p||) v_p, in place (the proximal map of tau sum ||v_p||). */
  blockSoftThreshold(p: number, d: number, v: Float64Array, tau: number): void;
  /**
   * Each row b of B (rows x cols) <- its projection p on the ball sum |p_i| <= radius: |b_i| lowered by the level at which
   * that holds (0 inside the ball), which Newton's method finds from the one in `levels` and leaves there. What a level
   * removes may be left as a rounding error instead of 0. `gains` <- sum_i p_i (2 b_i - p_i).
   */
  projectOnBalls(
    rows: number,
    cols: number,
    b: Float64Array,
    radii: Float64Array,
    levels: Float64Array,
    gains: Float64Array,
  ): void;
  /**
   * A step of Adam, downhill, for points p = radius h |h| / max(1, sum h^2) of such balls, one a row of h (rows x cols; `mean`
   * and `square` its moments), where the value has the slopes (slack sign(p) - B) / 2, B in `slopes`; in f32 but for sums.
   * `along` <- sum_i (p_i / radius) (slack sign(p_i) - B_i) / 2, of the points before.
   */
  stepOnBalls(
    rows: number,
    cols: number,
    rates: AdamRates,
    h: Float32Array,
    mean: Float32Array,
    square: Float32Array,
    slopes: Float64Array,
    slack: Float64Array,
    radii: Float64Array,
    along: Float64Array,
  ): void;
  /**
   * Lower Cholesky factor of the symmetric n x n matrix whose lower triangle is in `a`, in place; the strict upper
   * triangle is set to zero. Returns 0, or k when the leading k x k minor is not positive definite (`a` is then undefined).
   */
  cholesky(n: number, a: Float64Array, lda: number): number;
  /** B (n x nrhs) <- L^{-1} B, or L^{-T} B when `trans`, with L the lower triangle of `l`. */
  solveLower(trans: boolean, n: number, nrhs: number, l: Float64Array, ldl: number, b: Float64Array, ldb: number): void;
  /**
   * Eigenvalues (ascending, into `values`) and orthonormal eigenvectors of the symmetric n x n matrix in `a` (both
   * triangles read); on return column k of `a` is the k-th eigenvector.
   */
  symmetricEigen(n: number, a: Float64Array, lda: number, values: Float64Array): void;
  /**
   * Takes each pair of an image of `images1` (rows) and one of `images2` (cols; when `lower` only those j <= i) through the
   * steps of a program (image-program.ts), and writes its first covariance and tangent kernel to `nngp` and `ntk`, rows x
   * cols, where they are not null. Images are planes of lines, channel by channel. `numbers1`, `numbers2` are what the
   * program knows of each image by itself: with `record`, images of `images1` go through it with themselves and
   * `numbers1` is written; then `cols`, `images2` and `numbers2` do not matter. Memory for each thread is taken from a scope.
   */
  imagePairs(
    record: boolean,
    lower: boolean,
    rows: number,
    cols: number,
    program: Float64Array,
    images1: Float64Array,
    images2: Float64Array,
    numbers1: Float64Array,
    numbers2: Float64Array,
    nngp: Float64Array | null,
    ntk: Float64Array | null,
  ): void;
  /**
   * out_i <- the (first + i)-th word of the Philox stream of `key`, as `bits()` of a RandomStream with that key draws
   * them, whatever the backend and the number of threads.
   */
  randomBits(key: StreamKey, first: number, n: number, out: Uint32Array): void;
  /** out_i <- the (first + i)-th of the uniforms in [0, 1) that a RandomStream draws when it draws nothing else. */
  randomUniform(key: StreamKey, first: number, n: number, out: Float64Array): void;
  /**
   * out_i <- the (first + i)-th of the standard normals that a RandomStream draws when it draws nothing else, up to
   * the rounding of log, sin and cos.
   */
  randomNormal(key: StreamKey, first: number, n: number, out: Float64Array): void;
}

/** A thread team, its memory and its kernels. Make one a process (or worker) and close it. */
export interface Compute extends Kernels {
  readonly info: BackendInfo;
  /** A sentence when the system's BLAS, or the one that was asked for, had to be refused; else null. */
  readonly warning: string | null;
  /** Bytes of kernel memory in use now. */
  readonly bytesInUse: number;
  /** Bytes of kernel memory taken from the system so far; it grows with need and never shrinks. */
  readonly bytesReserved: number;
  /** Bytes that scopes may hold together. Larger matrices stay outside: see {@link outsideMatrix}. */
  readonly memoryLimit: number;
  /**
   * Runs `body` with a fresh scope; its arrays are released when `body` returns or throws. Results that must outlive
   * the scope are copied out by the caller. Scopes nest.
   *
   * @throws RangeError when the kernel memory is full, with the size asked for and what to do about it.
   */
  scope<T>(body: (scope: Scope) => T): T;
  /** Stops the threads. The handle is dead afterwards. */
  close(): Promise<void>;
}

/** 32-bit words that hold one activation pattern of n rows. */
export function patternWords(n: number): number {
  return (n + 31) >>> 5;
}
