import fc from "fast-check";
import { expect, it } from "vitest";
import { referenceKernels } from "../../src/compute/reference.ts";
import { difference, onEveryPrecision, uniform } from "./backends.ts";

interface Shape {
  readonly transA: boolean;
  readonly transB: boolean;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly alpha: number;
  readonly beta: number;
  /** Entries by which each row distance exceeds the row. */
  readonly slack: number;
}

onEveryPrecision("gemm and syrk", (kernels, precision, compute) => {
  /** Rounding of a sum of k products of numbers in [-1, 1], in any order, times the scalars in use. */
  const tolerance = (k: number): number => 8 * (k + 4) * precision.epsilon;
  const reference = precision.kernels(referenceKernels);
  const copy = precision.copy;

  const check = ({ transA, transB, m, n, k, alpha, beta, slack }: Shape): void => {
    const [rowsA, colsA] = transA ? [k, m] : [m, k];
    const [rowsB, colsB] = transB ? [n, k] : [k, n];
    const a = precision.round(uniform("a", rowsA * (colsA + slack)));
    const b = precision.round(uniform("b", rowsB * (colsB + slack)));
    const c = precision.round(uniform("c", m * (n + slack)));
    const expected = c.slice();
    const scalars = [m, n, k, alpha] as const;
    const [lda, ldb, ldc] = [colsA + slack, colsB + slack, n + slack];
    reference.gemm(transA, transB, ...scalars, a, lda, b, ldb, beta, expected, ldc);
    compute().scope((scope) => {
      const out = copy(scope, c);
      kernels().gemm(transA, transB, ...scalars, copy(scope, a), lda, copy(scope, b), ldb, beta, out, ldc);
      expect(difference(out, expected), JSON.stringify({ transA, transB, m, n, k, alpha, beta, slack })).toBeLessThan(
        tolerance(k),
      );
    });
  };
  const plain = { transA: false, transB: false, alpha: 1, beta: 0, slack: 0 };

  it("gemm equals the triple loop on random small shapes", () => {
    const size = fc.integer({ min: 0, max: 21 });
    const scalar = fc.constantFrom(0, 1, -1, 0.75);
    const shape = fc.record({
      ...{ transA: fc.boolean(), transB: fc.boolean(), m: size, n: size, k: size },
      ...{ alpha: scalar, beta: scalar, slack: fc.integer({ min: 0, max: 3 }) },
    });
    fc.assert(fc.property(shape, check), { numRuns: 150 });
  });

  it("gemm equals the triple loop across the edges of every block and the thread threshold", () => {
    for (const transA of [false, true]) {
      for (const transB of [false, true]) {
        check({ ...plain, transA, transB, m: 133, n: 67, k: 261 });
        check({ ...plain, transA, transB, m: 5, n: 1030, k: 70, alpha: -0.5, beta: 1, slack: 1 });
      }
    }
  });

  it("gemm with beta = 0 overwrites NaN, with beta = 1 keeps it", () => {
    compute().scope((scope) => {
      const one = copy(scope, [1]);
      const c = copy(scope, [Number.NaN]);
      kernels().gemm(false, false, 1, 1, 1, 2, one, 1, one, 1, 1, c, 1);
      expect(c[0]).toBeNaN();
      kernels().gemm(false, false, 1, 1, 1, 2, one, 1, one, 1, 0, c, 1);
      expect(c[0]).toBe(2);
    });
  });

  it("gemm with k = 0 or alpha = 0 only scales C", () => {
    compute().scope((scope) => {
      const c = copy(scope, [1, 2, 3, 4]);
      const none = copy(scope, new Float64Array(0));
      kernels().gemm(false, false, 2, 2, 0, 1, none, 0, none, 2, 0.5, c, 2);
      expect(Array.from(c)).toEqual([0.5, 1, 1.5, 2]);
      const nan = copy(scope, [Number.NaN, Number.NaN]);
      kernels().gemm(false, false, 2, 2, 1, 0, nan, 1, nan, 2, 2, c, 2);
      expect(Array.from(c)).toEqual([1, 2, 3, 4]);
    });
  });

  it("gemm propagates NaN and infinity to their row and column alone", () => {
    const n = 9;
    compute().scope((scope) => {
      const a = copy(scope, new Float64Array(n * n)).fill(1);
      const b = copy(scope, new Float64Array(n * n)).fill(1);
      const c = copy(scope, new Float64Array(n * n));
      a[2 * n + 3] = Number.NaN;
      b[4 * n + 8] = Number.POSITIVE_INFINITY;
      kernels().gemm(false, false, n, n, n, 1, a, n, b, n, 0, c, n);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          expect(c[i * n + j], `${i} ${j}`).toBe(i === 2 ? Number.NaN : j === 8 ? Number.POSITIVE_INFINITY : n);
        }
      }
    });
  });

  it("gemm leaves the entries between the rows of C alone", () => {
    compute().scope((scope) => {
      const c = copy(scope, new Float64Array(5 * 7)).fill(9);
      const a = copy(scope, new Float64Array(25)).fill(1);
      kernels().gemm(false, false, 5, 5, 5, 1, a, 5, a, 5, 0, c, 7);
      for (let i = 0; i < 5; i++) expect(Array.from(c.subarray(i * 7, i * 7 + 7))).toEqual([5, 5, 5, 5, 5, 9, 9]);
    });
  });

  const checkSyrk = (shape: Pick<Shape, "n" | "k" | "alpha" | "beta" | "slack"> & { trans: boolean }): void => {
    const { trans, n, k, alpha, beta, slack } = shape;
    const [rows, cols] = trans ? [k, n] : [n, k];
    const a = precision.round(uniform("a", rows * (cols + slack)));
    const c = precision.round(uniform("c", n * (n + slack)));
    // The strict upper triangle must not be touched: NaN must stay there, and must not spread.
    for (let i = 0; i < n; i++) c.fill(Number.NaN, i * (n + slack) + i + 1, i * (n + slack) + n);
    const expected = c.slice();
    reference.syrk(trans, n, k, alpha, a, cols + slack, beta, expected, n + slack);
    compute().scope((scope) => {
      const out = copy(scope, c);
      kernels().syrk(trans, n, k, alpha, copy(scope, a), cols + slack, beta, out, n + slack);
      expect(difference(out, expected), JSON.stringify(shape)).toBeLessThan(tolerance(k));
    });
  };

  it("syrk equals the loops over the lower triangle on random small shapes", () => {
    const size = fc.integer({ min: 0, max: 21 });
    const scalar = fc.constantFrom(0, 1, -1, 0.75);
    const shape = fc.record({
      ...{ trans: fc.boolean(), n: size, k: size, alpha: scalar, beta: scalar },
      slack: fc.integer({ min: 0, max: 3 }),
    });
    fc.assert(fc.property(shape, checkSyrk), { numRuns: 150 });
  });

  it("syrk equals the loops across the edges of every block and the thread threshold", () => {
    for (const trans of [false, true]) {
      checkSyrk({ trans, n: 133, k: 261, alpha: 1, beta: 0, slack: 0 });
      checkSyrk({ trans, n: 301, k: 70, alpha: -0.5, beta: 1, slack: 2 });
      checkSyrk({ trans, n: 1034, k: 3, alpha: 1, beta: 1, slack: 1 });
    }
  });

  it("syrk equals the lower triangle of gemm, with NaN and infinity in their rows and columns alone", () => {
    const [n, k] = [21, 9];
    compute().scope((scope) => {
      const a = copy(scope, new Float64Array(n * k).fill(1));
      a[3 * k + 2] = Number.NaN;
      a[15 * k + 4] = Number.POSITIVE_INFINITY;
      const c = copy(scope, new Float64Array(n * n).fill(7));
      kernels().syrk(false, n, k, 1, a, k, 0, c, n);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          const special = i === 3 || j === 3 ? Number.NaN : i === 15 || j === 15 ? Number.POSITIVE_INFINITY : k;
          expect(c[i * n + j], `${i} ${j}`).toBe(j > i ? 7 : special);
        }
      }
    });
  });
});
