import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { loadDataset, loadRows, readTable, writeNpy } from "../../src/data/index.ts";
import { isParquet, readParquet } from "../../src/data/parquet.ts";
import type { Column, Table } from "../../src/data/types.ts";
import { temporaryFiles, userError, utf8 } from "./helpers.ts";
import { FIXED, framed, INT32, INT64, LZO, parquet, TEXT } from "./parquet-files.ts";

/*
 * The fixtures were written by pyarrow 25.0.1 with this script:
 *
 * import datetime as dt, decimal, sys
 * import pyarrow as pa, pyarrow.parquet as pq
 * n = 100
 * rows = range(n)
 * def some(values):  # every seventh cell is missing
 *     return [None if i % 7 == 3 else v for i, v in enumerate(values)]
 * def column(type, of):
 *     return pa.array(some([of(i) for i in rows]), type)
 * day = dt.date(2020, 1, 1)
 * moment = dt.datetime(2020, 1, 1, 6)
 * cells = pa.table({
 *     "int8": column(pa.int8(), lambda i: i - 50),
 *     "int32": column(pa.int32(), lambda i: i * 1000 - 7),
 *     "int64": column(pa.int64(), lambda i: 2**53 - 99 + i),
 *     "wide": column(pa.int64(), lambda i: 2**60 + i),
 *     "uint32": column(pa.uint32(), lambda i: 4_000_000_000 + i),
 *     "uint64": column(pa.uint64(), lambda i: 2**63 + 4096 * i),
 *     "float16": column(pa.float16(), lambda i: i / 4),
 *     "float32": column(pa.float32(), lambda i: i / 8),
 *     "float64": column(pa.float64(), lambda i: float("nan") if i == 4 else i / 10),
 *     "bool": column(pa.bool_(), lambda i: i % 3 == 0),
 *     "word": column(pa.string(), lambda i: ["café", "NA", "tea"][i % 3]),
 *     "text": column(pa.large_string(), lambda i: f"row {i}"),
 *     "factor": column(pa.string(), lambda i: "ab"[i % 2]).dictionary_encode(),
 *     "bytes": column(pa.binary(2), lambda i: bytes([i % 2, 255])),
 *     "date": column(pa.date32(), lambda i: day + dt.timedelta(days=i)),
 *     "ms": column(pa.timestamp("ms"), lambda i: moment + dt.timedelta(days=i)),
 *     "us": column(pa.timestamp("us", "UTC"), lambda i: moment + dt.timedelta(days=i)),
 *     "ns": column(pa.timestamp("ns"), lambda i: moment + dt.timedelta(days=i)),
 *     "time": column(pa.time32("ms"), lambda i: dt.time(i % 24)),
 *     "money": column(pa.decimal128(9, 1), lambda i: decimal.Decimal(i - 50) / 10),
 *     "exact": column(pa.decimal128(30, 4), lambda i: decimal.Decimal(-i) / 10000),
 *     "nothing": pa.nulls(n),
 *     "constant": pa.array([1.5] * n),
 *     "__index_level_0__": pa.array([3 * i for i in rows]),
 * })
 * codecs = ["snappy", "gzip", "brotli", "zstd", "lz4", "none"]
 * pq.write_table(cells, "cells.parquet", row_group_size=60, store_schema=False,
 *     compression={name: codecs[k % 6] for k, name in enumerate(cells.column_names)})
 * encodings = {
 *     "int32": "DELTA_BINARY_PACKED", "int64": "DELTA_BINARY_PACKED", "float32": "BYTE_STREAM_SPLIT",
 *     "float64": "BYTE_STREAM_SPLIT", "length": "DELTA_LENGTH_BYTE_ARRAY", "prefix": "DELTA_BYTE_ARRAY",
 *     "bool": "RLE", "plain": "PLAIN",
 * }
 * required = lambda name, type, of: (pa.field(name, type, nullable=False), pa.array([of(i) for i in rows], type))
 * fields = [
 *     required("int32", pa.int32(), lambda i: (-1) ** i * i * i),
 *     required("int64", pa.int64(), lambda i: (-1) ** i * i ** 5),
 *     required("float32", pa.float32(), lambda i: i / 8),
 *     required("float64", pa.float64(), lambda i: i / 10),
 *     required("length", pa.string(), lambda i: "x" * (i % 5)),
 *     required("prefix", pa.string(), lambda i: f"name {i // 10}"),
 *     (pa.field("bool", pa.bool_()), column(pa.bool_(), lambda i: i % 3 == 0)),
 *     (pa.field("plain", pa.string()), column(pa.string(), lambda i: f"{i % 4}")),
 *     (pa.field("moment", pa.timestamp("ns")), column(pa.timestamp("ns"), lambda i: moment + dt.timedelta(days=i))),
 * ]
 * table = pa.table([array for _, array in fields], schema=pa.schema([field for field, _ in fields]))
 * pq.write_table(table, "encodings.parquet", data_page_version="2.0", use_dictionary=False, store_schema=False,
 *     column_encoding=encodings, compression={name: codecs[k % 6] for k, name in enumerate(encodings)},
 *     data_page_size=64, write_batch_size=16, use_deprecated_int96_timestamps=True)
 * nested = pa.table({"x": [1.5, 2.5, 3.5], "tags": [["a"], [], ["b", "c"]], "at": [{"row": 1, "col": 2}] * 3, "y": [1, 0, 1]})
 * pq.write_table(nested, "nested.parquet", store_schema=False)
 */

const ROWS = 100;
const save = temporaryFiles();

function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}.parquet`, import.meta.url));
}

function column(table: Table, name: string): Column {
  return table.columns.find((candidate) => candidate.name === name)!;
}

/** The cells of a column; null = missing. */
function cells(table: Table, name: string): (number | string | null)[] {
  const found = column(table, name);
  return found.kind === "number"
    ? [...found.values].map((value) => (Number.isNaN(value) ? null : value))
    : [...found.codes].map((code) => (code < 0 ? null : found.categories[code]!));
}

/** What the script writes: every seventh cell is missing. */
function some<T>(of: (i: number) => T): (T | null)[] {
  return Array.from({ length: ROWS }, (_, i) => (i % 7 === 3 ? null : of(i)));
}

function all<T>(of: (i: number) => T): T[] {
  return Array.from({ length: ROWS }, (_, i) => of(i));
}

describe("readParquet, types", () => {
  const table = readTable(fixture("cells"));

  test.each<[string, (i: number) => number | string | null]>([
    ["int8", (i) => i - 50],
    ["int32", (i) => 1000 * i - 7],
    ["int64", (i) => 2 ** 53 - 99 + i],
    ["wide", (i) => Number(2n ** 60n + BigInt(i))],
    ["uint32", (i) => 4e9 + i],
    ["uint64", (i) => 2 ** 63 + 4096 * i],
    ["float16", (i) => i / 4],
    ["float32", (i) => i / 8],
    ["float64", (i) => (i === 4 ? null : i / 10)],
    ["bool", (i) => String(i % 3 === 0)],
    ["word", (i) => ["café", "NA", "tea"][i % 3]!],
    ["text", (i) => `row ${i}`],
    ["factor", (i) => "ab"[i % 2]!],
    ["bytes", (i) => `0${i % 2}ff`],
    ["date", (i) => 18262 + i],
    ["ms", (i) => 18262.25 + i],
    ["us", (i) => 18262.25 + i],
    ["ns", (i) => 18262.25 + i],
    ["time", (i) => (i % 24) / 24],
    // The nearest doubles, as a CSV table would give them: 49 tenths are 4.9.
    ["money", (i) => Number(`${i - 50}e-1`)],
    ["exact", (i) => -i / 10000],
    ["nothing", () => null],
  ])("readParquet: column %s, in two row groups", (name, of) => {
    // Plus zero: the sign of a zero means nothing here.
    const plain = (cell: number | string | null) => (cell === 0 ? 0 : cell);
    expect(cells(table, name).map(plain)).toEqual(some(of).map(plain));
  });

  test("readParquet reads numbers, dates and decimals as numbers, text and booleans as sorted categories", () => {
    const words = ["bool", "word", "text", "factor", "bytes"];
    expect(table.columns.filter(({ kind }) => kind === "category").map(({ name }) => name)).toEqual(words);
    expect(column(table, "word")).toMatchObject({ categories: ["NA", "café", "tea"], named: true });
    expect(table.rows).toBe(ROWS);
  });

  test("readParquet notes what it changed: the unit of dates, rounded integers, the index of pandas", () => {
    expect(table.notes).toEqual([
      "columns int64, wide, uint64: integers of 2^53 or more rounded to f64",
      "columns date, ms, us, ns: read as days since 1970-01-01",
      "column time: read as a fraction of the day",
      "column __index_level_0__: dropped, as the index that pandas saves with a table",
    ]);
    expect(column(table, "__index_level_0__")).toBeUndefined();
  });

  test("readParquet reads pages of the second kind in every encoding, without nulls and with", () => {
    const other = readTable(fixture("encodings"));
    const sign = (i: number): number => (-1) ** i;
    expect(cells(other, "int32")).toEqual(all((i) => sign(i) * i * i));
    expect(cells(other, "int64")).toEqual(all((i) => sign(i) * i ** 5));
    expect(cells(other, "float32")).toEqual(all((i) => i / 8));
    expect(cells(other, "float64")).toEqual(all((i) => i / 10));
    expect(cells(other, "length")).toEqual(all((i) => "x".repeat(i % 5)));
    expect(cells(other, "prefix")).toEqual(all((i) => `name ${Math.floor(i / 10)}`));
    expect(cells(other, "bool")).toEqual(some((i) => String(i % 3 === 0)));
    expect(cells(other, "plain")).toEqual(some((i) => String(i % 4)));
    expect(cells(other, "moment")).toEqual(some((i) => 18262.25 + i));
  });

  test("readParquet reads wide decimals that f64 cannot hold to the nearest double", () => {
    const unscaled = 12345678901234567890n;
    const body = [...Buffer.from(unscaled.toString(16).padStart(32, "0"), "hex")];
    const schema = { 2: 16, 6: 5, 7: 10, 8: 38 };
    const read = (bytes: number[]): number => {
      const { columns } = readParquet(parquet({ type: FIXED, schema, pages: [{ body: bytes }] }), "a");
      return columns[0]!.kind === "number" ? columns[0]!.values[0]! : Number.NaN;
    };
    expect(read(body)).toBe(Number("1234567890.1234567890"));
    // Two's complement: minus one.
    expect(read(Array(16).fill(255))).toBe(-1e-10);
  });
});

describe("readTable and loadDataset of Parquet files", () => {
  test("readTable tells Parquet by its first bytes, also gzipped, and not by its name", () => {
    const bytes = readFileSync(fixture("cells"));
    const renamed = readTable(save("table.csv", bytes));
    expect(renamed.columns).toHaveLength(23);
    expect(readTable(save("table.gz", gzipSync(bytes))).columns.map(({ name }) => name)).toEqual(
      renamed.columns.map(({ name }) => name),
    );
    expect(isParquet(utf8("PAR1,PAR2\n1,2\n"))).toBe(false);
    expect(isParquet(utf8("PAR1\n1\n"))).toBe(false);
    expect(readTable(save("par1.csv", "PAR1,b\n1,2\n")).columns[0]!.name).toBe("PAR1");
  });

  test("loadDataset learns from a Parquet table; a boolean target is a classification", () => {
    const { preprocessing, target, train, notes } = loadDataset({
      file: fixture("cells"),
      target: "bool",
      split: "none",
    });
    expect(target).toEqual({ name: "bool", task: "classification", classes: ["false", "true"] });
    expect(preprocessing.features).toContain("word=café");
    expect(preprocessing.features).toContain("factor=b");
    expect(train.X.data.every(Number.isFinite)).toBe(true);
    expect(notes).toContain("dropped column nothing: no value in the training rows");
    expect(notes).toContain("dropped column text: more than 50 categories");
    expect(notes).toContain("dropped columns wide, constant: constant on the training rows");
  });

  test("loadDataset takes the target of a Parquet table from an npy file", () => {
    const y = save("y.npy", writeNpy({ shape: [ROWS], data: Float64Array.from({ length: ROWS }, (_, i) => i / 3) }));
    expect(loadDataset({ file: fixture("cells"), target: y, split: "none" }).train.y[3]).toBe(1);
  });

  test("loadRows leaves out what the model does not need and Parquet cannot say, without notes", () => {
    const csv = save("train.csv", "x,y\n1,2.5\n2,3.5\n3,1\n");
    const { preprocessing } = loadDataset({ file: csv, target: "y", split: "none" });
    const { table, X, notes } = loadRows(preprocessing, fixture("nested"));
    expect(table.columns.map(({ name }) => name)).toEqual(["x", "y"]);
    expect([X.rows, X.cols]).toEqual([3, 1]);
    expect(notes).toEqual([]);
  });
});

describe("readParquet, tables that are not read", () => {
  test("readParquet refuses a nested column with a hint", () => {
    const error = userError(() => readTable(fixture("nested")));
    expect(error).toMatchObject({ name: "DataError", code: "nested-column", place: { file: fixture("nested") } });
    expect(error.message).toContain('column "tags"');
    expect(error.hint).toContain("flatten");
  });

  test.each([
    ["no-rows", parquet({ rows: 0n, pages: [] })],
    ["empty-file", framed([], [0x15, 2, 0x19, 0x1c, 0x48, 1, 97, 0, 0x16, 2, 0x19, 0x1c, 0x19, 0x0c, 0x26, 2, 0, 0])],
    ["parquet-codec", parquet({ codec: LZO })],
    ["parquet-type", parquet({ type: FIXED, schema: { 2: 12, 6: 21 }, pages: [{ body: Array(12).fill(0) }] })],
    ["parquet-type", parquet({ type: TEXT, pages: [{ body: [2, 0, 0, 0, 0xff, 0xfe] }] })],
    ["encrypted-parquet", framed([0x15], [1, 2, 3], "PARE")],
    ["not-finite", parquet({ type: 5, pages: [{ body: [0, 0, 0, 0, 0, 0, 0xf0, 0x7f] }] })],
  ])("readParquet: %s (%#)", (code, bytes) => {
    const error = userError(() => readParquet(bytes, "a.parquet"));
    expect([error.name, error.code, error.place]).toEqual(["DataError", code, { file: "a.parquet" }]);
    expect(error.hint).toBeTruthy();
  });

  test("readParquet refuses two columns of one name", () => {
    const twice = parquet({ schema: {} });
    const text = Buffer.from(twice).toString("latin1");
    expect(text).toContain("schema");
    // A root of two children, both of them the column `a`.
    const element = "\x15\x02\x25\x00\x18\x01a\x00";
    const doubled = Buffer.from(text.replace("\xfc\x02", "\xfc\x03").replace(element, element + element), "latin1");
    doubled.writeUInt32LE(doubled.readUInt32LE(doubled.length - 8) + element.length, doubled.length - 8);
    expect(userError(() => readParquet(doubled, "a")).code).toBe("duplicate-column");
  });

  test("readParquet reads what the hand-made files of these tests say when nothing is wrong with them", () => {
    const one = readParquet(parquet({}), "a").columns[0]!;
    expect(one).toMatchObject({ name: "a", kind: "number", values: Float64Array.of(7) });
    const long = parquet({
      type: INT64,
      rows: 2n,
      pages: [{ values: 2, body: [5, ...Array(7).fill(0), ...Array(8).fill(255)] }],
    });
    expect(readParquet(long, "a").columns[0]).toMatchObject({ values: Float64Array.of(5, -1) });
    expect(INT32).toBe(1);
  });
});
