import { describe, expect, test } from "vitest";
import { betaMax, type ConvexProblem, type Solution } from "../../src/convex/index.ts";
import {
  atRatio,
  checkSound,
  countingClock,
  draws,
  gaussian,
  integers,
  problem,
  rows,
  solve,
  targets,
  useCompute,
} from "./problems.ts";

const compute = useCompute();
const losses = ["squared", "logistic"] as const;
const biases = ["none", "column", "output"] as const;
const forms = losses.flatMap((loss) => biases.map((bias) => ({ loss, bias })));

describe("solveConvex on degenerate data", () => {
  const closes = (task: ConvexProblem): Solution => {
    const { solution } = solve(compute(), task);
    checkSound(task, solution);
    expect(solution.gap).toBeLessThanOrEqual(1e-6);
    return solution;
  };

  // One sample: the best neuron points along x, so with s = ||x|| only min (s w - |y|)^2 / 2 + beta w is left.
  test.each([
    [[3, 4], 2, 0.5],
    [[3, 4], -2, 5],
    [[3, 4], 2, 50],
    [[-1], 1, 0.25],
  ])("solveConvex: one sample %j has a closed form", (x, target, beta) => {
    const s = Math.hypot(...x);
    const weight = Math.max(0, (s * Math.abs(target) - beta) / s ** 2);
    const value = (s * weight - Math.abs(target)) ** 2 / 2 + beta * weight;
    expect(closes(problem([x], [target], beta)).objective).toBeCloseTo(value, 10);
    expect(closes(problem([x], [target], beta, { bias: "output" })).objective).toBeCloseTo(0, 12);
  });

  test.each(forms)("solveConvex: a zero matrix leaves the constants: $loss, $bias", ({ loss, bias }) => {
    const y = [1, -1, 1];
    const zero = y.map(() => [0, 0]);
    const task = problem(zero, y, 0.1, { loss, bias });
    const { objective, neurons } = closes(task);
    // With no data the column of ones is a feature of its own, and free biases are the best constant.
    if (bias === "none") {
      expect(neurons).toBe(0);
      expect(objective).toBeCloseTo(loss === "squared" ? 1.5 : 3 * Math.LN2, 12);
    } else if (bias === "column") {
      expect(objective).toBeCloseTo(
        closes(
          problem(
            y.map(() => [1]),
            y,
            0.1,
            { loss },
          ),
        ).objective,
        10,
      );
    } else {
      expect(objective).toBeCloseTo(loss === "squared" ? 4 / 3 : -2 * Math.log(2 / 3) - Math.log(1 / 3), 10);
    }
  });

  test("solveConvex: equal targets are free with free biases, whatever the data", () => {
    const X = gaussian(draws("equal"), 6, 2);
    expect(closes(problem(X, new Array(6).fill(1.5), 0.3, { bias: "output" })).objective).toBeCloseTo(0, 12);
  });

  test.each(biases)("solveConvex: zero targets need no neurons, bias %s", (bias) => {
    const solution = closes(problem(gaussian(draws("zero y"), 6, 2), new Array(6).fill(0), 0.3, { bias }));
    expect(solution.objective).toBe(0);
    expect(solution.neurons).toBe(0);
  });

  test.each(forms)("solveConvex: duplicated, antipodal and zero rows: $loss, $bias", ({ loss, bias }) => {
    const stream = draws("duplicates", 1);
    const base = gaussian(stream, 4, 2);
    const X = [...base, ...base, ...base.map((x) => x.map((t) => -t)), [0, 0]];
    closes(atRatio(compute(), problem(X, targets(stream, X.length, loss), 1, { loss, bias }), 0.5));
  });

  test.each(forms)(
    "solveConvex: constant columns change nothing beyond what a bias does: $loss, $bias",
    ({ loss, bias }) => {
      const stream = draws("constants");
      const features = gaussian(stream, 7, 1);
      const y = targets(stream, 7, loss);
      const X = features.map((x) => [...x, 2]);
      const solution = closes(atRatio(compute(), problem(X, y, 1, { loss, bias }), 0.4));
      if (bias !== "output") return;
      const without = closes(problem(features, y, solutionBeta(X, y, loss), { loss, bias }));
      expect(solution.objective).toBeCloseTo(without.objective, 8);
    },
  );

  function solutionBeta(X: number[][], y: number[], loss: (typeof losses)[number]): number {
    return atRatio(compute(), problem(X, y, 1, { loss, bias: "output" }), 0.4).beta;
  }

  test.each(losses)("solveConvex: more features than samples, and rank-deficient features: %s", (loss) => {
    const stream = draws("wide", 2);
    const wide = gaussian(stream, 3, 8);
    const y = targets(stream, 3, loss);
    const solution = closes(atRatio(compute(), problem(wide, y, 1, { loss }), 0.3));
    expect(solution.network.U.cols).toBe(8);
    // Weights in the row space only: doubling a column and halving nothing else would pay for useless weights.
    const repeated = wide.map((x) => [...x, ...x]);
    const task = atRatio(compute(), problem(repeated, y, 1, { loss }), 0.3);
    expect(closes(task).objective).toBeCloseTo(solution.objective, 8);
  });

  // X D with D = diag(1e8, 1e-8): the second column cannot matter at this beta.
  test("solveConvex: a column 1e16 times as long as another does not break the solve or the bound", () => {
    const stream = draws("scales");
    const X = gaussian(stream, 8, 2);
    const y = targets(stream, 8, "squared");
    const stretched = X.map(([a, b]) => [1e8 * a, 1e-8 * b]);
    const task = atRatio(compute(), problem(stretched, y, 1), 0.3);
    const solution = closes(task);
    const alone = closes(
      problem(
        X.map(([a]) => [1e8 * a]),
        y,
        task.beta,
      ),
    );
    expect(Math.abs(solution.objective - alone.objective)).toBeLessThanOrEqual(1e-9 * alone.objective);
  });

  test.each([1e8, 1e-8, 1e4, 1e-4, 1e150, 1e-170])(
    "solveConvex: data and beta scaled by %f give the same objective",
    (scale) => {
      const stream = draws("one scale");
      const X = gaussian(stream, 8, 2);
      const task = atRatio(compute(), problem(X, targets(stream, 8, "squared"), 1), 0.3);
      const scaled = closes({ ...task, X: rows(X.map((x) => x.map((t) => scale * t))), beta: scale * task.beta });
      expect(Math.abs(scaled.objective - closes(task).objective)).toBeLessThanOrEqual(1e-9 * scaled.objective);
    },
  );

  test("solveConvex: integer data with many ties", () => {
    for (let seed = 0; seed < 6; seed++) {
      const stream = draws("ties", seed);
      closes(atRatio(compute(), problem(integers(stream, 10, 2, 1), targets(stream, 10, "squared"), 1), 0.3));
    }
  });
});

/** Where the certificate is exact, a gap can only come from a solve that stopped short of the optimum. */
describe("solveConvex on tiny problems", () => {
  const family = (["squared", "logistic"] as const).flatMap((loss) =>
    (["none", "column", "output"] as const).flatMap((bias) =>
      [0.5, 0.1, 0.03, 0.01].map((ratio) => ({ loss, bias, ratio })),
    ),
  );

  // Four to eight samples of small integers in one or two dimensions, five for each loss, bias and part of beta_max.
  test("solveConvex closes the gap of every tiny problem", () => {
    const failed: string[] = [];
    for (const { loss, bias, ratio } of family) {
      for (let seed = 0; seed < 5; seed++) {
        const stream = draws("tiny", seed);
        const X = integers(stream, 4 + stream.integer(5), 1 + stream.integer(2), 3);
        const y = targets(stream, X.length, loss);
        const { beta: _, ...unpenalized } = problem(X, y, 1, { loss, bias });
        const top = betaMax(unpenalized, { compute: compute(), now: countingClock() });
        if (top < 1e-6) continue;
        const { gap, objective, status } = solve(compute(), { ...unpenalized, beta: ratio * top }).solution;
        if (gap > 1e-6 && objective > 1e-9) failed.push(`${loss} ${bias} ${ratio} seed ${seed}: ${status}, gap ${gap}`);
      }
    }
    expect(failed).toEqual([]);
  });
});

describe("solveConvex at extreme beta", () => {
  test.each(forms)("solveConvex: a tiny beta ends within its time, soundly: $loss, $bias", ({ loss, bias }) => {
    const stream = draws("tiny beta");
    const task = atRatio(
      compute(),
      problem(gaussian(stream, 10, 3), targets(stream, 10, loss), 1, { loss, bias }),
      1e-6,
    );
    const { solution } = solve(compute(), task, { seconds: 1, now: () => performance.now() / 1000 });
    checkSound(task, solution);
    expect(solution.lowerBound).toBeGreaterThanOrEqual(0);
  });

  test.each(forms)("solveConvex: a huge beta gives the best constant, certified: $loss, $bias", ({ loss, bias }) => {
    const stream = draws("huge beta");
    const y = loss === "squared" ? targets(stream, 10, loss) : [1, -1, 1, -1, 1, 1, 1, -1, 1, 1];
    const task = problem(gaussian(stream, 10, 3), y, 1e12, { loss, bias });
    const { solution } = solve(compute(), task);
    expect(solution.neurons).toBe(0);
    expect(solution.status).toBe("optimal");
    checkSound(task, solution);
  });
});
