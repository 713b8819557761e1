import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { maximizeOnCircle } from "../../src/convex/bounds/circle.ts";
import { boundMaximum } from "../../src/convex/bounds/maximum.ts";
import { roundingAllowance, weightedRows } from "../../src/convex/bounds/rows.ts";
import { shorBound } from "../../src/convex/bounds/shor.ts";
import { maximizeExactly, maximizeOnSphere } from "../../src/convex/bounds/sphere.ts";
import { bruteMaximum, draws, gaussian, integers, response, rows, useCompute } from "./problems.ts";

const never = (): boolean => false;
const compute = useCompute();

/** sum |v_i| ||x_i||, the size that rounding errors of G are relative to. */
function size(X: readonly (readonly number[])[], v: readonly number[]): number {
  return X.reduce((sum, x, i) => sum + Math.abs(v[i]) * Math.hypot(...x), 0);
}

function pack(X: readonly (readonly number[])[], v: readonly number[], r: number): ReturnType<typeof weightedRows> {
  return weightedRows(Float64Array.from(X.flat()), X.length, r, Float64Array.from(v));
}

/** Numbers of ordinary size, with a grid fine enough that no two are equal by chance. */
const ordinary = fc.integer({ min: -2_000_000, max: 2_000_000 }).map((t) => t * 1e-6);

/** Rows of rank r in the arrangements that break sweeps: ties, parallel, antipodal, zero and coplanar rows. */
function degenerateRows(r: number): fc.Arbitrary<number[][]> {
  const integer = fc.array(fc.integer({ min: -2, max: 2 }), { minLength: r, maxLength: r });
  const real = fc.array(ordinary, { minLength: r, maxLength: r });
  const repeated = fc
    .tuple(
      fc.array(real, { minLength: 1, maxLength: 3 }),
      fc.array(fc.tuple(fc.nat(2), fc.constantFrom(1, -1, 2, 0.5, 0))),
    )
    .map(([base, copies]) => [
      ...base,
      ...copies.slice(0, 4).map(([k, scale]) => base[k % base.length].map((t) => scale * t)),
    ]);
  const coplanar = fc
    .tuple(
      real,
      real,
      fc.array(fc.tuple(fc.integer({ min: -2, max: 2 }), fc.integer({ min: -2, max: 2 })), { maxLength: 6 }),
    )
    .map(([a, b, factors]) => factors.map(([s, t]) => a.map((x, k) => s * x + t * b[k])));
  return fc.oneof(fc.array(integer, { maxLength: 7 }), fc.array(real, { maxLength: 6 }), repeated, coplanar);
}

const weighted = (r: number): fc.Arbitrary<{ X: number[][]; v: number[] }> =>
  degenerateRows(r).chain((X) =>
    fc.record({
      X: fc.constant(X),
      v: fc.oneof(
        fc.array(fc.constantFrom(-1, 0, 1), { minLength: X.length, maxLength: X.length }),
        fc.array(ordinary, { minLength: X.length, maxLength: X.length }),
      ),
    }),
  );

/**
 * The baseline evaluates G itself at the stationary point of every sign pattern on every face spanned by data rows:
 * exponential, and free of cells, sweeps and angles. The
 * tolerance covers planes that nearly coincide, which the sweeps take for one below an angle of 1e-12.
 */
describe("exact maxima of G over the unit sphere", () => {
  test.each([1, 2, 3])("maximizeExactly equals brute force in rank %i", (r) => {
    fc.assert(
      fc.property(weighted(r), ({ X, v }) => {
        const found = maximizeExactly(pack(X, v, r), never);
        const tolerance = 1e-9 * size(X, v);
        expect(found).not.toBeNull();
        expect(Math.abs((found?.value ?? Number.NaN) - bruteMaximum(X, v, r))).toBeLessThanOrEqual(tolerance);
        if (found !== null && found.value > 0) {
          expect(Math.hypot(...found.u)).toBeCloseTo(1, 12);
          expect(Math.abs(response(X, v, found.u) - found.value)).toBeLessThanOrEqual(1e-12 * size(X, v));
        }
      }),
      { numRuns: 250, seed: 1 },
    );
  });

  test("maximizeOnCircle: one row, two antipodal rows, and a full turn of rows", () => {
    expect(maximizeOnCircle(pack([[3, 4]], [1], 2)).value).toBeCloseTo(5, 14);
    expect(maximizeOnCircle(pack([[3, 4]], [-1], 2)).value).toBeCloseTo(0, 14);
    const antipodal = [
      [3, 4],
      [-3, -4],
    ];
    expect(maximizeOnCircle(pack(antipodal, [1, 1], 2)).value).toBeCloseTo(5, 14);
    // v'|Xu| over 2n rows at equal angles: every direction sees sum |cos| over half of them.
    const turn = Array.from({ length: 8 }, (_, k) => [Math.cos((k * Math.PI) / 4), Math.sin((k * Math.PI) / 4)]);
    expect(maximizeOnCircle(pack(turn, new Array(8).fill(1), 2)).value).toBeCloseTo(1 / Math.sin(Math.PI / 8), 12);
  });

  test("maximizeOnSphere: rows along the axes, with v of both signs", () => {
    const axes = [
      [1, 0, 0],
      [0, 2, 0],
      [0, 0, 3],
    ];
    // On the positive octant G is (1, 2, 3)'u; turning the third off leaves (1, 2, 0).
    expect(maximizeOnSphere(pack(axes, [1, 1, 1], 3), never)?.value).toBeCloseTo(Math.sqrt(14), 12);
    expect(maximizeOnSphere(pack(axes, [1, 1, -1], 3), never)?.value).toBeCloseTo(Math.sqrt(5), 12);
    expect(maximizeOnSphere(pack(axes, [-1, -1, -1], 3), never)?.value).toBeCloseTo(0, 14);
  });

  test("maximizeOnSphere: rows in one plane, on one line, and duplicated", () => {
    const plane = [
      [1, 1, 0],
      [1, -1, 0],
      [-2, 0, 0],
      [1, 1, 0],
    ];
    const v = [1, 1, -1, 1];
    expect(maximizeOnSphere(pack(plane, v, 3), never)?.value).toBeCloseTo(bruteMaximum(plane, v, 3), 12);
    const line = [
      [1, 2, 2],
      [-2, -4, -4],
    ];
    expect(maximizeOnSphere(pack(line, [1, 1], 3), never)?.value).toBeCloseTo(6, 12);
    expect(maximizeOnSphere(pack(line, [1, -1], 3), never)?.value).toBeCloseTo(3, 12);
  });

  test("maximizeOnSphere returns null once it is told to stop", () => {
    expect(maximizeOnSphere(pack(gaussian(draws("stop"), 5, 3), [1, -1, 1, -1, 1], 3), () => true)).toBeNull();
  });

  test("maximizeExactly refuses rank 4", () => {
    expect(() => maximizeExactly(pack([[1, 0, 0, 0]], [1], 4), never)).toThrow(RangeError);
  });
});

describe("weightedRows", () => {
  test("weightedRows merges equal rows, drops zero rows and weights, and leaves G unchanged", () => {
    fc.assert(
      fc.property(
        weighted(3),
        fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 }),
        ({ X, v }, u) => {
          const packed = pack(X, v, 3);
          const kept = Array.from({ length: packed.count }, (_, i) => [...packed.Z.subarray(3 * i, 3 * i + 3)]);
          expect(new Set(kept.map(String)).size).toBe(packed.count);
          const difference = Math.abs(response(kept, packed.v, u) - response(X, v, u));
          expect(difference).toBeLessThanOrEqual(1e-13 * size(X, v));
        },
      ),
      { numRuns: 100, seed: 2 },
    );
  });
});

describe("shorBound", () => {
  const shor = (X: readonly (readonly number[])[], v: readonly number[], r: number): number =>
    shorBound(compute(), pack(X, v, r), draws("shor test"));

  test.each([1, 2, 3])("shorBound is never below the exact maximum in rank %i", (r) => {
    fc.assert(
      fc.property(weighted(r), ({ X, v }) => {
        expect(shor(X, v, r)).toBeGreaterThanOrEqual(bruteMaximum(X, v, r) - 1e-12 * size(X, v));
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  // G is a sum of convex and concave kinks: any point of the sphere is a lower bound of its maximum.
  test.each([5, 6, 8, 10])("shorBound is above the best of a large local search in rank %i", (r) => {
    for (let seed = 0; seed < 3; seed++) {
      const stream = draws(`local ${r}`, seed);
      const n = 2 * r + 5;
      const X = seed === 2 ? integers(stream, n, r, 1) : gaussian(stream, n, r);
      const v = Array.from({ length: n }, () => stream.normal());
      let best = 0;
      for (let start = 0; start < 300; start++) {
        let u = Array.from({ length: r }, () => stream.normal());
        for (let step = 0; step < 30; step++) {
          const g = new Array<number>(r).fill(0);
          X.forEach((x, i) => {
            if (x.reduce((sum, t, k) => sum + t * u[k], 0) > 0) for (let k = 0; k < r; k++) g[k] += v[i] * x[k];
          });
          const length = Math.hypot(...g);
          if (length === 0) break;
          u = g.map((t) => t / length);
          best = Math.max(best, response(X, v, u));
        }
      }
      const bound = shor(X, v, r);
      expect(bound).toBeGreaterThanOrEqual(best);
      // A bound that says nothing would pass too: the trivial one is the sum over the positive part.
      const trivial = X.reduce((sum, x, i) => sum + Math.max(0, v[i]) * Math.hypot(...x), 0);
      expect(bound).toBeLessThan(0.9 * trivial);
    }
  });

  test("shorBound is exact for one row and zero without rows", () => {
    expect(shor([[3, 4, 0, 0]], [2], 4)).toBeCloseTo(10, 9);
    expect(shor([[0, 0, 0, 0]], [2], 4)).toBe(0);
    expect(shor([], [], 4)).toBe(0);
  });

  test("shorBound holds for rows of very different lengths", () => {
    for (let seed = 0; seed < 10; seed++) {
      const stream = draws("scales", seed);
      const X = gaussian(stream, 6, 3).map((x) => {
        const scale = 10 ** (8 * stream.uniform() - 4);
        return x.map((t) => scale * t);
      });
      const v = Array.from({ length: 6 }, () => stream.normal());
      expect(shor(X, v, 3)).toBeGreaterThanOrEqual(bruteMaximum(X, v, 3) - 1e-12 * size(X, v));
    }
  });
});

describe("boundMaximum", () => {
  const bound = (X: number[][], v: number[], freeBias: boolean, stop = never): ReturnType<typeof boundMaximum> =>
    boundMaximum(
      compute(),
      { Z: rows(X), freeBias, residual: new Float64Array(X.length) },
      Float64Array.from(v),
      0,
      stop,
    );
  const centered = (v: number[]): number[] => v.map((t) => t - v.reduce((sum, s) => sum + s, 0) / v.length);

  test("boundMaximum covers both signs and is attained at its witness", () => {
    for (let seed = 0; seed < 30; seed++) {
      const stream = draws("both signs", seed);
      const r = 1 + (seed % 3);
      const X = seed % 2 === 0 ? gaussian(stream, 6, r) : integers(stream, 6, r);
      const v = Array.from({ length: 6 }, () => stream.normal());
      const negated = v.map((t) => -t);
      const { value, attained, method, witness } = bound(X, v, false);
      const exact = Math.max(bruteMaximum(X, v, r), bruteMaximum(X, negated, r));
      expect(method).toBe("exact");
      expect(Math.abs(attained - exact)).toBeLessThanOrEqual(1e-12 * size(X, v));
      expect(value).toBeGreaterThanOrEqual(exact);
      expect(value).toBeLessThanOrEqual(attained + roundingAllowance(pack(X, v, r)));
      if (witness !== null) expect(witness.sign * response(X, v, witness.u)).toBeCloseTo(exact, 10);
    }
  });

  // Many rows in rank 3 are left to cones, which must agree with the sweep.
  test("boundMaximum of many rows in rank 3 equals maximizeOnSphere", () => {
    for (let seed = 0; seed < 4; seed++) {
      const stream = draws("many rows", seed);
      const n = 110 + 30 * seed;
      const X = seed === 3 ? integers(stream, n, 3, 6) : gaussian(stream, n, 3);
      const v = Array.from({ length: n }, () => stream.normal());
      const negated = v.map((t) => -t);
      const exact = Math.max(...[v, negated].map((w) => maximizeOnSphere(pack(X, w, 3), never)?.value ?? Number.NaN));
      const { value, attained, method, witness } = bound(X, v, false);
      expect(method).toBe("exact");
      expect(Math.abs(attained - exact)).toBeLessThanOrEqual(1e-12 * size(X, v));
      expect(value).toBeGreaterThanOrEqual(exact);
      expect(value).toBeLessThanOrEqual(exact + 1e-11 * size(X, v));
      expect(witness).not.toBeNull();
      if (witness !== null) expect(witness.sign * response(X, v, witness.u)).toBeCloseTo(exact, 10);
    }
  });

  // With sum v = 0 G does not depend on b beyond the data, so a grid over |b| <= max ||x_i|| misses nothing, and it
  // misses the maximum by at most its steps times the Lipschitz constants sum |v_i| ||x_i|| (in u) and sum |v_i| (in b).
  test.each([1, 2])("boundMaximum with a free bias against a fine grid, %i dimension(s)", (r) => {
    for (let seed = 0; seed < 8; seed++) {
      const stream = draws(`free bias ${r}`, seed);
      const X = seed % 2 === 0 ? gaussian(stream, 6, r) : integers(stream, 6, r);
      const v = centered(Array.from({ length: 6 }, () => stream.normal()));
      const radius = Math.max(...X.map((x) => Math.hypot(...x)));
      const turns = r === 1 ? 2 : 720;
      const angleStep = (2 * Math.PI) / turns;
      const biasStep = radius / 250;
      let grid = 0;
      for (let t = 0; t < turns; t++) {
        const u = r === 1 ? [t === 0 ? 1 : -1] : [Math.cos(t * angleStep), Math.sin(t * angleStep)];
        for (let b = -radius; b <= radius; b += biasStep) grid = Math.max(grid, Math.abs(response(X, v, u, b)));
      }
      const slack =
        (biasStep / 2) * v.reduce((sum, t) => sum + Math.abs(t), 0) + (r === 1 ? 0 : (angleStep / 2) * size(X, v));
      const { value, method, witness } = bound(X, v, true);
      expect(method).toBe("exact");
      expect(value).toBeGreaterThanOrEqual(grid - 1e-12 * size(X, v));
      expect(value).toBeLessThanOrEqual(grid + slack);
      expect(witness).not.toBeNull();
      if (witness !== null) {
        expect(witness.sign * response(X, v, witness.u, witness.b)).toBeCloseTo(value, 10);
      }
    }
  });

  test("boundMaximum falls back to Shor's bound, which is no smaller, when it may not take the time", () => {
    for (let seed = 0; seed < 6; seed++) {
      const stream = draws("fallback", seed);
      const X = gaussian(stream, 7, 3);
      const v = centered(Array.from({ length: 7 }, () => stream.normal()));
      for (const freeBias of [false, true]) {
        const exact = bound(X, v, freeBias);
        const quick = bound(X, v, freeBias, () => true);
        expect(exact.method).toBe("exact");
        expect(quick.method).toBe("shor");
        expect(quick.value).toBeGreaterThanOrEqual(exact.value * (1 - 1e-12));
      }
    }
  });

  test("boundMaximum is zero for data without columns and for a zero dual point", () => {
    expect(
      boundMaximum(
        compute(),
        { Z: rows([[], []], 0), freeBias: false, residual: new Float64Array(2) },
        Float64Array.of(1, -1),
        0,
        never,
      ).value,
    ).toBe(0);
    expect(bound([[1, 2]], [0], false).value).toBe(0);
    expect(bound([[1, 2, 3, 4]], [0], true).value).toBe(0);
  });

  // Merging and translating must not lose a row that differs in the last bit.
  test("boundMaximum with rows that nearly coincide", () => {
    const X = [
      [1, 1, 1],
      [1, 1, 1 + 2 ** -50],
      [1, 1 - 2 ** -50, 1],
      [0.5, -1, 2],
    ];
    const v = [3, -2, 1, -1];
    const { value } = bound(X, v, false);
    const exact = Math.max(
      bruteMaximum(X, v, 3),
      bruteMaximum(
        X,
        v.map((t) => -t),
        3,
      ),
    );
    expect(Math.abs(value - exact)).toBeLessThanOrEqual(1e-11 * size(X, v));
  });
});
