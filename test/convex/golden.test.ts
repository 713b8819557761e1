import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { betaMax, type ConvexProblem, networkObjective } from "../../src/convex/index.ts";
import { enumerateCells } from "../../src/convex/patterns/enumerate.ts";
import { isActive } from "../../src/convex/patterns/pattern.ts";
import { countingClock, naiveObjective, problem, rows, solve, useCompute } from "./problems.ts";

interface Golden {
  readonly id: string;
  readonly loss: ConvexProblem["loss"];
  readonly X: number[][];
  readonly y: number[];
  readonly beta: number;
  readonly expected_optimum: number;
  readonly tolerance: number;
  readonly gated_optimum?: number;
  readonly gated_tolerance?: number;
  readonly beta_max?: number;
  readonly cells?: number;
  readonly spike_free_program?: number;
}

interface Fixture {
  readonly problems: Golden[];
  readonly free_bias: {
    readonly X: number[][];
    readonly y: number[];
    readonly tolerance: number;
    readonly table: { readonly beta: number; readonly expected_optimum: number }[];
  };
  readonly arrangements: { readonly X: number[][]; readonly cells: number; readonly patterns: string[] }[];
}

const path = new URL("../fixtures/convex-golden.json", import.meta.url);
const fixture = JSON.parse(readFileSync(path, "utf8")) as Fixture;
/** Above this rank neither all patterns nor the exact maximum are available. */
const EXACT_RANK = 3;
const compute = useCompute();

const rankOf = ({ X }: Golden): number => Math.min(X.length, X[0].length);
const posed = ({ X, y, beta, loss }: Golden): ConvexProblem => problem(X, y, beta, { loss });
const named = fixture.problems.map((golden, k) => [`${k} ${golden.id} ${golden.loss} ${golden.beta}`, golden] as const);

/**
 * The expected values come from closed forms and from a general conic solver over all enumerated cells, tightened by
 * a dual certificate of its own; nothing of them was computed with this project's code.
 */
describe("solveConvex on golden problems", () => {
  test.each(named)("solveConvex reaches the optimum and bounds it: %s", (_name, golden) => {
    const task = posed(golden);
    const { solution } = solve(compute(), task);
    const { expected_optimum: optimum, tolerance } = golden;
    expect(Math.abs(solution.objective - optimum)).toBeLessThanOrEqual(tolerance);
    expect(solution.lowerBound).toBeLessThanOrEqual(optimum + tolerance);
    expect(solution.scope).toBe("all-patterns");
    if (rankOf(golden) <= EXACT_RANK) {
      expect(solution.status).toBe("optimal");
      expect(optimum - solution.lowerBound).toBeLessThanOrEqual(1e-6 * optimum);
    }
    expect(naiveObjective(task, solution.network)).toBeCloseTo(solution.objective, 12);
    expect(networkObjective(task, solution.network)).toBe(solution.objective);
  });

  const gated = named.filter(([, golden]) => golden.gated_optimum !== undefined && rankOf(golden) <= EXACT_RANK);
  test.each(gated)("solveConvex solves the gated program over all patterns: %s", (_name, golden) => {
    const task: ConvexProblem = { ...posed(golden), program: "gated", patterns: { kind: "all" } };
    const { solution } = solve(compute(), task);
    const optimum = golden.gated_optimum as number;
    const tolerance = golden.gated_tolerance as number;
    expect(Math.abs(solution.objective - optimum)).toBeLessThanOrEqual(tolerance);
    expect(solution.lowerBound).toBeLessThanOrEqual(optimum + tolerance);
    expect(solution.status).toBe("optimal");
    expect(solution.scope).toBe("listed-patterns");
    expect(solution.network.activation).toBe("gated");
    expect(naiveObjective(task, solution.network)).toBeCloseTo(solution.objective, 12);
  });

  const withAll = named.filter(([, golden]) => rankOf(golden) <= EXACT_RANK);
  test.each(withAll)("solveConvex agrees with itself when all patterns are listed: %s", (_name, golden) => {
    const { solution } = solve(compute(), { ...posed(golden), patterns: { kind: "all" } });
    expect(Math.abs(solution.objective - golden.expected_optimum)).toBeLessThanOrEqual(golden.tolerance);
    expect(solution.lowerBound).toBeLessThanOrEqual(golden.expected_optimum + golden.tolerance);
    expect(solution.status).toBe("optimal");
    expect(solution.scope).toBe("all-patterns");
  });

  const withColumn = named.filter(([, { X }]) => X.every((x) => x.at(-1) === 1));
  test.each(withColumn)("solveConvex appends the penalized column of ones itself: %s", (_name, golden) => {
    const features = golden.X.map((x) => x.slice(0, -1));
    const { solution } = solve(compute(), { ...posed(golden), X: rows(features), bias: "column" });
    expect(Math.abs(solution.objective - golden.expected_optimum)).toBeLessThanOrEqual(golden.tolerance);
    expect(solution.network.U.cols).toBe(features[0].length);
  });

  test("solveConvex stays below the spike-free program where the data are not spike-free", () => {
    const golden = fixture.problems.find(({ id }) => id === "A6-spiky") as Golden;
    const { solution } = solve(compute(), posed(golden));
    expect(solution.objective).toBeLessThan((golden.spike_free_program as number) - 0.2);
  });
});

describe("betaMax on golden problems", () => {
  const known = named.filter(([, golden]) => golden.beta_max !== undefined);
  test.each(known)("betaMax: %s", (_name, golden) => {
    const found = betaMax(posed(golden), { compute: compute(), now: countingClock() });
    expect(Math.abs(found - (golden.beta_max as number))).toBeLessThanOrEqual(1e-9);
  });

  test("betaMax of XOR is sqrt 2, where its closed form 2 sqrt2 beta - beta^2 meets ||y||^2 / 2", () => {
    const xor = fixture.problems[0];
    expect(xor.id).toBe("A3");
    expect(betaMax(posed(xor), { compute: compute(), now: countingClock() })).toBeCloseTo(Math.SQRT2, 12);
  });
});

/** Cells of the fixture were enumerated by incremental linear programs, not by sweeps. */
describe("enumerateCells on golden arrangements", () => {
  const small = fixture.arrangements.filter(({ X }) => X[0].length <= EXACT_RANK);
  test.each(small.map((golden) => [`${golden.X.length} x ${golden.X[0].length}`, golden] as const))(
    "enumerateCells finds exactly the patterns: %s",
    (_name, { X, cells, patterns }) => {
      const found = enumerateCells(Float64Array.from(X.flat()), X.length, X[0].length);
      const strings = found.map(({ pattern }) => X.map((_, i) => (isActive(pattern, i) ? "1" : "0")).join(""));
      expect(strings).toHaveLength(cells);
      expect(strings.sort()).toEqual([...patterns].sort());
    },
  );

  const counted = named.filter(([, golden]) => golden.cells !== undefined && rankOf(golden) <= EXACT_RANK);
  test.each(counted)("enumerateCells counts the cells: %s", (_name, { X, cells }) => {
    expect(enumerateCells(Float64Array.from(X.flat()), X.length, X[0].length)).toHaveLength(cells as number);
  });
});

/**
 * Section 2.4 of the specification: with free hidden biases and a free output bias the problem in one dimension is the
 * lasso over the 2n ramps at the data with an unpenalized constant. The values are its KKT solutions in exact fractions.
 */
describe("solveConvex with free biases in one dimension", () => {
  const { X, y, tolerance, table } = fixture.free_bias;
  test.each(table)("solveConvex equals the lasso over ramps at beta $beta", ({ beta, expected_optimum: optimum }) => {
    const task = problem(X, y, beta, { bias: "output" });
    const { solution } = solve(compute(), task);
    // The optimum in fractions is exact; the solver's own accuracy is 1e-11 of the objective.
    expect(Math.abs(solution.objective - optimum)).toBeLessThanOrEqual(10 * tolerance);
    expect(solution.lowerBound).toBeLessThanOrEqual(optimum + tolerance);
    expect(solution.status).toBe("optimal");
    expect(naiveObjective(task, solution.network)).toBeCloseTo(solution.objective, 12);
  });
});
