import type { Place } from "../../base/errors.ts";
import { DataError } from "../../base/errors.ts";
import { isCifar, readCifar } from "../../data/cifar.ts";
import { isIdx } from "../../data/idx.ts";
import { isNpy, readNpy } from "../../data/npy.ts";
import { readVector } from "../../data/table.ts";
import type { Column } from "../../data/types.ts";
import type { Shape } from "../../network/architecture/index.ts";
import { exists, gunzip, readBytes, sha256 } from "../../platform/index.ts";

/** Images as a file has them, n x height x width x channels. */
export interface Images {
  readonly n: number;
  readonly shape: Shape;
  readonly pixels: Uint8Array | Float64Array;
  /** Null where there are none. */
  readonly labels: Column | null;
  readonly sha256: string;
}

/** Images that have labels. */
export type LabelledImages = Images & { readonly labels: Column };

/**
 * Reads images with their labels.
 *
 * @throws DataError when they cannot be read, have no labels, or do not belong together.
 */
export function readLabelledImages(file: string, target: string | undefined): LabelledImages | null {
  const images = readImages(file, target);
  if (images === null) return null;
  const { labels } = images;
  if (labels !== null) return { ...images, labels };
  throw new DataError(`${file} has images but no labels`, {
    code: "target-missing",
    hint: "name the file of their labels with --target",
    place: { file },
  });
}

/**
 * Reads images, with their labels if there are any: CIFAR-10 or CIFAR-100 records (`.bin`), idx images, or an npy array of rank 3 or 4, each
 * also gzipped. Null for files of another kind.
 *
 * @param target file of the labels; that of idx images is found by its name when it is left out.
 * @throws DataError when they cannot be read or do not belong together.
 */
export function readImages(file: string, target: string | undefined): Images | null {
  const raw = readBytes(file);
  const bytes = raw[0] === 0x1f && raw[1] === 0x8b ? gunzip(raw, file) : raw;
  const hash = sha256(raw);
  if (/\.bin(\.gz)?$/i.test(file) && isCifar(bytes)) {
    const { n, images, labels, classes } = readCifar(bytes, file);
    const column = {
      name: "class",
      named: true,
      place: { file },
      kind: "category",
      codes: Int32Array.from(labels),
    } as const;
    return { n, shape: [32, 32, 3], pixels: images, labels: { ...column, categories: classes }, sha256: hash };
  }
  const found = isIdx(bytes) ? idxPixels(bytes, file) : isNpy(bytes) ? npyPixels(bytes, file) : null;
  if (found === null) return null;
  const labelFile = target ?? labelsBeside(file);
  const [n = 0, height = 1, width = 1, channels = 1] = found.dimensions;
  const images = { n, shape: [height, width, channels] as const, pixels: found.pixels };
  if (labelFile === null) return { ...images, labels: null, sha256: hash };
  const labels = readVector(labelFile);
  if (labels.values.length !== n) throw differ(file, n, labelFile, labels.values.length);
  // A file of labels beside the images needs no name of its own.
  const named = target === undefined ? { ...labels, name: "label" } : labels;
  return { ...images, labels: named, sha256: sha256(new TextEncoder().encode(hash), readBytes(labelFile)) };
}

function differ(file: string, n: number, labelFile: string, labels: number): DataError {
  return new DataError(`${file} has ${n} images, ${labelFile} ${labels} labels`, {
    code: "target-length",
    hint: "both must be of the same samples, in the same order",
    place: { file: labelFile },
  });
}

interface Pixels {
  readonly dimensions: readonly number[];
  readonly pixels: Uint8Array | Float64Array;
}

/** Of idx files only bytes in three or four dimensions are images. */
function idxPixels(bytes: Uint8Array, file: string): Pixels | null {
  const [, , type, rank = 0] = bytes;
  if (type !== 8 || rank < 3) return null;
  const start = 4 + 4 * rank;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fits = bytes.length >= start && rank <= 4;
  const dimensions = fits ? Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis)) : [];
  const count = dimensions.reduce((product, length) => product * length, 1);
  if (!fits || count !== bytes.length - start || count === 0) {
    throw new DataError(`damaged idx file: shape (${dimensions.join(", ")}) does not fit ${bytes.length} bytes`, {
      code: "damaged-idx",
      hint: "it may be cut short: copy or download it again",
      place: { file },
    });
  }
  return { dimensions, pixels: bytes.subarray(start) };
}

function npyPixels(bytes: Uint8Array, file: string): Pixels | null {
  const { shape, data } = readNpy(bytes, file);
  if (shape.length < 3) return null;
  const place: Place = { file };
  if (shape.length > 4 || data.length === 0) {
    throw new DataError(`${file} has shape (${shape.join(", ")})`, {
      code: "npy-shape",
      hint: "images are N x H x W or N x H x W x C",
      place,
    });
  }
  const odd = data.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0) {
    const sample = Math.floor(odd / (data.length / shape[0]!)) + 1;
    throw new DataError(`image ${sample} of ${file} has a pixel ${data[odd]}`, {
      code: "not-finite",
      hint: "pixels must be finite numbers",
      place,
    });
  }
  return { dimensions: shape, pixels: data };
}

/** `train-images-idx3-ubyte.gz` -> `train-labels-idx1-ubyte.gz`, if it is there. */
function labelsBeside(file: string): string | null {
  const name = file.replace(/images([-.])idx3/i, "labels$1idx1");
  return name !== file && exists(name) ? name : null;
}
