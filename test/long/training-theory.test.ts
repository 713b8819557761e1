import { afterAll, beforeAll, expect, it } from "vitest";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { scaledDistance } from "../training/theory.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute();
});
afterAll(() => compute.close());

it("sqrt(m) times the spectral distance is constant within 20 % over widths 256, 1024, 4096 (C6)", () => {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const scaled = [
    [256, 4],
    [1024, 4],
    [4096, 1],
  ].map(([width, seeds]) =>
    mean(
      Array.from({ length: seeds! }, (_, k) =>
        scaledDistance(compute, { width: width!, depth: 2, steps: 60, seed: k + 1 }),
      ),
    ),
  );
  for (const value of scaled) expect(Math.abs(value / mean(scaled) - 1)).toBeLessThan(0.2);
}, 600_000);
