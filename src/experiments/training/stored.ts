import { ConfigError, DataError } from "../../base/errors.ts";
import type { RealArray } from "../../compute/types.ts";
import { architectureText } from "../../network/architecture/index.ts";
import { readBytes } from "../../platform/index.ts";
import { joinPath } from "../../platform/run-files.ts";
import { findRun, readRun } from "../run-store.ts";
import { checkTrainingResumable, readTrainingCheckpoint, TRAINING_CHECKPOINT_FILE } from "./checkpoint.ts";
import { loadTraining } from "./load.ts";
import { type PosedTraining, poseTraining } from "./pose.ts";
import { type TrainSettings, trainSettingsSchema } from "./settings.ts";

/** A network of a saved training with the samples that it was trained on, in double precision. */
export interface StoredTraining {
  readonly id: string;
  readonly path: string;
  readonly settings: TrainSettings;
  readonly posed: PosedTraining;
  readonly theta: RealArray;
  readonly state: RealArray;
  readonly step: number;
  readonly rate: number;
}

/**
 * Reads the network of a run, and its samples again.
 *
 * @throws DataError when the run is no training; ConfigError when its model is no plain network, or the data have changed.
 */
export function openTraining(runs: string, word: string): StoredTraining {
  const folder = findRun(runs, word);
  const { id, path, record } = readRun(folder, true, [TRAINING_CHECKPOINT_FILE]);
  const settings = trainSettingsSchema.safeParse(record.settings);
  if (!settings.success || record.fit.command !== "train") {
    throw new DataError(`${folder} is no training`, {
      code: "not-a-training",
      hint: "give a run that overparam train has made",
      place: { file: folder },
    });
  }
  const { data } = settings;
  const inputs = loadTraining(data, (length) => new Float64Array(length));
  const posed = poseTraining(data, inputs);
  if (posed.form.kind !== "network") {
    throw new ConfigError(`run ${id} is a ${posed.form.kind} model, not a network`, {
      code: "monitor-form",
      hint: "train without --symmetric, --linearized and --taylor",
    });
  }
  const file = joinPath(path, TRAINING_CHECKPOINT_FILE);
  const { record: stored, training } = readTrainingCheckpoint(readBytes(file), file);
  checkTrainingResumable(stored, data, inputs.fingerprint, architectureText(posed.architecture));
  const { theta, state } = training;
  return { id, path, settings: data, posed, theta, state, step: stored.step, rate: stored.rate };
}
