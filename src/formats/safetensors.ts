import { z } from "zod";
import type { DataError } from "../base/errors.ts";
import { decodeFloats, encodeFloats } from "./floats.ts";
import { firstIssue, formatJson, parseJson } from "./json.ts";
import {
  damaged,
  decodeMetadata,
  encodeMetadata,
  foreign,
  METADATA_KEY,
  networkOfTensors,
  networkTensors,
  type SavedModel,
  type Tensor,
} from "./saved-model.ts";

const LENGTH_BYTES = 8;
const ITEM_BYTES = 8;

const count = z.int().nonnegative();
const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(count).max(2),
  data_offsets: z.tuple([count, count]),
});
type Entry = z.infer<typeof entrySchema>;

const headerSchema = z.looseObject({
  __metadata__: z
    .record(z.string(), z.unknown())
    .refine((metadata) => Object.values(metadata).every((value) => typeof value === "string"), "not all text")
    .default({}),
});

/**
 * The model as a safetensors file: the weights exactly (F64), and preprocessing and target as JSON in the metadata.
 *
 * Tensors: `U` m x d, `b` m, `W` m x c, `c0` c; gated also `G` m x d, `h` m.
 * Format: https://github.com/huggingface/safetensors#format.
 *
 * @throws RangeError or TypeError when the parts of the model do not fit together.
 */
export function writeSafetensors(model: SavedModel): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { [METADATA_KEY]: encodeMetadata(model) } };
  const tensors = Object.entries(networkTensors(model.network));
  let end = 0;
  for (const [name, { shape, data }] of tensors) {
    const begin = end;
    end += data.length * ITEM_BYTES;
    header[name] = { dtype: "F64", shape, data_offsets: [begin, end] };
  }
  const json = new TextEncoder().encode(formatJson(header));
  // Padding the header with spaces keeps the data 8-byte aligned for readers that map the file.
  const headerLength = Math.ceil(json.length / ITEM_BYTES) * ITEM_BYTES;
  const bytes = new Uint8Array(LENGTH_BYTES + headerLength + end).fill(0x20, LENGTH_BYTES, LENGTH_BYTES + headerLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.set(json, LENGTH_BYTES);
  let offset = LENGTH_BYTES + headerLength;
  for (const [, { data }] of tensors) {
    bytes.set(encodeFloats(data, ITEM_BYTES), offset);
    offset += data.length * ITEM_BYTES;
  }
  return bytes;
}

/**
 * Reads what {@link writeSafetensors} wrote.
 *
 * @param file its name, for messages.
 * @throws DataError when the bytes are not such a file.
 */
export function readSafetensors(bytes: Uint8Array, file: string): SavedModel {
  if (bytes.length < LENGTH_BYTES) throw damaged(file, `it has ${bytes.length} bytes`);
  const headerLength = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (headerLength > BigInt(bytes.length - LENGTH_BYTES)) {
    throw damaged(file, `its header should have ${headerLength} bytes, the file has ${bytes.length}`);
  }
  const dataStart = LENGTH_BYTES + Number(headerLength);
  const { metadata, entries } = readHeader(bytes.subarray(LENGTH_BYTES, dataStart), file);
  const tensors = readTensors(entries, bytes.subarray(dataStart), file);
  return decodeMetadata(metadata, networkOfTensors(tensors, file), file);
}

function readHeader(bytes: Uint8Array, file: string): { metadata: string | undefined; entries: [string, Entry][] } {
  let value: unknown;
  try {
    value = parseJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    throw damaged(file, `its header is not JSON (${(error as Error).message})`);
  }
  const header = headerSchema.safeParse(value);
  if (!header.success) throw damaged(file, `its header is malformed (${firstIssue(header.error)})`);
  const { __metadata__: metadata, ...unchecked } = header.data;
  const entries = Object.entries(unchecked).map(([name, entry]): [string, Entry] => {
    const checked = entrySchema.safeParse(entry);
    if (!checked.success) throw damaged(file, `tensor "${name}" is malformed (${firstIssue(checked.error)})`);
    return [name, checked.data];
  });
  const text = Object.hasOwn(metadata, METADATA_KEY) ? (metadata[METADATA_KEY] as string) : undefined;
  return { metadata: text, entries };
}

function readTensors(entries: [string, Entry][], data: Uint8Array, file: string): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  const wrong = (name: string, what: string): DataError => damaged(file, `tensor "${name}" ${what}`);
  // In order of their bytes, tensors must follow each other without overlap or hole, from the first byte to the last.
  entries.sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1]);
  let position = 0;
  for (const [name, { dtype, shape, data_offsets }] of entries) {
    const [begin, end] = data_offsets;
    if (dtype !== "F64") throw foreign(file, `tensor "${name}" has type ${dtype}, not F64`);
    if (begin !== position || end < begin) throw wrong(name, `is at bytes ${begin} to ${end}, expected at ${position}`);
    if (end > data.length) throw wrong(name, `ends at byte ${end} of ${data.length}`);
    // As big integers the product is exact, however large the dimensions claim to be.
    const length = shape.reduce((product, size) => product * BigInt(size), BigInt(ITEM_BYTES));
    if (length !== BigInt(end - begin)) throw wrong(name, `has shape [${shape}] and ${end - begin} bytes`);
    tensors.set(name, { shape, data: decodeFloats(data.subarray(begin, end), ITEM_BYTES) });
    position = end;
  }
  if (position !== data.length) throw damaged(file, `its tensors end at byte ${position} of ${data.length}`);
  return tensors;
}
