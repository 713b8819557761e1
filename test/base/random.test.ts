import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { philox4x32, randomStream } from "../../src/base/random.ts";

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const DRAWS = 100_000;

describe("philox4x32", () => {
  // Known-answer vectors of the authors' library Random123 (kat_vectors, philox4x32 with 10 rounds).
  test.each([
    [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    [new Array<number>(4).fill(0xffffffff), [0xffffffff, 0xffffffff], "408f276d 41c83b0e a20bc7c6 6d5451fd"],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], "d16cfe09 94fdcceb 5001e420 24126ea1"],
  ])("philox4x32 gives the known answer for counter %j, key %j", (words, [key0, key1], expected) => {
    const counter = Uint32Array.from(words);
    philox4x32(counter, key0!, key1!);
    expect([...counter].map((word) => word.toString(16).padStart(8, "0")).join(" ")).toBe(expected);
  });
});

describe("randomStream", () => {
  test("randomStream gives the same numbers again for the same seed and name", () => {
    fc.assert(
      fc.property(fc.nat(), fc.string(), (seed, name) => {
        const draw = (): number[] => {
          const stream = randomStream(seed, name);
          return [stream.bits(), stream.uniform(), stream.normal(), stream.integer(10), ...stream.permutation(5)];
        };
        expect(draw()).toEqual(draw());
      }),
    );
  });

  test("randomStream gives other numbers for another seed or name, also beyond 2^32", () => {
    const first = (seed: number, name: string): string => {
      const stream = randomStream(seed, name);
      return [stream.bits(), stream.bits()].join();
    };
    const streams: [number, string][] = [
      [0, "a"],
      [0, "b"],
      [0, "ab"],
      [0, "ba"],
      [0, ""],
      [1, "a"],
      [2 ** 32, "a"],
      [2 ** 32 + 1, "a"],
      [2 ** 53 - 1, "a"],
    ];
    expect(new Set(streams.map(([seed, name]) => first(seed, name))).size).toBe(streams.length);
  });

  test("randomStream: streams of different names are uncorrelated", () => {
    const a = randomStream(3, "patterns");
    const b = randomStream(3, "split");
    const products = Array.from({ length: DRAWS }, () => (a.uniform() - 0.5) * (b.uniform() - 0.5));
    // The mean of n products of centred uniforms has standard deviation 1 / (12 sqrt(n)).
    expect(Math.abs(mean(products))).toBeLessThan(5 / (12 * Math.sqrt(DRAWS)));
  });

  test("randomStream refuses seeds that are not whole numbers from 0 to 2^53 - 1", () => {
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => randomStream(seed, "a")).toThrow(RangeError);
  });

  test("uniform lies in [0, 1) with mean 1/2 and variance 1/12", () => {
    const stream = randomStream(0, "uniform");
    const values = Array.from({ length: DRAWS }, () => stream.uniform());
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    // Five standard deviations of each estimate.
    expect(Math.abs(mean(values) - 1 / 2)).toBeLessThan(5 / Math.sqrt(12 * DRAWS));
    expect(Math.abs(mean(values.map((value) => (value - 0.5) ** 2)) - 1 / 12)).toBeLessThan(5 / Math.sqrt(180 * DRAWS));
  });

  test("uniform fills the low bits of its 53", () => {
    const stream = randomStream(0, "low bits");
    const odd = Array.from({ length: DRAWS }, () => (stream.uniform() * 2 ** 53) % 2);
    expect(Math.abs(mean(odd) - 0.5)).toBeLessThan(2.5 / Math.sqrt(DRAWS));
  });

  test("normal has the first four moments of a standard normal", () => {
    const stream = randomStream(0, "normal");
    const values = Array.from({ length: DRAWS }, () => stream.normal());
    // Var of x^k is E x^2k - (E x^k)^2: 1, 2, 15, 96.
    [
      [1, 0, 1],
      [2, 1, 2],
      [3, 0, 15],
      [4, 3, 96],
    ].forEach(([k, expected, variance]) => {
      const moment = mean(values.map((value) => value ** k!));
      expect(Math.abs(moment - expected!)).toBeLessThan(5 * Math.sqrt(variance! / DRAWS));
    });
  });

  test("integer is uniform, also where 2^32 is not a multiple", () => {
    const stream = randomStream(0, "integer");
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < DRAWS; i++) counts[stream.integer(6)]!++;
    const expected = DRAWS / 6;
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // The 0.999 quantile of chi-square with 5 degrees of freedom.
    expect(chiSquare).toBeLessThan(20.5);
  });

  test("integer has no modulo bias: below 3 * 2^30 a third of the draws is below 2^30", () => {
    const stream = randomStream(1, "integer");
    const low = Array.from({ length: DRAWS }, () => (stream.integer(3 * 2 ** 30) < 2 ** 30 ? 1 : 0));
    // Taking the remainder would give 1/2.
    expect(Math.abs(mean(low) - 1 / 3)).toBeLessThan(5 * Math.sqrt(2 / 9 / DRAWS));
  });

  test("integer stays in its range and refuses an impossible one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 }), fc.nat(), (below, seed) => {
        const value = randomStream(seed, "range").integer(below);
        expect(Number.isInteger(value) && value >= 0 && value < below).toBe(true);
      }),
    );
    for (const below of [0, -1, 2 ** 32 + 1, Number.NaN]) {
      expect(() => randomStream(0, "range").integer(below)).toThrow(RangeError);
    }
  });

  test("permutation has every number once, and every order of three equally often", () => {
    fc.assert(
      fc.property(fc.nat({ max: 200 }), fc.nat(), (n, seed) => {
        const order = randomStream(seed, "order").permutation(n);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
      }),
    );
    const stream = randomStream(0, "orders");
    const counts = new Map<string, number>();
    for (let i = 0; i < 60_000; i++) {
      const order = stream.permutation(3).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    expect(counts.size).toBe(6);
    expect(chiSquare).toBeLessThan(20.5);
  });
});
