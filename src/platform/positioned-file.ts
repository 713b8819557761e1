import * as fs from "node:fs";
import { friendly } from "./files.ts";

/** A file that is written and read at any place, for results that grow in pieces. */
export interface PositionedFile {
  write(position: number, bytes: Uint8Array): void;
  /** @throws Error when the file ends before `length` bytes. */
  read(position: number, length: number): Uint8Array<ArrayBuffer>;
  /** Returns when everything written is on the disk. */
  sync(): void;
  close(): void;
}

/**
 * Opens a file, new or as it is when `keep`.
 *
 * @throws DataError when the folder is missing or not writable; a full disk is one when written to.
 */
export function openPositioned(file: string, keep: boolean): PositionedFile {
  const descriptor = friendly(file, () => fs.openSync(file, keep ? "r+" : "w+"));
  return {
    write(position, bytes) {
      friendly(file, () => {
        for (let done = 0; done < bytes.length; ) {
          done += fs.writeSync(descriptor, bytes, done, bytes.length - done, position + done);
        }
      });
    },
    read(position, length) {
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const count = friendly(file, () => fs.readSync(descriptor, bytes, done, length - done, position + done));
        if (count === 0) throw new Error(`${file} ends at byte ${position + done}`);
        done += count;
      }
      return bytes;
    },
    sync: () => friendly(file, () => fs.fsyncSync(descriptor)),
    close: () => fs.closeSync(descriptor),
  };
}

/** Gives a finished file its name, over one that had it. */
export function renameFile(from: string, to: string): void {
  friendly(to, () => fs.renameSync(from, to));
}

/** Removes a file; nothing happens when it is missing. */
export function removeFile(file: string): void {
  friendly(file, () => fs.rmSync(file, { force: true }));
}
