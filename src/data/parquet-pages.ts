import type { ColumnMetaData, DecodedArray, Encoding, PageHeader, ParquetType, SchemaElement } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import { decompressPage } from "hyparquet/src/datapage.js";
import { deltaBinaryUnpack, deltaByteArray, deltaLengthByteArray } from "hyparquet/src/delta.js";
import { byteStreamSplit, readRleBitPackedHybrid } from "hyparquet/src/encoding.js";
import { readPlain } from "hyparquet/src/plain.js";
import { compressors, decompressZstd } from "hyparquet-compressors";
import { unpack } from "../platform/index.ts";
import { Cursor, passDeltas, passRuns, passStruct } from "./parquet-guard.ts";

/** A page of a column that is not nested. */
export interface DataPage {
  readonly rows: number;
  /** One entry a row, 0 where the value is missing; null when the column cannot have missing values. */
  readonly present: Uint8Array | null;
  /** The present values as stored, or their indices in the dictionary. */
  readonly values: DecodedArray;
  readonly dictionary: DecodedArray | null;
}

/** How pages are decompressed; each decoder is bounded by the size that the page announces. */
export const CODECS: typeof compressors = {
  ...compressors,
  GZIP: (input, size) => unpack("gzip", input, size),
  BROTLI: (input, size) => unpack("brotli", input, size),
  ZSTD: (input, size) => decompressZstd(input, new Uint8Array(size)),
};

/** Pages above these sizes are not read; the usual writers begin a new one after 1 MiB or 20,000 rows. */
const MOST_PAGE_BYTES = 2 ** 28;
const MOST_PAGE_ROWS = 2 ** 25;
/** hyparquet unpacks wider dictionary indices wrongly. */
const WIDEST_INDEX = 24;

/**
 * The pages of a column chunk in order.
 *
 * @param bytes the whole file.
 * @param rows how many rows the pages must have together.
 * @throws Error of any kind when the chunk is damaged.
 */
export function* dataPages(
  bytes: Uint8Array,
  chunk: ColumnMetaData,
  element: SchemaElement,
  rows: number,
): Generator<DataPage> {
  const cursor = new Cursor(bytes, Number(chunk.dictionary_page_offset || chunk.data_page_offset));
  let dictionary: DecodedArray | null = null;
  for (let done = 0; done < rows; ) {
    // 1. Header.
    const headerStart = cursor.at;
    passStruct(cursor);
    const header = parquetHeader({ view: viewOf(bytes.subarray(headerStart, cursor.at)), offset: 0 });
    const packedStart = cursor.at;
    cursor.skip(header.compressed_page_size);
    const packed = bytes.subarray(packedStart, cursor.at);

    // 2. Dictionary, or rows.
    if (header.type === "INDEX_PAGE") continue;
    if (header.type === "DICTIONARY_PAGE") {
      const body = decompressed(packed, header.uncompressed_page_size, chunk);
      dictionary = plainValues(body, chunk.type, header.dictionary_page_header?.num_values ?? -1, element.type_length);
      continue;
    }
    const { count, encoding, levels, body } = pageParts(header, packed, chunk, element);
    if (!(count > 0 && count <= rows - done && count <= MOST_PAGE_ROWS)) {
      throw new RangeError("a page has an impossible number of rows");
    }
    const present = levels === null ? null : decodeRuns(levels, 1, new Uint8Array(count));
    if (present?.some((level) => level > 1)) throw new RangeError("a page has impossible levels");
    const known = present === null ? count : present.reduce((sum, level) => sum + level, 0);
    const indexed = encoding === "PLAIN_DICTIONARY" || encoding === "RLE_DICTIONARY";
    if (indexed && dictionary === null) throw new RangeError("a page refers to a dictionary that is not there");
    const values = decodeValues(body, encoding, chunk.type, known, element.type_length);
    yield { rows: count, present, values, dictionary: indexed ? dictionary : null };
    done += count;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function decompressed(packed: Uint8Array, size: number, { codec }: ColumnMetaData): Uint8Array {
  if (!(size >= 0 && size <= MOST_PAGE_BYTES)) throw new RangeError(`a page promises ${size} bytes`);
  if (size === 0) return new Uint8Array(0);
  return decompressPage(packed, size, codec, CODECS);
}

interface PageParts {
  readonly count: number;
  readonly encoding: Encoding;
  /** Runs of definition levels; null when the column is required. */
  readonly levels: Uint8Array | null;
  readonly body: Uint8Array;
}

/** Levels and values of a page: format 1 compresses both together, format 2 only the values. */
function pageParts(header: PageHeader, packed: Uint8Array, chunk: ColumnMetaData, element: SchemaElement): PageParts {
  const optional = element.repetition_type === "OPTIONAL";
  const { data_page_header: first, data_page_header_v2: second, uncompressed_page_size: size } = header;
  if (header.type === "DATA_PAGE_V2" && second !== undefined) {
    const start = second.repetition_levels_byte_length;
    const end = start + second.definition_levels_byte_length;
    if (!(start >= 0 && start <= end && end <= packed.length)) throw new RangeError("a page is cut short");
    const values = packed.subarray(end);
    return {
      count: second.num_values,
      encoding: second.encoding,
      levels: optional ? packed.subarray(start, end) : null,
      body: second.is_compressed === false ? values : decompressed(values, size - end, chunk),
    };
  }
  if (header.type !== "DATA_PAGE" || first === undefined) throw new RangeError("a page is of an unknown kind");
  const body = decompressed(packed, size, chunk);
  const head = { count: first.num_values, encoding: first.encoding };
  if (!optional) return { ...head, levels: null, body };
  const end = 4 + viewOf(body).getUint32(0, true);
  if (end > body.length) throw new RangeError("a page is cut short");
  return { ...head, levels: body.subarray(4, end), body: body.subarray(end) };
}

/** Fills `out` with the values of the hybrid of runs and bit-packed groups. */
function decodeRuns<T extends Uint8Array | Int32Array>(bytes: Uint8Array, bitWidth: number, out: T): T {
  passRuns(new Cursor(bytes), bitWidth, out.length);
  readRleBitPackedHybrid({ view: viewOf(bytes), offset: 0 }, bitWidth, out, bytes.length);
  return out;
}

function decodeValues(
  body: Uint8Array,
  encoding: Encoding,
  type: ParquetType,
  count: number,
  typeLength: number | undefined,
): DecodedArray {
  if (count === 0) return [];
  const reader = { view: viewOf(body), offset: 0 };
  switch (encoding) {
    case "PLAIN":
      return plainValues(body, type, count, typeLength);
    case "PLAIN_DICTIONARY":
    case "RLE_DICTIONARY": {
      const bitWidth = reader.view.getUint8(0);
      if (bitWidth > WIDEST_INDEX) throw new RangeError("its dictionary is too large");
      const indices = new Int32Array(count);
      return bitWidth === 0 ? indices : decodeRuns(body.subarray(1), bitWidth, indices);
    }
    case "RLE": {
      const end = 4 + reader.view.getUint32(0, true);
      return decodeRuns(body.subarray(4, end), 1, new Uint8Array(count));
    }
    case "BYTE_STREAM_SPLIT":
      if (count * (typeLength ?? 1) > body.length) throw new RangeError("a page is cut short");
      return byteStreamSplit(reader, count, type, typeLength);
    case "DELTA_BINARY_PACKED": {
      passDeltas(new Cursor(body), type === "INT32" ? 32 : 64, count);
      const integers = type === "INT32" ? new Int32Array(count) : new BigInt64Array(count);
      deltaBinaryUnpack(reader, count, integers);
      return integers;
    }
    case "DELTA_LENGTH_BYTE_ARRAY": {
      passDeltas(new Cursor(body), 32, count);
      const texts = new Array<Uint8Array>(count);
      deltaLengthByteArray(reader, count, texts);
      return texts;
    }
    case "DELTA_BYTE_ARRAY": {
      checkPrefixes(body, count);
      const texts = new Array<Uint8Array>(count);
      deltaByteArray(reader, count, texts);
      return texts;
    }
    default:
      throw new RangeError(`its encoding ${encoding} is not read`);
  }
}

/** Values stored as they are; each takes a bit at least. */
function plainValues(body: Uint8Array, type: ParquetType, count: number, typeLength: number | undefined): DecodedArray {
  if (!(count >= 0 && count <= 8 * body.length)) throw new RangeError("a page is cut short");
  return readPlain({ view: viewOf(body), offset: 0 }, type, count, typeLength);
}

/** Texts stored as the length of the prefix shared with the one before, and the rest: they may not explode. */
function checkPrefixes(body: Uint8Array, count: number): void {
  const cursor = new Cursor(body);
  passDeltas(cursor, 32, count);
  passDeltas(cursor, 32, count);
  const reader = { view: viewOf(body), offset: 0 };
  const prefixes = new Int32Array(count);
  const suffixes = new Int32Array(count);
  deltaBinaryUnpack(reader, count, prefixes);
  deltaBinaryUnpack(reader, count, suffixes);
  let length = 0;
  let total = 0;
  for (let i = 0; i < count; i++) {
    if (!(prefixes[i] >= 0 && prefixes[i] <= length && suffixes[i] >= 0)) throw new RangeError("a text is impossible");
    length = prefixes[i] + suffixes[i];
    total += length;
  }
  if (total > MOST_PAGE_BYTES) throw new RangeError("the texts of a page are too large");
}
