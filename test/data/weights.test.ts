import { describe, expect, it } from "vitest";
import { loadDataset } from "../../src/data/index.ts";
import { temporaryFiles } from "./helpers.ts";

const write = temporaryFiles();
const file = (text: string): string => write("t.csv", text);

describe("loadDataset with weights", () => {
  const table = "a,w,y\n1,2,0.5\n2,0,1.5\n3,1.5,2.5\n4,1,\n5,3,7.5\n";

  it("takes the column out of the features and keeps it with its rows", () => {
    const { train, preprocessing, fingerprint } = loadDataset({
      file: file(table),
      target: "y",
      weights: "w",
      split: "none",
    });
    expect(preprocessing.features).toEqual(["a"]);
    expect([...(train.weights ?? [])]).toEqual([2, 0, 1.5, 3]);
    expect(fingerprint.weights).toMatch(/^[0-9a-f]{64}$/);
  });

  it("follows the split", () => {
    const rows = Array.from({ length: 40 }, (_, i) => `${i},${i + 100},${i}.5`).join("\n");
    const { train, test } = loadDataset({ file: file(`a,w,y\n${rows}\n`), target: "y", weights: "w" });
    for (const part of [train, test])
      expect([...(part?.weights ?? [])]).toEqual(Array.from(part?.y ?? [], (y) => y + 99.5));
  });

  it("follows rows dropped for missing cells", () => {
    const { train } = loadDataset({
      file: file("a,w,y\n1,2,1.5\n,3,2.5\n3,4,3.5\n"),
      target: "y",
      weights: "w",
      split: "none",
      missing: "drop",
    });
    expect([...(train.weights ?? [])]).toEqual([2, 4]);
  });

  it.each([
    ["a,w,y\n1,-2,0.5\n2,1,1.5\n", "-2"],
    ["a,w,y\n1,,0.5\n2,1,1.5\n", "missing"],
    ["a,w,y\n1,x,0.5\n2,y,1.5\n3,x,2\n4,y,3\n", "text"],
    ["a,w,y\n1,0,0.5\n2,0,1.5\n", "all 0"],
  ])("refuses %j", (text, words) => {
    expect(() => loadDataset({ file: file(text), target: "y", weights: "w", split: "none" })).toThrow(words);
  });

  it("refuses the target as weights and suggests names", () => {
    expect(() => loadDataset({ file: file(table), target: "y", weights: "y" })).toThrow("both target and weights");
    expect(() => loadDataset({ file: file(table), target: "y", weights: "ww" })).toThrow("not found");
  });
});
