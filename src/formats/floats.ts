/** Bytes of one number: 4 (float32) or 8 (float64). */
export type FloatSize = 4 | 8;

/** The numbers as little-endian IEEE floats, whatever the machine's byte order. */
export function encodeFloats(values: ArrayLike<number>, size: FloatSize): Uint8Array {
  const bytes = new Uint8Array(values.length * size);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) {
    if (size === 4) view.setFloat32(4 * i, values[i] as number, true);
    else view.setFloat64(8 * i, values[i] as number, true);
  }
  return bytes;
}

/** The numbers of little-endian IEEE floats; `bytes` may start at any address and holds a multiple of `size` bytes. */
export function decodeFloats(bytes: Uint8Array, size: FloatSize): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float64Array(bytes.length / size);
  for (let i = 0; i < values.length; i++) {
    values[i] = size === 4 ? view.getFloat32(4 * i, true) : view.getFloat64(8 * i, true);
  }
  return values;
}
