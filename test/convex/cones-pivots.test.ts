import { describe, expect, test } from "vitest";
import { ProofWriter } from "../../src/certificate/index.ts";
import { PivotSearch } from "../../src/convex/bounds/cones/pivots.ts";
import { boundMaximum } from "../../src/convex/bounds/maximum.ts";
import { checkCones } from "./cones-checker.ts";
import { draws, gaussian, integers, response, rows, useCompute } from "./problems.ts";

const never = (): boolean => false;
const compute = useCompute();

/** Weights on a grid of 1/64 that add up to exactly 0. */
function balanced(stream: ReturnType<typeof draws>, n: number): Float64Array {
  const v = Float64Array.from({ length: n }, () => (stream.integer(257) - 128) / 64);
  v[0] -= v.reduce((sum, t) => sum + t, 0);
  return v;
}

function exactMaximum(X: number[][], v: Float64Array): number {
  return boundMaximum(compute(), { Z: rows(X), freeBias: true, residual: new Float64Array(X.length) }, v, 0, never)
    .attained;
}

function sizeOf(X: number[][], v: Float64Array): number {
  return X.reduce((sum, x, i) => sum + Math.abs(v[i]) * 2 * Math.hypot(...x), 0);
}

describe("PivotSearch", () => {
  test.each([1, 2, 3])("PivotSearch brackets the maximum over a free bias in rank %i", (r) => {
    for (let seed = 0; seed < 12; seed++) {
      const stream = draws(`pivots ${r}`, seed);
      const n = 3 + stream.integer(r === 3 ? 9 : 20);
      const X = seed % 2 === 0 ? gaussian(stream, n, r) : integers(stream, n, r);
      const v = balanced(stream, n);
      const exact = exactMaximum(X, v);
      const unit = sizeOf(X, v);
      const search = new PivotSearch(rows(X), v);
      let last = search.bound;
      expect(last).toBeGreaterThanOrEqual(exact);
      for (const step of [0.5, 1e-2, 1e-9]) {
        search.advance(exact * (1 + step) + 1e-12 * unit, never);
        expect(search.bound).toBeLessThanOrEqual(last);
        expect(search.bound).toBeGreaterThanOrEqual(exact - 1e-14 * unit);
        last = search.bound;
      }
      expect(last).toBeLessThanOrEqual(exact * (1 + 1e-9) + 1e-11 * unit);
      expect(search.finished).toBe(true);
      // A target below the maximum is answered by a point that is above it.
      search.advance(0.9 * exact, never);
      const { u, b, sign, value } = search.witness;
      expect(value).toBeGreaterThanOrEqual(0.9 * exact);
      expect(sign * response(X, v, u, b)).toBeCloseTo(value, 9);
    }
  });

  test("PivotSearch is valid whenever it is stopped", () => {
    const stream = draws("pivots stopped");
    const X = gaussian(stream, 12, 2);
    const v = balanced(stream, 12);
    const exact = exactMaximum(X, v);
    const search = new PivotSearch(rows(X), v);
    let last = search.bound;
    let looks = 0;
    for (let call = 0; call < 200 && search.bound > exact * (1 + 1e-9); call++) {
      looks = 0;
      search.advance(exact * (1 + 1e-9), () => looks++ >= 3);
      expect(search.bound).toBeLessThanOrEqual(last);
      expect(search.bound).toBeGreaterThanOrEqual(exact * (1 - 1e-13));
      last = search.bound;
    }
    expect(last).toBeLessThanOrEqual(exact * (1 + 1e-9));
  });

  test("PivotSearch writes a part for each row whose trees hold in exact arithmetic", () => {
    for (let seed = 0; seed < 4; seed++) {
      const stream = draws("pivots proof", seed);
      const r = 1 + (seed % 2);
      const n = 6;
      const X = seed < 2 ? gaussian(stream, n, r) : integers(stream, n, r);
      const v = balanced(stream, n);
      const search = new PivotSearch(rows(X), v);
      const exact = exactMaximum(X, v);
      search.advance(1.1 * exact, never);
      const out = new ProofWriter();
      search.writeParts(out);
      const bytes = out.bytes();
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      let at = 0;
      let largest = 0;
      for (let p = 0; p < n; p++) {
        const T = view.getFloat64(at, true);
        at += 8;
        largest = Math.max(largest, T);
        const Z = Float64Array.from(X.flatMap((x) => x.map((t, k) => t - X[p]![k]!)));
        for (const sign of [1, -1]) {
          const problem = { n, r, Z, v: v.map((t) => sign * t) };
          at += checkCones(bytes.subarray(at), problem, T).bytes;
        }
      }
      expect(at).toBe(bytes.length);
      expect(largest).toBeLessThanOrEqual(1.1 * exact);
      expect(largest).toBeGreaterThanOrEqual(exact * (1 - 1e-14));
    }
  });

  test("PivotSearch refuses weights of another number and is zero for one row", () => {
    expect(() => new PivotSearch(rows([[1, 2]]), new Float64Array(2))).toThrow(RangeError);
    expect(new PivotSearch(rows([[1, 2]]), new Float64Array(1)).bound).toBe(0);
  });
});
