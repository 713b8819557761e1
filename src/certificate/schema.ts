import { z } from "zod";

const count = z.int().nonnegative();
const numbers = z.array(z.number());
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** A dense matrix, row-major: entry (i, j) is `data[i * cols + j]`. */
const matrixSchema = z
  .object({ rows: count, cols: count, data: numbers })
  .refine(({ rows, cols, data }) => data.length === rows * cols, "data must have rows * cols entries");

/** f(x) = sum_j a_j(x) W_j + c0, a_j(x) = max(0, U_j x + b_j), or [G_j x + h_j > 0] (U_j x + b_j) when gated. */
export const networkSchema = z.object({
  activation: z.enum(["relu", "gated"]),
  /** m x d. */
  U: matrixSchema,
  b: numbers,
  /** m x c. */
  W: matrixSchema,
  c0: numbers,
  gates: z.object({ G: matrixSchema, h: numbers }).nullable(),
});

/** One scalar-output problem and the bound found for it. Objectives and bounds are in the problem's own scaling. */
const outputSchema = z.object({
  /** The positive class of a one-against-rest problem, or the name of the target. */
  name: z.string(),
  status: z.enum(["optimal", "bounded", "interrupted", "stalled"]),
  /** Training objective of this output of the network below, computed in f64 from its weights. */
  objective: z.number(),
  /** A lower bound of that objective over every network in `scope`. */
  lowerBound: z.number(),
  gap: z.number(),
  scope: z.enum(["all-patterns", "listed-patterns"]),
  /** How the bound was found; `nonnegative` is the trivial one: no loss and no penalty is below 0. */
  method: z.string(),
  /**
   * The dual point v (n entries, for the loss summed over samples) and the bound on max over ||u|| <= 1 of
   * |v'(Xu)_+| (over the listed patterns when that is the scope) that turn it into `lowerBound`.
   * Null with method `nonnegative`.
   */
  dual: z.object({ v: numbers, maxBound: z.number() }).nullable(),
  /** The bound over the listed (or generated) patterns alone, when it is not the main bound. */
  listed: z.object({ patterns: count, lowerBound: z.number(), gap: z.number() }).nullable(),
});

/** The content of `certificate.json`. Every number is the shortest decimal that reads back as the same double. */
export const certificateSchema = z.object({
  format: z.literal("overparam-certificate"),
  formatVersion: z.literal(1),
  /** Version of the program that wrote the file. */
  version: z.string(),
  /** What is claimed, in words. */
  claim: z.string(),
  /** Bounds and objectives were computed in rounded f64 arithmetic: true up to rounding errors, not proved. */
  arithmetic: z.literal("floating-point"),
  data: z.object({
    /** sha256 of the raw file. */
    file: sha256,
    /** sha256 of the training matrix after preprocessing: X row-major, then y, little-endian f64. */
    matrix: sha256,
    target: z.string(),
    task: z.enum(["regression", "classification"]),
    classes: z.array(z.string()).nullable(),
    /** How the targets y of an output are made from the target column. */
    coding: z.enum(["number", "minus-plus-one", "zero-one"]),
    /** What made the training matrix from the file. */
    settings: z.object({
      task: z.enum(["auto", "regression", "classification"]),
      split: z.number(),
      standardize: z.enum(["none", "columns"]),
      seed: count,
    }),
  }),
  problem: z.object({
    rows: count,
    features: count,
    loss: z.enum(["squared", "logistic"]),
    scaling: z.enum(["sum", "mean"]),
    beta: z.number().positive(),
    bias: z.enum(["none", "column", "output"]),
    program: z.enum(["relu", "gated"]),
  }),
  network: networkSchema,
  /** Sums over the outputs; `scope` is the weakest of theirs. */
  total: z.object({
    objective: z.number(),
    lowerBound: z.number(),
    gap: z.number(),
    scope: z.enum(["all-patterns", "listed-patterns"]),
  }),
  outputs: z.array(outputSchema).min(1),
});

/** The weights of a network as plain JSON. */
export type NetworkJson = z.infer<typeof networkSchema>;

/** The content of a certificate file. */
export type Certificate = z.infer<typeof certificateSchema>;
