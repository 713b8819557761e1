import type { RealArray } from "../../compute/types.ts";
import type { GlobalPoolLayer, PoolLayer, Shape } from "../architecture/index.ts";
import type { Operation } from "./operation.ts";
import { layerWindows, windowSources } from "./windows.ts";

/** Where the entries of windows are: for a pooled pixel and a tap, the pixel of the image, or -1. */
interface Pooling {
  readonly channels: number;
  readonly inputSize: number;
  readonly size: number;
  readonly taps: number;
  readonly sources: Int32Array;
}

/**
 * The largest, the sum, or the average of each channel over windows. An average divides by the whole window, zero padding
 * included; a maximum sees no padding, and its derivative belongs to the first of equal entries.
 */
export function poolOperation(layer: PoolLayer, input: Shape, output: Shape): Operation {
  const windows = layerWindows(layer, input, output);
  const { channels } = windows;
  const [inputSize, size] = [input, output].map((shape) => shape.reduce((product: number, n) => product * n, 1));
  const taps = windows.filterHeight * windows.filterWidth;
  const pooling: Pooling = { channels, inputSize: inputSize!, size: size!, taps, sources: windowSources(windows) };
  const isMax = layer.how === "max";
  const factor = layer.how === "average" ? 1 / taps : 1;

  return {
    name: `${layer.how}-pool`,
    inputs: [pooling.inputSize],
    size: pooling.size,
    rows: 0,
    parameters: [],
    // Where the largest entries are, as numbers of input entries of a sample.
    saved: isMax ? pooling.size : 0,
    state: 0,
    scratch: () => 0,

    forward({ n, saved }, _, [x], y) {
      if (!isMax) {
        y.forEach((out, k) => {
          out.fill(0, 0, n * pooling.size);
          addWindows(pooling, n, x![k]!, out, factor);
        });
        return;
      }
      findLargest(pooling, n, x![0]!, y[0]!, saved);
      y.slice(1).forEach((out, k) => {
        const plane = x![k + 1]!;
        for (let at = 0; at < n * pooling.size; at++)
          out[at] = plane[Math.floor(at / pooling.size) * pooling.inputSize + saved[at]];
      });
    },

    backward({ n, saved }, _, { dy, dx, accumulate }) {
      dx[0]?.forEach((out, k) => {
        const cotangent = dy[k]!;
        if (accumulate[0] !== true) out.fill(0, 0, n * pooling.inputSize);
        if (!isMax) {
          spreadWindows(pooling, n, cotangent, out, factor);
          return;
        }
        for (let sample = 0, at = 0; sample < n; sample++) {
          const into = sample * pooling.inputSize;
          for (const end = at + pooling.size; at < end; at++) out[into + saved[at]] += cotangent[at];
        }
      });
    },
  };
}

/** y <- the largest entry of each window, `places` <- where it is in its sample. NaN wins, and stays. */
function findLargest<A extends RealArray>(pooling: Pooling, n: number, x: A, y: A, places: A): void {
  const { channels, inputSize, size, taps, sources } = pooling;
  const pixels = size / channels;
  for (let sample = 0, at = 0; sample < n; sample++) {
    const from = sample * inputSize;
    for (let pixel = 0; pixel < pixels; pixel++, at += channels) {
      const last = (pixel + 1) * taps;
      let tap = pixel * taps;
      while (tap < last && sources[tap]! < 0) tap++;
      const first = sources[tap]! * channels;
      for (let c = 0; c < channels; c++) {
        y[at + c] = x[from + first + c];
        places[at + c] = first + c;
      }
      for (tap++; tap < last; tap++) {
        const entry = sources[tap]! * channels;
        if (entry < 0) continue;
        for (let c = 0; c < channels; c++) {
          const value = x[from + entry + c];
          // The negation keeps NaN.
          if (!(value <= y[at + c])) {
            y[at + c] = value;
            places[at + c] = entry + c;
          }
        }
      }
    }
  }
}

/** y += factor times the sums of the windows of x. */
function addWindows(
  { channels, inputSize, size, taps, sources }: Pooling,
  n: number,
  x: RealArray,
  y: RealArray,
  factor: number,
): void {
  for (let sample = 0; sample < n; sample++) {
    for (let tap = 0; tap < sources.length; tap++) {
      if (sources[tap]! < 0) continue;
      const from = sample * inputSize + sources[tap]! * channels;
      const to = sample * size + Math.floor(tap / taps) * channels;
      for (let c = 0; c < channels; c++) y[to + c] += factor * x[from + c];
    }
  }
}

/** x += factor times y, spread over the windows. */
function spreadWindows(
  { channels, inputSize, size, taps, sources }: Pooling,
  n: number,
  y: RealArray,
  x: RealArray,
  factor: number,
): void {
  for (let sample = 0; sample < n; sample++) {
    for (let tap = 0; tap < sources.length; tap++) {
      if (sources[tap]! < 0) continue;
      const to = sample * inputSize + sources[tap]! * channels;
      const from = sample * size + Math.floor(tap / taps) * channels;
      for (let c = 0; c < channels; c++) x[to + c] += factor * y[from + c];
    }
  }
}

/** The sum or the average of each channel over all pixels. */
export function globalPoolOperation(layer: GlobalPoolLayer, input: Shape): Operation {
  const channels = input[input.length - 1]!;
  const inputSize = input.reduce((product: number, length) => product * length, 1);
  const pixels = inputSize / channels;
  const factor = layer.how === "average" ? 1 / pixels : 1;
  const sources = Int32Array.from({ length: pixels }, (_, pixel) => pixel);
  const pooling: Pooling = { channels, inputSize, size: channels, taps: pixels, sources };
  return {
    name: `global-${layer.how}-pool`,
    inputs: [inputSize],
    size: channels,
    rows: 0,
    parameters: [],
    saved: 0,
    state: 0,
    scratch: () => 0,

    forward({ n }, _, [x], y) {
      y.forEach((out, k) => {
        out.fill(0, 0, n * channels);
        addWindows(pooling, n, x![k]!, out, factor);
      });
    },

    backward({ n }, _, { dy, dx, accumulate }) {
      dx[0]?.forEach((out, k) => {
        if (accumulate[0] !== true) out.fill(0, 0, n * inputSize);
        spreadWindows(pooling, n, dy[k]!, out, factor);
      });
    },
  };
}
