import type { FitEvent, FitJson, TestTable } from "../experiments/fit-types.ts";
import type { KernelFitJson } from "../experiments/kernel-model-json.ts";
import { isShare, metricName } from "../experiments/metric-names.ts";
import { formatNumber, formatSeconds, formatShare, plural } from "./format.ts";
import { drawBar } from "./progress.ts";

/** `958 rows x 27 features (9 columns one-hot, rank 19) · target outcome (2 classes) · 20 % held out, seed 0`. */
export function dataLine(event: Extract<FitEvent, { kind: "data" }>): string {
  const { rows, testRows, features, oneHotColumns, rank, target, classes, seed } = event;
  const details = [
    ...(oneHotColumns === 0 ? [] : [`${plural(oneHotColumns, "column")} one-hot`]),
    ...(rank === null ? [] : [`rank ${rank}`]),
  ];
  const made = details.length === 0 ? "" : ` (${details.join(", ")})`;
  const kind = classes === null ? "a number" : `${classes} classes`;
  const held = testRows === 0 ? "nothing held out" : `${Math.round((100 * testRows) / rows)} % held out, seed ${seed}`;
  return `${rows} rows x ${plural(features, "feature")}${made} · target ${target} (${kind}) · ${held}`;
}

/** `backend blas (OpenBLAS 0.3.21, 2 threads)`. */
export function backendLine(info: FitJson["backend"]): string {
  const library = info.blas === null ? "no system BLAS" : info.blas;
  const simd = info.name === "wasm" ? `${info.simd} SIMD, ` : "";
  return `backend ${info.name} (${simd}${library}, ${plural(info.threads, "thread")})`;
}

/** The last line of the progress: `solving  ━━━━  objective 0.2931   bound 0.2702   23 neurons   6 s`. */
export function solvedLine(result: FitJson["result"], columns: number): string {
  const parts = [
    `objective ${formatNumber(result.objective, "up")}`,
    `bound ${formatNumber(result.lowerBound, "down")}`,
    plural(result.neurons, "neuron"),
    formatSeconds(result.seconds),
  ].join("   ");
  const room = Math.min(20, columns - parts.length - 14);
  return `solving  ${room < 4 ? "" : `${drawBar(1, room)}  `}${parts}`;
}

/** `ridge 0.012 of 34 tried   leave-one-out error 0.231   effective dimension 34.1 of 404   2 s`. */
export function kernelLine({ problem, result }: KernelFitJson): string {
  const tried = problem.ridgeChosen ? ` of ${result.ridges.length} tried` : "";
  return [
    `ridge ${formatNumber(problem.ridge)}${tried}`,
    `leave-one-out error ${formatNumber(result.leaveOneOutError)}`,
    `effective dimension ${formatNumber(result.effectiveDimension)} of ${problem.weights?.rows ?? problem.rows}`,
    formatSeconds(result.seconds),
  ].join("   ");
}

/** `test accuracy 98.4 %   (logistic regression 65.1 %, tangent kernel 93.2 %)`. */
export function testLine(table: TestTable): string {
  const show = (value: number): string => (table.metric === "accuracy" ? formatShare(value) : formatNumber(value));
  const baselines = table.baselines.map(({ name, value }) => `${name} ${show(value)}`).join(", ");
  return `${table.part} ${table.metric} ${show(table.network)}${baselines === "" ? "" : `   (${baselines})`}`;
}

/** `accuracy 98.4 %, AUC 0.997`. */
export function formatMetrics(metrics: Readonly<Record<string, number>>): string {
  return Object.entries(metrics)
    .map(([key, value]) => `${metricName(key)} ${isShare(key) ? formatShare(value) : formatNumber(value)}`)
    .join(", ");
}
