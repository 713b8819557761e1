/**
 * Checks of Parquet bytes before hyparquet decodes them. It trusts the counts and lengths it meets, so that a damaged
 * file could make it loop for hours or fill the memory. Everything here throws RangeError at the first impossible one.
 */

/** Deeper structures than any Parquet footer has. */
const DEEPEST = 32;
/** Bytes of the longest variable-length integer, of 64 bits. */
const LONGEST_VARINT = 10;
/** Writers may fill up the last run of a page by so many values. */
const PADDING = 512;

/** A position in bytes that never passes their end. */
export class Cursor {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  at: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#end = end;
    this.at = at;
    if (!(at >= 0 && at <= end && end <= bytes.length)) throw new RangeError("a part of it lies outside");
  }

  get left(): number {
    return this.#end - this.at;
  }

  byte(): number {
    this.skip(1);
    return this.#bytes[this.at - 1];
  }

  /** @throws RangeError beyond the end. */
  skip(count: number): void {
    if (!(count >= 0 && count <= this.left)) throw new RangeError("a part of it is cut short");
    this.at += count;
  }

  /** Unsigned LEB128; above 2^53 not exact. */
  varint(): number {
    let value = 0;
    for (let k = 0; k < LONGEST_VARINT; k++) {
      const byte = this.byte();
      value += (byte & 127) * 2 ** (7 * k);
      if (byte < 128) return value;
    }
    throw new RangeError("an integer is too long");
  }
}

/** Passes a struct in Thrift's compact protocol: every list must have the elements, every text the bytes it promises. */
export function passStruct(cursor: Cursor, depth = 0): void {
  if (depth > DEEPEST) throw new RangeError("its header is nested too deep");
  for (let head = cursor.byte(); head !== 0; head = cursor.byte()) {
    if (head >> 4 === 0) cursor.varint();
    const type = head & 15;
    // A boolean field is its own value; in a list it takes a byte.
    if (type !== 1 && type !== 2) passValue(cursor, type, depth);
  }
}

function passValue(cursor: Cursor, type: number, depth: number): void {
  switch (type) {
    case 1:
    case 2:
    case 3:
      cursor.skip(1);
      break;
    case 4:
    case 5:
    case 6:
      cursor.varint();
      break;
    case 7:
      cursor.skip(8);
      break;
    case 8:
      cursor.skip(cursor.varint());
      break;
    case 9: {
      const head = cursor.byte();
      const size = head >> 4 === 15 ? cursor.varint() : head >> 4;
      if (depth > DEEPEST) throw new RangeError("its header is nested too deep");
      for (let i = 0; i < size; i++) passValue(cursor, head & 15, depth + 1);
      break;
    }
    case 12:
      passStruct(cursor, depth + 1);
      break;
    default:
      throw new RangeError("its header has a field of an unknown type");
  }
}

/** Passes `count` values of the hybrid of runs and bit-packed groups. */
export function passRuns(cursor: Cursor, bitWidth: number, count: number): void {
  for (let seen = 0; seen < count; ) {
    const head = cursor.varint();
    const packed = head % 2 === 1;
    const values = packed ? 8 * Math.floor(head / 2) : head / 2;
    if (values > count - seen + PADDING) throw new RangeError("a run has more values than its page");
    cursor.skip(packed ? (values / 8) * bitWidth : Math.ceil(bitWidth / 8));
    seen += values;
  }
}

/** Passes `count` integers of at most `mostBits` bits in the delta encoding. */
export function passDeltas(cursor: Cursor, mostBits: number, count: number): void {
  const block = cursor.varint();
  const parts = cursor.varint();
  const total = cursor.varint();
  cursor.varint();
  const values = block / parts;
  if (total !== count || !(values > 0) || values % 32 !== 0)
    throw new RangeError("a block of differences is impossible");
  for (let left = count - 1; left > 0; ) {
    cursor.varint();
    const widths = Array.from({ length: Math.min(parts, cursor.left + 1) }, () => cursor.byte());
    for (const width of widths) {
      if (left <= 0) break;
      if (width > mostBits) throw new RangeError("a block of differences is impossible");
      cursor.skip((values / 8) * width);
      left -= values;
    }
  }
}
