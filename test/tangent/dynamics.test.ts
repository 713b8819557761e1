import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Matrix, matrix } from "../../src/base/matrix.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { parseArchitecture, type Shape } from "../../src/network/architecture/index.ts";
import {
  decay,
  ensembleCovariance,
  type KernelEigen,
  kernelEigen,
  lossShare,
  makeEngine,
  posterior,
  residualSpectrum,
  stepLimits,
  type Training,
  testOutputs,
  timeToShare,
  trainedOutputs,
} from "../../src/tangent/index.ts";
import { distance, engineOf, normalMatrix, ofRows } from "./kernels.ts";

const golden = JSON.parse(readFileSync(new URL("../fixtures/kernel-dynamics.json", import.meta.url), "utf8"));
const FLOW: Training = { loss: "sum", step: "flow" };
const MEAN: Training = { loss: "mean", step: "flow" };

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ backend: "js" });
});
afterAll(() => compute.close());

/** A A' of n x rank normal numbers. */
function gramOf(name: string, n: number, rank: number): Matrix {
  const A = normalMatrix(name, n, rank);
  return times(A, transposed(A));
}

function times(A: Matrix, B: Matrix): Matrix {
  const out = matrix(A.rows, B.cols);
  for (let i = 0; i < A.rows; i++)
    for (let k = 0; k < A.cols; k++)
      for (let j = 0; j < B.cols; j++) out.data[i * B.cols + j] += A.data[i * A.cols + k] * B.data[k * B.cols + j];
  return out;
}

function transposed(A: Matrix): Matrix {
  const out = matrix(A.cols, A.rows);
  for (let i = 0; i < A.rows; i++) for (let j = 0; j < A.cols; j++) out.data[j * A.rows + i] = A.data[i * A.cols + j];
  return out;
}

const rowsFrom = (A: Matrix, from: number, to: number): Matrix =>
  matrix(to - from, A.cols, A.data.slice(from * A.cols, to * A.cols));
const minus = (A: Matrix, B: Matrix, factor = 1): Matrix =>
  matrix(
    A.rows,
    A.cols,
    A.data.map((value, k) => value - factor * B.data[k]),
  );

/** Numbers of a nested list, as samples. */
function samples(list: readonly unknown[]): { X: Matrix; shape: Shape } {
  const data = Float64Array.from((list as number[]).flat(9));
  const first = list[0] as unknown[];
  const inner = Array.isArray(first[0]) ? (first[0] as unknown[]) : null;
  const shape = inner === null ? [first.length] : [first.length, inner.length, (inner[0] as unknown[]).length];
  return { X: matrix(list.length, data.length / list.length, data), shape: shape as unknown as Shape };
}

describe.each(Object.keys(golden.cases))("golden predictions of %s", (name) => {
  const given = golden.cases[name];
  const { X, shape } = samples(given.inputs);
  const tests = samples(given.tests).X;
  const Y = ofRows(golden.targets);
  const start = { Y, outputs: ofRows(given.trainStart) };
  const testStart = ofRows(given.testStart);
  const engine = makeEngine({
    architecture: parseArchitecture(given.architecture),
    input: shape,
    trained: "all",
    kernels: ["nngp", "ntk"],
  });
  const block = (A: Matrix, B: Matrix | null) => {
    const { nngp, ntk } = engine.block(compute, A, B);
    const wrap = (data: Float64Array): Matrix => matrix(A.rows, (B ?? A).rows, data);
    return { nngp: wrap(nngp!), ntk: wrap(ntk!) };
  };
  const timeOf = ({ t }: { t: number | null }): number => t ?? Number.POSITIVE_INFINITY;

  test("trainedOutputs and testOutputs", () => {
    const eigen = kernelEigen(compute, block(X, null).ntk);
    const kernel = block(tests, X).ntk;
    for (const out of given.out) {
      const time = timeOf(out);
      const train = trainedOutputs(compute, eigen, MEAN, time, start);
      const test = testOutputs(compute, eigen, MEAN, time, start, { kernel, outputs: testStart });
      expect(distance(train.data, out.fx_train.flat())).toBeLessThan(1e-7);
      expect(distance(test.data, out.fx_test.flat())).toBeLessThan(1e-7);
    }
  });

  test("trainedOutputs and testOutputs with a ridge on the diagonal", () => {
    const { ntk } = block(X, null);
    const mean = Y.data.map((_, k) => (k < X.rows ? ntk.data[k * (X.rows + 1)] / X.rows : 0)).reduce((a, b) => a + b);
    for (let i = 0; i < X.rows; i++) ntk.data[i * (X.rows + 1)] += 1e-3 * mean;
    const eigen = kernelEigen(compute, ntk);
    const kernel = block(tests, X).ntk;
    for (const out of given.outRegularized) {
      const test = testOutputs(compute, eigen, MEAN, timeOf(out), start, { kernel, outputs: testStart });
      expect(distance(test.data, out.fx_test.flat())).toBeLessThan(1e-7);
    }
  });

  test("ensembleCovariance and its mean, of both kernels", () => {
    const train = block(X, null);
    const cross = block(tests, X);
    const prior = { train: train.nngp, testTrain: cross.nngp, test: block(tests, null).nngp };
    for (const kind of ["nngp", "ntk"] as const) {
      const eigen = kernelEigen(compute, train[kind]);
      for (const out of given.ensemble) {
        const time = timeOf(out);
        const mean = testOutputs(compute, eigen, MEAN, time, { Y }, { kernel: cross[kind] });
        const covariance = ensembleCovariance(compute, eigen, MEAN, time, Y.data.length, cross[kind], prior);
        expect(distance(mean.data, out[`${kind}_mean`].flat())).toBeLessThan(1e-7);
        expect(distance(covariance.data, out[`${kind}_cov`].flat())).toBeLessThan(1e-7);
      }
    }
  });

  test("stepLimits", () => {
    const { values } = kernelEigen(compute, block(X, null).ntk);
    const ends = { largest: values.at(-1)!, smallest: values[0]! };
    expect(stepLimits(ends, "mean", Y.data.length).largest).toBeCloseTo(given.largestStep, 7);
    expect(stepLimits(ends, "mean", Y.data.length, 0.9).largest).toBeCloseTo(given.largestStepMomentum09, 7);
  });
});

/** Train and test outputs by integrating the equations of motion. */
function integrate(
  T: Matrix,
  kernel: Matrix,
  Y: Matrix,
  F0: Matrix,
  G0: Matrix,
  steps: number,
  step: number,
  method: "euler" | "rk4",
): { train: Matrix; test: Matrix } {
  let [F, G] = [F0, G0];
  const speed = (A: Matrix): Matrix => minus(Y, A);
  for (let k = 0; k < steps; k++) {
    if (method === "euler") {
      const v = speed(F);
      [F, G] = [minus(F, times(T, v), -step), minus(G, times(kernel, v), -step)];
      continue;
    }
    const k1 = speed(F);
    const k2 = speed(minus(F, times(T, k1), -step / 2));
    const k3 = speed(minus(F, times(T, k2), -step / 2));
    const k4 = speed(minus(F, times(T, k3), -step));
    const v = matrix(
      k1.rows,
      k1.cols,
      k1.data.map((a, i) => (a + 2 * k2.data[i] + 2 * k3.data[i] + k4.data[i]) / 6),
    );
    [F, G] = [minus(F, times(T, v), -step), minus(G, times(kernel, v), -step)];
  }
  return { train: F, test: G };
}

describe("against integration", () => {
  // Seven inputs, the last two for tests; rank 3 makes the kernel of the training inputs singular.
  test.each([10, 5, 3])("trainedOutputs and testOutputs follow f' = -T (f - y), rank %i", (rank) => {
    const whole = gramOf(`flow ${rank}`, 7, rank);
    const pick = (r0: number, r1: number, c1: number): Matrix => {
      const rows = rowsFrom(whole, r0, r1);
      return transposed(rowsFrom(transposed(rows), 0, c1));
    };
    const [T, kernel] = [pick(0, 5, 5), pick(5, 7, 5)];
    const [Y, F0, G0] = [normalMatrix("y", 5, 2), normalMatrix("f", 5, 2), normalMatrix("g", 2, 2)];
    const eigen = kernelEigen(compute, T);
    const start = { Y, outputs: F0 };
    for (const loss of ["sum", "mean"] as const) {
      const scale = loss === "sum" ? 1 : 10;
      const time = 0.7 * scale;
      const flow = integrate(T, kernel, Y, F0, G0, 4000, 0.7 / 4000, "rk4");
      const rule = { loss, step: "flow" } as const;
      expect(distance(trainedOutputs(compute, eigen, rule, time, start).data, flow.train.data)).toBeLessThan(1e-10);
      expect(
        distance(testOutputs(compute, eigen, rule, time, start, { kernel, outputs: G0 }).data, flow.test.data),
      ).toBeLessThan(1e-10);
      const step = 1.9 / eigen.values[4]!;
      const descent = integrate(T, kernel, Y, F0, G0, 37, step, "euler");
      const steps = { loss, step: step * scale } as const;
      expect(distance(trainedOutputs(compute, eigen, steps, 37, start).data, descent.train.data)).toBeLessThan(1e-10);
      expect(
        distance(testOutputs(compute, eigen, steps, 37, start, { kernel, outputs: G0 }).data, descent.test.data),
      ).toBeLessThan(1e-10);
    }
  });

  test("ensembleCovariance is that of a linear model over its draws", () => {
    // f = phi(x).w / sqrt(p), w ~ N(0, I): K = T = phi phi'/p; and a second feature map that is trained alone.
    const [n, m, p, trained, draws] = [4, 2, 9, 5, 40_000];
    const phi = normalMatrix("phi", n + m, p);
    const part = transposed(rowsFrom(transposed(phi), 0, trained));
    const [K, T] = [phi, part].map((A) => {
      const gram = times(A, transposed(A));
      return matrix(
        n + m,
        n + m,
        gram.data.map((value) => value / p),
      );
    }) as [Matrix, Matrix];
    const cut = (A: Matrix, r0: number, r1: number, c0: number, c1: number): Matrix =>
      transposed(rowsFrom(transposed(rowsFrom(A, r0, r1)), c0, c1));
    const eigen = kernelEigen(compute, cut(T, 0, n, 0, n));
    const kernel = cut(T, n, n + m, 0, n);
    const prior = { train: cut(K, 0, n, 0, n), testTrain: cut(K, n, n + m, 0, n), test: cut(K, n, n + m, n, n + m) };
    for (const time of [0, 1.3, Number.POSITIVE_INFINITY]) {
      const covariance = ensembleCovariance(compute, eigen, FLOW, time, n, kernel, prior);
      // Draws of weights, one a column; each is trained in closed form from its own start.
      const w = normalMatrix(`draws ${time}`, p, draws);
      const F = times(phi, w);
      const outputs = matrix(
        n,
        draws,
        rowsFrom(F, 0, n).data.map((value) => value / Math.sqrt(p)),
      );
      const G0 = matrix(
        m,
        draws,
        rowsFrom(F, n, n + m).data.map((value) => value / Math.sqrt(p)),
      );
      const G = testOutputs(compute, eigen, FLOW, time, { Y: matrix(n, draws), outputs }, { kernel, outputs: G0 });
      const sampled = times(G, transposed(G)).data.map((value) => value / draws);
      for (let k = 0; k < m * m; k++) {
        const variance = (i: number): number => covariance.data[i * (m + 1)]!;
        const size = Math.sqrt(variance(k % m) * variance(Math.floor(k / m)));
        expect(Math.abs(sampled[k]! - covariance.data[k]!)).toBeLessThan(
          (5 * Math.SQRT2 * size) / Math.sqrt(draws) + 1e-12,
        );
      }
    }
  });
});

describe("limits", () => {
  const X = normalMatrix("inputs", 6, 3);
  const engine = () => engineOf("dense(9) relu dense(9) relu dense(1)", 3);
  const eigenOf = (): KernelEigen => kernelEigen(compute, matrix(6, 6, engine().block(compute, X, null).ntk!));

  test("trainedOutputs starts at the start and ends at the targets", () => {
    const [Y, F0] = [normalMatrix("targets", 6, 3), normalMatrix("start", 6, 3)];
    for (const training of [FLOW, MEAN, { loss: "sum", step: 1e-3 } as const]) {
      const at = (time: number) => trainedOutputs(compute, eigenOf(), training, time, { Y, outputs: F0 }).data;
      expect(distance(at(0), F0.data)).toBeLessThan(1e-13);
      expect(distance(at(Number.POSITIVE_INFINITY), Y.data)).toBeLessThan(1e-13);
    }
  });

  test("testOutputs at the training inputs are trainedOutputs, step by step as at once", () => {
    const [Y, F0] = [normalMatrix("targets", 6, 2), normalMatrix("start", 6, 2)];
    const kernel = matrix(6, 6, engine().block(compute, X, null).ntk!);
    const eigen = kernelEigen(compute, kernel);
    let outputs = F0;
    for (const time of [0.3, 1, 4]) outputs = trainedOutputs(compute, eigen, FLOW, time, { Y, outputs });
    const once = trainedOutputs(compute, eigen, FLOW, 5.3, { Y, outputs: F0 });
    expect(distance(outputs.data, once.data)).toBeLessThan(1e-12);
    const test = testOutputs(compute, eigen, FLOW, 5.3, { Y, outputs: F0 }, { kernel, outputs: F0 });
    expect(distance(test.data, once.data)).toBeLessThan(1e-12);
  });

  test("kernelEigen and trainedOutputs with equal inputs of different targets end at their mean", () => {
    const twice = matrix(4, 3, Float64Array.of(1, 2, 3, 1, 2, 3, 0, 1, 0, 2, 0, 1));
    const K = matrix(4, 4, engine().block(compute, twice, null).ntk!);
    const eigen = kernelEigen(compute, K);
    expect(eigen.values[0]).toBe(0);
    const Y = matrix(4, 1, Float64Array.of(1, 3, 5, 7));
    const end = trainedOutputs(compute, eigen, FLOW, Number.POSITIVE_INFINITY, { Y });
    expect(distance(end.data, [2, 2, 5, 7])).toBeLessThan(1e-12);
    const test = testOutputs(compute, eigen, FLOW, Number.POSITIVE_INFINITY, { Y }, { kernel: K });
    expect(distance(test.data, [2, 2, 5, 7])).toBeLessThan(1e-12);
    const spectrum = residualSpectrum(compute, eigen, Y);
    expect(timeToShare(spectrum, FLOW, 4, 0.01)).toBe(Number.POSITIVE_INFINITY);
  });

  test("posterior without noise is ensembleCovariance of the nngp kernel at infinity, and with noise the formula", () => {
    const tests = normalMatrix("tests", 3, 3);
    const K = matrix(6, 6, engine().block(compute, X, null).nngp!);
    const cross = {
      testTrain: matrix(3, 6, engine().block(compute, tests, X).nngp!),
      test: matrix(3, 3, engine().block(compute, tests, null).nngp!),
    };
    const Y = normalMatrix("targets", 6, 2);
    const eigen = kernelEigen(compute, K);
    const end = Number.POSITIVE_INFINITY;
    const exact = posterior(compute, eigen, 0, Y, cross);
    const limit = ensembleCovariance(compute, eigen, FLOW, end, 12, cross.testTrain, { train: K, ...cross });
    expect(distance(exact.covariance.data, limit.data)).toBeLessThan(1e-10);
    expect(
      distance(exact.mean.data, testOutputs(compute, eigen, FLOW, end, { Y }, { kernel: cross.testTrain }).data),
    ).toBeLessThan(1e-10);
    // With noise: (K + s)(alpha) = Y has the mean K(x, X) alpha.
    const noisy = posterior(compute, eigen, 0.3, Y, cross);
    for (let i = 0; i < 6; i++) K.data[i * 7] += 0.3;
    const again = posterior(compute, kernelEigen(compute, K), 0, Y, cross);
    expect(distance(noisy.mean.data, again.mean.data)).toBeLessThan(1e-12);
    expect(distance(noisy.covariance.data, again.covariance.data)).toBeLessThan(1e-12);
  });

  test("timeToShare is where lossShare crosses the share; for descent, the first step that does", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.double({ min: 1e-3, max: 10, noNaN: true }),
            fc.oneof(fc.constant(0), fc.double({ min: 1e-6, max: 5, noNaN: true })),
          ),
          {
            minLength: 1,
            maxLength: 6,
          },
        ),
        fc.double({ min: 1e-4, max: 0.9, noNaN: true }),
        (parts, share) => {
          const spectrum = {
            values: Float64Array.from(parts, ([value]) => value),
            weights: Float64Array.from(parts, ([, weight]) => weight),
          };
          if (spectrum.weights.every((weight) => weight === 0)) return;
          const time = timeToShare(spectrum, FLOW, 1, share);
          expect(lossShare(spectrum, FLOW, 1, time)).toBeCloseTo(share, 10);
          const largest = Math.max(...spectrum.values);
          const training: Training = { loss: "sum", step: 1 / largest };
          const steps = timeToShare(spectrum, training, 1, share);
          expect(lossShare(spectrum, training, 1, steps)).toBeLessThanOrEqual(share);
          expect(steps === 0 || lossShare(spectrum, training, 1, steps - 1) > share).toBe(true);
        },
      ),
    );
  });

  test("decay beyond stepLimits grows, and is refused at infinity; broken arguments are refused", () => {
    const { largest, critical } = stepLimits({ largest: 4, smallest: 1 }, "sum", 10);
    expect([largest, critical]).toEqual([0.5, 0.4]);
    const above: Training = { loss: "sum", step: 1.01 * largest };
    expect(Math.abs(decay(above, 10, 4, 100))).toBeGreaterThan(1);
    expect(() => decay(above, 10, 4, Number.POSITIVE_INFINITY)).toThrow(/diverges/);
    expect(Math.abs(decay({ loss: "sum", step: 0.99 * largest }, 10, 4, 100))).toBeLessThan(1);
    expect(() => decay(FLOW, 1, 1, -1)).toThrow(RangeError);
    expect(() => decay({ loss: "sum", step: 0.1 }, 1, 1, 1.5)).toThrow(/whole steps/);
    expect(() => timeToShare({ values: Float64Array.of(1), weights: Float64Array.of(1) }, FLOW, 1, 1)).toThrow(
      RangeError,
    );
    expect(() => kernelEigen(compute, matrix(2, 2, Float64Array.of(1, 2, 2, 1)))).toThrow(/negative/);
    expect(() => kernelEigen(compute, matrix(2, 2, Float64Array.of(1, 2, 0, 1)))).toThrow(/symmetric/);
    expect(() => kernelEigen(compute, matrix(1, 2))).toThrow(/square/);
    expect(() => kernelEigen(compute, matrix(1, 1, Float64Array.of(Number.NaN)))).toThrow(/NaN/);
    expect(() => trainedOutputs(compute, eigenOf(), FLOW, 1, { Y: matrix(5, 1) })).toThrow(/5 x 1/);
  });
});
