import { expect, it } from "vitest";
import { createCompute } from "../../src/compute/index.ts";
import { solveMany } from "../compute/many-solves.ts";

it("bytesInUse and bytesReserved are flat over 10,000 iterations of the solvers", { timeout: 600_000 }, async () => {
  const compute = await createCompute({ backend: "wasm", threads: 1 });
  try {
    const { inUse, reserved } = solveMany(compute, 10_000);
    expect(new Set(inUse)).toEqual(new Set([0]));
    const tenth = Math.floor(reserved.length / 10);
    expect(new Set(reserved.slice(tenth)).size).toBe(1);
  } finally {
    await compute.close();
  }
});
