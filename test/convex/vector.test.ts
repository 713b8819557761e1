import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matrix, takeRows } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import {
  solveOutputsApart,
  type VectorProblem,
  vectorBetaMax,
  vectorObjective,
} from "../../src/convex/vector/index.ts";
import { forward, type TwoLayerNetwork } from "../../src/network/index.ts";
import { countingClock, problem, solve } from "./problems.ts";
import { gaussian, orthonormalRows, solveAll, timesTransposed, useKernels, vectorProblem } from "./vector-problems.ts";

const compute = useKernels();

/** Value (68) of Theorem 15. */
function theorem15(sizes: readonly number[], beta: number): number {
  return sizes.reduce((sum, n) => sum + (beta <= Math.sqrt(n) ? beta * Math.sqrt(n) - beta ** 2 / 2 : n / 2), 0);
}

function random(problem: VectorProblem, seed: number, m: number): TwoLayerNetwork {
  const stream = randomStream(seed, "network");
  const c = problem.targets.loss === "squared" ? problem.targets.Y.cols : problem.targets.classes;
  const d = problem.X.cols;
  const biased = problem.bias !== "none";
  return {
    kind: "two-layer",
    activation: "relu",
    U: gaussian(stream, m, d),
    b: Float64Array.from({ length: m }, () => (biased ? stream.normal() : 0)),
    W: gaussian(stream, m, c),
    c0: Float64Array.from({ length: c }, () => (problem.bias === "output" ? stream.normal() : 0)),
    gates: null,
  };
}

describe("solveVector", () => {
  it.each([0.1, 1.2, 1.5, 2.5])(
    "attains and certifies the closed form of Theorem 15 (whitened, one-hot) at beta %d",
    (beta) => {
      const sizes = [5, 3, 2, 1];
      const X = orthonormalRows(randomStream(3, "white"), 11, 14);
      const Y = matrix(11, 4);
      let i = 0;
      sizes.forEach((size, k) => {
        for (let q = 0; q < size; q++) Y.data[i++ * 4 + k] = 1;
      });
      const { solution } = solveAll(compute(), vectorProblem(X, Y, beta), { tolerance: 1e-8 });
      expect(solution.objective).toBeCloseTo(theorem15(sizes, beta), 9);
      expect(solution.lowerBound).toBeLessThanOrEqual(solution.objective * (1 + 1e-12));
      expect(solution.gap).toBeLessThan(1e-8);
      expect(solution.status).toBe("optimal");
      expect(solution.scope).toBe("all-patterns");
      // A hidden neuron dies at beta = sqrt(n_j).
      const outputs = new Set<number>();
      for (let j = 0; j < solution.network.W.rows; j++) {
        for (let k = 0; k < 4; k++) if (Math.abs(solution.network.W.data[j * 4 + k]) > 1e-4) outputs.add(k);
      }
      expect([...outputs].sort()).toEqual([0, 1, 2, 3].filter((k) => beta <= Math.sqrt(sizes[k]!)));
    },
  );

  it("agrees with solveConvex for one output", () => {
    const stream = randomStream(5, "scalar");
    const X = gaussian(stream, 16, 2);
    const Y = gaussian(stream, 16, 1);
    for (const bias of ["none", "column", "output"] as const) {
      const { solution } = solveAll(compute(), vectorProblem(X, Y, 0.8, { bias }));
      const rows = Array.from({ length: 16 }, (_, i) => [...X.data.subarray(2 * i, 2 * i + 2)]);
      const scalar = solve(compute(), problem(rows, [...Y.data], 0.8, { bias })).solution;
      expect(solution.objective).toBeCloseTo(scalar.objective, 7);
      expect(solution.gap).toBeLessThan(1e-6);
    }
  });

  it("closes the gap with several outputs and exact scalar bounds", () => {
    const stream = randomStream(6, "exact");
    const X = gaussian(stream, 12, 2);
    const Y = gaussian(stream, 12, 2);
    const labels = Array.from({ length: 12 }, (_, i) => i % 3);
    for (const task of [
      vectorProblem(X, Y, 1.5),
      vectorProblem(X, Y, 0.1, { scaling: "mean" }),
      vectorProblem(X, { labels, classes: 3 }, 0.7),
      vectorProblem(gaussian(stream, 12, 1), { labels, classes: 3 }, 0.3, { bias: "output" }),
    ]) {
      const { solution } = solveAll(compute(), task);
      expect(solution.gap).toBeLessThan(1e-6);
      expect(solution.status).toBe("optimal");
      expect(solution.violation).toBeLessThan(1e-6);
      expect(vectorObjective(task, solution.network)).toBe(solution.objective);
    }
  });

  it("is invariant under rotations of the outputs, permutations of the rows and duplicates as weights", () => {
    const stream = randomStream(8, "invariance");
    const X = gaussian(stream, 10, 2);
    const Y = gaussian(stream, 10, 3);
    const reference = solveAll(compute(), vectorProblem(X, Y, 1)).solution.objective;
    const rotated = timesTransposed(Y, orthonormalRows(stream, 3, 3));
    expect(solveAll(compute(), vectorProblem(X, rotated, 1)).solution.objective).toBeCloseTo(reference, 7);
    const order = stream.permutation(10);
    const permuted = solveAll(compute(), vectorProblem(takeRows(X, order), takeRows(Y, order), 1)).solution.objective;
    expect(permuted).toBeCloseTo(reference, 7);
    const copies = [0, 0, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8, 9];
    const weights = Float64Array.of(2, 1, 3, 1, 1, 1, 1, 1, 1, 1);
    const copied = solveAll(compute(), vectorProblem(takeRows(X, copies), takeRows(Y, copies), 1)).solution.objective;
    const weighted = solveAll(compute(), vectorProblem(X, Y, 1, { weights })).solution.objective;
    expect(weighted).toBeCloseTo(copied, 7);
    const labels = Array.from({ length: 10 }, (_, i) => i % 3);
    const pick = { labels: copies.map((i) => labels[i]!), classes: 3 };
    const soft = solveAll(compute(), vectorProblem(takeRows(X, copies), pick, 0.4)).solution.objective;
    expect(
      solveAll(compute(), vectorProblem(X, { labels, classes: 3 }, 0.4, { weights })).solution.objective,
    ).toBeCloseTo(soft, 7);
  });

  it("never has a bound above the objective of any network", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e6 }),
        fc.boolean(),
        fc.constantFrom("none", "column", "output"),
        (seed, soft, bias) => {
          const stream = randomStream(seed, "bound");
          const n = 3 + stream.integer(6);
          const d = 1 + stream.integer(5);
          const c = 2 + stream.integer(3);
          const X = gaussian(stream, n, d);
          if (seed % 3 === 0) for (let k = 0; k < X.data.length; k++) X.data[k] = Math.round(X.data[k]);
          const labels = Array.from({ length: n }, (_, i) => i % Math.min(c, n));
          const Y = soft ? { labels, classes: Math.min(c, n) } : gaussian(stream, n, c);
          const task = vectorProblem(X, Y, 0.05 + 2 * stream.uniform(), { bias: bias as VectorProblem["bias"] });
          const { solution } = solveAll(compute(), task, { seconds: 0.3 });
          expect(solution.lowerBound).toBeLessThanOrEqual(solution.objective * (1 + 1e-9) + 1e-12);
          for (let trial = 0; trial < 20; trial++) {
            const network = random(task, trial, 1 + trial);
            expect(vectorObjective(task, network)).toBeGreaterThanOrEqual(solution.lowerBound * (1 - 1e-9) - 1e-12);
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  it("is never worse than gradient descent", () => {
    const stream = randomStream(11, "descent");
    const X = gaussian(stream, 15, 3);
    const task = vectorProblem(X, gaussian(stream, 15, 2), 0.6);
    const { solution } = solveAll(compute(), task);
    for (let seed = 0; seed < 5; seed++) {
      expect(descend(task, random(task, seed, 30))).toBeGreaterThanOrEqual(solution.objective * (1 - 1e-9));
    }
  });

  it("starts from a network, is deterministic by seed, and ends early when told", () => {
    const stream = randomStream(12, "start");
    const task = vectorProblem(gaussian(stream, 14, 3), gaussian(stream, 14, 2), 0.5, { bias: "column" });
    const first = solveAll(compute(), task).solution;
    expect(solveAll(compute(), task).solution).toEqual(first);
    const again = solveAll(compute(), task, { start: first.network });
    expect(again.events[0]?.objective).toBeLessThanOrEqual(first.objective * (1 + 1e-6));
    expect(again.solution.objective).toBeLessThanOrEqual(first.objective * (1 + 1e-9));
    const cancelled = solveAll(compute(), task, { cancelled: () => true }).solution;
    expect(cancelled.status).toBe("interrupted");
    expect(cancelled.lowerBound).toBeLessThanOrEqual(first.objective);
    const trained = solveAll(compute(), task, { certify: false }).solution;
    expect(trained.lowerBound).toBe(Number.NEGATIVE_INFINITY);
    expect(trained.objective).toBeCloseTo(first.objective, 4);
    expect(() =>
      solveAll(compute(), task, { start: random(task, 0, 2), scalarBound: () => ({ value: Number.NaN, method: "x" }) }),
    ).not.toThrow();
    const alien = { ...first.network, W: matrix(first.network.U.rows, 5) };
    expect(() => solveAll(compute(), task, { start: alien })).toThrow(RangeError);
  });

  it("answers degenerate problems", () => {
    const one = solveAll(
      compute(),
      vectorProblem(matrix(1, 2, Float64Array.of(3, 4)), matrix(1, 3, Float64Array.of(1, 2, 2)), 1),
    ).solution;
    // One row of length 5: fits t y / ||y|| at cost beta t / 5.
    expect(one.objective).toBeCloseTo(3 * 0.2 - 0.02, 9);
    expect(one.gap).toBeLessThan(1e-8);
    const stream = randomStream(13, "wide");
    const wide = solveAll(compute(), vectorProblem(gaussian(stream, 3, 6), gaussian(stream, 3, 7), 0.5)).solution;
    expect(wide.lowerBound).toBeLessThanOrEqual(wide.objective);
    const missing = { labels: [0, 2, 0, 2], classes: 3 };
    const X = gaussian(stream, 4, 2);
    expect(solveAll(compute(), vectorProblem(X, missing, 0.1, { bias: "column" })).solution.gap).toBeLessThan(0.5);
    expect(() => solveAll(compute(), vectorProblem(X, missing, 0.1, { bias: "output" }))).toThrow(
      /class 1 has no rows/,
    );
    const zero = solveAll(
      compute(),
      vectorProblem(matrix(3, 2), matrix(3, 2, new Float64Array(6).fill(1)), 0.5),
    ).solution;
    expect(zero.objective).toBe(3);
    expect(zero.gap).toBe(0);
    const above = vectorProblem(X, gaussian(stream, 4, 2), 1);
    const top = vectorBetaMax(above, { compute: compute(), now: countingClock() });
    const silent = solveAll(compute(), { ...above, beta: top * 1.001 }).solution;
    expect(silent.neurons).toBe(0);
    expect(silent.gap).toBeLessThan(1e-9);
    expect(solveAll(compute(), { ...above, beta: top * 0.99 }).solution.neurons).toBeGreaterThan(0);
  });

  it.each(["column", "output"] as const)("closes the gap above rank 3 by racing bounds: bias %s", (bias) => {
    const stream = randomStream(21, "race");
    const X = gaussian(stream, 24, 4);
    const labels = Array.from({ length: 24 }, (_, i) => (X.data[4 * i] > 0.4 ? 0 : X.data[4 * i + 1] > 0 ? 1 : 2));
    const task = vectorProblem(X, { labels, classes: 3 }, 1, { bias });
    const beta = 0.3 * vectorBetaMax(task, { compute: compute(), now: countingClock() });
    const { solution, events } = solveAll(compute(), { ...task, beta });
    expect(solution.status).toBe("optimal");
    expect(solution.method).toMatch(/^cover-(cones|caps|transport)$/);
    expect(solution.lowerBound).toBeLessThanOrEqual(solution.objective * (1 + 1e-12));
    // Bounds only rise.
    const bounds = events.flatMap((event) => event.bound ?? []);
    expect(bounds).toEqual([...bounds].sort((a, b) => a - b));
  });

  it("refuses what cannot be posed", () => {
    const X = matrix(2, 1, Float64Array.of(1, 2));
    const Y = matrix(2, 2, Float64Array.of(1, 0, 0, 1));
    const attempt =
      (task: VectorProblem): (() => unknown) =>
      () =>
        solveAll(compute(), task);
    expect(attempt(vectorProblem(X, matrix(3, 2), 1))).toThrow("X has 2 rows, the targets 3");
    expect(attempt(vectorProblem(matrix(2, 1, Float64Array.of(1, Number.NaN)), Y, 1))).toThrow(/X has an entry/);
    expect(attempt(vectorProblem(X, matrix(2, 1, Float64Array.of(1, Number.NaN)), 1))).toThrow(/Y has an entry/);
    expect(attempt(vectorProblem(X, { labels: [0, 3], classes: 3 }, 1))).toThrow(/labels must be integers/);
    for (const beta of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(attempt(vectorProblem(X, Y, beta))).toThrow(/beta must be a positive number/);
    }
    expect(attempt(vectorProblem(X, Y, 1, { weights: Float64Array.of(1, -1) }))).toThrow(/weights/);
    expect(attempt(vectorProblem(matrix(0, 1), matrix(0, 2), 1))).toThrow(/needs rows and outputs/);
  });
});

describe("solveOutputsApart", () => {
  it("joins the scalar solutions of the outputs", () => {
    const stream = randomStream(14, "apart");
    const X = gaussian(stream, 10, 2);
    const Y = gaussian(stream, 10, 2);
    const task = vectorProblem(X, Y, 0.7);
    const run = solveOutputsApart(task, { compute: compute(), now: countingClock() });
    let step = run.next();
    while (step.done !== true) step = run.next();
    const rows = Array.from({ length: 10 }, (_, i) => [...X.data.subarray(2 * i, 2 * i + 2)]);
    let sum = 0;
    for (let k = 0; k < 2; k++) {
      const y = Array.from({ length: 10 }, (_, i) => Y.data[2 * i + k]);
      sum += solve(compute(), problem(rows, y, 0.7)).solution.objective;
    }
    expect(step.value.objective).toBeCloseTo(sum, 9);
    expect(step.value.gap).toBeLessThan(1e-6);
    // The group penalty is never larger than the l1 penalty.
    expect(vectorObjective(task, step.value.network)).toBeLessThanOrEqual(sum * (1 + 1e-12));
    expect(solveAll(compute(), task).solution.objective).toBeLessThanOrEqual(sum * (1 + 1e-9));
  });

  it("refuses the softmax loss", () => {
    const task = vectorProblem(matrix(2, 1, Float64Array.of(1, 2)), { labels: [0, 1], classes: 2 }, 1);
    expect(() => solveOutputsApart(task, { compute: compute(), now: countingClock() }).next()).toThrow(
      /l1 output norm/,
    );
  });
});

/** The objective (squared loss, sum, no bias) after plain gradient descent with a step that halves when it fails. */
function descend(task: VectorProblem, start: TwoLayerNetwork): number {
  if (task.targets.loss !== "squared") throw new TypeError("squared loss only");
  const { X, beta, targets } = task;
  const { U, W } = start;
  const [n, d, m, c] = [X.rows, X.cols, U.rows, W.cols];
  let value = vectorObjective(task, start);
  let rate = 1e-2;
  for (let step = 0; step < 1500; step++) {
    const F = forward(start, X).data;
    const next = { ...start, U: { ...U, data: U.data.slice() }, W: { ...W, data: W.data.slice() } };
    for (let j = 0; j < m; j++) {
      for (let k = 0; k < d; k++) next.U.data[j * d + k] -= rate * beta * U.data[j * d + k];
      for (let k = 0; k < c; k++) next.W.data[j * c + k] -= rate * beta * W.data[j * c + k];
      for (let i = 0; i < n; i++) {
        let z = 0;
        for (let k = 0; k < d; k++) z += X.data[i * d + k] * U.data[j * d + k];
        if (!(z > 0)) continue;
        for (let k = 0; k < c; k++) {
          const r = F[i * c + k] - targets.Y.data[i * c + k];
          next.W.data[j * c + k] -= rate * r * z;
          for (let l = 0; l < d; l++) next.U.data[j * d + l] -= rate * r * W.data[j * c + k] * X.data[i * d + l];
        }
      }
    }
    const reached = vectorObjective(task, next);
    if (reached <= value * 1.001) {
      U.data.set(next.U.data);
      W.data.set(next.W.data);
      value = reached;
    } else rate /= 2;
  }
  return value;
}
