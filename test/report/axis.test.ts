import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Axis, linearAxis, logAxis, pixel, timeAxis } from "../../src/report/charts/axis.ts";
import { clusterPoints, decimateLine } from "../../src/report/charts/decimate.ts";
import { fitLabel, spreadLabels, textWidth } from "../../src/report/charts/labels.ts";

const number = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 });
const magnitude = fc.double({ noNaN: true, min: 1e-290, max: 1e290 });

function expectSound(axis: Axis): void {
  const [low, high] = axis.domain;
  expect(Number.isFinite(low) && Number.isFinite(high) && low < high).toBe(true);
  for (const tick of axis.ticks) {
    expect(tick).toBeGreaterThanOrEqual(low - 1e-9 * Math.abs(low));
    expect(tick).toBeLessThanOrEqual(high + 1e-9 * Math.abs(high));
  }
  // Two ticks that read the same say nothing.
  expect(new Set(axis.ticks.map(axis.format)).size).toBe(axis.ticks.length);
}

describe("axes", () => {
  it("linearAxis holds every value and has readable ticks for any numbers", () => {
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 8 }), (values) => {
        const axis = linearAxis(values, 5);
        expectSound(axis);
        expect(axis.ticks.length).toBeGreaterThanOrEqual(2);
        expect(axis.ticks.length).toBeLessThanOrEqual(11);
        for (const value of values) {
          expect(value).toBeGreaterThanOrEqual(axis.domain[0]);
          expect(value).toBeLessThanOrEqual(axis.domain[1]);
        }
      }),
    );
  });

  it("linearAxis widens a constant series instead of magnifying its rounding", () => {
    const { domain } = linearAxis([2, 2 + 1e-12], 5);
    expect(domain[1] - domain[0]).toBeGreaterThan(0.01);
  });

  it("logAxis has between two and count ticks for any positive range", () => {
    fc.assert(
      fc.property(magnitude, magnitude, fc.integer({ min: 4, max: 8 }), (a, b, count) => {
        const axis = logAxis(Math.min(a, b), Math.max(a, b), count);
        expectSound(axis);
        expect(axis.ticks.length).toBeGreaterThanOrEqual(2);
        expect(axis.ticks.length).toBeLessThanOrEqual(count + 1);
      }),
    );
  });

  it("timeAxis is logarithmic over a decade and brings time zero onto the axis", () => {
    const { axis, clamp } = timeAxis([0, 0.01, 3, 60], 6);
    expect(axis.type).toBe("log");
    expect(clamp(0)).toBe(0.01);
    expect(timeAxis([0, 0, 0], 6).axis.type).toBe("linear");
    expect(timeAxis([3], 6).axis.domain).toEqual([0, 6]);
    expect(timeAxis([], 6).axis.domain).toEqual([0, 1]);
  });

  it("pixel maps the ends of the domain to the ends of the range", () => {
    const axis = logAxis(0.01, 100, 6);
    expect(pixel(axis, 0.01, 200, 0)).toBeCloseTo(200);
    expect(pixel(axis, 1, 200, 0)).toBeCloseTo(100);
    expect(pixel(axis, 100, 200, 0)).toBeCloseTo(0);
  });
});

describe("decimation", () => {
  it("decimateLine keeps the ends and the extremes, in order, within its budget", () => {
    fc.assert(
      fc.property(
        fc.array(number, { minLength: 1, maxLength: 3000 }),
        fc.integer({ min: 1, max: 50 }),
        (values, bins) => {
          const positions = values.map((_, i) => i / Math.max(1, values.length - 1));
          const kept = decimateLine(positions, values, bins);
          expect(kept.every((index, place) => place === 0 || index > kept[place - 1]!)).toBe(true);
          expect(kept[0]).toBe(0);
          expect(kept.at(-1)).toBe(values.length - 1);
          expect(kept.length).toBeLessThanOrEqual(4 * (bins + 1));
          expect(Math.max(...kept.map((i) => values[i]!))).toBe(Math.max(...values));
          expect(Math.min(...kept.map((i) => values[i]!))).toBe(Math.min(...values));
        },
      ),
      { numRuns: 50 },
    );
  });

  it("clusterPoints loses no point and leaves a lone one where it is", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 200 }), (xs) => {
        const clusters = clusterPoints(xs, xs.toReversed(), [0, 1], 10);
        expect(clusters.reduce((sum, cluster) => sum + cluster.count, 0)).toBe(xs.length);
        expect(clusters.length).toBeLessThanOrEqual(100);
      }),
    );
    expect(clusterPoints([0.33], [0.77], [0, 1], 10)).toEqual([{ x: 0.33, y: 0.77, count: 1 }]);
  });
});

describe("labels", () => {
  it("spreadLabels keeps the order and the distance, inside the room when there is enough", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 300, noNaN: true }), { minLength: 1, maxLength: 12 }), (wishes) => {
        const places = spreadLabels(wishes, 16, [0, 300]);
        const order = wishes.map((_, i) => i).sort((a, b) => wishes[a]! - wishes[b]!);
        const sorted = order.map((i) => places[i]!);
        for (let k = 1; k < sorted.length; k++) expect(sorted[k]! - sorted[k - 1]!).toBeGreaterThanOrEqual(16 - 1e-6);
        expect(sorted[0]).toBeGreaterThanOrEqual(-1e-6);
        expect(sorted.at(-1)).toBeLessThanOrEqual(300 + 1e-6);
      }),
    );
  });

  it("spreadLabels leaves labels that do not meet where they are", () => {
    expect(spreadLabels([100, 10, 50], 16, [0, 300])).toEqual([100, 10, 50]);
  });

  it("fitLabel never exceeds its width and has no control characters", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 80 }), fc.integer({ min: 20, max: 200 }), (label, width) => {
        const short = fitLabel(label, width, 12);
        expect(textWidth(short, 12)).toBeLessThanOrEqual(width);
        expect(short).not.toMatch(/\p{Cc}/u);
      }),
    );
    expect(fitLabel("short", 100, 12)).toBe("short");
    expect(fitLabel("a label that is too long", 60, 12)).toMatch(/^a lab.*…$/);
  });
});
