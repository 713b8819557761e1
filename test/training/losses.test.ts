import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { type Targets, type TrainingLossName, trainingLoss } from "../../src/training/index.ts";

const classes = (count: number, labels: readonly number[]): Targets => ({
  kind: "classes",
  classes: count,
  labels: Uint32Array.from(labels),
});
const values = (outputs: number, data: readonly number[]): Targets => ({
  kind: "values",
  outputs,
  data: Float64Array.from(data),
});

const CASES: readonly (readonly [name: TrainingLossName, targets: Targets, outputs: number])[] = [
  ["squared", values(2, [1, -2, 0.5, 3, 0, 0]), 2],
  ["squared", classes(3, [2, 0, 1]), 3],
  ["squared", classes(2, [1, 0, 1]), 1],
  ["cross-entropy", classes(3, [2, 0, 1]), 3],
  ["cross-entropy", classes(2, [1, 0, 1]), 2],
  ["logistic", classes(2, [1, 0, 1]), 1],
  ["logistic", values(1, [1, -1, -1]), 1],
];

describe.each(CASES)("trainingLoss %s of %j with %i outputs", (name, targets, c) => {
  const loss = trainingLoss(name, targets, c);
  const rows = [2, 0, 1];
  const { normal } = randomStream(3, `${name} ${c}`);
  const outputs = Float64Array.from({ length: rows.length * c }, () => 2 * normal());
  const at = (f: Float64Array): number => loss.evaluate(rows, f, null, 1).loss;

  test("evaluate: the adjoint is factor times the central difference of the loss", () => {
    const adjoint = new Float64Array(outputs.length);
    loss.evaluate(rows, outputs, adjoint, 0.3);
    outputs.forEach((_, k) => {
      const h = 1e-5;
      const moved = (step: number): number => at(outputs.map((f, j) => (j === k ? f + step : f)));
      expect(adjoint[k]).toBeCloseTo((0.3 * (moved(h) - moved(-h))) / (2 * h), 8);
    });
  });

  test("curvature: is the central difference of the adjoint along a direction, also in place", () => {
    const direction = outputs.map(() => normal());
    const out = new Float64Array(outputs.length);
    loss.curvature(rows, outputs, direction, out, 0.7);
    const h = 1e-5;
    const adjointAt = (step: number): Float64Array => {
      const adjoint = new Float64Array(outputs.length);
      loss.evaluate(
        rows,
        outputs.map((f, k) => f + step * direction[k]),
        adjoint,
        0.7,
      );
      return adjoint;
    };
    const [up, down] = [adjointAt(h), adjointAt(-h)];
    out.forEach((value, k) => {
      expect(value).toBeCloseTo((up[k] - down[k]) / (2 * h), 8);
    });
    const inPlace = direction.slice();
    loss.curvature(rows, outputs, inPlace, inPlace, 0.7);
    expect(inPlace).toEqual(out);
  });

  test("evaluate of a batch is the sum over its samples, right answers too", () => {
    let sum = 0;
    let correct = 0;
    rows.forEach((row, i) => {
      const one = loss.evaluate([row], outputs.subarray(i * c, (i + 1) * c), null, 1);
      sum += one.loss;
      correct += one.correct;
    });
    const all = loss.evaluate(rows, outputs, null, 1);
    expect(all.loss).toBeCloseTo(sum, 12);
    expect(all.correct).toEqual(correct);
  });
});

describe("trainingLoss", () => {
  test("trainingLoss refuses what does not fit", () => {
    expect(() => trainingLoss("squared", values(2, [1, 2]), 3)).toThrow(RangeError);
    expect(() => trainingLoss("cross-entropy", values(1, [1]), 1)).toThrow(RangeError);
    expect(() => trainingLoss("cross-entropy", classes(3, [0]), 2)).toThrow(RangeError);
    expect(() => trainingLoss("logistic", classes(2, [0]), 2)).toThrow(RangeError);
    expect(() => trainingLoss("logistic", classes(3, [0]), 1)).toThrow(RangeError);
  });

  test("losses of huge outputs neither overflow nor lose the answer", () => {
    const logistic = trainingLoss("logistic", classes(2, [1, 0]), 1);
    expect(logistic.evaluate([0, 1], [800, 800] as never, null, 1)).toEqual({ loss: 800, correct: 1 });
    const entropy = trainingLoss("cross-entropy", classes(2, [1, 0]), 2);
    expect(entropy.evaluate([0, 1], Float64Array.of(0, 900, 0, 900), null, 1)).toEqual({ loss: 900, correct: 1 });
  });

  test("cross-entropy of two outputs is the logistic loss of their difference", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -30, max: 30, noNaN: true }),
        fc.double({ min: -30, max: 30, noNaN: true }),
        (a, b) => {
          const entropy = trainingLoss("cross-entropy", classes(2, [1]), 2).evaluate(
            [0],
            Float64Array.of(a, b),
            null,
            1,
          );
          const logistic = trainingLoss("logistic", classes(2, [1]), 1).evaluate([0], Float64Array.of(b - a), null, 1);
          expect(entropy.loss).toBeCloseTo(logistic.loss, 10);
        },
      ),
    );
  });

  test("an output of zero is the negative class in all losses of one output", () => {
    for (const name of ["logistic", "squared"] as const) {
      const loss = trainingLoss(name, classes(2, [0, 1]), 1);
      expect(loss.evaluate([0, 1], new Float64Array(2), null, 1).correct).toBe(1);
    }
  });
});
