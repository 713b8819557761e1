import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/base/errors.ts";
import { type ConvexProblem, type SolveEvent, solveConvex } from "../../src/convex/index.ts";
import {
  atRatio,
  checkSound,
  countingClock,
  draws,
  gaussian,
  naiveObjective,
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

describe("events of solveConvex", () => {
  test.each(forms)("solveConvex: objectives never rise, bounds never fall: $loss, $bias", ({ loss, bias }) => {
    const stream = draws("events", 3);
    const X = gaussian(stream, 14, 3);
    const y = targets(stream, 14, loss);
    const task = atRatio(compute(), problem(X, y, 1, { loss, bias, scaling: "mean" }), 0.3);
    const { solution, events } = solve(compute(), task);
    expect(events.length).toBeGreaterThan(1);
    events.forEach((event, k) => {
      if (event.bound !== null) {
        expect(event.bound).toBeLessThanOrEqual(event.objective * (1 + 1e-12));
        expect(event.gap).toBeCloseTo((event.objective - event.bound) / Math.abs(event.objective), 12);
      }
      if (k === 0) return;
      const before = events[k - 1];
      // Joining split neurons may cost what the solver does not resolve, 1e-11 of the objective.
      expect(event.objective).toBeLessThanOrEqual(before.objective * (1 + 1e-10));
      expect(event.bound ?? Number.NEGATIVE_INFINITY).toBeGreaterThanOrEqual(before.bound ?? Number.NEGATIVE_INFINITY);
      expect(event.seconds).toBeGreaterThan(before.seconds);
    });
    const last = events.at(-1) as SolveEvent;
    expect(last.phase).toBe("bound");
    // A proved bound is preferred to that of a sweep, which may be a rounding better.
    expect(Math.abs((last.bound ?? 0) - solution.lowerBound)).toBeLessThan(1e-9 * solution.objective);
    expect(Math.abs(last.objective - solution.objective)).toBeLessThanOrEqual(1e-10 * solution.objective);
    expect(last.neurons).toBe(solution.neurons);
    checkSound(task, solution);
  });

  test("solveConvex without certify yields no bound", () => {
    const task = problem(gaussian(draws("no bound"), 8, 2), targets(draws("no bound y"), 8, "squared"), 0.3);
    const { solution, events } = solve(compute(), task, { certify: false });
    expect(solution.lowerBound).toBe(Number.NEGATIVE_INFINITY);
    for (const event of events) expect([event.bound, event.gap]).toEqual([null, null]);
    const certified = solve(compute(), task).solution;
    expect(Math.abs(solution.objective - certified.objective)).toBeLessThanOrEqual(1e-5 * certified.objective);
  });
});

describe("stopping solveConvex", () => {
  const stream = draws("stopping");
  const X = gaussian(stream, 30, 5);
  const y = targets(stream, 30, "squared");
  const task = problem(X, y, 0.5, { bias: "column" });

  test.each([0, 1, 2, 5, 20, 80])(
    "solveConvex: cancelled after %i polls is interrupted, with a sound answer",
    (polls) => {
      let count = 0;
      const { solution } = solve(compute(), task, { cancelled: () => count++ >= polls });
      expect(solution.status).toBe("interrupted");
      checkSound(task, solution);
      expect(solution.lowerBound).toBeGreaterThanOrEqual(0);
      expect(solution.objective).toBeLessThanOrEqual(y.reduce((sum, t) => sum + (t * t) / 2, 0) * (1 + 1e-12));
    },
  );

  test("solveConvex: cancelled while patterns are listed", () => {
    const listed: ConvexProblem = { ...task, patterns: { kind: "sampled", count: 40 } };
    let count = 0;
    const { solution } = solve(compute(), listed, { cancelled: () => count++ >= 30 });
    expect(solution.status).toBe("interrupted");
    checkSound(listed, solution);
  });

  // At most one convex solve is made, so that there is a network at all.
  test("solveConvex: no time at all gives a network and a bound at once", () => {
    const { solution, events } = solve(compute(), task, { seconds: 0 });
    expect(solution.status).toBe("bounded");
    expect(events.length).toBeLessThanOrEqual(3);
    expect(solution.iterations).toBeLessThanOrEqual(2);
    expect(solution.lowerBound).toBeGreaterThan(0);
    expect(solution.objective).toBeLessThanOrEqual(y.reduce((sum, t) => sum + (t * t) / 2, 0));
    checkSound(task, solution);
  });

  test("solveConvex: a little time gives something between", () => {
    const whole = solve(compute(), task).solution;
    const { solution } = solve(compute(), task, { seconds: 0.05 });
    checkSound(task, solution);
    expect(solution.objective).toBeGreaterThanOrEqual(whole.objective * (1 - 1e-9));
    expect(solution.lowerBound).toBeLessThanOrEqual(whole.objective);
  });

  test("solveConvex: a generator that is dropped half-way holds no kernel memory", () => {
    const before = compute().bytesInUse;
    const run = solveConvex(task, { compute: compute(), now: countingClock() });
    run.next();
    run.next();
    run.return(undefined as never);
    expect(compute().bytesInUse).toBe(before);
  });
});

describe("solveConvex is reproducible", () => {
  test.each(forms)("solveConvex: the same seed and clock give the same bits: $loss, $bias", ({ loss, bias }) => {
    const stream = draws("seeds");
    const task = atRatio(
      compute(),
      problem(gaussian(stream, 12, 3), targets(stream, 12, loss), 1, { loss, bias }),
      0.4,
    );
    const first = solve(compute(), task, { seed: 5 }).solution;
    const second = solve(compute(), task, { seed: 5 }).solution;
    expect(second).toEqual(first);
  });

  // Without a time limit nothing of the training may depend on how fast the clock runs.
  test("solveConvex: the network does not depend on the clock", () => {
    const stream = draws("clock");
    const task = atRatio(
      compute(),
      problem(gaussian(stream, 16, 4), targets(stream, 16, "squared"), 1, { bias: "column" }),
      0.1,
    );
    const networks = [1e-9, 1, 1e3].map((tick) => {
      let looks = 0;
      return solve(compute(), task, { now: () => tick * looks++ * (1 + (looks % 7)) }).solution.network;
    });
    expect(networks[1]).toEqual(networks[0]);
    expect(networks[2]).toEqual(networks[0]);
  });

  test("solveConvex: different seeds reach the same optimum", () => {
    const stream = draws("optimum");
    const task = atRatio(compute(), problem(gaussian(stream, 14, 3), targets(stream, 14, "squared"), 1), 0.3);
    const values = [1, 2, 3].map((seed) => solve(compute(), task, { seed }).solution.objective);
    for (const value of values) expect(Math.abs(value - values[0])).toBeLessThanOrEqual(1e-9 * values[0]);
  });

  test("solveConvex: a start at the solution of a larger beta ends at the same optimum", () => {
    const stream = draws("warm");
    const base = problem(gaussian(stream, 14, 2), targets(stream, 14, "squared"), 1, { bias: "column" });
    const wide = solve(compute(), atRatio(compute(), base, 0.5)).solution;
    const task = atRatio(compute(), base, 0.3);
    const cold = solve(compute(), task).solution;
    const warm = solve(compute(), task, { start: wide.network });
    expect(Math.abs(warm.solution.objective - cold.objective)).toBeLessThanOrEqual(1e-8 * cold.objective);
    const startValue = naiveObjective(task, wide.network);
    expect(warm.events[0].objective).toBeLessThanOrEqual(startValue * (1 + 1e-12));
  });
});

describe("solveConvex with listed patterns", () => {
  const stream = draws("listed");
  const X = gaussian(stream, 12, 3);
  const y = targets(stream, 12, "squared");

  test("solveConvex: more gates never raise the optimum, and all of them reach the ReLU optimum", () => {
    const task = atRatio(compute(), problem(X, y, 1), 0.2);
    const G = gaussian(draws("gates"), 40, 3);
    const values = [5, 10, 20, 40].map((count) => {
      const listed: ConvexProblem = { ...task, patterns: { kind: "gates", G: rows(G.slice(0, count)) } };
      const { solution } = solve(compute(), listed);
      checkSound(listed, solution);
      expect(solution.scope).toBe("listed-patterns");
      expect(solution.method).toBe("listed");
      expect(solution.gap).toBeLessThanOrEqual(1e-6);
      return solution.objective;
    });
    for (let k = 1; k < values.length; k++) expect(values[k]).toBeLessThanOrEqual(values[k - 1] * (1 + 1e-8));
    const all = solve(compute(), { ...task, patterns: { kind: "all" } }).solution;
    const free = solve(compute(), task).solution;
    expect(all.objective).toBeLessThanOrEqual(values[3] * (1 + 1e-8));
    expect(Math.abs(all.objective - free.objective)).toBeLessThanOrEqual(1e-8 * free.objective);
    expect(all.scope).toBe("all-patterns");
  });

  test.each(losses)("solveConvex: a gated program on all patterns is at most the ReLU program: %s", (loss) => {
    const task = atRatio(compute(), problem(X, targets(draws("gated y"), 12, loss), 1, { loss, bias: "none" }), 0.3);
    const gated: ConvexProblem = { ...task, program: "gated", patterns: { kind: "all" } };
    const { solution } = solve(compute(), gated);
    checkSound(gated, solution);
    expect(solution.gap).toBeLessThanOrEqual(1e-6);
    const relu = solve(compute(), task).solution;
    expect(solution.objective).toBeLessThanOrEqual(relu.objective);
    // Every unit keeps the gate of a listed pattern.
    expect(solution.network.gates?.G.rows).toBe(solution.neurons);
  });

  test("solveConvex: gates that are closed on all rows leave the zero network", () => {
    const positive = X.map((x) => x.map(Math.abs));
    const closed: ConvexProblem = problem(positive, y, 0.1, {
      program: "gated",
      patterns: { kind: "gates", G: rows([[-1, -1, -1]]) },
    });
    const { solution } = solve(compute(), closed);
    expect(solution.neurons).toBe(0);
    expect(solution.objective).toBeCloseTo(
      y.reduce((sum, t) => sum + (t * t) / 2, 0),
      12,
    );
    expect(solution.status).toBe("optimal");
  });
});

describe("problems that solveConvex refuses", () => {
  const X = gaussian(draws("refused"), 6, 4);
  const y = [1, -1, 1, -1, 1, 1];
  const attempt =
    (task: ConvexProblem): (() => unknown) =>
    () =>
      solve(compute(), task);

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("solveConvex: ConfigError for beta %f", (beta) => {
    expect(attempt(problem(X, y, beta))).toThrow(ConfigError);
  });

  test("solveConvex: ConfigError for a gated program with free biases", () => {
    expect(attempt(problem(X, y, 1, { program: "gated", bias: "output" }))).toThrow(ConfigError);
  });

  test("solveConvex: ConfigError for all patterns at rank 4", () => {
    expect(attempt(problem(X, y, 1, { patterns: { kind: "all" } }))).toThrow(ConfigError);
    const rank3 = X.map((x) => x.slice(0, 3));
    expect(attempt(problem(rank3, y, 1, { patterns: { kind: "all" }, bias: "column" }))).toThrow(ConfigError);
  });

  test("solveConvex: ConfigError for gates of the wrong width, which counts the bias column", () => {
    const gates = (d: number): ConvexProblem["patterns"] => ({ kind: "gates", G: rows(gaussian(draws("G"), 3, d)) });
    expect(attempt(problem(X, y, 1, { patterns: gates(3) }))).toThrow(ConfigError);
    expect(attempt(problem(X, y, 1, { patterns: gates(4), bias: "column" }))).toThrow(ConfigError);
    expect(attempt(problem(X, y, 1, { patterns: gates(5), bias: "column" }))).not.toThrow();
  });

  test("solveConvex: RangeError when X and y do not fit", () => {
    expect(attempt(problem(X, [1, 2], 1))).toThrow(RangeError);
  });
});
