import { fromBinary } from "@bufbuild/protobuf";
import type { DataError } from "../base/errors.ts";
import { decodeFloats } from "./floats.ts";
import {
  BOOL,
  checkWire,
  DOUBLE,
  FLOAT,
  INT32,
  INT64,
  type Initializer,
  type Model,
  ModelSchema,
} from "./onnx-schema.ts";
import { damaged } from "./saved-model.ts";

/** A constant of a graph: numbers, integers as they are, true as 1. */
export interface Constant {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** How a graph is refused that is not what is read: says why. */
export type Refuse = (why: string) => DataError;

/** The bytes of a file that tensors are kept in, by its path relative to the model. */
export type ReadExternal = (location: string) => Uint8Array;

/** Most numbers of a tensor of a file. */
const MOST_NUMBERS = 2 ** 28;

/**
 * Decodes a file whose graph is wanted.
 *
 * @throws DataError when the bytes are no ONNX file; what `refuse` makes when it has no graph.
 */
export function decodeModel(bytes: Uint8Array, file: string, refuse: Refuse): Model & Required<Pick<Model, "graph">> {
  let model: Model;
  try {
    checkWire(bytes);
    model = fromBinary(ModelSchema, bytes, { readUnknownFields: false });
  } catch (error) {
    throw damaged(file, `it is not an ONNX file (${(error as Error).message})`);
  }
  const { graph } = model;
  if (graph === undefined) throw refuse("it has no graph");
  return Object.assign(model, { graph });
}

const BYTES: ReadonlyMap<number, number> = new Map([
  [FLOAT, 4],
  [DOUBLE, 8],
  [INT32, 4],
  [INT64, 8],
  [BOOL, 1],
]);

/**
 * The numbers of a tensor.
 *
 * @param external reads files that tensors are kept in; without it such tensors are refused.
 * @returns null for a type that is none of float32, float64, int32, int64 and bool.
 * @throws DataError when it is damaged, too large, not finite, or kept in a file that cannot be read.
 */
export function constantOf(tensor: Initializer, file: string, external?: ReadExternal): Constant | null {
  const { name, dims, dataType } = tensor;
  const bytes = BYTES.get(dataType);
  if (bytes === undefined) return null;
  const shape = dims.map(Number);
  const wrong = (what: string): DataError => damaged(file, `tensor "${name}" ${what}`);
  const count = shape.reduce((product, length) => product * length, 1);
  if (shape.some((length) => length < 0) || count > MOST_NUMBERS) throw wrong(`has shape [${shape.slice(0, 8)}]`);
  const raw = tensor.dataLocation === 0 ? tensor.rawData : externalBytes(tensor, file, external);
  if (raw.length % bytes !== 0) throw wrong(`has ${raw.length} bytes`);
  const data = raw.length > 0 ? decodeNumbers(raw, dataType) : listedNumbers(tensor);
  if (data.length !== count) throw wrong(`has shape [${shape.slice(0, 8)}] and ${data.length} numbers`);
  if (!data.every(Number.isFinite)) throw wrong("has a number that is not finite");
  return { shape, data };
}

function decodeNumbers(raw: Uint8Array, dataType: number): Float64Array {
  if (dataType === FLOAT || dataType === DOUBLE) return decodeFloats(raw, dataType === DOUBLE ? 8 : 4);
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const size = BYTES.get(dataType)!;
  return Float64Array.from({ length: raw.length / size }, (_, k) => {
    if (dataType === BOOL) return raw[k];
    return dataType === INT32 ? view.getInt32(4 * k, true) : Number(view.getBigInt64(8 * k, true));
  });
}

function listedNumbers({ dataType, floatData, doubleData, int32Data, int64Data }: Initializer): Float64Array {
  if (dataType === FLOAT) return Float64Array.from(floatData);
  if (dataType === DOUBLE) return Float64Array.from(doubleData);
  return dataType === INT64 ? Float64Array.from(int64Data, Number) : Float64Array.from(int32Data);
}

/** The bytes of a tensor in another file, which must lie in the model's folder or below. */
function externalBytes({ name, externalData }: Initializer, file: string, external?: ReadExternal): Uint8Array {
  const wrong = (what: string): DataError => damaged(file, `tensor "${name}" ${what}`);
  if (external === undefined) throw wrong("is kept in another file");
  const entries = new Map(externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location") ?? "";
  const parts = location.split("/");
  if (location === "" || /[\\:\p{Cc}]/u.test(location) || parts.some((part) => part === ".." || part === "")) {
    throw wrong(`is kept in "${location}", which is not in the folder of the model`);
  }
  const bytes = external(location);
  const number = (key: string, otherwise: number): number => {
    const text = entries.get(key);
    if (text === undefined) return otherwise;
    if (!/^\d{1,15}$/.test(text)) throw wrong(`is kept at ${key} "${text}"`);
    return Number(text);
  };
  const offset = number("offset", 0);
  const length = number("length", bytes.length - offset);
  if (length < 0 || offset + length > bytes.length) {
    throw wrong(`is kept at bytes ${offset} to ${offset + length} of "${location}", which has ${bytes.length}`);
  }
  return bytes.subarray(offset, offset + length);
}
