import { z } from "zod";
import type { DataError } from "../base/errors.ts";
import { decodeFloats, encodeFloats } from "./floats.ts";
import { firstIssue, formatJson, parseJson } from "./json.ts";
import { damaged, foreign } from "./saved-model.ts";

/** An array of a safetensors file: float64 or float32. */
export interface FileTensor {
  readonly shape: readonly number[];
  readonly data: Float64Array | Float32Array;
}

/** The names of types in a file. */
type FileType = "F64" | "F32";

const SIZES = { F64: 8, F32: 4 } as const;
const LENGTH_BYTES = 8;
/** The header is padded to whole words, so that readers that map the file find numbers aligned. */
const ALIGNMENT = 8;
const MOST_DIMENSIONS = 8;

const count = z.int().nonnegative();
const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(count).max(MOST_DIMENSIONS),
  data_offsets: z.tuple([count, count]),
});
type Entry = z.infer<typeof entrySchema>;

const headerSchema = z.looseObject({
  __metadata__: z
    .record(z.string(), z.unknown())
    .refine((metadata) => Object.values(metadata).every((value) => typeof value === "string"), "not all text")
    .default({}),
});

/** Tensors and texts as a safetensors file. Format: https://github.com/huggingface/safetensors#format. */
export function writeTensorFile(
  tensors: readonly (readonly [string, FileTensor])[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const [name, { shape, data }] of tensors) {
    const dtype: FileType = data instanceof Float32Array ? "F32" : "F64";
    const begin = end;
    end += data.length * SIZES[dtype];
    header[name] = { dtype, shape, data_offsets: [begin, end] };
  }
  const json = new TextEncoder().encode(formatJson(header));
  const headerLength = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(LENGTH_BYTES + headerLength + end).fill(0x20, LENGTH_BYTES, LENGTH_BYTES + headerLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.set(json, LENGTH_BYTES);
  let offset = LENGTH_BYTES + headerLength;
  for (const [, { data }] of tensors) {
    const encoded = encodeFloats(data, data instanceof Float32Array ? 4 : 8);
    bytes.set(encoded, offset);
    offset += encoded.length;
  }
  return bytes;
}

/**
 * Reads a safetensors file of floats.
 *
 * @param file its name, for messages.
 * @param types the types that its tensors may have.
 * @throws DataError when the bytes are not such a file.
 */
export function readTensorFile(
  bytes: Uint8Array,
  file: string,
  types: readonly FileType[],
): { readonly metadata: ReadonlyMap<string, string>; readonly tensors: ReadonlyMap<string, FileTensor> } {
  if (bytes.length < LENGTH_BYTES) throw damaged(file, `it has ${bytes.length} bytes`);
  const headerLength = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (headerLength > BigInt(bytes.length - LENGTH_BYTES)) {
    throw damaged(file, `its header should have ${headerLength} bytes, the file has ${bytes.length}`);
  }
  const dataStart = LENGTH_BYTES + Number(headerLength);
  const { metadata, entries } = readHeader(bytes.subarray(LENGTH_BYTES, dataStart), file);
  return { metadata, tensors: readTensors(entries, bytes.subarray(dataStart), file, types) };
}

function readHeader(
  bytes: Uint8Array,
  file: string,
): { metadata: ReadonlyMap<string, string>; entries: [string, Entry][] } {
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
  return { metadata: new Map(Object.entries(metadata) as [string, string][]), entries };
}

function readTensors(
  entries: [string, Entry][],
  data: Uint8Array,
  file: string,
  types: readonly FileType[],
): Map<string, FileTensor> {
  const tensors = new Map<string, FileTensor>();
  const wrong = (name: string, what: string): DataError => damaged(file, `tensor "${name}" ${what}`);
  // In order of their bytes, tensors must follow each other without overlap or hole, from the first byte to the last.
  entries.sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1]);
  let position = 0;
  for (const [name, { dtype, shape, data_offsets }] of entries) {
    const [begin, end] = data_offsets;
    const type = types.find((known) => known === dtype);
    if (type === undefined) throw foreign(file, `tensor "${name}" has type ${dtype}, not ${types.join(" or ")}`);
    if (begin !== position || end < begin) throw wrong(name, `is at bytes ${begin} to ${end}, expected at ${position}`);
    if (end > data.length) throw wrong(name, `ends at byte ${end} of ${data.length}`);
    // As big integers the product is exact, however large the dimensions claim to be.
    const length = shape.reduce((product, size) => product * BigInt(size), BigInt(SIZES[type]));
    if (length !== BigInt(end - begin)) throw wrong(name, `has shape [${shape}] and ${end - begin} bytes`);
    const values = decodeFloats(data.subarray(begin, end), SIZES[type]);
    tensors.set(name, { shape, data: type === "F32" ? Float32Array.from(values) : values });
    position = end;
  }
  if (position !== data.length) throw damaged(file, `its tensors end at byte ${position} of ${data.length}`);
  return tensors;
}
