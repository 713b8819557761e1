/**
 * Experiments: settings in, run out. A fit is read, baselined, posed, validated, solved, judged and written up here, in a
 * worker thread; the run store keeps what it leaves. This layer knows every laboratory and what a run folder holds; it
 * must not know the terminal, and never prints or exits.
 */
export { CHECKPOINT_FILE, type Checkpoint, readCheckpoint } from "./checkpoint.ts";
export { type FitSettings, fitSettingsSchema } from "./config.ts";
export { startFit } from "./fit.ts";
export { FitCancelled, type FitEvent, type FitJob, type FitJson, type FitOutcome, type RunFile } from "./fit-types.ts";
