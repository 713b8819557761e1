import { DataError } from "../../base/errors.ts";
import { matrix } from "../../base/matrix.ts";
import { createCompute } from "../../compute/index.ts";
import { loadRows, readTable } from "../../data/index.ts";
import type { Column } from "../../data/types.ts";
import { type DeepModel, isDeepModel, readDeepModel } from "../../formats/index.ts";
import { showShape, sizeOf } from "../../network/architecture/index.ts";
import { networkGraph } from "../../network/deep/index.ts";
import { readBytes } from "../../platform/index.ts";
import { predictedClasses, softmaxProbabilities } from "../metrics.ts";
import { metricsOf, type Prediction } from "../predict.ts";
import { readImages } from "./images.ts";
import { modelOf, outputsOf } from "./machine.ts";

/** Most samples that go through the network together. */
const TOGETHER = 256;

/**
 * The deep network that a file holds; null when it holds something else.
 *
 * @throws DataError when it cannot be read.
 */
export function findDeepModel(file: string): DeepModel | null {
  if (!file.endsWith(".safetensors")) return null;
  const bytes = readBytes(file);
  return isDeepModel(bytes) ? readDeepModel(bytes, file) : null;
}

/** Samples as a network takes them, and the columns of the file, among which its target may be. */
interface RawSamples {
  readonly n: number;
  readonly X: Float64Array;
  readonly columns: readonly Column[];
  readonly notes: readonly string[];
}

/**
 * Predictions of a deep network for raw samples (rows of a table, images), with metrics when the file has the target too.
 *
 * @throws DataError when the file does not have what the network takes.
 */
export async function predictDeepSamples(model: DeepModel, file: string): Promise<Prediction> {
  const { target, form, parameters, state } = model;
  const { n, X, columns, notes } = readSamples(model, file);
  const graph = networkGraph(model.architecture, model.input);
  const compute = await createCompute();
  let outputs: Float64Array;
  try {
    outputs = compute.scope((scope) => {
      const machine = { compute, scope, kernels: compute, allocate: (length: number) => scope.f64(length) };
      const made = modelOf(machine, graph, form, parameters, Math.min(n, TOGETHER));
      made.model.state.set(state);
      return outputsOf(made.model, made.theta, X, n);
    });
  } finally {
    await compute.close();
  }
  const { scale, ...plain } = target;
  const { name, classes } = plain;
  const scores = scale === null ? outputs : outputs.map((value) => value * scale.deviation + scale.mean);
  const F = matrix(n, scores.length / n, scores);
  // The names of labels in files of their own differ from file to file.
  const label = model.inputs.kind === "images" ? columns.map((column) => ({ ...column, name })) : columns;
  const metrics = metricsOf({ columns: label, rows: n }, plain, F);
  return {
    target: plain,
    scores: F,
    probabilities: plain.link === "softmax" ? softmaxProbabilities(F) : null,
    classes: classes === null ? null : predictedClasses(F),
    metrics,
    notes,
  };
}

function readSamples({ inputs, input }: DeepModel, file: string): RawSamples {
  const size = sizeOf(input);
  const differ = (what: string): DataError =>
    new DataError(`${file} has ${what}, the network takes ${showShape(input)}`, {
      code: "sample-shape",
      hint: "predictions are for samples like those of the training",
      place: { file },
    });
  if (inputs.kind === "table") {
    const { table, X, notes } = loadRows(inputs.preprocessing, file);
    return { n: X.rows, X: X.data, columns: table.columns, notes };
  }
  if (inputs.kind === "arrays") {
    const { columns, rows, notes } = readTable(file);
    const numbers = columns.flatMap((column) => (column.kind === "number" ? [column.values] : []));
    if (numbers.length !== size) throw differ(`${numbers.length} columns of numbers`);
    const X = Float64Array.from({ length: rows * size }, (_, k) => numbers[k % size]![Math.floor(k / size)]!);
    const odd = X.findIndex(Number.isNaN);
    if (odd >= 0) throw differ(`a missing number in row ${Math.floor(odd / size) + 1}`);
    return { n: rows, X, columns: [], notes };
  }
  const images = readImages(file, undefined);
  if (images === null) throw differ("no images");
  const { n, pixels, shape, labels } = images;
  if (sizeOf(shape) !== size) throw differ(`images of ${showShape(shape)}`);
  const { mean, scale } = inputs;
  const channels = mean.length;
  const X = Float64Array.from(pixels, (pixel, k) => (pixel - mean[k % channels]!) / scale[k % channels]!);
  return { n, X, columns: labels === null ? [] : [labels], notes: [] };
}
