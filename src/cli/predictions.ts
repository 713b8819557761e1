import type { Prediction } from "../experiments/predict.ts";

/** A CSV cell, quoted where it has to be. */
function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The score columns: one for regression-like single outputs, else one a class. */
function scoreNames({ target, scores }: Prediction): string[] {
  const classes = target.classes ?? [];
  return scores.cols === 1 ? [`score:${classes[1] ?? ""}`] : classes.map((name) => `score:${name}`);
}

/** The predicted number, or class name, of each row. */
export function predictedValues({ target, scores, classes }: Prediction): (number | string)[] {
  if (classes === null) return Array.from(scores.data);
  return Array.from(classes, (q) => target.classes?.[q] ?? "");
}

/** Predictions as CSV: `prediction`, and for classes the scores of the network. */
export function predictionsCsv(prediction: Prediction): string {
  const { scores, classes } = prediction;
  const head = ["prediction", ...(classes === null ? [] : scoreNames(prediction))];
  const lines = predictedValues(prediction).map((value, i) => {
    const cells = classes === null ? [] : scores.data.subarray(i * scores.cols, (i + 1) * scores.cols);
    return [csvCell(String(value)), ...cells].join(",");
  });
  return [head.map(csvCell).join(","), ...lines].join("\n");
}
