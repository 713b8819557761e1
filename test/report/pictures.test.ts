import { DOMParser } from "linkedom";
import { describe, expect, it } from "vitest";
import { curveChart } from "../../src/report/charts/curve.ts";
import { neuronsChart } from "../../src/report/charts/neurons.ts";
import { regionsChart } from "../../src/report/charts/regions.ts";
import { rocChart } from "../../src/report/charts/roc.ts";
import { curve, panel, regions, roc } from "./fixtures.ts";

const SIZE = { width: 700, height: 300 };
const CLASSES = ["yes", "no"];

function parse(svg: string) {
  expect(svg).toMatch(/^<svg[^>]* xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  expect(svg).not.toMatch(/NaN|Infinity|undefined|⚠/);
  return new DOMParser().parseFromString(svg, "image/svg+xml");
}

function texts(svg: string): string[] {
  return [...parse(svg).querySelectorAll("text")].map((text) => text.textContent ?? "");
}

/** Every coordinate of the paths of a chart. */
function pathNumbers(svg: string): number[] {
  return [...parse(svg).querySelectorAll("path")].flatMap((path) =>
    (path.getAttribute("d") ?? "").match(/-?\d+(\.\d+)?/g)!.map(Number),
  );
}

describe("rocChart", () => {
  it("rocChart says the area, and stays within its frame", () => {
    const svg = rocChart([roc("positive", 0.9312)], 460);
    expect(texts(svg)).toContain("AUC 0.931");
    for (const number of pathNumbers(svg)) {
      expect(number).toBeGreaterThanOrEqual(0);
      expect(number).toBeLessThanOrEqual(520);
    }
  });

  it("rocChart rounds an area down: 1.000 is a perfect order", () => {
    expect(texts(rocChart([roc("a", 0.99996)], 460))).toContain("AUC 0.999");
    expect(texts(rocChart([roc("a", 1)], 460))).toContain("AUC 1.000");
  });

  it("rocChart names the six worst of many classes", () => {
    const svg = rocChart(
      Array.from({ length: 26 }, (_, k) => roc(`class ${k}`, 0.5 + 0.01 * k)),
      340,
    );
    const named = texts(svg).filter((text) => text.includes("AUC"));
    expect(named.map((text) => text.split("  ")[0])).toEqual([0, 1, 2, 3, 4, 5].map((k) => `class ${k}`));
    expect(parse(svg).querySelectorAll('[aria-label="line"] path')).toHaveLength(26);
  });
});

describe("neuronsChart", () => {
  it("neuronsChart writes rows, shares and effects", () => {
    const svg = neuronsChart(panel(23, ["RM", "LSTAT"], ""), 780);
    const words = texts(svg);
    expect(words).toEqual(expect.arrayContaining(["RM", "LSTAT", "300", "250", "30 %", "15 %", "2.5", "−2.5", "−2.0"]));
    expect(words).not.toContain("class");
    expect(words).not.toContain("…");
    expect(texts(neuronsChart(panel(3, ["a"], "setosa"), 340))).toEqual(expect.arrayContaining(["class", "setosa"]));
  });

  it("neuronsChart leaves out the least used features on a phone, and is never wider than asked for", () => {
    const features = Array.from({ length: 12 }, (_, k) => `feature number ${k}`);
    for (const width of [340, 780]) {
      const svg = neuronsChart(panel(5, features, "a very long name of a class"), width);
      expect(Number(parse(svg).documentElement.getAttribute("width"))).toBe(width);
      const shown = features.filter((name) => texts(svg).includes(name));
      expect(shown).toEqual(features.slice(0, shown.length));
      expect(shown.length).toBeGreaterThan(width === 340 ? 1 : 9);
    }
  });

  it.each([
    [1e6, "effects in units of 1,000,000", "2.5"],
    [1e-5, "effects in units of 10⁻⁶", "25"],
  ])("neuronsChart writes effects of size %d in a unit", (size, unit, strongest) => {
    const base = panel(2, ["a"], "");
    const neurons = base.neurons.map((neuron) => ({
      ...neuron,
      effects: neuron.effects.map((effect) => effect * size),
    }));
    expect(texts(neuronsChart({ ...base, neurons }, 780))).toEqual(expect.arrayContaining([unit, strongest]));
  });

  it("neuronsChart draws a network that uses no feature", () => {
    expect(texts(neuronsChart({ ...panel(2, [], ""), totalFeatures: 3 }, 340))).toContain("300");
  });
});

describe("curveChart", () => {
  it("curveChart marks every kink once, and the rows of both parts", () => {
    const document = parse(curveChart(curve(null), SIZE));
    const dots = [...document.querySelectorAll('[aria-label="dot"]')].map((group) => group.children.length);
    // 6 of 30 rows are held out; the last group of more than one are the kinks.
    expect(dots).toEqual(expect.arrayContaining([24, 6, 2]));
    expect(texts(curveChart(curve(null), SIZE))).toEqual(
      expect.arrayContaining(["network", "kink", "held-out row", "x", "y"]),
    );
  });

  it("curveChart shows classes as strips with their names, and one curve a class", () => {
    const svg = curveChart(curve(CLASSES, CLASSES), SIZE);
    expect(texts(svg).filter((text) => text === "yes")).toHaveLength(2);
    expect(parse(svg).querySelectorAll('[aria-label="line"] path')).toHaveLength(2);
    expect(texts(curveChart(curve(CLASSES), SIZE))).toEqual(expect.arrayContaining(["network", "yes", "no"]));
  });

  it("curveChart draws without rows, and a flat curve", () => {
    const flat = [
      { x: 0, y: 5, kink: false },
      { x: 1, y: 5, kink: false },
    ];
    const svg = curveChart({ ...curve(null), points: [], curves: [{ label: "y", vertices: flat }] }, SIZE);
    expect(texts(svg)).not.toContain("kink");
  });
});

describe("regionsChart", () => {
  it("regionsChart draws the boundary of two classes where the output is zero", () => {
    const svg = regionsChart(regions(CLASSES), 400);
    const document = parse(svg);
    expect(texts(svg)).toEqual(
      expect.arrayContaining(["yes", "no", "boundary", "kink of a neuron", "width", "height"]),
    );
    // Both sides are shaded: {f >= 0} and {f <= 0}, with levels above them.
    expect(document.querySelectorAll('[aria-label="contour"]').length).toBeGreaterThanOrEqual(3);
    expect(document.querySelectorAll('[aria-label="link"] path')).toHaveLength(1);
  });

  it("regionsChart tells the levels of a number", () => {
    expect(texts(regionsChart(regions(null), 400)).find((text) => text.includes("levels of price"))).toMatch(
      /from −?[\d.]+ to [\d.]+, a step is [\d.]+$/,
    );
  });

  it("regionsChart gives each of three classes a region and a shape", () => {
    const document = parse(regionsChart(regions(["a", "b", "c"]), 640));
    const contours = [...document.querySelectorAll('[aria-label="contour"]')];
    const fills = contours.map((group) => group.getAttribute("fill")).filter((fill) => fill !== "none");
    expect(new Set(fills).size).toBe(3);
  });

  it("regionsChart draws a constant network without rows", () => {
    const flat = { ...regions(null), points: [], kinks: [] };
    parse(regionsChart({ ...flat, grids: [flat.grids[0]!.map(() => 2)] }, 340));
    parse(regionsChart({ ...flat, classes: CLASSES, grids: [flat.grids[0]!.map(() => 0)] }, 340));
  });
});
