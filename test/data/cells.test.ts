import fc from "fast-check";
import { expect, test } from "vitest";
import { isMissing, parseNumber } from "../../src/data/cells.ts";
import { roundLongDecimal } from "../../src/data/decimal.ts";
import { utf8 } from "./helpers.ts";

function parse(text: string): number {
  // The bytes around the cell must not matter.
  const bytes = utf8(`7${text}7`);
  return parseNumber(bytes, 1, text.length + 1, new DataView(bytes.buffer));
}

test("parseNumber reads back every double as JavaScript prints it", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      for (const text of [String(value), value.toExponential(), value.toPrecision(17)]) {
        // Plus zero: minus zero is printed without its sign.
        expect(parse(text) + 0).toBe(value + 0);
      }
    }),
    { numRuns: 2000 },
  );
});

test("parseNumber rounds decimals of any length as Number does", () => {
  const digits = fc.stringMatching(/^[0-9]{1,26}$/);
  const fraction = fc.option(fc.stringMatching(/^[0-9]{0,26}$/));
  const exponent = fc.option(fc.integer({ min: -340, max: 320 }));
  fc.assert(
    fc.property(fc.constantFrom("", "-", "+"), digits, fraction, exponent, (sign, whole, part, power) => {
      const text = `${sign}${whole}${part === null ? "" : `.${part}`}${power === null ? "" : `e${power}`}`;
      expect(parse(text)).toBe(Number(text));
    }),
    { numRuns: 5000 },
  );
});

test("parseNumber rounds near the middle of two doubles as Number does", () => {
  // Exact middles 2^53 + 1 + 2k and their neighbours, shifted by powers of ten.
  fc.assert(
    fc.property(
      fc.bigInt(0n, 2n ** 52n),
      fc.integer({ min: -25, max: 25 }),
      fc.constantFrom(-1n, 0n, 1n),
      (k, power, off) => {
        const text = `${(2n ** 53n + 1n + 2n * k) * 1000n + off}e${power}`;
        expect(parse(text)).toBe(Number(text));
      },
    ),
    { numRuns: 5000 },
  );
});

test("roundLongDecimal answers for 17 digits, the usual length of a printed double", () => {
  let answered = 0;
  fc.assert(
    fc.property(fc.stringMatching(/^[1-9][0-9]{16}$/), (digits) => {
      const value = roundLongDecimal(Number(digits.slice(0, 12)), Number(digits.slice(12)), 5, -16);
      if (Number.isNaN(value)) return;
      answered++;
      expect(value).toBe(Number(`${digits}e-16`));
    }),
    { numRuns: 1000 },
  );
  expect(answered).toBeGreaterThan(990);
});

test.each(["5.", ".5", "1E5", "1e+05", "007", "-0", "+3", "1e400", "-1e400", "1e-400", "1e99999999999999999999"])(
  "parseNumber(%j) is what Number makes of it",
  (text) => {
    expect(parse(text)).toBe(Number(text));
  },
);

test.each(["inf", "Inf", "INFINITY", "+inf", "-Infinity"])("parseNumber(%j) is infinite", (text) => {
  expect(parse(text)).toBe(text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY);
});

test.each([
  "",
  ".",
  "+",
  "e5",
  "1e",
  "1e+",
  "1,5",
  "1 000",
  "0x10",
  "1_0",
  "1d5",
  "--1",
  "1.2.3",
  "nan",
  "info",
  "12a",
])("parseNumber(%j) is not a number", (text) => {
  expect(parse(text)).toBeNaN();
});

test("isMissing knows the markers and nothing else", () => {
  const missing = (text: string): boolean => isMissing(utf8(text), 0, utf8(text).length);
  expect(["", "NA", "N/A", "NaN", "nan", "null", "?"].every(missing)).toBe(true);
  expect(["-", "0", "none", "Na", "nanx", "??", "é"].some(missing)).toBe(false);
});
