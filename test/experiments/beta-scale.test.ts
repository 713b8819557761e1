import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { matrix, takeRows } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { betaMax } from "../../src/convex/index.ts";
import {
  centeredBetaMax,
  gridTop,
  largestBetaMax,
  type PosedProblem,
  takeProblem,
} from "../../src/experiments/beta-scale.ts";
import { codeTargets, column } from "../../src/experiments/problem.ts";

/** Too many for the exact search, which takes long with many rows. */
const COLS = 4;

describe("the scale of beta", () => {
  let compute: Compute;
  beforeAll(async () => {
    compute = await createCompute({ backend: "wasm", threads: 1 });
  });
  afterAll(() => compute.close());

  const random = randomStream(0, "beta scale");
  const posed = (rows: number, change: Partial<PosedProblem> = {}): PosedProblem => ({
    X: matrix(
      rows,
      COLS,
      Float64Array.from({ length: COLS * rows }, () => random.normal()),
    ),
    loss: "squared",
    scaling: "mean",
    bias: "column",
    program: "relu",
    patterns: { kind: "generated" },
    ...change,
  });
  const options = () => ({ compute, now: () => 0 });

  test.each(["zero-one", "minus-plus-one"] as const)(
    "largestBetaMax of %s targets is that of all outputs",
    (coding) => {
      for (const [rows, classes] of [
        [60, 3],
        [60, 6],
        [220, 2],
        [220, 7],
      ] as const) {
        const problem = posed(rows);
        // Class q takes about twice the rows of class q + 1, and lies along its own direction.
        const labels = Float64Array.from({ length: rows }, (_, i) => {
          const label = Math.min(classes - 1, Math.floor(-Math.log2(1 - random.uniform())));
          problem.X.data[COLS * i] += 2 * Math.cos(label);
          problem.X.data[COLS * i + 1] += 2 * Math.sin(label);
          return label;
        });
        const Y = codeTargets(labels, coding, classes);
        const each = Array.from({ length: classes }, (_, q) => betaMax({ ...problem, y: column(Y, q) }, options()));
        const largest = largestBetaMax(problem, Y, options());
        expect(each).toContain(largest);
        expect(largest).toBeGreaterThan(0.95 * Math.max(...each));
        expect(largestBetaMax(problem, Y, options())).toBe(largest);
      }
    },
  );

  test("centeredBetaMax ignores the mean of the targets, and scales like beta_max with the number of rows", () => {
    const problem = posed(1100);
    const y = Float64Array.from({ length: 1100 }, () => random.normal());
    const far = centeredBetaMax(
      problem,
      y.map((t) => t + 1e6),
      0,
      options(),
    );
    const near = centeredBetaMax(problem, y, 0, options());
    expect(far / near).toBeCloseTo(1, 6);
    const summed = centeredBetaMax({ ...problem, scaling: "sum" }, y, 0, options());
    expect(summed / near / 1100).toBeCloseTo(1, 10);
    // A sample of the rows gives the scale, not the number.
    const whole = betaMax({ ...problem, y }, options());
    expect(near / whole).toBeGreaterThan(0.5);
    expect(near / whole).toBeLessThan(2);
  });

  test("takeProblem takes rows and weights together", () => {
    const problem = posed(4, { weights: Float64Array.of(1, 2, 3, 4) });
    const part = takeProblem(problem, [3, 1]);
    expect(part).toEqual({ ...problem, X: takeRows(problem.X, [3, 1]), weights: Float64Array.of(4, 2) });
    expect("weights" in takeProblem(posed(4), [0])).toBe(false);
  });

  test("gridTop is the centered share of beta_max, at most 1, and 1 where that makes no sense", () => {
    expect(gridTop(10, 2)).toBe(0.2);
    expect(gridTop(2, 10)).toBe(1);
    expect(gridTop(0, 0)).toBe(1);
    expect(gridTop(3, 0)).toBe(1);
  });
});
