import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ConvexProblem } from "../../src/convex/index.ts";
import { checkSound, draws, gaussian, naiveObjective, problem, rows, solve, targets, useCompute } from "./problems.ts";

interface Golden {
  readonly loss: ConvexProblem["loss"];
  readonly bias: ConvexProblem["bias"];
  readonly X: number[][];
  readonly y: number[];
  readonly beta: number;
  readonly weights?: number[];
  readonly huber?: number;
  readonly expected_optimum: number;
  readonly gated_optimum?: number;
}

const path = new URL("../fixtures/convex-losses.json", import.meta.url);
const { problems, tolerance } = JSON.parse(readFileSync(path, "utf8")) as { problems: Golden[]; tolerance: number };
const compute = useCompute();
const losses = ["squared", "logistic", "hinge", "huber"] as const;

function posed({ X, y, beta, loss, bias, weights, huber }: Golden): ConvexProblem {
  return problem(X, y, beta, {
    loss,
    bias,
    ...(weights === undefined ? {} : { weights: Float64Array.from(weights) }),
    ...(huber === undefined ? {} : { huber }),
  });
}

/** The expected values come from a general conic solver over all cells; some weights are zero. */
describe("solveConvex on every loss with sample weights", () => {
  const named = problems.map((golden, k) => [`${k} ${golden.loss}, bias ${golden.bias}`, golden] as const);
  test.each(named)("solveConvex reaches the optimum and bounds it: %s", (_name, golden) => {
    const task = posed(golden);
    const { solution } = solve(compute(), task, { tolerance: 1e-7 });
    checkSound(task, solution);
    expect(Math.abs(solution.objective - golden.expected_optimum)).toBeLessThanOrEqual(tolerance * 10);
    expect(solution.lowerBound).toBeLessThanOrEqual(golden.expected_optimum + tolerance);
    expect(solution.status).toBe("optimal");
  });

  test.each(named.filter(([, { gated_optimum }]) => gated_optimum !== undefined))(
    "solveConvex solves the gated program over all cells: %s",
    (_name, golden) => {
      const task: ConvexProblem = { ...posed(golden), program: "gated", patterns: { kind: "all" } };
      const { solution } = solve(compute(), task, { tolerance: 1e-7 });
      checkSound(task, solution);
      expect(Math.abs(solution.objective - (golden.gated_optimum as number))).toBeLessThanOrEqual(tolerance * 10);
      expect(solution.status).toBe("optimal");
    },
  );
});

describe("weights", () => {
  test.each(losses)("solveConvex: weights count copies of a row, and rows of weight 0 do not matter (%s)", (loss) => {
    fc.assert(
      fc.property(fc.nat(1e6), (seed) => {
        const stream = draws("copies", seed);
        const n = 6;
        const X = gaussian(stream, n, 2);
        const y = targets(stream, n, loss);
        const copies = X.map((_, i) => (i === 0 ? 0 : 1 + stream.integer(3)));
        const settings = { loss, huber: 0.7 };
        const weighted = problem(X, y, 0.2, { ...settings, weights: Float64Array.from(copies) });
        const repeat = <T>(values: readonly T[]): T[] => values.flatMap((t, i) => new Array<T>(copies[i]).fill(t));
        const repeated = problem(repeat(X), repeat(y), 0.2, settings);
        const first = solve(compute(), weighted).solution;
        const second = solve(compute(), repeated).solution;
        checkSound(weighted, first);
        expect(Math.abs(first.objective - second.objective)).toBeLessThanOrEqual(2e-6 * (1 + second.objective));
        // Either network is a point of either problem.
        expect(naiveObjective(weighted, second.network)).toBeCloseTo(second.objective, 9);
        expect(first.lowerBound).toBeLessThanOrEqual(second.objective + 1e-9);
        expect(second.lowerBound).toBeLessThanOrEqual(first.objective + 1e-9);
      }),
      { numRuns: 6, seed: 1 },
    );
  });

  test("solveConvex: all weights zero leave the zero network", () => {
    for (const loss of losses) {
      const task = problem([[1], [2]], [1, -1], 0.1, { loss, weights: new Float64Array(2) });
      const { solution } = solve(compute(), task);
      expect(solution.objective).toBe(0);
      expect(solution.neurons).toBe(0);
    }
  });

  test("solveConvex refuses weights that are negative, not finite or too few, and thresholds that are not positive", () => {
    const task = problem([[1], [2]], [1, -1], 0.1);
    for (const weights of [[1], [1, -1], [1, Number.NaN], [Number.POSITIVE_INFINITY, 1]]) {
      expect(() => solve(compute(), { ...task, weights: Float64Array.from(weights) })).toThrow(RangeError);
    }
    for (const huber of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => solve(compute(), { ...task, loss: "huber", huber })).toThrow(RangeError);
    }
    expect(() => solve(compute(), { ...task, loss: "hinge", y: Float64Array.of(1, 0), X: rows([[1], [2]]) })).toThrow(
      RangeError,
    );
  });
});
