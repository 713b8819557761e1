import fc from "fast-check";
import { expect, it } from "vitest";
import { conjugateGradients } from "../../src/compute/conjugate-gradients.ts";
import { matrixOperator, normalOperator, type SymmetricOperator } from "../../src/compute/operator.ts";
import { onEveryBackend, uniform } from "./backends.ts";
import { distance, frobenius, identity, largest, product, transposed } from "./dense.ts";

/** G G^T + shift I, with G n x n. */
function positiveDefinite(n: number, shift: number): Float64Array {
  const g = uniform("g", n * n);
  const eye = identity(n);
  return product(n, n, n, g, transposed(n, n, g)).map((value, at) => value + shift * eye[at]!);
}

const diagonalOperator = (entries: readonly number[]): SymmetricOperator => ({
  size: entries.length,
  apply: (x, out) => {
    for (let i = 0; i < entries.length; i++) out[i] = entries[i]! * x[i]!;
  },
});

onEveryBackend("conjugate gradients", (compute) => {
  it.each([1, 2, 20, 61])("conjugateGradients solves a positive definite system of order %i", (n) => {
    const a = positiveDefinite(n, 0.5);
    const b = uniform("b", n);
    compute().scope((scope) => {
      const x = scope.copy(uniform("start", n));
      const operator = matrixOperator(compute(), n, scope.copy(a), n);
      const result = conjugateGradients(compute(), operator, scope.copy(b), x, { tolerance: 1e-12 });
      expect(result).toMatchObject({ status: "converged", converged: true });
      const residual = product(n, n, 1, a, x).map((value, i) => value - b[i]!);
      expect(frobenius(residual)).toBeLessThanOrEqual(1.0001e-12 * frobenius(b) + 1e-14 * frobenius(a));
      expect(Math.abs(result.residual - frobenius(residual) / frobenius(b))).toBeLessThan(1e-13 * frobenius(a));
      expect(result.history).toHaveLength(result.iterations + 1);
      expect(result.history.at(-1)).toBeLessThanOrEqual(1e-12);
      expect(Object.isFrozen(result) && Object.isFrozen(result.history)).toBe(true);
    });
  });

  it("conjugateGradients ends after as many iterations as there are distinct eigenvalues", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 5, max: 30 }), (distinct, n) => {
        compute().scope((scope) => {
          const operator = diagonalOperator(Array.from({ length: n }, (_, i) => 1 + (i % distinct)));
          const result = conjugateGradients(compute(), operator, scope.copy(uniform("b", n)), scope.f64(n), {
            tolerance: 1e-10,
          });
          expect(result.converged).toBe(true);
          expect(result.iterations).toBeLessThanOrEqual(distinct);
        });
      }),
      { numRuns: 20 },
    );
  });

  it("conjugateGradients uses the operator's diagonal, or the preconditioner it is given", () => {
    const n = 40;
    const entries = Array.from({ length: n }, (_, i) => 10 ** (i / 8));
    compute().scope((scope) => {
      const b = scope.copy(uniform("b", n));
      const plain = conjugateGradients(compute(), diagonalOperator(entries), b, scope.f64(n));
      const operator = { ...diagonalOperator(entries), diagonal: entries };
      expect(conjugateGradients(compute(), operator, b, scope.f64(n)).iterations).toBe(1);
      expect(plain.iterations).toBeGreaterThan(5);
      // A preconditioner wins over the diagonal: the identity makes it the plain method.
      const given = conjugateGradients(compute(), operator, b, scope.f64(n), {
        preconditioner: (r, out) => out.set(r),
      });
      expect(given).toEqual(plain);
    });
  });

  it("conjugateGradients on normalOperator solves ridge regression", () => {
    const [m, n, shift] = [50, 20, 0.25];
    const a = uniform("a", m * n);
    const b = uniform("b", m);
    compute().scope((scope) => {
      const at = transposed(m, n, a);
      const rhs = scope.copy(product(n, m, 1, at, b));
      const x = scope.f64(n);
      const operator = normalOperator(compute(), m, n, scope.copy(a), n, shift);
      expect(conjugateGradients(compute(), operator, rhs, x, { tolerance: 1e-12 }).converged).toBe(true);
      const normal = product(n, m, n, at, a).map((value, k) => value + (k % (n + 1) === 0 ? shift : 0));
      expect(distance(product(n, n, 1, normal, x), rhs)).toBeLessThan(1e-10);
      expect(
        distance(
          Array.from(operator.diagonal!),
          Array.from({ length: n }, (_, i) => normal[i * (n + 1)]!),
        ),
      ).toBeLessThan(1e-13);
    });
  });

  it("conjugateGradients solves consistent singular systems, rows of zeros included", () => {
    compute().scope((scope) => {
      const operator = { ...diagonalOperator([2, 0, 4]), diagonal: [2, 0, 4] };
      const x = scope.f64(3);
      expect(conjugateGradients(compute(), operator, scope.copy([1, 0, 1]), x).converged).toBe(true);
      expect(distance(x, [0.5, 0, 0.25])).toBeLessThan(1e-15);
    });
  });

  it("conjugateGradients of b = 0 is 0 at once, also for size 0", () => {
    compute().scope((scope) => {
      const x = scope.copy([1, 2]);
      const result = conjugateGradients(compute(), diagonalOperator([1, 2]), scope.f64(2), x);
      expect(result).toEqual({ status: "converged", converged: true, iterations: 0, residual: 0, history: [0] });
      expect(Array.from(x)).toEqual([0, 0]);
      expect(conjugateGradients(compute(), diagonalOperator([]), scope.f64(0), scope.f64(0)).converged).toBe(true);
    });
  });

  it("conjugateGradients tells a matrix that is not positive definite", () => {
    compute().scope((scope) => {
      const b = scope.copy([1, 1]);
      for (const [entries, diagonal] of [
        [[1, -2], undefined],
        [[-1, -1], undefined],
        [[0, 0], undefined],
        [
          [1, -2],
          [1, -2],
        ],
      ] as const) {
        const operator = { ...diagonalOperator(entries), ...(diagonal && { diagonal }) };
        const result = conjugateGradients(compute(), operator, b, scope.f64(2));
        expect(result).toMatchObject({ status: "not-positive-definite", converged: false });
        expect(result.residual).toBeGreaterThan(1e-10);
      }
      const indefinite = { preconditioner: (r: Float64Array, out: Float64Array): void => out.set(r.map((v) => -v)) };
      expect(conjugateGradients(compute(), diagonalOperator([1, 2]), b, scope.f64(2), indefinite).status).toBe(
        "not-positive-definite",
      );
    });
  });

  it("conjugateGradients tells NaN and infinity, in A, b, x and the preconditioner", () => {
    compute().scope((scope) => {
      const good = diagonalOperator([1, 2]);
      const b = [1, 1];
      const status = (operator: SymmetricOperator, rhs: number[], x: number[], options = {}): string =>
        conjugateGradients(compute(), operator, scope.copy(rhs), scope.copy(x), options).status;
      expect(status(diagonalOperator([Number.NaN, 1]), b, [0, 0])).toBe("not-finite");
      expect(status(good, [Number.NaN, 1], [0, 0])).toBe("not-finite");
      expect(status(good, [Number.POSITIVE_INFINITY, 1], [0, 0])).toBe("not-finite");
      expect(status(good, b, [0, Number.NaN])).toBe("not-finite");
      expect(status({ ...good, diagonal: [1, Number.NaN] }, b, [0, 0])).toBe("not-positive-definite");
      const spoiled = { preconditioner: (_: Float64Array, out: Float64Array): void => void out.fill(Number.NaN) };
      expect(status(good, b, [0, 0], spoiled)).toBe("not-finite");
      expect(status(diagonalOperator([1e-320, 1e-320]), b, [0, 0])).toBe("not-finite");
      // Finite until the first product with a direction.
      let calls = 0;
      const late: SymmetricOperator = {
        size: 2,
        apply: (x, out) => (calls++ === 0 ? good.apply(x, out) : void out.fill(Number.POSITIVE_INFINITY)),
      };
      expect(status(late, b, [0, 0])).toBe("not-finite");
    });
  });

  it("conjugateGradients stops at the iteration limit and on stagnation, with the residual of what it returns", () => {
    const n = 30;
    // Condition number 1e12 with exponents mixed, so that no tolerance of 0 is ever reached.
    const entries = Array.from({ length: n }, (_, i) => 10 ** (-(i * 7) % n) * 10 ** ((12 * i) / n));
    compute().scope((scope) => {
      const b = scope.copy(uniform("b", n));
      const x = scope.f64(n);
      const limited = conjugateGradients(compute(), diagonalOperator(entries), b, x, { maxIterations: 3 });
      expect(limited).toMatchObject({ status: "iteration-limit", iterations: 3, converged: false });
      expect(limited.history).toHaveLength(4);
      const residual = Array.from(b, (value, i) => value - entries[i]! * x[i]!);
      expect(limited.residual).toBeCloseTo(frobenius(residual) / frobenius(b), 10);
      const none = conjugateGradients(compute(), diagonalOperator(entries), b, scope.f64(n), { maxIterations: 0 });
      expect(none).toMatchObject({ status: "iteration-limit", iterations: 0, residual: 1, history: [1] });

      const dense = positiveDefinite(n, 1e-3);
      const operator = matrixOperator(compute(), n, scope.copy(dense), n);
      const solution = scope.f64(n);
      const stagnated = conjugateGradients(compute(), operator, b, solution, { tolerance: 1e-22, maxIterations: 1e5 });
      expect(stagnated).toMatchObject({ status: "stagnated", converged: false });
      expect(stagnated.residual).toBeLessThan(1e-11);
      expect(largest(solution)).toBeGreaterThan(0);
    });
  });

  it("conjugateGradients, matrixOperator and normalOperator refuse wrong sizes and options", () => {
    compute().scope((scope) => {
      const operator = diagonalOperator([1, 2, 3]);
      const [two, three] = [scope.f64(2), scope.f64(3)];
      expect(() => conjugateGradients(compute(), operator, two, three)).toThrow(/b .*3 entries.*2/);
      expect(() => conjugateGradients(compute(), operator, three, two)).toThrow(/x .*3 entries.*2/);
      expect(() => conjugateGradients(compute(), { ...operator, diagonal: [1] }, three, three)).toThrow(/diagonal/);
      expect(() => conjugateGradients(compute(), operator, three, three, { tolerance: Number.NaN })).toThrow(
        RangeError,
      );
      expect(() => conjugateGradients(compute(), operator, three, three, { maxIterations: 1.5 })).toThrow(RangeError);
      expect(() => matrixOperator(compute(), 2, three, 2)).toThrow(/A \(2 x 2.*4 entries.*3/);
      expect(() => normalOperator(compute(), 2, 2, three, 2, 0)).toThrow(/A \(2 x 2.*4 entries.*3/);
    });
  });
});
