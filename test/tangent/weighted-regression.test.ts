import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Matrix, matrix, takeRows } from "../../src/base/matrix.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import {
  factorizedRegression,
  type KernelRegression,
  kernelRegression,
  type RegressionOptions,
  regressionOutputs,
  regressionVariances,
  type TileStore,
  tiledRegression,
} from "../../src/tangent/index.ts";
import { distance, engineOf, normalMatrix } from "./kernels.ts";
import { naive, solve } from "./ridge-naive.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ backend: "js" });
});
afterAll(() => compute.close());

const network = engineOf("dense(9, b=0.3) relu dense(9) relu dense(1)", 3);
const ntkOf = (X: Matrix, against: Matrix | null = null): Matrix =>
  matrix(X.rows, (against ?? X).rows, network.block(compute, X, against).ntk!);

/** By the spectrum (where weights do not differ too much), and by factorizations. */
function both(K: Matrix, Y: Matrix, options: RegressionOptions): KernelRegression[] {
  return [kernelRegression(compute, K, Y, options), factorizedRegression(compute, K, Y, options)];
}

const weight = fc.oneof(fc.double({ min: 0.05, max: 20, noNaN: true }), fc.constantFrom(1e-9, 1e-4, 1, 1e5));

describe.each([true, false])("kernelRegression with weights, with intercept %s", (intercept) => {
  test("gives the solution and the leave-one-out errors of weighted refits, by both methods", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000 }),
        fc.integer({ min: 2, max: 9 }).chain((n) => fc.array(weight, { minLength: n, maxLength: n })),
        fc.constantFrom(1e-3, 0.2, 5),
        (seed, list, ridge) => {
          const n = list.length;
          const weights = Float64Array.from(list);
          const K = ntkOf(normalMatrix(`weights ${seed}`, n, 3));
          const Y = normalMatrix(`weighted targets ${seed}`, n, 2);
          const every = Array.from({ length: n }, (_, i) => i);
          for (const fit of both(K, Y, { ridge, intercept, weights })) {
            let [error, mass] = [0, 0];
            for (const q of [0, 1]) {
              const y = every.map((i) => Y.data[2 * i + q]!);
              const whole = naive(K, y, every, fit.ridge, intercept, weights);
              const dual = every.map((i) => fit.dual.data[2 * i + q]!);
              const size = 1 + Math.max(...whole.map(Math.abs));
              expect(distance(dual, whole.slice(0, n)) / size).toBeLessThan(1e-7);
              for (const i of every) {
                const kept = every.filter((j) => j !== i);
                const out = (coefficients: readonly number[], rows: readonly number[]): number =>
                  rows.reduce((sum, j, k) => sum + K.data[i * n + j]! * coefficients[k]!, coefficients[rows.length]!);
                expect(Math.abs(fit.fitted.data[2 * i + q]! - out(whole, every)) / size).toBeLessThan(1e-6);
                const without = out(naive(K, y, kept, fit.ridge, intercept, weights), kept);
                expect(Math.abs(fit.leaveOneOut.data[2 * i + q]! - without) / size).toBeLessThan(1e-6);
                error += weights[i]! * (without - y[i]!) ** 2;
                mass += weights[i]!;
              }
            }
            expect(fit.error / (error / mass)).toBeCloseTo(1, 5);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("of whole numbers is the regression on rows that are there so many times", () => {
    const X = normalMatrix("repeats", 6, 3);
    const Y = normalMatrix("repeated targets", 6, 2);
    const counts = [1, 3, 1, 2, 5, 1];
    const rows = counts.flatMap((count, i) => new Array<number>(count).fill(i));
    const tests = normalMatrix("repeat tests", 4, 3);
    const outputs = (inputs: Matrix, { dual, intercept: b }: KernelRegression): Float64Array =>
      regressionOutputs(compute, { engine: network, kernel: "ntk", inputs, dual, intercept: b }, tests).data;
    const repeated = takeRows(X, rows);
    const weights = Float64Array.from(counts);
    for (const ridge of [1e-2, 1]) {
      const many = kernelRegression(compute, ntkOf(repeated), takeRows(Y, rows), { ridge, intercept });
      for (const fit of both(ntkOf(X), Y, { ridge, intercept, weights })) {
        expect(distance(outputs(X, fit), outputs(repeated, many))).toBeLessThan(1e-9);
        expect(fit.effectiveDimension).toBeCloseTo(many.effectiveDimension, 9);
      }
    }
  });

  test("of ones changes nothing; their common scale goes into the ridge, and auto finds the same regression", () => {
    const K = ntkOf(normalMatrix("scaled weights", 12, 3));
    const Y = normalMatrix("scaled weight targets", 12, 1);
    const weights = normalMatrix("the weights", 12, 1).data.map((value) => value ** 2 + 0.1);
    for (const method of [kernelRegression, factorizedRegression]) {
      const plain = method(compute, K, Y, { ridge: "auto", intercept });
      const ones = method(compute, K, Y, { ridge: "auto", intercept, weights: new Float64Array(12).fill(1) });
      expect(distance(ones.dual.data, plain.dual.data)).toBeLessThan(1e-12);
      expect(ones.points.map(({ ridge }) => ridge)).toEqual(plain.points.map(({ ridge }) => ridge));
      const one = method(compute, K, Y, { ridge: "auto", intercept, weights });
      const large = method(compute, K, Y, { ridge: "auto", intercept, weights: weights.map((value) => 1e6 * value) });
      expect(large.ridge / one.ridge / 1e6).toBeCloseTo(1, 9);
      expect(distance(large.dual.data, one.dual.data)).toBeLessThan(1e-7);
      expect(large.error).toBeCloseTo(one.error, 8);
      expect(large.effectiveDimension).toBeCloseTo(one.effectiveDimension, 6);
    }
  });
});

test("tiledRegression with weights gives what a whole matrix gives", () => {
  const [n, edge] = [11, 4];
  const K = ntkOf(normalMatrix("weighted tiles", n, 3));
  const Y = normalMatrix("weighted tile targets", n, 2);
  const weights = normalMatrix("tile weights", n, 1).data.map((value) => Math.exp(2 * value));
  const whole = factorizedRegression(compute, K, Y, { ridge: 0.1, weights });
  const stores = new Map<string, Float64Array>();
  const store = (name: string): TileStore => ({
    read: (i, j, into) => into.set(stores.get(`${name} ${i} ${j}`)!),
    write: (i, j, tile) => stores.set(`${name} ${i} ${j}`, tile.slice()),
  });
  const tiles = { n, edge, kernel: store("kernel"), factor: store("factor") };
  for (let j = 0; j * edge < n; j++) {
    for (let i = 0; i <= j; i++) {
      const part: number[] = [];
      for (let r = i * edge; r < Math.min(n, (i + 1) * edge); r++) {
        for (let s = j * edge; s < Math.min(n, (j + 1) * edge); s++) part.push(K.data[r * n + s]!);
      }
      tiles.kernel.write(i, j, Float64Array.from(part));
    }
  }
  const fit = tiledRegression(compute, tiles, 1, Y, { ridge: 0.1, weights });
  expect(distance(fit.dual.data, whole.dual.data)).toBeLessThan(1e-9);
  expect(distance(fit.leaveOneOut.data, whole.leaveOneOut.data)).toBeLessThan(1e-9);
  expect(fit.effectiveDimension).toBeCloseTo(whole.effectiveDimension, 9);
});

test("regressionVariances with weights are those of conditioned Gaussians with noise ridge / weight", () => {
  const [X, tests] = [normalMatrix("weighted variance", 6, 3), normalMatrix("weighted variance tests", 4, 3)];
  const weights = Float64Array.of(1, 0.2, 7, 1, 3, 0.5);
  const model = {
    engine: network,
    kernel: "ntk",
    inputs: X,
    dual: matrix(6, 1),
    intercept: new Float64Array(1),
  } as const;
  const ridge = 0.2;
  for (const withIntercept of [false, true]) {
    const wide = withIntercept ? 1e6 : 0;
    const K = ntkOf(X);
    const got = regressionVariances(compute, model, { ridge, withIntercept, weights }, K, tests);
    const [cross, own] = [ntkOf(tests, X), ntkOf(tests)];
    for (let i = 0; i < 4; i++) {
      const k = Array.from({ length: 6 }, (_, j) => cross.data[i * 6 + j]! + wide);
      const A = k.map((_, r) => k.map((_, s) => K.data[r * 6 + s]! + wide + (r === s ? ridge / weights[r]! : 0)));
      const solved = solve(A, k);
      const variance = own.data[i * 5]! + wide + ridge - k.reduce((sum, value, j) => sum + value * solved[j]!, 0);
      expect(got[i]).toBeCloseTo(variance, withIntercept ? 4 : 10);
    }
  }
});

test("kernelRegression refuses weights that are not positive and finite, and too few of them", () => {
  const K = ntkOf(normalMatrix("bad weights", 3, 3));
  const Y = normalMatrix("bad weight targets", 3, 1);
  for (const weights of [
    Float64Array.of(1, 0, 1),
    Float64Array.of(1, -1, 1),
    Float64Array.of(1, Number.NaN, 1),
    Float64Array.of(1, 1),
  ]) {
    expect(() => kernelRegression(compute, K, Y, { ridge: 1, weights })).toThrow(RangeError);
    expect(() => factorizedRegression(compute, K, Y, { ridge: 1, weights })).toThrow(/sample weights/);
  }
});
