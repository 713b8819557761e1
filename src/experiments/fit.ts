import type { Checkpoint } from "./checkpoint.ts";
import type { FitSettings } from "./config.ts";
import type { FitJob } from "./fit-types.ts";
import type { FitTask } from "./fit-worker.ts";
import { startJob } from "./worker-job.ts";

/**
 * Starts a fit in a worker thread, so that the caller's thread stays free.
 *
 * `cancel()` asks for an early end with the best network so far; a second `cancel()` ends the thread at once, and
 * `outcome` rejects with {@link FitCancelled}. Mistakes of the user reject `outcome` as the UserError they are.
 *
 * @param options.resume the checkpoint of an interrupted fit of the same problem, to go on from.
 * @param options.given a model file whose network is to be bounded and saved, in place of one of our own.
 */
export function startFit(
  settings: FitSettings,
  options: { readonly resume?: Checkpoint; readonly given?: string } = {},
): FitJob {
  const task: FitTask = { settings, resume: options.resume ?? null, given: options.given ?? null };
  return startJob(new URL("./fit-worker.ts", import.meta.url), task);
}
