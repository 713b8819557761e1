import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatArchitecture,
  formatBytes,
  formatGap,
  formatNumber,
  formatSeconds,
  formatShare,
  formatTable,
  plural,
  wrap,
} from "../../src/cli/format.ts";

describe("formatArchitecture", () => {
  test("formatArchitecture shortens weights and nothing else", () => {
    expect(formatArchitecture("dense(512, w=1.4142135623730951, b=0.5) relu conv(16, 3, w=1)")).toBe(
      "dense(512, w=1.414, b=0.5) relu conv(16, 3, w=1)",
    );
    expect(formatArchitecture("dense(1024, w=0.13975424859373686)")).toBe("dense(1024, w=0.1398)");
  });
});

describe("formatNumber", () => {
  test.each([
    [0, "0"],
    [0.29312, "0.2931"],
    [0.29, "0.29"],
    [12345.6, "12346"],
    [958, "958"],
    [1e-6, "1e-6"],
    [1.5e-7, "1.5e-7"],
    [-2.5, "-2.5"],
    [1e20, "1e20"],
    [Number.NaN, "NaN"],
  ])("formatNumber(%d) is %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  test("formatNumber down is not above, up not below the number", () => {
    fc.assert(
      fc.property(fc.double({ min: -1e15, max: 1e15, noNaN: true }), (value) => {
        expect(Number(formatNumber(value, "down"))).toBeLessThanOrEqual(value);
        expect(Number(formatNumber(value, "up"))).toBeGreaterThanOrEqual(value);
      }),
    );
    expect([formatNumber(0.27029, "down"), formatNumber(0.29301, "up")]).toEqual(["0.2702", "0.2931"]);
  });

  test("formatNumber keeps four significant digits of any number", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }), (value) => {
        const shown = Number(formatNumber(value));
        expect(Math.abs(shown - value)).toBeLessThanOrEqual(5.001e-4 * Math.abs(value));
      }),
    );
  });
});

describe("formatGap, formatShare, formatSeconds, formatBytes, plural", () => {
  test.each([
    [0.078, "7.8 %"],
    [0.5, "50 %"],
    [1, "100 %"],
    [2.5, "250 %"],
    [0.0781, "7.9 %"],
    [0.07, "7 %"],
    [1.2e-9, "2e-9"],
    [0, "0"],
    [-1e-17, "0"],
  ])("formatGap(%d) is %s", (gap, text) => {
    expect(formatGap(gap)).toBe(text);
  });

  test.each([
    [5.6, "6 s"],
    [59.6, "1 min"],
    [80, "1 min 20 s"],
    [3600, "1 h"],
    [7500, "2 h 5 min"],
  ])("formatSeconds(%d) is %s", (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text);
  });

  test("formatShare, formatBytes and plural", () => {
    expect(formatShare(0.984)).toBe("98.4 %");
    expect(formatBytes(1023)).toBe("1023 B");
    expect(formatBytes(1536)).toBe("1.50 kB");
    expect(plural(1, "neuron")).toBe("1 neuron");
    expect(plural(2, "neuron")).toBe("2 neurons");
  });
});

describe("wrap", () => {
  test("wrap keeps the words, and every line within the width unless one word is longer", () => {
    const word = fc.stringMatching(/^[a-z]{1,12}$/);
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 40 }), fc.integer({ min: 16, max: 80 }), (words, width) => {
        const lines = wrap(words.join(" "), width, "  ", "    ").split("\n");
        expect(lines.flatMap((line) => line.trim().split(" "))).toEqual(words);
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
      }),
    );
  });

  test("wrap leaves a line whole when the width is infinite", () => {
    expect(wrap("a b c", Number.POSITIVE_INFINITY, "  ")).toBe("  a b c");
  });
});

describe("formatTable", () => {
  test("formatTable aligns numbers to the right and words to the left", () => {
    expect(
      formatTable(
        ["name", "gap"],
        [
          ["a", "7.8 %"],
          ["long name", "12 %"],
        ],
      ),
    ).toEqual(["name         gap", "a          7.8 %", "long name   12 %"]);
  });

  test("formatTable of no rows is its head", () => {
    expect(formatTable(["a", "b"], [])).toEqual(["a  b"]);
  });
});
