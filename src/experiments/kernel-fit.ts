import type { FitEvent } from "./fit-types.ts";
import type { KernelOutcome } from "./kernel-model-outcome.ts";
import type { KernelFitSettings } from "./kernel-model-settings.ts";
import { startJob, type WorkerJob } from "./worker-job.ts";

/** Starts a kernel regression in a worker thread, as {@link startFit} does with the training of a network. */
export function startKernelFit(settings: KernelFitSettings): WorkerJob<FitEvent, KernelOutcome> {
  return startJob(new URL("./kernel-fit-worker.ts", import.meta.url), settings);
}
