import fc from "fast-check";
import { expect, it } from "vitest";
import type { Compute } from "../../src/compute/index.ts";
import { numericalRank, svd } from "../../src/compute/svd.ts";
import { onEveryBackend, uniform } from "./backends.ts";
import { compact, distance, largest, orthogonalityError, padded, product, reflections, transposed } from "./dense.ts";

/** Runs svd and checks the factors; returns the singular values. */
function checkedSvd(compute: Compute, m: number, n: number, a: Float64Array): Float64Array {
  const k = Math.min(m, n);
  return compute.scope((scope) => {
    const stored = scope.copy(padded(m, n, a, n + 1));
    const [values, u, vt] = [scope.f64(k), scope.f64(m * (k + 2)), scope.f64(k * (n + 3))];
    svd(compute, m, n, stored, n + 1, values, u, k + 2, vt, n + 3);
    expect(distance(compact(m, n, stored, n + 1), a)).toBe(0);
    for (let i = 0; i < k; i++) expect(values[i]!).toBeGreaterThanOrEqual(i + 1 < k ? values[i + 1]! : 0);
    const [left, right] = [compact(m, k, u, k + 2), compact(k, n, vt, n + 3)];
    const scale = largest(a) || 1;
    const weighted = left.map((value, at) => value * (values[at % k]! / scale));
    const error = distance(
      product(m, k, n, weighted, right),
      a.map((value) => value / scale),
    );
    expect(error).toBeLessThanOrEqual(1e-14 * (m + n) * Math.max(1, (values[0] ?? 0) / scale));
    expect(orthogonalityError(m, k, left)).toBeLessThanOrEqual(1e-14 * (m + n));
    expect(orthogonalityError(n, k, transposed(k, n, right))).toBeLessThanOrEqual(1e-14 * (m + n));
    return values.slice();
  });
}

/** U diag(spectrum) V^T, m x n, with orthogonal U and V that are products of reflections. */
function withSingularValues(m: number, n: number, spectrum: readonly number[]): Float64Array {
  const u = reflections(m, uniform("u", 5 * m));
  const v = reflections(n, uniform("v", 5 * n));
  const weighted = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < spectrum.length; j++) weighted[i * n + j] = u[i * m + j]! * spectrum[j]!;
  return product(m, n, n, weighted, transposed(n, n, v));
}

const ramp = (n: number, entry: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => entry(i));

const spectra: readonly (readonly [string, number, number, readonly number[]])[] = [
  ["geometric over 16 digits", 60, 45, ramp(45, (i) => 10 ** (-i / 2.75))],
  ["geometric over 32 digits", 45, 60, ramp(45, (i) => 10 ** (-i / 1.4))],
  ["one large", 50, 50, ramp(50, (i) => (i === 0 ? 1 : 1e-9))],
  ["one small", 70, 40, ramp(40, (i) => (i === 39 ? 1e-13 : 1))],
  ["all equal", 40, 64, ramp(40, () => 3)],
  ["clusters", 64, 50, ramp(50, (i) => 10 ** -Math.floor(i / 10))],
  ["rank 13", 64, 50, ramp(50, (i) => (i < 13 ? 13 - i : 0))],
  ["factors of 16 (where a core ends)", 40, 40, ramp(40, (i) => 16 ** -Math.floor(i / 4))],
];

onEveryBackend("SVD", (compute) => {
  it.each([
    [0, 0],
    [0, 4],
    [4, 0],
    [1, 1],
    [1, 9],
    [9, 1],
    [6, 6],
    [33, 33],
    [80, 35],
    [35, 80],
    [120, 66],
  ])("svd of a random %i x %i matrix", (m, n) => {
    checkedSvd(compute(), m, n, uniform("a", m * n));
  });

  it.each(spectra)("svd finds known singular values: %s", (_, m, n, spectrum) => {
    const values = checkedSvd(compute(), m, n, withSingularValues(m, n, spectrum));
    expect(distance(values, spectrum)).toBeLessThan(3e-15 * Math.sqrt(m * n) * spectrum[0]!);
  });

  it("svd of matrices with few or no independent columns, and numericalRank", () => {
    expect(Array.from(checkedSvd(compute(), 20, 12, new Float64Array(240)))).toEqual(new Array(12).fill(0));
    expect(numericalRank(20, 12, new Float64Array(12))).toBe(0);
    const ones = checkedSvd(compute(), 40, 37, new Float64Array(40 * 37).fill(1));
    expect(Math.abs(ones[0]! - Math.sqrt(40 * 37))).toBeLessThan(1e-12);
    expect(numericalRank(40, 37, ones)).toBe(1);
    // A diagonal, unsorted and with signs.
    const diagonal = new Float64Array(36);
    [3, -1, 0, 5, -4, 2].forEach((value, i) => {
      diagonal[i * 7] = value;
    });
    expect(distance(checkedSvd(compute(), 6, 6, diagonal), [5, 4, 3, 2, 1, 0])).toBeLessThan(1e-14);
    expect(numericalRank(6, 6, [5, 4, 3, 2, 1, 0])).toBe(5);
    expect(numericalRank(6, 6, [5, 4, 3, 2, 1, 0], 0.5)).toBe(3);
    expect(numericalRank(0, 6, [])).toBe(0);
  });

  it.each([1e-310, 1e-200, 1e200, 1e306])("svd of entries of size %d neither overflows nor underflows", (size) => {
    const a = uniform("a", 45 * 40);
    const expected = checkedSvd(compute(), 45, 40, a);
    const values = checkedSvd(
      compute(),
      45,
      40,
      a.map((value) => value * size),
    );
    const tolerance = size < 1e-300 ? 1e-12 : 1e-13;
    expect(
      distance(
        values.map((value) => value / size),
        expected,
      ),
    ).toBeLessThan(tolerance * expected[0]!);
  });

  it("svd of columns graded over 300 digits", () => {
    const n = 41;
    const a = uniform("a", n * n).map((value, at) => value * 10 ** (150 - 7.5 * (at % n)));
    const values = checkedSvd(compute(), n, n, a);
    expect(values.every(Number.isFinite)).toBe(true);
  });

  it("svd of small integer matrices: sums of squares, transposition", () => {
    const size = fc.integer({ min: 1, max: 14 });
    fc.assert(
      fc.property(size, size, fc.infiniteStream(fc.integer({ min: -1, max: 1 })), (m, n, stream) => {
        const a = Float64Array.from({ length: m * n }, () => stream.next().value as number);
        const values = checkedSvd(compute(), m, n, a);
        const square = a.reduce((sum, value) => sum + value * value, 0);
        expect(Math.abs(values.reduce((sum, value) => sum + value * value, 0) - square)).toBeLessThan(
          1e-12 * (1 + square),
        );
        const other = checkedSvd(compute(), n, m, transposed(m, n, a));
        expect(distance(values, other)).toBeLessThan(1e-13 * (1 + square));
      }),
      { numRuns: 30 },
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("svd with %d is NaN everywhere", (bad) => {
    for (const [m, n] of [
      [5, 3],
      [3, 5],
      [1, 1],
    ] as const) {
      compute().scope((scope) => {
        const a = scope.copy(uniform("a", m * n));
        a[m * n - 1] = bad;
        const k = Math.min(m, n);
        const [values, u, vt] = [scope.f64(k), scope.f64(m * k), scope.f64(k * n)];
        svd(compute(), m, n, a, n, values, u, k, vt, n);
        for (const array of [values, u, vt]) expect(array.every(Number.isNaN)).toBe(true);
      });
    }
  });

  it("svd refuses arrays that are too short", () => {
    compute().scope((scope) => {
      const long = scope.f64(12);
      const short = scope.f64(2);
      expect(() => svd(compute(), 4, 3, short, 3, long, long, 3, long, 3)).toThrow(/svd: A \(4 x 3.*12 entries.* 2/);
      expect(() => svd(compute(), 4, 3, long, 3, short, long, 3, long, 3)).toThrow(/svd: values .*3 entries.* 2/);
      expect(() => svd(compute(), 4, 3, long, 3, long, short, 3, long, 3)).toThrow(/svd: U \(4 x 3.*12 entries.* 2/);
      expect(() => svd(compute(), 4, 3, long, 3, long, long, 3, short, 3)).toThrow(/svd: V\^T \(3 x 3.*9 entries.* 2/);
    });
  });
});
