import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TimeLeft } from "../../src/cli/time-left.ts";

describe("TimeLeft", () => {
  test("TimeLeft of a geometrically closing gap is exact", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.05, max: 2, noNaN: true }), fc.integer({ min: 8, max: 1000 }), (rate, points) => {
        const end = Math.log(1e6) / rate;
        const step = end / (2 * points);
        const timeLeft = new TimeLeft(1e-6, 1e9);
        for (let k = 0; k < points; k++) timeLeft.add(k * step, Math.exp(-rate * k * step));
        expect(timeLeft.estimate()).toBeCloseTo(end - (points - 1) * step, 5);
      }),
    );
  });

  test("TimeLeft never exceeds what is left of the time", () => {
    const timeLeft = new TimeLeft(1e-9, 10);
    for (let k = 0; k < 8; k++) timeLeft.add(k, 1 - 0.01 * k);
    expect(timeLeft.estimate()).toBe(3);
    expect(timeLeft.budgetLeft).toBe(3);
  });

  test("TimeLeft is unknown without a downward slope", () => {
    const timeLeft = new TimeLeft(1e-6, 60);
    expect(timeLeft.estimate()).toBeNull();
    for (let k = 0; k < 10; k++) timeLeft.add(k, 0.5);
    expect(timeLeft.estimate()).toBeNull();
    timeLeft.add(10, Number.NaN);
    timeLeft.add(11, null);
    expect(timeLeft.estimate()).toBeNull();
    expect(timeLeft.budgetLeft).toBe(49);
  });

  test("TimeLeft is zero at the tolerance, and forgets a stage on restart", () => {
    const timeLeft = new TimeLeft(1e-3, 60);
    timeLeft.add(1, 0.1);
    timeLeft.add(2, 1e-4);
    expect(timeLeft.estimate()).toBe(0);
    timeLeft.restart();
    expect(timeLeft.estimate()).toBeNull();
    expect(timeLeft.budgetLeft).toBe(58);
  });
});
