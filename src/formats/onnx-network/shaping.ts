import { SAMPLES } from "./constants.ts";
import type { Step } from "./step.ts";
import { countOf, type Flow, imageFlow, imageOf, reshaped, transposed, type Value } from "./values.ts";

/** Identity, Dropout and casts between floats: what goes in. */
export function pass(step: Step): Value {
  if (step.node.opType === "Cast" && ![1, 10, 11, 16].includes(step.int("to", 1))) {
    throw step.refuse("makes integers of what depends on the input");
  }
  return step.operand(0) ?? step.flow(0);
}

/** The shape of a value, the number of samples first. */
export function shapeOperator(step: Step): Value {
  const shape = [SAMPLES, ...step.flow(0).shape];
  const part = shape.slice(step.int("start", 0), step.int("end", shape.length));
  return { kind: "constant", shape: [part.length], data: Float64Array.from(part) };
}

export function flatten(step: Step): Flow {
  const x = step.flow(0);
  const axis = step.int("axis", 1);
  const own = axis < 0 ? axis + x.shape.length + 1 : axis;
  if (own !== 1 && countOf(x.shape.slice(0, own - 1)) !== 1)
    throw step.refuse(`joins samples with their axes (axis ${axis})`);
  return reshaped(x, [countOf(x.shape)]);
}

export function reshape(step: Step): Flow {
  const x = step.flow(0);
  const given = [...step.constant(1).data];
  const size = countOf(x.shape);
  const keepsZero = step.int("allowzero", 0) !== 0;
  const [samples = 1, ...others] = given.map((length, k) =>
    length === 0 && !keepsZero && k > 0 ? (x.shape[k - 1] ?? 0) : length,
  );
  const known = others.reduce((product, length) => (length === -1 ? product : product * length), 1);
  const unknown = others.filter((length) => length === -1).length;
  const shape = others.map((length) => (length === -1 ? size / known : length));
  // The first axis has the samples: their number, 0 (as before), -1 (what is left), or that which it was exported with.
  const isSound = given.length > 0 && unknown <= (samples === -1 ? 0 : 1) && countOf(shape) === size;
  if (!isSound) throw step.refuse(`makes shape [${given.slice(0, 8)}] of samples of shape [${x.shape}]`);
  return reshaped(x, step.checked(shape));
}

export function squeeze(step: Step): Flow {
  const x = step.flow(0);
  const given = step.integers("axes", 1);
  const axes = given?.map((axis) => step.axis(axis, x.shape)) ?? [...x.shape.keys()].filter((k) => x.shape[k] === 1);
  if (axes.some((axis) => x.shape[axis] !== 1)) throw step.refuse(`leaves out axes [${given}] of shape [${x.shape}]`);
  return reshaped(
    x,
    x.shape.filter((_, k) => !axes.includes(k)),
  );
}

export function unsqueeze(step: Step): Flow {
  const x = step.flow(0);
  const given = step.integers("axes", 1) ?? [];
  const longer = Array.from({ length: x.shape.length + given.length }, () => 1);
  const axes = given.map((axis) => step.axis(axis, longer));
  const left = [...x.shape];
  return reshaped(
    x,
    longer.map((_, k) => (axes.includes(k) ? 1 : (left.shift() ?? 1))),
  );
}

export function transpose(step: Step): Flow {
  const x = step.flow(0);
  const axes = step.ints("perm") ?? [];
  const isPermutation = [...axes].sort((a, b) => a - b).every((axis, k) => axis === k);
  if (axes[0] !== 0 || axes.length !== x.shape.length + 1 || !isPermutation) {
    throw step.refuse(`permutes the axes of samples of shape [${x.shape}] by [${axes.slice(0, 8)}]`);
  }
  return transposed(
    x,
    axes.slice(1).map((axis) => axis - 1),
  );
}

/** Zeros around an image. */
export function pad(step: Step): Flow {
  const x = step.flow(0);
  const given = step.integers("pads", 1) ?? [];
  const fill = step.optional(2)?.data[0] ?? step.float("value", 0);
  if (step.text("mode", "constant") !== "constant" || fill !== 0 || step.optional(3) !== null) {
    throw step.refuse("pads with something else than zeros, or along chosen axes");
  }
  const rank = x.shape.length + 1;
  const isLast = x.shape.length === 3 && x.order === null;
  const [before, after] = [given.slice(0, rank), given.slice(rank)];
  const isPlain = given.length === 2 * rank && given.every((pad) => Number.isInteger(pad) && pad >= 0);
  // Axes of pixels: behind the channels, or before them where they are last.
  const own = isLast && imageOf(x) === null ? [1, 2] : [2, 3];
  const image = own[0] === 1 ? (x.shape as [number, number, number]) : imageOf(x);
  const others = [...before.keys()].filter((axis) => !own.includes(axis));
  if (image === null || rank !== 4 || !isPlain || others.some((axis) => before[axis] !== 0 || after[axis] !== 0)) {
    throw step.refuse(
      `pads samples of shape [${x.shape}] by [${given.slice(0, 8)}]: only rows and columns of images can be`,
    );
  }
  const [row, column] = own as [number, number];
  const pads = [before[row]!, before[column]!, after[row]!, after[column]!] as const;
  const [height, width, channels] = image;
  const size = [height + pads[0] + pads[2], width + pads[1] + pads[3]] as const;
  step.checked([...size, channels]);
  const value = step.builder.add(step.place, { kind: "pad", input: image, pads, fill: 0 }, x.value);
  if (own[0] === 1) return { kind: "flow", value, shape: [...size, channels], order: null };
  return imageFlow(value, channels, size);
}
