import fc from "fast-check";
import { expect, it } from "vitest";
import type { Compute, Scope } from "../../src/compute/index.ts";
import {
  factorPivotedQr,
  factorQr,
  leastSquares,
  multiplyByQ,
  type QrFactors,
  qrRank,
  thinQ,
} from "../../src/compute/qr.ts";
import { onEveryBackend, uniform } from "./backends.ts";
import { compact, distance, frobenius, largest, orthogonalityError, padded, product, transposed } from "./dense.ts";

const shapes: readonly (readonly [number, number])[] = [
  [0, 0],
  [0, 3],
  [3, 0],
  [1, 1],
  [1, 5],
  [5, 1],
  [7, 7],
  [32, 32],
  [33, 32],
  [32, 33],
  [90, 40],
  [40, 90],
  [130, 70],
  [3, 200],
  [200, 3],
];

const factorizations = [
  ["factorQr", factorQr],
  ["factorPivotedQr", factorPivotedQr],
] as const;

/** m x n of rank `rank`, exactly: the product of small integers. */
function ofRank(m: number, n: number, rank: number): Float64Array {
  const integers = (name: string, length: number): Float64Array =>
    uniform(name, length).map((value) => Math.round(3 * value));
  return product(m, rank, n, integers("left", m * rank), integers("right", rank * n));
}

/** Q (m x k) and R (k x n) of a factorization, contiguous. */
function parts(compute: Compute, scope: Scope, factors: QrFactors): { q: Float64Array; r: Float64Array } {
  const { rows, cols, lower, distance: apart } = factors;
  const k = Math.min(rows, cols);
  const q = scope.f64(rows * (k + 1)).fill(Number.NaN);
  thinQ(compute, factors, q, k + 1);
  const r = transposed(cols, k, compact(cols, k, lower, apart));
  return { q: compact(rows, k, q, k + 1), r };
}

/** Checks A P = Q R, Q^T Q = I and the triangle, and returns R. */
function check(
  compute: Compute,
  scope: Scope,
  m: number,
  n: number,
  a: Float64Array,
  factors: QrFactors,
): Float64Array {
  const { q, r } = parts(compute, scope, factors);
  const k = Math.min(m, n);
  const scale = largest(a) || 1;
  const permuted = a.map((_, at) => a[Math.floor(at / n) * n + factors.permutation[at % n]!]!);
  expect(distance(product(m, k, n, q, r), permuted)).toBeLessThanOrEqual(1e-14 * (m + n) * scale);
  expect(orthogonalityError(m, k, q)).toBeLessThanOrEqual(1e-14 * (m + 1));
  for (let i = 0; i < k; i++) for (let j = 0; j < i; j++) expect(r[i * n + j]).toBe(0);
  expect(Array.from(factors.permutation).sort((i, j) => i - j)).toEqual(Array.from({ length: n }, (_, j) => j));
  return r;
}

onEveryBackend("QR", (compute) => {
  it.each(factorizations.flatMap(([name, factor]) => shapes.map(([m, n]) => [name, m, n, factor] as const)))(
    "%s of a %i x %i matrix is orthogonal times triangular",
    (_, m, n, factor) => {
      const a = uniform("a", m * n);
      compute().scope((scope) => {
        const stored = scope.copy(padded(m, n, a, n + 2));
        check(compute(), scope, m, n, a, factor(compute(), scope, m, n, stored, n + 2));
        expect(distance(compact(m, n, stored, n + 2), a)).toBe(0);
      });
    },
  );

  it("factorQr keeps the columns in place", () => {
    compute().scope((scope) => {
      const factors = factorQr(compute(), scope, 4, 3, scope.copy([1, 2, 9, 1, 2, 9, 1, 2, 9, 1, 2, 9]), 3);
      expect(Array.from(factors.permutation)).toEqual([0, 1, 2]);
    });
  });

  it.each([
    // Norms that are downdated far, and (nearly parallel columns) lost to cancellation in one step.
    ["columns of very different size", (value: number, j: number) => value * 10 ** (-((j * 29) % 75) / 6)],
    ["columns that are nearly parallel", (value: number, j: number) => 1 + 1e-9 * value * (1 + (j % 7))],
  ] as const)("factorPivotedQr of %s: the pivot has the largest norm left", (_, entry) => {
    const [m, n] = [80, 75];
    const a = uniform("a", m * n).map((value, at) => entry(value, at % n));
    compute().scope((scope) => {
      const r = check(compute(), scope, m, n, a, factorPivotedQr(compute(), scope, m, n, scope.copy(a), n));
      for (let k = 0; k < n; k++) {
        for (let j = k + 1; j < n; j++) {
          // |R_kk|^2 >= sum over i = k .. j of |R_ij|^2.
          let square = 0;
          for (let i = k; i <= j; i++) square += r[i * n + j]! ** 2;
          expect(Math.sqrt(square)).toBeLessThanOrEqual(Math.abs(r[k * n + k]!) * (1 + 1e-6));
        }
      }
    });
  });

  it.each([
    [60, 50, 0],
    [60, 50, 1],
    [60, 50, 17],
    [60, 50, 50],
    [50, 60, 34],
    [5, 100, 3],
  ])("qrRank of a %i x %i product of rank %i", (m, n, rank) => {
    compute().scope((scope) => {
      const a = ofRank(m, n, rank);
      const factors = factorPivotedQr(compute(), scope, m, n, scope.copy(a), n);
      check(compute(), scope, m, n, a, factors);
      expect(qrRank(factors)).toBe(rank);
      expect(qrRank(factors, 2)).toBe(0);
    });
  });

  it("multiplyByQ is orthogonal, agrees with thinQ, and its transpose undoes it", () => {
    for (const [m, n, nrhs] of [
      [70, 40, 9],
      [40, 70, 1],
      [5, 5, 0],
    ] as const) {
      compute().scope((scope) => {
        const factors = factorQr(compute(), scope, m, n, scope.copy(uniform("a", m * n)), n);
        const b = uniform("b", m * nrhs);
        const stored = scope.copy(padded(m, nrhs, b, nrhs + 1));
        multiplyByQ(compute(), factors, true, nrhs, stored, nrhs + 1);
        const image = compact(m, nrhs, stored, nrhs + 1);
        expect(Math.abs(frobenius(image) - frobenius(b))).toBeLessThan(1e-13);
        const k = Math.min(m, n);
        const { q } = parts(compute(), scope, factors);
        const expected = product(k, m, nrhs, transposed(m, k, q), b);
        expect(distance(expected, image)).toBeLessThan(1e-13);
        multiplyByQ(compute(), factors, false, nrhs, stored, nrhs + 1);
        expect(distance(compact(m, nrhs, stored, nrhs + 1), b)).toBeLessThan(1e-13);
      });
    }
  });

  it.each([
    [1, 1, 1, 1],
    [50, 30, 30, 2],
    [30, 30, 30, 1],
    [30, 50, 30, 3],
    [60, 45, 20, 2],
    [45, 60, 33, 1],
    [20, 10, 0, 2],
    [0, 4, 0, 1],
    [4, 0, 0, 1],
  ])(
    "leastSquares %i x %i of rank %i with %i right-hand sides: normal equations, smallest norm",
    (m, n, rank, nrhs) => {
      const full = rank === Math.min(m, n);
      const a = full ? uniform("a", m * n) : ofRank(m, n, rank);
      const b = uniform("b", m * nrhs);
      compute().scope((scope) => {
        const [storedA, storedB] = [scope.copy(a), scope.copy(padded(m, nrhs, b, nrhs + 1))];
        const out = scope.f64(n * (nrhs + 2)).fill(Number.NaN);
        expect(leastSquares(compute(), m, n, storedA, n, nrhs, storedB, nrhs + 1, out, nrhs + 2)).toBe(rank);
        const x = compact(n, nrhs, out, nrhs + 2);
        const residual = product(m, n, nrhs, a, x).map((value, at) => value - b[at]!);
        const scale = frobenius(a) ** 2 * (frobenius(x) + 1) + 1;
        expect(largest(product(n, m, nrhs, transposed(m, n, a), residual))).toBeLessThan(1e-13 * scale);
        // Smallest norm: x lies in the range of A^T, so a second solve with A^T reaches it exactly.
        if (n === 0) return;
        const at = scope.copy(transposed(m, n, a));
        const y = scope.f64(m * nrhs);
        leastSquares(compute(), n, m, at, m, nrhs, scope.copy(x), nrhs, y, nrhs);
        expect(distance(product(n, m, nrhs, transposed(m, n, a), y), x)).toBeLessThan(1e-11 * (1 + largest(x)));
        expect(distance(storedA, a)).toBe(0);
      });
    },
  );

  it("leastSquares recovers what it was made from", () => {
    const sizes = fc.record({ m: fc.integer({ min: 1, max: 40 }), n: fc.integer({ min: 1, max: 40 }) });
    fc.assert(
      fc.property(sizes, fc.string(), ({ m, n }, name) => {
        fc.pre(m >= n);
        // Diagonally dominant, so that the solution is well determined.
        const a = uniform(name, m * n).map((value, at) => value / n + (at % (n + 1) === 0 && at < n * n ? 2 : 0));
        const expected = uniform(`${name} x`, n);
        compute().scope((scope) => {
          const x = scope.f64(n);
          const b = scope.copy(product(m, n, 1, a, expected));
          expect(leastSquares(compute(), m, n, scope.copy(a), n, 1, b, 1, x, 1)).toBe(n);
          expect(distance(x, expected)).toBeLessThan(1e-13);
        });
      }),
      { numRuns: 15 },
    );
  });

  it.each(factorizations)(
    "%s reflects columns whose squares and reciprocals leave the range of numbers",
    (_, factor) => {
      const [m, n] = [12, 8];
      for (const size of [1e-309, 1e-300, 1e-160, 1e160, 1e300]) {
        const a = uniform("a", m * n).map((value) => value * size);
        compute().scope((scope) => {
          check(compute(), scope, m, n, a, factor(compute(), scope, m, n, scope.copy(a), n));
        });
      }
    },
  );

  it("a NaN in A or B reaches the solution of leastSquares", () => {
    compute().scope((scope) => {
      for (const bad of [0, 7, 11]) {
        const a = scope.copy(uniform("a", 12));
        a[bad] = Number.NaN;
        const x = scope.f64(3);
        leastSquares(compute(), 4, 3, a, 3, 1, scope.copy(uniform("b", 4)), 1, x, 1);
        expect(x.some(Number.isNaN)).toBe(true);
      }
      const x = scope.f64(3);
      const b = scope.copy([1, Number.NaN, 0, 0]);
      leastSquares(compute(), 4, 3, scope.copy(uniform("a", 12)), 3, 1, b, 1, x, 1);
      expect(x.some(Number.isNaN)).toBe(true);
    });
  });

  it("factorQr, factorPivotedQr, multiplyByQ, thinQ and leastSquares refuse arrays that are too short", () => {
    compute().scope((scope) => {
      const a = scope.f64(12);
      for (const [, factor] of factorizations) {
        expect(() => factor(compute(), scope, 5, 3, a, 3)).toThrow(
          /A \(5 x 3 with rows 3 apart\) needs 15 entries.*12/,
        );
        expect(() => factor(compute(), scope, 4, 3, a, 2)).toThrow(/3 long but 2 apart/);
        expect(() => factor(compute(), scope, -1, 3, a, 3)).toThrow(/-1/);
      }
      const factors = factorQr(compute(), scope, 4, 3, a, 3);
      expect(() => multiplyByQ(compute(), factors, true, 4, a, 4)).toThrow(RangeError);
      expect(() => thinQ(compute(), factors, scope.f64(11), 3)).toThrow(/Q .* needs 12 entries.*11/);
      expect(() => leastSquares(compute(), 4, 3, a, 3, 1, scope.f64(3), 1, scope.f64(3), 1)).toThrow(
        /B .*4 entries.*3/,
      );
      expect(() => leastSquares(compute(), 4, 3, a, 3, 1, scope.f64(4), 1, scope.f64(2), 1)).toThrow(
        /X .*3 entries.*2/,
      );
    });
  });
});
