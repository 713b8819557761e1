import { describe, expect, test } from "vitest";
import type { TwoLayerNetwork } from "../../src/network/index.ts";
import { prove } from "./certified-checker.ts";
import { atRatio, draws, gaussian, problem, rows, solve, targets, useCompute } from "./problems.ts";

const compute = useCompute();
const LOSSES = ["squared", "logistic", "hinge", "huber"] as const;
const BIASES = ["none", "column", "output"] as const;
const combinations = LOSSES.flatMap((loss) => BIASES.map((bias) => ({ loss, bias })));

/** A problem of 9 rows and 3 features that is solved to the end, with its optimum. */
function solved(loss: (typeof LOSSES)[number], bias: (typeof BIASES)[number], ratio = 0.2) {
  const random = draws(`invariance-${loss}-${bias}`);
  const X = gaussian(random, 9, 3);
  const y = targets(random, 9, loss);
  const task = atRatio(compute(), problem(X, y, 1, { loss, bias }), ratio);
  return { X, y, task, optimum: optimumOf(task) };
}

function optimumOf(task: Parameters<typeof solve>[1]): number {
  const { solution } = solve(compute(), task, { tolerance: 1e-8 });
  expect(solution.status).toBe("optimal");
  const shown = prove(task, solution);
  expect(shown).toBeTypeOf("object");
  return solution.objective;
}

const expectEqual = (a: number, b: number): void => expect(Math.abs(a / b - 1)).toBeLessThanOrEqual(3e-8);

describe("solveConvex: invariances of the optimum", () => {
  test.each(combinations)("solveConvex: order of the rows, $loss $bias", ({ loss, bias }) => {
    const { X, y, task, optimum } = solved(loss, bias);
    const order = X.map((_, i) => (4 * i + 2) % X.length);
    const permuted = { ...task, X: rows(order.map((i) => X[i] ?? [])), y: Float64Array.from(order, (i) => y[i] ?? 0) };
    expectEqual(optimumOf(permuted), optimum);
  });

  test.each(combinations)("solveConvex: duplicates as weights, $loss $bias", ({ loss, bias }) => {
    const { X, y, task } = solved(loss, bias);
    const times = X.map((_, i) => i % 3);
    const repeat = <T>(values: readonly T[]): T[] => values.flatMap((t, i) => new Array<T>(times[i] ?? 0).fill(t));
    const weighted = { ...task, weights: Float64Array.from(times) };
    const repeated = { ...task, X: rows(repeat(X)), y: Float64Array.from(repeat(y)) };
    expectEqual(optimumOf(weighted), optimumOf(repeated));
  });

  test.each(LOSSES)("solveConvex: rotations of the features, %s", (loss) => {
    const { X, task, optimum } = solved(loss, "none");
    const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
    // Two plane rotations, one after the other.
    const rotated = X.map(([a = 0, b = 0, z = 0]) => {
      const [p, q] = [c * a - s * b, s * a + c * b];
      return [p, c * q - s * z, s * q + c * z];
    });
    expectEqual(optimumOf({ ...task, X: rows(rotated) }), optimum);
  });

  test.each(LOSSES)("solveConvex: powers of two of the features are exact, %s", (loss) => {
    for (const bias of ["none", "output"] as const) {
      const { X, task, optimum } = solved(loss, bias);
      for (const power of [-200, -3, 40, 300]) {
        const scaled = { ...task, X: rows(X.map((x) => x.map((t) => t * 2 ** power))), beta: task.beta * 2 ** power };
        const { solution } = solve(compute(), scaled, { tolerance: 1e-8 });
        expect(solution.status).toBe("optimal");
        expectEqual(solution.objective, optimum);
      }
    }
  });

  test.each(LOSSES)("solveConvex: mean is sum over n, %s", (loss) => {
    const { task, optimum } = solved(loss, "column");
    expectEqual(9 * optimumOf({ ...task, scaling: "mean", beta: task.beta / 9 }), optimum);
  });

  test.each(combinations)(
    "solveConvex: a start (alpha u, w / alpha) is the same start, $loss $bias",
    ({ loss, bias }) => {
      const { task, optimum } = solved(loss, bias);
      const { network } = solve(compute(), task, { certify: false, seed: 5 }).solution;
      const { U, b, W } = network;
      const factor = (j: number): number => 10 ** ((j % 5) - 2);
      const scaled: TwoLayerNetwork = {
        ...network,
        U: { ...U, data: U.data.map((t, k) => t * factor(Math.floor(k / U.cols))) },
        b: b.map((t, j) => t * factor(j)),
        W: { ...W, data: W.data.map((t, j) => t / factor(j)) },
      };
      for (const start of [network, scaled]) {
        const { solution } = solve(compute(), task, { start, tolerance: 1e-8 });
        expect(solution.status).toBe("optimal");
        expectEqual(solution.objective, optimum);
      }
    },
  );

  test.each(combinations)("solveConvex: ten seeds, one objective, $loss $bias", ({ loss, bias }) => {
    const { task, optimum } = solved(loss, bias, 0.1);
    for (let seed = 1; seed < 10; seed++) {
      const { solution } = solve(compute(), task, { seed, tolerance: 1e-8 });
      expect(solution.status).toBe("optimal");
      expectEqual(solution.objective, optimum);
    }
  });
});
