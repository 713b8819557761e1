import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bandOf, type ObjectiveLine, sumBands, widestGap } from "../../src/experiments/path-band.ts";

const size = fc.double({ min: 0, max: 10, noNaN: true });
const line = fc.record({ loss: size, penalty: size });
const lines = fc.array(line, { minLength: 1, maxLength: 8 });
const betaValue = fc.double({ min: 1e-6, max: 5, noNaN: true });
const betas = fc.array(betaValue, { minLength: 1, maxLength: 8 });

const minimum = (all: readonly ObjectiveLine[], beta: number): number =>
  Math.min(...all.map(({ loss, penalty }) => loss + beta * penalty));

/** Networks of a made-up problem, of which some were found, and bounds that are loose by the given shares. */
const problem = fc.record({
  all: lines,
  found: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
  at: betas,
  looseness: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 8, maxLength: 8 }),
  elsewhere: betas,
});

describe("bandOf", () => {
  test("bandOf: the smallest objective lies in the band at every beta", () => {
    fc.assert(
      fc.property(problem, ({ all, found, at, looseness, elsewhere }) => {
        const networks = all.filter((_, k) => k === 0 || found[k] === true);
        const bounds = at.map((beta, k) => ({ beta, lowerBound: minimum(all, beta) * looseness[k]! }));
        const band = bandOf(networks, bounds);
        for (const beta of [...at, ...elsewhere]) {
          const value = minimum(all, beta);
          expect(band.lower(beta)).toBeLessThanOrEqual(value * (1 + 1e-12) + 1e-300);
          expect(band.upper(beta)).toBeGreaterThanOrEqual(value);
          expect(band.lower(beta)).toBeLessThanOrEqual(band.upper(beta));
          expect(band.lower(beta)).toBeGreaterThanOrEqual(0);
        }
        // No bound is lost, and a bound at one beta holds at every larger one.
        for (const { beta, lowerBound } of bounds) {
          for (const factor of [1, 1.5]) {
            expect(band.lower(factor * beta)).toBeGreaterThanOrEqual(lowerBound * (1 - 1e-12));
          }
        }
      }),
    );
  });

  test("bandOf: between two bounds lies their chord, below the first that to the origin; a loose bound is passed over", () => {
    const networks = [{ loss: 0, penalty: 10 }];
    const band = bandOf(networks, [
      { beta: 1, lowerBound: 2 },
      { beta: 2, lowerBound: 2.5 },
      { beta: 3, lowerBound: 4 },
      { beta: 4, lowerBound: Number.NaN },
    ]);
    expect(band.lower(0.5)).toBe(1);
    expect(band.lower(1)).toBe(2);
    // 2.5 lies below the chord from (1, 2) to (3, 4).
    expect(band.lower(2)).toBe(3);
    expect(band.lower(9)).toBe(4);
    expect(bandOf(networks, []).lower(1)).toBe(0);
    expect(() => bandOf([], [])).toThrow(RangeError);
  });
});

describe("widestGap", () => {
  test("widestGap: no beta of the interval has a wider gap, and it is attained", () => {
    fc.assert(
      fc.property(problem, betaValue, betaValue, ({ all, at, looseness }, a, b) => {
        const bounds = at.map((beta, k) => ({ beta, lowerBound: minimum(all, beta) * looseness[k]! }));
        const band = sumBands([bandOf(all, bounds), bandOf(all.slice(0, 1), bounds.slice(0, 1))]);
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const gapAt = (beta: number): number => {
          const upper = band.upper(beta);
          return upper > 0 ? (upper - band.lower(beta)) / upper : 0;
        };
        const widest = widestGap(band, from, to);
        expect(widest.gap).toBe(gapAt(widest.beta));
        for (let k = 0; k <= 200; k++) {
          expect(gapAt(from + ((to - from) * k) / 200)).toBeLessThanOrEqual(widest.gap + 1e-9);
        }
      }),
    );
  });
});
