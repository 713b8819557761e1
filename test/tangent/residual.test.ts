import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Matrix, matrix } from "../../src/base/matrix.ts";
import { type Compute, createCompute, matrixOperator } from "../../src/compute/index.ts";
import {
  centered,
  kernelEigen,
  lanczosResidual,
  lossShare,
  residualSpectrum,
  summarizeKernel,
  type Training,
  timeToShare,
} from "../../src/tangent/index.ts";
import { engineOf, normalMatrix } from "./kernels.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ backend: "js" });
});
afterAll(() => compute.close());

/** The kernel matrix of n samples, the last one equal to the first when `twice`. */
function kernelOf(name: string, n: number, twice: boolean): Matrix {
  const X = normalMatrix(name, n, 3);
  if (twice) X.data.copyWithin(3 * (n - 1), 0, 3);
  return matrix(n, n, engineOf("dense(9) relu dense(9) relu dense(1)", 3).block(compute, X, null).ntk!);
}

test("lanczosResidual brackets the loss at every time, and is exact with as many steps as rows", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 12 }),
      fc.integer({ min: 1, max: 14 }),
      fc.integer({ min: 0, max: 1000 }),
      fc.boolean(),
      (n, steps, seed, twice) => {
        const K = kernelOf(`residual ${seed}`, n, twice);
        const y = normalMatrix(`residual y ${seed}`, n, 1);
        const exact = residualSpectrum(compute, kernelEigen(compute, K), y);
        const { low, high } = compute.scope((scope) =>
          lanczosResidual(compute, matrixOperator(compute, n, scope.copy(K.data), n), y.data, steps),
        );
        const largest = exact.values.at(-1)!;
        const rules: Training[] = [
          { loss: "sum", step: "flow" },
          { loss: "sum", step: 1 / largest },
        ];
        for (const rule of rules) {
          for (const factor of [0, 1, 3, 10, 100, 1000]) {
            const time = rule.step === "flow" ? factor / largest : factor;
            const true_ = lossShare(exact, rule, 1, time);
            const [below, above] = [lossShare(low, rule, 1, time), lossShare(high, rule, 1, time)];
            expect(below).toBeLessThanOrEqual(true_ + 1e-10);
            expect(above).toBeGreaterThanOrEqual(true_ - 1e-10);
            if (steps >= n) expect(above - below).toBeLessThan(1e-8);
          }
        }
        const flow = rules[0]!;
        expect(timeToShare(low, flow, 1, 0.3)).toBeLessThanOrEqual(1.000001 * timeToShare(exact, flow, 1, 0.3));
        expect(timeToShare(high, flow, 1, 0.3)).toBeGreaterThanOrEqual(0.999999 * timeToShare(exact, flow, 1, 0.3));
      },
    ),
  );
});

test("summarizeKernel has the trace, the effective dimension and the alignment of their formulas, at any scale", () => {
  const n = 9;
  const K = kernelOf("summary", n, false);
  const Y = centered(normalMatrix("summary targets", n, 2));
  for (const q of [0, 1]) {
    let mean = 0;
    for (let i = 0; i < n; i++) mean += Y.data[2 * i + q]! / n;
    expect(mean).toBeCloseTo(0, 14);
  }
  const entry = (A: Matrix, i: number, j: number): number => A.data[i * A.cols + j]!;
  let [trace, squares, inner, targets] = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    trace += entry(K, i, i);
    for (let j = 0; j < n; j++) {
      const both = entry(Y, i, 0) * entry(Y, j, 0) + entry(Y, i, 1) * entry(Y, j, 1);
      squares += entry(K, i, j) ** 2;
      inner += entry(K, i, j) * both;
      targets += both ** 2;
    }
  }
  for (const scale of [1, 1e-200, 1e200]) {
    const data = K.data.map((value) => scale * value);
    const summary = summarizeKernel(compute, n, (from, count) => data.subarray(from * n, (from + count) * n), Y);
    expect(summary.trace / scale).toBeCloseTo(trace, 10);
    expect(summary.effectiveDimension).toBeCloseTo(trace ** 2 / squares, 10);
    expect(summary.alignment).toBeCloseTo(inner / Math.sqrt(squares * targets), 10);
  }
  const alone = summarizeKernel(compute, n, (from, count) => K.data.subarray(from * n, (from + count) * n), null);
  expect(alone.alignment).toBeNull();
  const zero = new Float64Array(n * n);
  expect(summarizeKernel(compute, n, () => zero, Y)).toEqual({ trace: 0, effectiveDimension: 0, alignment: null });
});
