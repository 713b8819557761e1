import { describe, expect, test } from "vitest";
import { betaMax, type ConvexProblem, solveConvex } from "../../src/convex/index.ts";
import { prove } from "./certified-checker.ts";
import {
  atRatio,
  checkSound,
  countingClock,
  draws,
  gaussian,
  problem,
  solve,
  targets,
  useCompute,
} from "./problems.ts";

const compute = useCompute();
const LOSSES = ["squared", "logistic", "hinge", "huber"] as const;
const BIASES = ["none", "column", "output"] as const;

/** Solves to the tolerance, with a proof that the checker accepts. */
function expectSolved(task: ConvexProblem): ReturnType<typeof solve>["solution"] {
  const { solution } = solve(compute(), task, { tolerance: 1e-6 });
  checkSound(task, solution);
  expect(solution.status).toBe("optimal");
  expect(prove(task, solution)).toBeTypeOf("object");
  return solution;
}

const labels = (loss: ConvexProblem["loss"], n: number): number[] => targets(draws("bad-input", n), n, loss);

describe.each(LOSSES)("solveConvex on awkward data: %s", (loss) => {
  test.each(["none", "column"] as const)("solveConvex: one row, bias %s", (bias) => {
    expectSolved(atRatio(compute(), problem([[1, -2, 0.5]], [1], 1, { loss, bias }), 0.3));
  });

  test.each(BIASES)("solveConvex: more columns than rows, bias %s", (bias) => {
    expectSolved(atRatio(compute(), problem(gaussian(draws("wide"), 4, 7), [1, -1, 1, -1], 1, { loss, bias }), 0.3));
  });

  test.each(BIASES)("solveConvex: constant, duplicate, collinear and zero columns, bias %s", (bias) => {
    const X = gaussian(draws("columns"), 8, 2).map(([a = 0, b = 0]) => [a, b, a, 1.5, 0, a - 2 * b]);
    expectSolved(atRatio(compute(), problem(X, labels(loss, 8), 1, { loss, bias }), 0.3));
  });

  test("solveConvex: columns of constants alone", () => {
    const X = labels(loss, 6).map(() => [0.1, 3]);
    for (const bias of ["none", "column"] as const) {
      expectSolved(atRatio(compute(), problem(X, labels(loss, 6), 1, { loss, bias }), 0.3));
    }
    checkSound(
      problem(X, labels(loss, 6), 0.1, { loss, bias: "output" }),
      solve(compute(), problem(X, labels(loss, 6), 0.1, { loss, bias: "output" })).solution,
    );
  });

  test("solveConvex: columns of zeros alone have the zero network as their optimum", () => {
    const X = labels(loss, 5).map(() => [0, 0]);
    const solution = expectSolved(problem(X, labels(loss, 5), 0.1, { loss }));
    expect(solution.neurons).toBe(0);
  });

  test.each(["none", "column"] as const)("solveConvex: all targets equal, bias %s", (bias) => {
    const X = gaussian(draws("equal"), 7, 3);
    expectSolved(atRatio(compute(), problem(X, new Array<number>(7).fill(1), 1, { loss, bias }), 0.2));
  });

  test("solveConvex: all targets equal, free biases: no neurons, and nothing above zero claimed", () => {
    const X = gaussian(draws("equal"), 7, 3);
    const { solution } = solve(compute(), problem(X, new Array<number>(7).fill(1), 0.1, { loss, bias: "output" }));
    expect(solution.neurons).toBe(0);
    expect(solution.objective).toBeLessThanOrEqual(1e-20);
    expect(solution.lowerBound).toBeLessThanOrEqual(solution.objective);
  });

  test.each(BIASES)("solveConvex: above beta_max the zero network, certified; bias %s", (bias) => {
    const X = gaussian(draws("above"), 9, 3);
    const task = problem(X, labels(loss, 9), 1, { loss, bias });
    const most = betaMax(task, { compute: compute(), now: countingClock() });
    for (const ratio of [1 + 1e-6, 2, 1e6]) {
      const solution = expectSolved({ ...task, beta: ratio * most });
      expect(solution.network.W.data.every((w) => Math.abs(w) < 1e-4)).toBe(true);
    }
  });

  test.each([1e-300, 1e-150, 1e150, 1e300])("solveConvex: columns scaled by %d", (size) => {
    const X = gaussian(draws("scaled"), 8, 3);
    const task = atRatio(compute(), problem(X, labels(loss, 8), 1, { loss }), 0.3);
    const scaled = { ...task, X: { ...task.X, data: task.X.data.map((t) => t * size) }, beta: task.beta * size };
    const { solution } = solve(compute(), scaled, { tolerance: 1e-6 });
    expect(solution.objective / solve(compute(), task, { tolerance: 1e-6 }).solution.objective).toBeCloseTo(1, 5);
    expect(solution.lowerBound).toBeLessThanOrEqual(solution.objective * (1 + 1e-12));
    // One such column among others.
    const data = task.X.data.map((t, k) => (k % 3 === 0 ? t * size : t));
    const mixed = { ...task, X: { ...task.X, data } };
    const answer = solve(compute(), mixed, { seconds: 5 }).solution;
    expect(Number.isNaN(answer.objective)).toBe(false);
    expect(answer.lowerBound).toBeLessThanOrEqual(answer.objective * (1 + 1e-9));
  });
});

describe("solveConvex on separable classes at a tiny beta", () => {
  test.each(["logistic", "hinge"] as const)("solveConvex: %s", (loss) => {
    const X = [
      [1, 0.3],
      [2, -0.5],
      [1.5, 0.1],
      [-1, 0.4],
      [-2, -0.2],
    ];
    const { solution } = solve(compute(), problem(X, [1, 1, 1, -1, -1], 1e-8, { loss, bias: "column" }), {
      seconds: 5,
    });
    expect(solution.objective).toBeLessThan(1e-5);
    expect(solution.lowerBound).toBeLessThanOrEqual(solution.objective);
  });
});

describe("solveConvex refuses what is no problem", () => {
  const X = [
    [1, 2],
    [3, 4],
  ];
  const bad: readonly (readonly [string, ConvexProblem, RegExp])[] = [
    ["beta 0", problem(X, [1, -1], 0), /beta must be a positive number, got 0/],
    ["beta < 0", problem(X, [1, -1], -1), /beta must be a positive number, got -1/],
    ["beta NaN", problem(X, [1, -1], Number.NaN), /beta must be a positive number/],
    ["beta infinite", problem(X, [1, -1], Number.POSITIVE_INFINITY), /beta must be a positive number/],
    ["NaN in X", problem([[1, Number.NaN]], [1], 1), /X has an entry that is not finite/],
    ["infinity in X", problem([[1, Number.POSITIVE_INFINITY]], [1], 1), /X has an entry that is not finite/],
    ["NaN in y", problem(X, [1, Number.NaN], 1), /y has an entry that is not finite/],
    ["three classes", problem(X, [0, 2], 1, { loss: "logistic" }), /logistic loss needs targets -1 and \+1/],
    ["classes 0 and 1", problem(X, [0, 1], 1, { loss: "hinge" }), /hinge loss needs targets -1 and \+1/],
    ["too few targets", problem(X, [1], 1), /X has 2 rows, y 1 entries/],
    ["a negative weight", problem(X, [1, -1], 1, { weights: Float64Array.of(1, -1) }), /sample weights/],
    ["too few weights", problem(X, [1, -1], 1, { weights: Float64Array.of(1) }), /sample weights/],
    ["Huber threshold 0", problem(X, [1, -1], 1, { loss: "huber", huber: 0 }), /Huber threshold/],
    ["gated with free biases", problem(X, [1, -1], 1, { program: "gated", bias: "output" }), /no free biases/],
  ];
  test.each(bad)("solveConvex: %s", (_name, task, message) => {
    expect(() => solveConvex(task, { compute: compute(), now: countingClock() }).next()).toThrow(message);
  });
});
