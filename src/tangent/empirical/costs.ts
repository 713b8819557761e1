import type { GraphNode, NetworkGraph } from "../../network/deep/index.ts";
import { factorSizes, type LayerPart } from "./factors.ts";
import { affineOf } from "./nodes.ts";
import type { Contraction } from "./types.ts";

/** Floating-point operations a number of layers that are no products. */
const ENTRY_OPERATIONS = 4;

/** How many samples and outputs a kernel has. */
export interface KernelSize {
  readonly rows: number;
  readonly cols: number;
  /** X2 is X1: entries at and below the diagonal. */
  readonly symmetric: boolean;
  readonly outputs: number;
  readonly full: boolean;
}

/** Pairs of samples whose kernel is computed. */
export function pairsOf({ rows, cols, symmetric }: KernelSize): number {
  return symmetric ? (rows * (rows + 1)) / 2 : rows * cols;
}

/** Operations of the products of a layer on one sample; 0 for layers that have none. */
function productOperations(node: GraphNode): number {
  const affine = affineOf(node);
  return affine === null ? 0 : 2 * affine.rows * affine.width * affine.fanIn;
}

/** Operations of a forward pass of one sample. */
export function forwardOperations(graph: NetworkGraph): number {
  return graph.nodes.reduce((sum, node) => sum + productOperations(node) + ENTRY_OPERATIONS * node.operation.size, 0);
}

/** For each value whether the backward pass goes there: whether trained parameters have a part in it. */
export function valuesReached(graph: NetworkGraph, trained: readonly GraphNode[]): readonly boolean[] {
  const reached = graph.sizes.map(() => false);
  for (const node of graph.nodes) {
    reached[node.output] = trained.includes(node) || node.inputs.some((value) => reached[value]);
  }
  return reached;
}

/** Operations of a backward pass, without the gradient, of one sample and output. */
export function backwardOperations(graph: NetworkGraph, trained: readonly GraphNode[]): number {
  const reached = valuesReached(graph, trained);
  return graph.nodes.reduce((sum, node) => {
    if (!node.inputs.some((value) => reached[value])) return sum;
    return sum + productOperations(node) + ENTRY_OPERATIONS * node.operation.size;
  }, 0);
}

/** Operations of making a layer's derivatives by its parameters, of one sample and output. */
export function gradientOperations(node: GraphNode): number {
  return productOperations(node) + ENTRY_OPERATIONS * node.operation.size;
}

/** Operations of what a part adds for one pair of samples. */
export function contractionOperations(part: LayerPart, { outputs, full }: KernelSize): number {
  const { affine, by } = part;
  // Products of cotangents or Jacobians: of all pairs of outputs, or of equal ones.
  const products = full ? outputs ** 2 : outputs;
  const { row } = factorSizes(part);
  if (by === "jacobian" || affine === null) return 2 * products * row;
  const { rows: pixels, width, fanIn } = affine;
  if (by === "vectors") return 2 * products * row + 2 * fanIn + (full ? 2 * products : 2);
  return 2 * pixels ** 2 * (fanIn + outputs * width) + 2 * products * row;
}

/** Operations of a part in a whole kernel, passes apart. */
export function partOperations(part: LayerPart, size: KernelSize): number {
  const samples = size.symmetric ? size.rows : size.rows + size.cols;
  const gradients = part.by === "jacobian" ? samples * size.outputs * gradientOperations(part.node) : 0;
  return gradients + pairsOf(size) * contractionOperations(part, size);
}

/** The ways in which a layer can be contracted. */
export function contractionsOf(node: GraphNode): readonly Contraction[] {
  const affine = affineOf(node);
  if (affine === null) return ["jacobian"];
  return affine.rows === 1 ? ["vectors", "jacobian"] : ["jacobian", "patches"];
}

/** Operations of NTK-vector products for all columns. */
export function productsOperations(graph: NetworkGraph, trained: readonly GraphNode[], size: KernelSize): number {
  const forward = forwardOperations(graph);
  const gradients = trained.reduce((sum, node) => sum + gradientOperations(node) + node.parameters.count, 0);
  const columns = size.cols * size.outputs;
  // A directional derivative goes forward with two products a layer, and the values with one.
  return (
    columns * (forward + backwardOperations(graph, trained) + gradients) + pairsOf(size) * size.outputs * 3 * forward
  );
}
