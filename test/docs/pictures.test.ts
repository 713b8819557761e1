/** The pictures of the documentation are the ones that `tools/make-pictures.ts` makes, and pages show them. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Resvg } from "@resvg/resvg-js";
import { DOMParser } from "linkedom";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Compute } from "../../src/compute/index.ts";
import { pictureCompute, pictures } from "../../tools/make-pictures.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const FOLDER = join(ROOT, "docs/pictures");
const PAGES = ["README.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)].filter((page) =>
  page.endsWith(".md"),
);
const files = readdirSync(FOLDER);
const svgOf = (name: string): string => readFileSync(join(FOLDER, `${name}.svg`), "utf8");

/** Numbers to a pixel, for functions such as `Math.exp` may differ in their last digit between engines. */
function numbersOf(svg: string): { shape: string; numbers: number[] } {
  const pattern = /(?<![\w#])-?\d+(\.\d+)?/g;
  return { shape: svg.replace(pattern, "0"), numbers: (svg.match(pattern) ?? []).map(Number) };
}

let compute: Compute;
beforeAll(async () => {
  compute = await pictureCompute();
});
afterAll(() => compute.close());

describe("pictures of the documentation", () => {
  test("pictures has every file of docs/pictures", () => {
    expect([...pictures.keys()].map((name) => `${name}.svg`).sort()).toEqual([...files].sort());
  });

  test.each(["kernel-spectrum", "ntk-posterior", "sign-flips"])("pictures makes %s.svg as it is", (name) => {
    const [made, kept] = [numbersOf(pictures.get(name)!(compute).svg), numbersOf(svgOf(name))];
    expect(made.shape).toBe(kept.shape);
    made.numbers.forEach((value, k) => {
      expect(Math.abs(value - kept.numbers[k]!)).toBeLessThan(0.21);
    });
  });

  test.each([...pictures.keys()])("%s.svg is small, whole, and follows light and dark pages", (name) => {
    const svg = svgOf(name);
    expect(svg.length).toBeLessThan(60_000);
    expect(svg).not.toMatch(/NaN|Infinity|undefined|var\(/);
    const texts = [...new DOMParser().parseFromString(svg, "image/svg+xml").querySelectorAll("text")];
    expect(texts.length).toBeGreaterThan(4);
    // No label had to be cut.
    for (const text of texts) expect(text.textContent).not.toContain("…");
    // Each colour of the picture has its counterpart in the dark.
    const [style] = /<style>.*?<\/style>/.exec(svg)!;
    expect(style).toContain("prefers-color-scheme:dark");
    const used = new Set([...svg.replace(style, "").matchAll(/(?:fill|stroke)="(#\w+)"/g)].map(([, color]) => color!));
    for (const color of used) expect(style).toContain(`[fill="${color}"]{fill:`);
    expect(new Resvg(svg).render().width).toBeGreaterThan(500);
  });

  test.each([...pictures.keys()])("%s.svg is shown by a page, with words for who cannot see it", (name) => {
    const shown = PAGES.flatMap((page) => [
      ...readFileSync(join(ROOT, page), "utf8").matchAll(/!\[([^\]]*)\]\((?:docs\/)?pictures\/([\w-]+)\.svg\)/g),
    ]).filter(([, , picture]) => picture === name);
    expect(shown.length).toBeGreaterThan(0);
    for (const [, words] of shown) expect(words!.length).toBeGreaterThan(20);
  });
});
