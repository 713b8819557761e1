import { padded, slidingOf } from "./affine.ts";
import { MOST_NUMBERS, type Step } from "./step.ts";
import { channelsLast, countOf, type Flow, imageFlow, imageOf, type Statistic, transposed } from "./values.ts";

function needImage(step: Step, x: Flow): readonly [number, number, number] {
  const image = imageOf(x);
  if (image === null) throw step.refuse(`needs an image with channels first, not shape [${x.shape}]`);
  return image;
}

/** MaxPool and AveragePool. */
export function pool(step: Step): Flow {
  const isMax = step.node.opType === "MaxPool";
  const x = step.flow(0);
  const image = needImage(step, x);
  const [height, width, channels] = image;
  const window = step.ints("kernel_shape") ?? [];
  if (window.length !== x.shape.length - 1) throw step.refuse(`has kernel_shape [${window.slice(0, 8)}]`);
  const sliding = slidingOf(step, image, window);
  const { pads, output, strides } = sliding;
  if (countOf([...output, ...sliding.window]) > MOST_NUMBERS) throw step.refuse("has too many windows of that size");
  const hasMargin = pads.some((pad) => pad > 0);
  if (!isMax && hasMargin && step.int("ceil_mode", 0) !== 0)
    throw step.refuse("rounds up: averages are read without it");
  // Averages over fewer pixels at the edge are sums that are divided afterwards.
  const isCounted = !isMax && hasMargin && step.int("count_include_pad", 0) === 0;
  const { value, input, padding } = padded(step, x.value, image, sliding, isMax ? Number.NEGATIVE_INFINITY : 0);
  const how = isMax ? "max" : isCounted ? "sum" : "average";
  const layer = { kind: "pool", how, window: sliding.window, strides, padding } as const;
  const place = isCounted ? step.helper("sum") : step.place;
  const pooled = step.builder.add(place, { kind: "layer", layer, input }, value);
  const made = isCounted ? step.builder.scale(step.place, pooled, counts(), Float64Array.of(0)) : pooled;
  return imageFlow(made, channels, x.shape.length === 2 ? [output[1]] : output);

  /** One over the pixels in each window, for each entry behind it. */
  function counts(): Float64Array {
    const along = (axis: 0 | 1, size: number): number[] =>
      Array.from({ length: output[axis] }, (_, k) => {
        const from = k * strides[axis] - pads[axis]!;
        return Math.min(size, from + sliding.window[axis]) - Math.max(0, from);
      });
    const [rows, cols] = [along(0, height), along(1, width)];
    return Float64Array.from({ length: output[0] * output[1] * channels }, (_, k) => {
      const pixel = Math.floor(k / channels);
      return 1 / (rows[Math.floor(pixel / output[1])]! * cols[pixel % output[1]]!);
    });
  }
}

/** GlobalAveragePool and GlobalMaxPool. */
export function globalPool(step: Step): Flow {
  const x = step.flow(0);
  const image = needImage(step, x);
  const [height, width, channels] = image;
  const window = [height, width] as const;
  const layer =
    step.node.opType === "GlobalMaxPool"
      ? ({ kind: "pool", how: "max", window, strides: window, padding: "valid" } as const)
      : ({ kind: "global-pool", how: "average" } as const);
  const value = step.builder.add(step.place, { kind: "layer", layer, input: image }, x.value);
  return imageFlow(
    value,
    channels,
    x.shape.slice(1).map(() => 1),
  );
}

/** ReduceMean over all pixels, or the mean of a layer normalization that is written out. */
export function reduceMean(step: Step): Flow | Statistic {
  const operand = step.operand(0);
  const x = operand?.kind === "statistic" ? operand.of : step.flow(0);
  const given = step.integers("axes", 1) ?? [];
  if (given.length === 0) throw step.refuse("is over all axes, samples among them");
  const axes = given.map((axis) => step.axis(axis, x.shape)).sort((a, b) => a - b);
  const kept = x.shape.map((_, k) => k).filter((k) => !axes.includes(k));
  const isKept = step.int("keepdims", 1) !== 0;
  if (kept.length === 1 && x.shape.length > 1 && operand?.kind === "flow") {
    const first = transposed(x, [...kept, ...axes]);
    const image = imageOf(first);
    if (image !== null) {
      const layer = { kind: "global-pool", how: "average" } as const;
      const value = step.builder.add(step.place, { kind: "layer", layer, input: image }, x.value);
      const shape = isKept ? x.shape.map((length, k) => (axes.includes(k) ? 1 : length)) : [image[2]];
      return { kind: "flow", value, shape, order: null };
    }
  }
  const over = normalizedOver(x, axes);
  if (over === null || !isKept) throw step.refuse(`is over axes [${given}] of shape [${x.shape}]`);
  if (operand?.kind === "statistic") {
    if (operand.what !== "square" || operand.over !== over) throw step.refuse("is no variance of what was centred");
    return { ...operand, what: "variance" };
  }
  return { kind: "statistic", what: "mean", of: x, over, epsilon: 0 };
}

/** What a normalization over these axes is over: the channels of each pixel, or all; null for anything else. */
export function normalizedOver({ shape, order }: Flow, axes: readonly number[]): "channels" | "all" | null {
  if (axes.length === shape.length && countOf(shape) > 0) return shape.length === 1 ? "channels" : "all";
  if (axes.length !== 1) return null;
  const axis = axes[0]!;
  if (axis === shape.length - 1 && order === null) return "channels";
  if (axis !== 0 || shape.length === 1) return null;
  const places = channelsLast(shape);
  const isLast = places === null ? order === null : order?.every((place, k) => place === places[k]) === true;
  return isLast ? "channels" : null;
}
