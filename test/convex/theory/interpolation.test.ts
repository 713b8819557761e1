import { describe, expect, test } from "vitest";
import { fitPooled, interpolate, interpolateLine, patchMatrices } from "../../../src/convex/theory/index.ts";
import { forward, pathNorm } from "../../../src/network/index.ts";
import { draws, gaussian, naiveObjective, problem, randomNetwork, response, rows, useCompute } from "../problems.ts";
import { f64, golden } from "./golden.ts";

const compute = useCompute();

describe("minimum-norm interpolation (4) and its dual (8)", () => {
  const gauge = (X: readonly (readonly number[])[], y: ArrayLike<number>) =>
    interpolate(rows(X), f64(y), "none", { compute: compute() });

  test("interpolate: XOR has gauge 2 sqrt2, the limit of (2 sqrt2 beta - beta^2) / beta", () => {
    const X = [
      [1, 1],
      [-1, -1],
      [1, -1],
      [-1, 1],
    ];
    const fit = gauge(X, [1, 1, -1, -1]);
    expect(fit.objective).toBeCloseTo(2 * Math.SQRT2, 10);
    expect(fit.lowerBound).toBeCloseTo(2 * Math.SQRT2, 10);
  });

  test("interpolate: exact outputs, norm as stated, a dual point that proves it", () => {
    for (const [n, d] of [
      [4, 2],
      [6, 3],
      [5, 4],
      [4, 6],
    ]) {
      const s = draws("interpolate", n * 10 + d);
      const X = gaussian(s, n, d);
      const y = f64(Array.from({ length: n }, () => s.normal()));
      const fit = gauge(X, y);
      forward(fit.network, rows(X)).data.forEach((f, i) => {
        expect(Math.abs(f - y[i])).toBeLessThanOrEqual(1e-9 * (1 + fit.objective));
      });
      expect(pathNorm(fit.network, "penalized")).toBeCloseTo(fit.objective, 8);
      expect(fit.objective - fit.lowerBound).toBeLessThanOrEqual(1e-7 * fit.objective);
      expect(y.reduce((sum, t, i) => sum + t * fit.v[i], 0)).toBeCloseTo(fit.lowerBound, 10);
      for (let k = 0; k < 200; k++) {
        const u = Array.from({ length: d }, () => s.normal());
        expect(Math.abs(response(X, fit.v, u))).toBeLessThanOrEqual(Math.hypot(...u) * (1 + 1e-9));
      }
    }
  });

  test("the value is a gauge (section 4, bidual): homogeneous, symmetric, subadditive", () => {
    const s = draws("gauge");
    const X = gaussian(s, 5, 3);
    const a = Array.from({ length: 5 }, () => s.normal());
    const b = Array.from({ length: 5 }, () => s.normal());
    const value = gauge(X, a).objective;
    expect(
      gauge(
        X,
        a.map((t) => -3 * t),
      ).objective,
    ).toBeCloseTo(3 * value, 6);
    const sum = gauge(
      X,
      a.map((t, i) => t + b[i]),
    ).objective;
    expect(sum).toBeLessThanOrEqual((value + gauge(X, b).objective) * (1 + 1e-7));
    // X / 2 doubles it.
    expect(
      gauge(
        X.map((x) => x.map((t) => t / 2)),
        a,
      ).objective,
    ).toBeCloseTo(2 * value, 6);
    // A penalized column of ones can only help.
    const column = interpolate(rows(X), f64(a), "column", { compute: compute() });
    expect(column.lowerBound).toBeLessThanOrEqual(value * (1 + 1e-9));
  });

  test("interpolate with free biases equals the closed form in one dimension (Corollary 3)", () => {
    for (let seed = 0; seed < 6; seed++) {
      const s = draws("free", seed);
      const x = f64(Array.from({ length: 6 }, () => s.normal()));
      const y = x.map((t) => t * t + s.normal());
      const fit = interpolate(rows([...x].map((t) => [t])), y, "output", { compute: compute() });
      const { norm } = interpolateLine(x, y);
      expect(Math.abs(fit.objective - norm)).toBeLessThanOrEqual(1e-7 * norm);
      expect(Math.abs(fit.lowerBound - norm)).toBeLessThanOrEqual(1e-7 * norm);
    }
  });

  test("interpolate says when it cannot be done", () => {
    expect(() =>
      gauge(
        [
          [1, 2],
          [1, 2],
        ],
        [0, 1],
      ),
    ).toThrow(/cannot be interpolated/);
    expect(() =>
      gauge(
        [
          [1, 2],
          [2, 4],
        ],
        [1, 1],
      ),
    ).toThrow(/cannot be interpolated/);
    expect(
      gauge(
        [
          [1, 2],
          [2, 4],
        ],
        [1, 2],
      ).objective,
    ).toBeCloseTo(1 / Math.sqrt(5), 9);
    expect(
      gauge(
        [
          [1, 2],
          [2, 1],
        ],
        [0, 0],
      ).objective,
    ).toBe(0);
  });
});

describe("global optima by column generation (7.4) and with sum pooling (section 11)", () => {
  const train = (patches: readonly number[][][], y: readonly number[], beta: number) =>
    fitPooled({ patches: patches.map((p) => rows(p)), y: f64(y), beta, bias: "none" }, { compute: compute() });

  test.each(golden.squared)("$id: fitPooled with one patch is the plain network, beta $beta", (instance) => {
    const { X, y, beta, expected_optimum } = instance;
    const found = train([X], y, beta);
    expect(Math.abs(found.objective - expected_optimum)).toBeLessThanOrEqual(2e-8 * (1 + expected_optimum));
    expect(found.lowerBound).toBeLessThanOrEqual(expected_optimum + 1e-9);
    expect(found.objective - found.lowerBound).toBeLessThanOrEqual(2e-8 * (1 + expected_optimum));
    expect(naiveObjective(problem(X, y, beta), found.network)).toBeCloseTo(found.objective, 9);
  });

  /** The objective of a network of filters applied to every patch and summed. */
  function pooledObjective(
    patches: readonly number[][][],
    y: readonly number[],
    beta: number,
    net: ReturnType<typeof randomNetwork>,
  ): number {
    const f = new Float64Array(y.length);
    for (const patch of patches)
      forward(net, rows(patch)).data.forEach((t, i) => {
        f[i] += t;
      });
    return f.reduce((sum, t, i) => sum + (t - y[i]) ** 2 / 2, 0) + beta * pathNorm(net, "penalized");
  }

  test("fitPooled: objective of the network, gap closed, nothing goes below the bound", () => {
    for (const [n, h, K] of [
      [6, 2, 3],
      [7, 3, 2],
      [4, 4, 2],
    ]) {
      const s = draws("pooled", n * 100 + h * 10 + K);
      const patches = Array.from({ length: K }, () => gaussian(s, n, h));
      const y = Array.from({ length: n }, () => s.normal());
      const found = train(patches, y, 0.2);
      expect(pooledObjective(patches, y, 0.2, found.network)).toBeCloseTo(found.objective, 8);
      expect(found.objective - found.lowerBound).toBeLessThanOrEqual(1e-7 * found.objective);
      for (let k = 0; k < 50; k++) {
        const net = randomNetwork(s, h, 1 + s.integer(5), "none", 0.3);
        expect(pooledObjective(patches, y, 0.2, net)).toBeGreaterThanOrEqual(found.lowerBound);
      }
    }
  });

  test("fitPooled: order of patches does not matter; K equal patches are one patch of K times the length", () => {
    const s = draws("patches");
    const [p, q] = [gaussian(s, 6, 2), gaussian(s, 6, 2)];
    const y = Array.from({ length: 6 }, () => s.normal());
    expect(train([p, q], y, 0.1).objective).toBeCloseTo(train([q, p], y, 0.1).objective, 7);
    const thrice = train([p.map((x) => x.map((t) => 3 * t))], y, 0.1).objective;
    expect(train([p, p, p], y, 0.1).objective).toBeCloseTo(thrice, 7);
    expect(train([p, p.map((x) => x.map(() => 0))], y, 0.1).objective).toBeCloseTo(train([p], y, 0.1).objective, 7);
  });

  test("fitPooled on patchMatrices of images; betas above the largest correlation give the zero network", () => {
    const s = draws("images");
    const images = rows(gaussian(s, 5, 9));
    const patches = patchMatrices(images, { height: 3, width: 3, channels: 1 }, 2);
    expect(patches).toHaveLength(4);
    expect([...patches[3].data.subarray(0, 4)]).toEqual([4, 5, 7, 8].map((k) => images.data[k]));
    const y = f64(Array.from({ length: 5 }, () => s.normal()));
    const found = fitPooled({ patches, y, beta: 0.5, bias: "none" }, { compute: compute() });
    expect(found.objective).toBeLessThan(y.reduce((sum, t) => sum + t * t, 0) / 2);
    const zero = fitPooled({ patches, y, beta: 1e3, bias: "none" }, { compute: compute() });
    expect(zero.network.U.rows).toBe(0);
    expect(zero.lowerBound).toBeCloseTo(zero.objective, 10);
  });

  test("fitPooled refuses shapes that do not fit", () => {
    expect(() => train([], [1], 1)).toThrow(/got none/);
    expect(() => train([[[1]], [[1, 2]]], [1], 1)).toThrow(/1 x 1, 1 x 2/);
    expect(() => train([[[1]]], [1], 0)).toThrow(/beta/);
    const patches = [rows([[1]]), rows([[2]])];
    expect(() => fitPooled({ patches, y: f64([1]), beta: 1, bias: "output" }, { compute: compute() })).toThrow(
      /single/,
    );
  });
});
