/**
 * Experiments: settings in, run out. A fit is read, baselined, posed, validated, solved, judged and written up here, in a
 * worker thread; the run store keeps what it leaves. This layer knows every laboratory and what a run folder holds; it
 * must not know the terminal, and never prints or exits.
 */
export { CHECKPOINT_FILE, type Checkpoint, readCheckpoint } from "./checkpoint.ts";
export { type FitSettings, fitSettingsSchema } from "./config.ts";
export { startFit } from "./fit.ts";
export { FitCancelled, type FitEvent, type FitJob, type FitJson, type FitOutcome, type RunFile } from "./fit-types.ts";
export { startKernelFit } from "./kernel-fit.ts";
export type { KernelFitJson } from "./kernel-model-json.ts";
export type { KernelOutcome } from "./kernel-model-outcome.ts";
export { DEFAULT_ARCHITECTURE, type KernelFitSettings } from "./kernel-model-settings.ts";
export { type TrainSettings, trainSettingsSchema } from "./training/settings.ts";
export { startTrain, type TrainJob } from "./training/train.ts";
export type { TrainEvent, TrainJson, TrainOutcome } from "./training/types.ts";
