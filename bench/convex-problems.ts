/**
 * The problems of the benchmark of certified training: tables standardized over all rows (mean 0, population standard
 * deviation 1, constant columns dropped) and synthetic sets drawn from seeded streams, squared loss (f - y)^2 / 2 summed
 * over rows, a penalized bias column, beta as a share of beta_max.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type Matrix, matrix } from "../src/base/matrix.ts";
import { randomStream } from "../src/base/random.ts";
import type { ConvexProblem, LossName } from "../src/convex/index.ts";
import { loadDataset } from "../src/data/index.ts";

const DATA = resolve(process.env.OVERPARAM_DATA ?? resolve(import.meta.dirname, "../../shared/data"));

interface TableSource {
  readonly file: string;
  readonly target: string;
  readonly task: "regression" | "classification";
  /** Classes (as written in the file) that are +1; the others are -1. Absent: the number itself, standardized. */
  readonly positive?: readonly string[];
  /** +1 above the median, -1 otherwise. */
  readonly median?: boolean;
  /** Keep only the last this many features. */
  readonly last?: number;
}

const TABLES: Readonly<Record<string, TableSource>> = {
  iris: { file: "raw_uci/iris.csv", target: "class", task: "classification", positive: ["1"] },
  iris2: { file: "raw_uci/iris.csv", target: "class", task: "classification", positive: ["1"], last: 2 },
  wine: { file: "raw_uci/wine.csv", target: "class", task: "classification", positive: ["1"] },
  diabetes: { file: "regression/diabetes.csv", target: "progression", task: "regression" },
  "diabetes-c": { file: "regression/diabetes.csv", target: "progression", task: "regression", median: true },
  bc: { file: "uci/breast-cancer-wisc-diag.csv", target: "class", task: "classification", positive: ["1"] },
  heart: { file: "uci/statlog-heart.csv", target: "class", task: "classification", positive: ["1"] },
  sonar: { file: "uci/conn-bench-sonar-mines-rocks.csv", target: "class", task: "classification", positive: ["1"] },
  ionosphere: { file: "raw_uci/ionosphere.csv", target: "class", task: "classification", positive: ["1"] },
  "tic-tac-toe": {
    file: resolve(import.meta.dirname, "../examples/tic-tac-toe.csv"),
    target: "outcome",
    task: "classification",
    positive: ["positive"],
  },
  monks: { file: "rule/monks1_train.csv", target: "class", task: "classification", positive: ["1"] },
  pima: { file: "uci/pima.csv", target: "class", task: "classification", positive: ["1"] },
  german: { file: "uci/statlog-german-credit.csv", target: "class", task: "classification", positive: ["1"] },
  banknote: { file: "raw_uci/banknote.csv", target: "class", task: "classification", positive: ["1"] },
  "red-wine": { file: "raw_uci/winequality_red.csv", target: "quality", task: "regression" },
  boston: { file: "raw_uci/boston_housing.csv", target: "MEDV", task: "regression" },
  digits: {
    file: "images/optdigits_test_1797.csv.gz",
    target: "class",
    task: "classification",
    positive: ["5", "6", "7", "8", "9"],
  },
};

/** Features and targets of a named set; `line-N`, `plane-N` and `wide` are drawn, the others are tables. */
export function benchData(name: string): { X: Matrix; y: Float64Array } {
  const drawn = /^(line|plane)-(\d+)$/.exec(name);
  if (drawn !== null) return drawn[1] === "line" ? line(Number(drawn[2])) : plane(Number(drawn[2]));
  if (name === "wide") return wide();
  const source = TABLES[name];
  if (source === undefined) throw new RangeError(`no set "${name}"`);
  const { file, target, task, positive, median, last } = source;
  const path = resolve(DATA, file);
  if (!existsSync(path)) throw new RangeError(`${path} is missing: set OVERPARAM_DATA`);
  const { train, target: read } = loadDataset({ file: path, target, task, split: "none" });
  const y = Float64Array.from(train.y);
  if (positive !== undefined) {
    for (let i = 0; i < y.length; i++) y[i] = positive.includes((read.classes ?? [])[y[i]] ?? "") ? 1 : -1;
  } else {
    const middle = Float64Array.from(y).sort();
    const half = (middle[Math.floor((y.length - 1) / 2)] + middle[Math.floor(y.length / 2)]) / 2;
    if (median === true) for (let i = 0; i < y.length; i++) y[i] = y[i] > half ? 1 : -1;
    else standardize(y);
  }
  return { X: last === undefined ? train.X : lastColumns(train.X, last), y };
}

/** The problem of a set without its beta. */
export function benchProblem(name: string, loss: LossName): Omit<ConvexProblem, "beta"> {
  return { ...benchData(name), loss, scaling: "sum", bias: "column", program: "relu", patterns: { kind: "generated" } };
}

function standardize(y: Float64Array): void {
  let mean = 0;
  for (const t of y) mean += t / y.length;
  let variance = 0;
  for (const t of y) variance += (t - mean) ** 2 / y.length;
  for (let i = 0; i < y.length; i++) y[i] = (y[i] - mean) / Math.sqrt(variance);
}

function lastColumns(X: Matrix, count: number): Matrix {
  const out = matrix(X.rows, count);
  for (let i = 0; i < X.rows; i++) {
    out.data.set(X.data.subarray((i + 1) * X.cols - count, (i + 1) * X.cols), i * count);
  }
  return out;
}

function line(n: number): { X: Matrix; y: Float64Array } {
  const random = randomStream(0, "bench/line");
  const X = matrix(n, 1);
  for (let i = 0; i < n; i++) X.data[i] = 2 * random.uniform() - 1;
  return { X, y: Float64Array.from(X.data, (x) => Math.sin(4 * x) + 0.3 * random.normal()) };
}

function plane(n: number): { X: Matrix; y: Float64Array } {
  const random = randomStream(0, "bench/plane");
  const X = matrix(n, 2);
  for (let k = 0; k < 2 * n; k++) X.data[k] = random.normal();
  const y = Float64Array.from(
    { length: n },
    (_, i) => Math.sin(2 * X.data[2 * i]) * Math.cos(X.data[2 * i + 1]) + 0.2 * random.normal(),
  );
  return { X, y };
}

function wide(): { X: Matrix; y: Float64Array } {
  const random = randomStream(0, "bench/wide");
  const [n, d] = [50, 1000];
  const X = matrix(n, d);
  for (let k = 0; k < n * d; k++) X.data[k] = random.normal() / Math.sqrt(d);
  return { X, y: Float64Array.from({ length: n }, () => random.normal()) };
}
