/**
 * Finite networks of any architecture: a list of operations, each with its forward pass and its transposed derivative on
 * truncated power series, from which values, gradients, Jacobian- and Hessian-vector products and Taylor models all come.
 */
export type { AffineOperation } from "./affine.ts";
export { type GraphNode, type NetworkGraph, networkGraph } from "./graph.ts";
export { initialize } from "./initialize.ts";
export { type BatchTape, NetworkLanes } from "./lanes.ts";
export {
  type Model,
  type ModelOptions,
  networkModel,
  type ParameterRange,
  symmetricModel,
  trainedRanges,
} from "./model.ts";
export { blockSize, type Operation, type ParameterBlock, type Series } from "./operation.ts";
export { Tape, type TapeOptions } from "./tape.ts";
