import { type WindowShape, windowSizes } from "../../compute/index.ts";
import type { RealArray, RealKernels } from "../../compute/types.ts";

/**
 * The products of a layer with shared weights, y = scale R(x) W' with R(x) the rows that W (width x fan-in) is applied to:
 * the map itself and its adjoints. Each takes several terms with the same operand, which is laid out once.
 */
export interface RowProducts {
  /** Numbers of working memory for n samples. */
  scratch(n: number): number;
  /** y <- (or, where it `adds`, +=) scale R(x) w' for each term. */
  forward<A extends RealArray>(call: ProductCall<A>, x: A, terms: readonly ForwardTerm<A>[]): void;
  /** dx <- (or +=) scale times the sum over terms of R'(dy w). */
  inputGradient<A extends RealArray>(
    call: ProductCall<A>,
    terms: readonly { readonly dy: A; readonly w: A }[],
    dx: A,
    adds: boolean,
  ): void;
  /** dw += scale dy' R(x) for each term. */
  weightGradient<A extends RealArray>(
    call: ProductCall<A>,
    x: A,
    terms: readonly { readonly dy: A; readonly dw: A }[],
  ): void;
}

/** What products are made with. */
export interface ProductCall<A extends RealArray> {
  readonly kernels: RealKernels<A>;
  readonly n: number;
  readonly scale: number;
  /** At least {@link RowProducts.scratch} numbers. */
  readonly scratch: A;
}

export interface ForwardTerm<A extends RealArray> {
  readonly w: A;
  readonly y: A;
  readonly adds: boolean;
}

/** Samples from `from` on of an array with `size` numbers a sample. */
export function samplesFrom<A extends RealArray>(array: A, from: number, size: number): A {
  return from === 0 ? array : (array.subarray(from * size) as A);
}

/** R(x) = x: `rows` vectors a sample. */
export function plainProducts(rows: number, fanIn: number, width: number): RowProducts {
  return {
    scratch: () => 0,
    forward({ kernels, n, scale }, x, terms) {
      for (const { w, y, adds } of terms) {
        kernels.gemm(false, true, n * rows, width, fanIn, scale, x, fanIn, w, fanIn, adds ? 1 : 0, y, width);
      }
    },
    inputGradient({ kernels, n, scale }, terms, dx, adds) {
      terms.forEach(({ dy, w }, k) => {
        const beta = adds || k > 0 ? 1 : 0;
        kernels.gemm(false, false, n * rows, fanIn, width, scale, dy, width, w, fanIn, beta, dx, fanIn);
      });
    },
    weightGradient({ kernels, n, scale }, x, terms) {
      for (const { dy, dw } of terms) {
        kernels.gemm(true, false, width, fanIn, n * rows, scale, dy, width, x, fanIn, 1, dw, fanIn);
      }
    },
  };
}

/** Patches of as many samples are made at a time as have so many numbers: they stay in the cache until they are used. */
const CHUNK = 1 << 18;

/** R(x): the patches of an image, written out. Any windows. */
export function patchProducts(windows: WindowShape, width: number): RowProducts {
  const { image, patches } = windowSizes(windows);
  const rows = windows.outHeight * windows.outWidth;
  const fanIn = rows === 0 ? 0 : patches / rows;
  const plain = plainProducts(rows, fanIn, width);
  const chunkOf = (n: number): number => Math.min(n, Math.ceil(CHUNK / Math.max(1, patches)));
  /** Calls `each` for chunks of the samples. */
  const forChunks = (n: number, each: (from: number, count: number) => void): void => {
    const chunk = chunkOf(n);
    for (let from = 0; from < n; from += chunk) each(from, Math.min(chunk, n - from));
  };
  return {
    scratch: (n) => chunkOf(n) * patches,
    forward(call, x, terms) {
      forChunks(call.n, (from, n) => {
        call.kernels.gatherWindows(n, windows, samplesFrom(x, from, image), call.scratch);
        const parts = terms.map(({ w, y, adds }) => ({ w, y: samplesFrom(y, from, rows * width), adds }));
        plain.forward({ ...call, n }, call.scratch, parts);
      });
    },
    inputGradient(call, terms, dx, adds) {
      if (!adds) dx.fill(0, 0, call.n * image);
      forChunks(call.n, (from, n) => {
        const parts = terms.map(({ dy, w }) => ({ dy: samplesFrom(dy, from, rows * width), w }));
        plain.inputGradient({ ...call, n }, parts, call.scratch, false);
        call.kernels.scatterWindows(n, windows, call.scratch, samplesFrom(dx, from, image));
      });
    },
    weightGradient(call, x, terms) {
      forChunks(call.n, (from, n) => {
        call.kernels.gatherWindows(n, windows, samplesFrom(x, from, image), call.scratch);
        const parts = terms.map(({ dy, dw }) => ({ dy: samplesFrom(dy, from, rows * width), dw }));
        plain.weightGradient({ ...call, n }, call.scratch, parts);
      });
    },
  };
}
