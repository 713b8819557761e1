import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Matrix, matrix } from "../../../src/base/matrix.ts";
import {
  fitPooled,
  fitSpikeFree,
  interpolate,
  interpolateSpikeFree,
  spikeFreeExcess,
  testSpikeFree,
} from "../../../src/convex/theory/index.ts";
import { forward } from "../../../src/network/index.ts";
import { draws, gaussian, rows, useCompute } from "../problems.ts";
import { f64, golden } from "./golden.ts";

const compute = useCompute();
const excess = (X: Matrix, options: { exactUpTo?: number; samples?: number } = {}) =>
  spikeFreeExcess(compute(), X, { random: draws("excess"), ...options });

/** n x d Gaussian with some integer entries. */
function mixed(seed: number): Matrix {
  const s = draws("mixed", seed);
  const n = 2 + s.integer(3);
  const d = n + s.integer(2);
  return matrix(n, d, f64(Array.from({ length: n * d }, () => (s.integer(3) ? s.normal() : s.integer(3) - 1))));
}

describe("Lemma 3: spike-free matrices", () => {
  test("testSpikeFree: the counterexample (1, -1)' to the third form", () => {
    expect(testSpikeFree(rows([[1], [-1]]))).toMatchObject({ spikeFree: false, independent: false });
    expect(excess(rows([[1], [-1]])).lower).toBe(Number.POSITIVE_INFINITY);
  });

  test("testSpikeFree: the families of section 3.3 (diagonal, orthogonal rows, whitened, c a' with c >= 0)", () => {
    const spikeFree = [
      [
        [1, 0, 0],
        [0, 2, 0],
        [0, 0, 3],
      ],
      [
        [-1, 0],
        [0, 5],
      ],
      [
        [3, 4, 0],
        [-8, 6, 0],
      ],
      [
        [0.5, 0.5, 0.5, 0.5],
        [0.5, -0.5, 0.5, -0.5],
        [0.5, 0.5, -0.5, -0.5],
      ],
      [
        [1, -2],
        [3, -6],
        [0, 0],
        [0.5, -1],
      ],
      [[0, 0]],
    ];
    for (const X of spikeFree) {
      expect(testSpikeFree(rows(X)).spikeFree).toBe(true);
      expect(excess(rows(X)).upper).toBeCloseTo(0, 12);
    }
  });

  test("testSpikeFree: two rows are spike-free exactly when their angle is at most 90 degrees", () => {
    for (const t of [-0.9, -0.1, -1e-6, 0, 1e-6, 0.5, 0.99]) {
      expect(
        testSpikeFree(
          rows([
            [1, 0],
            [t, Math.sqrt(1 - t * t)],
          ]),
        ).spikeFree,
      ).toBe(t >= 0);
    }
    // ||X^+ (X u)_+|| <= 1 fails by 1 / sin of the angle between the rows.
    const t = -0.5;
    expect(
      excess(
        rows([
          [1, 0],
          [t, Math.sqrt(0.75)],
        ]),
      ).lower,
    ).toBeCloseTo(1 / Math.sqrt(0.75) - 1, 12);
  });

  test("testSpikeFree agrees with the definition, by search over u", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const X = mixed(seed);
        const found = testSpikeFree(X);
        const exact = excess(X);
        expect(exact.exact).toBe(true);
        expect(found.spikeFree).toBe(exact.lower <= 1e-9);
        const bounds = excess(X, { exactUpTo: 0, samples: 200 });
        if (!found.independent) return;
        expect(bounds.lower).toBeLessThanOrEqual(exact.lower * (1 + 1e-9) + 1e-9);
        expect(bounds.upper).toBeGreaterThanOrEqual(exact.lower * (1 - 1e-9) - 1e-9);
      }),
    );
  });

  test("testSpikeFree and the excess do not depend on positive scaling, order or repetition of rows", () => {
    for (let seed = 0; seed < 20; seed++) {
      const X = mixed(seed);
      const s = draws("scaling", seed);
      const scaled = (x: readonly number[], factor: number) => x.map((t) => factor * t);
      const list = Array.from({ length: X.rows }, (_, i) => [...X.data.subarray(i * X.cols, (i + 1) * X.cols)]);
      const changed = [...list.map((x) => scaled(x, 4 ** (s.integer(5) - 2))).reverse(), list[0].map((t) => 2 * t)];
      expect(testSpikeFree(rows(changed)).spikeFree).toBe(testSpikeFree(X).spikeFree);
      const [a, b] = [excess(rows(changed)).lower, excess(X).lower];
      if (Number.isFinite(b)) expect(a).toBeCloseTo(b, 8);
      else expect(a).toBe(b);
    }
  });

  test("Theorem 5 (statistical): the excess of Gaussian 5 x d data falls with d, sampled in the row space", () => {
    const average = (d: number): number => {
      let sum = 0;
      for (let seed = 0; seed < 4; seed++) sum += excess(rows(gaussian(draws(`gauss ${d}`, seed), 5, d))).lower / 4;
      return sum;
    };
    const [a, b, c, d] = [5, 20, 100, 1000].map(average);
    expect(a).toBeGreaterThan(b);
    expect(b).toBeGreaterThan(c);
    expect(c).toBeGreaterThan(d);
    expect(d).toBeLessThan(0.01);
    expect(d).toBeGreaterThan(0);
  });
});

describe("Theorem 4: the spike-free program (22)", () => {
  test.each(golden.named.spike_free)(
    "$id: fitSpikeFree has the value of the program, optimal only if spike-free",
    (problem) => {
      const X = rows(problem.X);
      const fit = fitSpikeFree(compute(), X, f64(problem.y), problem.beta);
      expect(Math.abs(fit.objective - problem.program)).toBeLessThanOrEqual(1e-9);
      expect(fit.objective - fit.lowerBound).toBeLessThanOrEqual(1e-10);
      // Section 3.4: the "relaxation" is an upper bound.
      expect(fit.objective).toBeGreaterThanOrEqual(problem.expected_optimum - 1e-9);
      expect(Math.abs(fit.objective - problem.expected_optimum) <= 1e-9).toBe(testSpikeFree(X).spikeFree);
    },
  );

  test("fitSpikeFree: equals the optimum over all networks on spike-free data, is above it otherwise", () => {
    let spikeFree = 0;
    for (let seed = 0; seed < 24; seed++) {
      const X = rows(gaussian(draws("program", seed), 2 + (seed % 2), 3).map((x) => (seed % 3 ? x : x.map(Math.abs))));
      const s = draws("targets", seed);
      const y = f64(Array.from({ length: X.rows }, () => s.normal()));
      const fit = fitSpikeFree(compute(), X, y, 0.1);
      const exact = fitPooled({ patches: [X], y, beta: 0.1, bias: "none" }, { compute: compute() });
      expect(fit.objective).toBeGreaterThanOrEqual(exact.lowerBound * (1 - 1e-8));
      if (testSpikeFree(X).spikeFree) {
        spikeFree += 1;
        expect(Math.abs(fit.objective - exact.objective)).toBeLessThanOrEqual(1e-7 * (1 + exact.objective));
      }
    }
    expect(spikeFree).toBeGreaterThan(4);
  });

  test("fitSpikeFree: cones hold, gap closed, other losses, rows whose cone has no interior", () => {
    const data = [
      gaussian(draws("gap"), 4, 5),
      [
        [1, 0],
        [-1, 0],
        [0, 1],
      ],
      [
        [1, 2],
        [2, 4],
        [-1, -2],
      ],
      [
        [0, 0],
        [1, 1],
      ],
    ];
    for (const values of data) {
      const X = rows(values);
      const s = draws("labels");
      const labels = f64(Array.from({ length: X.rows }, () => (s.uniform() < 0.5 ? -1 : 1)));
      for (const loss of ["squared", "logistic", "hinge"] as const) {
        const fit = fitSpikeFree(compute(), X, labels, 0.2, loss);
        expect(fit.objective - fit.lowerBound).toBeLessThanOrEqual(1e-7 * fit.objective);
        expect(fit.objective - fit.lowerBound).toBeGreaterThanOrEqual(-1e-9 * fit.objective);
        for (const w of [fit.w1, fit.w2]) {
          for (const x of values) expect(x.reduce((sum, t, k) => sum + t * w[k], 0)).toBeGreaterThanOrEqual(-1e-8);
        }
      }
    }
    expect(() => fitSpikeFree(compute(), rows([[1]]), f64([1]), 0)).toThrow(/beta/);
    expect(() => fitSpikeFree(compute(), rows([[1]]), f64([1, 2]), 1)).toThrow(/1 rows, y 2/);
  });

  test("interpolateSpikeFree: exact, and the least norm on spike-free data", () => {
    const X = rows([
      [1, 0, 0],
      [0, 2, 0],
      [0, 0, 3],
    ]);
    const y = f64([1, -1, 2]);
    const fit = interpolateSpikeFree(X, y);
    expect(fit.objective).toBeCloseTo(Math.hypot(1, 2 / 3) + 0.5, 9);
    expect(fit.objective).toBeCloseTo(interpolate(X, y, "none", { compute: compute() }).objective, 7);
    for (let seed = 0; seed < 10; seed++) {
      const Z = rows(gaussian(draws("interpolate", seed), 3, 4));
      const s = draws("values", seed);
      const targets = f64(Array.from({ length: 3 }, () => s.normal()));
      const found = interpolateSpikeFree(Z, targets);
      forward(found.network, Z).data.forEach((f, i) => {
        expect(f).toBeCloseTo(targets[i], 8);
      });
      expect(found.objective - found.lowerBound).toBeLessThanOrEqual(1e-6 * found.objective);
      expect(found.objective).toBeGreaterThanOrEqual(
        interpolate(Z, targets, "none", { compute: compute() }).lowerBound * (1 - 1e-7),
      );
    }
    expect(() => interpolateSpikeFree(rows([[1], [-1]]), f64([1, 1]))).toThrow(/interpolate/);
    expect(interpolateSpikeFree(X, f64([0, 0, 0])).objective).toBe(0);
  });
});
