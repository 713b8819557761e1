import { type WindowShape, windowSizes } from "../../compute/index.ts";
import type { GlobalPoolLayer, PoolLayer, Shape } from "../architecture/index.ts";
import type { Operation } from "./operation.ts";
import { layerWindows } from "./windows.ts";

/**
 * The largest, the sum, or the average of each channel over windows. An average divides by the whole window, zero padding
 * included; a maximum sees no padding, and its derivative belongs to the first of equal entries.
 */
export function poolOperation(layer: PoolLayer, input: Shape, output: Shape): Operation {
  const windows = layerWindows(layer, input, output);
  if (layer.how === "max") return maxOperation(windows);
  const factor = layer.how === "average" ? 1 / (windows.filterHeight * windows.filterWidth) : 1;
  return sumOperation(`${layer.how}-pool`, windows, factor);
}

/** The sum or the average of each channel over all pixels. */
export function globalPoolOperation(layer: GlobalPoolLayer, input: Shape): Operation {
  const [height, width, channels] = input as readonly [number, number, number];
  const windows: WindowShape = {
    ...{ height, width, channels, filterHeight: height, filterWidth: width, strideHeight: 1, strideWidth: 1 },
    ...{ top: 0, left: 0, outHeight: 1, outWidth: 1, circular: false },
  };
  return sumOperation(`global-${layer.how}-pool`, windows, layer.how === "average" ? 1 / (height * width) : 1);
}

/** Numbers a sample of the input and of the output. */
function sizesOf(windows: WindowShape): { readonly inputSize: number; readonly size: number } {
  return { inputSize: windowSizes(windows).image, size: windows.outHeight * windows.outWidth * windows.channels };
}

function maxOperation(windows: WindowShape): Operation {
  const { inputSize, size } = sizesOf(windows);
  return {
    name: "max-pool",
    inputs: [inputSize],
    size,
    rows: 0,
    parameters: [],
    // Where the largest entries are, as numbers of input entries of a sample.
    saved: () => size,
    state: 0,
    scratch: () => 0,

    forward({ kernels, n, saved, known }, _, [x], y) {
      y.forEach((out, k) => {
        if (k < known) return;
        if (k === 0) kernels.largestOfWindows(n, windows, x![0]!, out, saved);
        else kernels.entriesAt(n, size, inputSize, saved, x![k]!, out);
      });
    },

    backward({ kernels, n, saved, known }, _, { dy, dx, accumulate }) {
      dx[0]?.forEach((out, k) => {
        if (k < known) return;
        if (accumulate[0] !== true) out.fill(0, 0, n * inputSize);
        kernels.addEntriesAt(n, size, inputSize, saved, dy[k]!, out);
      });
    },
  };
}

function sumOperation(name: string, windows: WindowShape, factor: number): Operation {
  const { inputSize, size } = sizesOf(windows);
  return {
    name,
    inputs: [inputSize],
    size,
    rows: 0,
    parameters: [],
    saved: () => 0,
    state: 0,
    scratch: () => 0,

    forward({ kernels, n, known }, _, [x], y) {
      y.forEach((out, k) => {
        if (k >= known) kernels.sumsOfWindows(n, windows, factor, x![k]!, out);
      });
    },

    backward({ kernels, n, known }, _, { dy, dx, accumulate }) {
      dx[0]?.forEach((out, k) => {
        if (k < known) return;
        if (accumulate[0] !== true) out.fill(0, 0, n * inputSize);
        kernels.spreadOverWindows(n, windows, factor, dy[k]!, out);
      });
    },
  };
}
