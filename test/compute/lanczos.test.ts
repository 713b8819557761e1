import fc from "fast-check";
import { expect, it } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { symmetricEigen } from "../../src/compute/eigen.ts";
import type { Compute } from "../../src/compute/index.ts";
import { type LanczosOptions, type LanczosResult, lanczos } from "../../src/compute/lanczos.ts";
import { matrixOperator } from "../../src/compute/operator.ts";
import { onEveryBackend, uniform } from "./backends.ts";
import { distance, orthogonalityError, product, transposed } from "./dense.ts";

function symmetric(n: number, name: string): Float64Array {
  const a = uniform(name, n * n);
  return a.map((_, at) => a[Math.max(Math.floor(at / n), at % n) * n + Math.min(Math.floor(at / n), at % n)]!);
}

/** Runs lanczos on a matrix; checks residuals and orthogonality against the matrix itself. */
function checked(
  compute: Compute,
  n: number,
  a: Float64Array,
  count: number,
  options: LanczosOptions = {},
): LanczosResult {
  return compute.scope((scope) => {
    const operator = matrixOperator(compute, n, scope.copy(a), n);
    const result = lanczos(compute, operator, count, randomStream(3, "lanczos"), options);
    expect(result.values).toHaveLength(count);
    expect(result.vectors).toHaveLength(count * n);
    const columns = transposed(count, n, result.vectors);
    expect(orthogonalityError(n, count, columns)).toBeLessThan(1e-13 * (n + 1));
    const image = product(n, n, count, a, columns);
    for (let k = 0; k < count; k++) {
      let square = 0;
      for (let i = 0; i < n; i++) square += (image[i * count + k]! - result.values[k]! * columns[i * count + k]!) ** 2;
      expect(Math.abs(Math.sqrt(square) - result.residuals[k]!)).toBeLessThan(1e-13 * (n + 1));
    }
    expect(Object.isFrozen(result)).toBe(true);
    return result;
  });
}

function spectrum(n: number, a: Float64Array): Float64Array {
  const values = new Float64Array(n);
  symmetricEigen(n, a.slice(), n, values);
  return values;
}

onEveryBackend("Lanczos", (compute) => {
  it.each(["largest", "smallest"] as const)("lanczos finds the %s eigenpairs of a dense matrix", (end) => {
    for (const [n, count] of [
      [1, 1],
      [2, 2],
      [60, 5],
      [250, 3],
    ] as const) {
      const a = symmetric(n, "a");
      const result = checked(compute(), n, a, count, { end });
      const ascending = spectrum(n, a);
      const expected = end === "largest" ? ascending.slice().reverse() : ascending;
      expect(result.converged).toBe(true);
      expect(distance(result.values, expected.subarray(0, count))).toBeLessThan(1e-9);
      expect(Math.max(...result.residuals)).toBeLessThan(1e-8);
    }
  });

  it("lanczos takes few steps where the wanted eigenvalues stand apart", () => {
    const n = 200;
    const a = new Float64Array(n * n);
    for (let i = 0; i < n; i++) a[i * n + i] = i < 3 ? 10 * (i + 1) : i / n;
    const result = checked(compute(), n, a, 3);
    expect(result.converged).toBe(true);
    expect(result.steps).toBeLessThan(30);
    expect(distance(result.values, [30, 20, 10])).toBeLessThan(1e-9);
  });

  it("lanczos goes on after an invariant subspace: identity, zero and rank-one matrices", () => {
    const n = 20;
    const eye = Float64Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 1 : 0));
    expect(distance(checked(compute(), n, eye, 4).values, [1, 1, 1, 1])).toBeLessThan(1e-14);
    expect(distance(checked(compute(), n, new Float64Array(n * n), 3).values, [0, 0, 0])).toBe(0);
    const ones = checked(compute(), n, new Float64Array(n * n).fill(1), 3);
    expect(distance(ones.values, [n, 0, 0])).toBeLessThan(1e-12);
    expect(ones.converged).toBe(true);
    // Until the whole space is spanned, every multiple is found.
    const all = checked(compute(), n, eye, n);
    expect(distance(all.values, new Array(n).fill(1))).toBeLessThan(1e-14);
  });

  it("each residual of lanczos bounds the distance to an eigenvalue, converged or not", () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 30 }), fc.string(), fc.nat({ max: 4 }), (n, name, more) => {
        const a = symmetric(n, name);
        const count = Math.min(n, 2);
        const result = checked(compute(), n, a, count, { maxSteps: count + more });
        const exact = spectrum(n, a);
        result.values.forEach((value, k) => {
          const nearest = Math.min(...exact.map((other) => Math.abs(other - value)));
          expect(nearest).toBeLessThanOrEqual(result.residuals[k]! + 1e-13 * n);
        });
        expect(result.steps).toBeLessThanOrEqual(count + more);
      }),
      { numRuns: 25 },
    );
  });

  it("lanczos says when its steps did not suffice", () => {
    const n = 100;
    const result = checked(compute(), n, symmetric(n, "a"), 4, { maxSteps: 8 });
    expect(result.converged).toBe(false);
    expect(result.steps).toBe(8);
    expect(Math.max(...result.residuals)).toBeGreaterThan(1e-6);
  });

  it("lanczos is deterministic in its random stream", () => {
    const n = 40;
    const a = symmetric(n, "a");
    expect(checked(compute(), n, a, 3)).toEqual(checked(compute(), n, a, 3));
  });

  it("lanczos of nothing, and its refusals", () => {
    expect(checked(compute(), 5, symmetric(5, "a"), 0)).toMatchObject({ converged: true, steps: 0 });
    expect(checked(compute(), 0, new Float64Array(0), 0)).toMatchObject({ converged: true, steps: 0 });
    compute().scope((scope) => {
      const operator = matrixOperator(compute(), 3, scope.copy(symmetric(3, "a")), 3);
      const run = (count: number, options: LanczosOptions = {}): LanczosResult =>
        lanczos(compute(), operator, count, randomStream(3, "lanczos"), options);
      expect(() => run(4)).toThrow(/4 eigenpairs of an operator of size 3/);
      expect(() => run(-1)).toThrow(RangeError);
      expect(() => run(1.5)).toThrow(RangeError);
      expect(() => run(2, { maxSteps: 1 })).toThrow(/maxSteps 1/);
      expect(() => run(2, { tolerance: Number.NaN })).toThrow(RangeError);
      const spoiled = { size: 3, apply: (_: Float64Array, out: Float64Array): void => void out.fill(Number.NaN) };
      expect(() => lanczos(compute(), spoiled, 1, randomStream(3, "lanczos"))).toThrow(/not finite/);
    });
  });
});
