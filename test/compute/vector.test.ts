import fc from "fast-check";
import { expect, it } from "vitest";
import { referenceKernels } from "../../src/compute/reference.ts";
import { difference, onEveryBackend, onEveryPrecision, uniform } from "./backends.ts";

const LENGTHS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 1000];

onEveryPrecision("vector kernels", (kernels, precision, compute) => {
  const reference = precision.kernels(referenceKernels);
  const { copy, round, epsilon } = precision;

  it.each(LENGTHS)("dot, axpy, norm1, norm2 and normInf of %i entries equal the plain loops", (n) => {
    const x = round(uniform("x", n));
    const y = round(uniform("y", n));
    const moved = y.slice();
    reference.axpy(n, -1.5, x, moved);
    compute().scope((scope) => {
      const a = copy(scope, x);
      const b = copy(scope, y);
      const near = (value: number, expected: number): void =>
        expect(Math.abs(value - expected)).toBeLessThanOrEqual(2 * n * epsilon);
      near(kernels().dot(n, a, b), reference.dot(n, x, y));
      near(kernels().norm1(n, a), reference.norm1(n, x));
      near(kernels().norm2(n, a), reference.norm2(n, x));
      expect(kernels().normInf(n, a)).toBe(reference.normInf(n, x));
      kernels().axpy(n, -1.5, a, b);
      expect(difference(b, moved)).toBeLessThan(4 * epsilon);
    });
  });

  it("norm2 does not overflow or underflow", () => {
    const most = precision.name === "f64" ? 1000 : 120;
    const exponent = fc.integer({ min: -most, max: most });
    fc.assert(
      fc.property(exponent, fc.integer({ min: 1, max: 40 }), (power, n) => {
        compute().scope((scope) => {
          const size = 2 ** power;
          const norm = kernels().norm2(n, copy(scope, new Float64Array(n)).fill(size));
          expect(Math.abs(norm / size / Math.sqrt(n) - 1)).toBeLessThan(16 * epsilon);
        });
      }),
    );
    compute().scope((scope) => {
      const least = precision.name === "f64" ? 2 ** -1074 : 2 ** -149;
      expect(kernels().norm2(1, copy(scope, [least]))).toBe(least);
    });
  });

  it("norm1, norm2, normInf and dot propagate NaN and infinity", () => {
    compute().scope((scope) => {
      for (let n = 1; n < 12; n++) {
        for (let at = 0; at < n; at++) {
          const x = copy(scope, new Float64Array(n)).fill(1);
          const ones = copy(scope, new Float64Array(n)).fill(1);
          x[at] = Number.NEGATIVE_INFINITY;
          for (const norm of ["norm1", "norm2", "normInf"] as const) {
            expect(kernels()[norm](n, x), norm).toBe(Number.POSITIVE_INFINITY);
          }
          x[at] = Number.NaN;
          for (const norm of ["norm1", "norm2", "normInf"] as const) expect(kernels()[norm](n, x), norm).toBeNaN();
          expect(kernels().dot(n, x, ones)).toBeNaN();
        }
      }
    });
  });
});

onEveryBackend("blockSoftThreshold", (compute) => {
  it.each([0, 1, 2, 5, 32])("blockSoftThreshold with d = %i is the proximal map", (d) => {
    const p = 7;
    const v = uniform("v", p * d);
    v.fill(0, 0, d);
    const expected = v.slice();
    referenceKernels.blockSoftThreshold(p, d, expected, 0.9);
    compute().scope((scope) => {
      const out = scope.copy(v);
      compute().blockSoftThreshold(p, d, out, 0.9);
      expect(difference(out, expected)).toBeLessThan(8 * Number.EPSILON);
      const kept = scope.copy(v);
      compute().blockSoftThreshold(p, d, kept, 0);
      expect(difference(kept, v)).toBe(0);
    });
  });

  it("blockSoftThreshold zeroes a block exactly at its norm and keeps NaN", () => {
    compute().scope((scope) => {
      const v = scope.copy([3, 4, 6, 8, Number.NaN, 0]);
      compute().blockSoftThreshold(3, 2, v, 5);
      expect(Array.from(v)).toEqual([0, 0, 3, 4, Number.NaN, Number.NaN]);
    });
  });
});
