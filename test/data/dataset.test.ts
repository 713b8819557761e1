import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { row } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import { type LoadOptions, loadDataset, readTable, writeNpy } from "../../src/data/index.ts";
import type { Dataset } from "../../src/data/types.ts";
import { temporaryFiles, userError } from "./helpers.ts";

const save = temporaryFiles();

function load(text: string, target: string, options: Partial<LoadOptions> = {}): Dataset {
  return loadDataset({ file: save("table.csv", text), target, split: "none", ...options });
}

function fail(
  text: string,
  target: string,
  options: Partial<LoadOptions> = {},
): { code: string; line?: number; hint: string } {
  const error = userError(() => load(text, target, options));
  expect(error.name).toBe("DataError");
  return {
    code: error.code,
    hint: error.hint ?? "",
    ...(error.place?.line === undefined ? {} : { line: error.place.line }),
  };
}

/** A table with the given columns. */
function csv(columns: Readonly<Record<string, readonly (string | number)[]>>): string {
  const names = Object.keys(columns);
  const rows = columns[names[0]!]!.map((_, i) => names.map((name) => columns[name]![i]).join(","));
  return [names.join(","), ...rows].join("\n");
}

/** 0 .. n-1. */
function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

describe("loadDataset, target", () => {
  test("loadDataset finds the target by name, by number from 1, and in an npy file", () => {
    const text = "a,b\n1,2.5\n2,3.5\n3,9\n";
    expect([...load(text, "a").train.y]).toEqual([1, 2, 3]);
    const numbered = load(text, "2");
    expect([...numbered.train.y]).toEqual([2.5, 3.5, 9]);
    expect(numbered.notes).toContain('the target 2 is column "b"');
    const vector = save("labels.npy", writeNpy({ shape: [3, 1], data: Float64Array.of(1, 0.5, 2) }));
    const fromFile = load(text, vector);
    expect([...fromFile.train.y]).toEqual([1, 0.5, 2]);
    expect(fromFile.target.name).toBe("labels");
    expect(fromFile.train.X.cols).toBe(2);
  });

  test("loadDataset prefers a column named by digits to the column of that number", () => {
    expect([...load("1,0\n1.5,3\n2.5,4\n3.5,5\n", "0").train.y]).toEqual([3, 4, 5]);
  });

  test("loadDataset of a missing target suggests a column and names its place", () => {
    const error = userError(() => load("rooms,price\n1,2.5\n2,3.5\n3,1\n", "prise"));
    expect(error).toMatchObject({
      code: "column-not-found",
      hint: 'did you mean "price"?',
      place: { line: 1, column: 7 },
    });
    expect(error.message).toMatch(/^column "prise" not found in .*table\.csv$/);
    expect(fail("rooms,area\n1,2\n2,3\n", "colour").hint).toBe("its columns are rooms, area");
    for (const number of ["0", "3", "99999999999999999999"]) {
      expect(fail("rooms,area\n1,2\n2,3\n", number)).toMatchObject({
        code: "column-not-found",
        hint: "its columns are numbered 1 to 2",
      });
    }
  });

  const many = range(100);
  test.each([
    ["text", many.map((i) => `w${i % 4}`), "classification"],
    ["booleans", many.map((i) => String(i % 3 === 0)), "classification"],
    ["2 distinct numbers", many.map((i) => (i === 0 ? 1.5 : 2.5)), "classification"],
    ["20 integers, 5 rows each", many.map((i) => i % 20), "classification"],
    ["21 integers", [...range(105)].map((i) => i % 21), "regression"],
    ["3 integers, one in 4 rows", many.map((i) => (i < 4 ? 0 : 1 + (i % 2))), "regression"],
    ["3 numbers that are not integers", many.map((i) => (i % 3) / 2), "regression"],
  ])("loadDataset chooses the task: %s", (_, values, task) => {
    const text = csv({ x: values.map((_value, i) => i), t: values });
    const loaded = load(text, "t");
    expect(loaded.target.task).toBe(task);
    expect(loaded.notes.filter((note) => note.includes(task))).toHaveLength(1);
    // The other task can be asked for, unless the target is text.
    const other = task === "regression" ? "classification" : "regression";
    if (typeof values[0] === "number") expect(load(text, "t", { task: other }).target.task).toBe(other);
    else expect(fail(text, "t", { task: other }).code).toBe("text-target");
  });

  test("loadDataset sorts classes, numbers by value; the second of two is the positive one", () => {
    const numbers = load("x,t\n1,10\n2,9\n3,10\n", "t");
    expect(numbers.target.classes).toEqual(["9", "10"]);
    expect([...numbers.train.y]).toEqual([1, 0, 1]);
    const words = load("x,t\n1,yes\n2,no\n3,yes\n", "t");
    expect(words.target).toEqual({ name: "t", task: "classification", classes: ["no", "yes"] });
    expect([...words.train.y]).toEqual([1, 0, 1]);
    const signs = load("x,t\n1,+\n2,-\n3,+\n", "t");
    expect(signs.target.classes).toEqual(["+", "-"]);
  });

  test("loadDataset drops rows without a target value and says so", () => {
    const { train, target, notes } = load("x,t\n1,a\n2,\n3,b\n4,NA\n5,a\n", "t", { standardize: "none" });
    expect([...train.X.data]).toEqual([1, 3, 5]);
    expect([...train.y]).toEqual([0, 1, 0]);
    expect(target.classes).toEqual(["a", "b"]);
    expect(notes).toContain("2 rows without a target value dropped");
  });

  test.each([
    ["constant-target", "x,t\n1,5\n2,5\n3,5\n"],
    ["constant-target", "x,t\n1,a\n2,a\n3,\n"],
    ["constant-target", "x,t\n1,\n2,\n3,\n"],
    ["too-few-rows", "x,t\n1,5\n"],
    ["not-finite", "x,t\n1,5\n2,inf\n3,4\n"],
    ["no-features", "t\n1.5\n2\n3\n"],
    ["no-features", "x,t\n4,1.5\n4,2\n4,3\n"],
    ["no-features", "id,t\nu,1.5\nv,2\nw,3\n"],
  ])("loadDataset: %s for %j", (code, text) => {
    expect(fail(text, "t").code).toBe(code);
  });
});

describe("loadDataset, split", () => {
  const values = range(200);
  const text = csv({
    x: values,
    y: values.map((i) => i / 7),
    t: values.map((i) => (i % 10 === 0 ? "rare" : "common")),
  });

  test("loadDataset holds out 20 % of every class by default, and nothing with none", () => {
    const { train, test: held } = loadDataset({ file: save("split.csv", text), target: "t" });
    const rare = (y: Float64Array): number => y.reduce((sum, value) => sum + value, 0);
    expect([train.y.length, rare(train.y)]).toEqual([160, 16]);
    expect([held!.y.length, rare(held!.y)]).toEqual([40, 4]);
    expect(load(text, "t").test).toBeNull();
  });

  test("loadDataset splits a regression by a plain shuffle that only the seed changes", () => {
    const held = (seed: number): number[] => [...load(text, "y", { split: 0.25, seed }).test!.y];
    expect(held(0)).toHaveLength(50);
    expect(held(0)).toEqual(held(0));
    expect(held(0)).not.toEqual(held(1));
  });

  test("loadDataset refuses a class with a single row under a split, but not without one", () => {
    const single = "x,t\n1,a\n2,b\n3,a\n4,b\n5,c\n";
    expect(fail(single, "t", { split: 0.2 })).toMatchObject({
      code: "class-too-small",
      hint: expect.stringContaining("--split none"),
    });
    expect(load(single, "t").target.classes).toEqual(["a", "b", "c"]);
    const names = csv({ x: range(30), t: range(30).map((i) => `name ${i}`) });
    expect(fail(names, "t", { split: 0.2 }).hint).toContain("is this the column to predict?");
  });

  test("loadDataset refuses a fraction outside (0, 1)", () => {
    for (const split of [0, 1, -0.5, Number.NaN]) {
      const error = userError(() => load(text, "t", { split }));
      expect([error.name, error.code]).toEqual(["ConfigError", "bad-split"]);
    }
  });

  test("loadDataset learns medians, moments and categories from the training rows alone", () => {
    const stream = randomStream(1, "leak");
    const x = values.map(() => stream.normal());
    const options = { file: save("leak.csv", csv({ x, y: values.map((i) => i / 7) })), target: "y" };
    const first = loadDataset(options);
    // Changing the held-out rows must change nothing that was learned.
    const heldRows = new Set([...first.test!.y].map((y) => Math.round(7 * y)));
    const changed = x.map((value, i) => (heldRows.has(i) ? 1000 : value));
    const second = loadDataset({
      ...options,
      file: save("leak.csv", csv({ x: changed, y: values.map((i) => i / 7) })),
    });
    expect(second.preprocessing).toEqual(first.preprocessing);
    expect(second.fingerprint.matrix).toBe(first.fingerprint.matrix);
    expect(second.fingerprint.file).not.toBe(first.fingerprint.file);
  });
});

describe("loadDataset, features", () => {
  test("loadDataset standardizes to mean 0 and population standard deviation 1 over the training rows", () => {
    const stream = randomStream(0, "moments");
    const columns = {
      a: range(500).map(() => 1e6 + stream.normal()),
      b: range(500).map(() => 1e-9 * stream.normal() ** 3),
    };
    const { train } = loadDataset({
      file: save("z.csv", csv({ ...columns, t: range(500).map((i) => i / 3) })),
      target: "t",
    });
    for (let j = 0; j < 2; j++) {
      const z = range(train.X.rows).map((i) => row(train.X, i)[j]!);
      const mean = z.reduce((sum, value) => sum + value, 0) / z.length;
      const variance = z.reduce((sum, value) => sum + (value - mean) ** 2, 0) / z.length;
      // Rounding of the column's own values: 1e6 times 2^-53, over a deviation of 1.
      expect(Math.abs(mean)).toBeLessThan(1e-9);
      expect(Math.abs(variance - 1)).toBeLessThan(1e-9);
    }
  });

  test("loadDataset keeps columns of 1e300 and 1e-300 finite and standardized", () => {
    const text = csv({
      a: ["-1.7e308", "-1.7e308", "1.7e308", "-1.7e308"],
      b: ["1e-300", "3e-300", "0", "0"],
      t: [0.5, 1, 2, 3],
    });
    const { train } = load(text, "t");
    for (let j = 0; j < 2; j++) {
      const squares = range(4).reduce((sum, i) => sum + row(train.X, i)[j]! ** 2, 0);
      expect(squares / 4).toBeCloseTo(1, 12);
    }
  });

  test("loadDataset leaves numbers as they are with standardize none, constant columns too", () => {
    const { train, notes } = load("a,one,t\n1,1,0.5\n3,1,1\n2,1,2\n", "t", { standardize: "none" });
    expect([...train.X.data]).toEqual([1, 1, 3, 1, 2, 1]);
    expect(notes.join()).not.toContain("dropped");
  });

  test("loadDataset drops constant columns with a note", () => {
    const { preprocessing, notes } = load("a,one,word,empty,t\n1,1,w,,0.5\n3,1,w,,1\n2,1,w,,2\n", "t");
    expect(preprocessing.features).toEqual(["a"]);
    expect(notes).toContain("dropped columns one, word: constant on the training rows");
    expect(notes).toContain("dropped column empty: no value in the training rows");
  });

  test("loadDataset fills missing numbers with the training median", () => {
    const { train, preprocessing, notes } = load("a,t\n1,0.5\n,1\n10,2\n3,4\n7,5\n", "t", { standardize: "none" });
    expect([...train.X.data]).toEqual([1, 5, 10, 3, 7]);
    expect(preprocessing.encodings[0]).toMatchObject({ fill: 5 });
    expect(notes).toContain("1 missing cell filled with the training median: a (1)");
  });

  test("loadDataset: three categories give three features, two give one, a missing cell is a category", () => {
    const text = "c,d,e,t\nred,no,u,0.5\nblue,yes,,1\ngreen,no,u,2\nblue,yes,v,3\n";
    const { train, preprocessing } = load(text, "t");
    expect(preprocessing.features).toEqual(["c=blue", "c=green", "c=red", "d=yes", "e=u", "e=v", "e=(missing)"]);
    expect(range(4).map((i) => row(train.X, i).join(""))).toEqual(["0010100", "1001001", "0100100", "1001010"]);
  });

  test("loadDataset drops category columns with more than 50 values and those with another value in every row", () => {
    const n = 104;
    const columns = {
      x: range(n),
      id: range(n).map((i) => `id${i}`),
      fifty: range(n).map((i) => `f${i % 50}`),
      more: range(n).map((i) => `m${i % 51}`),
      t: range(n).map((i) => i / 3),
    };
    const { preprocessing, notes } = load(csv(columns), "t");
    expect(preprocessing.features).toHaveLength(1 + 50);
    expect(notes).toContain("dropped columns id, more: more than 50 categories");
    const short = load("x,id,t\n1,u,0.5\n2,v,1\n3,w,2\n", "t");
    expect(short.notes).toContain("dropped column id: another value in every row");
  });

  test("loadDataset drops an unnamed column that counts the rows, but no other", () => {
    const { preprocessing, notes } = load(",a,t\n0,5,0.5\n1,3,1\n2,4,2\n", "t");
    expect(preprocessing.features).toEqual(["a"]);
    expect(notes.join()).toContain("only counts the rows");
    expect(load("i,a,t\n0,5,0.5\n1,3,1\n2,4,2\n", "t").preprocessing.features).toEqual(["i", "a"]);
    expect(load(",a,t\n0,5,0.5\n2,3,1\n1,4,2\n", "t").preprocessing.features).toEqual(["column 1", "a"]);
  });

  test("loadDataset encodes a category that only the held-out rows have as zeros and says so", () => {
    const n = 50;
    const plain = { x: range(n), t: range(n).map((i) => i / 3) };
    const { test: held } = loadDataset({ file: save("seen.csv", csv(plain)), target: "t" });
    const only = Math.round(3 * held!.y[0]!);
    const text = csv({ ...plain, c: range(n).map((i) => (i === only ? "new" : `c${i % 3}`)) });
    const loaded = loadDataset({ file: save("seen.csv", text), target: "t" });
    expect(loaded.preprocessing.features).toEqual(["x", "c=c0", "c=c1", "c=c2"]);
    expect([...row(loaded.test!.X, 0).slice(1)]).toEqual([0, 0, 0]);
    expect(loaded.notes).toContain("1 cell of a category not seen in training, encoded as zeros: c (1)");
  });
});

describe("loadDataset, files", () => {
  const text = "a,b,t\n1,x,0.5\n,y,1\n4,x,2\n5,z,3\n6,z,8\n";

  test("loadDataset gives the same bits from plain text, gzip, and on every call", () => {
    const plain = load(text, "t", { split: 0.4 });
    const packed = loadDataset({ file: save("table.csv.gz", gzipSync(text)), target: "t", split: 0.4 });
    expect(packed.train).toEqual(plain.train);
    expect(packed.test).toEqual(plain.test);
    expect(packed.fingerprint.matrix).toBe(plain.fingerprint.matrix);
    expect(load(text, "t", { split: 0.4 })).toEqual(plain);
  });

  test("loadDataset: the fingerprint is the sha256 of the raw file and of X then y", () => {
    const { train, fingerprint } = load(text, "t");
    const bytes = Buffer.alloc(8 * (train.X.data.length + train.y.length));
    [...train.X.data, ...train.y].forEach((value, i) => {
      bytes.writeDoubleLE(value, 8 * i);
    });
    const sha256 = (content: string | Buffer): string => createHash("sha256").update(content).digest("hex");
    expect(fingerprint).toEqual({ file: sha256(text), matrix: sha256(bytes), weights: null });
  });

  test("loadDataset pins the bits of a small table", () => {
    // Guards bit-reproducibility across versions: a change here breaks every certificate written before.
    expect(load(text, "t", { split: 0.4 }).fingerprint.matrix).toMatchInlineSnapshot(
      `"b0f9c5fe9201ede26e6422ac9230c94c520f917da10524c0bbb269ea0db1da2a"`,
    );
  });

  test("loadDataset reads npy data; NaN is missing", () => {
    const data = Float64Array.of(1, 2, Number.NaN, 5, 3, 9);
    const X = save("X.npy", writeNpy({ shape: [3, 2], data }));
    const y = save("y.npy", writeNpy({ shape: [3], data: Float64Array.of(0.5, 1, 2) }));
    const loaded = loadDataset({ file: X, target: y, split: "none", standardize: "none" });
    expect(loaded.preprocessing.features).toEqual(["x1", "x2"]);
    expect([...loaded.train.X.data]).toEqual([1, 2, 2, 5, 3, 9]);
    expect(loadDataset({ file: X, target: "x2", split: "none" }).preprocessing.features).toEqual(["x1"]);
  });

  test("loadDataset refuses npy data of another shape, with infinite entries, or a target of another length", () => {
    const code = (shape: number[], data: Float64Array, target = "1"): string => {
      const file = save("bad.npy", writeNpy({ shape, data }));
      return userError(() => loadDataset({ file, target })).code;
    };
    expect(code([2, 1, 2], new Float64Array(4))).toBe("npy-shape");
    expect(code([], new Float64Array(1))).toBe("npy-shape");
    expect(code([3, 0], new Float64Array(0))).toBe("npy-shape");
    expect(code([2, 1], Float64Array.of(1, Number.POSITIVE_INFINITY))).toBe("not-finite");
    const two = save("two.npy", writeNpy({ shape: [2, 2], data: new Float64Array(4) }));
    expect(code([2, 2], new Float64Array(4), two)).toBe("npy-shape");
    const three = save("three.npy", writeNpy({ shape: [3], data: new Float64Array(3) }));
    expect(code([2, 2], new Float64Array(4), three)).toBe("target-length");
  });

  test("readTable of a folder or a missing file is a DataError", () => {
    const file = save("houses.csv", text);
    expect(userError(() => readTable(file.replace("houses", "hoses"))).hint).toContain("houses.csv");
    expect(userError(() => readTable(file.replace(/houses\.csv$/, ""))).code).toBe("is-a-folder");
  });
});

const shared = new URL("../../../shared/data/", import.meta.url);

describe.skipIf(!existsSync(shared))("loadDataset on the shared tables", () => {
  test("loadDataset reads all of them into finite numbers, with the last column as target", () => {
    for (const folder of ["raw_uci", "regression", "rule", "uci"]) {
      for (const name of readdirSync(new URL(`${folder}/`, shared))) {
        const file = fileURLToPath(new URL(`${folder}/${name}`, shared));
        const last = readTable(file).columns.length;
        const { train, test: held } = loadDataset({ file, target: String(last) });
        for (const part of [train, held!]) {
          expect(part.X.data.every(Number.isFinite) && part.y.every(Number.isFinite), name).toBe(true);
        }
      }
    }
  });
});
