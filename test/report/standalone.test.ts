import { DOMParser } from "linkedom";
import { describe, expect, it } from "vitest";
import { renderFigures } from "../../src/report/index.ts";
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
