import { ConfigError, DataError } from "../base/errors.ts";
import { type Matrix, takeRows } from "../base/matrix.ts";
import { type Compute, createCompute } from "../compute/index.ts";
import type { Dataset } from "../data/index.ts";
import { architectureText } from "../network/architecture/index.ts";
import {
  centered,
  checkInputs,
  type KernelRegression,
  kernelRegression,
  type RegressionModel,
  type RegressionOptions,
  regressionOutputs,
  SPECTRUM_ROWS,
  summarizeKernel,
} from "../tangent/index.ts";
import { principalComponents } from "./baselines.ts";
import { evaluate, fitBaselines } from "./evaluation.ts";
import { FitCancelled, type FitEvent } from "./fit-types.ts";
import { readArchitecture } from "./kernel.ts";
import {
  kernelMatrix,
  largestEigenvalue,
  MEMORY_ROWS,
  operatorOf,
  tableEngine,
  weightedOperator,
} from "./kernel-matrix.ts";
import { type KernelOutcome, type KernelRecord, makeKernelOutcome } from "./kernel-model-outcome.ts";
import { DEFAULT_ARCHITECTURE, type KernelFitSettings } from "./kernel-model-settings.ts";
import { regressOnDisk, type TiledResult, tileBytes } from "./kernel-tiles.ts";
import { singularityWarnings } from "./kernel-warnings.ts";
import { countedRows, onAllRows, weightedTargets } from "./kernel-weights.ts";
import { measureOutputs } from "./measure.ts";
import { emitData, loadFitData, type PipelineContext } from "./pipeline.ts";
import { chooseCoding, codeTargets, outputNames } from "./problem.ts";

/** Most training rows. */
const MOST_ROWS = 30_000;
/** Share of the time for the baselines. */
const BASELINE_SHARE = 0.1;
/** Progress is told at most this often, in seconds. */
const PROGRESS_SECONDS = 0.1;
/** Products with a matrix for its largest eigenvalue. */
const LANCZOS_STEPS = 60;

/** What a fit by kernel regression needs of the outside. */
type KernelContext = Pick<PipelineContext, "emit" | "cancelled" | "now" | "started">;

/**
 * A fit by kernel regression from file to run folder, in the calling thread:
 *
 *   data -> baselines -> kernel matrix -> ridge by leave-one-out -> metrics -> verdict and files
 *
 * @throws UserError for settings or data that cannot be used.
 * @throws FitCancelled when cancelled before there is a regression.
 */
export async function runKernelFit(settings: KernelFitSettings, context: KernelContext): Promise<KernelOutcome> {
  const dataset = loadFitData(settings, true);
  emitData(settings, dataset, null, context.emit);
  const compute = await createCompute(settings.threads === undefined ? {} : { threads: settings.threads });
  try {
    return fitDataset(settings, dataset, compute, context);
  } finally {
    await compute.close();
  }
}

function fitDataset(
  settings: KernelFitSettings,
  dataset: Dataset,
  compute: Compute,
  context: KernelContext,
): KernelOutcome {
  const { emit, cancelled, now, started } = context;
  const { train, target } = dataset;
  const { model: kernel, ridge = "auto" } = settings;
  const notes: string[] = [];
  const note = (text: string): void => {
    notes.push(text);
    emit({ kind: "note", text });
  };
  const expired = (): boolean => cancelled() || now() > started + settings.time;
  const tell = progressTeller(context);

  // 1. The problem.
  const shownArchitecture = settings.arch ?? DEFAULT_ARCHITECTURE;
  const architecture = readArchitecture(shownArchitecture, null);
  const engine = tableEngine(architecture, train.X.cols, kernel);
  const coding = chooseCoding("squared", target);
  const names = outputNames(target, "squared");
  const counted = countedRows(train.X, codeTargets(train.y, coding, names.length, target.columns), train.weights);
  const { X, Y, weights } = counted;
  checkSize(X.rows, settings.data);
  dataset.notes.forEach(note);
  if (X.rows < train.X.rows) note(weightlessNote(train.X.rows - X.rows));
  singularityWarnings(checkInputs(X), architecture, false).forEach(note);
  emit({ kind: "backend", info: compute.info });
  if (compute.warning !== null) note(compute.warning);
  const baselineEnd = started + BASELINE_SHARE * settings.time;
  const components = principalComponents(compute, train.X);
  const { baselines, notes: more } = fitBaselines(
    compute,
    components,
    dataset,
    () => cancelled() || now() > baselineEnd,
  );
  more.forEach(note);

  // 2. The kernel matrix, 3. the regression.
  let hasRidge = X.rows <= SPECTRUM_ROWS;
  const options: RegressionOptions = {
    ridge,
    ...(weights === null ? {} : { weights }),
    // Asked only when a ridge is done.
    expired: () => {
      hasRidge = true;
      return expired();
    },
    progress: (share) => {
      if (!hasRidge && cancelled()) throw new FitCancelled();
      tell("ridge", share);
    },
  };
  const ofKernel = (share: number): void => tell("kernel", share);
  const isLarge = X.rows > MEMORY_ROWS;
  if (isLarge) note(`the kernel matrix is kept on the disk: ${gigabytes(X.rows)} in ${settings.out} for a while`);
  const { regression, summary, largestEigenvalue } = isLarge
    ? regressOnDisk(compute, engine, kernel, X, Y, settings.out, options, ofKernel)
    : regressInMemory(compute, kernelMatrix(compute, engine, kernel, X, ofKernel), Y, options);
  regressionNotes(regression, settings, cancelled()).forEach(note);

  // 4. What it is worth.
  const model: RegressionModel = { engine, kernel, inputs: X, ...regression };
  const { fitted, leaveOneOut } = onAllRows(regression, counted, (others) =>
    regressionOutputs(compute, model, takeRows(train.X, others)),
  );
  const test = dataset.test === null ? null : regressionOutputs(compute, model, dataset.test.X);
  const record: KernelRecord = {
    settings,
    dataset,
    kernel,
    architecture,
    architectureText: architectureText(architecture),
    shownArchitecture,
    regression,
    counted,
    fitted,
    test,
    evaluation: evaluate(dataset, "scores", (part) => (part === dataset.test?.X ? test! : fitted)),
    leaveOneOut: measureOutputs(target, "scores", leaveOneOut, train.y),
    baselines,
    summary,
    largestEigenvalue,
    notes,
    backend: compute.info,
    interrupted: cancelled(),
    seconds: now() - started,
  };
  return makeKernelOutcome(record);
}

/** The regression with a whole kernel matrix, and what else the matrix says. */
function regressInMemory(compute: Compute, K: Matrix, Y: Matrix, options: RegressionOptions): TiledResult {
  const regression = kernelRegression(compute, K, Y, options);
  const { weights = null } = options;
  const readRows = (from: number, count: number): Float64Array => {
    const rows = K.data.subarray(from * K.cols, (from + count) * K.cols);
    if (weights === null) return rows;
    return rows.map((value, k) => value * Math.sqrt(weights[from + Math.floor(k / K.cols)]! * weights[k % K.cols]!));
  };
  const operator = weightedOperator(operatorOf(compute, K), weights);
  return {
    regression,
    summary: summarizeKernel(compute, K.rows, readRows, weights === null ? centered(Y) : weightedTargets(Y, weights)),
    largestEigenvalue: regression.eigenvalues?.at(-1) ?? largestEigenvalue(compute, operator, LANCZOS_STEPS),
  };
}

function weightlessNote(count: number): string {
  return `${count === 1 ? "1 row has" : `${count} rows have`} no weight: measured, but not fitted`;
}

function gigabytes(rows: number): string {
  return `${(tileBytes(rows) / 1e9).toPrecision(2)} GB`;
}

/** @throws DataError for more rows than a day has time for. */
function checkSize(rows: number, file: string): void {
  if (rows <= MOST_ROWS) return;
  throw new DataError(`kernel regression takes time as the cube of the rows: ${rows} are more than ${MOST_ROWS}`, {
    code: "kernel-rows",
    hint: `hold out more rows with --split, such as --split ${(1 - Math.floor((10 * MOST_ROWS) / rows) / 10).toFixed(1)}, or train a ReLU network`,
    place: { file },
  });
}

/** What a person should know of how the ridge came about. */
function regressionNotes(
  { ridge, jitter, points, error }: KernelRegression,
  settings: KernelFitSettings,
  interrupted: boolean,
): string[] {
  const notes: string[] = [];
  const tried = points.length === 1 ? "1 ridge" : `${points.length} ridges`;
  if (interrupted) notes.push(`interrupted: the best of ${tried} so far`);
  if (!Number.isFinite(error)) throw new ConfigError("the leave-one-out error is not finite", { code: "kernel-ridge" });
  if (settings.ridge !== undefined && settings.ridge !== "auto") {
    if (jitter > 0) {
      notes.push(
        `the ridge is ${ridge.toPrecision(3)}: with ${settings.ridge} the kernel matrix is singular up to rounding`,
      );
    }
    return notes;
  }
  const ends = [points[0]!, points.at(-1)!];
  if (points.length > 1 && ends.some((end) => end.ridge === ridge)) {
    notes.push(`the best ridge, ${ridge.toPrecision(3)}, is at the end of those that were tried`);
  }
  return notes;
}

/** Tells the share of a stage that is done, not too often; ends the fit when it is cancelled before there is anything to keep. */
function progressTeller({
  emit,
  cancelled,
  now,
  started,
}: KernelContext): (stage: "kernel" | "ridge", share: number) => void {
  let told = Number.NEGATIVE_INFINITY;
  let last = "";
  return (stage, share) => {
    if (stage === "kernel" && cancelled()) throw new FitCancelled();
    const seconds = now() - started;
    if (stage === last && seconds - told < PROGRESS_SECONDS) return;
    told = seconds;
    last = stage;
    const idle = { objective: null, bound: null, gap: null, neurons: 0 };
    const event: FitEvent = { kind: "progress", stage, label: "", ...idle, fraction: share, seconds };
    emit(event);
  };
}
