import type { Matrix } from "../base/matrix.ts";
import type { Compute } from "../compute/types.ts";
import type { LossName } from "../convex/types.ts";
import type { Dataset, Samples, Target } from "../data/types.ts";
import {
  type Components,
  type LinearModel,
  leastSquares,
  logisticRegression,
  predictLinear,
  ridge,
} from "./baselines.ts";
import type { FitJson, TestTable } from "./fit-types.ts";
import { measureOutputs, type ScoreKind } from "./measure.ts";
import type { Metrics } from "./metrics.ts";
import { chooseCoding, codeTargets, outputNames } from "./problem.ts";

/** Metrics on both parts of the data. */
export interface Evaluation {
  readonly train: Metrics;
  readonly test: Metrics | null;
}

/** A baseline with its name for people and for JSON. */
export interface Baseline extends Evaluation {
  readonly key: "linear" | "logistic" | "ridge";
  readonly name: string;
}

/** Metrics of a model given by its outputs, n x c. */
export function evaluate(dataset: Dataset, kind: ScoreKind, predict: (X: Matrix) => Matrix): Evaluation {
  const { target, train, test } = dataset;
  const measure = ({ X, y }: Samples): Metrics => measureOutputs(target, kind, predict(X), y);
  return { train: measure(train), test: test === null ? null : measure(test) };
}

/**
 * The linear models on the same features and split: least squares and ridge for numbers; logistic regression
 * (one-against-rest) and a ridge classifier, with the targets of squared loss, for classes.
 */
export function fitBaselines(
  compute: Compute,
  components: Components,
  dataset: Dataset,
  expired: () => boolean,
): { readonly baselines: readonly Baseline[]; readonly notes: readonly string[] } {
  const { target, train } = dataset;
  const coded = (loss: LossName): Matrix =>
    codeTargets(train.y, chooseCoding(loss, target), outputNames(target, loss).length, target.columns);
  const judge = (model: LinearModel, kind: ScoreKind): Evaluation =>
    evaluate(dataset, kind, (X) => predictLinear(model, X));
  const ridgeModel = ridge(components, coded("squared"));
  const ridgeBaseline: Baseline = { key: "ridge", name: "ridge", ...judge(ridgeModel, "scores") };
  if (target.classes === null) {
    const linear = judge(leastSquares(components, coded("squared")), "scores");
    return { baselines: [{ key: "linear", name: "least squares", ...linear }, ridgeBaseline], notes: [] };
  }
  const logistic = logisticRegression(compute, components, coded("logistic"), expired);
  if (!logistic.converged) {
    const note = "no logistic regression to compare with: it did not converge in its share of the time";
    return { baselines: [ridgeBaseline], notes: [note] };
  }
  const logisticBaseline: Baseline = { key: "logistic", name: "logistic regression", ...judge(logistic, "log-odds") };
  return { baselines: [logisticBaseline, ridgeBaseline], notes: [] };
}

/** The baselines as JSON. */
export function baselineMetrics(baselines: readonly Baseline[]): FitJson["metrics"]["baselines"] {
  return Object.fromEntries(
    baselines.map(({ key, train, test }) => [key, { train: { ...train }, test: test === null ? null : { ...test } }]),
  );
}

/** The one metric of the summary: held out where there is a test part. */
export function testTable(target: Target, network: Evaluation, baselines: readonly Baseline[]): TestTable {
  const [key, metric] =
    target.classes !== null
      ? (["accuracy", "accuracy"] as const)
      : target.columns === undefined
        ? (["rmse", "RMSE"] as const)
        : (["r2", "mean R²"] as const);
  const value = ({ train, test }: Evaluation): number => (test ?? train)[key] ?? 0;
  return {
    metric,
    part: network.test === null ? "train" : "test",
    network: value(network),
    baselines: baselines.map((baseline) => ({ name: baseline.name, value: value(baseline) })),
  };
}
