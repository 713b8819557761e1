import { type Layer, type Shape, sizeOf } from "../../network/architecture/index.ts";
import { networkGraph, type Operation, type Series } from "../../network/deep/index.ts";

/** Added to variances by the normalizations of this program. */
export const BATCH_EPSILON = 1e-5;
export const LAYER_EPSILON = 1e-12;

/** The operation of a layer on inputs of a shape. */
export function operationOf(layer: Layer, input: Shape): Operation {
  return networkGraph([layer], input).nodes[0]!.operation;
}

/** The sum of two values of `size` numbers. */
export function addOperation(size: number): Operation {
  return networkGraph([{ kind: "residual", main: [], shortcut: [] }], [size]).nodes.at(-1)!.operation;
}

/** Arrays one after another. */
export function joined(...arrays: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}

/** What a batch normalization has that is gain x + shift. */
export function plainStatistics(gain: Float64Array, shift: Float64Array): Statistics {
  return { gain, shift, mean: gain.map(() => 0), variance: gain.map(() => 1), epsilon: 0 };
}

/** What a batch normalization has for each of its features. */
export interface Statistics {
  readonly gain: Float64Array;
  readonly shift: Float64Array;
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  readonly epsilon: number;
}

/** The same as parameters and state of the operation, whose epsilon is its own. */
export function normalizationNumbers({ gain, shift, mean, variance, epsilon }: Statistics) {
  const moved = variance.map((value) => value + (epsilon - BATCH_EPSILON));
  return { theta: joined(gain, shift), state: joined(Float64Array.of(1), mean, moved) };
}

/**
 * gain x + shift with numbers that are not trained: a standardization inside of a graph. Both have an entry for each of the
 * `size` numbers of a sample, or one for all.
 */
export function fixedOperation(size: number, gain: Float64Array, shift: Float64Array): Operation {
  const inner = operationOf({ kind: "batch-norm" }, gain.length === 1 ? [size, 1, 1] : [size]);
  const { theta, state } = normalizationNumbers(plainStatistics(gain, shift));
  const forward: Operation["forward"] = (frame, _, x, y) => {
    const own = { ...frame, training: false, state: state as unknown as typeof frame.state };
    inner.forward(own, [theta as unknown as typeof frame.state], x, y);
  };
  const backward: Operation["backward"] = (frame, _, pass) => {
    const own = { ...frame, training: false, state: state as unknown as typeof frame.state };
    inner.backward(own, [theta as unknown as typeof frame.state], { ...pass, gradient: null });
  };
  return { ...inner, name: "scale", rows: 0, parameters: [], state: 0, forward, backward };
}

/** Rows above, columns left, rows below, columns right. */
export type Pads = readonly [number, number, number, number];

/** Images with a margin of one number around them: zeros of a convolution, -Infinity of a maximum. */
export function padOperation(input: Shape, [top, left, bottom, right]: Pads, fill: number): Operation {
  const [height, width, channels] = input as readonly [number, number, number];
  const [rows, cols] = [height + top + bottom, width + left + right];
  const [inputSize, size] = [sizeOf(input), rows * cols * channels];
  const line = width * channels;
  const places = Int32Array.from({ length: height }, (_, row) => ((top + row) * cols + left) * channels);
  /** Calls `copy` for each row of each of n images, with its places before and behind. */
  const eachLine = (n: number, copy: (from: number, to: number) => void): void => {
    for (let sample = 0; sample < n; sample++) {
      places.forEach((place, row) => {
        copy(sample * inputSize + row * line, sample * size + place);
      });
    }
  };
  const forward: Operation["forward"] = ({ n }, _, [x], y) => {
    y.forEach((out, k) => {
      const plane = x![k]!;
      out.fill(k === 0 ? fill : 0, 0, n * size);
      eachLine(n, (from, to) => out.set(plane.subarray(from, from + line), to));
    });
  };
  const backward: Operation["backward"] = ({ n }, _, { dy, dx, accumulate }) => {
    (dx[0] as Series<Float64Array> | null)?.forEach((into, k) => {
      eachLine(n, (to, from) => {
        for (let i = 0; i < line; i++) into[to + i] = (accumulate[0] ? into[to + i] : 0) + dy[k]![from + i];
      });
    });
  };
  const none = { rows: 0, parameters: [], saved: () => 0, state: 0, scratch: () => 0 };
  return { name: "pad", inputs: [inputSize], size, ...none, forward, backward };
}
