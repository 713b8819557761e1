import { describe, expect, test } from "vitest";
import { row } from "../../src/base/matrix.ts";
import { type LoadOptions, loadDataset, loadRows, writeNpy } from "../../src/data/index.ts";
import type { Dataset } from "../../src/data/types.ts";
import { temporaryFiles, userError } from "./helpers.ts";

const save = temporaryFiles();

const TEXT = "age,colour,same,t\n20,red,1,0.5\n,blue,1,1\n40,,1,2\n50,red,1,3\n60,blue,,4\n70,red,1,5\n";

function load(text: string, missing: "impute" | "drop" | "error", options: Partial<LoadOptions> = {}): Dataset {
  return loadDataset({ file: save("table.csv", text), target: "t", split: "none", missing, ...options });
}

describe("loadDataset, missing impute", () => {
  test("loadDataset fills numbers with the training median, makes missing words a category, and reports both", () => {
    const { train, preprocessing, notes } = load(TEXT, "impute", { standardize: "none" });
    expect(preprocessing.features).toEqual(["age", "colour=blue", "colour=red", "colour=(missing)", "same"]);
    expect([...row(train.X, 1)]).toEqual([50, 1, 0, 0, 1]);
    expect([...row(train.X, 2)]).toEqual([40, 0, 0, 1, 1]);
    expect(notes).toContain("2 missing cells filled with the training median: age (1), same (1)");
    expect(notes).toContain('1 missing cell of categories read as a category "(missing)": colour (1)');
  });

  test("loadDataset imputes unless told otherwise", () => {
    const file = save("table.csv", TEXT);
    expect(loadDataset({ file, target: "t", split: "none" })).toEqual(load(TEXT, "impute"));
  });

  test("loadDataset says nothing of missing cells where there are none", () => {
    expect(load("x,c,t\n1,a,0.5\n2,b,1\n3,a,2\n", "impute").notes.join()).not.toContain("missing");
  });
});

describe("loadDataset, missing drop", () => {
  test("loadDataset drops rows with a missing number or word, and counts them by column", () => {
    const { train, preprocessing, notes } = load(TEXT, "drop");
    // Column `same` is constant and tells nothing: its missing cell costs no row.
    expect([...train.y]).toEqual([0.5, 3, 4, 5]);
    expect(preprocessing.features).toEqual(["age", "colour=red"]);
    expect(notes).toContain("2 rows with a missing cell dropped: age (1), colour (1)");
    expect(notes.join()).not.toContain("filled");
  });

  test("loadDataset keeps the training median, which predict fills in", () => {
    const { preprocessing } = load(TEXT, "drop");
    expect(preprocessing.encodings[0]).toMatchObject({ column: "age", fill: 55 });
    const { X, notes } = loadRows(preprocessing, save("rows.csv", "age,colour\n,red\n"));
    expect(X.data.every(Number.isFinite)).toBe(true);
    expect(notes).toEqual(["1 missing cell filled with the training median: age (1)"]);
  });

  test("loadDataset leaves no missing cell in the held-out part either", () => {
    const lines = Array.from({ length: 100 }, (_, i) => `${i % 4 === 0 ? "" : i},${i / 3}`);
    const { train, test: held, notes } = load(`x,t\n${lines.join("\n")}\n`, "drop", { split: 0.2 });
    expect(train.y.length + held!.y.length).toBe(75);
    expect(notes).toContain("25 rows with a missing cell dropped: x (25)");
    expect([...train.y, ...held!.y].map((y) => Math.round(3 * y) % 4)).not.toContain(0);
  });

  test("loadDataset drops rows without a target besides, and forgets classes that went with the others", () => {
    const { target, train, notes } = load("x,t\n1,a\n2,b\n3,\n,c\n5,a\n6,b\n", "drop");
    expect(target.classes).toEqual(["a", "b"]);
    expect([...train.y]).toEqual([0, 1, 0, 1]);
    expect(notes).toContain("1 row with a missing cell dropped: x (1)");
    expect(notes).toContain("1 row without a target value dropped");
  });

  test("loadDataset drops the same rows of a target from a file of its own", () => {
    const file = save("X.npy", writeNpy({ shape: [4, 1], data: Float64Array.of(1, Number.NaN, 3, 4) }));
    const target = save("y.npy", writeNpy({ shape: [4], data: Float64Array.of(0.5, 1, 2, 3) }));
    expect([...loadDataset({ file, target, split: "none", missing: "drop" }).train.y]).toEqual([0.5, 2, 3]);
  });

  test.each([
    ["x,z,t\n1,,0.5\n,1,1\n2,,2\n,2,3\n", "every row of"],
    ["x,z,t\n1,,0.5\n,1,1\n2,,2\n3,2,3\n", "every row but one of"],
  ])("loadDataset refuses %j, where too few rows are left", (text, message) => {
    const error = userError(() => load(text, "drop"));
    expect([error.name, error.code]).toEqual(["DataError", "too-few-rows"]);
    expect(error.message).toContain(message);
    expect(error.hint).toContain("--missing impute");
  });
});

describe("loadDataset, missing error", () => {
  test("loadDataset names line and column of the first missing cell, by rows", () => {
    const error = userError(() => load(TEXT, "error"));
    expect([error.name, error.code]).toEqual(["DataError", "missing-cell"]);
    expect(error.message).toBe('column "age" has a missing cell in row 2');
    expect(error.place).toMatchObject({ line: 3, column: 1 });
    expect(error.hint).toContain("age (1), colour (1)");
    expect(error.hint).toContain("--missing impute");
  });

  test("loadDataset counts lines, not rows: blank lines and line breaks in quotes", () => {
    const text = 'x,c,t\n\n1,"a\nb",0.5\n2,"é\ng" , 1\n3,NA,2\n4,"a\nb",3\n';
    const error = userError(() => load(text, "error"));
    expect(error.message).toBe('column "c" has a missing cell in row 3');
    expect(error.place).toMatchObject({ line: 7, column: 3 });
  });

  test("loadDataset counts a missing target as well", () => {
    const error = userError(() => load("x,t\n1,0.5\n2,\n3,4\n", "error"));
    expect(error).toMatchObject({ code: "missing-cell", place: { line: 3, column: 3 } });
  });

  test("loadDataset names the row where a file has no lines", () => {
    const file = save("X.npy", writeNpy({ shape: [3, 2], data: Float64Array.of(1, 2, 3, Number.NaN, 5, 6) }));
    const y = save("y.npy", writeNpy({ shape: [3], data: Float64Array.of(1, 2, 4) }));
    const error = userError(() => loadDataset({ file, target: y, missing: "error" }));
    expect([error.message, error.place]).toEqual(['column "x2" has a missing cell in row 2', { file }]);
    const hole = save("y.npy", writeNpy({ shape: [3], data: Float64Array.of(1, 2, Number.NaN) }));
    const whole = save("X.npy", writeNpy({ shape: [3, 1], data: Float64Array.of(5, 2, 3) }));
    expect(userError(() => loadDataset({ file: whole, target: hole, missing: "error" })).place).toEqual({ file: hole });
  });

  test("loadDataset does not mind missing cells of columns that tell nothing", () => {
    const { preprocessing } = load("x,empty,same,t\n1,,,0.5\n2,,7,1\n3,,7,2\n", "error");
    expect(preprocessing.features).toEqual(["x"]);
  });

  test("loadDataset gives the same bits under every policy when nothing is missing", () => {
    const text = "x,c,t\n1,a,0.5\n2,b,1\n4,a,2\n5,c,8\n";
    expect(load(text, "drop")).toEqual(load(text, "impute"));
    expect(load(text, "error")).toEqual(load(text, "impute"));
  });
});
