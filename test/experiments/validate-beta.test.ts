import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { matrix } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { poseApart } from "../../src/experiments/posed.ts";
import { type ValidationTask, validateBeta } from "../../src/experiments/validate-beta.ts";
import { BETA_RATIOS, FALLBACK_RATIO } from "../../src/experiments/validation.ts";
import { now } from "../../src/platform/clock.ts";

describe("validateBeta", () => {
  let compute: Compute;
  beforeAll(async () => {
    compute = await createCompute({ backend: "wasm", threads: 1 });
  });
  afterAll(() => compute.close());

  /** y = signal |x| + noise on the line; betaMax is a fair guess, the grid only needs its order of magnitude. */
  function task(rows: number, signal: number, change: Partial<ValidationTask> = {}): ValidationTask {
    const random = randomStream(0, "validate");
    const x = Float64Array.from({ length: rows }, () => random.normal());
    const y = x.map((t) => signal * Math.abs(t) + random.normal());
    const problem = {
      X: matrix(rows, 1, x),
      loss: "squared",
      scaling: "mean",
      bias: "column",
      program: "relu",
      patterns: { kind: "generated" },
    } as const;
    return {
      posed: poseApart(problem, matrix(rows, 1, y), ["y"]),
      labels: null,
      betaMax: 1 + signal,
      gridTop: 1,
      seed: 0,
      seconds: 60,
      deadline: now() + 600,
      solve: { compute, now },
      onProgress: () => {},
      ...change,
    };
  }

  test("validateBeta: noise asks for a strong penalty, a clear signal for a weak one", () => {
    const noise = validateBeta(task(80, 0));
    const signal = validateBeta(task(80, 20));
    expect(noise.ratio).toBe(BETA_RATIOS[0]);
    expect(signal.ratio).toBeLessThanOrEqual(0.02);
    expect(signal.points.map(({ ratio }) => ratio)).toEqual(BETA_RATIOS.slice(0, signal.points.length));
    // The chosen one is within a standard error of the best, and no larger beta is.
    const best = signal.points.reduce((a, b) => (b.loss < a.loss ? b : a));
    for (const { ratio, loss } of signal.points) {
      if (ratio === signal.ratio) expect(loss).toBeLessThanOrEqual(best.loss + best.standardError);
      if (ratio > signal.ratio) expect(loss).toBeGreaterThan(best.loss + best.standardError);
    }
  });

  test("validateBeta reports its progress and takes a table larger than it needs in parts", () => {
    const fractions: number[] = [];
    const result = validateBeta(task(1100, 3, { seconds: 4, onProgress: (_, fraction) => fractions.push(fraction) }));
    expect(result.notes).toContain("beta validated on 1000 of 1100 training rows");
    expect(fractions.every((fraction, k) => fraction >= (fractions[k - 1] ?? 0) && fraction <= 1)).toBe(true);
  });

  test("validateBeta falls back with a note when there is no time or there are too few rows", () => {
    const late = validateBeta(task(80, 1, { deadline: now() - 1 }));
    expect(late).toMatchObject({ ratio: FALLBACK_RATIO, points: [] });
    expect(late.notes[0]).toContain("no time to validate: beta set to 0.05 beta_max");
    expect(validateBeta(task(3, 1)).notes[0]).toContain("too few rows");
  });

  test("validateBeta: how fast the clock runs changes nothing, until the deadline", () => {
    const chosen = [0, 1e-3, 1].map((tick) => {
      let time = 0;
      const clock = (): number => {
        time += tick;
        return time;
      };
      return validateBeta(task(60, 3, { seconds: 1, solve: { compute, now: clock }, deadline: 1e6 }));
    });
    expect(chosen[0]?.end).toBe("work");
    expect(chosen[1]).toEqual(chosen[0]);
    expect(chosen[2]).toEqual(chosen[0]);
    expect(chosen[0]?.notes.join()).toContain("with the work that --time allows");
  });

  test("validateBeta: less work ends it earlier, with a choice from what was validated", () => {
    const [little, more] = [0.6, 3].map((seconds) => validateBeta(task(60, 20, { seconds })));
    expect(little!.points.length).toBeLessThan(more!.points.length);
    expect(little!.end).toBe("work");
    expect(more!.end).not.toBe("work");
  });

  test("validateBeta says when the clock ended it before the work was done", () => {
    let asked = 0;
    const solve = { compute, now: () => asked++ };
    const whole = validateBeta(task(60, 20, { solve, deadline: Number.POSITIVE_INFINITY }));
    const deadline = asked / 2;
    asked = 0;
    const { end, points, notes } = validateBeta(task(60, 20, { solve, deadline }));
    expect(end).toBe("clock");
    expect(points.length).toBeGreaterThan(0);
    expect(points).toEqual(whole.points.slice(0, points.length));
    expect(notes.join()).toMatch(/the clock ended validation at .* beta_max/);
  });

  test("validateBeta: the grid starts at gridTop times beta_max, and ratios stay shares of beta_max", () => {
    const whole = validateBeta(task(60, 3));
    const part = validateBeta(task(60, 3, { gridTop: 0.1 }));
    expect(part.points[0]?.ratio).toBeCloseTo(0.1 * (whole.points[0]?.ratio ?? 0), 12);
  });
});
