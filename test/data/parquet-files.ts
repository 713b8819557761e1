/** Parquet files put together by hand, to be wrong in one place. */

type Thrift = { readonly [field: number]: number | bigint | string | readonly Thrift[] | readonly string[] | Thrift };

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

function zigzag(value: bigint): number[] {
  return varint(value >= 0n ? 2n * value : -2n * value - 1n);
}

/** Thrift's compact protocol: number = i32, bigint = i64, string = binary, arrays of structs or strings, structs. */
function struct(fields: Thrift): number[] {
  const bytes: number[] = [];
  let last = 0;
  for (const [key, value] of Object.entries(fields)) {
    const delta = (Number(key) - last) << 4;
    last = Number(key);
    if (typeof value === "number") bytes.push(delta | 5, ...zigzag(BigInt(value)));
    else if (typeof value === "bigint") bytes.push(delta | 6, ...zigzag(value));
    else if (typeof value === "string") bytes.push(delta | 8, ...text(value));
    else if (!Array.isArray(value)) bytes.push(delta | 12, ...struct(value as Thrift));
    else {
      const strings = typeof value[0] === "string";
      const items = value.flatMap((item) => (strings ? text(item as string) : struct(item as Thrift)));
      bytes.push(delta | 9, 0xf0 | (strings ? 8 : 12), ...varint(BigInt(value.length)), ...items);
    }
  }
  return [...bytes, 0];
}

function text(value: string): number[] {
  const bytes = Buffer.from(value);
  return [...varint(BigInt(bytes.length)), ...bytes];
}

/** Numbers of the format's enumerations. */
export const INT32 = 1;
export const INT64 = 2;
export const TEXT = 6;
export const FIXED = 7;
export const PLAIN = 0;
export const RLE_DICTIONARY = 8;
export const DELTA = 5;
export const DELTA_TEXT = 7;
export const SNAPPY = 1;
export const GZIP = 2;
export const LZO = 3;
export const BROTLI = 4;
export const ZSTD = 6;

export interface Page {
  /** 0 = data, 2 = dictionary. */
  readonly kind?: 0 | 2;
  readonly encoding?: number;
  /** What the header says of values and size; by default 1, and the truth. */
  readonly values?: number;
  readonly unpacked?: number;
  readonly body: readonly number[];
}

/** A file with one required column `a` of one row, unless told otherwise. */
export interface HandMade {
  readonly type?: number;
  readonly schema?: Thrift;
  readonly name?: string;
  readonly rows?: bigint;
  readonly groupRows?: bigint;
  readonly codec?: number;
  readonly offset?: bigint;
  readonly pages?: readonly Page[];
}

export function parquet(file: HandMade): Uint8Array {
  const { type = INT32, schema = {}, name = "a", rows = 1n, groupRows = rows, codec = 0, offset = 4n } = file;
  const pages = (file.pages ?? [{ body: [7, 0, 0, 0] }]).flatMap((page): number[] => {
    const { kind = 0, encoding = PLAIN, values = 1, body, unpacked = body.length } = page;
    const head = kind === 0 ? { 5: { 1: values, 2: encoding, 3: 3, 4: 3 } } : { 7: { 1: values, 2: encoding } };
    return [...struct({ 1: kind, 2: unpacked, 3: body.length, ...head }), ...body];
  });
  const column = { 1: type, 2: [], 3: [name], 4: codec, 5: groupRows, 6: 99n, 7: BigInt(pages.length), 9: offset };
  const footer = struct({
    1: 1,
    2: [
      { 4: "schema", 5: 1 },
      { 1: type, 3: 0, 4: name, ...schema },
    ],
    3: rows,
    4: [{ 1: [{ 2: 4n, 3: column }], 2: 99n, 3: groupRows }],
  });
  return framed([...pages], footer);
}

/** Bytes with the marks of a Parquet file around them. */
export function framed(content: readonly number[], footer: readonly number[], magic = "PAR1"): Uint8Array {
  const mark = [...Buffer.from(magic)];
  const length = [...new Uint8Array(new Uint32Array([footer.length]).buffer)];
  return new Uint8Array([...Buffer.from("PAR1"), ...content, ...footer, ...length, ...mark]);
}
