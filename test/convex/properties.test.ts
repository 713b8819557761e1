import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BiasForm, betaMax, type ConvexProblem } from "../../src/convex/index.ts";
import {
  countingClock,
  descend,
  draws,
  gaussian,
  integers,
  naiveObjective,
  problem,
  randomNetwork,
  rejected,
  rows,
  solve,
  targets,
  useCompute,
} from "./problems.ts";

const compute = useCompute();

interface Draw {
  readonly loss: ConvexProblem["loss"];
  readonly scaling: ConvexProblem["scaling"];
  readonly bias: BiasForm;
  readonly seed: number;
  readonly n: number;
  readonly d: number;
  readonly kind: "gaussian" | "integers" | "deficient";
  readonly ratio: number;
}

const anything: fc.Arbitrary<Draw> = fc.record({
  loss: fc.constantFrom("squared" as const, "logistic" as const),
  scaling: fc.constantFrom("sum" as const, "mean" as const),
  bias: fc.constantFrom<BiasForm>("none", "column", "output"),
  seed: fc.nat(1e6),
  n: fc.integer({ min: 2, max: 12 }),
  d: fc.integer({ min: 1, max: 4 }),
  kind: fc.constantFrom("gaussian" as const, "integers" as const, "deficient" as const),
  ratio: fc.constantFrom(0.8, 0.5, 0.2, 0.05),
});

/** Draws whose optimum is certified exactly: rank at most 3 with whatever the bias adds. */
const exact = anything.filter(({ d, bias, kind }) => (kind === "deficient" ? 2 : d) + (bias === "column" ? 1 : 0) <= 3);

function features({ seed, n, d, kind }: Draw): number[][] {
  const stream = draws("features", seed);
  if (kind === "gaussian") return gaussian(stream, n, d);
  if (kind === "integers") return integers(stream, n, d);
  const span = gaussian(stream, Math.min(2, d), d);
  return gaussian(stream, n, span.length).map((c) =>
    span[0].map((_, k) => c.reduce((sum, t, q) => sum + t * span[q][k], 0)),
  );
}

/** The task at `ratio` of its beta_max; null when the data allow no neuron at all. */
function taskOf(
  draw: Draw,
  X = features(draw),
  y = targets(draws("targets", draw.seed), X.length, draw.loss),
): ConvexProblem | null {
  const { loss, scaling, bias, ratio } = draw;
  const { beta: _, ...unpenalized } = problem(X, y, 1, { loss, scaling, bias });
  const top = betaMax(unpenalized, { compute: compute(), now: countingClock() });
  // Below 1e-6 the response is rounding: e.g. targets that the best constant explains.
  return top > 1e-6 ? { ...unpenalized, beta: ratio * top } : null;
}

function optimum(task: ConvexProblem): number {
  return solve(compute(), task).solution.objective;
}

/** The weak direction needs no convergence: it must hold for every answer that the solver gives. */
describe("weak duality (Theorem 2)", () => {
  test("solveConvex: the bound is below the objective of every network, also of improved ones", () => {
    fc.assert(
      fc.property(anything, (draw) => {
        const task = taskOf(draw);
        if (task === null) return;
        const { solution } = solve(compute(), task);
        const slack = 1e-10 * (1 + Math.abs(solution.lowerBound));
        expect(solution.lowerBound).toBeLessThanOrEqual(solution.objective + slack);
        const stream = draws("networks", draw.seed);
        for (const width of [1, 5]) {
          const start = randomNetwork(stream, task.X.cols, width, draw.bias, 0.5);
          expect(solution.lowerBound).toBeLessThanOrEqual(naiveObjective(task, start) + slack);
          const improved = descend(task, start, 25);
          expect(solution.lowerBound).toBeLessThanOrEqual(naiveObjective(task, improved) + slack);
        }
        // From the solution itself, pushed off and improved: the closest attack on the bound.
        const pushed = descend(task, perturbed(solution.network, stream, draw.bias), 40);
        expect(solution.lowerBound).toBeLessThanOrEqual(naiveObjective(task, pushed) + slack);
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  test("solveConvex: so is every bound on the way, with listed patterns among ReLU networks of those patterns", () => {
    fc.assert(
      fc.property(anything, fc.integer({ min: 1, max: 12 }), (draw, count) => {
        const task = taskOf(draw);
        if (task === null) return;
        const listed: ConvexProblem = { ...task, patterns: { kind: "sampled", count } };
        const { solution, events } = solve(compute(), listed, { seed: draw.seed });
        for (const { bound, objective } of events) {
          if (bound !== null) expect(bound).toBeLessThanOrEqual(objective * (1 + 1e-10) + 1e-14);
        }
        expect(solution.lowerBound).toBeLessThanOrEqual(solution.objective * (1 + 1e-10) + 1e-14);
        // More patterns can only lower the optimum.
        const all = solve(compute(), task).solution;
        expect(all.lowerBound).toBeLessThanOrEqual(solution.objective * (1 + 1e-10) + 1e-14);
      }),
      { numRuns: 30, seed: 2 },
    );
  });

  function perturbed(
    network: ReturnType<typeof randomNetwork>,
    stream: ReturnType<typeof draws>,
    bias: BiasForm,
  ): ReturnType<typeof randomNetwork> {
    const noise = (a: Float64Array): Float64Array => a.map((t) => t + 0.01 * stream.normal());
    return {
      ...network,
      U: { ...network.U, data: noise(network.U.data) },
      b: bias === "none" ? network.b : noise(network.b),
      W: { ...network.W, data: noise(network.W.data) },
    };
  }
});

describe("optimality", () => {
  test("solveConvex: no random network improved by gradient steps is better", () => {
    fc.assert(
      fc.property(
        exact.filter(({ ratio }) => ratio >= 0.2),
        (draw) => {
          const task = taskOf(draw);
          if (task === null) return;
          const { solution } = solve(compute(), task);
          const stream = draws("rivals", draw.seed);
          for (let rival = 0; rival < 4; rival++) {
            const found = descend(task, randomNetwork(stream, task.X.cols, 6, draw.bias, 0.5), 80);
            expect(solution.objective).toBeLessThanOrEqual(naiveObjective(task, found) * (1 + 1e-9));
          }
        },
      ),
      { numRuns: 25, seed: 3 },
    );
  });
});

/**
 * Each transformation changes the data and leaves the optimum known: no other solver is needed. Optima are compared to
 * 1e-6, the certificate's tolerance.
 */
describe("invariance of the optimum", () => {
  const settings = exact.filter(({ ratio }) => ratio >= 0.5);
  const close = (a: number, b: number): void => {
    expect(Math.abs(a - b)).toBeLessThanOrEqual(1e-6 * Math.max(Math.abs(a), Math.abs(b)) + 1e-12);
  };
  const invariant = (seed: number, check: (task: ConvexProblem, draw: Draw, X: number[][]) => void): void => {
    fc.assert(
      fc.property(settings, (draw) => {
        const X = features(draw);
        const task = taskOf(draw, X);
        if (task !== null) check(task, draw, X);
      }),
      { numRuns: 12, seed },
    );
  };

  test("solveConvex: rotating the features", () => {
    invariant(4, (task, { d, seed }, X) => {
      const basis: number[][] = [];
      for (const x of gaussian(draws("rotation", seed), d, d)) {
        const q = rejected(x, basis);
        basis.push(q.map((t) => t / Math.hypot(...q)));
      }
      const rotated = X.map((x) => basis.map((e) => e.reduce((sum, t, k) => sum + t * x[k], 0)));
      close(optimum({ ...task, X: rows(rotated) }), optimum(task));
    });
  });

  test("solveConvex: permuting the samples", () => {
    invariant(5, (task, { seed }, X) => {
      const order = [...draws("permutation", seed).permutation(X.length)];
      const permuted = { ...task, X: rows(order.map((i) => X[i])), y: Float64Array.from(order, (i) => task.y[i]) };
      close(optimum(permuted), optimum(task));
    });
  });

  test("solveConvex: every sample twice doubles the sum and keeps the mean", () => {
    invariant(6, (task, _draw, X) => {
      const twice = { ...task, X: rows([...X, ...X]), y: Float64Array.from([...task.y, ...task.y]) };
      if (task.scaling === "mean") close(optimum(twice), optimum(task));
      else close(optimum({ ...twice, beta: 2 * task.beta }), 2 * optimum(task));
    });
  });

  test("solveConvex: the mean with beta is the sum with n beta, over n", () => {
    invariant(7, (task) => {
      const n = task.X.rows;
      const mean: ConvexProblem = { ...task, scaling: "mean" };
      const sum: ConvexProblem = { ...task, scaling: "sum", beta: n * task.beta };
      close(n * optimum(mean), optimum(sum));
    });
  });

  test("solveConvex: X scaled by t and beta by t, without a column of ones", () => {
    invariant(8, (task, draw, X) => {
      if (draw.bias === "column") return;
      for (const t of [0.01, 7]) {
        close(optimum({ ...task, X: rows(X.map((x) => x.map((e) => t * e))), beta: t * task.beta }), optimum(task));
      }
    });
  });

  test("solveConvex: y and beta scaled by t scale the squared optimum by t^2", () => {
    invariant(9, (task) => {
      if (task.loss !== "squared") return;
      close(optimum({ ...task, y: task.y.map((t) => 3 * t), beta: 3 * task.beta }), 9 * optimum(task));
    });
  });

  test("solveConvex: targets of the opposite sign", () => {
    invariant(10, (task) => {
      close(optimum({ ...task, y: task.y.map((t) => -t) }), optimum(task));
    });
  });

  test("solveConvex: features shifted by a constant, with free biases", () => {
    invariant(11, (task, draw, X) => {
      if (draw.bias !== "output") return;
      close(optimum({ ...task, X: rows(X.map((x) => x.map((t) => t + 5))) }), optimum(task));
      if (task.loss === "squared") close(optimum({ ...task, y: task.y.map((t) => t + 2) }), optimum(task));
    });
  });

  test("solveConvex: the optimum rises with beta, at most proportionally", () => {
    invariant(12, (task) => {
      const value = optimum(task);
      const more = optimum({ ...task, beta: 1.5 * task.beta });
      expect(more).toBeGreaterThanOrEqual(value * (1 - 1e-6));
      expect(more).toBeLessThanOrEqual(1.5 * value * (1 + 1e-6));
    });
  });

  test("solveConvex: free biases are at most as expensive as a penalized column, which is at most none", () => {
    fc.assert(
      fc.property(
        exact.filter(({ d, ratio }) => d <= 2 && ratio >= 0.5),
        (draw) => {
          const task = taskOf(draw);
          if (task === null) return;
          const [none, column, output] = (["none", "column", "output"] as const).map((bias) =>
            optimum({ ...task, bias }),
          );
          expect(column).toBeLessThanOrEqual(none * (1 + 1e-6));
          expect(output).toBeLessThanOrEqual(column * (1 + 1e-6));
        },
      ),
      { numRuns: 12, seed: 13 },
    );
  });
});
