import { type OnnxNetwork, readOnnxNetwork } from "../formats/index.ts";
import type { Shape } from "../network/architecture/index.ts";
import { readBytes } from "../platform/index.ts";
import { folderOf, joinPath } from "../platform/run-files.ts";

/**
 * Reads the network of an ONNX file, with tensors that are kept beside it.
 *
 * @param sample the shape of the samples, for axes that the file leaves open; null where they are not known.
 * @throws DataError when it cannot be read.
 */
export function readOnnxFile(file: string, sample: Shape | null): OnnxNetwork {
  const beside = (location: string): Uint8Array => readBytes(joinPath(folderOf(file), location));
  return readOnnxNetwork(readBytes(file), file, sample, beside);
}
