import { expect, it } from "vitest";
import { heightsOf } from "../../src/report/charts/contour.ts";
import { renderPlane } from "../../src/report/index.ts";

const x = [-1, -0.5, 0, 0.5, 1];
const picture = (f: (u: number, v: number) => number) => ({
  labels: ["along <b>", "across & away"] as const,
  what: "loss",
  x,
  y: [-2, 0, 2],
  values: [-2, 0, 2].flatMap((v) => x.map((u) => f(u, v))),
});

it("renderPlane draws level sets and a surface as files of their own, with labels escaped", () => {
  const files = renderPlane(picture((u, v) => u * u - v));
  expect(files.map(({ name }) => name)).toEqual(["contour", "surface"]);
  for (const { svg } of files) {
    expect(svg).toMatch(/^<svg xmlns/);
    expect(svg).not.toMatch(/var\(|NaN|<b>/);
    expect(svg).toContain("along &lt;b&gt;");
  }
  // Four by two cells, each on paper of its own, and the ground.
  expect(files[1]!.svg.match(/<polygon/g)).toHaveLength(17);
});

it("renderPlane survives constants, infinities and NaN", () => {
  for (const f of [() => 3, () => Number.NaN, (u: number) => (u > 0 ? Number.POSITIVE_INFINITY : u), () => 0]) {
    for (const { svg } of renderPlane(picture(f))) expect(svg).not.toContain("NaN");
  }
});

it("heightsOf takes logarithms of positive values that are far apart", () => {
  expect(heightsOf([1, 10, 1000])).toMatchObject({ isLog: true, values: [0, 1, 3] });
  expect(heightsOf([1, 2, 3]).isLog).toBe(false);
  expect(heightsOf([0, 10, 1000]).isLog).toBe(false);
  expect(heightsOf([1, Number.NaN, 2]).values).toEqual([1, 2, 2]);
});
