import { z } from "zod";
import { littleEndianBytes, littleEndianValues, npyHeader } from "../data/npy.ts";
import { exists, readBytes, writeFileAtomic } from "../platform/index.ts";
import { openPositioned, removeFile, renameFile } from "../platform/positioned-file.ts";
import { bytesOf, type KernelName, type Precision } from "../tangent/types.ts";

/** The npy files of kernels while they are made: under temporary names, with a record of how far they are. */
export interface KernelFiles {
  /** Bytes of each file. */
  readonly bytes: number;
  /** Tiles that are on the disk. */
  readonly done: number;
  nameOf(kernel: KernelName): string;
  write(kernel: KernelName, row: number, column: number, values: Float64Array | Float32Array): void;
  /** Everything written so far counts: a call with the same key goes on from here. */
  tileDone(): void;
  /** Whole rows, as written. */
  rows(kernel: KernelName, from: number, count: number): Float64Array;
  /** Closes the files and gives them their names. */
  finish(): void;
  /** Closes the files as they are, if they are open. */
  close(): void;
}

const recordSchema = z.object({ key: z.string(), done: z.int().nonnegative() });

/**
 * Opens `PREFIX.ntk.npy` and `PREFIX.nngp.npy` for writing in pieces; those of an interrupted call with the same key are gone on with.
 *
 * @throws DataError when they cannot be written.
 */
export function openKernelFiles(
  prefix: string,
  kernels: readonly KernelName[],
  [rows, cols]: readonly [number, number],
  tiles: number,
  key: string,
  precision: Precision,
): KernelFiles {
  const record = `${prefix}.kernel.partial.json`;
  const nameOf = (kernel: KernelName): string => `${prefix}.${kernel}.npy`;
  const partial = (kernel: KernelName): string => `${nameOf(kernel)}.partial`;
  const before = readRecord(record);
  const resumes = before !== null && before.key === key && kernels.every((kernel) => exists(partial(kernel)));
  let done = resumes ? before.done : 0;
  const type = precision === "f32" ? "f4" : "f8";
  const size = bytesOf(precision);
  const header = npyHeader([rows, cols], type);
  const files = new Map(kernels.map((kernel) => [kernel, openPositioned(partial(kernel), resumes)]));
  const fileOf = (kernel: KernelName) => files.get(kernel)!;
  for (const file of files.values()) file.write(0, header);
  let isOpen = true;
  const close = (): void => {
    if (isOpen) for (const file of files.values()) file.close();
    isOpen = false;
  };
  return {
    bytes: header.length + size * rows * cols,
    get done() {
      return done;
    },
    nameOf,
    write(kernel, row, column, values) {
      fileOf(kernel).write(header.length + size * (row * cols + column), littleEndianBytes(values));
    },
    tileDone() {
      done += 1;
      // Behind the last one there is nothing to go on with.
      if (done === tiles) return;
      for (const file of files.values()) file.sync();
      writeFileAtomic(record, JSON.stringify({ key, done }));
    },
    rows(kernel, from, count) {
      return littleEndianValues(fileOf(kernel).read(header.length + size * from * cols, size * count * cols), type);
    },
    finish() {
      close();
      for (const kernel of kernels) renameFile(partial(kernel), nameOf(kernel));
      removeFile(record);
    },
    close,
  };
}

function readRecord(file: string): z.infer<typeof recordSchema> | null {
  if (!exists(file)) return null;
  try {
    return recordSchema.parse(JSON.parse(new TextDecoder().decode(readBytes(file))));
  } catch {
    // Not ours, or cut short: begin again.
    return null;
  }
}
