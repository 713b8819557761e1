import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blockedSymmetricEigen, symmetricEigenvalues } from "../../src/compute/blocked-eigen.ts";
import { symmetricEigen } from "../../src/compute/eigen.ts";
import type { Compute } from "../../src/compute/index.ts";
import { secularRoot } from "../../src/compute/secular.ts";
import { onEveryBackend, uniform } from "./backends.ts";
import { compact, distance, largest, orthogonalityError, padded, product, reflections, transposed } from "./dense.ts";

/** Q diag(spectrum) Q^T, exactly symmetric. */
function withSpectrum(spectrum: readonly number[]): Float64Array {
  const n = spectrum.length;
  const q = reflections(n, uniform("reflections", 6 * n));
  const scaled = q.map((value, at) => value * spectrum[at % n]!);
  return symmetrized(n, product(n, n, n, scaled, transposed(n, n, q)));
}

function symmetrized(n: number, a: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    return a[Math.max(i, j) * n + Math.min(i, j)]!;
  });
}

function tridiagonal(diagonal: readonly number[], off: readonly number[]): Float64Array {
  const n = diagonal.length;
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    a[i * n + i] = diagonal[i]!;
    if (i > 0) {
      a[i * n + i - 1] = off[i - 1]!;
      a[(i - 1) * n + i] = off[i - 1]!;
    }
  }
  return a;
}

type Solver = (compute: Compute, n: number, a: Float64Array, lda: number, values: Float64Array) => void;

/** Runs a solver and checks order, residual and orthogonality; returns the eigenvalues. */
function checkedSpectrum(
  compute: Compute,
  n: number,
  a: Float64Array,
  solve: Solver = blockedSymmetricEigen,
): Float64Array {
  return compute.scope((scope) => {
    const lda = n + 3;
    const q = scope.copy(padded(n, n, a, lda));
    const values = scope.f64(n + 1).fill(-7);
    solve(compute, n, q, lda, values);
    const vectors = compact(n, n, q, lda);
    for (let i = 0; i < n; i++) for (let j = n; j < lda; j++) expect(q[i * lda + j]).toBeNaN();
    expect(values[n]).toBe(-7);
    for (let k = 1; k < n; k++) expect(values[k]!).toBeGreaterThanOrEqual(values[k - 1]!);
    // Everything relative to the largest entry, so that norms do not overflow.
    const scale = largest(a) || 1;
    const image = product(
      n,
      n,
      n,
      a.map((value) => value / scale),
      vectors,
    );
    const expected = vectors.map((value, at) => value * (values[at % n]! / scale));
    const norm = Math.max(1, ...values.subarray(0, n).map((value) => Math.abs(value / scale)));
    expect(distance(image, expected)).toBeLessThanOrEqual(1e-14 * (n + 1) * norm);
    expect(orthogonalityError(n, n, vectors)).toBeLessThanOrEqual(1e-14 * (n + 1));
    return values.slice(0, n);
  });
}

/** All entries within a few units in the last place of 1: what is left after one reflector is rounding errors alone. */
function nearlyOnes(n: number): Float64Array {
  return symmetrized(
    n,
    uniform("last place", n * n).map((value) => 1 - Math.round(3 * value) * Number.EPSILON),
  );
}

const ramp = (n: number, entry: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => entry(i));

const families: readonly (readonly [string, Float64Array])[] = [
  ["zero", new Float64Array(50 * 50)],
  ["identity", withSpectrum(ramp(50, () => 1))],
  [
    "unsorted diagonal",
    tridiagonal(
      ramp(70, (i) => ((i * 37) % 70) - 20),
      ramp(69, () => 0),
    ),
  ],
  ["all ones (rank one)", new Float64Array(65 * 65).fill(1)],
  ["rank one up to rounding", nearlyOnes(37)],
  ["rows that are nearly decoupled", Float64Array.of(1, 0.5, 1e-100, 0.5, 1, 1e-100, 1e-100, 1e-100, 1)],
  ["two clusters", withSpectrum(ramp(90, (i) => (i % 3 === 0 ? 1 : -2)))],
  ["tight clusters", withSpectrum(ramp(90, (i) => (i % 4) + i * 1e-15))],
  [
    "Wilkinson W+",
    tridiagonal(
      ramp(101, (i) => Math.abs(i - 50)),
      ramp(100, () => 1),
    ),
  ],
  [
    "glued blocks",
    tridiagonal(
      ramp(120, (i) => Math.abs((i % 40) - 20)),
      ramp(119, (i) => (i % 40 === 39 ? 1e-12 : 1)),
    ),
  ],
  [
    "decoupled halves",
    tridiagonal(
      ramp(80, (i) => i % 5),
      ramp(79, (i) => (i === 39 ? 0 : -1)),
    ),
  ],
  ["geometric spectrum", withSpectrum(ramp(80, (i) => 10 ** (-i / 4)))],
  [
    "graded from 1e150 to 1e-150",
    symmetrized(
      61,
      uniform("graded", 61 * 61).map(
        (value, at) => value * 10 ** (75 - 2.5 * (at % 61)) * 10 ** (75 - 2.5 * Math.floor(at / 61)),
      ),
    ),
  ],
  [
    "graded from 1e-150 to 1e150",
    symmetrized(
      61,
      uniform("graded", 61 * 61).map(
        (value, at) => value * 10 ** (2.5 * (at % 61) - 75) * 10 ** (2.5 * Math.floor(at / 61) - 75),
      ),
    ),
  ],
  [
    "near overflow",
    symmetrized(
      40,
      uniform("huge", 1600).map((value) => value * 1e307),
    ),
  ],
  [
    "below the normal numbers",
    symmetrized(
      40,
      uniform("tiny", 1600).map((value) => value * 1e-310),
    ),
  ],
];

onEveryBackend("eigenvalues", (compute) => {
  it.each([0, 1, 2, 31, 32, 33, 34, 63, 64, 65, 66, 97, 130, 200])(
    "blockedSymmetricEigen of order %i agrees with the plain loops",
    (n) => {
      const a = symmetrized(n, uniform("s", n * n));
      const values = checkedSpectrum(compute(), n, a);
      const expected = new Float64Array(n);
      symmetricEigen(n, a.slice(), n, expected);
      expect(distance(values, expected)).toBeLessThanOrEqual(1e-14 * (n + 1));
    },
  );

  it.each(families)("the symmetricEigen kernel of %s", (_, a) => {
    checkedSpectrum(compute(), Math.sqrt(a.length), a, (kernels, ...rest) => kernels.symmetricEigen(...rest));
  });

  it.each(families)("blockedSymmetricEigen and symmetricEigenvalues of %s", (_, a) => {
    const n = Math.sqrt(a.length);
    const values = checkedSpectrum(compute(), n, a);
    compute().scope((scope) => {
      const alone = scope.f64(n);
      symmetricEigenvalues(compute(), n, scope.copy(a), n, alone);
      const scale = largest(values) || 1;
      expect(
        distance(
          alone.map((value) => value / scale),
          values.map((value) => value / scale),
        ),
      ).toBeLessThanOrEqual(1e-13);
    });
  });

  it("blockedSymmetricEigen and symmetricEigenvalues find 2 - 2 cos(k pi / (n + 1)) of the second-difference matrix", () => {
    const n = 150;
    const a = tridiagonal(
      ramp(n, () => 2),
      ramp(n - 1, () => -1),
    );
    const expected = ramp(n, (k) => 2 - 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)));
    expect(distance(checkedSpectrum(compute(), n, a), expected)).toBeLessThan(3e-14);
    compute().scope((scope) => {
      const values = scope.f64(n);
      symmetricEigenvalues(compute(), n, scope.copy(a), n, values);
      expect(distance(values, expected)).toBeLessThan(3e-14);
    });
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])(
    "blockedSymmetricEigen and symmetricEigenvalues with %d are NaN",
    (bad) => {
      for (const n of [1, 5, 45]) {
        compute().scope((scope) => {
          const a = scope.f64(n * n);
          a[n * n - 1] = bad;
          const values = scope.f64(n);
          symmetricEigenvalues(compute(), n, a, n, values);
          expect(values.every(Number.isNaN)).toBe(true);
          blockedSymmetricEigen(compute(), n, a, n, values.fill(0));
          expect(values.every(Number.isNaN)).toBe(true);
          expect(a.every(Number.isNaN)).toBe(true);
        });
      }
    },
  );

  it("symmetricEigenvalues leaves its matrix alone and refuses short arrays", () => {
    compute().scope((scope) => {
      const a = symmetrized(40, uniform("s", 1600));
      const copy = scope.copy(a);
      symmetricEigenvalues(compute(), 40, copy, 40, scope.f64(40));
      expect(distance(copy, a)).toBe(0);
      expect(() => symmetricEigenvalues(compute(), 41, copy, 41, scope.f64(41))).toThrow(
        /A \(41 x 41.*1681 entries.*1600/,
      );
      expect(() => symmetricEigenvalues(compute(), 40, copy, 40, scope.f64(39))).toThrow(/values.*40 entries.*39/);
    });
  });

  it("blockedSymmetricEigen of random integer matrices: trace, Frobenius norm, residual", () => {
    fc.assert(
      fc.property(fc.integer({ min: 33, max: 60 }), fc.infiniteStream(fc.integer({ min: -2, max: 2 })), (n, stream) => {
        // Rank-deficient with repeated rows: G G^T of few distinct small integers.
        const g = Float64Array.from({ length: n * 5 }, () => stream.next().value as number);
        const a = product(n, 5, n, g, transposed(n, 5, g));
        const values = checkedSpectrum(compute(), n, a);
        const trace = ramp(n, (i) => a[i * n + i]!).reduce((sum, value) => sum + value, 0);
        const square = a.reduce((sum, value) => sum + value * value, 0);
        expect(Math.abs(values.reduce((sum, value) => sum + value, 0) - trace)).toBeLessThanOrEqual(
          1e-12 * (1 + trace),
        );
        expect(Math.abs(values.reduce((sum, value) => sum + value * value, 0) - square)).toBeLessThanOrEqual(
          1e-12 * (1 + square),
        );
        expect(values.filter((value) => value > 1e-10 * (1 + trace)).length).toBeLessThanOrEqual(5);
      }),
      { numRuns: 8 },
    );
  });
});

describe("secularRoot", () => {
  it("secularRoot interlaces, and its distances give back the weights (Loewner)", () => {
    const pole = fc.tuple(fc.double({ min: -12, max: 0, noNaN: true }), fc.double({ min: -7, max: 0, noNaN: true }));
    fc.assert(
      fc.property(fc.array(pole, { minLength: 1, maxLength: 40 }), (poles) => {
        // Gaps and weights over many magnitudes, within what deflation leaves.
        const n = poles.length;
        const d = new Float64Array(n);
        for (let i = 1; i < n; i++) d[i] = d[i - 1]! + 10 ** poles[i]![0];
        const z = Float64Array.from(poles, ([, weight]) => 10 ** weight);
        const deltas = Array.from({ length: n }, () => new Float64Array(n));
        for (let i = 0; i < n; i++) {
          const root = secularRoot(i, n, d, z, deltas[i]!);
          expect(root).toBeGreaterThanOrEqual(d[i]!);
          if (i + 1 < n) expect(root).toBeLessThanOrEqual(d[i + 1]!);
          for (let j = 0; j < n; j++) expect(deltas[i]![j]! < 0).toBe(j <= i);
        }
        for (let j = 0; j < n; j++) {
          let square = -deltas[j]![j]!;
          for (let i = 0; i < n; i++) if (i !== j) square *= deltas[i]![j]! / (d[j]! - d[i]!);
          expect(Math.abs(Math.sqrt(square) / z[j]! - 1)).toBeLessThan(1e-11 * n);
        }
      }),
      { numRuns: 300 },
    );
  });
});
