import type { GlobalPoolLayer, PoolLayer, Shape } from "../architecture/index.ts";
import type { Operation } from "./operation.ts";
import { patchGeometry } from "./patches.ts";

/**
 * The largest, the sum, or the average of each channel over windows. An average divides by the whole window, zero padding
 * included; a maximum sees no padding, and its derivative belongs to the first of equal entries.
 */
export function poolOperation(layer: PoolLayer, input: Shape, output: Shape): Operation {
  const geometry = patchGeometry(layer, input, output);
  const { channels, inputPixels, outputPixels, taps, sources } = geometry;
  const [inputSize, size] = [inputPixels * channels, outputPixels * channels];
  const isMax = layer.how === "max";
  const factor = layer.how === "average" ? 1 / taps : 1;

  return {
    name: `${layer.how}-pool`,
    inputs: [inputSize],
    size,
    rows: 0,
    parameters: [],
    // Where the largest entries are, as numbers of input entries of a sample.
    saved: isMax ? size : 0,
    state: 0,
    scratch: () => 0,

    forward({ n, saved }, _, [x], y) {
      for (let sample = 0; sample < n; sample++) {
        const [from, to] = [sample * inputSize, sample * size];
        for (let pixel = 0; pixel < outputPixels; pixel++) {
          for (let c = 0; c < channels; c++) {
            const at = to + pixel * channels + c;
            if (isMax) {
              let largest = -1;
              for (let t = 0; t < taps; t++) {
                const source = sources[pixel * taps + t]!;
                if (source < 0) continue;
                const entry = source * channels + c;
                const value = x![0]![from + entry];
                // NaN wins, and stays.
                if (largest < 0 || value > x![0]![from + largest] || Number.isNaN(value)) largest = entry;
              }
              saved[at] = largest;
              y.forEach((out, k) => {
                out[at] = x![k]![from + largest];
              });
            } else {
              y.forEach((out, k) => {
                const plane = x![k]!;
                let sum = 0;
                for (let t = 0; t < taps; t++) {
                  const source = sources[pixel * taps + t]!;
                  if (source >= 0) sum += plane[from + source * channels + c];
                }
                out[at] = factor * sum;
              });
            }
          }
        }
      }
    },

    backward({ n, saved }, _, { dy, dx, accumulate }) {
      dx[0]?.forEach((out, k) => {
        const cotangent = dy[k]!;
        if (accumulate[0] !== true) out.fill(0, 0, n * inputSize);
        for (let sample = 0; sample < n; sample++) {
          const [into, from] = [sample * inputSize, sample * size];
          for (let pixel = 0; pixel < outputPixels; pixel++) {
            for (let c = 0; c < channels; c++) {
              const at = from + pixel * channels + c;
              if (isMax) {
                out[into + saved[at]] += cotangent[at];
                continue;
              }
              for (let t = 0; t < taps; t++) {
                const source = sources[pixel * taps + t]!;
                if (source >= 0) out[into + source * channels + c] += factor * cotangent[at];
              }
            }
          }
        }
      });
    },
  };
}

/** The sum or the average of each channel over all pixels. */
export function globalPoolOperation(layer: GlobalPoolLayer, input: Shape): Operation {
  const channels = input[input.length - 1]!;
  const inputSize = input.reduce((product: number, length) => product * length, 1);
  const factor = layer.how === "average" ? channels / inputSize : 1;
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
        const plane = x![k]!;
        for (let sample = 0; sample < n; sample++) {
          for (let at = 0; at < inputSize; at++)
            out[sample * channels + (at % channels)] += plane[sample * inputSize + at];
        }
        for (let at = 0; at < n * channels; at++) out[at] *= factor;
      });
    },

    backward({ n }, _, { dy, dx, accumulate }) {
      dx[0]?.forEach((out, k) => {
        for (let sample = 0; sample < n; sample++) {
          for (let at = 0; at < inputSize; at++) {
            const value = factor * dy[k]![sample * channels + (at % channels)];
            const place = sample * inputSize + at;
            out[place] = accumulate[0] === true ? out[place] + value : value;
          }
        }
      });
    },
  };
}
