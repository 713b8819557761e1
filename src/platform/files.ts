import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { brotliDecompressSync, gunzipSync, unzipSync } from "node:zlib";
import { didYouMean } from "../base/did-you-mean.ts";
import { DataError, type ErrorDetails } from "../base/errors.ts";

/** Turns an error of the operating system into a sentence for the user; unknown errors pass unchanged. */
function userError(error: unknown, file: string): unknown {
  const fail = (message: string, details: ErrorDetails): DataError =>
    new DataError(message, { ...details, place: { file } });
  const code = (error as NodeJS.ErrnoException).code;
  switch (code) {
    case "ENOENT":
      return notFound(file);
    case "EISDIR":
      return fail(`"${file}" is a folder, not a file`, { code: "is-a-folder", hint: "name a file inside it" });
    case "ENOTDIR":
      return fail(`part of the path "${file}" is a file, not a folder`, { code: "not-a-folder" });
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return fail(`no permission for "${file}"`, {
        code: "no-permission",
        hint: "check the owner and mode of the file and its folder",
      });
    case "ENOSPC":
    case "EDQUOT":
      return fail(`no space left for "${file}"`, { code: "no-space", hint: "free some space or name another folder" });
    case "EEXIST":
    case "ENOTEMPTY":
      return fail(`"${file}" exists already`, { code: "exists", hint: "choose another name, or remove it first" });
    case "ENAMETOOLONG":
      return fail(`the name "${file}" is too long`, { code: "name-too-long" });
    case "ERR_FS_FILE_TOO_LARGE":
      return fail(`"${file}" is larger than 2 GiB`, {
        code: "file-too-large",
        hint: "compress it with gzip, or split it",
      });
    default:
      return error;
  }
}

/** "Not found", with the most similar name in the same folder as a hint. */
function notFound(file: string): DataError {
  const folder = path.dirname(file);
  let siblings: string[] = [];
  try {
    siblings = fs.readdirSync(folder).sort();
  } catch {
    return new DataError(`"${file}" not found`, {
      code: "file-not-found",
      hint: `the folder "${folder}" cannot be read`,
      place: { file },
    });
  }
  const similar = didYouMean(path.basename(file), siblings);
  const hint = similar === null ? "check the path" : `did you mean "${path.join(folder, similar)}"?`;
  return new DataError(`"${file}" not found`, { code: "file-not-found", hint, place: { file } });
}

/** Runs `work`; what the operating system throws becomes a sentence about `file`. */
export function friendly<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw userError(error, file);
  }
}

/** A name beside `file` that nobody else uses; hidden, so that listings of finished things skip it. */
function temporaryName(folder: string, name: string): string {
  return path.join(folder, `.${name}.${randomBytes(6).toString("hex")}.tmp`);
}

/** Makes a rename or a new name in a folder durable, where the system can do that for folders. */
function syncFolder(folder: string): void {
  let descriptor: number;
  try {
    descriptor = fs.openSync(folder, "r");
  } catch {
    return;
  }
  try {
    fs.fsyncSync(descriptor);
  } catch {
    // Some file systems refuse to sync a folder; the rename is atomic all the same.
  } finally {
    fs.closeSync(descriptor);
  }
}

/**
 * All bytes of a file.
 *
 * @throws DataError when it is missing (with the most similar name), a folder, not readable, or above 2 GiB.
 */
export function readBytes(file: string): Uint8Array {
  return friendly(file, () => fs.readFileSync(file));
}

/**
 * Writes a file whole or not at all: to a hidden name in the same folder, synced, then renamed. A link is followed, and
 * a pipe or device (/dev/stdout, /dev/null) is written to: a rename would put a file in its place.
 *
 * @throws DataError when the folder is missing, not writable or full.
 */
export function writeFileAtomic(file: string, content: Uint8Array | string): void {
  friendly(file, () => {
    const there = fs.statSync(file, { throwIfNoEntry: false });
    if (there !== undefined && !there.isFile() && !there.isDirectory()) {
      fs.writeFileSync(file, content);
      return;
    }
    const target = there === undefined ? file : fs.realpathSync(file);
    const folder = path.dirname(target);
    const temporary = temporaryName(folder, path.basename(target));
    try {
      fs.writeFileSync(temporary, content, { flag: "wx", flush: true });
      fs.renameSync(temporary, target);
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw error;
    }
    syncFolder(folder);
  });
}

/**
 * Makes a folder and its parents, one by one; nothing happens when it is there. (Node's own way never ends on file systems
 * that take no folders, such as /proc.)
 */
export function makeFolder(folder: string): void {
  const code = makeOne(folder);
  if (code === null) return;
  const parent = path.dirname(folder);
  if (code === "ENOENT" && parent !== folder) {
    makeFolder(parent);
    if (makeOne(folder) === null) return;
  }
  if (fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return;
  fs.mkdirSync(folder);
}

/** Makes one folder; the code of what was wrong. */
function makeOne(folder: string): string | null {
  try {
    fs.mkdirSync(folder);
    return null;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

/**
 * A new hidden folder inside `parent` (made when missing), to be filled and then published.
 *
 * @throws DataError when `parent` is not writable.
 */
export function makeTemporaryFolder(parent: string, prefix: string): string {
  return friendly(parent, () => {
    makeFolder(parent);
    const folder = temporaryName(parent, prefix);
    fs.mkdirSync(folder);
    return folder;
  });
}

/**
 * Gives a finished temporary folder its name, in one step; both must be on one file system.
 *
 * @throws DataError when something has that name already; the temporary folder is then left as it is.
 */
export function publishFolder(temporary: string, final: string): void {
  friendly(final, () => {
    // A rename would silently replace an empty folder.
    if (exists(final)) throw Object.assign(new Error(`${final} exists`), { code: "EEXIST" });
    syncFolder(temporary);
    fs.renameSync(temporary, final);
    syncFolder(path.dirname(final));
  });
}

/**
 * The names in a folder, sorted; hidden ones (also unfinished temporary ones) are left out.
 *
 * @throws DataError when it is missing, not a folder or not readable.
 */
export function listFolder(folder: string): readonly string[] {
  return friendly(folder, () =>
    fs
      .readdirSync(folder)
      .filter((name) => !name.startsWith("."))
      .sort(),
  );
}

/** Whether something has this path. */
export function exists(file: string): boolean {
  return fs.existsSync(file);
}

/** Removes a folder with everything in it; nothing happens when it is missing. */
export function removeFolder(folder: string): void {
  friendly(folder, () => fs.rmSync(folder, { recursive: true, force: true }));
}

/** sha256 (hex) of the parts, one after the other. */
export function sha256(...parts: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

/**
 * The content of gzip bytes.
 *
 * @param file named in the error.
 * @throws DataError when the bytes are damaged, or hold more than fits into memory.
 */
export function gunzip(bytes: Uint8Array, file: string): Uint8Array {
  try {
    return gunzipSync(bytes);
  } catch (error) {
    const tooLarge = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    throw tooLarge
      ? new DataError(`"${file}" is too large when unpacked`, {
          code: "file-too-large",
          hint: "split it",
          place: { file },
        })
      : new DataError(`"${file}" is not a complete gzip file`, {
          code: "damaged-gzip",
          hint: "it may be cut short: copy or download it again",
          place: { file },
        });
  }
}

/**
 * The content of compressed bytes that claim to hold `most` bytes, or fewer.
 *
 * @throws Error when they are damaged or hold more: a small file must not fill the memory.
 */
export function unpack(format: "gzip" | "brotli", bytes: Uint8Array, most: number): Uint8Array {
  const limit = { maxOutputLength: most };
  return format === "gzip" ? unzipSync(bytes, limit) : brotliDecompressSync(bytes, limit);
}
