import { readFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readParquet } from "../../src/data/parquet.ts";
import { Cursor, passDeltas, passRuns, passStruct } from "../../src/data/parquet-guard.ts";
import { userError } from "./helpers.ts";
import {
  BROTLI,
  DELTA,
  DELTA_TEXT,
  FIXED,
  framed,
  GZIP,
  type HandMade,
  INT64,
  parquet,
  RLE_DICTIONARY,
  SNAPPY,
  TEXT,
  ZSTD,
} from "./parquet-files.ts";

const FILE = "a.parquet";
const fixtures = ["cells", "encodings", "nested"].map(
  (name) => new Uint8Array(readFileSync(new URL(`../fixtures/${name}.parquet`, import.meta.url))),
);

/** Either a table or a DataError comes out. */
function readOrRefuse(bytes: Uint8Array): void {
  try {
    readParquet(bytes, FILE);
  } catch (error) {
    expect((error as Error).name).toBe("DataError");
  }
}

describe("readParquet, damaged files", () => {
  test("readParquet never fails but with a DataError: changed bytes", () => {
    const edit = fc.tuple(fc.nat(), fc.constantFrom(0, 1, 127, 128, 255), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(fc.constantFrom(...fixtures), fc.array(edit, { minLength: 1, maxLength: 3 }), (good, edits) => {
        const bytes = good.slice();
        for (const [at, common, any] of edits) bytes[at % bytes.length] = any % 2 === 0 ? common : any;
        readOrRefuse(bytes);
      }),
      { numRuns: 1500 },
    );
  });

  test("readParquet refuses every file cut short", () => {
    fc.assert(
      fc.property(fc.constantFrom(...fixtures), fc.nat(), (good, at) => {
        const error = userError(() => readParquet(good.subarray(0, at % good.length), FILE));
        expect([error.name, error.code, error.place]).toEqual(["DataError", "damaged-parquet", { file: FILE }]);
        expect(error.hint).toContain("cut short");
      }),
      { numRuns: 200 },
    );
  });

  const indices = (...body: number[]): HandMade => ({
    rows: 4n,
    pages: [
      { kind: 2, body: [7, 0, 0, 0] },
      { encoding: RLE_DICTIONARY, values: 4, body },
    ],
  });
  const huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
  test.each<[string, HandMade]>([
    ["more rows promised than its parts have", { rows: 5n, groupRows: 1n }],
    ["a negative number of rows", { rows: -1n }],
    ["a billion rows in a few bytes", { rows: 1_000_000_000n }],
    ["a page outside the file", { offset: 1_000_000n }],
    ["a page before the file", { offset: -9n }],
    ["a page of more rows than its part", { pages: [{ values: 2, body: Array(8).fill(0) }] }],
    ["a page of fewer rows and nothing behind it", { rows: 2n }],
    ["a page without rows", { pages: [{ values: 0, body: [] }] }],
    ["a page of two thousand million bytes", { codec: SNAPPY, pages: [{ unpacked: 2 ** 31 - 1, body: [0] }] }],
    ["more values than bytes", { rows: 1000n, pages: [{ values: 1000, body: [1, 2, 3, 4] }] }],
    ["a run of two thousand million indices", indices(1, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0)],
    ["a packed run of two thousand million indices", indices(1, ...huge, 0)],
    ["an index beyond the dictionary", indices(1, 8, 1)],
    ["indices that end early", indices(1, 4, 0)],
    ["indices of 31 bits", indices(31, 8, 0, 0, 0, 0)],
    ["indices without a dictionary", { pages: [{ encoding: RLE_DICTIONARY, body: [1, 2, 0] }] }],
    ["a dictionary of more entries than bytes", { pages: [{ kind: 2, values: 2 ** 30, body: [7, 0, 0, 0] }] }],
    ["an unknown encoding", { pages: [{ encoding: 1, body: [1, 2, 3, 4] }] }],
    ["an unknown kind of page", { pages: [{ kind: 9 as 0, body: [1, 2, 3, 4] }] }],
    ["differences in no block", { type: INT64, rows: 9n, pages: [{ encoding: DELTA, values: 9, body: [0, 0, 9, 0] }] }],
    [
      "differences in a thousand million blocks",
      { type: INT64, rows: 9n, pages: [{ encoding: DELTA, values: 9, body: [128, 1, ...huge, 9, 0] }] },
    ],
    [
      "an integer of a hundred bytes",
      { type: INT64, pages: [{ encoding: DELTA, body: [128, 1, 4, 1, ...Array(100).fill(0x80), 0] }] },
    ],
    // The first text takes a thousand million bytes from the one before it.
    [
      "a text with a prefix from nowhere",
      {
        type: TEXT,
        pages: [{ encoding: DELTA_TEXT, body: [128, 1, 4, 1, 0xfe, 0xff, 0xff, 0xff, 7, 128, 1, 4, 1, 0] }],
      },
    ],
    ["a text longer than the file", { type: TEXT, pages: [{ body: [255, 255, 255, 127, 65] }] }],
    [
      "a decimal of a hundred bytes",
      { type: FIXED, schema: { 2: 100, 6: 5, 7: 2 }, pages: [{ body: Array(100).fill(1) }] },
    ],
    [
      "a decimal of a million places",
      { type: INT64, schema: { 6: 5, 7: 1_000_000 }, pages: [{ body: Array(8).fill(0) }] },
    ],
    ["a gzip bomb", { codec: GZIP, pages: [{ unpacked: 4, body: [...gzipSync(Buffer.alloc(1e6))] }] }],
    ["a brotli bomb", { codec: BROTLI, pages: [{ unpacked: 4, body: [...brotliCompressSync(Buffer.alloc(1e6))] }] }],
    ["a page that is not what its codec makes", { codec: SNAPPY, pages: [{ body: [1, 2, 3, 4] }] }],
  ])("readParquet refuses %s", (_, file) => {
    const error = userError(() => readParquet(parquet(file), FILE));
    expect([error.name, error.code, error.place]).toEqual(["DataError", "damaged-parquet", { file: FILE }]);
  });

  test("readParquet unpacks no more of a zstd page than it announces", () => {
    // A frame of one block: the byte 7 repeated 131,072 times.
    const body = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x03, 0x00, 0x10, 0x07];
    const { columns } = readParquet(parquet({ codec: ZSTD, pages: [{ unpacked: 4, body }] }), FILE);
    expect(columns[0]).toMatchObject({ values: Float64Array.of(0x07070707) });
  });

  test("readParquet refuses a table that cannot be held in memory", () => {
    const pages = Array.from({ length: 70_000 }, () => ({ body: [7, 0, 0, 0] }));
    const error = userError(() => readParquet(parquet({ rows: 2n ** 28n + 1n, pages }), FILE));
    expect([error.code, error.hint]).toEqual(["file-too-large", expect.stringContaining("sample")]);
  });

  test("readParquet refuses a footer of lists in lists, each promising 30 million entries", () => {
    const list = [0xf9, 0x80, 0x87, 0xa7, 0x0e];
    const footer = [0x19, ...Array.from({ length: 20 }, () => list).flat()];
    expect(userError(() => readParquet(framed([], footer), FILE)).code).toBe("damaged-parquet");
  });
});

describe("the guards of hyparquet", () => {
  const cursor = (...bytes: number[]): Cursor => new Cursor(new Uint8Array(bytes));

  test("passStruct stops behind the struct, and refuses what is cut short, too deep, or of an unknown type", () => {
    const sound = cursor(0x15, 2, 0x18, 1, 65, 0x11, 0x19, 0x21, 1, 2, 0x1c, 0, 0, 99);
    passStruct(sound);
    expect(sound.left).toBe(1);
    expect(() => passStruct(cursor(0x15, 2))).toThrow("cut short");
    expect(() => passStruct(cursor(0x18, 9, 65, 0))).toThrow("cut short");
    expect(() => passStruct(cursor(0x1b, 0))).toThrow("unknown type");
    expect(() => passStruct(cursor(...Array(1000).fill(0x1c)))).toThrow("too deep");
    expect(() => passStruct(cursor(0x19, ...Array(1000).fill(0x19)))).toThrow("too deep");
    expect(() => passStruct(cursor(0x16, ...Array(11).fill(0x80), 0, 0))).toThrow("too long");
  });

  test("passRuns passes runs and packed groups, and refuses runs longer than the page", () => {
    const sound = cursor(6, 1, 3, 0b10101010, 99);
    passRuns(sound, 1, 11);
    expect(sound.left).toBe(1);
    // 2^20 values where 11 are left; nothing at all.
    expect(() => passRuns(cursor(0x80, 0x80, 0x80, 1, 1), 1, 11)).toThrow("more values");
    expect(() => passRuns(cursor(), 1, 11)).toThrow("cut short");
  });

  test("passDeltas passes whole blocks, and refuses impossible ones", () => {
    // 33 values: the first, then one part of 32 differences of 1 bit each, three parts unused.
    const sound = cursor(128, 1, 4, 33, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4, 99);
    passDeltas(sound, 64, 33);
    expect(sound.left).toBe(1);
    expect(() => passDeltas(cursor(128, 1, 4, 33, 0, 0, 65, 0, 0, 0), 64, 33)).toThrow("impossible");
    expect(() => passDeltas(cursor(128, 1, 3, 33, 0), 64, 33)).toThrow("impossible");
    expect(() => passDeltas(cursor(128, 1, 4, 34, 0), 64, 33)).toThrow("impossible");
  });
});
