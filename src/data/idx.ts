import { DataError } from "../base/errors.ts";

/** A type of entries: its size in bytes, and how one is read (largest byte first). */
interface EntryType {
  readonly size: number;
  read(view: DataView, offset: number): number;
}

const TYPES: Readonly<Record<number, EntryType>> = {
  8: { size: 1, read: (view, offset) => view.getUint8(offset) },
  9: { size: 1, read: (view, offset) => view.getInt8(offset) },
  11: { size: 2, read: (view, offset) => view.getInt16(offset) },
  12: { size: 4, read: (view, offset) => view.getInt32(offset) },
  13: { size: 4, read: (view, offset) => view.getFloat32(offset) },
  14: { size: 8, read: (view, offset) => view.getFloat64(offset) },
};

/** Whether the bytes begin like an idx file: two zeros, a type, a number of dimensions. */
export function isIdx(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0 && bytes[1] === 0 && TYPES[bytes[2]] !== undefined && bytes[3] > 0;
}

/**
 * Reads an idx file, the format of the MNIST images and labels (bytes, short and long integers, f4 and f8).
 *
 * @param file named in errors.
 * @returns one array of n entries for each entry of a sample: the n x r x c images give r c of them, row after row.
 * @throws DataError when the header is damaged or the length does not fit it.
 */
export function readIdx(bytes: Uint8Array, file: string): Float64Array[] {
  const damaged = (what: string): DataError =>
    new DataError(`damaged idx file: ${what}`, {
      code: "damaged-idx",
      hint: "it may be cut short: copy or download it again",
      place: { file },
    });
  const type = isIdx(bytes) ? TYPES[bytes[2]] : undefined;
  if (type === undefined) throw damaged("the header is not one");
  const dimensions = bytes[3];
  const start = 4 + 4 * dimensions;
  if (bytes.length < start) throw damaged("the header is cut short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: dimensions }, (_, axis) => view.getUint32(4 + 4 * axis));
  const count = shape.reduce((product, length) => product * length, 1);
  if (count * type.size !== bytes.length - start) {
    throw damaged(`shape (${shape.join(", ")}) does not fit ${bytes.length - start} bytes`);
  }
  if (count === 0) {
    throw new DataError(`"${file}" has shape (${shape.join(", ")}): it is empty`, {
      code: "empty-file",
      hint: "expected samples with at least one entry",
      place: { file },
    });
  }
  const rows = shape[0]!;
  const columns = Array.from({ length: count / rows }, () => new Float64Array(rows));
  let offset = start;
  for (let i = 0; i < rows; i++) {
    for (const column of columns) {
      column[i] = type.read(view, offset);
      offset += type.size;
    }
  }
  return columns;
}
