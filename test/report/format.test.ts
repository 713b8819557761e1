import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { columnFormatter, DASH, formatFixed, formatGap, formatNumber, formatSeconds } from "../../src/report/format.ts";

/** Reads a formatted number back. */
function parse(text: string): number {
  const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const plain = text.replaceAll("−", "-").replaceAll(",", "");
  const power = /^(?:(.*)×)?10([⁻⁰¹²³⁴-⁹]+)$/u.exec(plain);
  if (power === null) return Number(plain);
  const exponent = [...power[2]!].map((c) => (c === "⁻" ? "-" : String(superscripts.indexOf(c)))).join("");
  return Number(power[1] ?? "1") * 10 ** Number(exponent);
}

describe("formatNumber", () => {
  it("formatNumber is right to its significant digits for every number", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e200, max: 1e200 }), (value) => {
        const back = parse(formatNumber(value, 4));
        expect(Math.abs(back - value)).toBeLessThanOrEqual(5.001e-4 * Math.abs(value) + 1e-300);
      }),
    );
  });

  it("formatNumber writes what a person would", () => {
    expect(formatNumber(0.29312)).toBe("0.2931");
    expect(formatNumber(958)).toBe("958");
    expect(formatNumber(-1234567)).toBe("−1,234,567");
    expect(formatNumber(12345.678)).toBe("12,346");
    expect(formatNumber(3.2e-9)).toBe("3.2×10⁻⁹");
    expect(formatNumber(1e-6)).toBe("10⁻⁶");
    expect(formatNumber(0)).toBe("0");
    expect(formatNumber(Number.NaN)).toBe(DASH);
    expect(formatNumber(Number.POSITIVE_INFINITY)).toBe("∞");
    expect(formatNumber(0.5)).toBe("0.5");
    expect(formatNumber(100.04)).toBe("100");
  });

  it("formatFixed, formatGap and formatSeconds choose unit and digits", () => {
    expect(formatFixed(0, 2)).toBe("0.00");
    expect(formatFixed(1234.5, 1)).toBe("1,234.5");
    expect(formatGap(0.0784)).toBe("7.9 %");
    expect(formatGap(3.14159e-7)).toBe("3.2×10⁻⁷");
    expect(formatGap(0)).toBe("0");
    expect(formatGap(Number.NaN)).toBe(DASH);
    expect(formatSeconds(0.0213)).toBe("0.0213 s");
    expect(formatSeconds(59.99)).toBe("60 s");
    expect(formatSeconds(192)).toBe("3 min 12 s");
    expect(formatSeconds(7500)).toBe("2 h 5 min");
    expect(formatSeconds(Number.NaN)).toBe(`${DASH} s`);
  });
});

/** A column as its formatter shows it. */
function column(values: readonly number[]): string[] {
  const format = columnFormatter(values);
  return values.map((value) => format(value));
}

describe("directed rounding", () => {
  it("formatNumber down is never above and up never below the value, nor far from it", () => {
    // Subnormal numbers cannot be read back as m × 10ⁿ.
    const sizes = fc.double({ noNaN: true, min: -1e12, max: 1e12 }).filter((value) => !(Math.abs(value) < 1e-290));
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 6 }), (value, digits) => {
        const down = parse(formatNumber(value, digits, "down"));
        const up = parse(formatNumber(value, digits, "up"));
        // Reading m×10ⁿ back multiplies two rounded numbers.
        const slack = 1e-15 * Math.abs(value);
        expect(down).toBeLessThanOrEqual(value + slack);
        expect(up).toBeGreaterThanOrEqual(value - slack);
        expect(up - down).toBeLessThanOrEqual(1.01 * 10 ** (1 - digits) * Math.abs(value) + 1e-300);
      }),
    );
  });

  it("formatNumber carries into the next power of ten", () => {
    expect(formatNumber(9.9996e-9, 4, "up")).toBe("10⁻⁸");
    expect(formatNumber(0.99996, 4, "up")).toBe("1");
    expect(formatNumber(0.99996, 4, "down")).toBe("0.9999");
    expect(formatNumber(0.22476, 4, "down")).toBe("0.2247");
  });

  it("formatGap rounds up, so that a claim stays true", () => {
    expect(formatGap(0.45401)).toBe("46 %");
    expect(formatGap(0.07)).toBe("7 %");
    expect(formatGap(1.01e-7)).toBe("1.1×10⁻⁷");
    expect(formatGap(-1e-16)).toBe("0");
    expect(formatGap(-0.25)).toBe("−25 %");
  });

  it("formatFixed rounds in the asked direction", () => {
    expect(formatFixed(0.0049, 2, "down")).toBe("0.00");
    expect(formatFixed(0.0041, 2, "up")).toBe("0.01");
    expect(formatFixed(-0.0041, 2, "down")).toBe("−0.01");
  });
});

describe("columnFormatter", () => {
  it("columnFormatter gives every row the same decimals", () => {
    const values = [0.984375, 0.6510416, 0.6458333];
    expect(column(values)).toEqual(["0.9844", "0.6510", "0.6458"]);
  });

  it("columnFormatter leaves whole numbers whole and mixed magnitudes to themselves", () => {
    expect(column([1, 20, 3000])).toEqual(["1", "20", "3,000"]);
    expect(column([0.001234, 5123.4])).toEqual(["0.001234", "5,123"]);
  });

  it("columnFormatter keeps a bound and its objective apart", () => {
    const format = columnFormatter([10.7, 10.6999999]);
    expect([format(10.7, "up"), format(10.6999999, "down")]).toEqual(["10.70", "10.69"]);
  });

  it("columnFormatter shows a dash for NaN beside numbers", () => {
    const values = [0.25, Number.NaN];
    expect(column(values)).toEqual(["0.25", DASH]);
  });
});
