import { randomStream } from "../../base/random.ts";
import { type Compute, lanczos } from "../../compute/index.ts";
import type { AffineOperation, GraphNode, NetworkGraph, ParameterRange } from "../../network/deep/index.ts";

/** The weight matrix of an affine layer, rows x cols, scaled as the layer uses it. */
export interface WeightLayer {
  readonly node: GraphNode;
  readonly place: string;
  readonly rows: number;
  readonly cols: number;
  /** Factor from parameters to weights. */
  readonly scale: number;
  /** Where its parameters begin. */
  readonly from: number;
}

/** The affine operation of a node; null for others. */
export function affineOf({ operation }: GraphNode): AffineOperation | null {
  return (operation as Partial<AffineOperation>).kind === "affine" ? (operation as AffineOperation) : null;
}

/** Affine layers whose weights are trained. */
export function weightLayers(graph: NetworkGraph, trained: readonly ParameterRange[]): WeightLayer[] {
  return graph.nodes.flatMap((node) => {
    const affine = affineOf(node);
    const { from } = node.parameters;
    if (affine === null || !trained.some((range) => from >= range.from && from < range.from + range.count)) return [];
    return [{ node, place: node.place, rows: affine.width, cols: affine.fanIn, scale: affine.scale, from }];
  });
}

/** Steps of Lanczos for a spectral norm: enough for about four digits. */
const STEPS = 60;

/** Spectral norm of a rows x cols matrix in the memory of the kernels. */
export function spectralNorm(compute: Compute, rows: number, cols: number, a: Float64Array): number {
  if (rows === 0 || cols === 0) return 0;
  const operator = {
    size: cols,
    apply: (x: Float64Array, out: Float64Array) => compute.normalProduct(rows, cols, a, cols, x, out),
  };
  const { values } = lanczos(compute, operator, 1, randomStream(0, "spectral norm"), {
    tolerance: 1e-5,
    maxSteps: Math.min(cols, STEPS),
  });
  return Math.sqrt(Math.max(0, values[0]));
}

/** How far a layer is from where it started. */
export interface LayerDistance {
  readonly frobenius: number;
  readonly spectral: number;
}

/** Norms of the change of each layer's weights. */
export function layerDistances(
  compute: Compute,
  layers: readonly WeightLayer[],
  theta: Float64Array,
  initial: Float64Array,
): LayerDistance[] {
  return layers.map(({ rows, cols, scale, from }) =>
    compute.scope((scope) => {
      const change = scope.f64(rows * cols);
      for (let k = 0; k < change.length; k++) change[k] = scale * (theta[from + k] - initial[from + k]);
      const frobenius = compute.norm2(change.length, change);
      return { frobenius, spectral: frobenius === 0 ? 0 : spectralNorm(compute, rows, cols, change) };
    }),
  );
}
