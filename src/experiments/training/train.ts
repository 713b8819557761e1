import { startJob, type WorkerJob } from "../worker-job.ts";
import type { TrainSettings } from "./settings.ts";
import type { TrainTask } from "./train-worker.ts";
import type { TrainEvent, TrainOutcome } from "./types.ts";

/** A training under way. */
export type TrainJob = WorkerJob<TrainEvent, TrainOutcome>;

/**
 * Starts a training in a worker thread, so that the caller's thread stays free. `cancel()` asks for an early end with the
 * network so far; a second `cancel()` ends the thread at once.
 *
 * @param resume the folder of a run, or `killed` for what a killed training with these settings left; null: begin.
 */
export function startTrain(settings: TrainSettings, resume: TrainTask["resume"] = null): TrainJob {
  const task: TrainTask = { settings, resume };
  return startJob(new URL("./train-worker.ts", import.meta.url), task);
}
