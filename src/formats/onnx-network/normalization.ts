import type { Shape } from "../../network/architecture/index.ts";
import type { Constant } from "../onnx-tensors.ts";
import { LAYER_EPSILON, plainStatistics } from "./operations.ts";
import { normalizedOver } from "./pooling.ts";
import type { Step } from "./step.ts";
import { countOf, type Flow, imageOf, spreadPlaces } from "./values.ts";

/** BatchNormalization with the statistics of the file. */
export function batchNormalization(step: Step): Flow {
  const x = step.flow(0);
  if (step.int("training_mode", 0) !== 0) throw step.refuse("is in training mode: export the network for inference");
  const [channels = 1] = x.shape;
  const image = x.shape.length === 1 ? null : imageOf(x);
  if (x.shape.length > 1 && image === null) throw step.refuse(`needs channels first, not shape [${x.shape}]`);
  const numbers = [1, 2, 3, 4].map((k) => {
    const { data } = step.constant(k);
    if (data.length !== channels) throw step.refuse(`has ${data.length} numbers for ${channels} channels`);
    if (x.shape.length > 1 || x.order === null) return data;
    const placed = new Float64Array(channels);
    x.order.forEach((place, entry) => {
      placed[place] = data[entry];
    });
    return placed;
  });
  const [gain, shift, mean, variance] = numbers as [Float64Array, Float64Array, Float64Array, Float64Array];
  const epsilon = step.float("epsilon", 1e-5);
  if (!variance.every((value) => value + epsilon > 0)) throw step.refuse("has a negative variance");
  const input: Shape = image ?? [channels];
  const statistics = { gain, shift, mean, variance, epsilon };
  const value = step.builder.add(step.place, { kind: "batch-norm", input, numbers: statistics, shift: null }, x.value);
  return { ...x, value };
}

/** LayerNormalization over the last axes. */
export function layerNormalization(step: Step): Flow {
  const x = step.flow(0);
  const first = step.axis(step.int("axis", -1), x.shape);
  const axes = x.shape.map((_, k) => k).slice(first);
  const over = normalizedOver(x, axes);
  if (over === null) throw step.refuse(`is over axes ${axes.map((axis) => axis + 1)} of samples of shape [${x.shape}]`);
  const normalized = normalize(step, x, over, step.float("epsilon", 1e-5));
  const [gain, shift] = [step.constant(1), step.optional(2)];
  // The operator cannot do without a gain: one alone is none.
  if (shift === null && gain.data.every((one) => one === 1)) return normalized;
  const scaled = withGain(step, normalized, gain);
  if (shift === null) return scaled;
  if (!withShift(step, scaled, shift)) throw step.refuse(`adds shape [${shift.shape}] to shape [${x.shape}]`);
  return scaled;
}

/** Mean 0 and variance 1; the epsilon of this program is reached by a scale before, which moves that of the file there. */
export function normalize(step: Step, x: Flow, over: "channels" | "all", epsilon: number): Flow {
  const factor = epsilon > 0 ? Math.sqrt(LAYER_EPSILON / epsilon) : 1;
  const scaled = step.builder.scale(step.helper("epsilon"), x.value, Float64Array.of(factor), new Float64Array(1));
  const layer = { kind: "layer-norm", over } as const;
  const size = countOf(x.shape);
  const channels = x.order === null ? x.shape.at(-1)! : x.shape[0]!;
  const input: Shape = x.shape.length === 1 || over === "all" ? [size] : [size / channels, 1, channels];
  return { ...x, value: step.builder.add(step.place, { kind: "layer", layer, input }, scaled) };
}

/** Numbers of a constant for each entry of a value, as it lies in the network; null when they do not fit. */
export function numbersFor({ shape, order }: Flow, { shape: from, data }: Constant): Float64Array | null {
  // A constant may have an axis for the samples, of length 1.
  const own = from.length === shape.length + 1 && from[0] === 1 ? from.slice(1) : from;
  const places = spreadPlaces(own, shape);
  if (places === null) return null;
  const out = new Float64Array(places.length);
  for (let k = 0; k < places.length; k++) out[order === null ? k : order[k]] = data[places[k]];
  return out;
}

/** The gain of a layer normalization as parameters, one for each feature that is normalized. */
export function withGain(step: Step, x: Flow, gain: Constant): Flow {
  const all = numbersFor(x, gain);
  if (all === null) throw step.refuse(`multiplies shape [${x.shape}] by shape [${gain.shape}]`);
  const features = featuresOf(all, x);
  const input: Shape = [features.length === all.length ? 1 : all.length / features.length, 1, features.length];
  const numbers = plainStatistics(
    features,
    features.map(() => 0),
  );
  const value = step.builder.add(`${step.place}.gain`, { kind: "gain", input, numbers, shift: null }, x.value);
  return { ...x, value };
}

/** The shift of a gain; false when the value was made by something else. */
export function withShift(step: Step, x: Flow, shift: Constant): boolean {
  const maker = step.builder.maker(x.value)?.step;
  const all = numbersFor(x, shift);
  if (maker?.kind !== "gain" || maker.shift !== null || all === null) return false;
  const { length } = maker.numbers.gain;
  if (all.some((number, k) => number !== all[k % length])) return false;
  maker.shift = all.slice(0, length);
  return true;
}

/** The numbers of one pixel where those of all pixels are the same. */
function featuresOf(all: Float64Array, { shape, order }: Flow): Float64Array {
  if (shape.length === 1) return all;
  const channels = order === null ? shape.at(-1)! : shape[0]!;
  return all.every((number, k) => number === all[k % channels]) ? all.slice(0, channels) : all;
}
