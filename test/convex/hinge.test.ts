import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ConvexProblem } from "../../src/convex/index.ts";
import { dualBound, lossOf } from "../../src/convex/losses/index.ts";
import { enumerateCells } from "../../src/convex/patterns/enumerate.ts";
import { patternOf } from "../../src/convex/patterns/pattern.ts";
import { iterateOf } from "../../src/convex/programs/column-generation.ts";
import { programContext, rowsTimes, type Unit, unitKey } from "../../src/convex/programs/context.ts";
import { dualCandidate } from "../../src/convex/programs/dual-candidate.ts";
import { reduce } from "../../src/convex/reduction.ts";
import { type ConeProgram, solveConeProgram } from "../../src/convex/solvers/interior-point.ts";
import {
  bruteMaximum,
  draws,
  gaussian,
  integers,
  problem,
  randomNetwork,
  solve,
  targets,
  useCompute,
} from "./problems.ts";

const compute = useCompute();
const losses = ["squared", "logistic", "hinge", "huber"] as const;
const never = (): boolean => false;

function weightsOf(seed: number, n: number): Float64Array {
  const stream = draws("loss weights", seed);
  return Float64Array.from({ length: n }, () => (stream.uniform() < 0.15 ? 0 : 2 * stream.uniform()));
}

/** max over both signs of v'(X u)_+ on the unit ball. */
function maximumOf(X: readonly (readonly number[])[], v: Float64Array): number {
  return Math.max(
    bruteMaximum(X, v, 2),
    bruteMaximum(
      X,
      v.map((t) => -t),
      2,
    ),
  );
}

describe("the dual point of an interior-point solution", () => {
  const cases = losses.flatMap((loss) => [0, 1, 2, 3].map((seed) => ({ loss, seed })));
  test.each(cases)("solveConeProgram: v proves its optimum over all cells: $loss, case $seed", ({ loss, seed }) => {
    const stream = draws("dual point", seed);
    const n = 7;
    const X = seed === 3 ? integers(stream, n, 2) : gaussian(stream, n, 2);
    const y = Float64Array.from(targets(stream, n, loss));
    const E = Float64Array.from(X.flat());
    const chosen = lossOf({ loss, huber: 0.6, weights: weightsOf(seed, n) });
    const beta = [0.1, 0.3, 0.02, 0.2][seed];
    const blocks = enumerateCells(E, n, 2).flatMap(({ pattern, u }) =>
      ([1, -1] as const).map((sign) => ({ pattern, sign, start: u })),
    );
    const program: ConeProgram = {
      ...{ E, n, p: 2, penalized: 2, y, loss: chosen, beta, cones: true, offset: false, c0: 0 },
      blocks,
    };
    const { v, objective, gap } = solveConeProgram(compute(), program, 1e-11, never);
    expect(gap).toBeLessThanOrEqual(1e-8);
    const bound = dualBound(chosen, v, y, beta, maximumOf(X, v));
    expect(bound).toBeLessThanOrEqual(objective * (1 + 1e-12));
    expect(objective - bound).toBeLessThanOrEqual(1e-7 * objective);
  });
});

describe("dualCandidate", () => {
  /** The units of a network of which only the weights are known. */
  const unitsOf = (task: ConvexProblem, network: Parameters<ReturnType<typeof reduce>["fromNetwork"]>[0]) => {
    const core = reduce(task);
    const context = programContext(core, task, false);
    const units = core.fromNetwork(network).neurons.map(({ a, sign }): Unit => {
      const pattern = patternOf(rowsTimes(context.E, context.n, context.p, a));
      return { key: unitKey(sign, pattern), pattern, sign, a, gate: null };
    });
    return { context, units };
  };

  test("dualCandidate of the weights of an optimal hinge network closes the gap where the dual point is unique", () => {
    const gaps: number[] = [];
    for (const seed of [0, 1, 2, 3, 4, 5]) {
      const stream = draws("hinge candidate", seed);
      const X = gaussian(stream, 9, 2);
      const task = problem(X, targets(stream, 9, "hinge"), 0.2, {
        loss: "hinge",
        ...(seed > 2 ? { weights: weightsOf(seed, 9) } : {}),
      });
      const { solution } = solve(compute(), task, { tolerance: 1e-8 });
      const { context, units } = unitsOf(task, solution.network);
      const { f, objective } = iterateOf(context, units, 0);
      const v = dualCandidate(context, units, f);
      const bound = dualBound(context.loss, v, context.core.y, task.beta, maximumOf(X, v));
      expect(bound).toBeLessThanOrEqual(objective * (1 + 1e-12));
      gaps.push((objective - bound) / objective);
    }
    // Where the dual point is not unique, stationarity of the units does not single out the feasible one.
    gaps.sort((a, b) => a - b);
    expect(gaps[2]).toBeLessThanOrEqual(1e-8);
  });

  test("dualCandidate of any network gives a bound that holds, for every loss", () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.constantFrom(...losses), (seed, loss) => {
        const stream = draws("any candidate", seed);
        const X = integers(stream, 5, 2);
        const weights = weightsOf(seed, 5);
        const task = problem(X, targets(stream, 5, loss), 0.1 + stream.uniform(), { loss, weights, huber: 0.5 });
        const { context, units } = unitsOf(task, randomNetwork(stream, 2, 3, "none"));
        if (context.p === 0) return;
        const { v } = iterateOf(context, units, 0);
        const bound = dualBound(context.loss, v, context.core.y, task.beta, maximumOf(X, v));
        // Any network's objective is above it: that of the network itself, of the zero network, of another one.
        for (const rival of [units, [], unitsOf(task, randomNetwork(stream, 2, 4, "none", 0.3)).units]) {
          expect(bound).toBeLessThanOrEqual(iterateOf(context, rival, 0).objective * (1 + 1e-9) + 1e-12);
        }
      }),
      { numRuns: 150, seed: 2 },
    );
  });
});
