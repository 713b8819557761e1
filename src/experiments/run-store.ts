import { z } from "zod";
import { didYouMean } from "../base/did-you-mean.ts";
import { DataError, UsageError } from "../base/errors.ts";
import {
  exists,
  listFolder,
  makeFolder,
  makeTemporaryFolder,
  publishFolder,
  readBytes,
  removeFolder,
  sha256,
  writeFileAtomic,
} from "../platform/files.ts";
import {
  absolutePath,
  baseName,
  fileSize,
  folderOf,
  hiddenFolders,
  isAlive,
  isFolder,
  joinPath,
  processId,
} from "../platform/run-files.ts";
import { fitJsonSchema, type RunFile } from "./fit-types.ts";
import { kernelFitJsonSchema } from "./kernel-model-json.ts";
import { trainJsonSchema } from "./training/types.ts";

/** The file that describes a run folder; it lists all others. */
const RECORD_FILE = "run.json";

const runRecordSchema = z.object({
  schema: z.literal(1),
  id: z.string(),
  /** UTC, ISO 8601. */
  created: z.string(),
  /** Name of the data, as it appears in the folder's name. */
  stem: z.string(),
  /** The settings after flags, environment, config file and defaults. */
  settings: z.record(z.string(), z.unknown()),
  verdict: z.array(z.string()),
  interrupted: z.boolean(),
  /** What `fit --json` printed (`run` is left null: the folder may be moved). */
  fit: z.union([fitJsonSchema, kernelFitJsonSchema, trainJsonSchema]),
  files: z.array(z.object({ name: z.string(), bytes: z.int(), sha256: z.string() })),
});

type RunRecord = z.infer<typeof runRecordSchema>;

/** A run in its folder. */
export interface StoredRun {
  readonly id: string;
  /** Absolute path of the folder. */
  readonly path: string;
  readonly record: RunRecord;
}

/** What goes into a run folder besides the list of its files. */
export type NewRun = Omit<RunRecord, "schema" | "id" | "files"> & {
  /** Content hash, hexadecimal; its first six digits become the id. */
  readonly hash: string;
  /** Day of the run, YYYY-MM-DD. */
  readonly date: string;
  readonly files: readonly RunFile[];
};

const ID_DIGITS = 6;
const ID_PATTERN = /-([0-9a-f]{6}(?:-\d+)?)$/;
const NAME_PATTERN = /^\d{4}-\d\d-\d\d-.+-[0-9a-f]{6}(?:-\d+)?$/;
const TEMPORARY_PATTERN = /^\.run-(\d+)\.[0-9a-f]+\.tmp$/;
const DAY_SECONDS = 86_400;

/** The part of a file's name that goes into a run's name: `examples/Tic Tac.csv.gz` -> `tic-tac`. */
export function stemOf(file: string): string {
  const name = baseName(file).replace(/(\.[A-Za-z0-9]{1,8}){1,2}$/, "");
  const words = name.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return [...words.join("-")].slice(0, 40).join("") || "data";
}

/**
 * Makes sure that runs can be written below `parent` (made when missing), and removes what killed writers left there
 * more than a day ago.
 *
 * @throws DataError when the folder is not writable.
 */
export function prepareStore(parent: string): void {
  removeFolder(temporaryFolder(parent));
  for (const { name, ageSeconds } of hiddenFolders(parent)) {
    const writer = TEMPORARY_PATTERN.exec(name)?.[1];
    if (writer === undefined || ageSeconds < DAY_SECONDS || isAlive(Number(writer))) continue;
    removeFolder(joinPath(parent, name));
  }
}

function temporaryFolder(parent: string): string {
  return makeTemporaryFolder(parent, `run-${processId}`);
}

/**
 * Writes a run folder `DATE-STEM-ID` below `parent`: all files under a hidden name first, then one rename, so that a run
 * folder is complete whenever it can be seen. A repeated run, whose hash is the same, gets the id `7f3a9c-2`.
 *
 * @throws DataError when the folder cannot be written.
 */
export function publishRun(parent: string, run: NewRun): StoredRun {
  const { hash, date, files, ...rest } = run;
  const temporary = temporaryFolder(parent);
  try {
    writeFiles(temporary, files);
    const listed = files.map(listFile);
    for (let copy = 1; ; copy++) {
      const id = `${hash.slice(0, ID_DIGITS)}${copy === 1 ? "" : `-${copy}`}`;
      if (listFolder(parent).some((name) => name.endsWith(`-${id}`))) continue;
      const record: RunRecord = { schema: 1, id, ...rest, fit: { ...rest.fit, run: null }, files: listed };
      writeRecord(temporary, record);
      const final = joinPath(parent, `${date}-${rest.stem}-${id}`);
      try {
        publishFolder(temporary, final);
      } catch (error) {
        // Another process took the name since the folder was listed.
        if (error instanceof DataError && error.code === "exists") continue;
        throw error;
      }
      return { id, path: absolutePath(final), record };
    }
  } catch (error) {
    removeFolder(temporary);
    throw error;
  }
}

function writeFiles(folder: string, files: readonly RunFile[]): void {
  for (const { name, bytes } of files) {
    const file = joinPath(folder, name);
    makeFolder(folderOf(file));
    writeFileAtomic(file, bytes);
  }
}

function listFile({ name, bytes }: RunFile): RunRecord["files"][number] {
  return { name, bytes: bytes.length, sha256: sha256(bytes) };
}

function writeRecord(folder: string, record: RunRecord): void {
  writeFileAtomic(joinPath(folder, RECORD_FILE), `${JSON.stringify(record, null, 2)}\n`);
}

/**
 * Adds files to a run, or replaces those of the same name. The record lists only what is in place at any moment, so that
 * the run stays whole if this is cut short.
 *
 * @throws DataError when the folder cannot be written.
 */
export function replaceFiles({ id, path, record }: StoredRun, files: readonly RunFile[]): StoredRun {
  const names = new Set(files.map(({ name }) => name));
  const kept = record.files.filter(({ name }) => !names.has(name));
  const listed = { ...record, files: [...kept, ...files.map(listFile)] };
  // 1. Unlisted, 2. written, 3. listed.
  writeRecord(path, { ...record, files: kept });
  writeFiles(path, files);
  writeRecord(path, listed);
  return { id, path, record: listed };
}

/**
 * Removes a run folder: it disappears in one step, and its files after that.
 *
 * @throws DataError when the folder cannot be changed.
 */
export function removeRun(folder: string): void {
  const temporary = temporaryFolder(folderOf(absolutePath(folder)));
  publishFolder(absolutePath(folder), joinPath(temporary, "removed"));
  removeFolder(temporary);
}

/**
 * Reads a run folder and checks that all its files are there.
 *
 * @param checkContent also compare the content of each file with its recorded sha256.
 * @param only check these files alone: the others are not needed, or are about to be replaced.
 * @throws DataError when the folder is damaged.
 */
export function readRun(folder: string, checkContent = false, only?: readonly string[]): StoredRun {
  const damaged = (reason: string): DataError =>
    new DataError(`the run ${baseName(folder)} is damaged: ${reason}`, {
      code: "damaged-run",
      hint: "repeat the run, or remove the folder",
      place: { file: folder },
    });
  const recordFile = joinPath(folder, RECORD_FILE);
  if (fileSize(recordFile) === null) throw damaged(`it has no ${RECORD_FILE}`);
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder().decode(readBytes(recordFile)));
  } catch (error) {
    throw error instanceof SyntaxError ? damaged(`${RECORD_FILE} is not JSON`) : error;
  }
  const parsed = runRecordSchema.safeParse(content);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw damaged(`${RECORD_FILE} has a wrong ${issue?.path.join(".") || "shape"}`);
  }
  for (const { name, bytes, sha256: expected } of parsed.data.files) {
    if (only !== undefined && !only.includes(name)) continue;
    const file = joinPath(folder, name);
    const size = fileSize(file);
    if (size === null) throw damaged(`${name} is missing`);
    if (size !== bytes) throw damaged(`${name} has ${size} bytes instead of ${bytes}`);
    if (checkContent && sha256(readBytes(file)) !== expected) throw damaged(`${name} was changed`);
  }
  return { id: parsed.data.id, path: absolutePath(folder), record: parsed.data };
}

/** All runs below `parent`, oldest first, and the damaged ones with the reason; empty when there is no such folder. */
export function listRuns(parent: string): { runs: StoredRun[]; damaged: { name: string; reason: string }[] } {
  const runs: StoredRun[] = [];
  const damaged: { name: string; reason: string }[] = [];
  for (const name of runNames(parent)) {
    try {
      runs.push(readRun(joinPath(parent, name)));
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      damaged.push({ name, reason: error.message });
    }
  }
  runs.sort((a, b) => a.record.created.localeCompare(b.record.created) || a.id.localeCompare(b.id));
  return { runs, damaged };
}

function runNames(parent: string): string[] {
  if (!exists(parent)) return [];
  return listFolder(parent).filter((name) => ID_PATTERN.test(name) && isFolder(joinPath(parent, name)));
}

/**
 * The folder that a word names: a path to a run folder, a run's whole name, its id, or the beginning of just one id.
 *
 * @throws UsageError when there is none, or more than one.
 */
export function findRun(parent: string, word: string): string {
  if (isFolder(word)) return word;
  const known = runNames(parent).map((name) => ({ name, id: ID_PATTERN.exec(name)?.[1] ?? "" }));
  const exact = known.filter(({ name, id }) => id === word || name === word);
  const matches =
    exact.length > 0 ? exact : known.filter(({ name, id }) => id.startsWith(word) || name.startsWith(word));
  const first = matches[0];
  if (first === undefined) {
    const nearest = didYouMean(
      word,
      known.map(({ id }) => id),
    );
    throw new UsageError(`no run "${word}" in ${parent}`, {
      code: "run-not-found",
      hint: nearest === null ? `overparam runs ls lists the runs` : `did you mean "${nearest}"?`,
    });
  }
  if (matches.length > 1) {
    throw new UsageError(`"${word}" could be ${matches.length} runs`, {
      code: "ambiguous-run",
      hint: `give more of the id: ${matches.map(({ name }) => name).join(", ")}`,
    });
  }
  return joinPath(parent, first.name);
}

/**
 * The folder of the run that a word names in full: a run's whole id or name, or the path of its folder. Meant for what
 * cannot be undone, so that the beginning of an id, or a folder that is no run, is refused.
 *
 * @throws UsageError when there is no such run.
 */
export function findRunExactly(parent: string, word: string): { readonly id: string; readonly path: string } {
  const path = absolutePath(findRun(parent, word));
  const name = baseName(path);
  const id = ID_PATTERN.exec(name)?.[1] ?? "";
  if (isFolder(word) ? NAME_PATTERN.test(name) && exists(joinPath(path, RECORD_FILE)) : [id, name].includes(word)) {
    return { id, path };
  }
  throw isFolder(word)
    ? new UsageError(`"${word}" is not the folder of a run`, {
        code: "not-a-run",
        hint: "overparam runs ls lists the runs",
      })
    : new UsageError(`"${word}" is only the beginning of an id`, {
        code: "not-exact",
        hint: `give the whole id: ${id}`,
      });
}
