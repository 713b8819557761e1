import { expect, it } from "vitest";
import { referenceKernels } from "../../src/compute/reference.ts";
import { difference, onEveryBackend, uniform } from "./backends.ts";

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

onEveryBackend("gemv", (compute) => {
  it.each(SHAPES)("gemv of a %i x %i matrix equals the double loop", (m, n) => {
    const lda = n + 2;
    const a = uniform("a", m * lda);
    for (const trans of [false, true]) {
      const x = uniform("x", trans ? m : n);
      const y = uniform("y", trans ? n : m);
      for (const [alpha, beta] of [
        [1, 0],
        [-0.5, 1],
        [2, 0.25],
        [0, 3],
      ] as const) {
        const expected = y.slice();
        referenceKernels.gemv(trans, m, n, alpha, a, lda, x, beta, expected);
        compute().scope((scope) => {
          const out = scope.copy(y);
          compute().gemv(trans, m, n, alpha, scope.copy(a), lda, scope.copy(x), beta, out);
          expect(difference(out, expected)).toBeLessThan(8 * (x.length + 4) * Number.EPSILON);
        });
      }
    }
  });

  it("gemv with beta = 0 overwrites NaN and propagates it from A", () => {
    compute().scope((scope) => {
      const a = scope.copy([1, 2, Number.NaN, 4]);
      const y = scope.f64(2).fill(Number.NaN);
      const x = scope.copy([1, 1]);
      compute().gemv(false, 2, 2, 1, a, 2, x, 0, y);
      expect(Array.from(y)).toEqual([3, Number.NaN]);
      compute().gemv(true, 2, 2, 1, a, 2, x, 0, y);
      expect(Array.from(y)).toEqual([Number.NaN, 6]);
    });
  });

  it.each(SHAPES)("normalProduct of a %i x %i matrix equals A^T (A x)", (m, n) => {
    const lda = n + 1;
    const a = uniform("a", m * lda);
    const x = uniform("x", n);
    const expected = new Float64Array(n);
    referenceKernels.normalProduct(m, n, a, lda, x, expected);
    compute().scope((scope) => {
      const y = scope.f64(n).fill(Number.NaN);
      compute().normalProduct(m, n, scope.copy(a), lda, scope.copy(x), y);
      // Each inner product is at most n, and m of them are summed.
      expect(difference(y, expected)).toBeLessThan(4 * (n + 1) * (m + n + 4) * Number.EPSILON);
    });
  });
});
