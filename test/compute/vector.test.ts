import fc from "fast-check";
import { expect, it } from "vitest";
import { referenceKernels } from "../../src/compute/reference.ts";
import { difference, onEveryBackend, uniform } from "./backends.ts";

const LENGTHS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 1000];

onEveryBackend("vector kernels", (compute) => {
  it.each(LENGTHS)("dot, axpy, norm1, norm2 and normInf of %i entries equal the plain loops", (n) => {
    const x = uniform("x", n);
    const y = uniform("y", n);
    const moved = y.slice();
    referenceKernels.axpy(n, -1.5, x, moved);
    compute().scope((scope) => {
      const a = scope.copy(x);
      const b = scope.copy(y);
      const near = (value: number, expected: number): void =>
        expect(Math.abs(value - expected)).toBeLessThanOrEqual(2 * n * Number.EPSILON);
      near(compute().dot(n, a, b), referenceKernels.dot(n, x, y));
      near(compute().norm1(n, a), referenceKernels.norm1(n, x));
      near(compute().norm2(n, a), referenceKernels.norm2(n, x));
      expect(compute().normInf(n, a)).toBe(referenceKernels.normInf(n, x));
      compute().axpy(n, -1.5, a, b);
      expect(difference(b, moved)).toBeLessThan(4 * Number.EPSILON);
    });
  });

  it("norm2 does not overflow or underflow", () => {
    const exponent = fc.integer({ min: -1000, max: 1000 });
    fc.assert(
      fc.property(exponent, fc.integer({ min: 1, max: 40 }), (power, n) => {
        compute().scope((scope) => {
          const size = 2 ** power;
          const norm = compute().norm2(n, scope.f64(n).fill(size));
          expect(Math.abs(norm / size / Math.sqrt(n) - 1)).toBeLessThan(1e-14);
        });
      }),
    );
    compute().scope((scope) => expect(compute().norm2(1, scope.copy([5e-324]))).toBe(5e-324));
  });

  it("norm1, norm2, normInf and dot propagate NaN and infinity", () => {
    compute().scope((scope) => {
      for (let n = 1; n < 12; n++) {
        for (let at = 0; at < n; at++) {
          const x = scope.f64(n).fill(1);
          const ones = scope.f64(n).fill(1);
          x[at] = Number.NEGATIVE_INFINITY;
          for (const norm of ["norm1", "norm2", "normInf"] as const) {
            expect(compute()[norm](n, x), norm).toBe(Number.POSITIVE_INFINITY);
          }
          x[at] = Number.NaN;
          for (const norm of ["norm1", "norm2", "normInf"] as const) expect(compute()[norm](n, x), norm).toBeNaN();
          expect(compute().dot(n, x, ones)).toBeNaN();
        }
      }
    });
  });

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
