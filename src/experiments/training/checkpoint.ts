import { z } from "zod";
import { ConfigError, DataError } from "../../base/errors.ts";
import type { RealArray } from "../../compute/types.ts";
import { type FileTensor, readTensorFile, writeTensorFile } from "../../formats/index.ts";
import type { TrainingCheckpoint } from "../../training/index.ts";
import type { TrainSettings } from "./settings.ts";

/** Name of the checkpoint in a run folder, and while the training runs. */
export const TRAINING_CHECKPOINT_FILE = "checkpoint.safetensors";
const METADATA_KEY = "overparam-training";

const metadataSchema = z.strictObject({
  format: z.literal(1),
  version: z.string(),
  settings: z.record(z.string(), z.unknown()),
  /** Names the samples. */
  fingerprint: z.string(),
  /** In full, as text: its file may change. */
  architecture: z.string(),
  step: z.int().nonnegative(),
  /** Spent so far. */
  seconds: z.number(),
  /** Step size, before drops, and the curvature that it was derived from. */
  rate: z.number().positive(),
  curvature: z.number().nullable(),
  /** The history up to here. */
  historyBytes: z.int().nonnegative(),
  /** The machinery: the same steps come out bit by bit on the same one. */
  backend: z.string(),
});

/** What a checkpoint knows besides arrays. */
export type CheckpointRecord = Omit<z.infer<typeof metadataSchema>, "format">;

/** What monitors remember, by their names. */
export type MonitorMemories = ReadonlyMap<string, readonly RealArray[]>;

/** A training that can go on. */
export interface StoredCheckpoint {
  readonly record: CheckpointRecord;
  readonly training: TrainingCheckpoint;
  readonly monitors: MonitorMemories;
}

/** A checkpoint as a safetensors file. */
export function writeTrainingCheckpoint({ record, training, monitors }: StoredCheckpoint): Uint8Array {
  const { theta, state, memory } = training;
  const tensor = (data: RealArray): FileTensor => ({ shape: [data.length], data });
  return writeTensorFile(
    [
      ["theta", tensor(theta)],
      ["state", tensor(state)],
      ...memory.map((array, k): [string, FileTensor] => [`memory.${k}`, tensor(array)]),
      ...[...monitors].flatMap(([name, arrays]) =>
        arrays.map((array, k): [string, FileTensor] => [`monitor.${name}.${k}`, tensor(array)]),
      ),
    ],
    { [METADATA_KEY]: JSON.stringify({ format: 1, ...record }) },
  );
}

/**
 * Reads what {@link writeTrainingCheckpoint} wrote.
 *
 * @throws DataError when it is damaged or something else.
 */
export function readTrainingCheckpoint(bytes: Uint8Array, file: string): StoredCheckpoint {
  const fail = (what: string): DataError =>
    new DataError(`${file} cannot be resumed: ${what}`, {
      code: "checkpoint-damaged",
      hint: "start the training anew, without --resume",
      place: { file },
    });
  const { metadata, tensors } = readTensorFile(bytes, file, ["F32", "F64"]);
  let content: unknown;
  try {
    content = JSON.parse(metadata.get(METADATA_KEY) ?? "");
  } catch {
    throw fail("it is no checkpoint of a training");
  }
  const parsed = metadataSchema.safeParse(content);
  if (!parsed.success) throw fail(`${parsed.error.issues[0]?.path.join(".") || "its content"} is not as expected`);
  const { format: _, ...record } = parsed.data;
  const take = (name: string): RealArray => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw fail(`it has no ${name}`);
    return tensor.data;
  };
  /** Arrays of these names with 0, 1, ... behind them. */
  const numbered = (name: string): RealArray[] => {
    const arrays: RealArray[] = [];
    for (let next = tensors.get(`${name}.0`); next !== undefined; next = tensors.get(`${name}.${arrays.length}`)) {
      arrays.push(next.data);
    }
    return arrays;
  };
  const names = [...tensors.keys()].flatMap((name) => /^monitor\.(.*)\.0$/.exec(name)?.[1] ?? []);
  return {
    record,
    training: { step: record.step, theta: take("theta"), state: take("state"), memory: numbered("memory") },
    monitors: new Map(names.map((name) => [name, numbered(`monitor.${name}`)])),
  };
}

/** Settings that may differ: when to stop, how often to look, and where to put it. */
const FREE: readonly (keyof TrainSettings)[] = [
  "steps",
  "epochs",
  "seconds",
  "untilLoss",
  "untilAccuracy",
  "monitor",
  "every",
  "checkpoint",
  "threads",
  "out",
  "data",
  "target",
  "test",
  "testTarget",
];

/** The settings that make a training what it is. */
export function posedBy(settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const free: readonly string[] = FREE;
  return Object.fromEntries(
    Object.entries(settings).filter(([key, value]) => !free.includes(key) && value !== undefined),
  );
}

/**
 * Checks that a checkpoint is of this training.
 *
 * @throws ConfigError when the samples or the settings differ.
 */
export function checkTrainingResumable(
  record: CheckpointRecord,
  settings: TrainSettings,
  fingerprint: string,
  architecture: string,
): void {
  const fail = (what: string): ConfigError =>
    new ConfigError(`the checkpoint is of another training: ${what}`, {
      code: "checkpoint-mismatch",
      hint: "resume with the settings and the data that it was started with; only when to stop may change",
    });
  const [before, now] = [posedBy(record.settings), posedBy({ ...settings })];
  for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
    if (before[key] !== now[key]) throw fail(`${key} was ${String(before[key])}, now ${String(now[key])}`);
  }
  if (record.architecture !== architecture) throw fail("the architecture differs");
  if (record.fingerprint !== fingerprint) throw fail("the samples differ");
}
