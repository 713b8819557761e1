import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matrix } from "../../../src/base/matrix.ts";
import {
  fitPatchReadout,
  lasso,
  patchFeatures,
  patchFilters,
  solveLinearProgram,
} from "../../../src/convex/theory/index.ts";
import { nearestInHull, projectOnCone, shortestAbove } from "../../../src/convex/theory/nonnegative.ts";
import { draws, gaussian, integers, rows, useCompute } from "../problems.ts";
import { f64 } from "./golden.ts";

const compute = useCompute();
const seeds = fc.integer({ min: 0, max: 1e6 });

describe("solveLinearProgram", () => {
  test("solveLinearProgram: primal feasible, dual feasible, values meet (random bounded programs)", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const s = draws("lp", seed);
        const [m, n] = [1 + s.integer(6), 1 + s.integer(10)];
        const A = rows(seed % 2 ? gaussian(s, m, n) : integers(s, m, n));
        const inside = Array.from({ length: n }, () => s.uniform());
        const b = f64(
          Array.from({ length: m }, (_, i) => inside.reduce((sum, t, j) => sum + t * A.data[i * n + j], 0)),
        );
        const c = f64(Array.from({ length: n }, () => s.normal()));
        const lower = new Float64Array(n);
        const upper = f64(inside.map((t) => (s.integer(2) ? 1 : t + 1)));
        const { status, x, value, duals } = solveLinearProgram({ c, A, b, lower, upper });
        expect(status).toBe("optimal");
        let dual = 0;
        for (let i = 0; i < m; i++) {
          let z = 0;
          for (let j = 0; j < n; j++) z += A.data[i * n + j] * x[j];
          expect(z).toBeCloseTo(b[i], 8);
          dual += duals[i] * b[i];
        }
        for (let j = 0; j < n; j++) {
          expect(x[j]).toBeGreaterThanOrEqual(0);
          expect(x[j]).toBeLessThanOrEqual(upper[j]);
          let d = c[j];
          for (let i = 0; i < m; i++) d -= duals[i] * A.data[i * n + j];
          dual += Math.min(0, d * upper[j]);
        }
        // min over the box of the Lagrangian: a lower bound for any duals, equal at the optimum.
        expect(dual).toBeCloseTo(value, 7);
      }),
      { numRuns: 400 },
    );
  });

  test("solveLinearProgram: infeasible, unbounded, free variables, shapes", () => {
    const infinite = Number.POSITIVE_INFINITY;
    const one = { A: rows([[1, 1]]), c: f64([1, 2]), lower: f64([0, 0]), upper: f64([infinite, infinite]) };
    expect(solveLinearProgram({ ...one, b: f64([-1]) }).status).toBe("infeasible");
    expect(solveLinearProgram({ ...one, b: f64([3]) })).toMatchObject({ status: "optimal", value: 3 });
    expect(solveLinearProgram({ ...one, c: f64([1, -2]), A: rows([[1, 0]]), b: f64([1]) }).status).toBe("unbounded");
    const free = { ...one, lower: f64([-infinite, 0]), b: f64([-4]) };
    expect(solveLinearProgram(free)).toMatchObject({ status: "optimal", value: -4 });
    expect(() => solveLinearProgram({ ...one, b: f64([1, 2]) })).toThrow(/1 x 2/);
  });

  test("solveLinearProgram: a program on which the largest-coefficient rule cycles (Beale)", () => {
    const A = rows([
      [0.25, -60, -1 / 25, 9, 1, 0, 0],
      [0.5, -90, -1 / 50, 3, 0, 1, 0],
      [0, 0, 1, 0, 0, 0, 1],
    ]);
    const c = f64([-0.75, 150, -0.02, 6, 0, 0, 0]);
    const lower = new Float64Array(7);
    const upper = new Float64Array(7).fill(Number.POSITIVE_INFINITY);
    const { status, value } = solveLinearProgram({ c, A, b: f64([0, 0, 1]), lower, upper });
    expect(status).toBe("optimal");
    expect(value).toBeCloseTo(-0.05, 12);
  });
});

describe("lasso", () => {
  test("lasso: stationarity of all columns, also repeated, opposite and zero ones", () => {
    fc.assert(
      fc.property(seeds, fc.boolean(), (seed, offset) => {
        const s = draws("lasso", seed);
        const [n, p] = [1 + s.integer(7), 1 + s.integer(12)];
        const H = rows(seed % 2 ? gaussian(s, n, p) : integers(s, n, p, 1));
        const y = f64(Array.from({ length: n }, () => s.normal()));
        const beta = Math.exp(1.5 * s.normal() - 1);
        const { w, residual, objective } = lasso({ H, y, beta, offset });
        let sum = 0;
        for (const r of residual) sum += r;
        if (offset) expect(Math.abs(sum)).toBeLessThanOrEqual(1e-9);
        for (let j = 0; j < p; j++) {
          let g = 0;
          for (let i = 0; i < n; i++) g += H.data[i * p + j] * residual[i];
          expect(Math.abs(g)).toBeLessThanOrEqual(beta * (1 + 1e-8) + 1e-10);
          if (w[j] !== 0) expect(g).toBeCloseTo(beta * Math.sign(w[j]), 7);
        }
        const direct =
          residual.reduce((total, r) => total + (r * r) / 2, 0) + beta * w.reduce((t, q) => t + Math.abs(q), 0);
        expect(objective).toBeCloseTo(direct, 12);
      }),
      { numRuns: 400 },
    );
  });
});

describe("non-negative least squares", () => {
  test("projectOnCone: in the cone, complementary, and Moreau's decomposition", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const s = draws("project", seed);
        const [k, d] = [1 + s.integer(9), 1 + s.integer(5)];
        const G = rows(seed % 2 ? gaussian(s, k, d) : integers(s, k, d));
        const q = f64(Array.from({ length: d }, () => s.normal()));
        const u = projectOnCone(G, q);
        for (let i = 0; i < k; i++) {
          let z = 0;
          for (let c = 0; c < d; c++) z += G.data[i * d + c] * u[c];
          expect(z).toBeGreaterThanOrEqual(-1e-8);
        }
        expect(u.reduce((sum, t, c) => sum + t * (q[c] - t), 0)).toBeCloseTo(0, 8);
      }),
      { numRuns: 300 },
    );
  });

  test("shortestAbove: feasible, and shorter than other feasible points; null when there are none", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const s = draws("above", seed);
        const [k, d] = [1 + s.integer(8), 1 + s.integer(4)];
        const center = Array.from({ length: d }, () => s.normal());
        // Every row has a positive product with `center`, so scaled copies of it are feasible.
        const list = gaussian(s, k, d).map((x) =>
          x.reduce((sum, t, c) => sum + t * center[c], 0) < 0 ? x.map((t) => -t) : x,
        );
        const h = f64(Array.from({ length: k }, () => s.uniform()));
        const u = shortestAbove(rows(list), h);
        expect(u).not.toBeNull();
        if (u === null) return;
        let reach = 0;
        list.forEach((x, i) => {
          const at = (v: ArrayLike<number>): number => x.reduce((sum, t, c) => sum + t * v[c], 0);
          expect(at(u)).toBeGreaterThanOrEqual(h[i] - 1e-7 * Math.hypot(...x));
          reach = Math.max(reach, h[i] / at(center));
        });
        expect(Math.hypot(...u)).toBeLessThanOrEqual(reach * Math.hypot(...center) * (1 + 1e-7));
      }),
      { numRuns: 300 },
    );
    expect(shortestAbove(rows([[1], [-1]]), f64([1, 1]))).toBeNull();
    expect(shortestAbove(rows([[0]]), f64([1]))).toBeNull();
    expect([...(shortestAbove(rows([[1, 0]]), f64([-1])) ?? [1])]).toEqual([0, 0]);
  });

  test("nearestInHull: weights on the simplex, and no corner is further along the way to x", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const s = draws("hull", seed);
        const [k, d] = [1 + s.integer(8), 1 + s.integer(4)];
        const list = seed % 2 ? gaussian(s, k, d) : integers(s, k, d);
        const x = f64(Array.from({ length: d }, () => 2 * s.normal()));
        const { point, weights } = nearestInHull(rows(list), x);
        expect(weights.reduce((sum, t) => sum + t, 0)).toBeCloseTo(1, 10);
        const gap = x.map((t, c) => t - point[c]);
        for (const p of list) {
          expect(p.reduce((sum, t, c) => sum + (t - point[c]) * gap[c], 0)).toBeLessThanOrEqual(1e-7);
        }
      }),
      { numRuns: 300 },
    );
    expect(() => nearestInHull(matrix(0, 1), f64([1]))).toThrow(/no points/);
  });
});

describe("Algorithm 2: convex random features on patches", () => {
  const shape = { height: 6, width: 5, channels: 2 };

  test("patchFilters and patchFeatures: unit filters; pooled responses add up to those of a naive loop", () => {
    const images = rows(gaussian(draws("images"), 4, 60));
    const filters = patchFilters(compute(), images, shape, {
      patch: 2,
      filters: 12,
      zca: null,
      varianceFloor: 0.1,
      pool: 2,
    });
    expect(filters.U.rows).toBeGreaterThan(4);
    for (let j = 0; j < filters.U.rows; j++)
      expect(Math.hypot(...filters.U.data.subarray(8 * j, 8 * j + 8))).toBeCloseTo(1, 12);
    const B = patchFeatures(filters, images);
    expect(B.cols).toBe(4 * filters.U.rows);
    const sums = new Float64Array(filters.U.rows);
    for (let r = 0; r < 5; r++) {
      for (let c = 0; c < 4; c++) {
        const p: number[] = [];
        for (const [y, x] of [
          [0, 0],
          [0, 1],
          [1, 0],
          [1, 1],
        ]) {
          for (let q = 0; q < 2; q++) p.push(images.data[((r + y) * 5 + c + x) * 2 + q]);
        }
        const mean = p.reduce((sum, t) => sum + t, 0) / 8;
        const deviation = Math.sqrt(p.reduce((sum, t) => sum + (t - mean) ** 2, 0) / 8 + 0.1);
        sums.forEach((_, j) => {
          const z = p.reduce((sum, t, k) => sum + ((t - mean) / deviation) * filters.U.data[8 * j + k], 0);
          sums[j] += Math.max(0, z);
        });
      }
    }
    sums.forEach((sum, j) => {
      expect(B.data.subarray(4 * j, 4 * j + 4).reduce((t, q) => t + q, 0)).toBeCloseTo(sum, 10);
    });
  });

  test("patchFilters with ZCA, fitPatchReadout: separates bright left halves from bright right halves", () => {
    const s = draws("halves");
    const labels = f64(Array.from({ length: 24 }, (_, i) => (i % 2 ? 1 : -1)));
    const images = matrix(24, 60);
    for (let i = 0; i < 24; i++) {
      for (let k = 0; k < 60; k++) {
        const column = Math.floor(k / 2) % 5;
        const textured = labels[i] > 0 ? column < 2 : column > 2;
        images.data[i * 60 + k] = textured ? 3 * s.normal() : 0.1 * s.normal();
      }
    }
    const filters = patchFilters(compute(), images, shape, {
      patch: 2,
      filters: 16,
      varianceFloor: 0.5,
      pool: 2,
      seed: 3,
    });
    const B = patchFeatures(filters, images);
    const { w, c0, objective } = fitPatchReadout(B, labels, 0.5);
    expect(objective).toBeLessThan(12);
    let right = 0;
    for (let i = 0; i < 24; i++) {
      const f = w.reduce((sum, t, j) => sum + t * B.data[i * B.cols + j], c0);
      if (f * labels[i] > 0) right += 1;
    }
    expect(right).toBe(24);
  });

  test("patchFilters refuses images and patches that do not fit", () => {
    expect(() => patchFilters(compute(), rows([[1, 2]]), shape, { patch: 2, filters: 2 })).toThrow(/2 entries/);
    const images = rows([Array.from({ length: 60 }, () => 1)]);
    expect(() => patchFilters(compute(), images, shape, { patch: 6, filters: 2 })).toThrow(/does not fit/);
    // Equal patches are inside each other's hull: no filters, no features.
    expect(patchFilters(compute(), images, shape, { patch: 2, filters: 3 }).U.rows).toBe(0);
  });
});
