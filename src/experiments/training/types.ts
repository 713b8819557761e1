import { z } from "zod";
import type { BackendInfo } from "../../compute/types.ts";
import { fitJsonSchema, type RunFile } from "../fit-types.ts";

/** JSON knows no NaN and no infinity: they are null. */
const value = z.number().nullable();

/** A row of a monitor. */
export const measurementSchema = z.object({
  name: z.string(),
  layer: z.string().nullable(),
  value,
  bound: value,
  constant: value,
  statement: z.string().nullable(),
  status: z.enum(["verified", "recalled", "derived"]).nullable(),
});

/** The object that `overparam train --json` prints; its names are fixed. */
export const trainJsonSchema = z.object({
  schema: z.literal(1),
  command: z.literal("train"),
  version: z.string(),
  /** Where the run was saved; null until it is. */
  run: z.object({ id: z.string(), path: z.string() }).nullable(),
  problem: z.object({
    samples: z.int(),
    testSamples: z.int(),
    input: z.array(z.int()),
    outputs: z.int(),
    architecture: z.string(),
    /** Of one network; a symmetric model has two, a Taylor model a center besides. */
    parameters: z.int(),
    trainedParameters: z.int(),
    form: z.string(),
    trained: z.enum(["all", "hidden", "last"]),
    loss: z.string(),
    reduction: z.enum(["mean", "sum"]),
    batch: z.int(),
    precision: z.enum(["f32", "f64"]),
  }),
  result: z.object({
    status: z.enum(["finished", "interrupted", "diverged"]),
    /** The rule that ended it. */
    reason: z.enum(["steps", "seconds", "loss", "accuracy", "cancelled", "diverged"]),
    steps: z.int(),
    epochs: z.number(),
    /** The objective over all training samples at the end, and the share that is right (null for numbers). */
    loss: value,
    accuracy: value,
    testLoss: value,
    testAccuracy: value,
    /** Step size at first, the largest eigenvalue of the Gauss-Newton matrix at the start, and the largest stable step size. */
    rate: z.number(),
    curvature: value,
    stableRate: value,
    seconds: z.number(),
    stepsPerSecond: z.number(),
    /** Steps after which the saved network is; fewer than `steps` when training diverged. */
    savedSteps: z.int(),
  }),
  /** The last row of each quantity that was measured. */
  monitors: z.array(measurementSchema.extend({ step: z.int() })),
  /** In the units of the target. */
  metrics: fitJsonSchema.shape.metrics,
  backend: fitJsonSchema.shape.backend,
  /** What was said besides: where the step size comes from, and warnings. */
  notes: z.array(z.string()).default([]),
});

export type TrainJson = z.infer<typeof trainJsonSchema>;

/** Whether the JSON of a run is that of a training. */
export function isTrainRun(json: { readonly command: string }): json is TrainJson {
  return json.command === "train";
}

/** What a training says while it runs. */
export type TrainEvent =
  | { readonly kind: "note" | "warning"; readonly text: string }
  | {
      readonly kind: "data";
      readonly samples: number;
      readonly testSamples: number;
      readonly input: readonly number[];
      readonly target: string;
      readonly classes: number | null;
      readonly seed: number;
    }
  | {
      readonly kind: "network";
      readonly architecture: string;
      readonly parameters: number;
      readonly trainedParameters: number;
      readonly loss: string;
      readonly form: string;
    }
  | { readonly kind: "backend"; readonly info: BackendInfo }
  | { readonly kind: "monitor"; readonly name: string; readonly every: number; readonly cost: string }
  | {
      readonly kind: "progress";
      readonly step: number;
      readonly epoch: number;
      readonly rate: number;
      /** Over all training samples when they were last looked at. */
      readonly loss: number;
      readonly accuracy: number | null;
      readonly testAccuracy: number | null;
      /** Share that is done, by steps or by time; null when only a loss or an accuracy ends it. */
      readonly fraction: number | null;
      readonly seconds: number;
      /** Seconds left; null when that cannot be said. */
      readonly left: number | null;
    };

/** What a training leaves behind, still in memory. */
export interface TrainOutcome {
  readonly json: TrainJson;
  /** Plain sentences, the headline first. */
  readonly verdict: readonly string[];
  readonly files: readonly RunFile[];
  /** Content hash of settings, data and result. */
  readonly id: string;
  readonly interrupted: boolean;
}
