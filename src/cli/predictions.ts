import { type Matrix, row } from "../base/matrix.ts";
import type { Prediction } from "../experiments/predict.ts";

/** A CSV cell, quoted where it has to be. */
function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The columns beside the predicted class: one score for a single output, else a score or a probability a class. */
function scoreNames({ target, scores, probabilities }: Prediction): string[] {
  const classes = target.classes ?? [];
  const word = probabilities === null ? "score" : "probability";
  return scores.cols === 1 ? [`score:${classes[1] ?? ""}`] : classes.map((name) => `${word}:${name}`);
}

/** The rows of a matrix as plain arrays. */
export function rowsOf(a: Matrix): number[][] {
  return Array.from({ length: a.rows }, (_, i) => [...row(a, i)]);
}

/** The predicted number (of several targets: all of them), or class name, of each row. */
export function predictedValues({ target, scores, classes }: Prediction): (number | string | number[])[] {
  if (classes === null && scores.cols === 1) return Array.from(scores.data);
  if (classes === null) return rowsOf(scores);
  return Array.from(classes, (q) => target.classes?.[q] ?? "");
}

/**
 * Predictions as CSV: `prediction`, and for classes the scores of the network or the probabilities; a column
 * `prediction:NAME` for each of several targets; columns `std` at the end where there are standard deviations.
 */
export function predictionsCsv(prediction: Prediction): string {
  const { target, scores, probabilities, classes, deviations } = prediction;
  const shown = probabilities ?? scores;
  const names = target.columns === undefined ? [""] : target.columns.map(({ name }) => `:${name}`);
  const head = [
    ...names.map((name) => `prediction${name}`),
    ...(classes === null ? [] : scoreNames(prediction)),
    ...(deviations === undefined ? [] : names.map((name) => `std${name}`)),
  ];
  const lines = predictedValues(prediction).map((value, i) => {
    const spread = deviations === undefined ? [] : row(deviations, i);
    if (typeof value === "object") return [...value, ...spread].join(",");
    return [csvCell(String(value)), ...(classes === null ? [] : row(shown, i)), ...spread].join(",");
  });
  return [head.map(csvCell).join(","), ...lines].join("\n");
}
