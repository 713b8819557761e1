import type { RealArray } from "../../compute/types.ts";
import type { ConvLayer, DenseLayer, Shape } from "../architecture/index.ts";
import type { BackwardPass, Frame, Operation, ParameterBlock, Series } from "./operation.ts";
import { gatherPatches, patchGeometry, scatterPatches } from "./patches.ts";

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
  patches<A extends RealArray>(n: number, x: A, out: A): A;
}

/** The operation of a dense layer (on each pixel of an image) or a convolution on inputs of a shape. */
export function affineOperation(layer: DenseLayer | ConvLayer, input: Shape, output: Shape): AffineOperation {
  const channels = input[input.length - 1]!;
  const geometry = layer.kind === "conv" ? patchGeometry(layer, input, output) : null;
  const fanIn = geometry === null ? channels : geometry.taps * channels;
  const { width } = layer;
  const rows = output.slice(0, -1).reduce((product: number, size) => product * size, 1);
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
  const patches = <A extends RealArray>(n: number, x: A, out: A): A => {
    if (geometry === null) return x;
    gatherPatches(geometry, n, x, out);
    return out;
  };
  const inputSize = input.reduce((product: number, size) => product * size, 1);

  return {
    kind: "affine",
    name: layer.kind,
    inputs: [inputSize],
    size: rows * width,
    parameters,
    saved: 0,
    state: 0,
    width,
    fanIn,
    rows,
    scale,
    biasScale,
    hasBias,
    patches,
    scratch: (n) => (geometry === null ? 0 : n * rows * fanIn),

    forward({ kernels, n, scratch }, theta, [x], y) {
      const all = n * rows;
      const isBiased = (k: number): boolean => hasBias && k < theta.length;
      y.forEach((out, k) => {
        if (isBiased(k)) fillRows(out, theta[k]!.subarray(weights, weights + width), biasScale, all);
      });
      x!.forEach((coefficient, j) => {
        const R = patches(n, coefficient, scratch);
        for (let i = 0; i < theta.length && i + j < y.length; i++) {
          const k = i + j;
          // The first product that goes into y[k] replaces what was there.
          const beta = isBiased(k) || i < Math.min(k, theta.length - 1) ? 1 : 0;
          kernels.gemm(false, true, all, width, fanIn, scale, R, fanIn, theta[i]!, fanIn, beta, y[k]!, width);
        }
      });
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
    const all = n * rows;
    const adds = pass.accumulate[0] === true;
    dx.forEach((out, k) => {
      const dR = geometry === null ? out : scratch;
      for (let i = 0; i < theta.length && i <= k; i++) {
        const beta = i > 0 || (geometry === null && adds) ? 1 : 0;
        kernels.gemm(false, false, all, fanIn, width, scale, pass.dy[k - i]!, width, theta[i]!, fanIn, beta, dR, fanIn);
      }
      if (geometry !== null) scatterPatches(geometry, n, dR, out, adds);
    });
  }

  /** dW_k = scale sum_j dy_{k-j}' R(x_j), db_k = biasScale times the column sums of dy_k. */
  function weightGradient<A extends RealArray>(
    frame: Frame<A>,
    { x, dy, gradient, scale: factor }: BackwardPass<A>,
  ): void {
    const { kernels, n, scratch, ones } = frame;
    if (gradient === null) return;
    const all = n * rows;
    const orders = gradient.length;
    x[0]!.slice(0, orders).forEach((coefficient, j) => {
      const R = patches(n, coefficient, scratch);
      for (let k = j; k < orders; k++) {
        const into = gradient[k]!;
        kernels.gemm(true, false, width, fanIn, all, factor * scale, dy[k - j]!, width, R, fanIn, 1, into, fanIn);
      }
    });
    if (!hasBias) return;
    gradient.forEach((into, k) => {
      const part = into.subarray(weights, weights + width) as A;
      kernels.gemv(true, all, width, factor * biasScale, dy[k]!, width, ones, 1, part);
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
