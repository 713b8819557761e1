import { describe, expect, it } from "vitest";
import { type Matrix, matrix } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import { type VectorProblem, vectorObjective } from "../../src/convex/vector/index.ts";
import { searchLarge } from "../../src/convex/vector/large-oracle.ts";
import { fromNetwork, toNetwork } from "../../src/convex/vector/large-train.ts";
import { type LargeData, largeData, panelObjective } from "../../src/convex/vector/row-panels.ts";
import { gaussian, solveAll, useKernels, vectorProblem } from "./vector-problems.ts";

const compute = useKernels();

/** Three classes by the largest of three noisy linear scores. */
function classes(n: number): { X: Matrix; labels: number[]; Y: Matrix } {
  const stream = randomStream(1, "large");
  const X = gaussian(stream, n, 2);
  const Y = matrix(n, 3);
  const labels = Array.from({ length: n }, (_, i) => {
    const [x, y] = [X.data[2 * i], X.data[2 * i + 1]];
    const scores = [x, Math.abs(y), -x].map((t) => t + 0.3 * stream.normal());
    const label = scores.indexOf(Math.max(...scores));
    Y.data[i * 3 + label] = 1;
    return label;
  });
  return { X, labels, Y };
}

describe("solveVector on many rows", () => {
  const { X, labels, Y } = classes(5200);
  const small = { width: 8, epochs: 2 };

  it.each<[string, VectorProblem]>([
    ["softmax, bias column", vectorProblem(X, { labels, classes: 3 }, 0.01, { scaling: "mean", bias: "column" })],
    ["squared, no bias", vectorProblem(X, Y, 50)],
    [
      "squared, free biases, weights",
      vectorProblem(X, Y, 0.02, { scaling: "mean", bias: "output", weights: new Float64Array(5200).fill(0.5) }),
    ],
    [
      "one output",
      vectorProblem(X, matrix(5200, 1, Float64Array.from(labels)), 0.02, { scaling: "mean", bias: "column" }),
    ],
  ])("trains, recomputes the objective and bounds it: %s", (_, task) => {
    const { solution, events } = solveAll(compute(), task, small);
    expect(solution.objective).toBeCloseTo(vectorObjective(task, solution.network), 8);
    expect(solution.lowerBound).toBeLessThanOrEqual(solution.objective);
    expect(solution.scope).toBe("all-patterns");
    if (solution.listed !== null) expect(solution.listed.lowerBound).toBeGreaterThanOrEqual(solution.lowerBound);
    const first = events[0]!.objective;
    expect(solution.objective).toBeLessThan(first);
    expect(events.at(-1)?.phase).toBe("bound");
  });

  it("is near the optimum that the exact solver finds on the distinct rows", () => {
    const base = classes(40);
    const copies = 140;
    const X = matrix(
      40 * copies,
      2,
      Float64Array.from({ length: 40 * copies * 2 }, (_, k) => base.X.data[k % 80]),
    );
    const many = Array.from({ length: 40 * copies }, (_, i) => base.labels[i % 40]!);
    const shared = { scaling: "mean", bias: "column" } as const;
    const exact = solveAll(
      compute(),
      vectorProblem(base.X, { labels: base.labels, classes: 3 }, 0.02, shared),
    ).solution;
    const large = solveAll(compute(), vectorProblem(X, { labels: many, classes: 3 }, 0.02, shared), {
      width: 12,
      epochs: 4,
    }).solution;
    expect(large.objective).toBeGreaterThan(exact.lowerBound * (1 - 1e-9));
    expect(large.objective).toBeLessThan(exact.objective * 1.02);
    expect(large.lowerBound).toBeLessThanOrEqual(exact.objective);
  });

  it.each(["column", "output"] as const)(
    "is the best constant where no neuron is worth its penalty: bias %s",
    (bias) => {
      const task = vectorProblem(X, { labels, classes: 3 }, 1e3, { scaling: "mean", bias });
      const { solution } = solveAll(compute(), task, small);
      expect(solution.neurons).toBe(0);
      const shares = [0, 1, 2].map((k) => labels.filter((label) => label === k).length / labels.length);
      const entropy = -shares.reduce((sum, share) => sum + share * Math.log(share), 0);
      expect(solution.objective).toBeCloseTo(bias === "output" ? entropy : Math.log(3), 12);
      expect(solution.gap).toBeLessThan(1e-9);
    },
  );

  it("starts from a network, repeats itself, and stops when cancelled", () => {
    const task = vectorProblem(X, { labels, classes: 3 }, 0.02, { scaling: "mean", bias: "column" });
    const first = solveAll(compute(), task, { ...small, certify: false }).solution;
    expect(first.lowerBound).toBe(Number.NEGATIVE_INFINITY);
    expect(solveAll(compute(), task, { ...small, certify: false }).solution.network).toEqual(first.network);
    const again = solveAll(compute(), task, { certify: false, start: first.network }).solution;
    expect(again.objective).toBeLessThanOrEqual(first.objective * (1 + 1e-5));
    const cancelled = solveAll(compute(), task, { ...small, cancelled: () => true }).solution;
    expect(cancelled.status).toBe("interrupted");
    expect(cancelled.lowerBound).toBeLessThanOrEqual(cancelled.objective);
  });
});

describe("panelObjective", () => {
  it("has the value and gradient of plain loops, and batches that add up to it", () => {
    for (const bias of ["none", "column", "output"] as const) {
      const stream = randomStream(3, "panels");
      const X = gaussian(stream, 20, 3);
      const large = largeData(vectorProblem(X, gaussian(stream, 20, 2), 0.5, { bias }));
      compute().scope((scope) => {
        const objective = panelObjective(compute(), scope, large, 3);
        const x = Float64Array.from({ length: objective.size }, () => stream.normal());
        const [g, rest] = [new Float64Array(objective.size), new Float64Array(objective.size)];
        const value = objective.full(x, g);
        const naive = naiveGradient(large, x, 3);
        expect(value / naive.value).toBeCloseTo(1, 5);
        for (let k = 0; k < g.length; k++) expect(Math.abs(g[k] - naive.gradient[k])).toBeLessThan(1e-5 * value);
        const batches = panelObjective(compute(), scope, large, 3, 10);
        const sum = new Float64Array(objective.size);
        for (const from of [0, 10]) {
          batches.batch(
            x,
            Uint32Array.from({ length: 10 }, (_, i) => from + i),
            2,
            rest,
          );
          for (let k = 0; k < sum.length; k++) sum[k] += rest[k] / 2;
        }
        for (let k = 0; k < sum.length; k++) expect(Math.abs(sum[k] - g[k])).toBeLessThan(1e-5 * value);
      });
    }
  });
});

/** Objective and gradient of squared loss from their definitions, in f64. */
function naiveGradient({ problem, E, n, p, c, penalized, freeBias, beta }: LargeData, x: Float64Array, m: number) {
  const { targets } = problem;
  if (targets.loss !== "squared") throw new TypeError("squared loss only");
  const gradient = new Float64Array(x.length);
  let value = 0;
  for (let i = 0; i < n; i++) {
    const z = Array.from({ length: m }, (_, j) => {
      let sum = 0;
      for (let k = 0; k < p; k++) sum += E[i * p + k] * x[j * p + k];
      return Math.max(0, sum);
    });
    for (let l = 0; l < c; l++) {
      let r = (freeBias ? x[m * (p + c) + l] : 0) - targets.Y.data[i * c + l];
      for (let j = 0; j < m; j++) r += z[j]! * x[m * p + j * c + l];
      value += r ** 2 / 2;
      if (freeBias) gradient[m * (p + c) + l] += r;
      for (let j = 0; j < m; j++) {
        gradient[m * p + j * c + l] += r * z[j]!;
        if (z[j]! > 0) for (let k = 0; k < p; k++) gradient[j * p + k] += r * x[m * p + j * c + l] * E[i * p + k];
      }
    }
  }
  for (let k = 0; k < m * (p + c); k++) {
    if (k < m * p && k % p >= penalized) continue;
    value += (beta / 2) * x[k] ** 2;
    gradient[k] += beta * x[k];
  }
  return { value, gradient };
}

describe("large coordinates", () => {
  it("toNetwork and fromNetwork undo each other", () => {
    for (const bias of ["none", "column", "output"] as const) {
      const stream = randomStream(4, "coordinates");
      const large = largeData(vectorProblem(gaussian(stream, 12, 3), gaussian(stream, 12, 2), 0.5, { bias }));
      const units = [0, 1].map(() => ({ u: gaussian(stream, 1, large.p).data, w: gaussian(stream, 1, 2).data }));
      const c0 = bias === "output" ? Float64Array.of(1, -1) : new Float64Array(2);
      const network = toNetwork(large, { units, c0 });
      const back = toNetwork(large, fromNetwork(large, network));
      expect([...back.U.data]).toEqual([...network.U.data].map((t) => expect.closeTo(t, 10)));
      expect([...back.b]).toEqual([...network.b].map((t) => expect.closeTo(t, 10)));
    }
  });
});

describe("searchLarge", () => {
  it("finds the direction of the only violated constraint", () => {
    const n = 300;
    const X = matrix(
      n,
      2,
      Float64Array.from({ length: 2 * n }, (_, k) => (k % 2 === 0 ? 1 : 0)),
    );
    const large = largeData(vectorProblem(X, matrix(n, 2), 1));
    const V = new Float64Array(2 * n).fill(1);
    const best = searchLarge(compute(), large, V, randomStream(0, "s"), [])[0]!;
    expect(best.u[0]).toBeCloseTo(1, 5);
    expect(best.w[0]).toBeCloseTo(Math.SQRT1_2, 5);
    expect((best.value * large.scale) / (n * Math.SQRT2)).toBeCloseTo(1, 5);
  });
});
