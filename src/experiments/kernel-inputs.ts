import { ConfigError, DataError } from "../base/errors.ts";
import { type Matrix, matrix } from "../base/matrix.ts";
import { isIdx } from "../data/idx.ts";
import { isNpy, readNpy } from "../data/npy.ts";
import type { Preprocessing } from "../data/types.ts";
import type { Shape } from "../network/architecture/index.ts";
import { gunzip, readBytes } from "../platform/index.ts";

/** Samples of vectors or images, one a row of X. */
export interface KernelInputs {
  readonly X: Matrix;
  readonly shape: Shape;
  /** Targets of the rows, coded as for the squared loss, when they were named. */
  readonly labels: Matrix | null;
  /** Of a table: how a second one is made into features. */
  readonly preprocessing: Preprocessing | null;
  readonly notes: readonly string[];
}

/**
 * Reads samples: an npy file of rank 1 to 4 (first axis: samples; images N x H x W or N x H x W x C), an idx file, or a table, whose target
 * is left out and whose number columns are standardized - over the rows of `like`, when that is given.
 *
 * @throws DataError when the file cannot be read, has another rank, or does not fit `like`.
 */
export async function readKernelInputs(
  file: string,
  target: string | undefined,
  like: KernelInputs | null,
): Promise<KernelInputs> {
  const inputs =
    (await arrayInputs(file, like === null ? target : undefined)) ??
    (await tableInputs(file, target, like?.preprocessing ?? null));
  if (like !== null && inputs.shape.join() !== like.shape.join()) {
    throw new DataError(
      `${file} has samples of ${inputs.shape.join(" x ")}, the first data of ${like.shape.join(" x ")}`,
      {
        code: "kernel-shapes",
        hint: "both must have the same features",
        place: { file },
      },
    );
  }
  return inputs;
}

/** The readers of tables, which an npy file does not need, take most of the time of a short call to load. */
async function tableInputs(
  file: string,
  target: string | undefined,
  fitted: Preprocessing | null,
): Promise<KernelInputs> {
  const { readKernelTable } = await import("./kernel-tables.ts");
  return readKernelTable(file, target, fitted);
}

async function arrayInputs(file: string, target: string | undefined): Promise<KernelInputs | null> {
  const raw = readBytes(file);
  const bytes = raw[0] === 0x1f && raw[1] === 0x8b ? gunzip(raw, file) : raw;
  if (isNpy(bytes)) {
    const { shape, data } = readNpy(bytes, file);
    return withLabels(ofShape(shape, data, file), target);
  }
  if (!isIdx(bytes)) return null;
  const { readTable } = await import("../data/table.ts");
  const { columns, rows } = readTable(file);
  const X = matrix(rows, columns.length);
  columns.forEach((column, j) => {
    if (column.kind === "number") for (let i = 0; i < rows; i++) X.data[i * X.cols + j] = column.values[i]!;
  });
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const shape = Array.from({ length: bytes[3] ?? 1 }, (_, axis) => view.getUint32(4 + 4 * axis));
  return withLabels(ofShape(shape, X.data, file), target);
}

/** Samples with the targets of an npy or idx file. */
async function withLabels(inputs: KernelInputs, target: string | undefined): Promise<KernelInputs> {
  if (target === undefined) return inputs;
  const { readLabels } = await import("./kernel-tables.ts");
  return { ...inputs, labels: readLabels(target, inputs.X.rows) };
}

function ofShape(shape: readonly number[], data: Float64Array, file: string): KernelInputs {
  const [rows = 0, ...rest] = shape;
  if (shape.length < 1 || shape.length > 4 || data.length === 0) {
    throw new DataError(`${file} has shape (${shape.join(", ")})`, {
      code: "kernel-rank",
      hint: "samples are vectors (N x d) or images (N x H x W, N x H x W x C)",
      place: { file },
    });
  }
  const odd = data.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0) {
    throw new DataError(`sample ${Math.floor(odd / (data.length / rows)) + 1} of ${file} has an entry ${data[odd]}`, {
      code: "kernel-input",
      hint: "kernels need finite numbers",
      place: { file },
    });
  }
  const [a = 1, b = 1, c = 1] = rest;
  const X = matrix(rows, data.length / rows, data);
  return { X, shape: rest.length < 2 ? [a] : [a, b, c], labels: null, preprocessing: null, notes: [] };
}

/** Layers that see the pixels of an image. */
const IMAGE_LAYERS = ["conv", "pool", "global-pool"];

/**
 * Images as vectors where the architecture has no layer for pixels.
 *
 * @throws ConfigError for a dense layer on the channels of pixels that nothing brings together.
 */
export function flattenedFor(inputs: KernelInputs, kinds: readonly string[]): KernelInputs {
  if (inputs.shape.length === 1 || kinds.some((kind) => IMAGE_LAYERS.includes(kind))) return inputs;
  if (kinds.length === 0) throw new ConfigError("the architecture has no layers", { code: "architecture-text" });
  const note = `images of ${inputs.shape.join(" x ")} are taken as vectors: the architecture has no conv layer`;
  return { ...inputs, shape: [inputs.X.cols], notes: [...inputs.notes, note] };
}
