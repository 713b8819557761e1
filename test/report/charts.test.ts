import { DOMParser } from "linkedom";
import { describe, expect, it } from "vitest";
import { confusionChart } from "../../src/report/charts/confusion.ts";
import { convergenceChart } from "../../src/report/charts/convergence.ts";
import { gapChart, relativeGap } from "../../src/report/charts/gap.ts";
import { scatterChart } from "../../src/report/charts/scatter.ts";
import { validationChart } from "../../src/report/charts/validation.ts";
import type { ConvergencePoint } from "../../src/report/index.ts";
import { history } from "./fixtures.ts";

const SIZE = { width: 700, height: 300 };

/** What every chart must be: a standalone SVG of finite coordinates, with no warning of Plot in it. */
function expectSound(svg: string): void {
  expect(svg).toMatch(/^<svg[^>]* xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  expect(svg).not.toMatch(/NaN|Infinity|undefined|⚠/);
  expect(svg.endsWith("</svg>")).toBe(true);
}

function texts(svg: string): string[] {
  const document = new DOMParser().parseFromString(svg, "image/svg+xml");
  return [...document.querySelectorAll("text")].map((text) => text.textContent ?? "");
}

function count(svg: string, selector: string): number {
  return new DOMParser().parseFromString(svg, "image/svg+xml").querySelectorAll(selector).length;
}

function point(seconds: number, objective: number, bound: number | null): ConvergencePoint {
  return { seconds, objective, bound, neurons: 3 };
}

describe("convergenceChart", () => {
  it("convergenceChart labels both ends with their values", () => {
    const svg = convergenceChart([point(0.1, 0.69, null), point(1, 0.4, 0.2), point(30, 0.2931, 0.2702)], SIZE);
    expectSound(svg);
    expect(texts(svg)).toEqual(expect.arrayContaining(["objective", "0.2931", "lower bound", "0.2702", "time (s)"]));
    expect(count(svg, '[aria-label="area"] path')).toBe(1);
  });

  it("convergenceChart without a bound draws the objective alone", () => {
    const svg = convergenceChart(history(20, { bound: null }), SIZE);
    expectSound(svg);
    expect(texts(svg)).not.toContain("lower bound");
    expect(count(svg, '[aria-label="line"] path')).toBe(1);
  });

  it.each([
    ["no point", []],
    ["one point", [point(0.5, 1, null)]],
    ["one point at time zero with a bound", [point(0, 1, 0)]],
    ["a constant series", [point(1, 2, 2), point(2, 2, 2), point(3, 2, 2)]],
    ["zero objectives", [point(1, 0, 0), point(20, 0, 0)]],
    ["negative objectives", [point(1, -1, -30), point(20, -5, -6)]],
    ["objectives over many decades with a bound of zero", [point(0.1, 1e9, 0), point(1, 10, 0), point(60, 1e-3, 0)]],
    ["values that are not numbers", [point(1, Number.NaN, null), point(2, 1, Number.NaN), point(3, 0.9, 0.1)]],
    ["infinite values", [point(1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY), point(2, 1, 0.5)]],
    ["extreme values", [point(1e-300, 1e299, -1e299), point(1e299, -1e299, -1e300)]],
  ] as const)("convergenceChart draws %s", (_, points) => {
    expectSound(convergenceChart(points, SIZE));
    const gap = gapChart([{ label: "a", points }], SIZE);
    if (gap !== null) expectSound(gap);
  });

  it("convergenceChart is logarithmic for objectives over decades and keeps the bound's true value in the label", () => {
    const svg = convergenceChart([point(0.1, 1e4, 0), point(60, 2, 0)], SIZE);
    expect(texts(svg)).toEqual(expect.arrayContaining(["objective (log scale)", "lower bound", "0"]));
  });

  it("convergenceChart reduces 10,000 points to what the pixels can show", () => {
    const svg = convergenceChart(history(10_000), SIZE);
    expectSound(svg);
    expect(svg.length).toBeLessThan(120_000);
    expect(svg).toBe(convergenceChart(history(10_000), SIZE));
  });
});

describe("gapChart", () => {
  it("gapChart is null without any bound", () => {
    expect(gapChart([{ label: "a", points: history(5, { bound: null }) }], SIZE)).toBeNull();
    expect(gapChart([], SIZE)).toBeNull();
  });

  it("gapChart shows a closed gap as 0 on the lower edge", () => {
    const svg = gapChart([{ label: "a", points: [point(1, 1, 0.9), point(10, 1, 1)] }], SIZE)!;
    expectSound(svg);
    expect(texts(svg).filter((text) => text === "0")).toHaveLength(2);
  });

  it("gapChart names several series by their label, the widest gaps first", () => {
    const series = Array.from({ length: 26 }, (_, k) => ({
      label: `class ${k}`,
      points: [point(1, 1, 0.1), point(10, 1, 1 - 10 ** (-1 - k / 5))],
    }));
    const svg = gapChart(series, SIZE)!;
    expectSound(svg);
    const named = texts(svg).filter((text) => text.includes("class"));
    expect(named).toHaveLength(6);
    expect(named.join()).toContain("class 0");
    expect(named.join()).not.toContain("class 6");
    expect(count(svg, '[aria-label="line"] path')).toBe(26);
  });

  it("relativeGap divides by the size of the objective", () => {
    expect(relativeGap(point(1, 2, 1))).toBe(0.5);
    expect(relativeGap(point(1, -2, -3))).toBe(0.5);
    expect(relativeGap(point(1, 0, 0))).toBe(0);
    expect(relativeGap(point(1, 1, null))).toBeNull();
  });
});

describe("validationChart", () => {
  const grid = [0.01, 0.1, 1, 10].map((beta, k) => ({
    beta,
    loss: [3, 1, 1.05, 4][k]!,
    standardError: 0.1,
    chosen: beta === 1,
  }));

  it("validationChart marks the chosen beta and its yardstick", () => {
    const svg = validationChart(grid, SIZE)!;
    expectSound(svg);
    expect(texts(svg)).toEqual(expect.arrayContaining(["chosen β = 1", "least + 1 s.e."]));
  });

  it("validationChart needs no yardstick when the best is chosen", () => {
    const svg = validationChart(
      grid.map((p) => ({ ...p, chosen: p.beta === 0.1 })),
      SIZE,
    )!;
    expect(texts(svg)).not.toContain("least + 1 s.e.");
  });

  it("validationChart draws one point, missing errors and missing losses", () => {
    expectSound(validationChart([{ beta: 1, loss: 2, standardError: Number.NaN, chosen: true }], SIZE)!);
    expectSound(validationChart([{ beta: 1, loss: Number.NaN, standardError: 1, chosen: true }, ...grid], SIZE)!);
    expect(validationChart([{ beta: 0, loss: 1, standardError: 1, chosen: true }], SIZE)).toBeNull();
    expect(validationChart([], SIZE)).toBeNull();
  });
});

describe("scatterChart", () => {
  it("scatterChart draws a dot a pair and leaves out missing numbers", () => {
    const svg = scatterChart({ actual: [1, 2, Number.NaN], predicted: [1, 2.5, 3], name: "price" }, 500);
    expectSound(svg);
    expect(count(svg, "circle")).toBe(2);
    expect(texts(svg)).toEqual(expect.arrayContaining(["actual price", "predicted price"]));
  });

  it("scatterChart gathers 10,000 points without losing the outlier", () => {
    const actual = Array.from({ length: 10_000 }, (_, i) => (i * 0.618) % 1);
    const predicted = actual.map((value, i) => (i === 77 ? 5 : value));
    const svg = scatterChart({ actual, predicted, name: "y" }, 500);
    expectSound(svg);
    expect(count(svg, "circle")).toBeLessThan(1000);
    const heights = [...svg.matchAll(/<circle[^>]*cy="([\d.]+)"/g)]
      .map((match) => Number(match[1]))
      .sort((a, b) => a - b);
    expect(heights[1]! - heights[0]!).toBeGreaterThan(100);
  });

  it("scatterChart draws none, one and constant pairs", () => {
    expectSound(scatterChart({ actual: [], predicted: [], name: "y" }, 340));
    expectSound(scatterChart({ actual: [0], predicted: [0], name: "y" }, 340));
    expectSound(scatterChart({ actual: [7, 7], predicted: [7, 7], name: "y".repeat(500) }, 340));
  });

  it("scatterChart refuses pairs that do not match, with both lengths", () => {
    expect(() => scatterChart({ actual: [1, 2], predicted: [1], name: "y" }, 500)).toThrow(/2 actual values, but 1/);
  });
});

describe("confusionChart", () => {
  it("confusionChart shows counts and the share of hits a class", () => {
    const svg = confusionChart(
      {
        labels: ["no", "yes"],
        counts: [
          [65, 2],
          [0, 124],
        ],
      },
      700,
    );
    expectSound(svg);
    expect(texts(svg)).toEqual(expect.arrayContaining(["65", "2", "124", "97 %", "100 %", "no", "yes"]));
    // A zero is an empty cell.
    expect(texts(svg)).not.toContain("0");
  });

  it("confusionChart draws 26 classes on a phone, long and repeated names, empty rows and large counts", () => {
    const labels = Array.from({ length: 26 }, (_, k) =>
      k < 2 ? "the same very long name of a class ".repeat(9) : `class ${k}`,
    );
    const counts = labels.map((_, i) => labels.map((_, j) => (i === 3 ? 0 : i === j ? 1_234_567 : i + j)));
    const svg = confusionChart({ labels, counts }, 340);
    expectSound(svg);
    expect(count(svg, 'g[aria-label="cell"]:first-of-type rect')).toBeGreaterThan(0);
    expect(texts(svg)).toContain("1.2M");
    expect(texts(svg).every((text) => text.length < 60)).toBe(true);
  });

  it("confusionChart draws no class at all and counts that are all zero", () => {
    expectSound(confusionChart({ labels: [], counts: [] }, 340));
    expectSound(
      confusionChart(
        {
          labels: ["a", "b"],
          counts: [
            [0, 0],
            [0, 0],
          ],
        },
        340,
      ),
    );
  });

  it("confusionChart shows every row's share even when nothing is right", () => {
    const svg = confusionChart(
      {
        labels: ["a", "b"],
        counts: [
          [0, 3],
          [0, 0],
        ],
      },
      340,
    );
    expect(texts(svg)).toEqual(expect.arrayContaining(["0 %", "–"]));
  });

  it("confusionChart refuses a matrix that is not square, with both shapes", () => {
    expect(() => confusionChart({ labels: ["a", "b"], counts: [[1, 2], [3]] }, 340)).toThrow(/2 x 2, not 2 x 2\/1/);
  });
});
