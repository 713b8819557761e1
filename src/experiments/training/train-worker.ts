import { now } from "../../platform/clock.ts";
import { workerSide } from "../../platform/worker.ts";
import { serveJob } from "../worker-job.ts";
import { runTrain, type TrainContext } from "./session.ts";
import type { TrainSettings } from "./settings.ts";
import type { TrainEvent, TrainOutcome } from "./types.ts";

/** What a training is. */
export interface TrainTask {
  readonly settings: TrainSettings;
  readonly resume: TrainContext["resume"];
}

await serveJob<TrainTask, TrainEvent, TrainOutcome>(workerSide(), ({ settings, resume }, context) =>
  runTrain(settings, { ...context, now, resume }),
);
