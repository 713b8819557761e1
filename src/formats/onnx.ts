import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { DataError } from "../base/errors.ts";
import { matrix } from "../base/matrix.ts";
import type { TwoLayerNetwork } from "../network/index.ts";
import { decodeFloats, encodeFloats, type FloatSize } from "./floats.ts";
import { graphKind, graphNodes, INPUT, OUTPUT, standardizationTensors, targetTensors } from "./onnx-graph.ts";
import { checkWire, DOUBLE, FLOAT, type Initializer, type Model, ModelSchema, type ValueInfo } from "./onnx-schema.ts";
import {
  damaged,
  decodeMetadata,
  encodeMetadata,
  foreign,
  METADATA_KEY,
  networkOfTensors,
  networkTensors,
  type SavedModel,
  type Tensor,
} from "./saved-model.ts";

/** Type of the inputs, outputs and weights of a graph. `float64` keeps the weights exactly. */
export type OnnxPrecision = "float32" | "float64";

const IR_VERSION = 8n;
const OPSET_VERSION = 17n;

/**
 * The model as an ONNX graph, from the encoded features with missing values filled (`features`, N x d) to the outputs
 * (`output`, N x c); the graph standardizes the features itself. Preprocessing and target are JSON in the metadata, so
 * that {@link readOnnx} needs no other file.
 *
 * In `float32` (what every runtime runs) the outputs agree with `forward` to float32 rounding as long as the features
 * are float32 numbers. A feature that is not, is off by up to 6e-8 of itself before the graph sees it: a column of mean
 * 1e6 and scale 1e-3 has lost everything then, and wants `float64`.
 *
 * @param options.precision default: float32, unless a number of the model is outside its range.
 * @throws DataError `onnx-float32-range` when float32 is asked for and a number overflows it, or a scale underflows.
 * @throws RangeError or TypeError when the parts of the model do not fit together.
 */
export function writeOnnx(model: SavedModel, { precision }: { precision?: OnnxPrecision } = {}): Uint8Array {
  const metadata = encodeMetadata(model);
  const network = model.network.U.rows === 0 ? withIdleNeuron(model.network) : model.network;
  const tensorsOf = (size: FloatSize): Map<string, Tensor> =>
    new Map([
      ...standardizationTensors(model.preprocessing, size),
      ...graphTensors(network),
      ...targetTensors(model.target),
    ]);
  const outside = precision === "float64" ? null : outsideFloat32(tensorsOf(4));
  if (precision === "float32" && outside !== null) {
    throw new DataError(`the model has ${outside}, outside the range of float32`, {
      code: "onnx-float32-range",
      hint: "Export it with precision float64, or rescale the data.",
    });
  }
  const size = precision === "float64" || outside !== null ? 8 : 4;
  const tensors = tensorsOf(size);
  const dataType = size === 8 ? DOUBLE : FLOAT;
  const value = (name: string, columns: number) => ({
    name,
    type: { tensorType: { elemType: dataType, shape: { dim: [{ dimParam: "N" }, { dimValue: BigInt(columns) }] } } },
  });
  const proto = create(ModelSchema, {
    irVersion: IR_VERSION,
    opsetImport: [{ version: OPSET_VERSION }],
    producerName: "overparam",
    graph: {
      name: `two-layer ${network.activation} network`,
      node: graphNodes(network.activation, model.target.columns !== undefined),
      initializer: Array.from(tensors, ([name, { shape, data }]) => ({
        name,
        dataType,
        dims: shape.map(BigInt),
        rawData: encodeFloats(data, size),
      })),
      input: [value(INPUT, network.U.cols)],
      output: [value(OUTPUT, network.W.cols)],
    },
    metadataProps: [{ key: METADATA_KEY, value: metadata }],
  });
  return toBinary(ModelSchema, proto);
}

/**
 * Reads what {@link writeOnnx} wrote: the exact model in `float64`, weights rounded to float32 in `float32`.
 *
 * The graph must be the very one that {@link writeOnnx} makes, so that what other programs run is what is read here.
 *
 * @param file its name, for messages.
 * @throws DataError when the bytes are not such a file.
 */
export function readOnnx(bytes: Uint8Array, file: string): SavedModel {
  const { irVersion, opsetImport, graph, metadataProps } = decode(bytes, file);
  if (graph === undefined) throw foreign(file, "it has no graph");
  const [opset, ...others] = opsetImport;
  if (irVersion !== IR_VERSION || opset?.domain !== "" || opset.version !== OPSET_VERSION || others.length > 0) {
    throw foreign(file, `it is not of ONNX IR version ${IR_VERSION} and operator set ${OPSET_VERSION}`);
  }
  const kind = graphKind(graph.node);
  if (kind === null) throw foreign(file, "its graph is not that of a two-layer network");
  const { activation, inUnits } = kind;

  const size = graph.initializer[0]?.dataType === DOUBLE ? 8 : 4;
  const tensors = readTensors(graph.initializer, size, file);
  const constants = new Map<string, Tensor>();
  const gated = activation === "gated" ? ["zero"] : [];
  const units = inUnits ? ["output_scale", "output_mean"] : [];
  for (const name of ["mean", "mean_low", "scale", ...gated, ...units]) {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw foreign(file, `it has no tensor "${name}"`);
    constants.set(name, tensor);
    tensors.delete(name);
  }
  const network = networkOfTensors(tensors, file);
  if (network.activation !== activation) throw foreign(file, `its weights are not those of a ${activation} network`);
  checkValue(graph.input, INPUT, network.U.cols, size, file);
  checkValue(graph.output, OUTPUT, network.W.cols, size, file);

  const texts = metadataProps.filter(({ key }) => key === METADATA_KEY).map(({ value }) => value);
  if (texts.length > 1) throw damaged(file, "its metadata appear twice");
  const model = decodeMetadata(texts[0], withoutIdleNeuron(network), file);
  if ((model.target.columns !== undefined) !== inUnits) throw damaged(file, "its graph is not that of its target");
  const expected = new Map([
    ...standardizationTensors(model.preprocessing, size).set("zero", ZERO),
    ...targetTensors(model.target),
  ]);
  for (const [name, tensor] of constants) {
    if (!sameTensor(tensor, expected.get(name) as Tensor, size)) {
      throw damaged(file, `tensor "${name}" is not what its metadata say`);
    }
  }
  return model;
}

const ZERO: Tensor = { shape: [], data: new Float64Array(1) };

function graphTensors(network: TwoLayerNetwork): [string, Tensor][] {
  const weights = Object.entries(networkTensors(network));
  return network.activation === "gated" ? [...weights, ["zero", ZERO]] : weights;
}

/**
 * Stands in for a network without neurons: many runtimes refuse a Gemm with an inner dimension of zero. One neuron
 * whose every weight is zero changes nothing, and is left out again when the file is read.
 */
function withIdleNeuron(network: TwoLayerNetwork): TwoLayerNetwork {
  const row = () => matrix(1, network.U.cols);
  const gates = network.gates === null ? null : { G: row(), h: new Float64Array(1) };
  return { ...network, U: row(), b: new Float64Array(1), W: matrix(1, network.W.cols), gates };
}

function withoutIdleNeuron(network: TwoLayerNetwork): TwoLayerNetwork {
  const { U, b, W, gates } = network;
  const arrays = [U.data, b, W.data, ...(gates === null ? [] : [gates.G.data, gates.h])];
  if (U.rows !== 1 || arrays.some((array) => array.some((weight) => weight !== 0))) return network;
  const none = (cols: number) => matrix(0, cols);
  return {
    ...network,
    U: none(U.cols),
    b: new Float64Array(0),
    W: none(W.cols),
    gates: gates === null ? null : { G: none(U.cols), h: new Float64Array(0) },
  };
}

/** The first number that float32 cannot hold, in words: too large, or a scale that would be zero. */
function outsideFloat32(tensors: ReadonlyMap<string, Tensor>): string | null {
  for (const [name, { data }] of tensors) {
    const found = data.find((value) => {
      const rounded = Math.fround(value);
      return !Number.isFinite(rounded) || (name.endsWith("scale") && rounded === 0);
    });
    if (found !== undefined) return `${found} in "${name}"`;
  }
  return null;
}

function decode(bytes: Uint8Array, file: string): Model {
  try {
    checkWire(bytes);
    return fromBinary(ModelSchema, bytes, { readUnknownFields: false });
  } catch (error) {
    throw damaged(file, `it is not an ONNX file (${(error as Error).message})`);
  }
}

function readTensors(initializers: readonly Initializer[], size: FloatSize, file: string): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const { name, dims, dataType, rawData, externalData, dataLocation } of initializers) {
    if (tensors.has(name)) throw damaged(file, `tensor "${name}" appears twice`);
    if (dataLocation !== 0 || externalData.length > 0) throw foreign(file, `tensor "${name}" is kept in another file`);
    if (dataType !== (size === 8 ? DOUBLE : FLOAT)) throw foreign(file, `tensor "${name}" has data type ${dataType}`);
    // As big integers the product is exact, however large the dimensions claim to be.
    const length = dims.length <= 2 ? dims.reduce((product, dim) => product * dim, BigInt(size)) : -1n;
    if (dims.some((dim) => dim < 0n) || length !== BigInt(rawData.length)) {
      throw damaged(file, `tensor "${name}" has shape [${dims.slice(0, 3)}] and ${rawData.length} bytes`);
    }
    tensors.set(name, { shape: dims.map(Number), data: decodeFloats(rawData, size) });
  }
  return tensors;
}

/** Checks the declaration of an input or output: its only one, N x columns. */
function checkValue(values: readonly ValueInfo[], name: string, columns: number, size: FloatSize, file: string): void {
  const tensorType = values[0]?.type?.tensorType;
  const [rows, features, ...rest] = tensorType?.shape?.dim ?? [];
  const sound =
    values.length === 1 &&
    values[0]?.name === name &&
    tensorType?.elemType === (size === 8 ? DOUBLE : FLOAT) &&
    rows?.dimValue === 0n &&
    features?.dimValue === BigInt(columns) &&
    rest.length === 0;
  if (!sound) throw foreign(file, `"${name}" is not declared as N x ${columns}`);
}

function sameTensor(a: Tensor, b: Tensor, size: FloatSize): boolean {
  const round = (value: number): number => (size === 4 ? Math.fround(value) : value);
  return `${a.shape}` === `${b.shape}` && a.data.every((value, k) => value === round(b.data[k]));
}
