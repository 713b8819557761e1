/**
 * Model files that other tools can open, ONNX and safetensors: bytes in, bytes out.
 *
 * Knows networks and the meaning of their inputs and outputs ({@link SavedModel}). Must not know how a network was
 * trained, nor where bytes are kept: no file system. What a reader is given is taken for hostile: it answers with a
 * model that passed every check or with a DataError, and allocates in proportion to the bytes it was given.
 */
export {
  type DeepForm,
  type DeepInputs,
  type DeepModel,
  type DeepTarget,
  isDeepModel,
  readDeepModel,
  writeDeepModel,
} from "./deep-model.ts";
export { isKernelModel, type KernelModel, readKernelModel, writeKernelModel } from "./kernel-model.ts";
export { type OnnxPrecision, readOnnx, writeOnnx } from "./onnx.ts";
export { readOnnxChain } from "./onnx-chain.ts";
export { writeDeepOnnx } from "./onnx-deep.ts";
export { type OnnxNetwork, readOnnxNetwork } from "./onnx-network/read.ts";
export { readSafetensors, writeSafetensors } from "./safetensors.ts";
export type { SavedModel } from "./saved-model.ts";
export { type FileTensor, readTensorFile, writeTensorFile } from "./tensor-file.ts";
