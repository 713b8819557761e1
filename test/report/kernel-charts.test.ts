import { expect, test } from "vitest";
import { ridgeChart, spectrumChart } from "../../src/report/charts/kernel.ts";

const SIZE = { width: 780, height: 300 };
const points = [1e-3, 1e-2, 1e-1].map((ridge, k) => ({ ridge, error: 2 - k * 0.5, chosen: k === 1 }));

test("ridgeChart draws every ridge, names the chosen one, and takes a logarithmic axis for a wide range", () => {
  const svg = ridgeChart(points, SIZE)!;
  expect(svg.match(/<circle/g)).toHaveLength(4);
  expect(svg).toContain("chosen ridge = 0.01");
  expect(svg).not.toContain("error (log scale)");
  expect(ridgeChart([...points, { ridge: 1, error: 1e4, chosen: false }], SIZE)).toContain("error (log scale)");
});

test("ridgeChart leaves out what has no place on its axes, and needs two points", () => {
  const odd = [
    { ridge: 0, error: 1, chosen: false },
    { ridge: 1, error: Number.POSITIVE_INFINITY, chosen: false },
    { ridge: Number.NaN, error: 1, chosen: true },
  ];
  expect(ridgeChart([...odd, points[0]!], SIZE)).toBeNull();
  expect(ridgeChart([...odd, ...points], SIZE)).toBe(ridgeChart(points, SIZE));
});

test("spectrumChart draws at most 400 eigenvalues, the first and the last among them, and the ridge", () => {
  const values = Array.from({ length: 5000 }, (_, k) => 1 / (k + 1));
  const svg = spectrumChart({ values, ridge: 1e-3 }, SIZE)!;
  const count = svg.match(/<circle/g)!.length;
  expect(count).toBeGreaterThan(200);
  expect(count).toBeLessThanOrEqual(400);
  expect(svg).toContain(">ridge<");
  expect(spectrumChart({ values: [1], ridge: 1 }, SIZE)).toBeNull();
  expect(spectrumChart({ values: [3, 2, 0, -1], ridge: 0 }, SIZE)!.match(/<circle/g)).toHaveLength(2);
});
