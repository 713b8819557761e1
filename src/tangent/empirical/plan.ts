import type { GraphNode, NetworkGraph } from "../../network/deep/index.ts";
import {
  backwardOperations,
  contractionsOf,
  forwardOperations,
  type KernelSize,
  partOperations,
  productsOperations,
  valuesReached,
} from "./costs.ts";
import { factorSizes, type LayerPart } from "./factors.ts";
import { affineOf } from "./nodes.ts";
import type { EmpiricalMethod, EmpiricalPlan } from "./types.ts";

/** Bytes of the passes of a batch: what they write is read again from the cache. */
const BATCH_BYTES = 1 << 23;

/** A way to make a kernel, in blocks that fit into the memory. */
export interface Strategy {
  readonly method: EmpiricalMethod;
  /** Layers that are made together; one group, or one for each layer. */
  readonly groups: readonly (readonly LayerPart[])[];
  readonly block: number;
  readonly batch: number;
  readonly bytes: number;
  readonly operations: number;
}

/** What a kernel is planned for. */
export interface Demand {
  readonly graph: NetworkGraph;
  readonly nodes: readonly GraphNode[];
  readonly size: KernelSize;
  /** Bytes of a number. */
  readonly bytes: number;
  readonly limitBytes: number;
}

/** The strategy of a method with the fewest operations that fits; null when none does. */
export function strategyOf(demand: Demand, method: EmpiricalMethod): Strategy | null {
  if (method === "products") return productsStrategy(demand);
  const { nodes, size } = demand;
  const parts = nodes.map((node): LayerPart => {
    const affine = affineOf(node);
    const ways = method === "jacobian" ? (["jacobian"] as const) : contractionsOf(node);
    const [best] = ways
      .map((by): LayerPart => ({ node, affine, by }))
      .sort((a, b) => partOperations(a, size) - partOperations(b, size));
    return best!;
  });
  const together = blockStrategy(demand, method, [parts]);
  // All samples in one block: nothing is computed twice.
  if (together !== null && together.block >= Math.max(size.rows, size.cols)) return together;
  const apart = blockStrategy(
    demand,
    method,
    parts.map((part) => [part]),
  );
  if (together === null || apart === null) return together ?? apart;
  return apart.operations < together.operations ? apart : together;
}

/** Numbers that a tape takes: fixed ones, and those of a sample. */
function tapeNumbers(graph: NetworkGraph, trained: readonly GraphNode[], orders: number): number {
  const reached = valuesReached(graph, trained);
  const values = graph.sizes.reduce((sum, size, k) => sum + size * (reached[k] ? 2 : 1), 0);
  const saved = graph.nodes.reduce((sum, { operation }) => sum + operation.saved(orders), 0);
  const rows = Math.max(0, ...graph.nodes.map(({ operation }) => operation.rows));
  return orders * values + saved + rows;
}

function scratchNumbers(graph: NetworkGraph, samples: number, orders: number): number {
  return Math.max(0, ...graph.nodes.map(({ operation }) => operation.scratch(samples, orders)));
}

/** Numbers of the products of two blocks. */
function contractionNumbers(parts: readonly LayerPart[], { outputs, full }: KernelSize, block: number): number {
  const edge = full ? block * outputs : block;
  return Math.max(
    ...parts.map(({ by, affine }) => {
      if (by === "jacobian" || affine === null) return edge ** 2;
      if (by === "vectors") return edge ** 2 + block ** 2;
      return affine.rows ** 2 + outputs * affine.size + outputs ** 2;
    }),
  );
}

function blockStrategy(
  demand: Demand,
  method: EmpiricalMethod,
  groups: readonly (readonly LayerPart[])[],
): Strategy | null {
  const { graph, size, bytes, limitBytes } = demand;
  const { rows, cols, symmetric, outputs } = size;
  const most = Math.max(1, rows, cols);
  const batchFor = (parts: readonly LayerPart[], block: number): [batch: number, numbers: number] => {
    const patches = parts.reduce(
      (sum, { by, affine }) => sum + (by === "jacobian" && affine !== null ? affine.rows * affine.fanIn : 0),
      0,
    );
    const numbers =
      tapeNumbers(
        graph,
        parts.map(({ node }) => node),
        1,
      ) + patches;
    const each = bytes * (numbers + scratchNumbers(graph, 1, 1));
    const batch = Math.max(1, Math.min(block, Math.floor(BATCH_BYTES / each)));
    return [batch, batch * numbers + scratchNumbers(graph, batch, 1)];
  };
  const bytesOf = (block: number): number => {
    const sides = symmetric && block >= most ? 1 : 2;
    const each = groups.map((parts) => {
      const factors = parts.reduce((sum, part) => sum + outputs * factorSizes(part).row + factorSizes(part).inputs, 0);
      const samples = sides === 1 ? block : Math.min(block, rows) + Math.min(block, cols);
      return samples * factors + batchFor(parts, block)[1] + contractionNumbers(parts, size, block);
    });
    return bytes * (graph.parameters + graph.state + Math.max(...each));
  };
  let block = most;
  while (block > 1 && bytesOf(block) > limitBytes) block = Math.ceil(block / 2);
  if (bytesOf(block) > limitBytes) return null;

  // Blocks of columns are made again for each block of rows, unless there is only one of them.
  const blocks = Math.ceil(rows / block);
  const again = symmetric ? (rows * (blocks - 1)) / 2 : cols * (cols <= block ? 1 : blocks);
  const passes = (rows + again) / (symmetric ? rows : rows + cols);
  const samples = symmetric ? rows : rows + cols;
  const operations = groups.reduce((sum, parts) => {
    const backward = backwardOperations(
      graph,
      parts.map(({ node }) => node),
    );
    const pass = samples * (forwardOperations(graph) + outputs * backward);
    return sum + passes * pass + parts.reduce((total, part) => total + partOperations(part, size), 0);
  }, 0);
  const batch = Math.min(...groups.map((parts) => batchFor(parts, block)[0]));
  return { method, groups, block, batch, bytes: bytesOf(block), operations };
}

/** Room for the passes of one column, and of as many rows as fit. */
function productsStrategy({ graph, nodes, size, bytes, limitBytes }: Demand): Strategy | null {
  const column = tapeNumbers(graph, nodes, 1) + scratchNumbers(graph, 1, 1);
  const row = tapeNumbers(graph, [], 2);
  const fixed = 2 * graph.parameters + 2 * graph.state + column;
  const bytesOf = (batch: number): number => bytes * (fixed + batch * row + scratchNumbers(graph, batch, 2));
  let batch = Math.max(1, Math.min(size.rows, Math.floor((2 * BATCH_BYTES) / (bytes * row))));
  while (batch > 1 && bytesOf(batch) > limitBytes) batch = Math.ceil(batch / 2);
  if (bytesOf(batch) > limitBytes) return null;
  const operations = productsOperations(graph, nodes, size);
  return { method: "products", groups: [], block: 1, batch, bytes: bytesOf(batch), operations };
}

/** What a strategy says of itself, beside the operations of all methods. */
export function planOf(chosen: Strategy, all: readonly (Strategy | null)[]): EmpiricalPlan {
  const operations = (method: EmpiricalMethod): number | null =>
    all.find((one) => one?.method === method)?.operations ?? null;
  return {
    method: chosen.method,
    layers: chosen.groups.flat().map(({ node, by }) => ({ place: node.place, name: node.operation.name, by })),
    block: chosen.block,
    batch: chosen.batch,
    layerByLayer: chosen.groups.length > 1,
    operations: {
      structured: operations("structured"),
      jacobian: operations("jacobian"),
      products: operations("products"),
    },
    bytes: chosen.bytes,
  };
}
