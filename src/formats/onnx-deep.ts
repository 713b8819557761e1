import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { DataError } from "../base/errors.ts";
import {
  type ActivationLayer,
  type Architecture,
  type Layer,
  type LayerNormLayer,
  layerText,
  type Padding,
  type Pair,
  type Shape,
  shapesOf,
} from "../network/architecture/index.ts";
import { type AffineOperation, type GraphNode, networkGraph } from "../network/deep/index.ts";
import type { DeepModel } from "./deep-model.ts";
import { encodeFloats, type FloatSize } from "./floats.ts";
import type { OnnxPrecision } from "./onnx.ts";
import { standardizationTensors } from "./onnx-graph.ts";
import { BATCH_EPSILON, LAYER_EPSILON } from "./onnx-network/operations.ts";
import {
  DOUBLE,
  FLOAT,
  FLOAT_ATTRIBUTE,
  INT_ATTRIBUTE,
  INTS_ATTRIBUTE,
  ModelSchema,
  type NodeSchema,
} from "./onnx-schema.ts";

const IR_VERSION = 8n;
const OPSET_VERSION = 17n;
/** Of the activation `sigmoid-like`. */
const SIGMOID_WIDTH = 2.4020563531719796;

type NodeInit = MessageInitShape<typeof NodeSchema>;
type AttributeInit = NonNullable<NodeInit["attribute"]>[number];

const ints = (name: string, values: readonly number[]): AttributeInit => ({
  name,
  type: INTS_ATTRIBUTE,
  ints: values.map(BigInt),
});

/** A graph in the making: values are names, images have their channels last. */
class Builder {
  readonly nodes: NodeInit[] = [];
  readonly constants = new Map<string, { readonly shape: readonly number[]; readonly data: Float64Array }>();
  #count = 0;

  constant(name: string, shape: readonly number[], data: ArrayLike<number>): string {
    this.constants.set(name, { shape, data: Float64Array.from(data) });
    return name;
  }

  number(value: number): string {
    return this.constant(`number_${value}`, [], [value]);
  }

  add(opType: string, input: readonly string[], attribute: AttributeInit[] = [], output?: string): string {
    const name = output ?? `value_${++this.#count}`;
    this.nodes.push({ opType, input: [...input], output: [name], attribute });
    return name;
  }

  /** What an operator that wants channels first makes of an image. */
  channelsFirst(value: string, make: (image: string) => string): string {
    const before = this.add("Transpose", [value], [ints("perm", [0, 3, 1, 2])]);
    return this.add("Transpose", [make(before)], [ints("perm", [0, 2, 3, 1])]);
  }
}

/**
 * A network of any architecture as an ONNX graph from raw inputs (`features` N x d of a table: encoded, missing values
 * filled; `input` otherwise, images N x height x width x channels) to `output` in the units of the target. Metadata are not
 * kept: safetensors has them.
 *
 * @throws DataError naming the layer that ONNX, or this program, has no operator for.
 */
export function writeDeepOnnx(
  model: DeepModel,
  { precision = "float32" }: { precision?: OnnxPrecision } = {},
): Uint8Array {
  const { architecture, input, form, parameters, state, inputs, target } = model;
  if (form.kind === "taylor") throw refuse("a Taylor polynomial of a network", "only networks have ONNX graphs");
  const size: FloatSize = precision === "float64" ? 8 : 4;
  const builder = new Builder();
  const name = inputs.kind === "table" ? "features" : "input";
  const standardized = standardize(builder, model, name, size);
  const graph = networkGraph(architecture, input);
  const states = parameters.map((_, k) => state.subarray(k * graph.state, (k + 1) * graph.state));
  const [first, second] = parameters.map((theta, k) => {
    const places = new Map(graph.nodes.map((node) => [node.place, node]));
    const part = { builder, places, theta, state: states[k]!, prefix: parameters.length > 1 ? `${k}.` : "" };
    return network(part, architecture, input, standardized, "");
  });
  const difference = second === undefined ? first! : builder.add("Sub", [first!, second]);
  let value = second === undefined ? difference : builder.add("Mul", [difference, builder.number(Math.SQRT1_2)]);
  if (target.scale !== null) {
    value = builder.add("Mul", [value, builder.number(target.scale.deviation)]);
    value = builder.add("Add", [value, builder.number(target.scale.mean)]);
  }
  builder.add("Identity", [value], [], "output");
  return encode(builder, name, input, graph.sizes[graph.outputValue]!, size);
}

function encode(builder: Builder, name: string, input: Shape, outputs: number, size: FloatSize): Uint8Array {
  const elemType = size === 8 ? DOUBLE : FLOAT;
  const value = (label: string, shape: readonly number[]) => ({
    name: label,
    type: {
      tensorType: {
        elemType,
        shape: { dim: [{ dimParam: "N" }, ...shape.map((length) => ({ dimValue: BigInt(length) }))] },
      },
    },
  });
  const proto = create(ModelSchema, {
    irVersion: IR_VERSION,
    opsetImport: [{ version: OPSET_VERSION }],
    producerName: "overparam",
    graph: {
      name: "network",
      node: builder.nodes,
      initializer: Array.from(builder.constants, ([label, { shape, data }]) => {
        const rounded = size === 4 ? data.findIndex((one) => !Number.isFinite(Math.fround(one))) : -1;
        if (rounded >= 0)
          throw refuse(`the number ${data[rounded]} in "${label}", outside the range of float32`, "use --float64");
        return { name: label, dataType: elemType, dims: shape.map(BigInt), rawData: encodeFloats(data, size) };
      }),
      input: [value(name, input)],
      output: [value("output", [outputs])],
    },
  });
  return toBinary(ModelSchema, proto);
}

/** The inputs as the network takes them. */
function standardize(builder: Builder, { inputs, input }: DeepModel, name: string, size: FloatSize): string {
  if (inputs.kind === "arrays") return name;
  if (inputs.kind === "table") {
    const tensors = standardizationTensors(inputs.preprocessing, size);
    for (const [label, { shape, data }] of tensors) builder.constant(label, shape, data);
    const centred = builder.add("Sub", [builder.add("Sub", [name, "mean"]), "mean_low"]);
    return builder.add("Div", [centred, "scale"]);
  }
  // Images that are taken as vectors have their channels repeated pixel by pixel.
  const length = input[input.length - 1]!;
  const repeated = (values: readonly number[]): Float64Array =>
    Float64Array.from({ length }, (_, k) => values[k % values.length]!);
  const centred = builder.add("Sub", [name, builder.constant("mean", [length], repeated(inputs.mean))]);
  return builder.add("Div", [centred, builder.constant("scale", [length], repeated(inputs.scale))]);
}

/** Where the numbers of a network are. */
interface Part {
  readonly builder: Builder;
  readonly places: ReadonlyMap<string, GraphNode>;
  readonly theta: Float64Array | Float32Array;
  readonly state: Float64Array | Float32Array;
  /** In front of the names of its constants. */
  readonly prefix: string;
}

function network(part: Part, architecture: Architecture, input: Shape, value: string, path: string): string {
  return shapesOf(architecture, input).reduce(
    (last, { layer, input: from, output }, k) => layerNodes(part, layer, from, output, last, `${path}${k + 1}`),
    value,
  );
}

function layerNodes(part: Part, layer: Layer, input: Shape, output: Shape, value: string, place: string): string {
  const { builder } = part;
  switch (layer.kind) {
    case "dense":
    case "conv":
      return affine(part, layer, input, output, value, place);
    case "activation":
      return activation(builder, layer, value);
    case "flatten":
      return input.length === 1
        ? value
        : builder.add("Flatten", [value], [{ name: "axis", type: INT_ATTRIBUTE, i: 1n }]);
    case "pool": {
      const { window, strides, padding, how } = layer;
      const include: AttributeInit[] = how === "max" ? [] : [{ name: "count_include_pad", type: INT_ATTRIBUTE, i: 1n }];
      const sliding = slide(layer, window, strides, padding, input, output);
      const operator = how === "max" ? "MaxPool" : "AveragePool";
      const pooled = builder.channelsFirst(value, (image) => builder.add(operator, [image], [...sliding, ...include]));
      return how === "sum" ? builder.add("Mul", [pooled, builder.number(window[0] * window[1])]) : pooled;
    }
    case "global-pool": {
      const pixels = (input[0] ?? 1) * (input[1] ?? 1);
      const first = builder.add("Transpose", [value], [ints("perm", [0, 3, 1, 2])]);
      const mean = builder.add("GlobalAveragePool", [first]);
      const flat = builder.add("Flatten", [mean], [{ name: "axis", type: INT_ATTRIBUTE, i: 1n }]);
      return layer.how === "sum" ? builder.add("Mul", [flat, builder.number(pixels)]) : flat;
    }
    case "residual": {
      const main = network(part, layer.main, input, value, `${place}.main.`);
      const shortcut = network(part, layer.shortcut, input, value, `${place}.shortcut.`);
      return builder.add("Add", [main, shortcut]);
    }
    case "batch-norm":
      return batchNorm(part, input, value, place);
    case "layer-norm":
      return layerNorm(builder, layer.over, input, value);
  }
}

function affine(
  { builder, places, theta, prefix }: Part,
  layer: Layer & { readonly kind: "dense" | "conv" },
  input: Shape,
  output: Shape,
  value: string,
  place: string,
): string {
  const node = places.get(place)!;
  const { width, fanIn, scale, biasScale, hasBias } = node.operation as AffineOperation;
  const weights = theta.subarray(node.parameters.from, node.parameters.from + width * fanIn);
  const biases = theta.subarray(node.parameters.from + width * fanIn, node.parameters.from + node.parameters.count);
  const bias = (): string =>
    builder.constant(
      `${prefix}${place}.bias`,
      [width],
      Float64Array.from(biases, (b) => biasScale * b),
    );
  const label = `${prefix}${place}.weight`;
  if (layer.kind === "dense") {
    const transposed = Float64Array.from({ length: width * fanIn }, (_, at) => {
      return scale * weights[(at % width) * fanIn + Math.floor(at / width)];
    });
    const product = builder.add("MatMul", [value, builder.constant(label, [fanIn, width], transposed)]);
    return hasBias ? builder.add("Add", [product, bias()]) : product;
  }
  const [height, across] = layer.filter;
  const taps = height * across;
  const channels = fanIn / taps;
  // Ours are taps with channels last, theirs channels with taps last.
  const reordered = Float64Array.from({ length: width * fanIn }, (_, at) => {
    const [row, rest] = [Math.floor(at / fanIn), at % fanIn];
    return scale * weights[row * fanIn + (rest % taps) * channels + Math.floor(rest / taps)];
  });
  const kernel = builder.constant(label, [width, channels, height, across], reordered);
  const sliding = slide(layer, layer.filter, layer.strides, layer.padding, input, output);
  const operands = hasBias ? [kernel, bias()] : [kernel];
  return builder.channelsFirst(value, (image) => builder.add("Conv", [image, ...operands], sliding));
}

/** Window, strides and padding of a sliding window. */
function slide(
  layer: Layer,
  window: Pair,
  strides: Pair,
  padding: Padding,
  input: Shape,
  output: Shape,
): AttributeInit[] {
  if (padding === "circular") throw refuse(layerText(layer), "circular padding has no operator: use pad=same");
  const along = (axis: 0 | 1): [number, number] => {
    if (padding === "valid") return [0, 0];
    const total = Math.max(0, (output[axis]! - 1) * strides[axis] + window[axis] - input[axis]!);
    return [Math.floor(total / 2), total - Math.floor(total / 2)];
  };
  const [[top, bottom], [left, right]] = [along(0), along(1)];
  return [ints("kernel_shape", window), ints("strides", strides), ints("pads", [top, left, bottom, right])];
}

/** BatchNormalization with the running statistics; those of a fresh network are 0 and 1. */
function batchNorm(
  { builder, places, theta, state, prefix }: Part,
  input: Shape,
  value: string,
  place: string,
): string {
  const node = places.get(place)!;
  const features = node.parameters.count / 2;
  const own = state.subarray(node.state.from, node.state.from + node.state.count);
  const isFresh = own[0] === 0;
  const numbers = (at: number, array: Part["theta"]): Float64Array =>
    Float64Array.from(array.subarray(at, at + features));
  const { from } = node.parameters;
  const mean = isFresh ? new Float64Array(features) : numbers(1, own);
  // The attribute is a single-precision number; what it lacks goes to the variances.
  const lack = BATCH_EPSILON - Math.fround(BATCH_EPSILON);
  const variance = (isFresh ? mean.map(() => 1) : numbers(1 + features, own)).map((one) => one + lack);
  const operands = Object.entries({
    gain: numbers(from, theta),
    shift: numbers(from + features, theta),
    mean,
    variance,
  });
  const names = operands.map(([name, data]) => builder.constant(`${prefix}${place}.${name}`, [features], data));
  const epsilon: AttributeInit = { name: "epsilon", type: FLOAT_ATTRIBUTE, f: BATCH_EPSILON };
  const normalized = (x: string): string => builder.add("BatchNormalization", [x, ...names], [epsilon]);
  return input.length === 1 ? normalized(value) : builder.channelsFirst(value, normalized);
}

/** LayerNormalization without a gain. */
function layerNorm(builder: Builder, over: LayerNormLayer["over"], input: Shape, value: string): string {
  const shape = over === "all" ? input : input.slice(-1);
  const ones = new Float64Array(shape.reduce((product: number, length) => product * length, 1)).fill(1);
  const gain = builder.constant(`ones_${shape.join("_")}`, shape, ones);
  return builder.add(
    "LayerNormalization",
    [value, gain],
    [
      { name: "axis", type: INT_ATTRIBUTE, i: BigInt(-shape.length) },
      { name: "epsilon", type: FLOAT_ATTRIBUTE, f: LAYER_EPSILON },
    ],
  );
}

function activation(builder: Builder, layer: ActivationLayer, value: string): string {
  const parameter = (key: string): number => Number(layer.parameters[key]);
  const times = (x: string, factor: number): string =>
    factor === 1 ? x : builder.add("Mul", [x, builder.number(factor)]);
  const plus = (x: string, term: number): string => (term === 0 ? x : builder.add("Add", [x, builder.number(term)]));
  switch (layer.name) {
    case "relu":
      return builder.add("Relu", [value]);
    case "tanh":
      return builder.add("Tanh", [value]);
    case "abs":
      return builder.add("Abs", [value]);
    case "softplus":
      return builder.add("Softplus", [value]);
    case "identity":
      return value;
    case "leaky-relu":
      return builder.add("LeakyRelu", [value], [{ name: "alpha", type: FLOAT_ATTRIBUTE, f: parameter("alpha") }]);
    case "erf":
      return plus(times(builder.add("Erf", [times(value, parameter("b"))]), parameter("a")), parameter("c"));
    case "sigmoid-like":
      return plus(times(builder.add("Erf", [times(value, 1 / SIGMOID_WIDTH)]), 0.5), 0.5);
    case "gelu": {
      const twice = plus(builder.add("Erf", [times(value, Math.SQRT1_2)]), 1);
      return times(builder.add("Mul", [value, twice]), 0.5);
    }
    case "sin":
      return times(builder.add("Sin", [plus(times(value, parameter("b")), parameter("c"))]), parameter("a"));
    case "cos":
      return times(builder.add("Cos", [plus(times(value, parameter("b")), parameter("c"))]), parameter("a"));
    case "exp":
      return times(builder.add("Exp", [times(value, parameter("b"))]), parameter("a"));
    default:
      throw refuse(
        layerText(layer),
        "the activations of ONNX files are relu, leaky-relu, abs, tanh, erf, sigmoid-like, gelu, softplus, sin, cos, exp",
      );
  }
}

function refuse(what: string, hint: string): DataError {
  return new DataError(`ONNX export cannot write ${what}`, { code: "onnx-layer", hint });
}
