import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { assetPath } from "../../src/platform/assets.ts";
import { loadSvgToPng } from "../../src/platform/png.ts";

const svgToPng = (await loadSvgToPng())!;

const svg = (content: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="60" height="20"><rect width="60" height="20" fill="#fff"/>${content}</svg>`;

/** Width and height in the header of a PNG. */
function size(png: Uint8Array): number[] {
  const view = new DataView(png.buffer, png.byteOffset);
  expect([...png.subarray(0, 4)]).toEqual([0x89, 0x50, 0x4e, 0x47]);
  return [view.getUint32(16), view.getUint32(20)];
}

describe("loadSvgToPng", () => {
  test("loadSvgToPng: the drawing function scales the picture", () => {
    expect(size(svgToPng(svg(""), 2))).toEqual([120, 40]);
  });

  test("loadSvgToPng: the drawing function sets text of any family in the font of the package", () => {
    const text = (family: string): Uint8Array =>
      svgToPng(svg(`<text x="2" y="15" font-family="${family}">β = 0.5</text>`), 1);
    expect(text("DejaVu Sans")).not.toEqual(svgToPng(svg(""), 1));
    expect(text("No Such Font, sans-serif")).toEqual(text("DejaVu Sans"));
  });

  test("loadSvgToPng: the drawing function refuses what is not SVG", () => {
    expect(() => svgToPng("<svg", 1)).toThrow();
  });

  test("assetPath names files of the package, the font with its licence", () => {
    for (const name of ["fonts/DejaVuSans.ttf", "fonts/LICENSE"]) expect(existsSync(assetPath(name))).toBe(true);
  });
});
