import { describe, expect, test } from "vitest";
import { matrix } from "../../../src/base/matrix.ts";
import { boundMaximum } from "../../../src/convex/bounds/maximum.ts";
import {
  cuttingPlane,
  extremePoint,
  fitLine,
  fitPooled,
  fitSpikeFree,
  hullNeuron,
  interpolate,
  interpolateVertices,
} from "../../../src/convex/theory/index.ts";
import { forward } from "../../../src/network/index.ts";
import { draws, gaussian, response, rows, useCompute } from "../problems.ts";
import { f64, golden } from "./golden.ts";

const compute = useCompute();

describe("Proposition 2, Algorithm 1: cutting plane without bias", () => {
  test.each(golden.named.spike_free)("$id: cuttingPlane reaches the spike-free program", ({ X, y, beta, program }) => {
    const fit = cuttingPlane(rows(X), f64(y), { beta, bias: "none" });
    expect(Math.abs(fit.objective - program)).toBeLessThanOrEqual(1e-8);
    expect(Math.abs(fit.lowerBound - program)).toBeLessThanOrEqual(1e-8);
  });

  test("cuttingPlane: the minimum-norm problem on spike-free data", () => {
    const X = rows([
      [1, 0, 0],
      [0, 2, 0],
      [0, 0, 3],
    ]);
    const y = f64([1, -1, 2]);
    const fit = cuttingPlane(X, y, { beta: null, bias: "none" });
    expect(fit.feasible).toBe(true);
    expect(fit.objective).toBeCloseTo(Math.hypot(1, 2 / 3) + 0.5, 7);
    forward(fit.network, X).data.forEach((f, i) => {
      expect(f).toBeCloseTo(y[i], 9);
    });
  });

  test("cuttingPlane is an upper bound on other data; the first-order correction lowers it", () => {
    for (let seed = 0; seed < 12; seed++) {
      const s = draws("cut", seed);
      const X = rows(gaussian(s, 5, 3));
      const y = f64(Array.from({ length: 5 }, () => s.normal()));
      const plain = cuttingPlane(X, y, { beta: 0.1, bias: "none" });
      const corrected = cuttingPlane(X, y, { beta: 0.1, bias: "none", correction: true });
      const { lowerBound } = fitPooled({ patches: [X], y, beta: 0.1, bias: "none" }, { compute: compute() });
      expect(plain.objective).toBeGreaterThanOrEqual(lowerBound * (1 - 1e-9));
      expect(corrected.objective).toBeGreaterThanOrEqual(lowerBound * (1 - 1e-9));
      expect(corrected.objective).toBeLessThanOrEqual(plain.objective * (1 + 1e-9));
      expect(plain.objective).toBeCloseTo(fitSpikeFree(compute(), X, y, 0.1).objective, 6);
    }
  });
});

describe("Algorithm 3: cutting plane with bias", () => {
  const x = f64([-2, -1, 0, 1, 2]);
  const y = f64([1, -1, 1, 1, -1]);
  const X = matrix(5, 1, x);

  test("cuttingPlane: by itself Algorithm 3 fits affine functions only", () => {
    const fit = cuttingPlane(X, y, { beta: 0.01, bias: "free" });
    const f = forward(fit.network, X).data;
    for (let i = 1; i + 1 < 5; i++) expect(f[i - 1] - 2 * f[i] + f[i + 1]).toBeCloseTo(0, 9);
    expect(cuttingPlane(X, y, { beta: null, bias: "free" }).feasible).toBe(false);
  });

  test("cuttingPlane: never below the global optimum, and the correction adds the vertices of the data", () => {
    for (const beta of [0.01, 0.1, 0.5, 1]) {
      const { objective } = fitLine(x, y, beta);
      const plain = cuttingPlane(X, y, { beta, bias: "free" });
      const corrected = cuttingPlane(X, y, { beta, bias: "free", correction: true });
      expect(plain.objective).toBeGreaterThanOrEqual(objective * (1 - 1e-12));
      expect(corrected.objective).toBeGreaterThanOrEqual(objective * (1 - 1e-12));
      expect(corrected.objective).toBeLessThanOrEqual(plain.objective * (1 + 1e-12));
    }
  });

  test("cuttingPlane with the correction interpolates when every row is a vertex (Theorem 6)", () => {
    const s = draws("vertices");
    const Z = rows(gaussian(s, 6, 8));
    const targets = f64(Array.from({ length: 6 }, () => s.normal()));
    const fit = cuttingPlane(Z, targets, { beta: null, bias: "free", correction: true });
    expect(fit.feasible).toBe(true);
    expect(fit.objective).toBeLessThanOrEqual((interpolateVertices(Z, targets)?.norm ?? 0) * (1 + 1e-9));
    forward(fit.network, Z).data.forEach((f, i) => {
      expect(f).toBeCloseTo(targets[i], 8);
    });
  });

  test("cuttingPlane refuses targets that do not fit", () => {
    expect(() => cuttingPlane(X, f64([1]), { beta: 1, bias: "none" })).toThrow(/5 rows, y 1/);
  });
});

describe("Lemma 7 and Theorems 6, 7: extreme points along e_i", () => {
  test("hullNeuron: active on its row alone, by its distance from the hull of the others", () => {
    const X = rows(gaussian(draws("hull"), 7, 5));
    let vertices = 0;
    for (let i = 0; i < 7; i++) {
      const neuron = hullNeuron(X, i);
      if (neuron === null) continue;
      vertices += 1;
      expect(Math.hypot(...neuron.u)).toBeCloseTo(1, 12);
      for (let k = 0; k < 7; k++) {
        const z = X.data.subarray(k * 5, k * 5 + 5).reduce((sum, t, q) => sum + t * neuron.u[q], neuron.b);
        if (k === i) expect(z).toBeCloseTo(neuron.distance, 10);
        else expect(z).toBeLessThanOrEqual(1e-9);
      }
    }
    expect(vertices).toBeGreaterThan(4);
  });

  test("hullNeuron: known distances; null inside the hull and for repeated rows", () => {
    const square = rows([
      [0, 0],
      [2, 0],
      [0, 2],
      [2, 2],
      [1, 1],
      [0, 0],
    ]);
    expect(hullNeuron(square, 4)).toBeNull();
    expect(hullNeuron(square, 0)).toBeNull();
    expect(hullNeuron(square, 1)?.distance).toBeCloseTo(Math.SQRT2, 12);
    expect(hullNeuron(rows([[0], [1], [3]]), 2)).toMatchObject({ b: -1, distance: 2 });
    expect(hullNeuron(rows([[0], [1], [3]]), 1)).toBeNull();
  });

  test("Theorem 6: interpolateVertices has a diagonal activation matrix", () => {
    const s = draws("theorem 6");
    const X = rows(gaussian(s, 5, 6));
    const y = f64(Array.from({ length: 5 }, () => s.normal()));
    const fit = interpolateVertices(X, y);
    expect(fit?.network.U.rows).toBe(5);
    if (fit !== null) {
      forward(fit.network, X).data.forEach((f, i) => {
        expect(f).toBeCloseTo(y[i], 9);
      });
      const least = interpolate(X, y, "output", { compute: compute(), rounds: 20 });
      expect(fit.norm).toBeGreaterThanOrEqual(least.lowerBound * (1 - 1e-9));
    }
    expect(interpolateVertices(rows([[0], [1], [2]]), f64([1, 2, 3]))).toBeNull();
  });

  test("A11 (statistical): Theorem 7, all Gaussian rows are vertices when d > 2 n log(n - 1)", () => {
    const n = 10;
    const d = Math.ceil(2 * n * Math.log(n - 1)) + 1;
    for (let seed = 0; seed < 10; seed++) {
      const X = rows(gaussian(draws("theorem 7", seed), n, d));
      for (let i = 0; i < n; i++) expect(hullNeuron(X, i)).not.toBeNull();
    }
  });
});

describe("Lemma 8 and Corollary 1: extreme points along any direction", () => {
  test("extremePoint: the best active set attains the maximum over all u and b, in representer form", () => {
    for (let seed = 0; seed < 20; seed++) {
      const s = draws("lemma 8", seed);
      const n = 5;
      const d = 1 + (seed % 3);
      const data = gaussian(s, n, d);
      const X = rows(data);
      const raw = Array.from({ length: n }, () => s.normal());
      const mean = raw.reduce((sum, t) => sum + t, 0) / n;
      const alpha = f64(raw.map((t) => t - mean));
      let best = 0;
      for (let set = 0; set < (1 << n) - 1; set++) {
        const active = Array.from({ length: n }, (_, i) => ((set >> i) & 1) === 1);
        const point = extremePoint(X, alpha, active);
        if (point === null) continue;
        best = Math.max(best, point.value);
        expect(response(data, alpha, point.u, point.b)).toBeCloseTo(point.value, 9);
        // u is proportional to sum coefficients_i (x_i - x_pivot), b = -x_pivot'u.
        const u = new Float64Array(d);
        data.forEach((x, i) => {
          for (let k = 0; k < d; k++) u[k] += point.coefficients[i] * (x[k] - data[point.pivot][k]);
        });
        const length = Math.hypot(...u);
        u.forEach((t, k) => {
          expect(t / length).toBeCloseTo(point.u[k], 8);
        });
        active.forEach((on, i) => {
          const z = data[i].reduce((sum, t, k) => sum + t * point.u[k], point.b);
          expect(on ? z : -z).toBeGreaterThanOrEqual(-1e-9);
        });
      }
      const exact = boundMaximum(
        compute(),
        { Z: X, freeBias: true, residual: new Float64Array(n) },
        alpha,
        0,
        () => false,
      );
      // M is the larger of both signs; the extreme points above are those along +alpha.
      const other = alpha.map((t) => -t);
      for (let set = 0; set < (1 << n) - 1; set++) {
        const active = Array.from({ length: n }, (_, i) => ((set >> i) & 1) === 1);
        best = Math.max(best, extremePoint(X, other, active)?.value ?? 0);
      }
      expect(best).toBeCloseTo(exact.attained, 8);
    }
  });

  test("extremePoint refuses what is unbounded or does not fit", () => {
    const X = rows([[1], [2]]);
    expect(() => extremePoint(X, f64([1, 1]), [true, true])).toThrow(/unbounded/);
    expect(() => extremePoint(X, f64([1]), [true, true])).toThrow(/1 and 2/);
  });
});
