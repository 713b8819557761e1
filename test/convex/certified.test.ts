import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { ConvexProblem, Solution } from "../../src/convex/index.ts";
import { prove } from "./certified-checker.ts";
import {
  atRatio,
  bruteMaximum,
  checkSound,
  descend,
  draws,
  gaussian,
  integers,
  naiveObjective,
  problem,
  randomNetwork,
  solve,
  targets,
  useCompute,
} from "./problems.ts";

interface Golden {
  readonly id: string;
  readonly loss: ConvexProblem["loss"];
  readonly X: number[][];
  readonly y: number[];
  readonly beta: number;
  readonly expected_optimum: number;
  readonly tolerance: number;
}

const fixture = JSON.parse(readFileSync(new URL("../fixtures/convex-golden.json", import.meta.url), "utf8")) as {
  readonly problems: Golden[];
  readonly free_bias: {
    readonly X: number[][];
    readonly y: number[];
    readonly table: { readonly beta: number; readonly expected_optimum: number }[];
  };
};
const compute = useCompute();

/** What a certificate of the issue asks for: all patterns, the optimum to its tolerance, a checked gap of at most 1e-8. */
function expectCertified(task: ConvexProblem, optimum: number, tolerance: number): void {
  const { solution } = solve(compute(), task, { tolerance: 1e-9 });
  expect(solution.scope).toBe("all-patterns");
  expect(solution.status).toBe("optimal");
  expect(Math.abs(solution.objective - optimum)).toBeLessThanOrEqual(tolerance);
  const shown = prove(task, solution);
  expect(shown).toBeTypeOf("object");
  if (typeof shown === "string") return;
  expect(shown.gap).toBeLessThanOrEqual(1e-8);
  // The expected values have errors of their own.
  expect(shown.lower).toBeLessThanOrEqual(optimum + tolerance);
  expect(shown.upper).toBeGreaterThanOrEqual(optimum - tolerance);
}

describe("solveConvex and checkProof on golden problems", () => {
  const named = fixture.problems.map(
    (golden, k) => [`${k} ${golden.id} ${golden.loss} ${golden.beta}`, golden] as const,
  );
  test.each(named)("solveConvex has a rigorous certificate: %s", (_name, golden) => {
    const { X, y, beta, loss, expected_optimum: optimum, tolerance } = golden;
    expectCertified(problem(X, y, beta, { loss }), optimum, tolerance);
    const n = X.length;
    expectCertified(problem(X, y, beta / n, { loss, scaling: "mean" }), optimum / n, tolerance / n);
    if (!X.every((x) => x.at(-1) === 1)) return;
    const features = X.map((x) => x.slice(0, -1));
    expectCertified(problem(features, y, beta, { loss, bias: "column" }), optimum, tolerance);
  });

  const { X, y, table } = fixture.free_bias;
  test.each(table)("solveConvex has a rigorous certificate with free biases at beta $beta", (row) => {
    expectCertified(problem(X, y, row.beta, { bias: "output" }), row.expected_optimum, 1e-9);
  });
});

const LOSSES = ["squared", "logistic", "hinge", "huber"] as const;
const BIASES = ["none", "column", "output"] as const;

/** Small problems of every kind: integers, duplicates, parallel and zero rows, weights, one class. */
function drawn(seed: number): ConvexProblem {
  const random = draws("certified", seed);
  const n = 1 + random.integer(12);
  const d = 1 + random.integer(6);
  const kind = random.integer(5);
  let X = kind < 2 ? integers(random, n, d, 1 + random.integer(2)) : gaussian(random, n, d);
  if (kind === 3) X = X.map((x, i) => (i > 0 && random.uniform() < 0.5 ? [...(X[random.integer(i)] ?? x)] : x));
  if (kind === 4) {
    const factors = [-2, -1, 0, 0.5, 3];
    X = X.map((x, i) => (i > 0 && random.uniform() < 0.5 ? (X[0] ?? x).map((t) => t * (factors[i % 5] ?? 1)) : x));
  }
  const loss = LOSSES[random.integer(4)] ?? "squared";
  const bias = BIASES[random.integer(3)] ?? "none";
  const weights = random.uniform() < 0.4 ? { weights: Float64Array.from(X, () => random.integer(4)) } : {};
  const scaling = random.uniform() < 0.5 ? "sum" : "mean";
  const task = problem(X, targets(random, n, loss), 1, { loss, bias, scaling, ...weights });
  const posed = atRatio(compute(), task, 10 ** (0.1 - 2.5 * random.uniform()));
  return posed.beta > 0 ? posed : task;
}

/** Nothing that is found in any way may be below the bound, and a proof must prove what is claimed. */
function expectBounds(task: ConvexProblem, solution: Solution, seed: number): void {
  checkSound(task, solution);
  const { lowerBound, objective, gap, proof, dual } = solution;
  const slack = 1e-11 * Math.abs(objective) + 1e-13;
  const random = draws("rivals", seed);
  for (const size of [0.1, 0.5, 1]) {
    let rival = randomNetwork(random, task.X.cols, 1 + random.integer(12), task.bias, size);
    expect(naiveObjective(task, rival)).toBeGreaterThanOrEqual(lowerBound - slack);
    if ((task.loss !== "squared" && task.loss !== "logistic") || task.weights !== undefined) continue;
    rival = descend(task, rival, 40);
    expect(naiveObjective(task, rival)).toBeGreaterThanOrEqual(lowerBound - slack);
  }
  if (task.bias === "none" && task.X.cols <= 3 && task.X.rows <= 8) {
    const X = Array.from({ length: task.X.rows }, (_, i) => [
      ...task.X.data.subarray(i * task.X.cols, (i + 1) * task.X.cols),
    ]);
    for (const sign of [1, -1]) {
      const most = bruteMaximum(
        X,
        dual.v.map((t) => sign * t),
        task.X.cols,
      );
      expect(dual.maxBound).toBeGreaterThanOrEqual(most * (1 - 1e-11));
    }
  }
  if (proof === null) return;
  const shown = prove(task, solution);
  expect(shown).toBeTypeOf("object");
  if (typeof shown === "string") return;
  expect(shown.lower).toBeLessThanOrEqual(naiveObjective(task, solution.network) + slack);
  expect(shown.upper).toBeGreaterThanOrEqual(objective - slack);
  if (objective > 1e-9) expect(shown.gap).toBeLessThanOrEqual(gap + 1e-8);
}

describe("solveConvex on random small problems", () => {
  const seeds = Array.from({ length: 8 }, (_, k) => k);
  test.each(seeds)("solveConvex never bounds above a network, and its proofs are accepted: block %i", (block) => {
    for (let seed = 25 * block; seed < 25 * (block + 1); seed++) {
      const task = drawn(seed);
      const tolerance = seed % 2 === 0 ? 1e-6 : 1e-8;
      const { solution } = solve(compute(), task, { seed, tolerance, seconds: 1 });
      expect(solution.status === "optimal").toBe(solution.gap <= tolerance);
      expectBounds(task, solution, seed);
      const other = solve(compute(), task, { seed: seed + 1000, certify: false }).solution;
      expect(naiveObjective(task, other.network)).toBeGreaterThanOrEqual(
        solution.lowerBound - 1e-11 * Math.abs(solution.objective) - 1e-13,
      );
    }
  });

  test("solveConvex keeps its word when time runs out or it is cancelled", () => {
    for (let seed = 500; seed < 560; seed++) {
      const task = drawn(seed);
      // On the counting clock a second is a thousand looks.
      const limit = 1 + (seed % 7) * 60;
      let polls = 0;
      const options = seed % 2 === 0 ? { seconds: limit * 1e-3 } : { cancelled: () => polls++ > limit };
      const { solution, events } = solve(compute(), task, { seed, ...options });
      expectBounds(task, solution, seed);
      let bound = Number.NEGATIVE_INFINITY;
      for (const event of events) {
        if (event.bound === null) continue;
        expect(event.bound).toBeGreaterThanOrEqual(bound);
        bound = event.bound;
      }
    }
  });
});
