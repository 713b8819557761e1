/**
 * Model files that other tools can open, ONNX and safetensors: bytes in, bytes out.
 *
 * Knows networks and the meaning of their inputs and outputs ({@link SavedModel}). Must not know how a network was
 * trained, nor where bytes are kept: no file system. What a reader is given is taken for hostile: it answers with a
 * model that passed every check or with a DataError, and allocates in proportion to the bytes it was given.
 */
export { type OnnxPrecision, readOnnx, writeOnnx } from "./onnx.ts";
export { readOnnxChain } from "./onnx-chain.ts";
export { readSafetensors, writeSafetensors } from "./safetensors.ts";
export type { SavedModel } from "./saved-model.ts";
