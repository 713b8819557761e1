import {
  decodeMetadata,
  encodeMetadata,
  METADATA_KEY,
  networkOfTensors,
  networkTensors,
  type SavedModel,
  type Tensor,
} from "./saved-model.ts";
import { readTensorFile, writeTensorFile } from "./tensor-file.ts";

/**
 * The model as a safetensors file: the weights exactly (F64), and preprocessing and target as JSON in the metadata.
 *
 * Tensors: `U` m x d, `b` m, `W` m x c, `c0` c; gated also `G` m x d, `h` m.
 *
 * @throws RangeError or TypeError when the parts of the model do not fit together.
 */
export function writeSafetensors(model: SavedModel): Uint8Array {
  const metadata = { [METADATA_KEY]: encodeMetadata(model) };
  return writeTensorFile(Object.entries(networkTensors(model.network)), metadata);
}

/**
 * Reads what {@link writeSafetensors} wrote.
 *
 * @param file its name, for messages.
 * @throws DataError when the bytes are not such a file.
 */
export function readSafetensors(bytes: Uint8Array, file: string): SavedModel {
  const { metadata, tensors } = readTensorFile(bytes, file, ["F64"]);
  const network = networkOfTensors(tensors as ReadonlyMap<string, Tensor>, file);
  return decodeMetadata(metadata.get(METADATA_KEY), network, file);
}
