import { describe, expect, test } from "vitest";
import { minimizeLbfgs, type Objective } from "../../src/convex/solvers/lbfgs.ts";
import { draws, gaussian } from "./problems.ts";

const OPTIONS = { iterations: 500, memory: 10, tolerance: 0 };

/** Rosenbrock's function in any even dimension: minimum 0 at (1, ..., 1), along a curved valley. */
const rosenbrock: Objective = (x, gradient) => {
  let value = 0;
  for (let k = 0; k < x.length; k += 2) {
    const a = x[k + 1] - x[k] ** 2;
    const b = 1 - x[k];
    value += 100 * a * a + b * b;
    gradient[k] = -400 * a * x[k] - 2 * b;
    gradient[k + 1] = 200 * a;
  }
  return value;
};

describe("minimizeLbfgs", () => {
  test.each([2, 10])("minimizeLbfgs: Rosenbrock in %i dimensions", (size) => {
    const x = Float64Array.from({ length: size }, (_, k) => (k % 2 === 0 ? -1.2 : 1));
    const value = minimizeLbfgs(rosenbrock, x, OPTIONS);
    expect(value).toBeLessThanOrEqual(1e-12);
    for (const t of x) expect(t).toBeCloseTo(1, 5);
  });

  // The minimizer of a quadratic is known from its construction: the gradient is A'A (x - goal).
  test("minimizeLbfgs: a convex quadratic of condition about 1e4", () => {
    const stream = draws("quadratic");
    const size = 12;
    const A = gaussian(stream, size, size).map((row, i) => row.map((t, k) => t * 0.1 + (i === k ? 1 + i * i : 0)));
    const goal = gaussian(stream, 1, size)[0];
    const quadratic: Objective = (x, gradient) => {
      const r = A.map((row) => row.reduce((sum, t, k) => sum + t * (x[k] - goal[k]), 0));
      gradient.forEach((_, k) => {
        gradient[k] = r.reduce((sum, t, i) => sum + t * A[i][k], 0);
      });
      return r.reduce((sum, t) => sum + (t * t) / 2, 0);
    };
    const x = new Float64Array(size);
    expect(minimizeLbfgs(quadratic, x, OPTIONS)).toBeLessThanOrEqual(1e-18);
    x.forEach((t, k) => {
      expect(t).toBeCloseTo(goal[k], 8);
    });
  });

  test("minimizeLbfgs never goes up, returns the value at its point, and stops at a minimum", () => {
    const values: number[] = [];
    for (let iterations = 0; iterations < 30; iterations++) {
      const x = Float64Array.of(-1.2, 1);
      const value = minimizeLbfgs(rosenbrock, x, { ...OPTIONS, iterations });
      expect(value).toBe(rosenbrock(x, new Float64Array(2)));
      values.push(value);
    }
    for (let k = 1; k < values.length; k++) expect(values[k]).toBeLessThanOrEqual(values[k - 1]);
    const at = Float64Array.of(1, 1);
    expect(minimizeLbfgs(rosenbrock, at, OPTIONS)).toBe(0);
    expect([...at]).toEqual([1, 1]);
  });

  // Kinks: |x| + x^2 has its minimum where the gradient jumps; the line search must still end.
  test("minimizeLbfgs ends on a function with a kink", () => {
    const kink: Objective = (x, gradient) => {
      gradient[0] = Math.sign(x[0]) + 2 * x[0];
      return Math.abs(x[0]) + x[0] ** 2;
    };
    const x = Float64Array.of(3);
    expect(minimizeLbfgs(kink, x, OPTIONS)).toBeLessThanOrEqual(1e-3);
  });
});
