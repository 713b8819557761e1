import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { UserError } from "../../src/base/errors.ts";
import { loadDataset } from "../../src/data/index.ts";
import { temporaryFiles, userError, utf8 } from "./helpers.ts";

const save = temporaryFiles();

/** The error of a fit with target `y`, checked to be whole: of the data, with a hint and the file's name. */
function mistake(file: string, target = "y"): UserError {
  const error = userError(() => loadDataset({ file, target }));
  expect(error.name).toBe("DataError");
  expect(error.hint).toBeTruthy();
  expect(error.place?.file).toBe(file);
  return error;
}

describe("loadDataset: what users get wrong has a code, a place and a hint", () => {
  test("loadDataset: a ragged row, too long", () => {
    const error = mistake(save("table.csv", "a,b,y\n1,2,3\n4,5,6,7\n"));
    expect(error).toMatchObject({ code: "ragged-row", place: { line: 3, column: 7 } });
    expect(error.message).toBe("the header has 3 cells, this line 4");
    expect(error.hint).toContain("quote a cell that contains the delimiter");
  });

  test("loadDataset: a ragged row, too short", () => {
    const error = mistake(save("table.csv", "a,b,y\r\n1,2,3\r\n4,5\r\n"));
    expect(error).toMatchObject({ code: "ragged-row", place: { line: 3, column: 4 } });
    expect(error.hint).toContain("leave the delimiters in place");
  });

  test("loadDataset: a duplicate header", () => {
    const error = mistake(save("table.csv", "a,y,a\n1,2,3\n"));
    expect(error).toMatchObject({ code: "duplicate-column", place: { line: 1, column: 5 } });
    expect(error.message).toBe('two columns are named "a"');
  });

  test.each([
    ["of no bytes", ""],
    ["of blank lines", "\n\n  \n"],
    ["of no bytes, gzipped", gzipSync("")],
  ])("loadDataset: an empty file, %s", (_, content) => {
    const error = mistake(save("table.csv", content));
    expect(error.code).toBe("empty-file");
    expect(error.hint).toContain("a line of column names");
  });

  test("loadDataset: a header and no rows", () => {
    expect(mistake(save("table.csv", "a,y\n"))).toMatchObject({ code: "no-rows", place: { line: 2, column: 1 } });
  });

  test("loadDataset: a file of one column, the target", () => {
    const error = mistake(save("table.csv", "y\n1.5\n2\n3\n"));
    expect(error.code).toBe("no-features");
    expect(error.hint).toBe("the table has no column besides the target");
  });

  test("loadDataset: a file of one column, because of its delimiter", () => {
    const error = mistake(save("table.csv", "a:y\n1:2\n3:4\n"));
    expect(error).toMatchObject({ code: "column-not-found", hint: "its columns are a:y" });
  });

  test.each(["utf16le", "utf16be", "utf16le without a mark"])("loadDataset: text in UTF-16, %s", (kind) => {
    const little = new Uint8Array(Buffer.from("a,y\n1,2\n3,4\n", "utf16le"));
    const big = little.slice();
    for (let i = 0; i < big.length; i += 2) big.set([little[i + 1]!, little[i]!], i);
    const mark = { utf16le: [0xff, 0xfe], utf16be: [0xfe, 0xff] }[kind] ?? [];
    const error = mistake(save("table.csv", new Uint8Array([...mark, ...(kind === "utf16be" ? big : little)])));
    expect(error.code).toBe("not-utf8");
    expect(error.message).toContain("UTF-16");
    expect(error.hint).toContain("iconv");
  });

  test("loadDataset: a directory", () => {
    const folder = dirname(save("table.csv", "a,y\n"));
    const error = mistake(folder);
    expect([error.code, error.hint]).toEqual(["is-a-folder", "name a file inside it"]);
  });

  test("loadDataset: a missing file, with the most similar name", () => {
    const file = save("houses.csv", "a,y\n1,2\n");
    const error = mistake(join(dirname(file), "hauses.csv"));
    expect([error.code, error.hint]).toEqual(["file-not-found", `did you mean "${file}"?`]);
  });

  test("loadDataset: a missing file in a missing folder", () => {
    const error = mistake(join(dirname(save("houses.csv", "")), "none", "houses.csv"));
    expect([error.code, error.hint?.includes("cannot be read")]).toEqual(["file-not-found", true]);
  });

  test.each([
    ["of numbers", "a,y\n1,5\n2,5\n3,5\n"],
    ["of words", "a,y\n1,b\n2,b\n3,b\n"],
    ["of one word and missing cells", "a,y\n1,b\n2,\n3,b\n"],
  ])("loadDataset: a constant target, %s", (_, text) => {
    const error = mistake(save("table.csv", text));
    expect(error).toMatchObject({ code: "constant-target", place: { line: 1, column: 3 } });
    expect(error.hint).toContain("is this the column to predict?");
  });

  test("loadDataset: a cell that is not a number", () => {
    const rows = Array.from({ length: 30 }, (_, i) => (i === 19 ? "1,O.5" : `${i},${i / 3}`));
    const error = mistake(save("table.csv", `a,y\n${rows.join("\n")}\n`));
    expect(error).toMatchObject({ code: "not-a-number", place: { line: 21, column: 3 } });
    expect(error.hint).toContain("29 other cells");
  });

  test("loadDataset: a gzip file cut short", () => {
    const packed = gzipSync("a,y\n1,2\n3,4\n");
    expect(mistake(save("table.csv.gz", packed.subarray(0, packed.length - 4))).code).toBe("damaged-gzip");
  });

  test("loadDataset: a Parquet file cut short", () => {
    const error = mistake(save("table.parquet", new Uint8Array([...utf8("PAR1"), 0x15, 4, 0x15, 8])));
    expect([error.code, error.hint]).toEqual(["damaged-parquet", "it may be cut short: copy it or write it again"]);
  });
});
