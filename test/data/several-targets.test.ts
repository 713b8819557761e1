import { describe, expect, it } from "vitest";
import { loadDataset } from "../../src/data/index.ts";
import { temporaryFiles } from "./helpers.ts";

const write = temporaryFiles();
const file = (text: string): string => write("t.csv", text);
const table = "x,a,b,w\n1,10,0.5,1\n2,20,,1\n3,30,1.5,2\n4,50,3.5,1\n";

describe("loadDataset of several targets", () => {
  it("takes the columns out of the features, row by row, and drops rows where one is missing", () => {
    const { train, target, preprocessing, notes } = loadDataset({
      file: file(table),
      target: "b, a",
      several: true,
      split: "none",
      weights: "w",
    });
    expect(preprocessing.features).toEqual(["x"]);
    expect([...train.y]).toEqual([0.5, 10, 1.5, 30, 3.5, 50]);
    expect([...(train.weights ?? [])]).toEqual([1, 2, 1]);
    expect(notes).toContain("1 row without a target value dropped");
    expect(target).toMatchObject({ name: "b,a", task: "regression", classes: null });
    expect(target.columns?.map(({ name }) => name)).toEqual(["b", "a"]);
    expect(target.columns?.[1]).toMatchObject({ mean: 30, scale: expect.closeTo(Math.sqrt(800 / 3), 12) });
  });

  it("learns the scales from the training rows, and leaves the units with standardize none", () => {
    const rows = Array.from({ length: 40 }, (_, i) => `${i},${i * i},${-i}`).join("\n");
    const options = { file: file(`x,a,b\n${rows}\n`), target: "a,b", several: true } as const;
    const { train, test, target } = loadDataset(options);
    expect(train.y.length).toBe(2 * train.X.rows);
    expect(test?.y.length).toBe(2 * (test?.X.rows ?? 0));
    const mean = train.y.filter((_, k) => k % 2 === 0).reduce((sum, t) => sum + t, 0) / train.X.rows;
    expect(target.columns?.[0]?.mean).toBeCloseTo(mean, 10);
    const plain = loadDataset({ ...options, standardize: "none" });
    expect(plain.target.columns).toEqual([
      { name: "a", mean: 0, scale: 1 },
      { name: "b", mean: 0, scale: 1 },
    ]);
  });

  it("prefers a column whose name has a comma, and takes no list without being told that it may", () => {
    const { target } = loadDataset({
      file: file('x,"a,b"\n1,1.5\n2,2.5\n'),
      target: "a,b",
      several: true,
      split: "none",
      task: "regression",
    });
    expect(target).toEqual({ name: "a,b", task: "regression", classes: null });
    expect(() => loadDataset({ file: file(table), target: "a,b" })).toThrow('column "a,b" not found');
  });

  it.each([
    ["a,c", "auto", 'column "c" not found'],
    ["a,a", "auto", 'column "a" is named twice'],
    ["a,b", "classification", "several targets are numbers, not classes"],
    ["a,t", "auto", 'target "t" is text'],
    ["a,k", "auto", 'target "k" has the same value in every row'],
  ] as const)("refuses %s (%s)", (target, task, message) => {
    const text = "x,a,b,t,k\n1,10,0.5,u,1\n2,20,1,v,1\n3,30,1.5,u,1\n";
    expect(() => loadDataset({ file: file(text), target, task, several: true })).toThrow(message);
  });
});
