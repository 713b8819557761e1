import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ProofWriter } from "../../src/certificate/index.ts";
import { coneSearch } from "../../src/convex/bounds/cones/cone-search.ts";
import { weightedRows } from "../../src/convex/bounds/rows.ts";
import type { BoundSearch, SideProblem } from "../../src/convex/bounds/search.ts";
import { maximizeExactly } from "../../src/convex/bounds/sphere.ts";
import { checkCones } from "./cones-checker.ts";
import { bruteMaximum, draws, gaussian, integers, response, useCompute } from "./problems.ts";

const never = (): boolean => false;
const compute = useCompute();

type Rows = readonly (readonly number[])[];

function side(X: Rows, v: readonly number[], r: number): SideProblem {
  return { n: X.length, r, Z: Float64Array.from(X.flat()), v: Float64Array.from(v) };
}

function size(X: Rows, v: readonly number[]): number {
  return X.reduce((sum, x, i) => sum + Math.abs(v[i]!) * Math.hypot(...x), 0);
}

/**
 * How far a converged bound may be above the maximum. Where the maximum is 0, theta in single precision moves c by 1e-7 of that: the bound
 * is only small: of no consequence beside a target of ordinary size.
 */
function excess(exact: number, unit: number): number {
  return exact > 1e-9 * unit ? 2e-9 * exact + 1e-11 * unit : 1e-6 * unit;
}

/** Leaves of a proof that is right and has nothing behind it. */
function checked(bytes: Uint8Array, problem: SideProblem, T: number): number {
  const { leaves, bytes: read } = checkCones(bytes, problem, T);
  expect(read).toBe(bytes.length);
  return leaves;
}

function proofOf(search: BoundSearch): Uint8Array {
  const out = new ProofWriter();
  search.writeProof(out);
  return out.bytes();
}

/** A bound to nine digits, reached in calls with smaller and smaller targets, each checked. */
function converge(X: Rows, v: readonly number[], r: number): BoundSearch {
  const search = coneSearch(compute(), side(X, v, r), 0);
  const slack = 1e-12 * size(X, v);
  let last = search.bound;
  for (const step of [1, 1e-3, 1e-9, 1e-9, 1e-9]) {
    const target = search.witness.value * (1 + step) + slack;
    search.advance(target, never);
    expect(search.bound).toBeLessThanOrEqual(last);
    expect(search.bound <= target || search.witness.value > target || search.finished).toBe(true);
    last = search.bound;
  }
  return search;
}

/** Numbers on a grid that is fine enough for no two to be equal by chance. */
const ordinary = fc.integer({ min: -2_000_000, max: 2_000_000 }).map((t) => t * 1e-6);

/** Rows with ties, parallel, antipodal, zero and dependent rows; weights with ties and zeros. */
function weighted(r: number, most: number): fc.Arbitrary<{ X: number[][]; v: number[] }> {
  const vector = (entry: fc.Arbitrary<number>): fc.Arbitrary<number[]> =>
    fc.array(entry, { minLength: r, maxLength: r });
  const integer = fc.array(vector(fc.integer({ min: -2, max: 2 })), { maxLength: most });
  const real = fc.array(vector(ordinary), { maxLength: most });
  const repeated = fc
    .tuple(
      fc.array(vector(ordinary), { minLength: 1, maxLength: 3 }),
      fc.array(fc.tuple(fc.nat(2), fc.constantFrom(1, -1, 2, 0.5, 0)), { maxLength: most - 3 }),
    )
    .map(([base, copies]) => [...base, ...copies.map(([k, scale]) => base[k % base.length]!.map((t) => scale * t))]);
  return fc.oneof(integer, real, repeated).chain((X) =>
    fc.record({
      X: fc.constant(X),
      v: fc.oneof(
        fc.array(fc.constantFrom(-1, 0, 1), { minLength: X.length, maxLength: X.length }),
        fc.array(ordinary, { minLength: X.length, maxLength: X.length }),
        fc.array(fc.integer({ min: -2_000_000, max: 0 }), { minLength: X.length, maxLength: X.length }),
      ),
    }),
  );
}

describe("coneSearch", () => {
  test.each([
    [1, 7, 300],
    [2, 7, 300],
    [3, 7, 300],
    [4, 6, 120],
    [5, 6, 60],
  ])("coneSearch brackets the maximum of brute force in rank %i", (r, most, numRuns) => {
    fc.assert(
      fc.property(weighted(r, most), ({ X, v }) => {
        const exact = bruteMaximum(X, v, r);
        const { bound, witness } = converge(X, v, r);
        const unit = size(X, v);
        expect(bound).toBeGreaterThanOrEqual(exact - 1e-15 * unit);
        expect(bound).toBeLessThanOrEqual(exact + excess(exact, unit));
        expect(witness.value).toBeLessThanOrEqual(exact + 1e-14 * unit);
        expect(Math.abs(response(X, v, witness.u) - witness.value)).toBeLessThanOrEqual(1e-14 * unit);
        expect(Math.hypot(...witness.u)).toBeLessThanOrEqual(1 + 1e-12);
      }),
      { numRuns, seed: r },
    );
  });

  test.each([1, 2, 3])("coneSearch agrees with maximizeExactly on larger sets in rank %i", (r) => {
    for (let seed = 0; seed < 30; seed++) {
      const stream = draws(`cones ${r}`, seed);
      const n = 10 + stream.integer(40);
      const X = seed % 3 === 2 ? integers(stream, n, r, 3) : gaussian(stream, n, r);
      const v = Array.from({ length: n }, () => (seed % 5 === 4 ? stream.integer(3) - 1 : stream.normal()));
      const exact = maximizeExactly(
        weightedRows(Float64Array.from(X.flat()), n, r, Float64Array.from(v)),
        never,
      )!.value;
      const { bound, witness } = converge(X, v, r);
      expect(bound).toBeGreaterThanOrEqual(exact - 1e-14 * size(X, v));
      expect(bound).toBeLessThanOrEqual(exact + excess(exact, size(X, v)));
      expect(witness.value).toBeGreaterThanOrEqual(exact * (1 - 2e-9) - 1e-11 * size(X, v));
    }
  });

  test("coneSearch in ranks 4 and 5 bounds what a large local search finds, closely", () => {
    for (let seed = 0; seed < 6; seed++) {
      const stream = draws("cones high", seed);
      const r = 4 + (seed % 2);
      const n = 25;
      const X = seed < 4 ? gaussian(stream, n, r) : integers(stream, n, r, 2);
      const v = Array.from({ length: n }, () => stream.normal());
      const { bound, witness } = converge(X, v, r);
      expect(bound).toBeLessThanOrEqual(witness.value * (1 + 2e-9) + 1e-11 * size(X, v));
      for (let start = 0; start < 2000; start++) {
        const u = Array.from({ length: r }, () => stream.normal());
        const length = Math.hypot(...u);
        const value = response(
          X,
          v,
          u.map((t) => t / length),
        );
        expect(value).toBeLessThanOrEqual(bound);
      }
    }
  });

  test("coneSearch is exactly equivariant under powers of two and survives extreme scales", () => {
    for (let seed = 0; seed < 10; seed++) {
      const stream = draws("cones scale", seed);
      const X = gaussian(stream, 12, 3);
      const v = Array.from({ length: 12 }, () => stream.normal());
      const { bound } = converge(X, v, 3);
      for (const power of [2 ** -300, 2 ** 40, 2 ** 300]) {
        const scaled = converge(
          X,
          v.map((t) => power * t),
          3,
        );
        expect(scaled.bound).toBe(power * bound);
      }
      const tiny = converge(
        X.map((x) => x.map((t) => 1e-200 * t)),
        v.map((t) => 1e-100 * t),
        3,
      );
      expect(tiny.bound / 1e-300).toBeCloseTo(bound, 9);
    }
  });

  test("coneSearch: rows of very different lengths and rows that nearly coincide", () => {
    for (let seed = 0; seed < 60; seed++) {
      const stream = draws("cones lengths", seed);
      const r = 2 + (seed % 2);
      const base = gaussian(stream, 3, r);
      const X = [
        ...base.map((x) => x.map((t) => t * 10 ** (6 * stream.uniform() - 3))),
        ...base.map((x) => x.map((t) => t * (1 + 1e-9 * stream.normal()))),
        base[0]!.map((t, k) => (k === 0 ? t + 2 ** -50 : t)),
      ];
      const v = X.map(() => stream.normal());
      const exact = bruteMaximum(X, v, r);
      const { bound } = converge(X, v, r);
      expect(bound).toBeGreaterThanOrEqual(exact - 1e-14 * size(X, v));
      expect(bound).toBeLessThanOrEqual(exact + excess(exact, size(X, v)));
    }
  });

  test("coneSearch without rows, without columns, and with weights of one sign", () => {
    expect(converge([], [], 3).bound).toBe(0);
    expect(converge([[], []], [1, -1], 0).bound).toBe(0);
    expect(converge([[0, 0]], [1], 2).bound).toBe(0);
    expect(converge([[3, 4]], [2], 2).bound).toBeCloseTo(10, 12);
    expect(converge([[3, 4, 0]], [-2], 3).bound).toBeLessThan(1e-8);
    expect(converge([[3]], [2], 1).bound).toBeCloseTo(6, 12);
  });

  test("coneSearch refuses shapes and numbers that are wrong", () => {
    const make = (problem: SideProblem): BoundSearch => coneSearch(compute(), problem, 0);
    expect(() => make({ n: 2, r: 2, Z: new Float64Array(3), v: new Float64Array(2) })).toThrow(RangeError);
    expect(() => make({ n: 1, r: 13, Z: new Float64Array(13), v: new Float64Array(1) })).toThrow(RangeError);
    expect(() => make(side([[Number.NaN, 1]], [1], 2))).toThrow(TypeError);
    expect(() => make(side([[1, 1]], [Number.POSITIVE_INFINITY], 2))).toThrow(TypeError);
  });
});

describe("coneSearch is anytime", () => {
  /** Weights with a hard maximum: many rows of both signs at random. */
  function hard(n: number, r: number): { X: number[][]; v: number[] } {
    const stream = draws("cones hard", n);
    return {
      X: gaussian(stream, n, r).map((x) => [...x.slice(1), 1]),
      v: Array.from({ length: n }, () => stream.normal()),
    };
  }

  test("coneSearch never raises its bound when it is stopped often, and ends at the bound of one call", () => {
    const { X, v } = hard(150, 5);
    const whole = coneSearch(compute(), side(X, v, 5), 0);
    for (let call = 0; call < 20; call++) whole.advance(whole.witness.value * (1 + 1e-4), never);
    const target = whole.witness.value * (1 + 1e-4);
    expect(whole.bound).toBeLessThanOrEqual(target);

    const parts = coneSearch(compute(), side(X, v, 5), 0);
    let last = parts.bound;
    let calls = 0;
    let between = 0;
    while (!(parts.bound <= target)) {
      parts.advance(target, () => true);
      expect(parts.bound).toBeLessThanOrEqual(last);
      expect(parts.bound).toBeGreaterThanOrEqual(whole.witness.value);
      if (parts.bound < last && parts.bound > target) between++;
      last = parts.bound;
      calls++;
    }
    expect(calls).toBeGreaterThan(5);
    expect(between).toBeGreaterThan(1);
  });

  test("coneSearch returns a witness above a target that cannot be reached, and goes on with a larger one", () => {
    const { X, v } = hard(60, 3);
    const search = coneSearch(compute(), side(X, v, 3), 0);
    const exact = maximizeExactly(weightedRows(Float64Array.from(X.flat()), 60, 3, Float64Array.from(v)), never)!.value;
    search.advance(0.9 * exact, never);
    expect(search.witness.value).toBeGreaterThan(0.9 * exact);
    expect(response(X, v, search.witness.u)).toBeCloseTo(search.witness.value, 10);
    search.advance(1.1 * exact, never);
    expect(search.bound).toBeLessThanOrEqual(1.1 * exact);
    expect(search.bound).toBeGreaterThanOrEqual(exact);
    expect(search.finished).toBe(true);
    // Leaves that were closed at the larger target are opened again.
    search.advance((1 + 1e-8) * exact, never);
    expect(search.bound).toBeLessThanOrEqual((1 + 1e-8) * exact);
    expect(search.bound).toBeGreaterThanOrEqual(exact * (1 - 1e-14));
  });

  test("coneSearch does the same every time", () => {
    const { X, v } = hard(80, 3);
    const run = (): unknown => {
      const search = converge(X, v, 3);
      return [search.bound, search.nodes, [...search.witness.u], [...proofOf(search)]];
    };
    expect(run()).toEqual(run());
  });
});

describe("proofs of coneSearch", () => {
  test.each([1, 2, 3, 4, 5])("coneSearch writes proofs of its bound that hold in exact arithmetic, rank %i", (r) => {
    fc.assert(
      fc.property(weighted(r, 7), ({ X, v }) => {
        const search = converge(X, v, r);
        expect(checked(proofOf(search), side(X, v, r), search.bound)).toBeGreaterThanOrEqual(2 ** r);
      }),
      { numRuns: r < 4 ? 80 : 25, seed: 10 + r },
    );
  });

  test("coneSearch writes a proof of what it knows when it was stopped", () => {
    const stream = draws("cones stopped");
    const X = gaussian(stream, 40, 3);
    const v = Array.from({ length: 40 }, () => stream.normal());
    const search = coneSearch(compute(), side(X, v, 3), 0);
    expect(checked(proofOf(search), side(X, v, 3), search.bound)).toBe(8);
    for (const share of [0.5, 0.2, 0.1]) {
      const target = search.witness.value + share * (search.bound - search.witness.value);
      search.advance(target, never);
      expect(checked(proofOf(search), side(X, v, 3), search.bound)).toBeGreaterThan(8);
    }
  });

  test("proofs of coneSearch hold at extreme scales", () => {
    const stream = draws("cones proof scale");
    const X = gaussian(stream, 9, 2);
    const v = Array.from({ length: 9 }, () => stream.normal());
    for (const scale of [1e-120, 1e-9, 1e9, 1e120]) {
      const scaled = v.map((t) => scale * t);
      const search = converge(X, scaled, 2);
      checked(proofOf(search), side(X, scaled, 2), search.bound);
    }
  });

  test("no proof of coneSearch shows a bound below the maximum, nor survives damage", () => {
    const stream = draws("cones damage");
    const X = gaussian(stream, 10, 2);
    const v = Array.from({ length: 10 }, () => stream.normal());
    const search = converge(X, v, 2);
    const bytes = proofOf(search);
    const problem = side(X, v, 2);
    const leaves = checked(bytes, problem, search.bound);
    expect(leaves).toBeGreaterThan(4);
    const exact = bruteMaximum(X, v, 2);
    expect(() => checked(bytes, problem, exact * (1 - 1e-12))).toThrow("|c| > T");
    expect(() => checked(bytes.subarray(0, bytes.length - 1), problem, search.bound)).toThrow();
    // A larger weight, and a row moved.
    const heavier = v.map((t) => (t > 0 ? 1.001 * t : t));
    expect(() => checked(bytes, side(X, heavier, 2), search.bound)).toThrow("c'w < h(w)");
    // Two cones exchanged: the proofs of the first and of the last orthant.
    const other = proofOf(
      converge(
        X.map((x) => x.map((t) => -t)),
        v,
        2,
      ),
    );
    expect(() => checked(other, problem, search.bound)).toThrow();
    // Every damaged byte of a split or a leaf either breaks the proof or leaves one that proves the truth.
    let broken = 0;
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = damaged[at]! ^ 0x40;
      try {
        checked(damaged, problem, search.bound);
      } catch {
        broken++;
      }
    }
    expect(broken).toBeGreaterThan(bytes.length / 3);
  });
});
