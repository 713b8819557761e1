import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matrix } from "../../src/base/matrix.ts";
import { forward, mergeOutputs } from "../../src/network/index.ts";
import { networks, reluNetwork } from "./networks.ts";

describe("mergeOutputs", () => {
  test("mergeOutputs puts each network's output beside the others", () => {
    const scalars = fc
      .constantFrom("relu" as const, "gated" as const)
      .chain((activation) => fc.array(networks({ activation, d: 2, c: 1 }), { minLength: 1, maxLength: 4 }));
    const point = fc.double({ min: -3, max: 3, noNaN: true });
    fc.assert(
      fc.property(scalars, point, point, (parts, x0, x1) => {
        const X = matrix(1, 2, Float64Array.of(x0, x1));
        const merged = mergeOutputs(parts);
        expect(merged.U.rows).toBe(parts.reduce((sum, part) => sum + part.U.rows, 0));
        const outputs = forward(merged, X);
        expect(outputs.cols).toBe(parts.length);
        parts.forEach((part, k) => {
          // Neurons of the other classes add exact zeros, so even the rounding is the same.
          expect(outputs.data[k]).toBeCloseTo(forward(part, X).data[0], 15);
        });
      }),
    );
  });

  test("mergeOutputs refuses no networks, several outputs, and networks that differ", () => {
    const one = reluNetwork(2, [], [0]);
    expect(() => mergeOutputs([])).toThrow(RangeError);
    expect(() => mergeOutputs([reluNetwork(2, [], [0, 0])])).toThrow("1 output");
    expect(() => mergeOutputs([one, reluNetwork(3, [], [0])])).toThrow("with 3");
    const gated = { ...one, activation: "gated", gates: { G: matrix(0, 2), h: new Float64Array(0) } } as const;
    expect(() => mergeOutputs([one, gated])).toThrow("gated");
  });
});
