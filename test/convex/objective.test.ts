import { describe, expect, test } from "vitest";
import { matrix } from "../../src/base/matrix.ts";
import { type ConvexProblem, networkObjective } from "../../src/convex/index.ts";
import type { TwoLayerNetwork } from "../../src/network/index.ts";

const network: TwoLayerNetwork = {
  kind: "two-layer",
  activation: "relu",
  U: matrix(2, 1, Float64Array.of(1, -2)),
  b: Float64Array.of(0.5, 1),
  W: matrix(2, 1, Float64Array.of(3, -1)),
  c0: Float64Array.of(0.25),
  gates: null,
};
const problem: ConvexProblem = {
  X: matrix(2, 1, Float64Array.of(1, -1)),
  y: Float64Array.of(4, -2),
  loss: "squared",
  scaling: "sum",
  beta: 0.1,
  bias: "column",
  program: "relu",
  patterns: { kind: "generated" },
};
// f(1) = 3 * 1.5 - 0 + 0.25 = 4.75 and f(-1) = 0 - 3 + 0.25 = -2.75: the loss is 0.75^2 / 2 twice.
const loss = 0.5625;
const norms = Math.sqrt(1.25) * 3 + Math.sqrt(5);

describe("networkObjective", () => {
  test("networkObjective counts hidden biases exactly when they are penalized", () => {
    expect(networkObjective(problem, network)).toBeCloseTo(loss + 0.1 * norms, 14);
    expect(networkObjective({ ...problem, bias: "output" }, network)).toBeCloseTo(loss + 0.1 * (3 + 2), 14);
  });

  test("networkObjective: mean scaling divides the loss alone", () => {
    expect(networkObjective({ ...problem, scaling: "mean" }, network)).toBeCloseTo(loss / 2 + 0.1 * norms, 14);
  });

  test("networkObjective of a gated network: its gates decide what is active", () => {
    const gates = { G: matrix(2, 1, Float64Array.of(1, 1)), h: Float64Array.of(0, 0) };
    const gated: TwoLayerNetwork = { ...network, activation: "gated", gates };
    // Both gates open at 1 only: f(1) = 4.5 + 1 + 0.25, f(-1) = 0.25.
    const gatedLoss = (1.75 ** 2 + 2.25 ** 2) / 2;
    expect(networkObjective({ ...problem, program: "gated" }, gated)).toBeCloseTo(gatedLoss + 0.1 * norms, 13);
  });
});
