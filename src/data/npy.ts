import { DataError } from "../base/errors.ts";

/** A dense array in C order (last axis fastest). */
export interface NpyArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

const MAGIC = "\x93NUMPY";
const ALIGNMENT = 64;
const littleEndianHost = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Whether the bytes begin like an npy file. */
export function isNpy(bytes: Uint8Array): boolean {
  return [...MAGIC].every((character, i) => bytes[i] === character.charCodeAt(0));
}

/** The values as little-endian bytes (a view where the machine stores them so). */
export function littleEndianBytes(values: Float64Array | Float32Array): Uint8Array {
  if (littleEndianHost) return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const view = new DataView(new ArrayBuffer(values.byteLength));
  values.forEach((value, i) => {
    if (values instanceof Float32Array) view.setFloat32(4 * i, value, true);
    else view.setFloat64(8 * i, value, true);
  });
  return new Uint8Array(view.buffer);
}

/** The values of little-endian bytes (a view where the machine stores them so, in f64). */
export function littleEndianValues(bytes: Uint8Array<ArrayBuffer>, type: "f4" | "f8" = "f8"): Float64Array {
  if (type === "f4") {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Float64Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
  }
  if (littleEndianHost && bytes.byteOffset % 8 === 0)
    return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: bytes.length / 8 }, (_, i) => view.getFloat64(8 * i, true));
}

type Reader = (view: DataView, offset: number, littleEndian: boolean) => number | bigint;

const READERS: Readonly<Record<string, Reader>> = {
  f4: (view, offset, little) => view.getFloat32(offset, little),
  f8: (view, offset, little) => view.getFloat64(offset, little),
  i1: (view, offset) => view.getInt8(offset),
  i2: (view, offset, little) => view.getInt16(offset, little),
  i4: (view, offset, little) => view.getInt32(offset, little),
  i8: (view, offset, little) => view.getBigInt64(offset, little),
  u1: (view, offset) => view.getUint8(offset),
  u2: (view, offset, little) => view.getUint16(offset, little),
  u4: (view, offset, little) => view.getUint32(offset, little),
  u8: (view, offset, little) => view.getBigUint64(offset, little),
  b1: (view, offset) => (view.getUint8(offset) === 0 ? 0 : 1),
};

/**
 * Reads an npy file (format 1 to 3; f4, f8, integers of 1 to 8 bytes, bool; either byte order; C or Fortran order).
 *
 * @param file named in errors.
 * @throws DataError when the header is damaged, the type is another one, the length does not fit the shape, or an
 * integer is not exact in f64.
 */
export function readNpy(bytes: Uint8Array, file: string): NpyArray {
  const fail = (message: string, code: string, hint: string): DataError =>
    new DataError(message, { code, hint, place: { file } });
  const damaged = (what: string): DataError =>
    fail(`damaged npy file: ${what}`, "damaged-npy", "write it again with numpy.save");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

  // 1. Header: magic, version, length of a Python dict, the dict.
  const version = bytes[6]!;
  const textStart = version === 1 ? 10 : 12;
  if (!isNpy(bytes) || bytes.length < textStart) throw damaged("the header is cut short");
  if (version < 1 || version > 3)
    throw fail(`npy format ${version} is not known`, "npy-version", "formats 1 to 3 are read");
  const start = textStart + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (start > bytes.length) throw damaged("the header is cut short");
  const header = new TextDecoder().decode(bytes.subarray(textStart, start));
  const descr = /['"]descr['"]\s*:\s*(?:['"]([<>|=]?)([^'"]*)['"]|\[)/.exec(header);
  const order = /['"]fortran_order['"]\s*:\s*(True|False)/.exec(header)?.[1];
  const shapeText = /['"]shape['"]\s*:\s*\(([\d\sL,]*)\)/.exec(header)?.[1];
  if (descr === null || order === undefined || shapeText === undefined)
    throw damaged("the header has no type, order or shape");

  // 2. Type and shape.
  const type = descr[2] ?? "a record";
  const read = Object.hasOwn(READERS, type) ? READERS[type] : undefined;
  if (read === undefined) {
    throw fail(
      `npy type "${type}" is not read`,
      "npy-type",
      "save the array as float64: numpy.save(file, a.astype(float))",
    );
  }
  const littleEndian = descr[1] !== ">";
  const size = Number(type[1]);
  const shape = shapeText
    .split(",")
    .map((length) => length.trim().replace(/L$/, ""))
    .filter((length) => length !== "")
    .map(Number);
  const count = shape.reduce((product, length) => product * length, 1);
  if (!shape.every(Number.isSafeInteger) || count * size !== bytes.length - start) {
    throw damaged(`shape (${shape.join(", ")}) of ${type} does not fit ${bytes.length - start} bytes`);
  }

  // 3. Entries.
  const data = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const entry = read(view, start + i * size, littleEndian);
    data[i] = Number(entry);
    if (typeof entry === "bigint" && BigInt(data[i]!) !== entry) {
      throw fail(`the integer ${entry} is not exact as a float64`, "inexact-integer", "save the array as float64");
    }
  }
  return { shape, data: order === "True" ? fromFortranOrder(shape, data) : data };
}

/** Entries stored first axis fastest, as stored last axis fastest. */
function fromFortranOrder(shape: readonly number[], data: Float64Array): Float64Array {
  const out = new Float64Array(data.length);
  const index = shape.map(() => 0);
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, length) => product * length, 1));
  let from = 0;
  for (let i = 0; i < out.length; i++) {
    out[i] = data[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/** The header of an npy file (format 1, little-endian, C order); the entries follow it. */
export function npyHeader(shape: readonly number[], type: "f4" | "f8" = "f8"): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const dict = `{'descr': '<${type}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const start = Math.ceil((MAGIC.length + 4 + dict.length + 1) / ALIGNMENT) * ALIGNMENT;
  const text = `${dict.padEnd(start - MAGIC.length - 4 - 1)}\n`;
  const bytes = new Uint8Array(start);
  [...MAGIC].forEach((character, i) => {
    bytes[i] = character.charCodeAt(0);
  });
  bytes[6] = 1;
  new DataView(bytes.buffer).setUint16(8, text.length, true);
  bytes.set(new TextEncoder().encode(text), 10);
  return bytes;
}

/**
 * The bytes of an npy file (format 1, little-endian f8, C order).
 *
 * @throws RangeError when the shape does not have as many entries as the data.
 */
export function writeNpy({ shape, data }: NpyArray): Uint8Array {
  if (shape.reduce((product, length) => product * length, 1) !== data.length) {
    throw new RangeError(`shape (${shape.join(", ")}) does not have ${data.length} entries`);
  }
  const header = npyHeader(shape);
  const bytes = new Uint8Array(header.length + 8 * data.length);
  bytes.set(header);
  bytes.set(littleEndianBytes(data), header.length);
  return bytes;
}
