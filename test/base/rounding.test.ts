import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { roundDecimals, roundDigits } from "../../src/base/rounding.ts";

const size = fc
  .double({ min: -1e12, max: 1e12, noNaN: true })
  .filter((value) => value === 0 || Math.abs(value) > 1e-290);

describe("roundDigits", () => {
  test("roundDigits encloses every number within one unit of its last digit", () => {
    fc.assert(
      fc.property(size, fc.integer({ min: 1, max: 17 }), (value, digits) => {
        const [down, nearest, up] = (["down", "nearest", "up"] as const).map((way) => roundDigits(value, digits, way));
        expect(down).toBeLessThanOrEqual(value);
        expect(up).toBeGreaterThanOrEqual(value);
        expect([down, up]).toContain(nearest);
        // At 16 digits and more the doubles themselves are further apart.
        expect(up! - down!).toBeLessThanOrEqual(Math.abs(value) * (10 ** (1 - digits) + 1e-15));
      }),
      { numRuns: 3000 },
    );
  });

  test("roundDigits keeps what is short enough, and carries", () => {
    expect(roundDigits(0.07, 1, "up")).toBe(0.07);
    expect(roundDigits(9.9996e-9, 4, "up")).toBe(1e-8);
    expect(roundDigits(-1.23456, 4, "up")).toBe(-1.234);
    expect(roundDigits(0.29304, 4, "nearest")).toBe(0.293);
    expect([Number.NaN, Number.POSITIVE_INFINITY, 0].map((value) => roundDigits(value, 2, "down"))).toEqual([
      Number.NaN,
      Number.POSITIVE_INFINITY,
      0,
    ]);
  });
});

describe("roundDecimals", () => {
  test("roundDecimals is a multiple of its unit on the asked side", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.integer({ min: -3, max: 6 }),
        (value, decimals) => {
          const unit = 10 ** -decimals;
          const [down, up] = [roundDecimals(value, decimals, "down"), roundDecimals(value, decimals, "up")];
          expect(down).toBeLessThanOrEqual(value);
          expect(up).toBeGreaterThanOrEqual(value);
          // Differences of numbers up to 1e6 are off by as much as 1e-9.
          expect(up - down).toBeLessThanOrEqual(unit + 1e-9);
          expect(Math.abs(up / unit - Math.round(up / unit))).toBeLessThan(1e-3);
          expect(Math.abs(roundDecimals(value, decimals, "nearest") - value)).toBeLessThanOrEqual(unit / 2 + 1e-9);
        },
      ),
    );
  });

  test("roundDecimals of what is smaller than its unit", () => {
    expect(roundDecimals(0.0041, 2, "up")).toBe(0.01);
    expect(roundDecimals(0.00001, 2, "up")).toBe(0.01);
    expect(roundDecimals(0.0049, 2, "down")).toBe(0);
    expect(roundDecimals(-0.0041, 2, "down")).toBe(-0.01);
    expect(roundDecimals(0.005, 2, "nearest")).toBe(0.01);
    expect(roundDecimals(0.0005, 2, "nearest")).toBe(0);
  });
});
