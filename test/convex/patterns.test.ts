import { describe, expect, test } from "vitest";
import { enumerateCells } from "../../src/convex/patterns/enumerate.ts";
import { ascend, gain, searchDirections } from "../../src/convex/patterns/local-search.ts";
import { isActive, patternKey, patternOf } from "../../src/convex/patterns/pattern.ts";
import { bruteMaximum, draws, gaussian, integers, response, useCompute } from "./problems.ts";

const compute = useCompute();

function choose(n: number, k: number): number {
  let value = 1;
  for (let i = 0; i < k; i++) value = (value * (n - i)) / (i + 1);
  return Math.round(value);
}

const cellsOf = (X: number[][], p = X[0].length): string[] =>
  enumerateCells(Float64Array.from(X.flat()), X.length, p).map(({ pattern }) =>
    X.map((_, i) => (isActive(pattern, i) ? "1" : "0")).join(""),
  );

describe("patternOf", () => {
  test("patternOf packs n rows, isActive reads them back, and patternKey tells patterns apart", () => {
    for (const n of [1, 31, 32, 33, 64, 100]) {
      const stream = draws("pattern", n);
      const z = Array.from({ length: n }, () => stream.normal());
      z[n - 1] = 0;
      const pattern = patternOf(z);
      z.forEach((t, i) => {
        expect(isActive(pattern, i)).toBe(t > 0);
      });
      for (let i = 0; i < n; i++) {
        const other = patternOf(z.map((t, k) => (k === i ? (t > 0 ? -1 : 1) : t)));
        expect(patternKey(other)).not.toBe(patternKey(pattern));
      }
    }
  });
});

describe("enumerateCells", () => {
  // Cover's formula for rows in general position; the sweeps know nothing of it.
  test.each([
    [1, 1],
    [7, 1],
    [2, 2],
    [9, 2],
    [40, 2],
    [3, 3],
    [8, 3],
    [20, 3],
  ])("enumerateCells finds 2 sum_k C(n-1, k) cells for %i random rows in rank %i", (n, r) => {
    const patterns = cellsOf(gaussian(draws("cover", n), n, r));
    let expected = 0;
    for (let k = 0; k < r; k++) expected += 2 * choose(n - 1, k);
    expect(new Set(patterns).size).toBe(patterns.length);
    // In one dimension all rows share a single pair of cells.
    expect(patterns).toHaveLength(expected);
  });

  test("enumerateCells: XOR has 4 cells, with a column of ones 14", () => {
    const xor = [
      [1, 1],
      [-1, -1],
      [1, -1],
      [-1, 1],
    ];
    expect(cellsOf(xor).sort()).toEqual(["0101", "0110", "1001", "1010"]);
    expect(cellsOf(xor.map((x) => [...x, 1]))).toHaveLength(14);
  });

  // Baseline: the patterns of many random points; a cell of width w is hit with probability about w^(r-1).
  test.each([2, 3])(
    "enumerateCells finds every pattern that random points have, on degenerate data in rank %i",
    (r) => {
      for (let seed = 0; seed < 12; seed++) {
        const stream = draws(`hits ${r}`, seed);
        const X = integers(stream, 6, r);
        const found = new Set(cellsOf(X, r));
        for (let k = 0; k < 2000; k++) {
          const u = Array.from({ length: r }, () => stream.normal());
          const z = X.map((x) => x.reduce((sum, t, q) => sum + t * u[q], 0));
          expect(found.has(z.map((t) => (t > 0 ? "1" : "0")).join(""))).toBe(true);
        }
      }
    },
  );

  test("enumerateCells gives a point well inside each cell", () => {
    for (let seed = 0; seed < 10; seed++) {
      const X = integers(draws("inside", seed), 7, 3);
      for (const { pattern, u } of enumerateCells(Float64Array.from(X.flat()), 7, 3)) {
        expect(Math.hypot(...u)).toBeCloseTo(1, 12);
        X.forEach((x, i) => {
          const z = x.reduce((sum, t, k) => sum + t * u[k], 0);
          const zero = x.every((t) => t === 0);
          expect(zero ? z === 0 : Math.abs(z) > 1e-6).toBe(true);
          expect(isActive(pattern, i)).toBe(z > 0);
        });
      }
    }
  });

  test("enumerateCells: zero rows are inactive in the one cell that they leave", () => {
    expect(cellsOf([[0, 0, 0]])).toEqual(["0"]);
    expect(cellsOf([[0], [2]]).sort()).toEqual(["00", "01"]);
  });

  test("enumerateCells refuses rank 4", () => {
    expect(() => enumerateCells(new Float64Array(4), 1, 4)).toThrow(RangeError);
  });
});

describe("ascend", () => {
  const cases = Array.from({ length: 24 }, (_, seed) => seed);
  test.each(cases)("ascend never goes down and ends at a local maximum, case %i", (seed) => {
    const stream = draws("ascend", seed);
    const p = 2 + (seed % 4);
    const n = 6 + seed;
    const X = gaussian(stream, n, p);
    const v = Float64Array.from({ length: n }, () => stream.normal());
    const search = { Z: Float64Array.from(X.flat()), n, p, v };
    const raw = Float64Array.from({ length: p }, () => stream.normal());
    const u = raw.map((t) => t / Math.hypot(...raw));
    const start = { u, value: response(X, v, u) };
    const end = ascend(search, start);
    expect(end.value).toBeGreaterThanOrEqual(start.value);
    expect(Math.hypot(...end.u)).toBeCloseTo(1, 12);
    expect(response(X, v, end.u)).toBeCloseTo(end.value, 10);
    expect(gain(search, end.u)).toBe(end.value);
    if (end.value <= 0) return; // the ball's centre is better: no unit vector is a maximum
    for (let k = 0; k < 400; k++) {
      const radius = 10 ** (-1 - 6 * stream.uniform());
      const moved = end.u.map((t) => t + radius * stream.normal());
      const length = Math.hypot(...moved);
      const near = response(
        X,
        v,
        moved.map((t) => t / length),
      );
      // Perturbations below 1e-3 stay in the cells around; farther ones may find another hill.
      if (radius < 1e-3) expect(near).toBeLessThanOrEqual(end.value + 1e-12 * (1 + end.value));
    }
  });
});

describe("searchDirections", () => {
  // It is a heuristic: nine of ten small problems is what it is asked for, and never more than the maximum.
  test("searchDirections finds the global maximum of most small problems, best first", () => {
    let hits = 0;
    for (let seed = 0; seed < 40; seed++) {
      const stream = draws("search", seed);
      const r = 2 + (seed % 2);
      const X = gaussian(stream, 8, r);
      const v = Float64Array.from({ length: 8 }, () => stream.normal());
      const search = { Z: Float64Array.from(X.flat()), n: 8, p: r, v };
      const found = searchDirections(compute(), search, stream, { starts: 128, refine: 8 }, []);
      const best = bruteMaximum(X, v, r);
      expect(found[0].value).toBeLessThanOrEqual(best + 1e-12);
      if (found[0].value >= best - 1e-9) hits++;
      for (let k = 1; k < found.length; k++) expect(found[k].value).toBeLessThanOrEqual(found[k - 1].value);
      for (const { u, value } of found) expect(response(X, v, u)).toBeCloseTo(value, 10);
    }
    expect(hits).toBeGreaterThanOrEqual(34);
  });

  test("searchDirections keeps the directions that it is given", () => {
    const X = [
      [1, 0],
      [0, 1],
    ];
    const search = { Z: Float64Array.from(X.flat()), n: 2, p: 2, v: Float64Array.of(1, -1) };
    const found = searchDirections(compute(), search, draws("given"), { starts: 0, refine: 4 }, [
      Float64Array.of(1, 0.1),
    ]);
    expect(found[0].value).toBeCloseTo(1, 12);
    expect(searchDirections(compute(), search, draws("given"), { starts: 0, refine: 4 }, [])).toEqual([]);
  });
});
