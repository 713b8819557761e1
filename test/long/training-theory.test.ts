import { afterAll, beforeAll, expect, it } from "vitest";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { convergenceNetwork, randomUnitInputs } from "../../src/training/presets.ts";
import { normalTargets, presetTraining, rate, scaledDistance } from "../training/theory.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute();
});
afterAll(() => compute.close());

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

it("sqrt(m) times the spectral distance is constant within 20 % over widths 256, 1024, 4096 (C6)", () => {
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

/**
 * Descends for 120 steps of 1 / lambda_max of a relu network's tangent kernel (L = 2, 8 samples, 3 outputs), monotonically, and
 * returns the rate of the loss in the last 30 steps over the slowest one that the kernel's eigenvalues allow.
 */
function slowestRate(width: number, seed: number): number {
  const n = 8;
  const preset = convergenceNetwork({ inputs: 10, width, depth: 2, outputs: 3 });
  const inputs = randomUnitInputs(n, 10, 2);
  const targets = normalTargets(n, 3, 2);
  const largest = compute.scope((scope) =>
    presetTraining(compute, scope, preset, inputs, targets, { ...rate(1), seed })
      .look("kernel")
      .get("kernel-eigenvalue-largest"),
  )!.value;
  return compute.scope((scope) => {
    const { trainer, look } = presetTraining(compute, scope, preset, inputs, targets, { ...rate(1 / largest), seed });
    let last = trainer.evaluate().loss;
    for (let step = 0; step < 120; step++) {
      if (step === 90) look("kernel");
      trainer.step();
      const { loss } = trainer.evaluate();
      expect(loss).toBeLessThan(last);
      last = loss;
    }
    const { value, bound } = look("kernel").get("loss-rate-by-kernel")!;
    return value / bound!;
  });
}

it("relu networks descend monotonically, at rates that come up to their kernel's with the width (C7)", () => {
  const [narrow, middle] = [512, 2048].map((width) => mean([1, 2, 3].map((seed) => slowestRate(width, seed))));
  const wide = slowestRate(4096, 1);
  // What is missing falls like 1 / sqrt(m): it halves with four times the width.
  expect(1 - middle!).toBeLessThan(0.7 * (1 - narrow!));
  expect(wide).toBeGreaterThan(0.93);
}, 600_000);
