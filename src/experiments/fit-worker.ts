import { now } from "../platform/clock.ts";
import { workerSide } from "../platform/worker.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { FitSettings } from "./config.ts";
import type { FitEvent, FitOutcome } from "./fit-types.ts";
import { runFit } from "./pipeline.ts";
import { serveJob } from "./worker-job.ts";

/** What a fit is. */
export interface FitTask {
  readonly settings: FitSettings;
  readonly resume: Checkpoint | null;
  readonly given: string | null;
}

const started = now();
await serveJob<FitTask, FitEvent, FitOutcome>(workerSide(), ({ settings, resume, given }, context) =>
  runFit(settings, { ...context, now, started, resume, given }),
);
