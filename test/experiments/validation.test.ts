import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { chooseRatio, hasRisen, makeFolds, rowsOutside, validationPoint } from "../../src/experiments/validation.ts";

const point = (ratio: number, loss: number, standardError: number) => ({ ratio, loss, standardError });

describe("chooseRatio", () => {
  test("chooseRatio takes the largest beta within one standard error of the best", () => {
    const points = [
      point(0.5, 3, 0.1),
      point(0.2, 1.29, 0.1),
      point(0.1, 1.09, 0.1),
      point(0.05, 1, 0.1),
      point(0.02, 1.05, 0.3),
    ];
    expect(chooseRatio(points)).toBe(0.1);
    // A larger error at another point does not count, only that of the best.
    expect(chooseRatio([point(0.5, 1.2, 5), point(0.1, 1, 0.1)])).toBe(0.1);
    expect(chooseRatio([point(0.5, 1.1, 0), point(0.1, 1, 0.1)])).toBe(0.5);
    expect(() => chooseRatio([])).toThrow(RangeError);
  });
});

describe("hasRisen", () => {
  test("hasRisen: only when the last point is clearly above the best", () => {
    expect(hasRisen([])).toBe(false);
    expect(hasRisen([point(0.5, 1, 0.1)])).toBe(false);
    expect(hasRisen([point(0.5, 1, 0.1), point(0.2, 1.05, 0.1)])).toBe(false);
    expect(hasRisen([point(0.5, 1, 0.1), point(0.2, 1.11, 0.5)])).toBe(true);
  });
});

describe("validationPoint", () => {
  test("validationPoint: mean and standard error of given losses", () => {
    const { loss, standardError } = validationPoint(0.1, [1, 2, 3, 6]);
    expect(loss).toBe(3);
    expect(standardError).toBeCloseTo(Math.sqrt(14 / 3 / 4), 14);
    expect(validationPoint(0.1, [1]).standardError).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("makeFolds", () => {
  const folds = (labels: readonly number[]) => makeFolds(labels.length, labels, randomStream(3, "folds"));

  test("makeFolds: every row is held out once, except the only row of a class", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 60 }), (labels) => {
        const held = folds(labels).flatMap((fold) => [...fold]);
        const sizes = [0, 1, 2, 3].map((label) => labels.filter((other) => other === label).length);
        const expected = labels.flatMap((label, i) => (sizes[label]! > 1 ? [i] : []));
        if (expected.length < 4) expect(held).toEqual([]);
        else expect(held.sort((a, b) => a - b)).toEqual(expected);
      }),
    );
  });

  test("makeFolds: sizes and class counts differ by one at most, and training parts keep every class", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 12, maxLength: 80 }), (labels) => {
        const parts = folds(labels);
        const spread = (counts: readonly number[]): number => Math.max(...counts) - Math.min(...counts);
        expect(parts.length).toBe(5);
        expect(spread(parts.map((fold) => fold.length))).toBeLessThanOrEqual(1);
        for (const label of new Set(labels)) {
          expect(spread(parts.map((fold) => fold.filter((i) => labels[i] === label).length))).toBeLessThanOrEqual(1);
          for (const fold of parts) {
            expect([...rowsOutside(labels.length, fold)].some((i) => labels[i] === label)).toBe(true);
          }
        }
      }),
    );
  });

  test("makeFolds depends on the seed only, and makes fewer folds of few rows", () => {
    const make = (seed: number) => makeFolds(30, null, randomStream(seed, "folds"));
    expect(make(1)).toEqual(make(1));
    expect(make(1)).not.toEqual(make(2));
    expect(makeFolds(7, null, randomStream(0, "folds")).length).toBe(3);
    expect(makeFolds(3, null, randomStream(0, "folds"))).toEqual([]);
  });
});
