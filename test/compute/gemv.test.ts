import { expect, it } from "vitest";
import { referenceKernels } from "../../src/compute/reference.ts";
import { difference, onEveryPrecision, uniform } from "./backends.ts";

const SHAPES = [
  [0, 0],
  [0, 3],
  [3, 0],
  [1, 1],
  [1, 9],
  [9, 1],
  [4, 4],
  [7, 13],
  [6, 35],
  [130, 131],
  [1001, 517],
  [3, 100_003],
  [100_003, 5],
] as const;

onEveryPrecision("gemv", (kernels, precision, compute) => {
  const reference = precision.kernels(referenceKernels);
  const { copy, round, epsilon } = precision;

  it.each(SHAPES)("gemv of a %i x %i matrix equals the double loop", (m, n) => {
    const lda = n + 2;
    const a = round(uniform("a", m * lda));
    for (const trans of [false, true]) {
      const x = round(uniform("x", trans ? m : n));
      const y = round(uniform("y", trans ? n : m));
      for (const [alpha, beta] of [
        [1, 0],
        [-0.5, 1],
        [2, 0.25],
        [0, 3],
      ] as const) {
        const expected = y.slice();
        reference.gemv(trans, m, n, alpha, a, lda, x, beta, expected);
        compute().scope((scope) => {
          const out = copy(scope, y);
          kernels().gemv(trans, m, n, alpha, copy(scope, a), lda, copy(scope, x), beta, out);
          expect(difference(out, expected)).toBeLessThan(8 * (x.length + 4) * epsilon);
        });
      }
    }
  });

  it("gemv with beta = 0 overwrites NaN and propagates it from A", () => {
    compute().scope((scope) => {
      const a = copy(scope, [1, 2, Number.NaN, 4]);
      const y = copy(scope, new Float64Array(2)).fill(Number.NaN);
      const x = copy(scope, [1, 1]);
      kernels().gemv(false, 2, 2, 1, a, 2, x, 0, y);
      expect(Array.from(y)).toEqual([3, Number.NaN]);
      kernels().gemv(true, 2, 2, 1, a, 2, x, 0, y);
      expect(Array.from(y)).toEqual([Number.NaN, 6]);
    });
  });

  it.each(SHAPES)("normalProduct of a %i x %i matrix equals A^T (A x)", (m, n) => {
    const lda = n + 1;
    const a = round(uniform("a", m * lda));
    const x = round(uniform("x", n));
    const expected = round(new Float64Array(n));
    reference.normalProduct(m, n, a, lda, x, expected);
    compute().scope((scope) => {
      const y = copy(scope, new Float64Array(n)).fill(Number.NaN);
      kernels().normalProduct(m, n, copy(scope, a), lda, copy(scope, x), y);
      // Each inner product is at most n, and m of them are summed.
      expect(difference(y, expected)).toBeLessThan(4 * (n + 1) * (m + n + 4) * epsilon);
    });
  });
});
