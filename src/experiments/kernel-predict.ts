import { ConfigError } from "../base/errors.ts";
import { type Matrix, matrix } from "../base/matrix.ts";
import { type Compute, createCompute } from "../compute/index.ts";
import { loadRows, type Target } from "../data/index.ts";
import { isKernelModel, type KernelModel, readKernelModel } from "../formats/index.ts";
import { readBytes } from "../platform/files.ts";
import { type RegressionModel, regressionOutputs, regressionVariances } from "../tangent/index.ts";
import { kernelMatrix, MEMORY_ROWS, tableEngine } from "./kernel-matrix.ts";
import { inUnits } from "./measure.ts";
import { predictedClasses } from "./metrics.ts";
import { metricsOf, type Prediction } from "./predict.ts";

/**
 * The kernel regression that a file holds; null when it holds something else.
 *
 * @throws DataError when it cannot be read.
 */
export function findKernelModel(file: string): KernelModel | null {
  if (!file.endsWith(".safetensors")) return null;
  const bytes = readBytes(file);
  return isKernelModel(bytes, file) ? readKernelModel(bytes, file) : null;
}

/** How predictions are made. */
export interface KernelPredictOptions {
  /** Whether the standard deviations of new targets are wanted too. */
  readonly deviations: boolean;
  /** Told the share that is done. */
  readonly progress?: (share: number) => void;
}

/** Shares of the time: the kernel matrix, when deviations are wanted. */
const MATRIX_SHARE = 0.5;

/**
 * Predictions of a kernel regression for the raw rows of a table file, with metrics when the file has the target too.
 *
 * @throws DataError when a column is missing or unreadable; ConfigError when deviations are wanted of classes or of too many rows.
 */
export async function predictKernelRows(
  model: KernelModel,
  file: string,
  { deviations, progress = () => {} }: KernelPredictOptions,
): Promise<Prediction> {
  const { preprocessing, target, inputs, kernel, architecture } = model;
  if (deviations) checkDeviations(model);
  const { table, X, notes } = loadRows(preprocessing, file);
  const engine = tableEngine(architecture, inputs.cols, kernel);
  const compute = await createCompute();
  try {
    const regression: RegressionModel = { ...model, engine };
    const share = deviations ? (1 - MATRIX_SHARE) / 2 : 1;
    const outputs = regressionOutputs(compute, regression, X, (done) => progress(share * done));
    const classes = target.classes === null ? null : predictedClasses(outputs);
    const metrics = metricsOf(table, target, outputs);
    const own = { target, scores: inUnits(outputs, target), probabilities: null, classes, metrics, notes };
    if (!deviations) return own;
    const gram = kernelMatrix(compute, engine, kernel, inputs, (done) => progress(share + MATRIX_SHARE * done));
    return { ...own, deviations: standardDeviations(compute, model, regression, gram, X, target) };
  } finally {
    await compute.close();
  }
}

function checkDeviations({ target, inputs }: KernelModel): void {
  if (target.classes !== null) {
    throw new ConfigError(`"${target.name}" has classes: their scores have no standard deviation to show`, {
      code: "deviations-of-classes",
      hint: "leave --std out",
    });
  }
  if (inputs.rows > MEMORY_ROWS) {
    throw new ConfigError(
      `standard deviations are for up to ${MEMORY_ROWS} training rows, this model has ${inputs.rows}`,
      {
        code: "kernel-rows",
        hint: "leave --std out",
      },
    );
  }
}

/** Of the targets of new rows, in their units. */
function standardDeviations(
  compute: Compute,
  { ridge, weights, signalVariance }: KernelModel,
  regression: RegressionModel,
  gram: Matrix,
  X: Matrix,
  { columns }: Target,
): Matrix {
  const settings = { ridge, withIntercept: true, ...(weights === undefined ? {} : { weights }) };
  const variances = regressionVariances(compute, regression, settings, gram, X);
  const c = signalVariance.length;
  const out = matrix(X.rows, c);
  for (let i = 0; i < X.rows; i++) {
    for (let q = 0; q < c; q++) {
      out.data[i * c + q] = Math.sqrt(variances[i] * signalVariance[q]) * (columns?.[q]?.scale ?? 1);
    }
  }
  return out;
}
