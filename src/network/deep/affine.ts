import type { RealArray, RealKernels } from "../../compute/types.ts";
import type { ConvLayer, DenseLayer, Shape } from "../architecture/index.ts";
import type { Operation, ParameterBlock } from "./operation.ts";
import { patchProducts, plainProducts } from "./products.ts";
import { shiftedProducts } from "./shifted-products.ts";
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
  const products =
    windows === null
      ? plainProducts(rows, fanIn, width)
      : (shiftedProducts(windows, width) ?? patchProducts(windows, width));
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

  return {
    kind: "affine",
    name: layer.kind,
    inputs: [inputSize],
    size: rows * width,
    rows,
    parameters,
    saved: () => 0,
    state: 0,
    width,
    fanIn,
    scale,
    biasScale,
    hasBias,
    patches,
    scratch: products.scratch,

    forward({ kernels, n, scratch, known }, theta, [x], y) {
      const isBiased = (k: number): boolean => hasBias && k < theta.length;
      y.forEach((out, k) => {
        if (k >= known && isBiased(k)) fillRows(out, theta[k]!.subarray(weights, weights + width), biasScale, n * rows);
      });
      x!.forEach((coefficient, j) => {
        const terms = theta.slice(0, y.length - j).flatMap((w, i) => {
          const k = i + j;
          // The first product that goes into y[k] replaces what was there.
          return k < known ? [] : [{ w, y: y[k]!, adds: isBiased(k) || i < Math.min(k, theta.length - 1) }];
        });
        if (terms.length > 0) products.forward({ kernels, n, scale, scratch }, coefficient, terms);
      });
    },

    backward({ kernels, n, scratch, ones, known }, theta, { x, dy, dx, accumulate, gradient, scale: factor }) {
      // dR_k = scale sum_i dy_{k-i} W_i, put back to the pixels that the patches were taken from.
      dx[0]?.forEach((into, k) => {
        if (k < known) return;
        const terms = theta.slice(0, k + 1).map((w, i) => ({ dy: dy[k - i]!, w }));
        products.inputGradient({ kernels, n, scale, scratch }, terms, into, accumulate[0] === true);
      });
      if (gradient === null) return;
      // dW_k = scale sum_j dy_{k-j}' R(x_j), db_k = biasScale times the column sums of dy_k.
      x[0]!.slice(0, gradient.length).forEach((coefficient, j) => {
        const terms = gradient.slice(j).flatMap((dw, k) => (dw === null ? [] : [{ dy: dy[k]!, dw }]));
        if (terms.length > 0)
          products.weightGradient({ kernels, n, scale: factor * scale, scratch }, coefficient, terms);
      });
      if (!hasBias) return;
      gradient.forEach((into, k) => {
        if (into === null) return;
        const biases = into.subarray(weights, weights + width) as typeof into;
        kernels.gemv(true, n * rows, width, factor * biasScale, dy[k]!, width, ones, 1, biases);
      });
    },
  };
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
