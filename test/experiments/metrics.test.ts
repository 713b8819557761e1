import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matrix } from "../../src/base/matrix.ts";
import {
  areaUnderCurve,
  binaryMetrics,
  confusionCounts,
  multiclassMetrics,
  predictedClasses,
  regressionMetrics,
  severalMetrics,
  softmaxLosses,
  softmaxProbabilities,
  softplus,
} from "../../src/experiments/metrics.ts";

const real = fc.double({ min: -100, max: 100, noNaN: true });

describe("regressionMetrics", () => {
  test("regressionMetrics of a hand-made case", () => {
    // Errors 1, -1, 2, 0 around actual values of mean 2.5 and sum of squares 5.
    const metrics = regressionMetrics([2, 1, 5, 4], [1, 2, 3, 4]);
    expect(metrics["rmse"]).toBeCloseTo(Math.sqrt(6 / 4), 14);
    expect(metrics["mae"]).toBeCloseTo(1, 14);
    expect(metrics["r2"]).toBeCloseTo(1 - 6 / 5, 14);
  });

  test("regressionMetrics leaves out r2 for a constant target and refuses no rows", () => {
    expect(Object.keys(regressionMetrics([1, 2], [3, 3]))).toEqual(["rmse", "mae"]);
    expect(() => regressionMetrics([], [])).toThrow(RangeError);
    expect(() => regressionMetrics([1], [1, 2])).toThrow("got 1 and 2");
  });

  test("regressionMetrics: mae <= rmse, and r2 = 1 exactly for exact predictions", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(real, real), { minLength: 2 }), (pairs) => {
        const [f, y] = [pairs.map(([a]) => a), pairs.map(([, b]) => b)];
        // Squares below 1e-300 underflow: hence the second term.
        const metrics = regressionMetrics(f, y);
        expect(metrics["mae"]!).toBeLessThanOrEqual(metrics["rmse"]! * (1 + 1e-12) + 1e-150);
        expect(regressionMetrics(y, y)["r2"] ?? 1).toBe(1);
      }),
    );
  });
});

describe("areaUnderCurve", () => {
  test("areaUnderCurve equals the share of ordered pairs, ties counting half", () => {
    // Few distinct scores, so that ties are common.
    const rows = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 1 })), { maxLength: 40 });
    fc.assert(
      fc.property(
        rows.filter((some) => some.length > 0),
        (pairs) => {
          const positive = pairs.filter(([, label]) => label === 1).map(([score]) => score);
          const negative = pairs.filter(([, label]) => label === 0).map(([score]) => score);
          let ordered = 0;
          for (const p of positive) for (const q of negative) ordered += p > q ? 1 : p === q ? 0.5 : 0;
          const area = areaUnderCurve(
            pairs.map(([score]) => score),
            pairs.map(([, label]) => label),
          );
          if (positive.length === 0 || negative.length === 0) expect(area).toBeNull();
          else expect(area).toBeCloseTo(ordered / (positive.length * negative.length), 12);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("binaryMetrics", () => {
  test("binaryMetrics of a hand-made case: a score of 0 is the negative class", () => {
    const metrics = binaryMetrics([2, 0, -1, 1], [1, 0, 1, 0], true);
    expect(metrics["accuracy"]).toBe(0.5);
    expect(metrics["auc"]).toBe(0.5);
    const losses = [Math.log1p(Math.exp(-2)), Math.log(2), Math.log1p(Math.E), Math.log1p(Math.E)];
    expect(metrics["logLoss"]).toBeCloseTo(losses.reduce((a, b) => a + b) / 4, 14);
  });

  test("binaryMetrics gives logLoss for log-odds only, stays finite, and leaves out the AUC of one class", () => {
    expect(Object.keys(binaryMetrics([1, -1], [1, 0], false))).toEqual(["accuracy", "auc"]);
    expect(binaryMetrics([1e4, -1e4], [0, 0], true)).toEqual({ accuracy: 0.5, logLoss: 5000 });
  });

  test("softplus has no overflow and no cancellation", () => {
    expect(softplus(1000)).toBe(1000);
    expect(softplus(-40)).toBeCloseTo(Math.exp(-40), 30);
    expect(softplus(0)).toBe(Math.LN2);
  });
});

describe("multiclassMetrics", () => {
  test("multiclassMetrics: accuracy, recalls of the classes that occur, the first of equal scores", () => {
    const scores = matrix(4, 3, Float64Array.of(1, 0, 0, 0, 1, 0, 2, 2, 0, 0, 0, 3));
    expect(multiclassMetrics(scores, [0, 0, 1, 1], ["a", "b", "c"], false)).toEqual({
      accuracy: 0.25,
      "recall:a": 0.5,
      "recall:b": 0,
    });
  });

  test("multiclassMetrics of logarithms of probabilities has the log-loss of the softmax, whatever their size", () => {
    const scores = matrix(2, 2, Float64Array.of(1000, 1000, 0, Math.log(3)));
    const { accuracy, logLoss } = multiclassMetrics(scores, [0, 1], ["a", "b"], true);
    expect(accuracy).toBe(1);
    expect(logLoss).toBeCloseTo((Math.log(2) + Math.log(4 / 3)) / 2, 14);
    const { data } = softmaxProbabilities(scores);
    expect([...data]).toEqual([0.5, 0.5, 0.25, expect.closeTo(0.75, 14)]);
    expect([...softmaxLosses(scores, [1, 0])].map((t) => Math.exp(-t))).toEqual([
      expect.closeTo(0.5, 14),
      expect.closeTo(0.25, 14),
    ]);
  });

  test("severalMetrics: each column in its own units, and the mean of R²", () => {
    const predicted = matrix(3, 2, Float64Array.of(1, 10, 2, 10, 3, 10));
    const metrics = severalMetrics(predicted, [1, 0, 2, 10, 3, 20], ["a", "b"]);
    expect(metrics).toEqual({
      r2: 0.5,
      "rmse:a": 0,
      "r2:a": 1,
      "rmse:b": expect.closeTo(Math.sqrt(200 / 3), 12),
      "r2:b": 0,
    });
    expect(severalMetrics(predicted, [1, 7, 2, 7, 3, 7], ["a", "b"])).not.toHaveProperty("r2:b");
  });

  test("confusionCounts: rows are true classes and the sum is the number of rows", () => {
    expect(confusionCounts([0, 1, 1, 2], [0, 0, 1, 1], 3)).toEqual([
      [1, 1, 0],
      [0, 1, 1],
      [0, 0, 0],
    ]);
  });

  test("predictedClasses takes the sign of one column and the largest of several", () => {
    expect([...predictedClasses(matrix(3, 1, Float64Array.of(-1, 0, 1e-300)))]).toEqual([0, 0, 1]);
    expect([...predictedClasses(matrix(2, 2, Float64Array.of(1, 1, -5, -4)))]).toEqual([0, 1]);
  });
});
