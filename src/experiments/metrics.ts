import { type Matrix, matrix, row } from "../base/matrix.ts";

/** Metric name to value; a metric that is undefined on the data at hand (AUC of one class) is left out. */
export type Metrics = Readonly<Record<string, number>>;

/** log(1 + exp(t)) without overflow. */
export function softplus(t: number): number {
  return t > 0 ? t + Math.log1p(Math.exp(-t)) : Math.log1p(Math.exp(t));
}

/**
 * `rmse`, `mae` and `r2` of predictions, in the units of the target; `r2` is left out for a constant target.
 *
 * @throws RangeError when the lengths differ or there are no rows.
 */
export function regressionMetrics(predicted: ArrayLike<number>, actual: ArrayLike<number>): Metrics {
  const n = checkRows(predicted.length, actual.length);
  let mean = 0;
  for (let i = 0; i < n; i++) mean += actual[i]! / n;
  let squares = 0;
  let absolute = 0;
  let variance = 0;
  for (let i = 0; i < n; i++) {
    const error = predicted[i]! - actual[i]!;
    squares += error * error;
    absolute += Math.abs(error);
    variance += (actual[i]! - mean) ** 2;
  }
  const metrics: Record<string, number> = { rmse: Math.sqrt(squares / n), mae: absolute / n };
  if (variance > 0) metrics["r2"] = 1 - squares / variance;
  return metrics;
}

/**
 * `r2`, the mean over the columns, then `rmse:NAME` and `r2:NAME` of each: predictions and targets are n x c, row-major.
 * R² is left out for constant targets.
 */
export function severalMetrics(predicted: Matrix, actual: ArrayLike<number>, names: readonly string[]): Metrics {
  const { rows, cols, data } = predicted;
  const each = names.map((_, q) => {
    const pick = (values: ArrayLike<number>): Float64Array =>
      Float64Array.from({ length: rows }, (_, i) => values[i * cols + q]!);
    return regressionMetrics(pick(data), pick(actual));
  });
  const known = each.flatMap(({ r2 }) => r2 ?? []);
  const metrics: Record<string, number> = {};
  if (known.length > 0) metrics["r2"] = known.reduce((sum, r2) => sum + r2 / known.length, 0);
  names.forEach((name, q) => {
    metrics[`rmse:${name}`] = each[q]!["rmse"]!;
    if (each[q]!["r2"] !== undefined) metrics[`r2:${name}`] = each[q]!["r2"];
  });
  return metrics;
}

/** Area under the ROC curve: the share of (positive, negative) pairs in the right order, ties counting half; null for one class. */
export function areaUnderCurve(scores: ArrayLike<number>, labels: ArrayLike<number>): number | null {
  const n = checkRows(scores.length, labels.length);
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
  let positives = 0;
  let rankSum = 0;
  for (let first = 0; first < n; ) {
    let last = first;
    while (last < n && scores[order[last]!] === scores[order[first]!]) last += 1;
    // Rows first .. last-1 are tied: each gets the mean of their ranks first+1 .. last.
    for (let k = first; k < last; k++) {
      if (labels[order[k]!]! > 0) {
        positives += 1;
        rankSum += (first + 1 + last) / 2;
      }
    }
    first = last;
  }
  const negatives = n - positives;
  if (positives === 0 || negatives === 0) return null;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/**
 * `accuracy` (of the sign), `auc` and, where the scores are log-odds, `logLoss` of scores for two classes.
 *
 * @param labels the class indices, 0 (negative) or 1 (positive).
 */
export function binaryMetrics(scores: ArrayLike<number>, labels: ArrayLike<number>, logOdds: boolean): Metrics {
  const n = checkRows(scores.length, labels.length);
  let right = 0;
  let loss = 0;
  for (let i = 0; i < n; i++) {
    const positive = labels[i]! > 0;
    if (scores[i]! > 0 === positive) right += 1;
    loss += softplus(positive ? -scores[i]! : scores[i]!);
  }
  const auc = areaUnderCurve(scores, labels);
  const metrics: Record<string, number> = { accuracy: right / n };
  if (auc !== null) metrics["auc"] = auc;
  if (logOdds) metrics["logLoss"] = loss / n;
  return metrics;
}

/**
 * `accuracy`, `logLoss` where the scores are logarithms of probabilities up to a constant a row, and `recall:<class>` of one
 * score a class, n x c; classes without a row are left out.
 */
export function multiclassMetrics(
  scores: Matrix,
  labels: ArrayLike<number>,
  classes: readonly string[],
  isLogarithm: boolean,
): Metrics {
  checkRows(scores.rows, labels.length);
  const counts = confusionCounts(predictedClasses(scores), labels, classes.length);
  let right = 0;
  const recalls: Record<string, number> = {};
  counts.forEach((row, q) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    right += row[q]!;
    if (total > 0) recalls[`recall:${classes[q]}`] = row[q]! / total;
  });
  const accuracy = right / scores.rows;
  if (!isLogarithm) return { accuracy, ...recalls };
  const logLoss = softmaxLosses(scores, labels).reduce((sum, loss) => sum + loss, 0) / scores.rows;
  return { accuracy, logLoss, ...recalls };
}

/** -log of the softmax probability of each row's class: F is n x c. */
export function softmaxLosses(F: Matrix, labels: ArrayLike<number>): Float64Array {
  const c = F.cols;
  return Float64Array.from({ length: F.rows }, (_, i) => {
    const f = F.data.subarray(i * c, (i + 1) * c);
    const top = f.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    let sum = 0;
    for (const t of f) sum += Math.exp(t - top);
    return Math.log(sum) + (top - f[labels[i]!]!);
  });
}

/** Softmax probabilities of each row, n x c. */
export function softmaxProbabilities(F: Matrix): Matrix {
  const out = matrix(F.rows, F.cols);
  for (let i = 0; i < F.rows; i++) {
    const f = row(F, i);
    const p = row(out, i);
    const top = f.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    let sum = 0;
    for (let q = 0; q < f.length; q++) {
      p[q] = Math.exp(f[q]! - top);
      sum += p[q]!;
    }
    for (let q = 0; q < f.length; q++) p[q]! /= sum;
  }
  return out;
}

/** Class index of each row of scores: the sign of a single column, else the largest column (the first of equals). */
export function predictedClasses(scores: Matrix): Int32Array {
  const { rows, cols, data } = scores;
  const out = new Int32Array(rows);
  for (let i = 0; i < rows; i++) {
    if (cols === 1) {
      out[i] = data[i] > 0 ? 1 : 0;
      continue;
    }
    for (let q = 1; q < cols; q++) if (data[i * cols + q] > data[i * cols + out[i]]) out[i] = q;
  }
  return out;
}

/** Number of rows of each true class (row) that were predicted as each class (column). */
export function confusionCounts(predicted: ArrayLike<number>, labels: ArrayLike<number>, classes: number): number[][] {
  checkRows(predicted.length, labels.length);
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < labels.length; i++) counts[labels[i]!]![predicted[i]!]! += 1;
  return counts;
}

function checkRows(predicted: number, actual: number): number {
  if (predicted !== actual || actual === 0) {
    throw new RangeError(`metrics need as many predictions as targets, at least one: got ${predicted} and ${actual}`);
  }
  return actual;
}
