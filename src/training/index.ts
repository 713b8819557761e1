/**
 * training: gradient descent and its relatives on finite networks, with the curvature of what they descend. It knows
 * networks, kernels and losses; it must not know files, tables or the terminal.
 */
export { type CurvatureSetup, curvatureOperator } from "./curvature.ts";
export * from "./landscape/index.ts";
export * from "./losses.ts";
export type { Measurement, Monitor } from "./monitor.ts";
export * from "./monitors/index.ts";
export * from "./presets.ts";
export * from "./run.ts";
export { gaussNewtonNorm, stableRate, subsetOf } from "./step-size.ts";
export {
  type StepResult,
  sampleOrder,
  Trainer,
  type TrainingCheckpoint,
  type TrainingData,
  type TrainingSettings,
} from "./trainer.ts";
export { makeUpdate, PLAIN, rateAt, type Schedule, type Update, type UpdateRule } from "./updates.ts";
