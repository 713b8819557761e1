import { z } from "zod";

const count = z.int().nonnegative();
const numbers = z.array(z.number());
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const scope = z.enum(["all-patterns", "listed-patterns"]);

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

/** One scalar-output problem and what is claimed of it, in the problem's own scaling. */
const outputSchema = z.object({
  /** The positive class of a one-against-rest problem, or the name of the target. */
  name: z.string(),
  status: z.enum(["optimal", "bounded", "interrupted", "stalled"]),
  /** The training objective of this output of the network below is at most this. */
  upper: z.number(),
  /** Every network in `scope` has an objective of at least this. */
  lower: z.number(),
  scope,
  /** How the bound was found; `nonnegative` is the trivial one: no loss and no penalty is below 0. */
  method: z.string(),
  /**
   * `lower` is the dual value of alpha v (v: n entries, for the loss summed over samples); alpha v is feasible because maxBound is at
   * least the maximum over ||u|| <= 1 of |v'(Xu)_+| (over the listed patterns when that is the scope). Null: `lower` is at most 0.
   */
  dual: z.object({ v: numbers, alpha: z.number().nonnegative(), maxBound: z.number().nonnegative() }).nullable(),
  /** The bound over the listed (or generated) patterns alone, when it is not the main bound. */
  listed: z.object({ patterns: count, lowerBound: z.number(), gap: z.number() }).nullable(),
});

/** Where the proof of the `maxBound` of every output is (docs/certificates.md): in a file beside this one, or in base64 here. */
const proofSchema = z.union([
  z.object({ file: z.literal("proof.bin"), sha256, bytes: count }),
  z.object({ inline: z.base64() }),
]);

/** The content of `certificate.json`. Every number is the shortest decimal that reads back as the same double. */
export const certificateSchema = z.object({
  format: z.literal("overparam-certificate"),
  formatVersion: z.literal(2),
  /** Version of the program that wrote the file. */
  version: z.string(),
  /** What is claimed, in words. */
  claim: z.string(),
  /**
   * `rigorous`: the checker of the program that wrote the file has confirmed it. `floating-point`: bounds and objectives were computed in
   * rounded f64 arithmetic: true up to rounding errors, not proved.
   */
  arithmetic: z.enum(["floating-point", "rigorous"]),
  data: z.object({
    /** sha256 of the raw file. */
    file: sha256,
    /** sha256 of the training matrix after preprocessing: X row-major, then y, little-endian f64. */
    matrix: sha256,
    /** sha256 of the sample weights, little-endian f64. */
    weights: z.union([sha256, z.literal("none")]),
    target: z.string(),
    task: z.enum(["regression", "classification"]),
    classes: z.array(z.string()).nullable(),
    /** How the targets y of an output are made from the target column. */
    coding: z.enum(["number", "minus-plus-one", "zero-one"]),
    /** What made the training matrix from the file. */
    settings: z.object({
      task: z.enum(["auto", "regression", "classification"]),
      split: z.number(),
      missing: z.enum(["impute", "drop", "error"]),
      standardize: z.enum(["none", "columns"]),
      /** The column of sample weights. */
      weights: z.string().nullable(),
      seed: count,
    }),
  }),
  problem: z.object({
    rows: count,
    features: count,
    loss: z.enum(["squared", "logistic", "hinge", "huber"]),
    /** Threshold of the Huber loss; null for the others. */
    huber: z.number().positive().nullable(),
    scaling: z.enum(["sum", "mean"]),
    beta: z.number().positive(),
    bias: z.enum(["none", "column", "output"]),
    program: z.enum(["relu", "gated"]),
  }),
  network: networkSchema,
  /** Sums over the outputs; `scope` is the weakest of theirs. */
  total: z.object({ upper: z.number(), lower: z.number(), scope }),
  outputs: z.array(outputSchema).min(1),
  proof: proofSchema.nullable(),
});

/** The weights of a network as plain JSON. */
export type NetworkJson = z.infer<typeof networkSchema>;

/** The content of a certificate file. */
export type Certificate = z.infer<typeof certificateSchema>;
