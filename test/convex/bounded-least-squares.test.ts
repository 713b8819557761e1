import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BoxSolver, boxLeastSquares } from "../../src/convex/solvers/bounded-least-squares.ts";
import { draws, gaussian, integers } from "./problems.ts";

interface Task {
  readonly X: number[][];
  readonly q: number[];
  readonly p: number[];
}

function run(
  { X, q, p }: Task,
  start?: readonly number[],
): { theta: Float64Array; r: Float64Array; converged: boolean } {
  const theta = Float64Array.from(start ?? new Array<number>(X.length).fill(0));
  const width = p.length;
  const { r, converged } = boxLeastSquares(
    { X: Float64Array.from(X.flat()), stride: width, width, rows: X.map((_, i) => i), q, p: Float64Array.from(p) },
    theta,
  );
  return { theta, r, converged };
}

function residual({ X, p }: Task, theta: ArrayLike<number>): number[] {
  return p.map((t, k) => X.reduce((sum, x, i) => sum - theta[i] * x[k], t));
}

/** Smallest ||p - X'theta|| by trying each variable at 0, at q, and free: 3^n linear systems. */
function brute(task: Task): number {
  const { X, q, p } = task;
  let best = Math.hypot(...p);
  const states = 3 ** X.length;
  for (let code = 0; code < states; code++) {
    const theta = new Array<number>(X.length).fill(0);
    const free: number[] = [];
    for (let i = 0, rest = code; i < X.length; i++, rest = Math.floor(rest / 3)) {
      if (rest % 3 === 1) theta[i] = q[i];
      if (rest % 3 === 2) free.push(i);
    }
    if (theta.some((t) => t === Number.POSITIVE_INFINITY)) continue;
    const base = residual(task, theta);
    const solved = leastSquares(
      free.map((i) => X[i]),
      base,
    );
    if (solved === null) continue;
    free.forEach((i, k) => {
      theta[i] = solved[k];
    });
    if (free.some((i) => theta[i] < -1e-12 || theta[i] > q[i] + 1e-12)) continue;
    best = Math.min(best, Math.hypot(...residual(task, theta)));
  }
  return best;
}

/** Coefficients of the rows that fit b best, by Gauss-Jordan on the normal equations; null when they are dependent. */
function leastSquares(A: readonly number[][], b: readonly number[]): number[] | null {
  const m = A.map((a) => [...A.map((c) => dot(a, c)), dot(a, b)]);
  for (let k = 0; k < A.length; k++) {
    const pivot = m.slice(k).reduce((at, row, i) => (Math.abs(row[k]) > Math.abs(m[at][k]) ? i + k : at), k);
    [m[k], m[pivot]] = [m[pivot], m[k]];
    if (Math.abs(m[k][k]) < 1e-9) return null;
    for (let i = 0; i < A.length; i++) {
      if (i === k) continue;
      const factor = m[i][k] / m[k][k];
      for (let c = k; c <= A.length; c++) m[i][c] -= factor * m[k][c];
    }
  }
  return m.map((row, k) => row[A.length] / row[k]);
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, t, k) => sum + t * b[k], 0);
}

const tasks = fc
  .tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 1, max: 4 }), fc.nat(1e6), fc.boolean(), fc.boolean())
  .map(([count, width, seed, whole, unbounded]): Task => {
    const stream = draws("box", seed);
    return {
      X: (whole ? integers : gaussian)(stream, count, width),
      q: Array.from({ length: count }, () => (unbounded ? Number.POSITIVE_INFINITY : 0.1 + stream.uniform())),
      p: gaussian(stream, 1, width)[0],
    };
  });

describe("boxLeastSquares", () => {
  test("boxLeastSquares equals brute force over all faces of the box", () => {
    fc.assert(
      fc.property(tasks, (task) => {
        const { theta, r, converged } = run(task);
        expect(converged).toBe(true);
        theta.forEach((t, i) => {
          expect(t).toBeGreaterThanOrEqual(-1e-12);
          expect(t).toBeLessThanOrEqual(task.q[i] + 1e-12);
        });
        const own = residual(task, theta);
        r.forEach((t, k) => {
          expect(Math.abs(t - own[k])).toBeLessThanOrEqual(1e-12 * (1 + Math.hypot(...task.p)));
        });
        expect(Math.hypot(...r)).toBeLessThanOrEqual(brute(task) + 1e-9);
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  // Larger than brute force can take: the multipliers alone prove optimality, the problem being convex.
  test("boxLeastSquares satisfies the optimality conditions on larger problems, from any start", () => {
    for (let seed = 0; seed < 60; seed++) {
      const stream = draws("box conditions", seed);
      const width = 1 + (seed % 12);
      const count = 5 + seed;
      const X = gaussian(stream, count, width);
      if (seed % 3 === 0) for (let i = 1; i < count; i += 3) X[i] = X[i - 1].map((t) => (i % 2 === 0 ? -t : 2 * t));
      const q = Array.from({ length: count }, () =>
        seed % 5 === 0 ? Number.POSITIVE_INFINITY : stream.uniform() + 1e-3,
      );
      const p = gaussian(stream, 1, width)[0].map((t) => 5 * t);
      const start = q.map((t) => (t === Number.POSITIVE_INFINITY ? 0 : t * stream.integer(2)));
      const { theta, r, converged } = run({ X, q, p }, start);
      expect(converged).toBe(true);
      X.forEach((x, i) => {
        const slope = dot(x, [...r]) / (Math.hypot(...x) * Math.hypot(...p) || 1);
        if (theta[i] > 1e-12) expect(slope).toBeGreaterThanOrEqual(-1e-10);
        if (theta[i] < q[i] - 1e-12) expect(slope).toBeLessThanOrEqual(1e-10);
      });
    }
  });

  test("boxLeastSquares: no rows, zero rows, a zero target, and a target inside the zonotope", () => {
    expect([...run({ X: [], q: [], p: [1, 2] }).r]).toEqual([1, 2]);
    expect([...run({ X: [[0, 0]], q: [1], p: [1, 2] }).r]).toEqual([1, 2]);
    const target = { X: [[1, 1]], q: [1], p: [0, 0] };
    expect([...run(target).r]).toEqual([0, 0]);
    const inside = run({
      X: [
        [1, 0],
        [0, 1],
      ],
      q: [1, 1],
      p: [0.25, 0.5],
    });
    expect(Math.hypot(...inside.r)).toBeLessThanOrEqual(1e-14);
    expect([...inside.theta]).toEqual([0.25, 0.5]);
  });
});

describe("BoxSolver", () => {
  test("BoxSolver solves one target after another as if each were the first, also with rows replaced", () => {
    for (let seed = 0; seed < 40; seed++) {
      const stream = draws("solver", seed);
      const width = 2 + (seed % 9);
      const count = 4 + (seed % 30);
      const X = (seed % 3 === 0 ? integers : gaussian)(stream, count, width);
      const q = Array.from({ length: count }, () => 0.05 + stream.uniform());
      const solver = new BoxSolver(Float64Array.from(X.flat()), Float64Array.from(q), width);
      let p = gaussian(stream, 1, width)[0];
      for (let round = 0; round < 12; round++) {
        p = p.map((t) => t + 0.5 * stream.normal());
        if (round % 4 === 3) {
          const replaced = gaussian(stream, 1, width)[0];
          X[count - 1] = replaced.map((t) => -t);
          q[count - 1] = Number.POSITIVE_INFINITY;
          solver.setRow(count - 1, -1, Float64Array.from(replaced), 0);
          solver.start(solver.theta, count);
        }
        expect(solver.solve(p, count)).toBe(true);
        const own = residual({ X, q, p }, solver.theta);
        const fresh = run({ X, q, p });
        expect(Math.hypot(...own)).toBeLessThanOrEqual(Math.hypot(...fresh.r) + 1e-10 * Math.hypot(...p));
        own.forEach((t, k) => {
          expect(Math.abs(t - solver.r[k])).toBeLessThanOrEqual(1e-11 * (1 + Math.hypot(...p)));
        });
      }
    }
  });

  test("BoxSolver ends early at `enough` with a feasible point of that norm", () => {
    const stream = draws("early");
    const X = gaussian(stream, 60, 8);
    const q = X.map(() => 1);
    const p = gaussian(stream, 1, 8)[0].map((t) => 40 * t);
    const least = Math.hypot(...run({ X, q, p }).r);
    const solver = new BoxSolver(Float64Array.from(X.flat()), Float64Array.from(q), 8);
    const enough = least + 0.3 * (Math.hypot(...p) - least);
    expect(solver.solve(p, 60, enough)).toBe(true);
    const norm = Math.hypot(...residual({ X, q, p }, solver.theta));
    expect(norm).toBeLessThanOrEqual(enough * (1 + 1e-12));
    expect(solver.theta.every((t, i) => t >= 0 && t <= q[i])).toBe(true);
    expect(() => new BoxSolver(new Float64Array(7), new Float64Array(2), 4)).toThrow(/8 numbers, got 7/);
  });
});
