import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Matrix, matrix } from "../../src/base/matrix.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import {
  kernelEigen,
  kernelProduct,
  krylovTraining,
  type Start,
  type Training,
  testOutputs,
  trainedOutputs,
} from "../../src/tangent/index.ts";
import { distance, engineOf, normalMatrix } from "./kernels.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ threads: 1 });
});
afterAll(() => compute.close());

const network = engineOf("dense(9, b=0.3) relu dense(9) relu dense(1)", 3);

/** Kernels of n training inputs and m others: T(X, X), T(x, X) and T(x, x); the last training input repeats the first when `twice`. */
function kernels(name: string, n: number, m: number, twice = false): { T: Matrix; cross: Matrix; own: number[] } {
  const [X, tests] = [normalMatrix(name, n, 3), normalMatrix(`${name} tests`, m, 3)];
  if (twice) X.data.copyWithin(3 * (n - 1), 0, 3);
  const own = network.block(compute, tests, null).ntk!;
  return {
    T: matrix(n, n, network.block(compute, X, null).ntk!),
    cross: matrix(m, n, network.block(compute, tests, X).ntk!),
    own: Array.from({ length: m }, (_, i) => own[i * (m + 1)]!),
  };
}

const column = ({ rows, cols, data }: Matrix, q: number): number[] =>
  Array.from({ length: rows }, (_, i) => data[i * cols + q]!);
const off = (a: readonly number[], b: readonly number[]): number => Math.hypot(...a.map((value, i) => value - b[i]!));

describe("krylovTraining", () => {
  test("is within its bounds of the spectral formulas, after any number of products", () => {
    const share = fc.constantFrom(0.01, 0.5, 0.99, 1.3, 1.99);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1000 }),
        fc.constantFrom(1, 2, 5, 12, 30),
        fc.option(share, { nil: "flow" as const }),
        fc.constantFrom("sum" as const, "mean" as const),
        fc.constantFrom(1, 2, 4, 8, 16, 100),
        fc.boolean(),
        (seed, n, size, loss, steps, twice) => {
          const { T, cross, own } = kernels(`krylov ${seed}`, n, 3, twice && n > 1);
          const start: Start = { Y: normalMatrix(`krylov y ${seed}`, n, 2), outputs: normalMatrix(`f ${seed}`, n, 2) };
          const eigen = kernelEigen(compute, T);
          const unit = (loss === "sum" ? 1 : 2 * n) / eigen.values.at(-1)!;
          const training: Training = { loss, step: size === "flow" ? size : size * unit };
          const times = [0, 0.1, 1, 7, 100, 3000].map((time) => (size === "flow" ? time * unit : Math.ceil(10 * time)));
          const { at, converged } = krylovTraining(compute, kernelProduct(compute, T), training, times, start, {
            steps,
          });
          if (steps >= n) expect(converged).toBe(true);
          at.forEach(({ time, outputs, coefficients, errors, testErrors }, k) => {
            expect(time).toBe(times[k]);
            const exact = trainedOutputs(compute, eigen, training, time, start);
            const tests = testOutputs(compute, eigen, training, time, start, { kernel: cross });
            for (const q of [0, 1]) {
              expect(off(column(outputs, q), column(exact, q))).toBeLessThanOrEqual(errors[q]! + 1e-10);
              for (const [i, kernel] of own.entries()) {
                let out = 0;
                for (let j = 0; j < n; j++) out += cross.data[i * n + j]! * coefficients.data[2 * j + q]!;
                const bound = Math.sqrt(kernel) * testErrors[q]!;
                expect(Math.abs(out - tests.data[2 * i + q]!)).toBeLessThanOrEqual(bound + 1e-9);
              }
            }
          });
        },
      ),
      { numRuns: 150 },
    );
  });

  test("of 600 rows takes far fewer products than rows, and no more than a few times its error", () => {
    const { T } = kernels("many", 600, 1);
    const start = { Y: normalMatrix("many y", 600, 1) };
    const eigen = kernelEigen(compute, T);
    for (const step of ["flow", 1 / eigen.values.at(-1)!, 1.9 / eigen.values.at(-1)!] as const) {
      const training: Training = { loss: "sum", step };
      const time = step === "flow" ? 1e4 / eigen.values.at(-1)! : 10_000;
      const { at, converged, products } = krylovTraining(compute, kernelProduct(compute, T), training, [time], start);
      const exact = trainedOutputs(compute, eigen, training, time, start);
      const error = off(column(at[0]!.outputs, 0), column(exact, 0));
      const norm = Math.hypot(...start.Y.data);
      expect(converged).toBe(true);
      expect(products).toBeLessThan(300);
      expect(at[0]!.errors[0]! / norm).toBeLessThanOrEqual(1e-8);
      expect(error / norm).toBeLessThan(1e-8);
      // Cut short, the bound says so, and is not idle.
      const short = krylovTraining(compute, kernelProduct(compute, T), training, [time], start, { steps: 40 });
      const rest = off(column(short.at[0]!.outputs, 0), column(exact, 0));
      expect(short.converged).toBe(false);
      expect(short.at[0]!.errors[0]!).toBeGreaterThanOrEqual(rest);
      expect(short.at[0]!.errors[0]!).toBeLessThan(30 * rest);
    }
  });

  test("has the targets at once where nothing is left to learn, and leaves what the kernel does not see", () => {
    const Y = matrix(3, 2, Float64Array.of(1, 2, 1, 0, -1, 0));
    const T = matrix(3, 3, Float64Array.of(1, 1, 0, 1, 1, 0, 0, 0, 0));
    const outputs = matrix(3, 2, Float64Array.of(1, 0, 1, 0, -1, 5));
    const { at, products } = krylovTraining(
      compute,
      kernelProduct(compute, T),
      { loss: "sum", step: "flow" },
      [0, 1e3],
      { Y, outputs },
    );
    expect(distance(at[0]!.outputs.data, outputs.data)).toBe(0);
    // The first output is its target; of the second, [2, 0] goes to its mean and [5] stays.
    expect(distance(at[1]!.outputs.data, [1, 1, 1, 1, -1, 5])).toBeLessThan(1e-12);
    expect(at[1]!.errors[0]).toBe(0);
    expect(products).toBeLessThanOrEqual(3);
  });

  test("refuses infinite times, parts of steps, steps that diverge, and wrong shapes", () => {
    const { T } = kernels("refused", 5, 1);
    const start = { Y: normalMatrix("refused y", 5, 1) };
    const run = (training: Training, time: number) =>
      krylovTraining(compute, kernelProduct(compute, T), training, [time], start);
    expect(() => run({ loss: "sum", step: "flow" }, Number.POSITIVE_INFINITY)).toThrow(/finite/);
    expect(() => run({ loss: "sum", step: "flow" }, -1)).toThrow(RangeError);
    expect(() => run({ loss: "sum", step: 0.01 }, 1.5)).toThrow(/whole steps/);
    expect(() => run({ loss: "sum", step: 1e3 }, 5)).toThrow(/diverges/);
    expect(() =>
      krylovTraining(compute, kernelProduct(compute, T), { loss: "sum", step: "flow" }, [1], {
        ...start,
        outputs: matrix(4, 1),
      }),
    ).toThrow(/4 x 1/);
  });
});
