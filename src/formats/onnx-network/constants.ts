import type { Constant } from "../onnx-tensors.ts";
import { MOST_NUMBERS, type Step } from "./step.ts";
import { countOf, spreadPlaces, transposedPlaces } from "./values.ts";

/** Where the shape of a value has the number of samples, which is not known: not a number. */
export const SAMPLES = Number.NaN;

const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Pow: (a, b) => a ** b,
};

const FUNCTIONS: Readonly<Record<string, (a: number) => number>> = {
  Neg: (a) => -a,
  Sqrt: Math.sqrt,
  Reciprocal: (a) => 1 / a,
  Exp: Math.exp,
  Abs: Math.abs,
  Floor: Math.floor,
  Ceil: Math.ceil,
};

/** The outcome of an operator on constants: shapes that a graph computes, weights that it transposes first. */
export function foldConstants(step: Step): Constant {
  const { opType } = step.node;
  const arithmetic = ARITHMETIC[opType];
  if (arithmetic !== undefined) return combine(step, step.constant(0), step.constant(1), arithmetic);
  const map = FUNCTIONS[opType];
  const first = opType === "Constant" ? step.ownConstant() : step.constant(0);
  if (map !== undefined) return { shape: first.shape, data: first.data.map(map) };
  switch (opType) {
    case "Constant":
    case "Identity":
      return first;
    case "Cast":
      // Integers of a shape may have been divided.
      return [6, 7].includes(step.int("to", 1)) ? { ...first, data: first.data.map(Math.trunc) } : first;
    case "Shape":
      return { shape: [first.shape.length], data: Float64Array.from(first.shape) };
    case "Reshape":
    case "Flatten":
    case "Squeeze":
    case "Unsqueeze":
      return { shape: shapeAfter(step, first), data: first.data };
    case "Transpose": {
      const { shape, data } = first;
      const axes = step.ints("perm") ?? shape.map((_, k) => shape.length - 1 - k);
      const isPermutation =
        axes.length === shape.length && [...axes].sort((a, b) => a - b).every((axis, k) => axis === k);
      if (!isPermutation) throw step.refuse(`permutes ${shape.length} axes by [${axes}]`);
      const places = transposedPlaces(shape, axes);
      return { shape: axes.map((axis) => shape[axis]!), data: Float64Array.from(places, (place) => data[place]) };
    }
    case "Concat": {
      const parts = step.node.input.map((_, k) => step.constant(k));
      if (parts.some(({ shape }) => shape.length !== 1)) break;
      const data = parts.flatMap((part) => [...part.data]);
      return { shape: [data.length], data: Float64Array.from(data) };
    }
    case "Gather": {
      const indices = step.constant(1);
      if (first.shape.length !== 1) break;
      const data = indices.data.map((index) => {
        const at = index < 0 ? index + first.data.length : index;
        if (!(at in first.data)) throw step.refuse(`takes entry ${index} of ${first.data.length}`);
        return first.data[at];
      });
      return { shape: indices.shape, data };
    }
    case "Slice":
      return sliced(step, first);
    case "ReduceProd":
      return { shape: [], data: Float64Array.of(first.data.reduce((product, value) => product * value, 1)) };
    case "ConstantOfShape": {
      const shape = step.checked([...first.data]);
      const value = step.node.attribute.length === 0 ? 0 : step.ownConstant().data[0]!;
      return { shape, data: new Float64Array(countOf(shape)).fill(value) };
    }
  }
  throw step.refuse("is not computed on constants by this program");
}

/** Rows of a constant: those of its first axis from a start to an end, forward or backward. */
function sliced(step: Step, { shape, data }: Constant): Constant {
  const [starts, ends] = [step.integers("starts", 1), step.integers("ends", 2)];
  const [axes, steps] = [step.integers("axes", 3) ?? [0], step.integers("steps", 4) ?? [1]];
  const [length = 0] = shape;
  const [by] = steps;
  const isRead = starts?.length === 1 && ends?.length === 1 && axes.length === 1 && (by === 1 || by === -1);
  if (!isRead || axes[0] !== 0) throw step.refuse("takes other parts of a constant than rows one after the other");
  const place = (at: number): number => (at < 0 ? at + length : at);
  const rows = Array.from({ length }, (_, k) => (by === 1 ? k : length - 1 - k));
  const [start, end] = [place(starts[0]!), place(ends[0]!)];
  const kept = rows.filter((row) => (by === 1 ? row >= start && row < end : row <= start && row > end));
  const size = data.length / Math.max(1, length);
  const parts = kept.flatMap((row) => [...data.subarray(row * size, (row + 1) * size)]);
  return { shape: [kept.length, ...shape.slice(1)], data: Float64Array.from(parts) };
}

function shapeAfter(step: Step, { shape, data }: Constant): readonly number[] {
  const { opType } = step.node;
  if (opType === "Flatten") {
    const axis = step.int("axis", 1);
    return [countOf(shape.slice(0, axis)), countOf(shape.slice(axis))];
  }
  if (opType === "Reshape") {
    const given = [...step.constant(1).data].map((length, k) => (length === 0 ? (shape[k] ?? 0) : length));
    const known = given.reduce((product, length) => (length === -1 ? product : product * length), 1);
    const wanted = given.map((length) => (length === -1 ? data.length / known : length));
    if (countOf(wanted) !== data.length) throw step.refuse(`makes [${given.slice(0, 8)}] of [${shape.slice(0, 8)}]`);
    return wanted;
  }
  const axes = step.integers("axes", 1);
  if (opType === "Squeeze") {
    const own = axes?.map((axis) => (axis < 0 ? axis + shape.length : axis));
    return shape.filter((length, k) => (own === undefined ? length !== 1 : !own.includes(k)));
  }
  const rank = shape.length + (axes?.length ?? 0);
  const own = (axes ?? []).map((axis) => (axis < 0 ? axis + rank : axis));
  const left = [...shape];
  return Array.from({ length: rank }, (_, k) => (own.includes(k) ? 1 : (left.shift() ?? 1)));
}

function combine(step: Step, a: Constant, b: Constant, how: (a: number, b: number) => number): Constant {
  const rank = Math.max(a.shape.length, b.shape.length);
  const axis = (shape: readonly number[], k: number): number => shape[k - rank + shape.length] ?? 1;
  const shape = Array.from({ length: rank }, (_, k) => Math.max(axis(a.shape, k), axis(b.shape, k)));
  if (countOf(shape) > MOST_NUMBERS) throw step.refuse(`would give shape [${shape.slice(0, 8)}]`);
  const [from, other] = [spreadPlaces(a.shape, shape), spreadPlaces(b.shape, shape)];
  if (from === null || other === null) throw step.refuse(`combines [${a.shape}] with [${b.shape}]`);
  return { shape, data: Float64Array.from(from, (place, k) => how(a.data[place], b.data[other[k]])) };
}
