import { DataError } from "../base/errors.ts";
import { matrix } from "../base/matrix.ts";
import type { BiasForm } from "../convex/index.ts";
import type { Dataset, Encoding, Preprocessing } from "../data/index.ts";
import { featureWidth } from "../data/index.ts";
import { readOnnxChain } from "../formats/index.ts";
import type { TwoLayerNetwork } from "../network/index.ts";
import { readBytes } from "../platform/index.ts";
import { readModel } from "./predict.ts";

/** A network from a file, and what is to be said about it. */
export interface GivenNetwork {
  readonly network: TwoLayerNetwork;
  readonly notes: readonly string[];
}

/**
 * The network of a model file, as it acts on the training matrix of a dataset: what the file standardizes by itself is
 * undone and redone in the dataset's way. ONNX files of other programs act on the encoded features as they are in the table.
 * It is one of the networks of the bias form, which bounds speak of.
 *
 * @throws DataError when the file holds no two-layer ReLU network of these features and this bias form.
 */
export function givenNetwork(file: string, dataset: Dataset, bias: BiasForm): GivenNetwork {
  const { preprocessing } = dataset;
  const d = preprocessing.features.length;
  const ours = readOurs(file);
  const network = ours?.network ?? readOnnxChain(readBytes(file), file, d);
  if (network.activation !== "relu") {
    throw unfit(file, "it is a gated network, and bounds over all patterns speak of ReLU networks");
  }
  if (network.U.cols !== d) throw unfit(file, `it has ${network.U.cols} inputs, the data ${d} features`);
  const made = ours === null ? null : ours.preprocessing;
  if (made?.features.some((name, k) => name !== preprocessing.features[k])) {
    throw unfit(file, `its features are ${made.features.slice(0, 4).join(", ")}..., those of the data differ`);
  }
  return ofForm(inCoordinates(network, scales(preprocessing), made === null ? null : scales(made)), bias, file);
}

/**
 * The same function as a network of the bias form. With a column of ones an output bias c0 is what the neuron
 * c0 (0'x + 1)_+ gives, and is penalized like it.
 */
function ofForm(network: TwoLayerNetwork, bias: BiasForm, file: string): GivenNetwork {
  const { U, b, W, c0, ...rest } = network;
  const isFree = (values: Float64Array): boolean => values.every((t) => t === 0);
  if (bias === "none" && !(isFree(b) && isFree(c0))) {
    const standardized = "standardizing the columns gives biases too, unless --standardize none";
    throw unfit(
      file,
      "it has biases, and --bias none speaks of networks without",
      `use --bias column; ${standardized}`,
    );
  }
  if (bias !== "column" || isFree(c0)) return { network, notes: [] };
  const m = U.rows;
  const wider = {
    ...rest,
    U: matrix(m + 1, U.cols),
    b: Float64Array.of(...b, 1),
    W: matrix(m + 1, W.cols),
    c0: new Float64Array(c0.length),
  };
  wider.U.data.set(U.data);
  wider.W.data.set(W.data);
  wider.W.data.set(c0, m * W.cols);
  const note =
    "the output bias of the model counts as a neuron (--bias column penalizes biases; output leaves them free)";
  return { network: wider, notes: [note] };
}

/** Output q of a network as a network of its own, without the neurons that it does not use. */
export function outputOf({ U, b, W, c0, ...rest }: TwoLayerNetwork, q: number): TwoLayerNetwork {
  const used = Array.from({ length: U.rows }, (_, j) => j).filter((j) => W.data[j * W.cols + q] !== 0);
  const hidden = matrix(used.length, U.cols);
  used.forEach((j, k) => {
    hidden.data.set(U.data.subarray(j * U.cols, (j + 1) * U.cols), k * U.cols);
  });
  const weights = Float64Array.from(used, (j) => W.data[j * W.cols + q]);
  return {
    ...rest,
    U: hidden,
    b: Float64Array.from(used, (j) => b[j]),
    W: matrix(used.length, 1, weights),
    c0: Float64Array.of(c0[q]),
  };
}

function readOurs(file: string): ReturnType<typeof readModel> | null {
  try {
    return readModel(file);
  } catch (error) {
    if (error instanceof DataError && error.code === "model-foreign" && file.endsWith(".onnx")) return null;
    throw error;
  }
}

interface Scales {
  readonly mean: Float64Array;
  readonly scale: Float64Array;
}

/** Mean and scale of each encoded feature. */
function scales({ encodings, features }: Preprocessing): Scales {
  const mean = new Float64Array(features.length);
  const scale = new Float64Array(features.length).fill(1);
  let at = 0;
  for (const encoding of encodings satisfies readonly Encoding[]) {
    if (encoding.kind === "number") {
      mean[at] = encoding.mean;
      scale[at] = encoding.scale;
    }
    at += featureWidth(encoding);
  }
  return { mean, scale };
}

/** The network that does on features standardized by `to` what this one does on those standardized by `from`. */
function inCoordinates(network: TwoLayerNetwork, to: Scales, from: Scales | null): TwoLayerNetwork {
  const { U } = network;
  const d = U.cols;
  const out = matrix(U.rows, d, U.data.slice());
  const b = network.b.slice();
  for (let k = 0; k < d; k++) {
    const mean = from?.mean[k] ?? 0;
    const scale = from?.scale[k] ?? 1;
    if (mean === to.mean[k] && scale === to.scale[k]) continue;
    for (let j = 0; j < U.rows; j++) {
      const u = U.data[j * d + k] / scale;
      out.data[j * d + k] = u * to.scale[k];
      b[j] += u * (to.mean[k] - mean);
    }
  }
  return { ...network, U: out, b };
}

const SAME = "pose the problem that it was trained on: same table, target, --split, --standardize and --missing";

function unfit(file: string, why: string, hint = SAME): DataError {
  return new DataError(`${file} cannot be certified on these data: ${why}`, {
    code: "model-unfit",
    hint,
    place: { file },
  });
}
