import { z } from "zod";
import { DataError } from "../base/errors.ts";
import { matrix } from "../base/matrix.ts";
import { featureWidth, type Preprocessing, type Target } from "../data/index.ts";
import { checkShapes, type TwoLayerNetwork } from "../network/index.ts";
import { firstIssue, formatJson, listOf, parseJson } from "./json.ts";

/** A trained network with all that `predict` needs to take raw rows: what a model file holds. */
export interface SavedModel {
  /** Acts on the encoded, standardized features. */
  readonly network: TwoLayerNetwork;
  readonly preprocessing: Preprocessing;
  readonly target: Target;
}

/** The key of the metadata, in both formats. */
export const METADATA_KEY = "overparam";

/** Raised by any change that an older reader would misread. */
const FORMAT_VERSION = 1;

const encodingSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("number"),
    column: z.string(),
    mean: z.number(),
    scale: z.number().positive(),
    fill: z.number(),
  }),
  z.strictObject({
    kind: z.literal("one-hot"),
    column: z.string(),
    categories: listOf(z.string().nullable()).refine(
      (names) => names.length >= 2 && new Set(names).size === names.length,
      "needs two or more different categories",
    ),
  }),
]);

export const preprocessingSchema = z.strictObject({ encodings: listOf(encodingSchema), features: listOf(z.string()) });

export const targetSchema = z
  .strictObject({
    name: z.string(),
    task: z.enum(["regression", "classification"]),
    classes: listOf(z.string()).nullable(),
    link: z.exactOptional(z.literal("softmax")),
    columns: z.exactOptional(
      listOf(z.strictObject({ name: z.string(), mean: z.number(), scale: z.number().positive() })),
    ),
  })
  .refine(
    ({ task, classes }) => (task === "classification" ? classes !== null && classes.length >= 2 : classes === null),
    "a classification has at least two classes, a regression has none",
  )
  .refine(({ classes, link }) => link === undefined || classes !== null, "only classes have probabilities")
  .refine(
    ({ classes, columns }) => columns === undefined || (classes === null && columns.length >= 2),
    "several target columns are numbers",
  );

const metadataSchema = z.strictObject({
  format: z.literal(FORMAT_VERSION),
  preprocessing: preprocessingSchema,
  target: targetSchema,
});

/** The tensors of a network by name, as both formats store them; `G` and `h` only when it is gated. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** The network's arrays under their names in a file. */
export function networkTensors({ U, b, W, c0, gates }: TwoLayerNetwork): Record<string, Tensor> {
  const m = U.rows;
  const hidden = { U: { shape: [m, U.cols], data: U.data }, b: { shape: [m], data: b } };
  const output = { W: { shape: [m, W.cols], data: W.data }, c0: { shape: [W.cols], data: c0 } };
  if (gates === null) return { ...hidden, ...output };
  return { ...hidden, G: { shape: [m, U.cols], data: gates.G.data }, h: { shape: [m], data: gates.h }, ...output };
}

/**
 * The network of the tensors of a file: the inverse of {@link networkTensors}.
 *
 * @throws DataError when a tensor is missing, unknown, or does not fit the others.
 */
export function networkOfTensors(tensors: ReadonlyMap<string, Tensor>, file: string): TwoLayerNetwork {
  const take = (name: string, rank: number): Tensor => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw foreign(file, `it has no tensor "${name}"`);
    if (tensor.shape.length !== rank) throw foreign(file, `tensor "${name}" has ${tensor.shape.length} dimensions`);
    return tensor;
  };
  const matrixOf = (name: string) => {
    const { shape, data } = take(name, 2);
    return matrix(shape[0] as number, shape[1] as number, data);
  };
  const gated = tensors.has("G");
  const network: TwoLayerNetwork = {
    kind: "two-layer",
    activation: gated ? "gated" : "relu",
    U: matrixOf("U"),
    b: take("b", 1).data,
    W: matrixOf("W"),
    c0: take("c0", 1).data,
    gates: gated ? { G: matrixOf("G"), h: take("h", 1).data } : null,
  };
  const known = networkTensors(network);
  for (const name of tensors.keys()) {
    if (!Object.hasOwn(known, name)) throw foreign(file, `it has an unknown tensor "${name}"`);
  }
  try {
    checkShapes(network);
  } catch (error) {
    throw foreign(file, (error as RangeError).message);
  }
  return network;
}

/**
 * The metadata of a model as JSON text.
 *
 * @throws RangeError or TypeError when the parts of the model do not fit together.
 */
export function encodeMetadata(model: SavedModel): string {
  checkShapes(model.network);
  const { preprocessing, target } = model;
  const text = writeMetadata({ format: FORMAT_VERSION, preprocessing, target }, metadataSchema);
  const misfit = findMisfit(model);
  if (misfit !== null) throw new RangeError(`the model cannot be saved: ${misfit}`);
  return text;
}

/**
 * What the preprocessing and the target of a file's metadata say of its network.
 *
 * @param text the metadata; undefined when the file has none.
 * @throws DataError when the metadata are missing, malformed, of another version, or do not fit the network.
 */
export function decodeMetadata(text: string | undefined, network: TwoLayerNetwork, file: string): SavedModel {
  const { preprocessing, target } = readMetadata(text, metadataSchema, FORMAT_VERSION, file);
  const model = { network, preprocessing, target };
  const misfit = findMisfit(model);
  if (misfit !== null) throw damaged(file, misfit);
  return model;
}

/**
 * The metadata of a model file, which say what its tensors are.
 *
 * @param text undefined when the file has none.
 * @param version of the format that is read.
 * @throws DataError when they are missing, malformed, or of another version.
 */
export function readMetadata<T>(text: string | undefined, schema: z.ZodType<T>, version: number, file: string): T {
  if (text === undefined) throw foreign(file, "it does not say how its inputs are made");
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw damaged(file, `its metadata are not JSON (${(error as SyntaxError).message})`);
  }
  const given = z.object({ format: z.number() }).safeParse(value);
  if (given.success && given.data.format !== version) {
    throw new DataError(`${file} has format version ${given.data.format}; this program reads ${version}`, {
      code: "model-version",
      hint: "Read it with the version of overparam that wrote it.",
      place: { file },
    });
  }
  const checked = schema.safeParse(value);
  if (!checked.success) throw damaged(file, `its metadata are malformed (${firstIssue(checked.error)})`);
  return checked.data;
}

/**
 * The text of metadata that {@link readMetadata} reads.
 *
 * @throws RangeError when they do not fit their schema.
 */
export function writeMetadata(value: unknown, schema: z.ZodType): string {
  const checked = schema.safeParse(value);
  if (!checked.success) throw new RangeError(`the model cannot be saved: ${firstIssue(checked.error)}`);
  return formatJson(checked.data);
}

/** What is wrong between the parts of a model, each sound by itself; null when they fit. */
function findMisfit({ network, preprocessing, target }: SavedModel): string | null {
  const { U, b, W, c0, gates } = network;
  const { encodings, features } = preprocessing;
  const width = encodings.reduce((sum, encoding) => sum + featureWidth(encoding), 0);
  if (width !== features.length) return `its columns make ${width} features, it names ${features.length}`;
  if (width !== U.cols) return `its columns make ${width} features, its network has ${U.cols} inputs`;
  if (width === 0) return "its network has no inputs";
  const { classes, columns } = target;
  const c = W.cols;
  if (columns !== undefined && c !== columns.length) {
    return `its network has ${c} outputs for ${columns.length} target columns`;
  }
  if (classes === null ? c === 0 : c !== classes.length && !(c === 1 && classes.length === 2)) {
    return `its network has ${c} outputs for ${classes === null ? "a number" : `${classes.length} classes`}`;
  }
  const arrays = [U.data, b, W.data, c0, ...(gates === null ? [] : [gates.G.data, gates.h])];
  if (!arrays.every((array) => array.every(Number.isFinite))) return "its network has weights that are not finite";
  return null;
}

/** The bytes are not a sound file of their kind. */
export function damaged(file: string, what: string): DataError {
  const hint = "The file is damaged or was cut short: copy it again, or export the run once more.";
  return new DataError(`${file} cannot be read: ${printable(what)}`, { code: "model-damaged", hint, place: { file } });
}

/** The file may be sound, but this program did not write it. */
export function foreign(file: string, what: string): DataError {
  const hint = "Only model files that overparam wrote can be read.";
  return new DataError(`${file} is not a model of overparam: ${printable(what)}`, {
    code: "model-foreign",
    hint,
    place: { file },
  });
}

/** Words from a hostile file must neither flood the terminal nor command it. */
function printable(text: string): string {
  return text.slice(0, 300).replace(/[\p{Cc}\p{Cf}]/gu, "?");
}
