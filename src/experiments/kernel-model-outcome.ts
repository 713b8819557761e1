import type { Matrix } from "../base/matrix.ts";
import type { BackendInfo } from "../compute/types.ts";
import type { Dataset, Target } from "../data/types.ts";
import { writeKernelModel } from "../formats/index.ts";
import type { Architecture } from "../network/architecture/index.ts";
import { sha256 } from "../platform/index.ts";
import type { KernelName, KernelRegression, KernelSummary } from "../tangent/index.ts";
import { type Baseline, baselineMetrics, type Evaluation, testTable } from "./evaluation.ts";
import type { FitOutcome, RunFile } from "./fit-types.ts";
import { kernelModelCard } from "./kernel-model-card.ts";
import type { KernelFitJson } from "./kernel-model-json.ts";
import { kernelReport } from "./kernel-model-report.ts";
import type { KernelFitSettings } from "./kernel-model-settings.ts";
import type { CountedRows } from "./kernel-weights.ts";
import type { Metrics } from "./metrics.ts";
import { reportFiles } from "./report-files.ts";
import { VERSION } from "./version.ts";

/** Name of the model in the folder of a kernel regression. */
export const KERNEL_MODEL_FILE = "model.safetensors";

/** What a kernel regression leaves behind, still in memory. */
export type KernelOutcome = Omit<FitOutcome, "json"> & { readonly json: KernelFitJson };

/** Everything that a finished kernel regression knows. */
export interface KernelRecord {
  readonly settings: KernelFitSettings;
  readonly dataset: Dataset;
  readonly kernel: KernelName;
  readonly architecture: Architecture;
  readonly architectureText: string;
  /** The same as it was given, or the name of its file. */
  readonly shownArchitecture: string;
  readonly regression: KernelRegression;
  /** The training rows with a weight above zero. */
  readonly counted: CountedRows;
  /** Outputs on the training and on the held-out rows. */
  readonly fitted: Matrix;
  readonly test: Matrix | null;
  readonly evaluation: Evaluation;
  readonly leaveOneOut: Metrics;
  readonly baselines: readonly Baseline[];
  readonly summary: KernelSummary;
  readonly largestEigenvalue: number;
  readonly notes: readonly string[];
  readonly backend: BackendInfo;
  readonly interrupted: boolean;
  readonly seconds: number;
}

/** Standard deviations of the noise in units of the target, one an output; null for classes. */
export function noiseOf({ ridge, signalVariance }: KernelRegression, { classes, columns }: Target): number[] | null {
  if (classes !== null) return null;
  return Array.from(signalVariance, (variance, q) => Math.sqrt(ridge * variance) * (columns?.[q]?.scale ?? 1));
}

function kernelJson(record: KernelRecord): KernelFitJson {
  const { settings, dataset, kernel, regression, counted, summary, evaluation, leaveOneOut, baselines, backend } =
    record;
  const { X } = dataset.train;
  const { ridge, method, error, points, jitter, effectiveDimension, eigenvalues, dual } = regression;
  return {
    schema: 1,
    command: "fit",
    version: VERSION,
    run: null,
    model: kernel,
    problem: {
      rows: X.rows,
      features: X.cols,
      outputs: dual.cols,
      loss: "squared",
      architecture: record.architectureText,
      weights: settings.weights === undefined ? null : { column: settings.weights, rows: counted.X.rows },
      ridge,
      ridgeChosen: (settings.ridge ?? "auto") === "auto",
    },
    result: {
      status: record.interrupted ? "interrupted" : "exact",
      method,
      leaveOneOutError: error,
      ridges: points.map((point) => ({
        ridge: point.ridge,
        leaveOneOutError: Number.isFinite(point.error) ? point.error : null,
      })),
      jitter,
      effectiveDimension,
      alignment: summary.alignment,
      meanDiagonal: summary.trace / counted.X.rows,
      largestEigenvalue: record.largestEigenvalue,
      smallestEigenvalue: eigenvalues?.[0] ?? null,
      largestStep: 2 / record.largestEigenvalue,
      noise: noiseOf(regression, dataset.target),
      seconds: record.seconds,
    },
    metrics: {
      train: { ...evaluation.train },
      test: evaluation.test === null ? null : { ...evaluation.test },
      baselines: baselineMetrics(baselines),
      leaveOneOut: { ...leaveOneOut },
    },
    backend: { ...backend },
  };
}

/** What a kernel regression is, in plain sentences, the headline first. The architecture is for people. */
export function kernelVerdict({ model, problem, result }: KernelFitJson, architecture: string): string[] {
  const { ridge, ridgeChosen, rows, weights } = problem;
  const name = model === "ntk" ? "tangent kernel" : "covariance";
  const meaning =
    model === "ntk"
      ? "trained by gradient descent, such a network does this regression without a ridge"
      : "before it is trained, such a network is the Gaussian process that this regression assumes";
  const shown = (value: number): string => String(Number(value.toPrecision(3)));
  const how = ridgeChosen
    ? `chosen from ${result.ridges.length} by exact leave-one-out`
    : result.jitter > 0
      ? "the least that is not singular up to rounding"
      : "as given";
  return [
    `Kernel regression, solved exactly: ridge ${shown(ridge)}, ${how}.`,
    `The kernel is the ${name} of ${architecture} with infinitely wide layers: ${meaning}.`,
    `The ridge lets ${shown(result.effectiveDimension)} of ${weights?.rows ?? rows} directions pass.`,
  ];
}

/** The hash that names the run: of the settings that matter to the result, the data and the version, not of the time. */
function contentHash({ settings, dataset, architectureText }: KernelRecord): string {
  const { data: _data, out: _out, arch: _arch, ...kept } = settings;
  const made = [VERSION, kept, dataset.fingerprint, architectureText];
  return sha256(new TextEncoder().encode(JSON.stringify(made)));
}

/** The JSON, the verdict and the files of a kernel regression. */
export function makeKernelOutcome(record: KernelRecord): KernelOutcome {
  const { dataset, kernel, architecture, regression, counted, evaluation, baselines, interrupted } = record;
  const { preprocessing, target } = dataset;
  const json = kernelJson(record);
  const verdict = kernelVerdict(json, record.shownArchitecture);
  const { ridge, dual, intercept, signalVariance } = regression;
  const model = {
    kernel,
    architecture,
    ridge,
    inputs: counted.X,
    ...(counted.weights === null ? {} : { weights: counted.weights }),
    dual,
    intercept,
    signalVariance,
    preprocessing,
    target,
  };
  const files: RunFile[] = [
    { name: KERNEL_MODEL_FILE, bytes: writeKernelModel(model) },
    ...reportFiles(kernelReport(record, json, verdict)),
    { name: "README.md", bytes: new TextEncoder().encode(kernelModelCard(record, json, verdict)) },
  ];
  return {
    json,
    verdict,
    files,
    id: contentHash(record),
    interrupted,
    testTable: testTable(target, evaluation, baselines),
  };
}
