import { DataError } from "../base/errors.ts";
import { type Matrix, matrix } from "../base/matrix.ts";
import type { TwoLayerNetwork } from "../network/index.ts";
import type { Node } from "./onnx-schema.ts";
import { type Constant, constantOf, decodeModel, type Refuse } from "./onnx-tensors.ts";

/** x -> A x + c, A is p x d. */
interface Affine {
  readonly A: Matrix;
  readonly c: Float64Array;
  /** Nothing has been done yet: products with it need not be made. */
  readonly isIdentity?: boolean;
}

/** Operators that hand on their input, a batch of vectors, as it is. */
const TRANSPARENT = new Set(["Identity", "Flatten", "Cast", "Dropout"]);

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
  const { graph } = decodeModel(bytes, file, refuse);
  const constants = new Map(graph.initializer.map((tensor) => [tensor.name, constantOf(tensor, file)]));
  const inputs = graph.input.filter(({ name }) => !constants.has(name));
  if (inputs.length !== 1 || graph.output.length !== 1) {
    throw refuse(`it has ${inputs.length} inputs and ${graph.output.length} outputs`);
  }
  let name = inputs[0]?.name ?? "";
  let map = identity(d);
  let hidden: Affine | null = null;
  const left = new Set(graph.node);
  while (name !== graph.output[0]?.name) {
    const users = [...left].filter(({ input }) => input.includes(name));
    const [node] = users;
    if (node === undefined || users.length !== 1) throw refuse(`"${name}" is used by ${users.length} nodes`);
    left.delete(node);
    if (node.opType === "Relu") {
      if (hidden !== null) throw refuse("it has more than one Relu");
      hidden = map;
      map = identity(map.A.rows);
    } else if (!TRANSPARENT.has(node.opType)) map = compose(map, node, name, constants, refuse);
    name = node.output[0] ?? "";
  }
  if (hidden === null) throw refuse("it has no Relu");
  const W = matrix(map.A.cols, map.A.rows);
  for (let j = 0; j < W.rows; j++) for (let q = 0; q < W.cols; q++) W.data[j * W.cols + q] = map.A.data[q * W.rows + j];
  return { kind: "two-layer", activation: "relu", U: hidden.A, b: hidden.c, W, c0: map.c, gates: null };
}

/** The map followed by one affine node, which reads `name` and constants. */
function compose(
  map: Affine,
  node: Node,
  name: string,
  constants: ReadonlyMap<string, Constant | null>,
  refuse: Refuse,
): Affine {
  const operand = (k: number): Constant => {
    const constant = constants.get(node.input[k] ?? "");
    if (constant === undefined || constant === null || constant.data.length === 0) {
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
