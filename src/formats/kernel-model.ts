import { z } from "zod";
import { type Matrix, matrix } from "../base/matrix.ts";
import { featureWidth, type Preprocessing, type Target } from "../data/index.ts";
import { type Architecture, architectureText, parseArchitecture, shapesOf } from "../network/architecture/index.ts";
import {
  damaged,
  foreign,
  METADATA_KEY,
  preprocessingSchema,
  readMetadata,
  targetSchema,
  writeMetadata,
} from "./saved-model.ts";
import { type FileTensor, readTensorFile, writeTensorFile } from "./tensor-file.ts";

/** Raised by any change that an older reader would misread. */
const FORMAT_VERSION = 1;

const metadataSchema = z.strictObject({
  format: z.literal(FORMAT_VERSION),
  kind: z.literal("kernel"),
  kernel: z.enum(["ntk", "nngp"]),
  architecture: z.string(),
  ridge: z.number().nonnegative(),
  preprocessing: preprocessingSchema,
  target: targetSchema,
});

/** A kernel regression with all that `predict` needs to take raw rows. */
export interface KernelModel {
  readonly kernel: "ntk" | "nngp";
  /** Of the infinitely wide network whose kernel it is. */
  readonly architecture: Architecture;
  /** Added to the diagonal of the kernel matrix. */
  readonly ridge: number;
  /** Training inputs, encoded and standardized, n x d. */
  readonly inputs: Matrix;
  /** n positive sample weights; absent: all 1. */
  readonly weights?: Float64Array;
  /** n x c. */
  readonly dual: Matrix;
  /** c constants. */
  readonly intercept: Float64Array;
  /** c: what the kernel is to be multiplied by for the covariance of each output. */
  readonly signalVariance: Float64Array;
  readonly preprocessing: Preprocessing;
  readonly target: Target;
}

/** The tensors by their names in a file, with what their shapes have in common. */
const TENSORS = {
  inputs: ["n", "d"],
  weights: ["n"],
  dual: ["n", "c"],
  intercept: ["c"],
  signalVariance: ["c"],
} as const;

/**
 * The model as a safetensors file: tensors `inputs` n x d, `dual` n x c, `intercept` c, `signalVariance` c, and `weights` n
 * where there are any, in F64, and everything else as JSON in the metadata.
 *
 * @throws RangeError when its parts do not fit together.
 */
export function writeKernelModel(model: KernelModel): Uint8Array {
  const { kernel, architecture, ridge, inputs, weights, dual, intercept, signalVariance, preprocessing, target } =
    model;
  const described = {
    format: FORMAT_VERSION,
    kind: "kernel",
    kernel,
    architecture: architectureText(architecture),
    ridge,
    preprocessing,
    target,
  };
  const metadata = writeMetadata(described, metadataSchema);
  const misfit = findMisfit(model);
  if (misfit !== null) throw new RangeError(`the model cannot be saved: ${misfit}`);
  const tensors: [string, FileTensor][] = [
    ["inputs", { shape: [inputs.rows, inputs.cols], data: inputs.data }],
    ["dual", { shape: [dual.rows, dual.cols], data: dual.data }],
    ["intercept", { shape: [intercept.length], data: intercept }],
    ["signalVariance", { shape: [signalVariance.length], data: signalVariance }],
  ];
  if (weights !== undefined) tensors.push(["weights", { shape: [weights.length], data: weights }]);
  return writeTensorFile(tensors, { [METADATA_KEY]: metadata });
}

/** Whether a safetensors file says that it holds a kernel regression. */
export function isKernelModel(bytes: Uint8Array, file: string): boolean {
  const text = readTensorFile(bytes, file, ["F64", "F32"]).metadata.get(METADATA_KEY) ?? "";
  return /^\{"format":\d+,"kind":"kernel"/.test(text);
}

/**
 * Reads what {@link writeKernelModel} wrote.
 *
 * @param file its name, for messages.
 * @throws DataError when the bytes are not such a file.
 */
export function readKernelModel(bytes: Uint8Array, file: string): KernelModel {
  const { metadata, tensors } = readTensorFile(bytes, file, ["F64"]);
  const checked = readMetadata(metadata.get(METADATA_KEY), metadataSchema, FORMAT_VERSION, file);
  const { kernel, architecture: described, ridge, preprocessing, target } = checked;
  for (const name of tensors.keys()) {
    if (!Object.hasOwn(TENSORS, name)) throw foreign(file, `it has an unknown tensor "${name}"`);
  }
  // The shapes must agree on n, d and c.
  const sizes = new Map<string, number>();
  const take = (name: keyof typeof TENSORS): Float64Array => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw foreign(file, `it has no tensor "${name}"`);
    const axes = TENSORS[name];
    const fits = axes.every((axis, k) => {
      if (!sizes.has(axis)) sizes.set(axis, tensor.shape[k] ?? -1);
      return sizes.get(axis) === tensor.shape[k];
    });
    if (!fits || tensor.shape.length !== axes.length)
      throw damaged(file, `tensor "${name}" has shape [${tensor.shape}]`);
    return tensor.data as Float64Array;
  };
  const [inputs, dual, intercept, signalVariance] = [
    take("inputs"),
    take("dual"),
    take("intercept"),
    take("signalVariance"),
  ];
  const size = (axis: string): number => sizes.get(axis) ?? 0;
  const model: KernelModel = {
    kernel,
    architecture: architectureOf(described, size("d"), file),
    ridge,
    inputs: matrix(size("n"), size("d"), inputs),
    ...(tensors.has("weights") ? { weights: take("weights") } : {}),
    dual: matrix(size("n"), size("c"), dual),
    intercept,
    signalVariance,
    preprocessing,
    target,
  };
  const misfit = findMisfit(model);
  if (misfit !== null) throw damaged(file, misfit);
  return model;
}

function architectureOf(text: string, features: number, file: string): Architecture {
  try {
    const architecture = parseArchitecture(text);
    if (features > 0) shapesOf(architecture, [features]);
    return architecture;
  } catch (error) {
    throw damaged(file, `its architecture is not one (${(error as Error).message})`);
  }
}

/** What is wrong between the parts of a model, each sound by itself; null when they fit. */
function findMisfit(model: KernelModel): string | null {
  const { inputs, weights, dual, intercept, signalVariance, preprocessing, target } = model;
  const width = preprocessing.encodings.reduce((sum, encoding) => sum + featureWidth(encoding), 0);
  if (width !== preprocessing.features.length) {
    return `its columns make ${width} features, it names ${preprocessing.features.length}`;
  }
  if (inputs.rows === 0 || inputs.cols === 0) return "it has no training inputs";
  if (width !== inputs.cols) return `its columns make ${width} features, its inputs have ${inputs.cols}`;
  if (dual.rows !== inputs.rows) return `it has ${inputs.rows} inputs and ${dual.rows} coefficients`;
  if (weights !== undefined && weights.length !== inputs.rows) {
    return `it has ${inputs.rows} inputs and ${weights.length} weights`;
  }
  if (weights?.every((weight) => weight > 0 && Number.isFinite(weight)) === false) {
    return "it has weights that are not positive";
  }
  const c = dual.cols;
  if (intercept.length !== c || signalVariance.length !== c) return `its ${c} outputs do not all have their numbers`;
  const { classes, columns } = target;
  const wanted = classes === null ? (columns?.length ?? 1) : classes.length;
  if (c !== wanted && !(c === 1 && classes?.length === 2)) return `it has ${c} outputs for ${wanted}`;
  const numbers = [inputs.data, dual.data, intercept, signalVariance];
  if (!numbers.every((array) => array.every(Number.isFinite))) return "it has numbers that are not finite";
  return signalVariance.every((variance) => variance >= 0) ? null : "it has a negative variance";
}
