/**
 * Networks as data: the record of a two-layer network, its forward pass in plain f64 loops, and the rewritings that
 * leave its function unchanged (balancing, stacking one-against-rest networks).
 *
 * Knows matrices. Must not know where a network came from (solver, file), what it is for (data, targets, losses), nor
 * how it is stored.
 */
export { balance, type HiddenBiases, pathNorm, penalty } from "./balance.ts";
export { mergeOutputs } from "./merge.ts";
export { checkShapes, forward, type TwoLayerNetwork } from "./two-layer.ts";
