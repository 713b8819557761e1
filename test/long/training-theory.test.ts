import { afterAll, beforeAll, expect, it } from "vitest";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { scaledDistance } from "../training/theory.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute();
});
afterAll(() => compute.close());

it("sqrt(m) times the spectral distance is constant within 20 % over widths 256, 1024, 4096 (C6)", () => {
  const scaled = [256, 1024, 4096].map((width) => scaledDistance(compute, { width, depth: 2, steps: 100, seed: 1 }));
  console.log(scaled);
  expect(Math.max(...scaled) / Math.min(...scaled)).toBeLessThan(1.2);
});
