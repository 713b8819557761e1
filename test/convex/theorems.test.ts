import { describe, expect, test } from "vitest";
import { betaMax } from "../../src/convex/index.ts";
import { forward } from "../../src/network/index.ts";
import {
  countingClock,
  draws,
  gaussian,
  naiveObjective,
  problem,
  rejected,
  solve,
  targets,
  useCompute,
} from "./problems.ts";

/** The certificate's default tolerance. */
const TOLERANCE = 1e-6;
const compute = useCompute();

/** n orthonormal rows in R^d by Gram-Schmidt: X X' = I, the hypothesis of Theorems 9 and 12. */
function whitened(n: number, d: number, seed: number): number[][] {
  const basis: number[][] = [];
  for (const x of gaussian(draws("whitened", seed), n, d)) {
    const q = rejected(x, basis);
    const length = Math.hypot(...q);
    basis.push(q.map((t) => t / length));
  }
  return basis;
}

/** Ergen and Pilanci (JMLR 2021), Theorem 9: one neuron a sign, present while beta < ||y_+|| or ||y_-||. */
function theorem9(y: readonly number[], beta: number): { value: number; neurons: number; weights: number[] } {
  const lengths = [1, -1].map((sign) => Math.hypot(...y.map((t) => Math.max(0, sign * t))));
  return {
    value: lengths.reduce((sum, t) => sum + (t >= beta ? beta * t - beta ** 2 / 2 : t ** 2 / 2), 0),
    neurons: lengths.filter((t) => t > beta).length,
    weights: lengths.map((t) => Math.max(0, t - beta)),
  };
}

describe("XOR", () => {
  const X = [
    [1, 1],
    [-1, -1],
    [1, -1],
    [-1, 1],
  ];
  const y = [1, 1, -1, -1];
  // Specification 9.1: P* = 2 sqrt2 beta - beta^2 and |f_i| = 1 - beta / sqrt2 below beta_max = sqrt2.
  test.each([1e-3, 0.1, 0.5, 1, 1.4])("solveConvex: 2 sqrt2 beta - beta^2 at beta %f", (beta) => {
    const task = problem(X, y, beta);
    const { solution } = solve(compute(), task);
    const value = 2 * Math.SQRT2 * beta - beta ** 2;
    expect(Math.abs(solution.objective - value)).toBeLessThanOrEqual(1e-9 * value);
    expect(solution.status).toBe("optimal");
    forward(solution.network, task.X).data.forEach((f, i) => {
      expect(f).toBeCloseTo(y[i] * (1 - beta / Math.SQRT2), 4);
    });
  });

  test("solveConvex: a penalized column of ones does not help", () => {
    const { solution } = solve(compute(), problem(X, y, 0.1, { bias: "column" }));
    expect(solution.objective).toBeCloseTo(0.2 * Math.SQRT2 - 0.01, 10);
  });
});

describe("Theorem 9 (whitened data, squared loss)", () => {
  const y = [1, -2, 0.5, -1];
  const death = Math.hypot(1, 0.5);
  const betas = [0.05, 0.3, 0.7, death * 0.999, death, death * 1.001, 1.5, Math.hypot(2, 1) * 0.99];
  // Rank 4: the closed form is exact, the certificate is not (Shor's bound), so only its side is checked.
  test.each(betas)("Theorem 9 at rank 4, beta %f", (beta) => {
    const expected = theorem9(y, beta);
    const { solution } = solve(compute(), problem(whitened(4, 6, 1), y, beta));
    expect(Math.abs(solution.objective - expected.value)).toBeLessThanOrEqual(1e-8);
    expect(solution.lowerBound).toBeLessThanOrEqual(expected.value * (1 + 1e-12));
    if (Math.abs(beta - death) > 1e-6) expect(solution.neurons).toBe(expected.neurons);
  });

  test.each([0.1, 0.8, 1.9])("Theorem 9 at rank 3 with its certificate, beta %f", (beta) => {
    const task = problem(whitened(3, 3, 2), [1.5, -2, 0.5], beta);
    const expected = theorem9([1.5, -2, 0.5], beta);
    const { solution } = solve(compute(), task);
    expect(Math.abs(solution.objective - expected.value)).toBeLessThanOrEqual(1e-8);
    expect(solution.lowerBound).toBeLessThanOrEqual(expected.value * (1 + 1e-12));
    expect(solution.status).toBe("optimal");
    // The path norm of each sign is t - beta; u is X^+ (y)_+ or X^+ (-y)_+, of norm t in whitened data.
    const paths = [0, 0];
    solution.network.W.data.forEach((w, j) => {
      const u = solution.network.U.data.subarray(3 * j, 3 * j + 3);
      paths[w > 0 ? 0 : 1] += Math.abs(w) * Math.hypot(...u);
    });
    expect(paths[0]).toBeCloseTo(expected.weights[0], 4);
    expect(paths[1]).toBeCloseTo(expected.weights[1], 4);
  });

  test("Theorem 9: beta_max is the larger of ||y_+|| and ||y_-||", () => {
    const found = betaMax(problem(whitened(3, 3, 3), [1, -2, 2], 1), { compute: compute(), now: countingClock() });
    expect(found).toBeCloseTo(Math.hypot(1, 2), 12);
  });
});

describe("Theorem 4 (spike-free data)", () => {
  /**
   * On a diagonal X >= 0 program (22) separates by the sign of y into two group lassos in nonnegative variables, each
   * with the solution w_i = sigma_i y_i t / (sigma_i^2 t + beta), t = ||w|| a root of one monotone equation.
   */
  function spikeFree(sigma: readonly number[], y: readonly number[], beta: number): number {
    let value = 0;
    for (const sign of [1, -1]) {
      const part = sigma.map((s, i) => [s, Math.max(0, sign * y[i])] as const);
      const ratio = (t: number): number => Math.hypot(...part.map(([s, target]) => (s * target) / (s * s * t + beta)));
      let low = 0;
      let high = ratio(0) > 1 ? 1e6 : 0;
      for (let k = 0; k < 200; k++) {
        const middle = (low + high) / 2;
        if (ratio(middle) > 1) low = middle;
        else high = middle;
      }
      for (const [s, target] of part) value += (s * ((s * target * low) / (s * s * low + beta)) - target) ** 2 / 2;
      value += beta * low;
    }
    return value;
  }

  test("Theorem 4: the separated program has the value of the literature example", () => {
    expect(spikeFree([1, 2, 3], [1, -1, 2], 0.1)).toBeCloseTo(0.165374523906, 11);
  });

  test.each([0.01, 0.1, 1, 5])("Theorem 4: solveConvex on a diagonal matrix, beta %f", (beta) => {
    const sigma = [1, 2, 3];
    const y = [1, -1, 2];
    const X = sigma.map((s, i) => sigma.map((_, k) => (i === k ? s : 0)));
    const { solution } = solve(compute(), problem(X, y, beta));
    const value = spikeFree(sigma, y, beta);
    expect(Math.abs(solution.objective - value)).toBeLessThanOrEqual(1e-8 * value);
    expect(solution.lowerBound).toBeLessThanOrEqual(value * (1 + 1e-12));
    expect(solution.status).toBe("optimal");
  });
});

/**
 * Corollary 3: in one dimension the kinks of an optimal network are at the data, so the problem with free biases is a
 * lasso over the 2n ramps (s (x - x_i))_+ with a free constant. The lasso is solved here by coordinate descent.
 */
describe("Corollary 3 (one dimension, free biases)", () => {
  function lasso(x: readonly number[], y: readonly number[], beta: number): number {
    const columns = x.flatMap((knot) => [1, -1].map((s) => x.map((t) => Math.max(0, s * (t - knot)))));
    const weights = new Float64Array(columns.length);
    const residual = [...y];
    const add = (column: readonly number[], amount: number): void => {
      column.forEach((t, i) => {
        residual[i] -= amount * t;
      });
    };
    for (let sweep = 0; sweep < 20000; sweep++) {
      let moved = 0;
      const mean = residual.reduce((sum, t) => sum + t, 0) / residual.length;
      residual.forEach((t, i) => {
        residual[i] = t - mean;
      });
      columns.forEach((column, k) => {
        const squares = column.reduce((sum, t) => sum + t * t, 0);
        if (squares === 0) return;
        const target = column.reduce((sum, t, i) => sum + t * residual[i], 0) + squares * weights[k];
        const next = (Math.sign(target) * Math.max(0, Math.abs(target) - beta)) / squares;
        moved = Math.max(moved, Math.abs(next - weights[k]), Math.abs(mean));
        add(column, next - weights[k]);
        weights[k] = next;
      });
      if (moved < 1e-13) break;
    }
    const loss = residual.reduce((sum, t) => sum + (t * t) / 2, 0);
    return loss + beta * weights.reduce((sum, t) => sum + Math.abs(t), 0);
  }

  test.each([0, 1, 2, 3, 4, 5])("Corollary 3: solveConvex equals the lasso over ramps, data set %i", (seed) => {
    const stream = draws("one dimension", seed);
    const n = 4 + (seed % 4);
    const x = gaussian(stream, n, 1);
    const y = targets(stream, n, "squared");
    const top = betaMax(problem(x, y, 1, { bias: "output" }), { compute: compute(), now: countingClock() });
    const beta = top * (0.3 + 0.1 * seed);
    const { solution } = solve(compute(), problem(x, y, beta, { bias: "output" }));
    const value = lasso(x.flat(), y, beta);
    expect(Math.abs(solution.objective - value)).toBeLessThanOrEqual(1e-7 * value);
    expect(solution.lowerBound).toBeLessThanOrEqual(value * (1 + 1e-9));
    expect(solution.status).toBe("optimal");
  });
});

describe("optimality of the zero network", () => {
  const cases = (["squared", "logistic"] as const).flatMap((loss) =>
    (["none", "column", "output"] as const).flatMap((bias) =>
      (["sum", "mean"] as const).map((scaling) => ({ loss, bias, scaling })),
    ),
  );
  test.each(cases)("solveConvex at and above betaMax: $loss, bias $bias, $scaling", ({ loss, bias, scaling }) => {
    const stream = draws("zero", 1);
    const X = gaussian(stream, 9, 2);
    const y = targets(stream, 9, loss);
    const options = { compute: compute(), now: countingClock() };
    const top = betaMax(problem(X, y, 1, { loss, bias, scaling }), options);
    for (const factor of [1 + 1e-9, 1.5, 1e6]) {
      const task = problem(X, y, factor * top, { loss, bias, scaling });
      const { solution } = solve(compute(), task);
      expect(solution.neurons).toBe(0);
      expect(solution.status).toBe("optimal");
      expect(naiveObjective(task, solution.network)).toBeCloseTo(solution.objective, 12);
    }
    const below = solve(compute(), problem(X, y, 0.99 * top, { loss, bias, scaling })).solution;
    expect(below.neurons).toBeGreaterThan(0);
    expect(below.gap).toBeLessThanOrEqual(TOLERANCE);
  });

  // At f = 0 the dual point is v = y: the value of the zero network is ||y||^2 / 2, or n log 2.
  test("solveConvex: the zero network's objective is the loss at zero", () => {
    const X = [
      [1, 2],
      [3, -1],
    ];
    expect(solve(compute(), problem(X, [3, 4], 1e6)).solution.objective).toBe(12.5);
    const logistic = solve(compute(), problem(X, [1, -1], 1e6, { loss: "logistic" })).solution;
    expect(logistic.objective).toBeCloseTo(2 * Math.LN2, 14);
  });
});
