import { windowSizes } from "../../compute/index.ts";
import type { RealArray, RealKernels } from "../../compute/types.ts";
import type { ConvLayer, DenseLayer, Shape } from "../architecture/index.ts";
import type { BackwardPass, Frame, Operation, ParameterBlock, Series } from "./operation.ts";
import { layerWindows } from "./windows.ts";

/**
 * Rows of inputs times weights: y = scale R(x) W' + biasScale b, with R(x) the patches of an image (convolution) or the
 * pixels or the vector itself (dense). W is width x fan-in, followed by the width biases, if any.
 */
export interface AffineOperation extends Operation {
  readonly kind: "affine";
  readonly width: number;
  readonly fanIn: number;
  /** Factors of W and b: wStd / sqrt(fan-in) and bStd in the NTK parametrization, 1 and 1 in the standard one. */
  readonly scale: number;
  readonly biasScale: number;
  readonly hasBias: boolean;
  /** R(x) of n samples, n rows x fanIn; x itself when that is the same, else written to `out`. */
  patches<A extends RealArray>(kernels: RealKernels<A>, n: number, x: A, out: A): A;
}

/** Patches of as many samples are made at a time as have so many numbers: they stay in the cache until they are used. */
const CHUNK = 1 << 20;

/** The operation of a dense layer (on each pixel of an image) or a convolution on inputs of a shape. */
export function affineOperation(layer: DenseLayer | ConvLayer, input: Shape, output: Shape): AffineOperation {
  const channels = input[input.length - 1]!;
  const inputSize = input.reduce((product: number, size) => product * size, 1);
  const rows = output.slice(0, -1).reduce((product: number, size) => product * size, 1);
  const { width } = layer;
  const fanIn = layer.kind === "conv" ? layer.filter[0] * layer.filter[1] * channels : channels;
  // A filter of one pixel that does not skip any takes the image as it is.
  const isCopied = layer.kind === "conv" && (layer.filter[0] * layer.filter[1] > 1 || rows * channels !== inputSize);
  const windows = isCopied ? layerWindows(layer, input, output) : null;
  const patchSize = windows === null ? 0 : windowSizes(windows).patches;
  const isNtk = layer.parametrization === "ntk";
  const spread = layer.wStd / Math.sqrt(fanIn);
  const hasBias = layer.bStd > 0;
  const scale = isNtk ? spread : 1;
  const biasScale = isNtk ? layer.bStd : 1;
  const parameters: ParameterBlock[] = [
    { name: "weight", shape: [width, fanIn], std: isNtk ? 1 : spread, mean: 0 },
    ...(hasBias ? [{ name: "bias" as const, shape: [width], std: isNtk ? 1 : layer.bStd, mean: 0 }] : []),
  ];
  const weights = width * fanIn;
  const patches = <A extends RealArray>(kernels: RealKernels<A>, n: number, x: A, out: A): A => {
    if (windows === null) return x;
    kernels.gatherWindows(n, windows, x, out);
    return out;
  };
  /** Samples whose patches are made together. */
  const chunkOf = (n: number): number => (windows === null ? n : Math.min(n, Math.ceil(CHUNK / patchSize)));
  /** Samples from .. to of an array with `size` numbers a sample. */
  const part = <A extends RealArray>(array: A, from: number, size: number): A =>
    (from === 0 ? array : array.subarray(from * size)) as A;

  return {
    kind: "affine",
    name: layer.kind,
    inputs: [inputSize],
    size: rows * width,
    rows,
    parameters,
    saved: 0,
    state: 0,
    width,
    fanIn,
    scale,
    biasScale,
    hasBias,
    patches,
    scratch: (n) => chunkOf(n) * patchSize,

    forward({ kernels, n, scratch }, theta, [x], y) {
      const isBiased = (k: number): boolean => hasBias && k < theta.length;
      y.forEach((out, k) => {
        if (isBiased(k)) fillRows(out, theta[k]!.subarray(weights, weights + width), biasScale, n * rows);
      });
      const chunk = chunkOf(n);
      for (let from = 0; from < n; from += chunk) {
        const count = Math.min(chunk, n - from);
        x!.forEach((coefficient, j) => {
          const R = patches(kernels, count, part(coefficient, from, inputSize), scratch);
          for (let i = 0; i < theta.length && i + j < y.length; i++) {
            const k = i + j;
            // The first product that goes into y[k] replaces what was there.
            const beta = isBiased(k) || i < Math.min(k, theta.length - 1) ? 1 : 0;
            const out = part(y[k]!, from, rows * width);
            kernels.gemm(false, true, count * rows, width, fanIn, scale, R, fanIn, theta[i]!, fanIn, beta, out, width);
          }
        });
      }
    },

    backward(frame, theta, pass) {
      inputGradient(frame, theta, pass);
      weightGradient(frame, pass);
    },
  };

  /** dR_k = scale sum_i dy_{k-i} W_i, put back to the pixels that the patches were taken from. */
  function inputGradient<A extends RealArray>(frame: Frame<A>, theta: Series<A>, pass: BackwardPass<A>): void {
    const { kernels, n, scratch } = frame;
    const dx = pass.dx[0];
    if (dx === null || dx === undefined) return;
    const adds = pass.accumulate[0] === true;
    const chunk = chunkOf(n);
    dx.forEach((out, k) => {
      if (windows !== null && !adds) out.fill(0, 0, n * inputSize);
      for (let from = 0; from < n; from += chunk) {
        const count = Math.min(chunk, n - from);
        const image = part(out, from, inputSize);
        const dR = windows === null ? image : scratch;
        for (let i = 0; i < theta.length && i <= k; i++) {
          const beta = i > 0 || (windows === null && adds) ? 1 : 0;
          const dy = part(pass.dy[k - i]!, from, rows * width);
          kernels.gemm(false, false, count * rows, fanIn, width, scale, dy, width, theta[i]!, fanIn, beta, dR, fanIn);
        }
        if (windows !== null) kernels.scatterWindows(count, windows, dR, image);
      }
    });
  }

  /** dW_k = scale sum_j dy_{k-j}' R(x_j), db_k = biasScale times the column sums of dy_k. */
  function weightGradient<A extends RealArray>(
    frame: Frame<A>,
    { x, dy, gradient, scale: factor }: BackwardPass<A>,
  ): void {
    const { kernels, n, scratch, ones } = frame;
    if (gradient === null) return;
    const orders = gradient.length;
    const chunk = chunkOf(n);
    for (let from = 0; from < n; from += chunk) {
      const count = Math.min(chunk, n - from);
      x[0]!.slice(0, orders).forEach((coefficient, j) => {
        const R = patches(kernels, count, part(coefficient, from, inputSize), scratch);
        for (let k = j; k < orders; k++) {
          const out = part(dy[k - j]!, from, rows * width);
          const into = gradient[k] ?? null;
          if (into === null) continue;
          kernels.gemm(true, false, width, fanIn, count * rows, factor * scale, out, width, R, fanIn, 1, into, fanIn);
        }
      });
    }
    if (!hasBias) return;
    gradient.forEach((into, k) => {
      if (into === null) return;
      const biases = into.subarray(weights, weights + width) as A;
      kernels.gemv(true, n * rows, width, factor * biasScale, dy[k]!, width, ones, 1, biases);
    });
  }
}

/** Each of `rows` rows of out <- scale times `row`. */
function fillRows(out: RealArray, row: RealArray, scale: number, rows: number): void {
  const { length } = row;
  const total = rows * length;
  if (total === 0) return;
  for (let k = 0; k < length; k++) out[k] = scale * row[k];
  // Doubling what is there copies with few calls.
  for (let filled = length; filled < total; filled *= 2) out.copyWithin(filled, 0, Math.min(filled, total - filled));
}
