import { expect, it } from "vitest";
import { createCompute } from "../../src/compute/index.ts";
import { solveMany } from "./many-solves.ts";

it("bytesInUse and bytesReserved are flat over the iterations of the solvers (10,000 of them: test/long)", async () => {
  const compute = await createCompute({ backend: "wasm", threads: 1 });
  try {
    const { inUse, reserved } = solveMany(compute, 500);
    expect(new Set(inUse)).toEqual(new Set([0]));
    // Every kind of problem has been solved by then.
    expect(reserved.length).toBeGreaterThan(24);
    expect(new Set(reserved.slice(12)).size).toBe(1);
  } finally {
    await compute.close();
  }
});
