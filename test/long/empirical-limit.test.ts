import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { slopeOf, spreads, WIDTH_CASES } from "../tangent/monte-carlo.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute();
});
afterAll(() => compute.close());

const NETWORKS = 24;

describe.each(["ntk", "standard"] as const)("empiricalEngine, parametrization %s", (parametrization) => {
  it.each(WIDTH_CASES)(
    "tends to makeEngine as width^(-1/2): $name",
    (one) => {
      const widths = one.input.length === 1 ? [64, 256, 1024] : [32, 128, 512];
      const found = spreads(compute, one, parametrization, widths, NETWORKS);
      for (const { width, root, mean } of found) {
        // Within four standard errors; the bias is of order 1 / width.
        expect(mean).toBeLessThan((4 * root) / Math.sqrt(NETWORKS) + 1 / width);
      }
      const slope = slopeOf(found);
      expect(slope).toBeGreaterThan(-0.65);
      expect(slope).toBeLessThan(-0.35);
    },
    600_000,
  );
});
