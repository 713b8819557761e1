import fc from "fast-check";
import { expect, test } from "vitest";
import { median, standardization } from "../../src/data/moments.ts";

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });

test("median is the middle of the sorted numbers", () => {
  const few = fc.oneof(finite, fc.integer({ min: 0, max: 3 }));
  fc.assert(
    fc.property(fc.array(few, { minLength: 1, maxLength: 60 }), (values) => {
      const sorted = Float64Array.from(values).sort();
      const half = sorted.length >> 1;
      const expected = sorted.length % 2 === 1 ? sorted[half]! : sorted[half - 1]! / 2 + sorted[half]! / 2;
      expect(median(Float64Array.from(values)) + 0).toBe(expected + 0); // a zero of either sign will do
    }),
    { numRuns: 1000 },
  );
});

test("median of ordered, reversed and constant numbers", () => {
  const n = 10_001;
  expect(median(Float64Array.from({ length: n }, (_, i) => i))).toBe(5000);
  expect(median(Float64Array.from({ length: n }, (_, i) => n - i))).toBe(5001);
  expect(median(new Float64Array(n).fill(3))).toBe(3);
});

test("standardization equals the two-pass formula bit by bit where that does not overflow", () => {
  // Dividing by a power of two is exact in this range.
  const moderate = fc
    .double({ min: -1e100, max: 1e100, noNaN: true })
    .filter((value) => value === 0 || Math.abs(value) > 1e-100);
  fc.assert(
    fc.property(fc.array(moderate, { minLength: 2, maxLength: 30 }), (values) => {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const variance = values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / values.length;
      const found = standardization(Float64Array.from(values));
      if (values.every((value) => value === values[0])) expect(found).toBeNull();
      // Squares of numbers far below the largest may underflow in one of the two.
      else if (found !== null && variance > 1e-250) expect(found).toEqual({ mean, scale: Math.sqrt(variance) });
    }),
  );
});

test("standardization does not overflow, and is null for constant numbers", () => {
  fc.assert(
    fc.property(fc.array(finite, { minLength: 1, maxLength: 10 }), (values) => {
      const found = standardization(Float64Array.from(values));
      if (found === null) return;
      expect(Number.isFinite(found.mean)).toBe(true);
      expect(found.scale > 0 && Number.isFinite(found.scale)).toBe(true);
    }),
  );
  expect(standardization(Float64Array.of(-1.7e308, 1.7e308))).toEqual({ mean: 0, scale: 1.7e308 });
  expect(standardization(new Float64Array(3).fill(0.1))).toBeNull();
  expect(standardization(Float64Array.of(5e-324, 5e-324))).toBeNull();
});
