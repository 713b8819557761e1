import { DataError } from "../../base/errors.ts";
import { exists, makeFolder, readBytes, removeFolder, sha256, writeFileAtomic } from "../../platform/files.ts";
import { openPositioned, type PositionedFile } from "../../platform/positioned-file.ts";
import { hiddenFolders, isAlive, joinPath, processId } from "../../platform/run-files.ts";
import { prepareStore } from "../run-store.ts";
import { posedBy, readTrainingCheckpoint, type StoredCheckpoint, TRAINING_CHECKPOINT_FILE } from "./checkpoint.ts";
import type { TrainSettings } from "./settings.ts";

/** Name of the history in a run folder, and while the training runs. */
export const HISTORY_FILE = "history.ndjson";
const KEY_DIGITS = 12;
const NAME = /^\.train-([0-9a-f]+)-(\d+)$/;

/** What a training writes while it runs: a hidden folder beside the runs, named after its settings and its process. */
export interface WorkFolder {
  readonly path: string;
  /** Bytes of the history so far. */
  readonly historyBytes: number;
  addHistory(line: unknown): void;
  /** Returns when the history so far is on the disk, and the checkpoint in place of the one before. */
  save(checkpoint: Uint8Array): void;
  /** The last checkpoint; null before the first. */
  checkpoint(): StoredCheckpoint | null;
  history(): Uint8Array;
  close(): void;
}

function keyOf(settings: TrainSettings): string {
  const text = JSON.stringify({ ...posedBy(settings), data: settings.data, target: settings.target });
  return sha256(new TextEncoder().encode(text)).slice(0, KEY_DIGITS);
}

/**
 * Makes the folder of a training, with the history of what it goes on from.
 *
 * @throws DataError when it cannot be written.
 */
export function openWorkFolder(settings: TrainSettings, history: Uint8Array): WorkFolder {
  const path = joinPath(settings.out, `.train-${keyOf(settings)}-${processId}`);
  makeFolder(path);
  const checkpointFile = joinPath(path, TRAINING_CHECKPOINT_FILE);
  const file: PositionedFile = openPositioned(joinPath(path, HISTORY_FILE), false);
  let end = 0;
  const add = (bytes: Uint8Array): void => {
    file.write(end, bytes);
    end += bytes.length;
  };
  add(history);
  return {
    path,
    get historyBytes() {
      return end;
    },
    addHistory: (line) => add(new TextEncoder().encode(`${JSON.stringify(line)}\n`)),
    save(checkpoint) {
      file.sync();
      writeFileAtomic(checkpointFile, checkpoint);
    },
    checkpoint: () =>
      exists(checkpointFile) ? readTrainingCheckpoint(readBytes(checkpointFile), checkpointFile) : null,
    history: () => file.read(0, end),
    close: () => file.close(),
  };
}

/** The folders of trainings with these settings that did not come to their end, the last one first. */
function leftFolders(settings: TrainSettings): readonly string[] {
  const key = keyOf(settings);
  return hiddenFolders(settings.out)
    .filter(({ name }) => {
      const [, itsKey, pid] = NAME.exec(name) ?? [];
      return itsKey === key && (Number(pid) === processId || !isAlive(Number(pid)));
    })
    .toSorted((a, b) => a.ageSeconds - b.ageSeconds)
    .map(({ name }) => joinPath(settings.out, name))
    .filter((path) => exists(joinPath(path, TRAINING_CHECKPOINT_FILE)));
}

/**
 * Makes sure that runs can be written where they are to be.
 *
 * @returns a sentence when a killed training with these settings could go on, but is begun anew; null otherwise.
 * @throws DataError when the folder is not writable.
 */
export function prepareTraining(settings: TrainSettings, isResumed: boolean): string | null {
  prepareStore(settings.out);
  if (isResumed || leftFolders(settings).length === 0) return null;
  return "a killed training with these settings is begun anew; --resume would go on with it";
}

/** A checkpoint with the history that leads to it. */
export interface Resumed extends StoredCheckpoint {
  readonly history: Uint8Array;
}

/**
 * What a training goes on from: the checkpoint in the folder of a run or, when that is null, of a killed training with the
 * same settings.
 *
 * @throws DataError when there is none, or it is damaged.
 */
export function readResumed(settings: TrainSettings, runFolder: string | null): Resumed {
  const folder = runFolder ?? leftFolders(settings)[0];
  if (folder === undefined) {
    throw new DataError(`there is no interrupted training with these settings in ${settings.out}`, {
      code: "no-checkpoint",
      hint: "name a run: --resume RUN goes on from its checkpoint",
    });
  }
  const file = joinPath(folder, TRAINING_CHECKPOINT_FILE);
  if (!exists(file)) {
    throw new DataError(`the run ${folder} has no checkpoint of a training`, {
      code: "no-checkpoint",
      hint: "only runs of overparam train can be resumed by it",
      place: { file: folder },
    });
  }
  const stored = readTrainingCheckpoint(readBytes(file), file);
  const history = readBytes(joinPath(folder, HISTORY_FILE));
  if (history.length < stored.record.historyBytes) {
    throw new DataError(`${joinPath(folder, HISTORY_FILE)} is shorter than the checkpoint says`, {
      code: "checkpoint-damaged",
      hint: "start the training anew, without --resume",
      place: { file: folder },
    });
  }
  return { ...stored, history: history.subarray(0, stored.record.historyBytes) };
}

/** Removes what killed trainings with these settings left, and the folder of this one. */
export function removeWork(settings: TrainSettings): void {
  for (const path of leftFolders(settings)) removeFolder(path);
  removeFolder(joinPath(settings.out, `.train-${keyOf(settings)}-${processId}`));
}
