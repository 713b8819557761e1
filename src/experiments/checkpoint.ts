import { z } from "zod";
import { ConfigError, DataError } from "../base/errors.ts";
import { networkSchema } from "../certificate/index.ts";
import type { FitSettings } from "./config.ts";

const checkpointSchema = z.object({
  format: z.literal("overparam-checkpoint"),
  formatVersion: z.literal(1),
  version: z.string(),
  settings: z.record(z.string(), z.unknown()),
  /** sha256 of the training matrix. */
  matrix: z.string(),
  beta: z.number().positive(),
  betaMax: z.number(),
  /** The network of every part, in order: one an output, or a single one whose outputs share neurons. */
  outputs: z.array(z.object({ name: z.string(), network: networkSchema })).min(1),
});

/** What an interrupted fit leaves behind: the chosen beta and the networks so far, from which a fit can go on. */
export type Checkpoint = z.infer<typeof checkpointSchema>;

/** Name of the checkpoint in a run folder. */
export const CHECKPOINT_FILE = "checkpoint.json";

/**
 * Reads the content of a checkpoint file.
 *
 * @throws DataError when it is not one.
 */
export function readCheckpoint(bytes: Uint8Array, file: string): Checkpoint {
  const fail = (what: string): DataError =>
    new DataError(`${file} cannot be resumed: ${what}`, {
      code: "checkpoint-damaged",
      hint: "start the fit anew, without --resume",
      place: { file },
    });
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw fail("it is not JSON");
  }
  const parsed = checkpointSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw fail(`${issue?.path.join(".") || "its content"} is not as expected`);
}

/** Settings that must be those of the checkpoint, or its networks solve another problem. */
const POSED_BY = ["loss", "outputNorm", "huber", "weights", "scaling", "bias", "program", "patterns", "gates"] as const;

/**
 * Checks that a checkpoint is of this problem.
 *
 * @throws ConfigError when the data, the outputs or the problem differ.
 */
export function checkResumable(
  checkpoint: Checkpoint,
  settings: FitSettings,
  matrix: string,
  outputs: readonly string[],
): void {
  const fail = (what: string): ConfigError =>
    new ConfigError(`the checkpoint is of another problem: ${what}`, {
      code: "checkpoint-mismatch",
      hint: "resume with the settings and the data of the interrupted run",
    });
  if (checkpoint.matrix !== matrix) throw fail("the training data differ");
  const names = checkpoint.outputs.map(({ name }) => name);
  if (names.length !== outputs.length || names.some((name, q) => name !== outputs[q])) {
    throw fail(`its outputs are ${names.join(", ")}, not ${outputs.join(", ")}`);
  }
  for (const key of POSED_BY) {
    if (checkpoint.settings[key] !== settings[key]) {
      throw fail(`${key} was ${String(checkpoint.settings[key])}, now ${String(settings[key])}`);
    }
  }
}
