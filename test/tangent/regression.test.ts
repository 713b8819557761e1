import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Matrix, matrix, takeRows } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import {
  factorizedRegression,
  type KernelRegression,
  kernelRegression,
  regressionOutputs,
  regressionVariances,
  type TileStore,
  tiledProduct,
  tiledRegression,
} from "../../src/tangent/index.ts";
import { distance, engineOf, normalMatrix } from "./kernels.ts";
import { naive, solve } from "./ridge-naive.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ backend: "js" });
});
afterAll(() => compute.close());

/** The regression by factorizations, whatever its size. */
function factorized(K: Matrix, Y: Matrix, ridge: number | "auto", intercept: boolean): KernelRegression {
  return factorizedRegression(compute, K, Y, { ridge, intercept });
}

const network = engineOf("dense(9, b=0.3) relu dense(9) relu dense(1)", 3);
const ntkOf = (X: Matrix, against: Matrix | null = null): Matrix =>
  matrix(X.rows, (against ?? X).rows, network.block(compute, X, against).ntk!);

describe.each([true, false])("kernelRegression with intercept %s", (intercept) => {
  test("gives the solution and the leave-one-out errors of refits, by both methods", () => {
    const X = normalMatrix("refits", 9, 3);
    const Y = normalMatrix("refit targets", 9, 2);
    const K = ntkOf(X);
    const every = Array.from({ length: 9 }, (_, i) => i);
    for (const ridge of [1e-3, 0.2, 5]) {
      for (const fit of [kernelRegression(compute, K, Y, { ridge, intercept }), factorized(K, Y, ridge, intercept)]) {
        let error = 0;
        for (const q of [0, 1]) {
          const y = every.map((i) => Y.data[2 * i + q]!);
          const whole = naive(K, y, every, ridge, intercept);
          expect(
            distance(
              every.map((i) => fit.dual.data[2 * i + q]!),
              whole.slice(0, 9),
            ),
          ).toBeLessThan(1e-9);
          expect(fit.intercept[q]).toBeCloseTo(whole[9]!, 9);
          for (const i of every) {
            const kept = every.filter((j) => j !== i);
            const without = naive(K, y, kept, ridge, intercept);
            const out = kept.reduce((sum, j, k) => sum + K.data[i * 9 + j]! * without[k]!, without[8]!);
            expect(fit.leaveOneOut.data[2 * i + q]).toBeCloseTo(out, 8);
            error += (out - y[i]!) ** 2 / 18;
          }
        }
        expect(fit.points).toEqual([{ ridge: fit.ridge, error: fit.error }]);
        expect(fit.error).toBeCloseTo(error, 8);
        expect(fit.jitter).toBe(0);
      }
    }
  });

  test("auto takes the largest ridge of least error up to a thousandth, of those tried; both methods agree there", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 2, max: 14 }), (seed, n) => {
        const X = normalMatrix(`auto ${seed}`, n, 3);
        const Y = matrix(
          n,
          1,
          normalMatrix(`auto y ${seed}`, n, 1).data.map((noise, i) => X.data[3 * i]! + 0.3 * noise),
        );
        const K = ntkOf(X);
        const spectral = kernelRegression(compute, K, Y, { ridge: "auto", intercept });
        const cholesky = factorized(K, Y, "auto", intercept);
        for (const fit of [spectral, cholesky]) {
          const least = Math.min(...fit.points.map(({ error }) => error));
          const alike = fit.points.filter(({ error }) => error <= 1.001 * least);
          expect(alike.at(-1)).toEqual({ ridge: fit.ridge, error: fit.error });
        }
        const again = kernelRegression(compute, K, Y, { ridge: cholesky.ridge, intercept });
        expect(distance(again.dual.data, cholesky.dual.data)).toBeLessThan(1e-6);
        expect(again.effectiveDimension).toBeCloseTo(cholesky.effectiveDimension, 6);
        expect(distance(again.signalVariance, cholesky.signalVariance)).toBeLessThan(1e-6);
        expect(cholesky.points.length).toBeGreaterThanOrEqual(7);
        expect(cholesky.points.length).toBeLessThanOrEqual(10);
      }),
      { numRuns: 40 },
    );
  });

  test("survives kernels without rank, equal inputs, zero kernels, one row, constant targets, and tiny and huge scales", () => {
    const cases: [string, Matrix][] = [
      ["zero", matrix(4, 4)],
      ["rank one", matrix(4, 4, new Float64Array(16).fill(2))],
      ["equal inputs", ntkOf(takeRows(normalMatrix("twice", 3, 3), [0, 1, 2, 0]))],
      [
        "tiny",
        matrix(
          4,
          4,
          ntkOf(normalMatrix("scale", 4, 3)).data.map((value) => value * 1e-280),
        ),
      ],
      [
        "huge",
        matrix(
          4,
          4,
          ntkOf(normalMatrix("scale", 4, 3)).data.map((value) => value * 1e280),
        ),
      ],
    ];
    const targets = [matrix(4, 1, Float64Array.of(1, -2, 3, 0.5)), matrix(4, 1, new Float64Array(4).fill(7))];
    for (const [name, K] of cases) {
      for (const Y of targets) {
        for (const ridge of ["auto", 0] as const) {
          for (const fit of [
            kernelRegression(compute, K, Y, { ridge, intercept }),
            factorized(K, Y, ridge, intercept),
          ]) {
            const numbers = [...fit.dual.data, ...fit.intercept, ...fit.leaveOneOut.data, fit.error, fit.ridge];
            expect([name, numbers.every(Number.isFinite)]).toEqual([name, true]);
            expect(fit.ridge).toBeGreaterThanOrEqual(0);
          }
        }
      }
    }
    const one = kernelRegression(compute, matrix(1, 1, Float64Array.of(2)), matrix(1, 1, Float64Array.of(3)), {
      ridge: 1,
      intercept,
    });
    expect(Number.isFinite(one.error)).toBe(true);
    expect(2 * one.dual.data[0]! + one.intercept[0]!).toBeCloseTo(intercept ? 3 : 2, 12);
  });
});

test("kernelRegression with ridge 0 interpolates, and with equal inputs of different targets gives their mean", () => {
  const X = takeRows(normalMatrix("interpolation", 5, 3), [0, 1, 2, 3, 4, 0]);
  const Y = matrix(6, 1, Float64Array.of(1, 2, 3, 4, 5, 2));
  const K = ntkOf(X);
  const fit = kernelRegression(compute, K, Y, { ridge: 0, intercept: false });
  const model = { engine: network, kernel: "ntk", inputs: X, dual: fit.dual, intercept: fit.intercept } as const;
  const out = regressionOutputs(compute, model, X).data;
  expect(distance(out, [1.5, 2, 3, 4, 5, 1.5])).toBeLessThan(1e-9);
  expect(distance(fit.fitted.data, [1.5, 2, 3, 4, 5, 1.5])).toBeLessThan(1e-9);
});

test("kernelRegression with an intercept does not see a constant added to the targets", () => {
  const X = normalMatrix("shift", 8, 3);
  const Y = normalMatrix("shift targets", 8, 1);
  const K = ntkOf(X);
  const fit = kernelRegression(compute, K, Y, { ridge: 0.1 });
  const shifted = kernelRegression(
    compute,
    K,
    matrix(
      8,
      1,
      Y.data.map((value) => value + 1000),
    ),
    { ridge: 0.1 },
  );
  expect(distance(shifted.dual.data, fit.dual.data)).toBeLessThan(1e-9);
  expect(shifted.intercept[0]! - fit.intercept[0]!).toBeCloseTo(1000, 9);
  expect(distance([shifted.error, shifted.signalVariance[0]!], [fit.error, fit.signalVariance[0]!])).toBeLessThan(1e-9);
});

test("regressionOutputs are the kernel times the dual coefficients, panel by panel", () => {
  const [X, tests] = [normalMatrix("train", 7, 3), normalMatrix("tests", 5, 3)];
  const [dual, intercept] = [normalMatrix("dual", 7, 2), Float64Array.of(3, -1)];
  const K = ntkOf(tests, X);
  const out = regressionOutputs(compute, { engine: network, kernel: "ntk", inputs: X, dual, intercept }, tests);
  for (let i = 0; i < 5; i++) {
    for (const q of [0, 1]) {
      let sum = intercept[q]!;
      for (let j = 0; j < 7; j++) sum += K.data[i * 7 + j]! * dual.data[2 * j + q]!;
      expect(out.data[2 * i + q]).toBeCloseTo(sum, 12);
    }
  }
});

describe("regressionVariances", () => {
  const [X, tests] = [normalMatrix("variance", 6, 3), normalMatrix("variance tests", 4, 3)];
  const model = {
    engine: network,
    kernel: "ntk",
    inputs: X,
    dual: matrix(6, 1),
    intercept: new Float64Array(1),
  } as const;

  test("are those of conditioned Gaussians, with a constant of very wide prior for the intercept", () => {
    const ridge = 0.2;
    for (const withIntercept of [false, true]) {
      const wide = withIntercept ? 1e6 : 0;
      const K = ntkOf(X);
      const got = regressionVariances(compute, model, { ridge, withIntercept }, K, tests);
      const cross = ntkOf(tests, X);
      const own = ntkOf(tests);
      for (let i = 0; i < 4; i++) {
        const k = Array.from({ length: 6 }, (_, j) => cross.data[i * 6 + j]! + wide);
        const A = Array.from({ length: 6 }, (_, r) =>
          Array.from({ length: 6 }, (_, s) => K.data[r * 6 + s]! + wide + (r === s ? ridge : 0)),
        );
        const solved = solve(A, k);
        const variance = own.data[i * 5]! + wide + ridge - k.reduce((sum, value, j) => sum + value * solved[j]!, 0);
        expect(got[i]).toBeCloseTo(variance, withIntercept ? 4 : 10);
      }
    }
  });

  test("cover the targets of the process as often as they claim", () => {
    // Targets drawn from the Gaussian process itself: the standardized errors have mean square 1.
    const all = normalMatrix("process", 40, 3);
    const K = ntkOf(all);
    const [ridge, draws] = [0.1, 400];
    const factor = K.data.slice();
    for (let i = 0; i < 40; i++) factor[i * 41] += ridge;
    compute.scope((scope) => {
      const L = scope.copy(factor);
      expect(compute.cholesky(40, L, 40)).toBe(0);
      factor.set(L);
    });
    const stream = randomStream(1, "draws");
    const rows = Array.from({ length: 40 }, (_, i) => i);
    const [train, test] = [takeRows(all, rows.slice(0, 30)), takeRows(all, rows.slice(30))];
    const gram = ntkOf(train);
    const Y = matrix(30, draws);
    const truth = matrix(10, draws);
    for (let q = 0; q < draws; q++) {
      const z = Float64Array.from({ length: 40 }, () => stream.normal());
      for (const i of rows) {
        let sum = 5;
        for (let j = 0; j <= i; j++) sum += factor[i * 40 + j]! * z[j]!;
        if (i < 30) Y.data[i * draws + q] = sum;
        else truth.data[(i - 30) * draws + q] = sum;
      }
    }
    const fit = kernelRegression(compute, gram, Y, { ridge });
    const own = { ...model, inputs: train, dual: fit.dual, intercept: fit.intercept };
    const out = regressionOutputs(compute, own, test);
    const variances = regressionVariances(compute, own, { ridge, withIntercept: true }, gram, test);
    const squares = truth.data.reduce(
      (sum, value, k) => sum + (value - out.data[k]!) ** 2 / variances[Math.floor(k / draws)]!,
      0,
    );
    expect(squares / (10 * draws)).toBeGreaterThan(0.93);
    expect(squares / (10 * draws)).toBeLessThan(1.07);
    const signal = fit.signalVariance.reduce((sum, value) => sum + value / draws, 0);
    expect(signal).toBeGreaterThan(0.97);
    expect(signal).toBeLessThan(1.03);
  });
});

test("kernelRegression stops at the first ridge when expired, and refuses what is no regression", () => {
  const K = ntkOf(normalMatrix("stop", 5, 3));
  const Y = normalMatrix("stop targets", 5, 1);
  const shares: number[] = [];
  const progress = (share: number): void => {
    shares.push(share);
  };
  const stopped = factorizedRegression(compute, K, Y, { ridge: "auto", expired: () => true, progress });
  expect(stopped.points).toHaveLength(1);
  // Told in the middle of the second ridge, it gives that one up.
  let polls = 0;
  const later = factorizedRegression(compute, K, Y, { ridge: "auto", expired: () => ++polls > 2 });
  expect(later.points).toHaveLength(1);
  expect(later.ridge).toBe(stopped.ridge);
  expect(shares.every((share, k) => k === 0 || share >= shares[k - 1]!)).toBe(true);
  expect(() => kernelRegression(compute, K, matrix(4, 1), { ridge: 1 })).toThrow(/5 x 5 kernel.*4 x 1/);
  expect(() => kernelRegression(compute, K, Y, { ridge: -1 })).toThrow(RangeError);
  expect(() => kernelRegression(compute, K, matrix(5, 1, new Float64Array(5).fill(Number.NaN)), { ridge: 1 })).toThrow(
    /finite/,
  );
  expect(() => factorized(matrix(2, 2, Float64Array.of(1, 3, 3, 1)), matrix(2, 1), 0, true)).toThrow(
    /no kernel matrix/,
  );
});

test("tiledRegression and tiledProduct give what whole matrices give, from tiles of any size", () => {
  const X = normalMatrix("tiles", 11, 3);
  const Y = normalMatrix("tile targets", 11, 2);
  const K = ntkOf(X);
  const whole = factorizedRegression(compute, K, Y, { ridge: "auto" });
  for (const edge of [1, 3, 4, 11, 20]) {
    const stores = new Map<string, Float64Array>();
    const store = (name: string): TileStore => ({
      read: (i, j, into) => {
        const tile = stores.get(`${name} ${i} ${j}`)!;
        expect(into.length).toBe(tile.length);
        into.set(tile);
      },
      write: (i, j, tile) => stores.set(`${name} ${i} ${j}`, tile.slice()),
    });
    const tiles = { n: 11, edge, kernel: store("kernel"), factor: store("factor") };
    for (let j = 0; j * edge < 11; j++) {
      for (let i = 0; i <= j; i++) {
        const [rows, cols] = [i, j].map((k) =>
          Array.from({ length: Math.min(edge, 11 - k * edge) }, (_, r) => k * edge + r),
        );
        tiles.kernel.write(i, j, Float64Array.from(rows!.flatMap((r) => cols!.map((s) => K.data[r * 11 + s]!))));
      }
    }
    const fit = tiledRegression(compute, tiles, K.data[0]!, Y, { ridge: whole.ridge });
    expect(distance(fit.dual.data, whole.dual.data)).toBeLessThan(1e-9);
    expect(distance(fit.leaveOneOut.data, whole.leaveOneOut.data)).toBeLessThan(1e-9);
    expect(fit.effectiveDimension).toBeCloseTo(whole.effectiveDimension, 9);
    const product = tiledProduct(compute, tiles, Y);
    for (let i = 0; i < 11; i++) {
      for (const q of [0, 1]) {
        let sum = 0;
        for (let j = 0; j < 11; j++) sum += K.data[i * 11 + j]! * Y.data[2 * j + q]!;
        expect(product.data[2 * i + q]).toBeCloseTo(sum, 12);
      }
    }
  }
});
