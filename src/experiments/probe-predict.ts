import { DataError } from "../base/errors.ts";
import { matrix } from "../base/matrix.ts";
import { createCompute } from "../compute/index.ts";
import { type Column, readTable, type Target } from "../data/index.ts";
import { type OnnxNetwork, readOnnx } from "../formats/index.ts";
import { type Shape, sizeOf } from "../network/architecture/index.ts";
import { networkModel } from "../network/deep/index.ts";
import { readBytes } from "../platform/index.ts";
import { predictedClasses, softmaxProbabilities } from "./metrics.ts";
import { metricsOf, type Prediction } from "./predict.ts";
import { readOnnxFile } from "./probe-onnx.ts";
import { arrangeSamples, type PixelScale, standardizePixels } from "./probe-samples.ts";
import { readImages } from "./training/images.ts";
import { outputsOf } from "./training/machine.ts";

/** Samples that go through the network together. */
const TOGETHER = 256;

/** Whether a file is an ONNX file, but none of a two-layer network of this program, which has its preprocessing with it. */
export function isForeignOnnx(file: string): boolean {
  if (!file.endsWith(".onnx")) return false;
  try {
    readOnnx(readBytes(file), file);
    return false;
  } catch (error) {
    if (error instanceof DataError && error.code === "model-foreign") return true;
    throw error;
  }
}

/** Samples as they are in a file, and the column of their targets, if there is one. */
interface Samples {
  readonly n: number;
  readonly X: Float64Array;
  readonly shape: Shape;
  readonly known: Column | null;
}

/**
 * Predictions of a network that another program has exported, for rows of numbers or for images.
 *
 * @param target the column that is no input, where there is one.
 * @throws DataError when the network cannot be read, or takes other samples.
 */
export async function predictOnnxSamples(
  file: string,
  data: string,
  target: string | undefined,
  pixels: PixelScale,
): Promise<Prediction> {
  const { n, X, shape, known } = readSamples(data, target, pixels);
  const network = readOnnxFile(file, shape);
  const { graph, theta, state, notes } = network;
  const arranged = arrangeSamples(network, X, shape, pixels.channels, file);
  const compute = await createCompute();
  let outputs: Float64Array;
  try {
    outputs = compute.scope((scope) => {
      const allocate = (length: number): Float64Array => scope.f64(length);
      const model = networkModel(graph, { kernels: compute, allocate, samples: Math.min(n, TOGETHER) });
      model.state.set(state);
      return outputsOf(model, scope.copy(theta), arranged.X, n);
    });
  } finally {
    await compute.close();
  }
  const scores = matrix(n, outputs.length / n, outputs);
  const meaning = meaningOf(network, sizeOf(graph.output), known);
  const columns = known === null ? [] : [{ ...known, name: meaning.name }];
  return {
    target: meaning,
    scores,
    probabilities: meaning.link === "softmax" ? softmaxProbabilities(scores) : null,
    classes: meaning.classes === null ? null : predictedClasses(scores),
    metrics: meaning.columns === undefined ? metricsOf({ columns, rows: n }, meaning, scores) : null,
    notes: [...notes, ...arranged.notes],
  };
}

/** What outputs stand for: classes where a link or known labels say so, else numbers. */
function meaningOf({ link }: OnnxNetwork, outputs: number, known: Column | null): Target {
  const name = known?.name ?? "output";
  const named = known?.kind === "category" ? known.categories : null;
  const wanted = outputs === 1 ? 2 : outputs;
  const isOfClasses =
    link === "softmax" || (outputs === 1 ? link === "sigmoid" || named?.length === 2 : known !== null);
  if (isOfClasses) {
    const classes = named?.length === wanted ? [...named] : Array.from({ length: wanted }, (_, k) => String(k));
    return { name, task: "classification", classes, ...(link === "softmax" ? { link } : {}) };
  }
  if (outputs === 1) return { name, task: "regression", classes: null };
  const columns = Array.from({ length: outputs }, (_, k) => ({ name: `${name} ${k + 1}`, mean: 0, scale: 1 }));
  return { name, task: "regression", classes: null, columns };
}

function readSamples(data: string, target: string | undefined, pixels: PixelScale): Samples {
  const images = readImages(data, target);
  if (images !== null) {
    const unit = images.pixels instanceof Uint8Array ? 255 : 1;
    const X = Float64Array.from(images.pixels, (pixel) => pixel / unit);
    standardizePixels(X, images.shape, pixels);
    return { n: images.n, X, shape: images.shape, known: images.labels };
  }
  const { columns, rows } = readTable(data);
  const known = columns.find(({ name }) => name === target) ?? null;
  const refuse = (what: string): DataError =>
    new DataError(`${data} ${what}`, {
      code: "sample-shape",
      hint: "an ONNX file of another program takes columns of numbers, in their order; --target names one that is no input",
      place: { file: data },
    });
  if (target !== undefined && known === null) throw refuse(`has no column "${target}"`);
  const inputs = columns
    .filter((column) => column !== known)
    .map((column) => {
      if (column.kind !== "number") throw refuse(`has words in column "${column.name}"`);
      const missing = column.values.findIndex(Number.isNaN);
      if (missing >= 0) throw refuse(`has no number in row ${missing + 1} of column "${column.name}"`);
      return column.values;
    });
  const X = Float64Array.from({ length: rows * inputs.length }, (_, k) => {
    return inputs[k % inputs.length]![Math.floor(k / inputs.length)]!;
  });
  const shape: Shape = [inputs.length];
  standardizePixels(X, shape, pixels);
  return { n: rows, X, shape, known };
}
