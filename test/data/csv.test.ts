import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readCsv } from "../../src/data/csv.ts";
import type { Column } from "../../src/data/types.ts";
import { userError, utf8 } from "./helpers.ts";

const FILE = "table.csv";

function read(text: string): ReturnType<typeof readCsv> {
  return readCsv(utf8(text), FILE);
}

/** The cells of a column as words; null = missing. */
function cells(column: Column): (string | null)[] {
  if (column.kind === "number") return [...column.values].map((value) => (Number.isNaN(value) ? null : String(value)));
  return [...column.codes].map((code) => (code < 0 ? null : column.categories[code]!));
}

function fail(text: string | Uint8Array): {
  code: string;
  line?: number;
  column?: number;
  hint: string;
  message: string;
} {
  const error = userError(() => readCsv(typeof text === "string" ? utf8(text) : text, FILE));
  expect(error.name).toBe("DataError");
  expect(error.place?.file).toBe(FILE);
  expect(error.hint).toBeTruthy();
  const { line, column } = error.place!;
  return {
    code: error.code,
    message: error.message,
    hint: error.hint!,
    ...(line === undefined ? {} : { line }),
    ...(column === undefined ? {} : { column }),
  };
}

describe("readCsv reads back what RFC 4180 writes", () => {
  const delimiter = fc.constantFrom(",", ";", "\t", "|");
  const lineBreak = fc.constantFrom("\n", "\r\n", "\r");
  // Letters in front keep the cells words, and no cell a marker of a missing value.
  const word = fc.string({ unit: fc.constantFrom(..."ab ,;\t|\"\r\né漢'") }).map((text) => `w${text}`);
  const table = fc
    .record({ rows: fc.integer({ min: 1, max: 6 }), cols: fc.integer({ min: 1, max: 5 }) })
    .chain(({ rows, cols }) =>
      fc.array(fc.array(word, { minLength: cols, maxLength: cols }), { minLength: rows, maxLength: rows }),
    );

  test("readCsv: every table of words, every delimiter and line break, with and without a last line break", () => {
    fc.assert(
      fc.property(table, delimiter, lineBreak, fc.boolean(), fc.boolean(), (rows, by, eol, last, mark) => {
        const header = rows[0]!.map((_, j) => `h${j}`);
        const quote = (cell: string): string =>
          /[",;|\t\r\n]|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
        const text = [header, ...rows].map((row) => row.map(quote).join(by)).join(eol) + (last ? eol : "");
        const { columns } = read(`${mark ? "\ufeff" : ""}${text}`);
        expect(columns.map((column) => column.name)).toEqual(header);
        expect(columns.map(cells)).toEqual(header.map((_, j) => rows.map((row) => row[j]!)));
      }),
      { numRuns: 500 },
    );
  });

  test("readCsv: every table of numbers and missing cells", () => {
    const cell = fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }));
    const numbers = fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(numbers, fc.constantFrom("", "NA", "N/A", "NaN", "nan", "null", "?", "-"), (rows, marker) => {
        const text = `a,b\n${rows.map((row) => row.map((value) => value ?? marker).join(",")).join("\n")}\n`;
        const { columns } = read(text);
        columns.forEach((column, j) => {
          expect(column.kind).toBe("number");
          expect(cells(column)).toEqual(rows.map((row) => (row[j] === null ? null : String(row[j]))));
        });
      }),
    );
  });
});

describe("readCsv, form", () => {
  test("readCsv trims spaces around cells, also around quoted ones, but not inside quotes", () => {
    const { columns } = read('a, b ,c\n x , "y, z" ," w "\n1,2,v\n');
    expect(columns.map((column) => column.name)).toEqual(["a", "b", "c"]);
    expect(columns.map(cells)).toEqual([
      ["x", "1"],
      ["y, z", "2"],
      [" w ", "v"],
    ]);
  });

  test("readCsv takes numbers in quotes as numbers", () => {
    expect(read('"a","b"\n"1","x"\n"2.5",""\n').columns.map((column) => column.kind)).toEqual(["number", "category"]);
  });

  test("readCsv skips blank lines, before the header, between and behind the rows", () => {
    const { columns, rows } = read("\n \na,b\n1,2\n\n  \n3,4\n\n\n");
    expect(rows).toBe(2);
    expect(columns.map(cells)).toEqual([
      ["1", "3"],
      ["2", "4"],
    ]);
  });

  test("readCsv: in a single column a blank line between values is a missing cell", () => {
    expect(cells(read("a\n1\n\n3\n\n\n").columns[0]!)).toEqual(["1", null, "3"]);
    expect(cells(read('a\n1\n""\n""\n').columns[0]!)).toEqual(["1", null, null]);
  });

  test("readCsv finds the delimiter in spite of decimal commas and of delimiters in quotes", () => {
    expect(read("a;b\n1,5;2,5\n2,5;3,5\n").columns.map((column) => column.name)).toEqual(["a", "b"]);
    expect(read('a\tb\n"1,2,3"\tx\n"1,2"\ty\n').columns.map((column) => column.name)).toEqual(["a", "b"]);
    expect(read('"a;x";"b"\n"1;2";2\n').columns.map((column) => column.name)).toEqual(["a;x", "b"]);
    expect(read("a|b|c\n1|2|3").columns).toHaveLength(3);
    expect(read("last, first, title;b\n1;2\n").columns.map((column) => column.name)).toEqual([
      "last, first, title",
      "b",
    ]);
    expect(read('"p"";"";q",r\n"1"";"";2",3\n').columns.map((column) => column.name)).toEqual(['p";";q', "r"]);
  });

  test("readCsv names the place of every column", () => {
    expect(read('été,"b",c\n1,2,3').columns.map((column) => column.place)).toEqual([
      { file: FILE, line: 1, column: 1 },
      { file: FILE, line: 1, column: 6 },
      { file: FILE, line: 1, column: 9 },
    ]);
  });

  test("readCsv makes up names where the header has none", () => {
    const { columns } = read(",column 1,b\n0,1,2\n");
    expect(columns.map(({ name, named }) => [name, named])).toEqual([
      ["column 1'", false],
      ["column 1", true],
      ["b", true],
    ]);
  });

  test("readCsv notes a header that looks like data", () => {
    expect(read("5.1,3.5\n4.9,3.0\n").notes.join()).toContain("only numbers");
    expect(read("a,3.5\n4.9,3.0\n").notes).toEqual([]);
  });
});

describe("readCsv, types", () => {
  test("readCsv sorts the categories of a column and keeps a lone minus among words, but not among numbers", () => {
    const { columns } = read("sign,value\n+,1\n-,-\n?,3\n");
    expect(columns[0]).toMatchObject({ kind: "category", categories: ["+", "-"] });
    expect(columns.map(cells)).toEqual([
      ["+", "-", null],
      ["1", null, "3"],
    ]);
  });

  test("readCsv joins the spellings of a category with and without quotes", () => {
    const column = read('a\nx\n"x"\n"say ""x"""\nsay "x"\n').columns[0]!;
    expect(column).toMatchObject({ categories: ['say "x"', "x"] });
    expect(cells(column)).toEqual(["x", "x", 'say "x"', 'say "x"']);
  });

  test("readCsv keeps apart many categories", () => {
    const words = Array.from({ length: 3000 }, (_, i) => `w${(i * 7919) % 1000}`);
    expect(cells(read(`a\n${words.join("\n")}`).columns[0]!)).toEqual(words);
  });

  test("readCsv reads a column without any value as missing numbers", () => {
    const column = read("a,b\n,1\nNA,2\n").columns[0]!;
    expect(column.kind).toBe("number");
    expect(cells(column)).toEqual([null, null]);
  });

  test("readCsv notes columns of mixed cells and numbers it does not guess", () => {
    expect(read("a\n1\n2\n3\nx\n").notes).toEqual([
      'column "a" is read as categories: 1 of its 4 cells are not numbers, such as "x"',
    ]);
    expect(read('a;b\n"1.234,5";1\n"2.345,6";1\n').notes.join()).toContain('"1.234,5"');
  });

  test("readCsv reads columns as it is told", () => {
    const kinds = new Map([["a", "category" as const]]);
    expect(cells(readCsv(utf8("a,b\n01,1\n1,1\n"), FILE, kinds).columns[0]!)).toEqual(["01", "1"]);
    const error = userError(() => readCsv(utf8("a\nx\ny\n"), FILE, new Map([["a", "number" as const]])));
    expect([error.code, error.place]).toEqual(["not-a-number", { file: FILE, line: 2, column: 1 }]);
  });
});

describe("readCsv, errors", () => {
  test("readCsv names line and column of a single word in 9,000 rows of numbers", () => {
    const lines = Array.from({ length: 9000 }, (_, i) => `${i},${i / 2},1e${i % 9}`);
    lines[7122] = "7122,35.6l,1";
    const error = fail(`a,b,c\r\n${lines.join("\r\n")}\r\n`);
    expect(error).toMatchObject({ code: "not-a-number", line: 7124, column: 6 });
    expect(error.message).toBe('column "b" has a cell that is not a number: "35.6l"');
    expect(error.hint).toContain("8999 other cells");
  });

  test("readCsv takes words in less than 1 % of the cells for typing errors, in 1 % for categories", () => {
    const words = (count: number): string =>
      `a\n${Array.from({ length: 300 }, (_, i) => (i < count ? "?!" : i)).join("\n")}`;
    expect(fail(words(2))).toMatchObject({ code: "not-a-number", line: 2, column: 1 });
    expect(read(words(3)).columns[0]!.kind).toBe("category");
  });

  test("readCsv counts the lines inside quoted cells", () => {
    const rows = Array.from({ length: 30 }, (_, i) => (i === 20 ? '"é\n2",x' : `"a\nb",${i}`));
    expect(fail(`t,n\n${rows.join("\n")}`)).toMatchObject({ code: "not-a-number", line: 43, column: 4 });
  });

  test.each([
    ["a,b\n1,2\n1,2,3\n", 3, 5],
    ["a,b\n1,2\n1\n3,4\n", 3, 2],
    ["a,b,c\n1,2,3\n\n1,2\n", 4, 4],
    ["a\n1\n2,3\n", 3, 3],
  ])("readCsv: ragged row in %j", (text, line, column) => {
    expect(fail(text)).toMatchObject({ code: "ragged-row", line, column });
  });

  test.each([
    ["open-quote", 'a,b\n1,2\n3,"x\n5,6\n', 3, 3],
    ["open-quote", '"a\n', 1, 1],
    ["stray-quote", 'a,b\n1,"x"y\n', 2, 6],
    ["duplicate-column", "a,b,a\n1,2,3\n", 1, 5],
    ["duplicate-column", "1,2,1\n1,2,3\n", 1, 5],
    ["no-rows", "a,b\n", 2, 1],
    ["no-rows", "a,b", 1, 4],
    ["not-finite", "a,b\n1,2\n3,-inf\n", 3, 3],
    ["not-finite", "a\n1\n1e999\n", 3, 1],
  ])("readCsv: %s in %j", (code, text, line, column) => {
    expect(fail(text)).toMatchObject({ code, line, column });
  });

  test("readCsv: a repeated numeric header is told to be data", () => {
    expect(fail("1,2,1\n1,2,3\n").hint).toContain("looks like data");
  });

  test.each([
    ["empty-file", ""],
    ["empty-file", "\ufeff"],
    ["empty-file", " \r\n\n"],
  ])("readCsv: %s for %j", (code, text) => {
    expect(fail(text).code).toBe(code);
  });

  test("readCsv: UTF-16 with and without a mark, Latin-1, a spreadsheet, and binary data have errors of their own", () => {
    const utf16 = new Uint8Array(Buffer.from("a,b\n1,2\n", "utf16le"));
    expect(fail(utf16)).toMatchObject({ code: "not-utf8", hint: expect.stringContaining("iconv") });
    expect(fail(new Uint8Array([0xff, 0xfe, ...utf16])).code).toBe("not-utf8");
    expect(fail(new Uint8Array([0xfe, 0xff, ...new Uint8Array(utf16).reverse()])).code).toBe("not-utf8");
    expect(fail(new Uint8Array(Buffer.from("a,b\n1,x\n2,\xe9t\xe9\n", "latin1")))).toMatchObject({
      code: "not-utf8",
      line: 3,
      column: 3,
    });
    expect(fail("PK\u0003\u0004 and so on").code).toBe("not-text");
    expect(fail(new Uint8Array([80, 65, 82, 49, 0, 65, 66, 67]))).toMatchObject({ code: "not-text" });
  });
});
