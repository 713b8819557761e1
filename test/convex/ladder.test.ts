import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { Ladder } from "../../src/convex/bounds/ladder.ts";
import { gain } from "../../src/convex/patterns/local-search.ts";
import type { CoreProblem } from "../../src/convex/reduction.ts";
import { reduce } from "../../src/convex/reduction.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ threads: 1, backend: "wasm" });
});
afterAll(() => compute.close());

const now = (): number => performance.now() / 1000;

function problem(seed: number, n: number, d: number): { core: CoreProblem; v: Float64Array } {
  const random = randomStream(seed, "ladder-test");
  const X = { rows: n, cols: d, data: Float64Array.from({ length: n * d }, () => random.normal()) };
  const v = Float64Array.from({ length: n }, () => random.normal());
  const core = reduce({
    ...{ X, y: v, loss: "squared", scaling: "sum", beta: 1, bias: "none", program: "relu" },
    patterns: { kind: "generated" },
  });
  return { core, v };
}

describe("Ladder", () => {
  it.each([
    [1, 4],
    [2, 5],
    [3, 7],
    [4, 8],
  ])("goes on with searches that stopped at a witness once the target is above it (seed %i, rank %i)", (seed, d) => {
    const { core, v } = problem(seed, 24, d);
    for (const headStart of [0, 0.05]) {
      const ladder = new Ladder(compute, core, v, { seed: 0, now, stop: () => false, headStart });
      // A target that nothing can reach: every search ends at a witness.
      let target = 1e-3;
      let raised = 0;
      let state = ladder.state(target);
      for (let slice = 0; slice < 2000 && !state.finished; slice++) {
        ladder.advance(target);
        state = ladder.state(target);
        if (state.witness === null) continue;
        const { u, sign, value } = state.witness;
        const signed = v.map((t) => sign * t);
        expect(gain({ Z: core.Z.data, v: signed, n: core.Z.rows, p: core.Z.cols }, u)).toBeCloseTo(value, 9);
        target = value * (1 + 1e-8);
        raised += 1;
        state = ladder.state(target);
      }
      expect(raised).toBeGreaterThan(0);
      // The last witness is the maximum, and is proved to be.
      expect(state.maximum).toBeLessThanOrEqual(target * (1 + 1e-9));
      expect(state.maximum).toBeGreaterThanOrEqual((target / (1 + 1e-8)) * (1 - 1e-12));
    }
  });
});
