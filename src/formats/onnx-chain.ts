import { fromBinary } from "@bufbuild/protobuf";
import { DataError } from "../base/errors.ts";
import { type Matrix, matrix } from "../base/matrix.ts";
import {
  ACTIVATIONS,
  type ActivationName,
  type Architecture,
  type DenseLayer,
  type Layer,
} from "../network/architecture/index.ts";
import type { TwoLayerNetwork } from "../network/index.ts";
import { decodeFloats } from "./floats.ts";
import { checkWire, DOUBLE, FLOAT, type Graph, type Initializer, ModelSchema, type Node } from "./onnx-schema.ts";
import { damaged } from "./saved-model.ts";

/** x -> A x + c, A is p x d. */
interface Affine {
  readonly A: Matrix;
  readonly c: Float64Array;
  /** Nothing has been done yet: products with it need not be made. */
  readonly isIdentity?: boolean;
}

/** A constant of the graph; `shape` [] or [k] or [rows, columns]. */
interface Constant {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Operators that hand on their input, a batch of vectors, as it is. */
const TRANSPARENT = new Set(["Identity", "Flatten", "Cast", "Dropout"]);

/** How a graph is refused that is not what is read: says why. */
type Refuse = (why: string) => DataError;

/** Affine maps with activations between them: one more map than activations. */
interface Chain {
  readonly maps: readonly Affine[];
  readonly activations: readonly Node[];
}

/** The chain of nodes from the only input of the graph to its only output. */
function readChain(
  bytes: Uint8Array,
  file: string,
  d: number,
  isActivation: (node: Node) => boolean,
  refuse: Refuse,
): Chain {
  const graph = decodeGraph(bytes, file, refuse);
  const constants = new Map(graph.initializer.map((tensor) => [tensor.name, constantOf(tensor, file)]));
  const inputs = graph.input.filter(({ name }) => !constants.has(name));
  if (inputs.length !== 1 || graph.output.length !== 1) {
    throw refuse(`it has ${inputs.length} inputs and ${graph.output.length} outputs`);
  }
  let name = inputs[0]?.name ?? "";
  let map = identity(d);
  const maps: Affine[] = [];
  const activations: Node[] = [];
  const left = new Set(graph.node);
  while (name !== graph.output[0]?.name) {
    const users = [...left].filter(({ input }) => input.includes(name));
    const [node] = users;
    if (node === undefined || users.length !== 1) throw refuse(`"${name}" is used by ${users.length} nodes`);
    left.delete(node);
    if (isActivation(node)) {
      maps.push(map);
      activations.push(node);
      map = identity(map.A.rows);
    } else if (!TRANSPARENT.has(node.opType)) map = compose(map, node, name, constants, refuse);
    name = node.output[0] ?? "";
  }
  return { maps: [...maps, map], activations };
}

/**
 * Reads a two-layer ReLU network that any other program wrote: a chain of Gemm, MatMul, Add, Sub, Mul and Div with
 * constants, with one Relu, from one input to one output (as PyTorch, Keras and scikit-learn export them). Affine steps
 * before and after the Relu are multiplied out in f64, so that the network acts on the graph's own input.
 *
 * @param file its name, for messages.
 * @param d number of inputs that the data have.
 * @throws DataError when the bytes are no ONNX file, or the graph is not such a chain; it names the node.
 */
export function readOnnxChain(bytes: Uint8Array, file: string, d: number): TwoLayerNetwork {
  const refuse: Refuse = (why) => notTwoLayer(file, why);
  let found = false;
  const isFirstRelu = ({ opType }: Node): boolean => {
    if (opType !== "Relu") return false;
    if (found) throw refuse("it has more than one Relu");
    found = true;
    return true;
  };
  const { maps } = readChain(bytes, file, d, isFirstRelu, refuse);
  const [hidden, map] = maps;
  if (hidden === undefined || map === undefined) throw refuse("it has no Relu");
  const W = matrix(map.A.cols, map.A.rows);
  for (let j = 0; j < W.rows; j++) for (let q = 0; q < W.cols; q++) W.data[j * W.cols + q] = map.A.data[q * W.rows + j];
  return { kind: "two-layer", activation: "relu", U: hidden.A, b: hidden.c, W, c0: map.c, gates: null };
}

/** Activations of other programs under our names. */
const ACTIVATION_NAMES: Readonly<Record<string, ActivationName>> = {
  Relu: "relu",
  LeakyRelu: "leaky-relu",
  Tanh: "tanh",
  Softplus: "softplus",
  Erf: "erf",
  Abs: "abs",
  Sin: "sin",
  Cos: "cos",
};

/** A network of dense layers with its parameters, as they stand in the graph of that architecture. */
export interface DenseNetwork {
  readonly architecture: Architecture;
  readonly theta: Float64Array;
}

/**
 * Reads a network of any number of dense layers that any other program wrote: a chain as for {@link readOnnxChain} with
 * Relu, LeakyRelu, Tanh, Softplus, Erf, Abs, Sin or Cos between affine steps. The spread of each layer's weights is that
 * which they have.
 *
 * @throws DataError when the bytes are no ONNX file, or the graph is not such a chain; it names the node.
 */
export function readOnnxDense(bytes: Uint8Array, file: string, d: number): DenseNetwork {
  const refuse: Refuse = (why) => notDense(file, why);
  const { maps, activations } = readChain(bytes, file, d, ({ opType }) => opType in ACTIVATION_NAMES, refuse);
  const layers = maps.map(({ A, c }): DenseLayer => {
    const spread = Math.hypot(...chunks(A.data)) / Math.sqrt(Math.max(1, A.rows));
    const bias = Math.hypot(...chunks(c)) / Math.sqrt(Math.max(1, A.rows));
    const wStd = spread > 0 ? spread : 1;
    return { kind: "dense", width: A.rows, wStd, bStd: bias, parametrization: "standard" };
  });
  const theta = maps.flatMap(({ A, c }, k) => [A.data, ...(layers[k]!.bStd > 0 ? [c] : [])]);
  const joined = new Float64Array(theta.reduce((sum, { length }) => sum + length, 0));
  theta.reduce((at, part) => {
    joined.set(part, at);
    return at + part.length;
  }, 0);
  const architecture = layers.flatMap((layer, k): Layer[] => {
    const node = activations[k];
    if (node === undefined) return [layer];
    const name = ACTIVATION_NAMES[node.opType]!;
    const alpha = node.attribute.find((candidate) => candidate.name === "alpha")?.f ?? ACTIVATIONS["leaky-relu"].alpha;
    const parameters = name === "leaky-relu" ? { alpha } : ACTIVATIONS[name];
    return [layer, { kind: "activation", name, parameters }];
  });
  return { architecture, theta: joined };
}

/** Norms of pieces that the arguments of a call can hold. */
function chunks(values: Float64Array): number[] {
  return Array.from({ length: Math.ceil(values.length / 4096) }, (_, k) =>
    Math.hypot(...values.subarray(4096 * k, 4096 * (k + 1))),
  );
}

function decodeGraph(bytes: Uint8Array, file: string, refuse: Refuse): Graph {
  let graph: Graph | undefined;
  try {
    checkWire(bytes);
    graph = fromBinary(ModelSchema, bytes, { readUnknownFields: false }).graph;
  } catch (error) {
    throw damaged(file, `it is not an ONNX file (${(error as Error).message})`);
  }
  if (graph === undefined) throw refuse("it has no graph");
  return graph;
}

function constantOf(
  { name, dims, dataType, floatData, doubleData, rawData, dataLocation }: Initializer,
  file: string,
): Constant {
  const shape = dims.map(Number);
  const size = dataType === DOUBLE ? 8 : 4;
  if ((dataType !== FLOAT && dataType !== DOUBLE) || dataLocation !== 0) return { shape, data: new Float64Array(0) };
  const listed = dataType === DOUBLE ? doubleData : floatData;
  const data = rawData.length > 0 ? decodeFloats(rawData, size) : Float64Array.from(listed);
  if (data.length !== shape.reduce((a, b) => a * b, 1)) {
    throw damaged(file, `tensor "${name}" has shape [${shape.slice(0, 4)}] and ${data.length} numbers`);
  }
  if (!data.every(Number.isFinite)) throw damaged(file, `tensor "${name}" has a number that is not finite`);
  return { shape, data };
}

/** The map followed by one affine node, which reads `name` and constants. */
function compose(
  map: Affine,
  node: Node,
  name: string,
  constants: ReadonlyMap<string, Constant>,
  refuse: Refuse,
): Affine {
  const operand = (k: number): Constant => {
    const constant = constants.get(node.input[k] ?? "");
    if (constant === undefined || constant.data.length === 0) {
      throw refuse(`input ${k + 1} of ${node.opType} "${node.output[0]}" is not a constant of floats`);
    }
    return constant;
  };
  const attribute = (key: string) => node.attribute.find((candidate) => candidate.name === key);
  const first = node.input[0] === name;
  switch (node.opType) {
    case "Gemm": {
      const alpha = attribute("alpha")?.f ?? 1;
      const beta = attribute("beta")?.f ?? 1;
      if (!first || attribute("transA")?.i) break;
      const mapped = multiply(map, operand(1), Boolean(attribute("transB")?.i), node, refuse);
      const scaled = entrywise(mapped, { shape: [], data: Float64Array.of(alpha) }, "scale", node, refuse);
      if (node.input.length < 3) return scaled;
      const offset = operand(2);
      return entrywise(scaled, { ...offset, data: offset.data.map((t) => beta * t) }, "shift", node, refuse);
    }
    case "MatMul":
      if (first) return multiply(map, operand(1), false, node, refuse);
      break;
    case "Add":
      return entrywise(map, operand(first ? 1 : 0), "shift", node, refuse);
    case "Mul":
      return entrywise(map, operand(first ? 1 : 0), "scale", node, refuse);
    case "Sub":
      if (!first) break;
      return entrywise(map, negated(operand(1)), "shift", node, refuse);
    case "Div":
      if (!first) break;
      return entrywise(map, operand(1), "divide", node, refuse);
  }
  throw refuse(`${node.opType} "${node.output[0]}" cannot be part of one`);
}

function negated({ shape, data }: Constant): Constant {
  return { shape, data: data.map((t) => -t) };
}

/** y = x B for rows x, B k x m (`transposed`: m x k). */
function multiply(
  { A, c, isIdentity }: Affine,
  { shape, data }: Constant,
  transposed: boolean,
  node: Node,
  refuse: Refuse,
): Affine {
  const [rows, cols] = shape;
  const [k, m] = transposed ? [cols, rows] : [rows, cols];
  if (shape.length !== 2 || k !== A.rows || m === undefined) {
    throw refuse(`${node.opType} "${node.output[0]}" multiplies ${A.rows} numbers by a [${shape}] matrix`);
  }
  const at = (p: number, q: number): number => data[transposed ? q * A.rows + p : p * m + q];
  const out = matrix(m, A.cols);
  if (isIdentity) {
    for (let q = 0; q < m; q++) for (let p = 0; p < A.cols; p++) out.data[q * A.cols + p] = at(p, q);
    return { A: out, c: new Float64Array(m) };
  }
  const offset = new Float64Array(m);
  for (let q = 0; q < m; q++) {
    for (let p = 0; p < A.rows; p++) {
      const b = at(p, q);
      offset[q] += b * c[p];
      for (let j = 0; j < A.cols; j++) out.data[q * A.cols + j] += b * A.data[p * A.cols + j];
    }
  }
  return { A: out, c: offset };
}

/** Adds, multiplies or divides by a constant, one for all or one an entry. */
function entrywise(
  { A, c }: Affine,
  { shape, data }: Constant,
  how: "shift" | "scale" | "divide",
  node: Node,
  refuse: Refuse,
): Affine {
  const single = data.length === 1;
  if (!single && (data.length !== A.rows || shape.at(-1) !== A.rows)) {
    throw refuse(`${node.opType} "${node.output[0]}" combines ${A.rows} numbers with a [${shape}] constant`);
  }
  const out = matrix(A.rows, A.cols, A.data.slice());
  const offset = c.slice();
  for (let p = 0; p < A.rows; p++) {
    const t = data[single ? 0 : p];
    if (how === "shift") offset[p] += t;
    else {
      const change = (value: number): number => (how === "scale" ? value * t : value / t);
      offset[p] = change(offset[p]);
      for (let j = 0; j < A.cols; j++) out.data[p * A.cols + j] = change(out.data[p * A.cols + j]);
    }
  }
  return { A: out, c: offset };
}

function identity(d: number): Affine {
  const A = matrix(d, d);
  for (let k = 0; k < d; k++) A.data[k * d + k] = 1;
  return { A, c: new Float64Array(d), isIdentity: true };
}

function notTwoLayer(file: string, why: string): DataError {
  const text = why.slice(0, 300).replace(/[\p{Cc}\p{Cf}]/gu, "?");
  return new DataError(`${file} is not a two-layer ReLU network: ${text}`, {
    code: "model-not-two-layer",
    hint: "a chain of affine layers with one Relu can be read: export it without other operators",
    place: { file },
  });
}

function notDense(file: string, why: string): DataError {
  const text = why.slice(0, 300).replace(/[\p{Cc}\p{Cf}]/gu, "?");
  return new DataError(`${file} is not a chain of dense layers: ${text}`, {
    code: "model-not-dense",
    hint: "a chain of affine layers with activations between them can be read: export it without other operators",
    place: { file },
  });
}
