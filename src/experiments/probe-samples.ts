import { DataError, UsageError } from "../base/errors.ts";
import type { RealArray } from "../compute/types.ts";
import type { OnnxNetwork } from "../formats/index.ts";
import { type Shape, showShape, sizeOf } from "../network/architecture/index.ts";

/** How pixels become what a network was trained on, as its own program has it. */
export interface PixelScale {
  /** Of each channel, for pixels as shares of 255; undefined: 0 and 1. */
  readonly mean: readonly number[] | undefined;
  readonly std: readonly number[] | undefined;
  /** Which way images of several channels were made vectors; undefined: as the file's program does it. */
  readonly channels: "first" | "last" | undefined;
}

/** (x - mean) / std of each channel of images, in place. */
export function standardizePixels(X: RealArray, shape: Shape, { mean, std }: PixelScale): void {
  if (mean === undefined && std === undefined) return;
  const [, , channels] = shape;
  if (channels === undefined) {
    throw new UsageError("--pixel-mean and --pixel-std are of the channels of images, and the data are none", {
      code: "contradiction",
      hint: "standardize the columns of a table with --standardize columns, or in the file",
    });
  }
  const of = (values: readonly number[] | undefined, otherwise: number, flag: string): readonly number[] => {
    const given = values ?? [otherwise];
    if (given.length === channels) return given;
    if (given.length === 1) return Array.from({ length: channels }, () => given[0]!);
    throw new UsageError(`${flag} has ${given.length} numbers, the images ${channels} channels`, {
      code: "channel-count",
      hint: "give one number for each channel, or one for all",
    });
  };
  const [means, deviations] = [of(mean, 0, "--pixel-mean"), of(std, 1, "--pixel-std")];
  for (let k = 0; k < X.length; k++) X[k] = (X[k] - means[k % channels]!) / deviations[k % channels]!;
}

/**
 * Samples as the graph of a network takes them, which has channels last, and what was taken for granted.
 *
 * @param shape of the samples: [d], or [height, width, channels].
 * @throws DataError when the network takes other samples.
 */
export function arrangeSamples(
  { graph, shape: wanted, order, producer }: OnnxNetwork,
  X: RealArray,
  shape: Shape,
  channels: PixelScale["channels"],
  file: string,
): { readonly X: RealArray; readonly notes: readonly string[] } {
  const differ = (): DataError =>
    new DataError(`the samples are ${showShape(shape)}, the network of ${file} takes ${wanted.join(" x ")}`, {
      code: "model-data",
      hint: "give the data that it was trained on",
      place: { file },
    });
  const size = sizeOf(shape);
  if (size !== sizeOf(graph.input)) throw differ();
  const place = (places: Int32Array | null): RealArray => {
    if (places === null) return X;
    const placed = X.slice();
    for (let k = 0; k < X.length; k++) placed[k - (k % size) + places[k % size]!] = X[k];
    return placed;
  };
  const [height, width = 1, depth = 1] = shape;
  if (shape.length === 1) return { X: place(order), notes: [] };
  if (wanted.length === 1) {
    if (depth === 1) return { X, notes: [] };
    const isFirst = channels === undefined ? producer === "pytorch" : channels === "first";
    const note = `images are taken as vectors, ${isFirst ? "channel by channel" : "pixel by pixel"}: --channels ${isFirst ? "last" : "first"} if that is wrong`;
    const pixels = height * width;
    const places = Int32Array.from({ length: size }, (_, k) => (k % depth) * pixels + Math.floor(k / depth));
    return { X: place(isFirst ? places : null), notes: channels === undefined ? [note] : [] };
  }
  // Where the graph has them as the data have them, channels first or last in the file does not matter.
  if (graph.input.join() === shape.join()) return { X, notes: [] };
  if (wanted.join() !== [height, width, depth].join() && wanted.join() !== [height, width].join()) throw differ();
  return { X: place(order), notes: [] };
}
