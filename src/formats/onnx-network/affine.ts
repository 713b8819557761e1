import type { Pair, Shape } from "../../network/architecture/index.ts";
import type { Constant } from "../onnx-tensors.ts";
import type { Pads } from "./operations.ts";
import type { Step } from "./step.ts";
import { countOf, type Flow, imageFlow, imageOf } from "./values.ts";

/** Spreads are filled in when the network is made; the numbers are those of the file. */
const PLAIN = { wStd: 1, bStd: 0, parametrization: "standard" } as const;

/** Gemm: alpha x B + beta c. */
export function gemm(step: Step): Flow {
  const x = step.flow(0);
  if (step.int("transA", 0) !== 0) throw step.refuse("transposes what it multiplies: the samples must be its rows");
  const [alpha, beta] = [step.float("alpha", 1), step.float("beta", 1)];
  const offset = step.optional(2);
  if (alpha !== 1) step.reading.notes.push(`alpha of Gemm "${step.place}" is taken into its weights`);
  const product = dense(step, x, step.constant(1), step.int("transB", 0) !== 0, alpha);
  if (offset === null) return product;
  const width = product.shape[0]!;
  const isRow = offset.shape.slice(0, -1).every((length) => length === 1);
  if (!isRow || ![1, width].includes(offset.data.length)) {
    throw step.refuse(`adds a constant of shape [${offset.shape}] to ${width} numbers`);
  }
  const bias = Float64Array.from({ length: width }, (_, k) => beta * offset.data[offset.data.length === 1 ? 0 : k]);
  addBias(step, product, bias);
  return product;
}

/** MatMul of what depends on the input with a matrix behind it. */
export function matMul(step: Step): Flow {
  return dense(step, step.flow(0), step.constant(1), false, 1);
}

/** The biases of the affine layer that made a value; false when it has some already. */
export function addBias(step: Step, { value }: Flow, bias: Float64Array): boolean {
  const maker = step.builder.maker(value)?.step;
  if (maker?.kind !== "affine" || maker.bias !== null || bias.length !== maker.layer.width) return false;
  maker.bias = bias;
  return true;
}

function dense(step: Step, x: Flow, { shape, data }: Constant, isTransposed: boolean, factor: number): Flow {
  const fanIn = x.shape.at(-1) ?? 1;
  const [rows, cols] = shape;
  const [k, width] = isTransposed ? [cols, rows] : [rows, cols];
  if (shape.length !== 2 || k !== fanIn || width === undefined || width === 0) {
    throw step.refuse(`multiplies ${fanIn} numbers by a matrix of shape [${shape.slice(0, 8)}]`);
  }
  if (x.shape.length > 3 || (x.shape.length > 1 && x.order !== null)) {
    throw step.refuse("multiplies the last axis of an array whose channels are not that axis");
  }
  const weights = new Float64Array(width * fanIn);
  for (let p = 0; p < fanIn; p++) {
    const place = x.order === null ? p : x.order[p];
    for (let q = 0; q < width; q++)
      weights[q * fanIn + place] = factor * data[isTransposed ? q * fanIn + p : p * width + q];
  }
  const [height = 1, across = 1] = x.shape.slice(0, -1);
  const input: Shape = x.shape.length === 1 ? [fanIn] : [height, across, fanIn];
  const layer = { kind: "dense", width, ...PLAIN } as const;
  const value = step.builder.add(step.place, { kind: "affine", layer, input, weights, bias: null }, x.value);
  return { kind: "flow", value, shape: [...x.shape.slice(0, -1), width], order: null };
}

/** How windows slide over an image, as an operator has it. */
export interface Sliding {
  readonly window: Pair;
  readonly strides: Pair;
  readonly pads: Pads;
  /** Rows and columns behind it. */
  readonly output: Pair;
}

/** Rows and columns; along a single axis of pixels there is one row. */
function pairOf(step: Step, what: string, values: readonly number[], otherwise: number): Pair {
  const [a, b] = values.length === 1 ? [otherwise, values[0]] : values;
  const isSound = [a, b].every((value) => Number.isInteger(value) && value! > 0);
  if (values.length > 2 || !isSound) throw step.refuse(`has ${what} [${values.slice(0, 8)}]`);
  return [a!, b!];
}

/** @param window of the kernel, or of the operator's own. */
export function slidingOf(step: Step, image: Shape, window: readonly number[]): Sliding {
  const [height, width] = image as readonly [number, number, number];
  const kernel = pairOf(step, "kernel_shape", window, 1);
  const strides = pairOf(step, "strides", step.ints("strides") ?? window.map(() => 1), 1);
  if (step.ints("dilations")?.some((dilation) => dilation !== 1))
    throw step.refuse("has dilations: only 1 can be read");
  const sizes: Pair = [height, width];
  const automatic = step.text("auto_pad", "NOTSET");
  const given = step.ints("pads") ?? window.flatMap(() => [0, 0]);
  if (given.some((pad) => !Number.isInteger(pad) || pad < 0) || given.length !== 2 * window.length) {
    throw step.refuse(`has pads [${given.slice(0, 8)}]`);
  }
  const both = window.length === 1 ? [0, given[0]!, 0, given[1]!] : given;
  const isCeil = step.int("ceil_mode", 0) !== 0;
  const [rows, cols] = ([0, 1] as const).map((axis) => {
    const [size, length, stride] = [sizes[axis], kernel[axis], strides[axis]];
    if (automatic.startsWith("SAME")) {
      const out = Math.ceil(size / stride);
      const total = Math.max(0, (out - 1) * stride + length - size);
      const before = automatic === "SAME_LOWER" ? Math.ceil(total / 2) : Math.floor(total / 2);
      return { out, before, after: total - before };
    }
    const [before, after] = automatic === "VALID" ? [0, 0] : [both[axis]!, both[axis + 2]!];
    const room = (size + before + after - length) / stride;
    let out = (isCeil ? Math.ceil(room) : Math.floor(room)) + 1;
    // A window must begin in the image or in the margin before it.
    if (isCeil && (out - 1) * stride >= size + before) out -= 1;
    if (room < 0 || out < 1) throw step.refuse(`has a window larger than its image of ${height} x ${width}`);
    return { out, before, after: Math.max(0, (out - 1) * stride + length - size - before) };
  }) as [{ out: number; before: number; after: number }, { out: number; before: number; after: number }];
  return {
    window: kernel,
    strides,
    pads: [rows.before, cols.before, rows.after, cols.after],
    output: [rows.out, cols.out],
  };
}

/**
 * The image with a margin, where that is neither none nor that of padding `same`, and the padding that is left for the layer.
 */
export function padded(
  step: Step,
  value: number,
  image: readonly [number, number, number],
  { window, strides, pads, output }: Sliding,
  fill: number,
): { readonly value: number; readonly input: Shape; readonly padding: "same" | "valid" } {
  if (pads.every((pad) => pad === 0)) return { value, input: image, padding: "valid" };
  const isSame = ([0, 1] as const).every((axis) => {
    const total = Math.max(0, (output[axis] - 1) * strides[axis] + window[axis] - image[axis]);
    return output[axis] === Math.ceil(image[axis] / strides[axis]) && pads[axis] === Math.floor(total / 2);
  });
  if (isSame) return { value, input: image, padding: "same" };
  const [top, left, bottom, right] = pads;
  const input: Shape = [image[0] + top + bottom, image[1] + left + right, image[2]];
  step.checked(input);
  const margin = step.builder.add(step.helper("pad"), { kind: "pad", input: image, pads, fill }, value);
  return { value: margin, input, padding: "valid" };
}

/** Conv on one or two axes of pixels. */
export function conv(step: Step): Flow {
  const x = step.flow(0);
  const kernel = step.constant(1);
  const bias = step.optional(2);
  const image = imageOf(x);
  if (image === null) throw step.refuse(`needs an image with channels first, not shape [${x.shape}]`);
  if (step.int("group", 1) !== 1) throw step.refuse("has groups: only 1 can be read");
  const [width = 0, channels, ...window] = kernel.shape;
  if (channels !== image[2] || window.length !== x.shape.length - 1 || width === 0) {
    throw step.refuse(`has a kernel of shape [${kernel.shape.slice(0, 8)}] for an image of shape [${x.shape}]`);
  }
  if (bias !== null && bias.data.length !== width)
    throw step.refuse(`has ${bias.data.length} biases for ${width} filters`);
  const sliding = slidingOf(step, image, window);
  const { value, input, padding } = padded(step, x.value, image, sliding, 0);
  const taps = countOf(window);
  const fanIn = taps * channels;
  // Ours are taps with channels last, theirs channels with taps last.
  const weights = Float64Array.from({ length: width * fanIn }, (_, at) => {
    const rest = at % fanIn;
    return kernel.data[at - rest + (rest % channels) * taps + Math.floor(rest / channels)];
  });
  const layer = { kind: "conv", width, filter: sliding.window, strides: sliding.strides, padding, ...PLAIN } as const;
  const made = step.builder.add(
    step.place,
    { kind: "affine", layer, input, weights, bias: bias === null ? null : bias.data.slice() },
    value,
  );
  return imageFlow(made, width, x.shape.length === 2 ? [sliding.output[1]] : sliding.output);
}
