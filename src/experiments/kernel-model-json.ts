import { z } from "zod";
import { type FitJson, fitJsonSchema } from "./fit-types.ts";
import type { TrainJson } from "./training/types.ts";

const metrics = fitJsonSchema.shape.metrics.shape;

/** The object that `overparam fit --model ntk --json` prints; its names are fixed. */
export const kernelFitJsonSchema = z.object({
  schema: z.literal(1),
  command: z.literal("fit"),
  version: z.string(),
  /** Where the run was saved; null until it is. */
  run: z.object({ id: z.string(), path: z.string() }).nullable(),
  model: z.enum(["ntk", "nngp"]),
  problem: z.object({
    rows: z.int(),
    features: z.int(),
    outputs: z.int(),
    loss: z.literal("squared"),
    architecture: z.string(),
    /**
     * The column of sample weights, and how many training rows have one above zero; null without it. With weights, what is said of the
     * kernel matrix below is said of W^1/2 K W^1/2.
     */
    weights: z.object({ column: z.string(), rows: z.int() }).nullable().default(null),
    /** Added to the diagonal of the kernel matrix. */
    ridge: z.number(),
    ridgeChosen: z.boolean(),
  }),
  result: z.object({
    status: z.enum(["exact", "interrupted"]),
    method: z.enum(["spectrum", "cholesky"]),
    /** Mean squared leave-one-out error over the entries of the coded targets, with the weights. */
    leaveOneOutError: z.number(),
    /** Every ridge that was tried; an error of null: not positive definite in f64. */
    ridges: z.array(z.object({ ridge: z.number(), leaveOneOutError: z.number().nullable() })),
    /** What was added to the ridge that was asked for, to make the matrix positive definite in f64. */
    jitter: z.number(),
    /** tr K (K + ridge)^-1. */
    effectiveDimension: z.number(),
    /** y'Ky / (||K||_F ||y||^2) of the centered targets; null when they are constant. */
    alignment: z.number().nullable(),
    meanDiagonal: z.number(),
    /** Ends of the spectrum of the kernel matrix; the smallest is null where it was not computed. */
    largestEigenvalue: z.number(),
    smallestEigenvalue: z.number().nullable(),
    /** 2 / largest eigenvalue: largest stable step of gradient descent on half the summed squares. */
    largestStep: z.number(),
    /** Standard deviation of the noise of each output, in units of the target; null for classes. */
    noise: z.array(z.number()).nullable(),
    seconds: z.number(),
  }),
  metrics: z.object({ ...metrics, leaveOneOut: metrics.train }),
  backend: fitJsonSchema.shape.backend,
});

export type KernelFitJson = z.infer<typeof kernelFitJsonSchema>;

/** Whether a run is a kernel regression. */
export function isKernelFit(fit: FitJson | KernelFitJson | TrainJson): fit is KernelFitJson {
  return "model" in fit;
}
