import { describe, expect, test } from "vitest";
import { row } from "../../src/base/matrix.ts";
import {
  applyPreprocessing,
  featureWidth,
  loadDataset,
  loadRows,
  type Preprocessing,
  readTable,
} from "../../src/data/index.ts";
import { temporaryFiles, userError } from "./helpers.ts";

const save = temporaryFiles();

const TRAINING = "age,colour,size,door,price\n20,red,1,2,1.5\n30,blue,,4,2.5\n40,red,3,5more,3.5\n50,green,4,2,9\n";

function trained(text = TRAINING, target = "price"): { preprocessing: Preprocessing; X: number[] } {
  const { preprocessing, train } = loadDataset({ file: save("training.csv", text), target, split: "none" });
  return { preprocessing, X: [...train.X.data] };
}

test("applyPreprocessing gives the training rows their features again, also after a trip through JSON", () => {
  const { preprocessing, X } = trained();
  const table = readTable(save("training.csv", TRAINING));
  const copy = JSON.parse(JSON.stringify(preprocessing)) as Preprocessing;
  expect([...applyPreprocessing(copy, table).X.data]).toEqual(X);
});

test("featureWidth counts the features of every encoding: one for a number or two categories, else one for each", () => {
  const { preprocessing } = trained();
  expect(preprocessing.encodings.map(featureWidth)).toEqual([1, 3, 1, 3]);
  expect(featureWidth({ kind: "one-hot", column: "c", categories: ["a", null] })).toBe(1);
  expect(featureWidth({ kind: "one-hot", column: "c", categories: ["a", "b", null] })).toBe(3);
});

describe("loadRows", () => {
  const { preprocessing, X } = trained();
  const first = X.slice(0, preprocessing.features.length);
  const rows = (text: string): ReturnType<typeof loadRows> => loadRows(preprocessing, save("rows.csv", text));

  test("loadRows takes columns in any order, without the target, and ignores others", () => {
    const { X: out, notes } = rows("door,other,size,colour,age\n2,x,1,red,20\n");
    expect([...out.data]).toEqual(first);
    expect(notes).toEqual([]);
  });

  test("loadRows reads a category as a category where all its cells happen to be numbers", () => {
    // Training knew the doors "2", "4", "5more"; here the column alone would be read as numbers.
    const { X: out } = rows("age,colour,size,door\n20,red,1,2\n20,red,1,4\n");
    expect(preprocessing.features.slice(-3)).toEqual(["door=2", "door=4", "door=5more"]);
    expect([...row(out, 0).slice(-3), ...row(out, 1).slice(-3)]).toEqual([1, 0, 0, 0, 1, 0]);
  });

  test("loadRows encodes unknown categories as zeros and fills missing numbers, each with a note", () => {
    const { X: out, notes } = rows("age,colour,size,door\n,purple,1,2\n20,,1,2\n");
    const colours = preprocessing.features.indexOf("colour=blue");
    for (let i = 0; i < 2; i++) expect([...row(out, i).slice(colours, colours + 3)]).toEqual([0, 0, 0]);
    // The training median 35 is the mean as well.
    expect(row(out, 0)[0]).toBe(0);
    expect(notes).toEqual([
      "1 missing cell filled with the training median: age (1)",
      "2 cells of a category not seen in training, encoded as zeros: colour (2)",
    ]);
  });

  test("loadRows does not check columns that the model does not use", () => {
    const lines = Array.from({ length: 30 }, (_, i) => `20,red,1,2,${i === 7 ? "typo" : i},${i === 8 ? "inf" : i}`);
    const { X: out, table } = rows(`age,colour,size,door,price,other\n${lines.join("\n")}\n`);
    expect([...row(out, 29)]).toEqual(first);
    expect(table.columns.slice(-2).map((column) => column.kind)).toEqual(["category", "category"]);
  });

  test("loadRows of a missing column suggests a similar one", () => {
    const error = userError(() => rows("age,color,size,door\n20,red,1,2\n"));
    expect(error).toMatchObject({ name: "DataError", code: "column-not-found", hint: 'did you mean "color"?' });
  });

  test("loadRows of words in a number column names the cell", () => {
    const error = userError(() => rows("age,colour,size,door\n20,red,1,2\nold,red,1,2\n"));
    expect(error).toMatchObject({ code: "not-a-number", place: { line: 3, column: 1 } });
  });
});

test("applyPreprocessing: words in a number column of a table read without a model are a DataError", () => {
  const { preprocessing } = trained();
  const table = readTable(save("rows.csv", "age,colour,size,door\nold,red,1,2\n"));
  expect(userError(() => applyPreprocessing(preprocessing, table)).code).toBe("not-a-number");
});

test("applyPreprocessing: numbers in a category column of a table read without a model are compared as text", () => {
  const { preprocessing } = trained();
  const table = readTable(save("rows.csv", "age,colour,size,door\n20,red,1,4\n20,red,1,\n20,red,1,7\n"));
  const { X, notes } = applyPreprocessing(preprocessing, table);
  expect([0, 1, 2].map((i) => [...row(X, i).slice(-3)].join(""))).toEqual(["010", "000", "000"]);
  expect(notes.join()).toContain("door (2)");
});
