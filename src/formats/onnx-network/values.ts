import type { Constant } from "../onnx-tensors.ts";

/** A value of the network as the graph sees it: a sample of it, for the first axis of all are the samples. */
export interface Flow {
  readonly kind: "flow";
  /** Its number in the network. */
  readonly value: number;
  readonly shape: readonly number[];
  /** Where entry k (row-major) lies among the numbers of the value, which has channels last; null: at k. */
  readonly order: Int32Array | null;
}

/** A step of a layer normalization that is written out: it is no value of the network. */
export interface Statistic {
  readonly kind: "statistic";
  readonly what: "mean" | "centred" | "square" | "variance" | "deviation";
  readonly of: Flow;
  readonly over: "channels" | "all";
  readonly epsilon: number;
}

/** Whether the entries of a value are above a threshold: no value of the network either. */
export interface Above {
  readonly kind: "above";
  readonly of: Flow;
  readonly threshold: number;
}

export type Value = Flow | Statistic | Above | (Constant & { readonly kind: "constant" });

/** Number of entries. */
export function countOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** The same numbers under another shape. */
export function reshaped(flow: Flow, shape: readonly number[]): Flow {
  return { ...flow, shape };
}

/** The places of the entries of an array of these sizes, row-major, where a step along axis k moves by steps[k]. */
export function placesOf(sizes: readonly number[], steps: readonly number[]): Int32Array {
  const places = new Int32Array(countOf(sizes));
  const index = sizes.map(() => 0);
  let at = 0;
  for (let k = 0; k < places.length; k++) {
    places[k] = at;
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      index[axis]! += 1;
      at += steps[axis]!;
      if (index[axis]! < sizes[axis]!) break;
      at -= steps[axis]! * sizes[axis]!;
      index[axis] = 0;
    }
  }
  return places;
}

/** Where the entries of a transposed array, whose axis k is axis axes[k] of one of this shape, come from. */
export function transposedPlaces(shape: readonly number[], axes: readonly number[]): Int32Array {
  const sizes = axes.map((axis) => shape[axis]!);
  return placesOf(
    sizes,
    axes.map((axis) => countOf(shape.slice(axis + 1))),
  );
}

/** Where the entries of a shape that an array is spread over lie in the array; null when it does not fit. */
export function spreadPlaces(from: readonly number[], to: readonly number[]): Int32Array | null {
  const extra = to.length - from.length;
  if (extra < 0 || from.some((length, k) => length !== 1 && length !== to[k + extra])) return null;
  const steps = to.map((_, k) => (k < extra || from[k - extra] === 1 ? 0 : countOf(from.slice(k - extra + 1))));
  return placesOf(to, steps);
}

/** The same numbers, whose axis k was axis axes[k]. */
export function transposed({ value, shape, order }: Flow, axes: readonly number[]): Flow {
  const places = transposedPlaces(shape, axes);
  if (order !== null) for (let k = 0; k < places.length; k++) places[k] = order[places[k]];
  const isPlain = places.every((place, k) => place === k);
  return { kind: "flow", value, shape: axes.map((axis) => shape[axis]!), order: isPlain ? null : places };
}

/** Places of the entries of an array with channels first, of one whose channels are last; null when they are the same. */
export function channelsLast(shape: readonly number[]): Int32Array | null {
  const [channels = 1, ...others] = shape;
  const pixels = countOf(others);
  if (channels === 1 || pixels === 1) return null;
  return Int32Array.from({ length: channels * pixels }, (_, k) => (k % pixels) * channels + Math.floor(k / pixels));
}

export function sameOrder(a: Int32Array | null, b: Int32Array | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.every((place, k) => place === b[k]);
}

/** Rows, columns and channels of what has channels first, as it lies in the network; null when it lies otherwise. */
export function imageOf({ shape, order }: Flow): readonly [number, number, number] | null {
  const [channels = 1, ...pixels] = shape;
  if (pixels.length < 1 || pixels.length > 2 || !sameOrder(order, channelsLast(shape))) return null;
  const [height, width] = pixels.length === 1 ? [1, pixels[0]!] : [pixels[0]!, pixels[1]!];
  return [height, width, channels];
}

/** The value with channels first of these rows and columns (one axis of pixels where the value that it is made of has one). */
export function imageFlow(value: number, channels: number, pixels: readonly number[]): Flow {
  const shape = [channels, ...pixels];
  return { kind: "flow", value, shape, order: channelsLast(shape) };
}
