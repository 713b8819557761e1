import { expect, it } from "vitest";
import { referenceKernels } from "../../src/compute/reference.ts";
import { difference, onEveryBackend, uniform } from "./backends.ts";

/** G G^T + n I with rows `lda` apart; the strict upper triangle is NaN, which no kernel may read. */
function positiveDefinite(n: number, lda: number): Float64Array {
  const g = uniform("g", n * n);
  const a = new Float64Array(n * lda).fill(Number.NaN);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = i === j ? n : 0;
      for (let k = 0; k < n; k++) sum += g[i * n + k]! * g[j * n + k]!;
      a[i * lda + j] = sum;
    }
  }
  return a;
}

/** A well-conditioned lower triangle whose strict upper triangle is NaN. */
function lowerTriangle(n: number, ldl: number): Float64Array {
  const l = uniform("l", n * ldl);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < ldl; j++) l[i * ldl + j] = j > i ? Number.NaN : l[i * ldl + j]! / (n + 1);
    l[i * ldl + i] = 1 + Math.abs(l[i * ldl + i]!);
  }
  return l;
}

function symmetric(n: number, lda: number): Float64Array {
  const a = uniform("s", n * lda);
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) a[i * lda + j] = a[j * lda + i]!;
  return a;
}

onEveryBackend("factorizations", (compute) => {
  it.each([0, 1, 2, 7, 16, 17, 40, 128, 133, 300])(
    "cholesky of order %i gives L L^T = A with a zero upper triangle",
    (n) => {
      const lda = n + 3;
      const a = positiveDefinite(n, lda);
      compute().scope((scope) => {
        const l = scope.copy(a);
        expect(compute().cholesky(n, l, lda)).toBe(0);
        let worst = 0;
        for (let i = 0; i < n; i++) {
          for (let j = 0; j < n; j++) {
            if (j > i) expect(l[i * lda + j]).toBe(0);
            else {
              let sum = 0;
              for (let k = 0; k <= j; k++) sum += l[i * lda + k]! * l[j * lda + k]!;
              worst = Math.max(worst, Math.abs(sum - a[i * lda + j]!));
            }
          }
          for (let j = n; j < lda; j++) expect(l[i * lda + j]).toBeNaN();
        }
        // Backward error of Cholesky: (n + 1) eps times the diagonal, at most 2 n here.
        expect(worst).toBeLessThanOrEqual((n + 1) * 4 * n * Number.EPSILON);
      });
    },
  );

  it.each([
    [1, 1],
    [5, 3],
    [40, 33],
    [300, 1],
    [300, 129],
    [300, 300],
  ])("cholesky of order %i reports the leading minor %i that is not positive definite", (n, minor) => {
    compute().scope((scope) => {
      for (const pivot of [-1, 0, Number.NaN]) {
        const a = scope.f64(n * n);
        for (let i = 0; i < n; i++) a[i * n + i] = i === minor - 1 ? pivot : 1;
        expect(compute().cholesky(n, a, n)).toBe(minor);
      }
    });
  });

  it.each([
    [0, 3],
    [3, 0],
    [1, 1],
    [5, 1],
    [17, 2],
    [16, 5],
    [45, 33],
    [131, 70],
    [400, 1],
  ])("solveLower of order %i with %i right-hand sides equals substitution", (n, nrhs) => {
    const ldl = n + 1;
    const l = lowerTriangle(n, ldl);
    for (const ldb of [nrhs, nrhs + 2]) {
      const b = uniform("b", n * ldb);
      for (const trans of [false, true]) {
        const expected = b.slice();
        referenceKernels.solveLower(trans, n, nrhs, l, ldl, expected, ldb);
        compute().scope((scope) => {
          const x = scope.copy(b);
          compute().solveLower(trans, n, nrhs, scope.copy(l), ldl, x, ldb);
          expect(difference(x, expected)).toBeLessThan(16 * (n + 4) * Number.EPSILON);
        });
      }
    }
  });

  it("solveLower after cholesky solves A x = b", () => {
    const n = 150;
    const a = positiveDefinite(n, n);
    compute().scope((scope) => {
      const l = scope.copy(a);
      const x = scope.copy(uniform("x", n));
      const b = scope.f64(n);
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++) b[i] = b[i]! + a[Math.max(i, j) * n + Math.min(i, j)]! * x[j]!;
      expect(compute().cholesky(n, l, n)).toBe(0);
      compute().solveLower(false, n, 1, l, n, b, 1);
      compute().solveLower(true, n, 1, l, n, b, 1);
      expect(difference(b, x)).toBeLessThan(1e-12);
    });
  });

  it.each([0, 1, 2, 3, 10, 61])("symmetricEigen of order %i has small residuals and orthonormal vectors", (n) => {
    const lda = n + 2;
    const a = symmetric(n, lda);
    compute().scope((scope) => {
      const q = scope.copy(a);
      const values = scope.f64(n);
      compute().symmetricEigen(n, q, lda, values);
      const tolerance = 40 * (n + 1) * Number.EPSILON;
      for (let k = 0; k < n; k++) {
        if (k > 0) expect(values[k]!).toBeGreaterThanOrEqual(values[k - 1]!);
        for (let i = 0; i < n; i++) {
          let product = 0;
          let inner = 0;
          for (let j = 0; j < n; j++) {
            product += a[i * lda + j]! * q[j * lda + k]!;
            inner += q[j * lda + i]! * q[j * lda + k]!;
          }
          expect(Math.abs(product - values[k]! * q[i * lda + k]!)).toBeLessThan(tolerance);
          expect(Math.abs(inner - (i === k ? 1 : 0))).toBeLessThan(tolerance);
        }
      }
    });
  });

  it("symmetricEigen finds known spectra: multiple, zero, huge and graded eigenvalues", () => {
    const spectrum = (a: number[]): number[] =>
      compute().scope((scope) => {
        const n = Math.sqrt(a.length);
        const values = scope.f64(n);
        compute().symmetricEigen(n, scope.copy(a), n, values);
        return Array.from(values);
      });
    expect(spectrum([0, 0, 0, 0])).toEqual([0, 0]);
    expect(spectrum([5, 0, 0, 0, 5, 0, 0, 0, 5])).toEqual([5, 5, 5]);
    const ones = spectrum([1, 1, 1, 1, 1, 1, 1, 1, 1]);
    expect(difference(ones, [0, 0, 3])).toBeLessThan(1e-15);
    const huge = spectrum([0, 1e300, 1e300, 0]);
    expect(
      difference(
        huge.map((value) => value / 1e300),
        [-1, 1],
      ),
    ).toBeLessThan(1e-15);
    const graded = spectrum([1, 1e-170, 0, 1e-170, 1e-160, 1e-170, 0, 1e-170, 0]);
    expect(graded[2]).toBe(1);
    expect(graded.every(Number.isFinite)).toBe(true);
  });

  it("symmetricEigen of the second-difference matrix matches 2 - 2 cos(k pi / (n + 1))", () => {
    const n = 50;
    compute().scope((scope) => {
      const a = scope.f64(n * n);
      for (let i = 0; i < n; i++) {
        a[i * n + i] = 2;
        if (i > 0) {
          a[i * n + i - 1] = -1;
          a[(i - 1) * n + i] = -1;
        }
      }
      const values = scope.f64(n);
      compute().symmetricEigen(n, a, n, values);
      const expected = values.map((_, k) => 2 - 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)));
      expect(difference(values, expected)).toBeLessThan(1e-14);
    });
  });

  it("symmetricEigen of a matrix with NaN is NaN", () => {
    compute().scope((scope) => {
      const values = scope.f64(2);
      compute().symmetricEigen(2, scope.copy([1, Number.NaN, Number.NaN, 1]), 2, values);
      expect(Array.from(values)).toEqual([Number.NaN, Number.NaN]);
    });
  });
});
