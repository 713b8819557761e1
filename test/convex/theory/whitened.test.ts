import { describe, expect, test } from "vitest";
import { matrix } from "../../../src/base/matrix.ts";
import {
  fitWhitened,
  fitWhitenedHinge,
  fitWhitenedOneHot,
  interpolate,
  interpolateParts,
  oneHotOptimum,
  whiten,
} from "../../../src/convex/theory/index.ts";
import { forward, pathNorm } from "../../../src/network/index.ts";
import { draws, gaussian, naiveObjective, problem, rows, useCompute } from "../problems.ts";
import { f64, golden } from "./golden.ts";

const compute = useCompute();
const close = (value: number, expected: number, tolerance: number): void =>
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(tolerance);

describe("Theorem 9: whitened data, squared loss", () => {
  const cases = golden.named.whitened.filter(({ id }) => id === "A5-thm9");
  test.each(cases)("A5: fitWhitened at beta $beta", ({ X, y, beta, expected_optimum, tolerance, neuron_weights }) => {
    const fit = fitWhitened(rows(X), f64(y), beta);
    close(fit.objective, expected_optimum, tolerance);
    close(naiveObjective(problem(X, y, beta), fit.network), expected_optimum, tolerance);
    const w = [0, 0];
    fit.network.W.data.forEach((t) => {
      w[t > 0 ? 0 : 1] += Math.sign(t) * t * t;
    });
    close(w[0], neuron_weights?.plus ?? 0, 1e-12);
    close(w[1], neuron_weights?.minus ?? 0, 1e-12);
    // v* = y - f*.
    forward(fit.network, rows(X)).data.forEach((f, i) => {
      close(fit.v[i], y[i] - f, 1e-12);
    });
  });

  test("fitWhitened: the value printed in the specification, and the thresholds at which neurons die", () => {
    const { data } = whiten(compute(), rows(gaussian(draws("white"), 4, 6)));
    const y = f64([1, -2, 0.5, -1]);
    const fit = fitWhitened(data, y, 0.7);
    close(fit.objective, 1.8578714, 5e-8);
    const [plus, minus] = fit.deaths;
    expect([plus, minus]).toEqual([Math.hypot(1, 0.5), Math.hypot(2, 1)]);
    expect(fitWhitened(data, y, plus * 0.999).network.U.rows).toBe(2);
    expect(fitWhitened(data, y, plus).network.U.rows).toBe(1);
    expect(fitWhitened(data, y, minus).network.U.rows).toBe(0);
    expect(fitWhitened(data, y, minus).objective).toBeCloseTo(6.25 / 2, 12);
  });

  test("whiten and the closed forms refuse n > d, rank below n and data that are not white", () => {
    const tall = rows(gaussian(draws("tall"), 4, 3));
    expect(() => whiten(compute(), tall)).toThrow(/cannot be whitened/);
    expect(() =>
      whiten(
        compute(),
        rows([
          [1, 2],
          [2, 4],
        ]),
      ),
    ).toThrow(/rank 1/);
    expect(() => fitWhitened(tall, f64([1, 2, 3, 4]), 1)).toThrow(/not whitened/);
    const off = rows([
      [1, 0],
      [1e-6, 1],
    ]);
    for (const call of [
      () => fitWhitened(off, f64([1, -1]), 1),
      () => fitWhitenedHinge(off, f64([1, -1]), 1),
      () => fitWhitenedOneHot(off, [0, 1], 2, 1),
    ]) {
      expect(call).toThrow(/differs from I/);
    }
  });

  test("whiten: X X' = I and the map whitens other rows", () => {
    const X = rows(gaussian(draws("map"), 3, 5));
    const { data, map } = whiten(compute(), X);
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        let sum = 0;
        for (let k = 0; k < 3; k++) sum += data.data[i * 3 + k] * data.data[j * 3 + k];
        expect(sum).toBeCloseTo(i === j ? 1 : 0, 12);
        let mapped = 0;
        for (let k = 0; k < 5; k++) mapped += X.data[i * 5 + k] * map.data[k * 3 + j];
        expect(mapped).toBeCloseTo(data.data[i * 3 + j], 12);
      }
    }
  });
});

describe("Theorem 12: whitened data, hinge loss", () => {
  const cases = golden.named.whitened.filter(({ id }) => id === "A5-thm12");
  test.each(cases)("A5: fitWhitenedHinge at beta $beta", ({ X, y, beta, expected_optimum, tolerance }) => {
    const fit = fitWhitenedHinge(rows(X), f64(y), beta);
    close(fit.objective, expected_optimum, tolerance);
    const outputs = forward(fit.network, rows(X)).data;
    const loss = outputs.reduce((sum, f, i) => sum + Math.max(0, 1 - y[i] * f), 0);
    close(loss + beta * pathNorm(fit.network, "penalized"), expected_optimum, tolerance);
    // Dual value sum y_i v_i inside the box that the printed proof leaves out.
    close(
      fit.v.reduce((sum, v, i) => sum + y[i] * v, 0),
      expected_optimum,
      tolerance,
    );
    fit.v.forEach((v, i) => {
      expect(v * y[i]).toBeLessThanOrEqual(1);
    });
  });
});

describe("Theorem 15: whitened data, one-hot outputs", () => {
  test.each(golden.named.one_hot)("A5: oneHotOptimum for classes of $sizes at beta $beta", (golden15) => {
    close(oneHotOptimum(golden15.sizes, golden15.beta), golden15.expected_optimum, 1e-12);
    golden15.deaths.forEach((t, j) => {
      close(Math.sqrt(golden15.sizes[j]), t, 1e-12);
    });
  });

  test("fitWhitenedOneHot: the network has that objective, its neurons die at sqrt(n_j)", () => {
    const labels = [0, 0, 0, 1, 1, 2];
    const { data } = whiten(compute(), rows(gaussian(draws("one hot"), 6, 8)));
    for (const beta of [0.5, 1.2, 1.6, 2]) {
      const fit = fitWhitenedOneHot(data, labels, 3, beta);
      const F = forward(fit.network, data).data;
      let value = beta * pathNorm(fit.network, "penalized");
      F.forEach((f, k) => {
        value += (f - (labels[Math.floor(k / 3)] === k % 3 ? 1 : 0)) ** 2 / 2;
      });
      expect(value).toBeCloseTo(oneHotOptimum([3, 2, 1], beta), 12);
      expect(fit.objective).toBe(oneHotOptimum([3, 2, 1], beta));
      expect(fit.network.U.rows).toBe([3, 2, 1].filter((size) => beta < Math.sqrt(size)).length);
    }
    expect(() => fitWhitenedOneHot(data, [0, 0, 0, 1, 1, 3], 3, 1)).toThrow(/label 3 of row 5/);
  });
});

describe("Lemmas 9, 10 and 12, Corollary 7: two neurons interpolate", () => {
  const parts = (y: readonly number[]) => matrix(y.length, 2, f64(y.flatMap((t) => [Math.max(0, t), Math.max(0, -t)])));

  test("Lemma 9: interpolateParts of y_+ and y_- interpolates y on full row rank", () => {
    const X = rows(gaussian(draws("lemma 9"), 4, 5));
    const y = [1, -2, 0.5, -1];
    const { neurons, norm } = interpolateParts(compute(), X, parts(y));
    for (let i = 0; i < 4; i++) {
      const z = [0, 1].map((k) =>
        X.data.subarray(i * 5, i * 5 + 5).reduce((sum, t, j) => sum + t * neurons.data[k * 5 + j], 0),
      );
      expect(Math.max(0, z[0]) - Math.max(0, z[1])).toBeCloseTo(y[i], 10);
    }
    // The fewest neurons, but in general not the least norm.
    const least = interpolate(X, f64(y), "none", { compute: compute() });
    expect(least.objective).toBeLessThanOrEqual(norm * (1 + 1e-9));
  });

  test("Lemma 10: on whitened data their norm ||y_+|| + ||y_-|| is the least", () => {
    const { data } = whiten(compute(), rows(gaussian(draws("lemma 10"), 4, 6)));
    const y = [1, -2, 0.5, -1];
    const { norm } = interpolateParts(compute(), data, parts(y));
    expect(norm).toBeCloseTo(Math.hypot(1, 0.5) + Math.hypot(2, 1), 10);
    const least = interpolate(data, f64(y), "none", { compute: compute() });
    expect(least.objective).toBeCloseTo(norm, 7);
    expect(least.lowerBound).toBeCloseTo(norm, 7);
  });

  test("Lemma 12: non-negative targets, one neuron an output", () => {
    const X = rows(gaussian(draws("lemma 12"), 3, 4));
    const Y = matrix(3, 2, f64([1, 0, 0.5, 2, 0, 3]));
    const { neurons } = interpolateParts(compute(), X, Y);
    for (let i = 0; i < 3; i++) {
      for (let k = 0; k < 2; k++) {
        let z = 0;
        for (let j = 0; j < 4; j++) z += X.data[i * 4 + j] * neurons.data[k * 4 + j];
        expect(Math.max(0, z)).toBeCloseTo(Y.data[i * 2 + k], 10);
      }
    }
    expect(() => interpolateParts(compute(), X, matrix(3, 1, f64([1, -1, 0])))).toThrow(/non-negative/);
    expect(() => interpolateParts(compute(), X, matrix(2, 1))).toThrow(/3 rows, Y 2/);
  });
});
