import { expect, test } from "vitest";
import { WorkClock } from "../../src/experiments/work-clock.ts";

test("WorkClock: nominal seconds depend on sizes and rounds alone, and grow with each of them", () => {
  const seconds = (rows: number, features: number, outputs: number, rounds: readonly number[]): number => {
    const clock = new WorkClock();
    const size = { rows, features, outputs };
    clock.begin(size);
    for (const neurons of rounds) clock.count(size, { neurons });
    return clock.seconds;
  };
  expect(seconds(100, 5, 1, [1, 2])).toBe(seconds(100, 5, 1, [1, 2]));
  for (const outputs of [1, 3]) {
    const base = seconds(300, 20, outputs, [1, 2]);
    expect(base).toBeGreaterThan(0);
    expect(seconds(600, 20, outputs, [1, 2])).toBeGreaterThan(base);
    expect(seconds(300, 40, outputs, [1, 2])).toBeGreaterThan(base);
    expect(seconds(300, 20, outputs, [1, 2, 2])).toBeGreaterThan(base);
  }
  expect(seconds(300, 20, 1, [1, 9])).toBeGreaterThan(seconds(300, 20, 1, [1, 2]));
});
