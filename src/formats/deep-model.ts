import { z } from "zod";
import { DataError } from "../base/errors.ts";
import type { Preprocessing, Target } from "../data/index.ts";
import { type Architecture, architectureText, parseArchitecture, type Shape } from "../network/architecture/index.ts";
import { blockSize, type NetworkGraph, networkGraph } from "../network/deep/index.ts";
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
const MOST_NUMBERS = 4096;

const inputsSchema = z.discriminatedUnion("kind", [
  /** Rows of a table, encoded and standardized. */
  z.strictObject({ kind: z.literal("table"), preprocessing: preprocessingSchema }),
  /** Images as numbers, (pixel - mean) / scale for each channel. */
  z.strictObject({
    kind: z.literal("images"),
    mean: z.array(z.number()).max(MOST_NUMBERS),
    scale: z.array(z.number().positive()).max(MOST_NUMBERS),
  }),
  /** Arrays as they are. */
  z.strictObject({ kind: z.literal("arrays") }),
]);

const formSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("network") }),
  z.strictObject({ kind: z.literal("symmetric") }),
  z.strictObject({ kind: z.literal("taylor"), degree: z.int().positive().max(16) }),
]);

const metadataSchema = z.strictObject({
  format: z.literal(FORMAT_VERSION),
  kind: z.literal("deep"),
  architecture: z.string(),
  input: z.union([
    z.tuple([z.int().positive()]),
    z.tuple([z.int().positive(), z.int().positive(), z.int().positive()]),
  ]),
  form: formSchema,
  inputs: inputsSchema,
  target: targetSchema,
  /** The network predicts (number - mean) / deviation; null for classes. */
  scale: z.strictObject({ mean: z.number(), deviation: z.number().positive() }).nullable(),
});

/** How the inputs of a network are made of raw samples; plain JSON. */
export type DeepInputs =
  | { readonly kind: "table"; readonly preprocessing: Preprocessing }
  | { readonly kind: "images"; readonly mean: readonly number[]; readonly scale: readonly number[] }
  | { readonly kind: "arrays" };

/** What the outputs mean; plain JSON. `scale`: the network predicts (number - mean) / deviation. */
export interface DeepTarget extends Pick<Target, "name" | "task" | "classes" | "link"> {
  readonly scale: { readonly mean: number; readonly deviation: number } | null;
}

/** What a model is made of its networks: itself, (f(a) - f(b)) / sqrt(2), or a Taylor polynomial around a center. */
export type DeepForm = z.infer<typeof formSchema>;

/** A trained network of any architecture with all that it takes to apply it to raw samples. */
export interface DeepModel {
  readonly architecture: Architecture;
  readonly input: Shape;
  readonly form: DeepForm;
  /** Of `network`: its parameters; `symmetric`: a and b; `taylor`: center and displacement. */
  readonly parameters: readonly (Float64Array | Float32Array)[];
  /** Running statistics, those of a and b of `symmetric` one after the other. */
  readonly state: Float64Array | Float32Array;
  readonly inputs: DeepInputs;
  readonly target: DeepTarget;
}

/** Names of the parts of a model in front of those of their tensors. */
const PARTS = { network: [""], symmetric: ["plus.", "minus."], taylor: ["center.", "displacement."] } as const;

/** Name, place and shape of each block of parameters of a network. */
function blocksOf(graph: NetworkGraph): { name: string; from: number; shape: readonly number[] }[] {
  return graph.nodes.flatMap(({ operation, parameters, place }) => {
    let from = parameters.from;
    return operation.parameters.map((block) => {
      const here = { name: `${place}.${block.name}`, from, shape: block.shape };
      from += blockSize(block);
      return here;
    });
  });
}

/**
 * The model as a safetensors file: each block of parameters a tensor of its own (`1.weight`, `4.main.2.bias`), everything
 * else as JSON in the metadata.
 *
 * @throws RangeError when parameters and architecture do not fit.
 */
export function writeDeepModel(model: DeepModel): Uint8Array {
  const { architecture, input, form, parameters, state, inputs, target } = model;
  const graph = networkGraph(architecture, input);
  const parts = PARTS[form.kind];
  if (parameters.length !== parts.length || parameters.some(({ length }) => length !== graph.parameters)) {
    throw new RangeError(`a ${form.kind} of ${graph.parameters} parameters, got ${parameters.map((p) => p.length)}`);
  }
  const { scale, ...meaning } = target;
  const described = {
    format: FORMAT_VERSION,
    kind: "deep",
    architecture: architectureText(architecture),
    input,
    form,
    inputs,
    target: meaning,
    scale,
  };
  const tensors = parts.flatMap((part, k) =>
    blocksOf(graph).map(({ name: block, from, shape }): [string, FileTensor] => {
      const size = shape.reduce((product, length) => product * length, 1);
      return [part + block, { shape, data: parameters[k]!.subarray(from, from + size) }];
    }),
  );
  const statistics: [string, FileTensor][] =
    state.length === 0 ? [] : [["state", { shape: [state.length], data: state }]];
  return writeTensorFile([...tensors, ...statistics], { [METADATA_KEY]: writeMetadata(described, metadataSchema) });
}

/** Whether the metadata of a safetensors file are those of {@link writeDeepModel}. */
export function isDeepModel(bytes: Uint8Array): boolean {
  if (bytes.length < 8) return false;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(bytes.length - 8)) return false;
  const head = new TextDecoder().decode(bytes.subarray(8, 8 + Math.min(Number(length), 4096)));
  return /\\"kind\\":\\"deep\\"/.test(head);
}

/**
 * Reads what {@link writeDeepModel} wrote.
 *
 * @param file its name, for messages.
 * @throws DataError when the bytes are not such a file.
 */
export function readDeepModel(bytes: Uint8Array, file: string): DeepModel {
  const { metadata, tensors } = readTensorFile(bytes, file, ["F32", "F64"]);
  const checked = readMetadata(metadata.get(METADATA_KEY), metadataSchema, FORMAT_VERSION, file);
  const { architecture: described, input, form, inputs, target, scale } = checked;
  const { architecture, graph } = networkOf(described, input, file);
  const left = new Set(tensors.keys());
  const take = (name: string, shape: readonly number[]): FileTensor["data"] => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw foreign(file, `it has no tensor "${name}"`);
    if (tensor.shape.join() !== shape.join())
      throw damaged(file, `tensor "${name}" has shape [${tensor.shape}], not [${shape}]`);
    left.delete(name);
    return tensor.data;
  };
  const blocks = blocksOf(graph);
  const parameters = PARTS[form.kind].map((part) => {
    const arrays = blocks.map(({ name, shape }) => take(part + name, shape));
    const isSingle = arrays.every((array) => array instanceof Float32Array);
    const all = isSingle ? new Float32Array(graph.parameters) : new Float64Array(graph.parameters);
    blocks.forEach(({ from }, k) => {
      all.set(arrays[k]!, from);
    });
    return all;
  });
  const states = form.kind === "symmetric" ? 2 * graph.state : graph.state;
  const state = states === 0 ? new Float64Array(0) : take("state", [states]);
  const unknown = [...left][0];
  if (unknown !== undefined) throw foreign(file, `it has an unknown tensor "${unknown}"`);
  for (const array of [...parameters, state]) {
    if (!array.every(Number.isFinite)) throw damaged(file, "its network has weights that are not finite");
  }
  const outputs = graph.sizes[graph.outputValue]!;
  const { classes } = target;
  const fits = classes === null ? outputs === 1 : outputs === classes.length || (outputs === 1 && classes.length === 2);
  if (!fits || graph.output.length !== 1) {
    throw damaged(
      file,
      `its network has ${outputs} outputs for ${classes === null ? "a number" : `${classes.length} classes`}`,
    );
  }
  const { columns: _, ...meaning } = target;
  return { architecture, input, form, parameters, state, inputs, target: { ...meaning, scale } };
}

/** Most numbers of a network that a file may describe: its tensors must be there, its values are made room for. */
const MOST_VALUES = 2 ** 28;

function networkOf(text: string, input: Shape, file: string): { architecture: Architecture; graph: NetworkGraph } {
  try {
    const architecture = parseArchitecture(text);
    const graph = networkGraph(architecture, input);
    if (graph.sizes.some((size) => size > MOST_VALUES)) throw damaged(file, "its network is too large");
    return { architecture, graph };
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw damaged(file, `its architecture cannot be read (${(error as Error).message})`);
  }
}
