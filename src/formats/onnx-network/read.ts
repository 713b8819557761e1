import { DataError } from "../../base/errors.ts";
import type { Shape } from "../../network/architecture/index.ts";
import type { NetworkGraph } from "../../network/deep/index.ts";
import type { Graph, Node, ValueInfo } from "../onnx-schema.ts";
import { constantOf, decodeModel, type ReadExternal } from "../onnx-tensors.ts";
import { conv, gemm, matMul } from "./affine.ts";
import { Builder } from "./builder.ts";
import { foldConstants } from "./constants.ts";
import {
  ACTIVATION_NAMES,
  activation,
  add,
  clip,
  divide,
  gelu,
  greater,
  leakyRelu,
  multiply,
  negative,
  power,
  sigmoid,
  squareRoot,
  subtract,
  where,
} from "./elementwise.ts";
import { batchNormalization, layerNormalization } from "./normalization.ts";
import { globalPool, pool, reduceMean } from "./pooling.ts";
import { flatten, pad, pass, reshape, shapeOperator, squeeze, transpose, unsqueeze } from "./shaping.ts";
import { MOST_NUMBERS, printable, type Reading, Step } from "./step.ts";
import { channelsLast, countOf, type Value } from "./values.ts";

/** A network that another program has trained, as operations of this one. */
export interface OnnxNetwork {
  readonly graph: NetworkGraph;
  /** Parameters as they stand in the file, kernels and matrices with channels last. */
  readonly theta: Float64Array;
  /** Running statistics of batch normalizations. */
  readonly state: Float64Array;
  /** Its layers in order, in words. */
  readonly text: string;
  /** A sample as the file takes it. */
  readonly shape: readonly number[];
  /** Where entry k (row-major) of it lies in the samples of the graph, whose channels are last; null: at k. */
  readonly order: Int32Array | null;
  /** Places of nodes of the graph that no operator of the file stands for by itself. */
  readonly helpers: ReadonlySet<string>;
  /** What makes probabilities of the outputs, and was cut off because losses contain it; null where nothing was. */
  readonly link: "softmax" | "sigmoid" | null;
  /** What the file says it was written by. */
  readonly producer: string;
  readonly notes: readonly string[];
}

const OPERATORS: Readonly<Record<string, (step: Step) => Value>> = {
  ...Object.fromEntries(Object.keys(ACTIVATION_NAMES).map((name) => [name, activation])),
  Add: add,
  AveragePool: pool,
  BatchNormalization: batchNormalization,
  Cast: pass,
  Clip: clip,
  Conv: conv,
  Div: divide,
  Dropout: pass,
  Flatten: flatten,
  Gelu: gelu,
  Gemm: gemm,
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  Greater: greater,
  Identity: pass,
  LayerNormalization: layerNormalization,
  LeakyRelu: leakyRelu,
  MatMul: matMul,
  MaxPool: pool,
  Mul: multiply,
  Neg: negative,
  Pad: pad,
  Pow: power,
  ReduceMean: reduceMean,
  Reshape: reshape,
  Shape: shapeOperator,
  Sigmoid: sigmoid,
  Sqrt: squareRoot,
  Squeeze: squeeze,
  Sub: subtract,
  Transpose: transpose,
  Unsqueeze: unsqueeze,
  Where: where,
};

/** What may stand between the link and the output. */
const TAIL = ["Identity", "Cast", "Reshape", "Squeeze", "Flatten"];
const LINKS: Readonly<Record<string, OnnxNetwork["link"]>> = {
  Softmax: "softmax",
  LogSoftmax: "softmax",
  Sigmoid: "sigmoid",
};

/**
 * Reads a network that any program has exported: affine layers, convolutions, pooling, normalizations, activations and
 * sums, in any graph that acts on each sample by itself. Parameters are those of the file: nothing is multiplied out. A
 * Softmax or Sigmoid at the end is cut off, and named.
 *
 * @param file its name, for messages.
 * @param sample the shape of the samples, for axes that the file leaves open.
 * @param external reads files that tensors are kept in, by their path in the folder of the model.
 * @throws DataError `model-damaged` when the bytes are not a sound ONNX file, `onnx-unsupported` naming the operator that cannot
 * be read.
 */
export function readOnnxNetwork(
  bytes: Uint8Array,
  file: string,
  sample: Shape | null = null,
  external?: ReadExternal,
): OnnxNetwork {
  const refuse = (why: string): DataError =>
    new DataError(`the network in ${file} cannot be read: ${why}`, {
      code: "onnx-unsupported",
      hint: `the operators that can be are ${Object.keys(OPERATORS).sort().join(", ")}, and a Softmax or LogSoftmax at the end`,
      place: { file },
    });
  const { graph, producerName } = decodeModel(bytes, file, refuse);
  const makers = makersOf(graph, refuse);
  const { name: output, link } = cutLink(outputOf(graph, makers, refuse), makers);
  const nodes = neededNodes(graph, output, makers);
  const uses = new Map<string, number>([[output, 1]]);
  for (const { input } of nodes) for (const name of input) uses.set(name, (uses.get(name) ?? 0) + 1);

  const values = new Map<string, Value>();
  for (const tensor of graph.initializer) {
    if (!uses.has(tensor.name)) continue;
    const constant = constantOf(tensor, file, external);
    if (constant === null)
      throw refuse(`tensor "${printable(tensor.name)}" has type ${tensor.dataType}, which is no float32`);
    values.set(tensor.name, { kind: "constant", ...constant });
  }
  const inputs = graph.input.filter(({ name }) => uses.has(name) && !values.has(name));
  const [input] = inputs;
  if (input === undefined || inputs.length !== 1) throw refuse(`its output depends on ${inputs.length} inputs`);
  const sizes = sizesOf(input).slice(1);
  const isFirst = isChannelsFirst(input.name, sizes, nodes, sample);
  const shape = inputShape(sizes, isFirst, sample);
  if (shape.length === 0 || shape.length > 3 || shape.some((length) => length < 1) || countOf(shape) > MOST_NUMBERS) {
    const shown = sizesOf(input).map((length) => (length > 0 ? length : "?"));
    throw refuse(`its input "${printable(input.name)}" has shape [${shown.slice(0, 8)}]: samples have 1 to 3 axes`);
  }
  const order = isFirst ? channelsLast(shape) : null;
  const builder = new Builder(storedShape(shape, isFirst));
  values.set(input.name, { kind: "flow", value: 0, shape, order });
  const notes: string[] = [];
  const helpers = new Set<string>();
  const reading: Reading = { file, builder, values, uses, external, helpers, refuse, notes };
  for (const node of nodes) {
    const value = apply(new Step(reading, node));
    values.set(node.output[0] ?? "", value);
  }
  const last = values.get(output);
  if (last?.kind !== "flow") throw refuse(`its output "${printable(output)}" does not depend on its input`);
  if (last.order !== null) throw refuse(`its output has shape [${last.shape}]: it must be one vector`);
  if (last.value === 0) throw refuse("it has no layers");
  return { ...builder.finish(last.value), shape, order, helpers, link, producer: printable(producerName), notes };
}

function apply(step: Step): Value {
  const { opType, domain, input } = step.node;
  const isStandard = domain === "" || domain === "ai.onnx";
  const isConstant = isStandard && input.every((_, k) => [undefined, "constant"].includes(step.operand(k)?.kind));
  if (isConstant) return { kind: "constant", ...foldConstants(step) };
  const operator = isStandard && Object.hasOwn(OPERATORS, opType) ? OPERATORS[opType] : undefined;
  if (operator === undefined) {
    throw step.refuse(isStandard ? "is none that can be read" : `is of domain "${printable(domain)}"`);
  }
  return operator(step);
}

type Makers = ReadonlyMap<string, Node>;

/** The node that makes each value. */
function makersOf({ node, initializer, input }: Graph, refuse: (why: string) => DataError): Makers {
  const given = new Set([...initializer, ...input].map(({ name }) => name));
  const makers = new Map<string, Node>();
  for (const one of node) {
    for (const name of one.output) {
      // Outputs that are left out have no name.
      if (name === "") continue;
      if (makers.has(name) || given.has(name)) throw refuse(`"${printable(name)}" is made twice`);
      makers.set(name, one);
    }
  }
  return makers;
}

/** The output of the network: that made of floats, where others name a class. */
function outputOf({ output }: Graph, makers: Makers, refuse: (why: string) => DataError): string {
  const candidates = output.flatMap(({ name, type }) => {
    const maker = makers.get(name);
    // A list of probabilities with their classes is made of an array of them.
    if (maker?.opType === "ZipMap") return maker.input.slice(0, 1);
    const kind = type?.tensorType?.elemType ?? 1;
    return [1, 10, 11, 16].includes(kind) ? [name] : [];
  });
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) return only;
  const names = candidates.map((name) => `"${printable(name)}"`).slice(0, 8);
  throw refuse(
    `it has ${candidates.length} outputs of floats${names.length > 0 ? ` (${names.join(", ")})` : ""}, not one`,
  );
}

/** What the link at the end of a network acts on, where there is one. */
function cutLink(output: string, makers: Makers): { readonly name: string; readonly link: OnnxNetwork["link"] } {
  const makerBehind = (name: string): Node | undefined => {
    let maker = makers.get(name);
    for (let k = 0; maker !== undefined && TAIL.includes(maker.opType) && k < makers.size; k++) {
      maker = makers.get(maker.input[0] ?? "");
    }
    return maker;
  };
  let maker = makerBehind(output);
  // Probabilities of both of two classes: (1 - p, p).
  if (maker?.opType === "Concat" && maker.input.length === 2) {
    const [other, own] = maker.input.map((name) => makers.get(name));
    if (other?.opType === "Sub" && own?.opType === "Sigmoid" && other.input[1] === maker.input[1]) maker = own;
  }
  const link = Object.hasOwn(LINKS, maker?.opType ?? "") ? LINKS[maker!.opType]! : null;
  return link === null ? { name: output, link } : { name: maker!.input[0] ?? "", link };
}

/** The nodes that an output is made by, in the order of the file. */
function neededNodes({ node }: Graph, output: string, makers: Makers): readonly Node[] {
  const needed = new Set<Node>();
  const left = [output];
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    const maker = makers.get(name);
    if (maker === undefined || needed.has(maker)) continue;
    needed.add(maker);
    left.push(...maker.input);
  }
  return node.filter((one) => needed.has(one));
}

const LOOKS = ["Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "BatchNormalization"];
const TURNS = ["Transpose", "MatMul", "Gemm", "Flatten", "Reshape"];

/**
 * Whether the input has channels first. It has them last where a Transpose brings them to the front, where the last axis is
 * multiplied, and where it is made a vector at once and cannot have them first.
 *
 * @param name of the input.
 * @param sizes of its axes, 0 for those that are left open.
 */
function isChannelsFirst(
  name: string,
  sizes: readonly number[],
  nodes: readonly Node[],
  sample: Shape | null,
): boolean {
  if (sizes.length < 2) return false;
  // Constants are turned too: only what is made of the input says how it lies.
  const made = new Set([name]);
  const first = nodes.find(({ opType, input, output }) => {
    if (opType === "Shape" || !made.has(input[0] ?? "")) return false;
    for (const one of output) made.add(one);
    return LOOKS.includes(opType) || TURNS.includes(opType);
  });
  if (first === undefined || LOOKS.includes(first.opType)) return true;
  if (first.opType === "Transpose") return Number(first.attribute[0]?.ints.at(-1) ?? 1) === 1;
  if (first.opType === "MatMul" || sample?.length !== 3 || sizes.length !== 3) return false;
  const [height, width, channels] = sample;
  return [channels, height, width].every((length, k) => sizes[k] === 0 || sizes[k] === length);
}

/** The axes of a sample, those that the file leaves open as the samples have them. */
function inputShape(sizes: readonly number[], isFirst: boolean, sample: Shape | null): readonly number[] {
  const [height = 1, width = 1, channels = 1] = sample ?? [];
  const known =
    sample === null
      ? []
      : sizes.length === 1
        ? [countOf(sample)]
        : sizes.length === 2
          ? [height, width]
          : isFirst
            ? [channels, height, width]
            : [height, width, channels];
  return sizes.map((length, k) => (length > 0 ? length : (known[k] ?? 0)));
}

/** Sizes of all axes of an input, samples first; 0: left open. */
function sizesOf({ type }: ValueInfo): readonly number[] {
  return type?.tensorType?.shape?.dim.map(({ dimValue }) => Math.max(0, Number(dimValue))) ?? [];
}

function storedShape(shape: readonly number[], isFirst: boolean): Shape {
  const [a = 1, b = 1, c = 1] = shape;
  if (shape.length === 1) return [a];
  if (shape.length === 2) return isFirst ? [1, b, a] : [a, b, 1];
  return isFirst ? [b, c, a] : [a, b, c];
}
