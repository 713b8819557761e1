import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readCsv } from "../../src/data/csv.ts";
import { utf8 } from "./helpers.ts";

const read = (text: string): ReturnType<typeof readCsv> => readCsv(utf8(text), "table.csv");
const kinds = (text: string): string[] => read(text).columns.map(({ kind }) => kind);

describe("readCsv with decimal commas", () => {
  test("reads them as points, with one note, in files of semicolons, tabs, and quoted commas", () => {
    for (const text of [
      "a;b;word\n0,5;-1,25e2;x\n2;,5;y\nNA;3,;x\n",
      "a\tb\tword\n0,5\t-1,25e2\tx\n2\t,5\ty\nNA\t3,\tx\n",
      'a,b,word\n"0,5","-1,25e2",x\n2,",5",y\nNA,"3,",x\n',
    ]) {
      const { columns, notes } = read(text);
      expect(columns.map(({ kind }) => kind)).toEqual(["number", "number", "category"]);
      expect(columns[0]).toMatchObject({ values: Float64Array.of(0.5, 2, Number.NaN) });
      expect(columns[1]).toMatchObject({ values: Float64Array.of(-125, 0.5, 3) });
      expect(notes).toEqual(['decimal commas in columns "a", "b" are read as decimal points, such as "0,5"']);
    }
  });

  test("leaves thousands, lists, points among commas and words alone", () => {
    expect(kinds("a;b\n1,234;1\n12,000;2\n")).toEqual(["category", "number"]);
    expect(kinds("a;b\n1,2,3;1\n4,5,6;2\n")).toEqual(["category", "number"]);
    expect(kinds("a;b\n1.5;1\n1,5;2\n")).toEqual(["category", "number"]);
    expect(kinds("a;b\n1,5;1\nred;2\n")).toEqual(["category", "number"]);
  });

  test("a small number with three decimals settles a column", () => {
    expect(kinds("a;b\n1,234;1\n0,001;2\n")).toEqual(["number", "number"]);
  });

  test("a model that wants numbers gets them, one that wants words gets words", () => {
    const bytes = utf8("a;b\n0,5;0,5\n1,5;1,5\n");
    const { columns } = readCsv(
      bytes,
      "table.csv",
      new Map([
        ["a", "number"],
        ["b", "category"],
      ]),
    );
    expect(columns.map(({ kind }) => kind)).toEqual(["number", "category"]);
  });

  test("numbers written with a comma are read as written with a point", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }), (values) => {
        const written = values.map((value) => String(value).replace(".", ","));
        const { columns } = read(`a;b\n0,5;1\n${written.map((text) => `${text};1`).join("\n")}\n`);
        expect(columns[0]).toMatchObject({ kind: "number", values: Float64Array.of(0.5, ...values.map((v) => v + 0)) });
      }),
    );
  });
});
