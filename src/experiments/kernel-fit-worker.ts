import { now } from "../platform/clock.ts";
import { workerSide } from "../platform/worker.ts";
import type { FitEvent } from "./fit-types.ts";
import { runKernelFit } from "./kernel-model.ts";
import type { KernelOutcome } from "./kernel-model-outcome.ts";
import type { KernelFitSettings } from "./kernel-model-settings.ts";
import { serveJob } from "./worker-job.ts";

const started = now();
await serveJob<KernelFitSettings, FitEvent, KernelOutcome>(workerSide(), (settings, context) =>
  runKernelFit(settings, { ...context, now, started }),
);
