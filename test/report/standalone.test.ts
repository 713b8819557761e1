import { DOMParser } from "linkedom";
import { describe, expect, it } from "vitest";
import { linesChart } from "../../src/report/charts/lines.ts";
import { renderFigures } from "../../src/report/index.ts";
import { standalone } from "../../src/report/standalone.ts";
import { reports } from "./fixtures.ts";

describe("renderFigures", () => {
  it.each(Object.entries(reports()))("renderFigures of the %s fixture are files that stand alone", (_, report) => {
    const figures = renderFigures(report);
    const names = figures.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, svg } of figures) {
      expect(name).toMatch(/^[a-z]+(-\d+)?$/);
      const document = new DOMParser().parseFromString(svg, "image/svg+xml");
      expect(document.documentElement.getAttribute("xmlns")).toBe("http://www.w3.org/2000/svg");
      // Programs that draw SVG know neither custom properties nor the style of the page.
      expect(svg).not.toMatch(/var\(|class="wide"|NaN|undefined/);
      const [x, y, width, height] = (document.documentElement.getAttribute("viewBox") ?? "").split(" ").map(Number);
      expect([x, y]).toEqual([-16, -16]);
      expect([width, height]).toEqual(
        ["width", "height"].map((side) => Number(document.documentElement.getAttribute(side))),
      );
    }
  });

  it("renderFigures leaves out lines of a single point", () => {
    const { regression } = reports();
    const at = (count: number) => Array.from({ length: count }, (_, k) => [k, 1 + k] as const);
    const line = (name: string, count: number) => ({
      ...{ name, title: name, caption: name, x: { label: "step" }, y: { label: name } },
      lines: [
        { label: "measured", points: at(count) },
        { label: "bound", dashed: true, points: at(5) },
      ],
    });
    const names = renderFigures({ ...regression, lines: [line("once", 1), line("twice", 2)] }).map(({ name }) => name);
    expect(names.slice(0, 2)).toEqual(["twice", "curve"]);
  });

  it("renderFigures names the figures after what they show, with a number where there are several", () => {
    const { regression, classes } = reports();
    expect(renderFigures(regression).map(({ name }) => name)).toEqual([
      "curve",
      "convergence",
      "gap",
      "predictions",
      "neurons",
      "validation",
    ]);
    expect(renderFigures(classes).map(({ name }) => name)).toEqual([
      "regions",
      ...["convergence-1", "convergence-2", "convergence-3"],
      "gap",
      "confusion",
      "roc",
      "neurons",
    ]);
  });
});

describe("standalone", () => {
  const chart = linesChart(
    {
      ...{ name: "a", title: "", caption: "", x: { label: "x" }, y: { label: "y" } },
      lines: [
        {
          label: "a",
          points: [
            [0, 1],
            [1, 2],
          ],
        },
      ],
    },
    { width: 400, height: 200 },
  )!;

  it("standalone is light, and gives each colour a dark one for pages that have both schemes", () => {
    expect(standalone(chart)).not.toContain("<style>");
    const both = standalone(chart, "both");
    expect(both.replace(/<style>.*<\/style>/, "")).toBe(standalone(chart));
    expect(both).toContain("@media (prefers-color-scheme:dark)");
    expect(both).toContain('[stroke="#1f5fb4"]{stroke:#74acf0}');
    expect(both).toContain('[fill="#ffffff"]{fill:#1a1d21}');
  });
});
