import { type Matrix, matrix } from "../base/matrix.ts";
import type { Target } from "../data/types.ts";
import { binaryMetrics, type Metrics, multiclassMetrics, regressionMetrics, severalMetrics } from "./metrics.ts";

/** What outputs of classes are: log-odds of the second of two, logarithms of probabilities up to a constant, or just scores. */
export type ScoreKind = "log-odds" | "softmax" | "scores";

/** Metrics of outputs, n x c, beside what is true of the rows (see {@link Samples}). */
export function measureOutputs(target: Target, kind: ScoreKind, outputs: Matrix, y: Float64Array): Metrics {
  const { classes, columns } = target;
  if (columns !== undefined) {
    return severalMetrics(
      inUnits(outputs, target),
      y,
      columns.map(({ name }) => name),
    );
  }
  if (classes === null) return regressionMetrics(outputs.data, y);
  if (outputs.cols === 1) return binaryMetrics(outputs.data, y, kind === "log-odds");
  return multiclassMetrics(outputs, y, classes, kind === "softmax");
}

/** Outputs of a network in the units of the target: undoes the standardization of several columns. */
export function inUnits(F: Matrix, { columns }: Target): Matrix {
  if (columns === undefined) return F;
  return matrix(
    F.rows,
    F.cols,
    F.data.map((f, k) => f * columns[k % F.cols]!.scale + columns[k % F.cols]!.mean),
  );
}
