import { z } from "zod";
import type { BackendInfo } from "../compute/types.ts";
import type { Task } from "../data/types.ts";
import { VALIDATION_ENDS } from "./validation.ts";

/** Metric name (`accuracy`, `rmse`, ...) to its value on one part of the data. */
const metricsSchema = z.record(z.string(), z.number());

const solveFields = {
  status: z.enum(["optimal", "bounded", "interrupted", "stalled"]),
  /** Training objective of the saved network, recomputed in f64 from its weights, in the problem's own scaling. */
  objective: z.number(),
  lowerBound: z.number(),
  /** (objective - lowerBound) / max(|objective|, tiny). */
  gap: z.number(),
  /** What `lowerBound` bounds: every ReLU network of any width, or the networks of the listed patterns. */
  scope: z.enum(["all-patterns", "listed-patterns"]),
  method: z.string(),
  neurons: z.int(),
  patterns: z.int(),
  iterations: z.int(),
  seconds: z.number(),
  /** The bound over the listed (or generated) patterns alone, when it is not the main bound. */
  listed: z.object({ patterns: z.int(), lowerBound: z.number(), gap: z.number() }).nullable(),
};

/** The object that `overparam fit --json` and `overparam certify --json` print; its names are fixed. */
export const fitJsonSchema = z.object({
  schema: z.literal(1),
  command: z.enum(["fit", "certify"]),
  version: z.string(),
  /** Where the run was saved; null until it is. */
  run: z.object({ id: z.string(), path: z.string() }).nullable(),
  problem: z.object({
    rows: z.int(),
    features: z.int(),
    outputs: z.int(),
    loss: z.string(),
    scaling: z.enum(["sum", "mean"]),
    beta: z.number(),
    betaMax: z.number(),
    bias: z.enum(["none", "column", "output"]),
    program: z.enum(["relu", "gated"]),
    /** With several outputs: `group`, one network whose outputs share neurons; `l1`, one network each. */
    outputNorm: z.enum(["group", "l1"]).optional(),
    /** With several target columns: their names, in the order of the outputs. */
    targets: z.array(z.string()).optional(),
    /** Threshold of the Huber loss, when that is the loss. */
    huber: z.number().optional(),
  }),
  /** With one network an output: sums over the outputs; the status is the worst of them. */
  result: z.object(solveFields),
  /** The certificate's claims were verified with proven bounds of all rounding errors when it was written. */
  rigorous: z.boolean(),
  /** With one network an output only: one solve a class (or target column). */
  perClass: z.array(z.object({ class: z.string(), ...solveFields })).optional(),
  metrics: z.object({
    train: metricsSchema,
    test: metricsSchema.nullable(),
    baselines: z.record(z.string(), z.object({ train: metricsSchema, test: metricsSchema.nullable() })),
  }),
  /** When beta was validated: why that ended, and the held-out loss at each beta. */
  validation: z
    .object({
      end: z.enum(VALIDATION_ENDS),
      points: z.array(z.object({ beta: z.number(), ratio: z.number(), loss: z.number(), standardError: z.number() })),
    })
    .optional(),
  /** With `--path`: the smallest training objective along beta, smallest beta first. */
  path: z
    .object({
      /** Where between the first point and the last, at any beta, the relative gap is widest. */
      widest: z.object({ beta: z.number(), gap: z.number() }),
      points: z.array(
        z.object({
          beta: z.number(),
          /** Share of `betaMax`. */
          ratio: z.number(),
          /** Of the best network found; its loss term and its penalty (objective = loss + beta penalty). */
          objective: z.number(),
          lowerBound: z.number(),
          gap: z.number(),
          loss: z.number(),
          penalty: z.number(),
          neurons: z.int(),
          validation: z.object({ loss: z.number(), standardError: z.number() }).nullable(),
          /** The beta of the fit. */
          chosen: z.boolean(),
        }),
      ),
    })
    .optional(),
  backend: z.object({
    name: z.enum(["blas", "wasm", "js"]),
    blas: z.string().nullable(),
    simd: z.enum(["plain", "relaxed", "none"]),
    threads: z.int(),
  }),
});

export type FitJson = z.infer<typeof fitJsonSchema>;

/** What a fit says while it runs, in the order of happening. */
export type FitEvent =
  /** One plain sentence: a column dropped, cells imputed, how the task was chosen. */
  | { readonly kind: "note"; readonly text: string }
  /** The data are read and encoded. */
  | {
      readonly kind: "data";
      /** Rows of the file that are used, training and test part together. */
      readonly rows: number;
      readonly testRows: number;
      /** Encoded feature columns, without a bias column. */
      readonly features: number;
      /** Columns of the file that became one-hot features. */
      readonly oneHotColumns: number;
      /** Rank of the training matrix, bias column included, when it was computed. */
      readonly rank: number | null;
      readonly target: string;
      readonly task: Task;
      /** Number of classes; null for regression. */
      readonly classes: number | null;
      readonly seed: number;
    }
  | { readonly kind: "backend"; readonly info: BackendInfo }
  | {
      readonly kind: "progress";
      /** `search`: for the smallest beta that closes; `path`: along beta; `kernel` and `ridge`: of kernel regression. */
      readonly stage: "validate" | "search" | "path" | "train" | "bound" | "kernel" | "ridge";
      /** What is being solved, e.g. `class setosa`, `fold 2 of 5`; may be empty. */
      readonly label: string;
      readonly objective: number | null;
      readonly bound: number | null;
      /** Relative gap, once there is a bound. */
      readonly gap: number | null;
      readonly neurons: number;
      /** Share of the stage that is done, in [0, 1], when that is known. */
      readonly fraction: number | null;
      /** Seconds since the fit started. */
      readonly seconds: number;
    };

/** The one metric of the summary, for the network and beside it the baselines. */
export interface TestTable {
  /** `accuracy` (a share, shown in %), `RMSE` (in units of the target), or of several targets the mean of their R². */
  readonly metric: "accuracy" | "RMSE" | "mean R²";
  /** `train` when nothing was held out. */
  readonly part: "test" | "train";
  readonly network: number;
  readonly baselines: readonly { readonly name: string; readonly value: number }[];
}

/** A file of a run folder. */
export interface RunFile {
  /** Path inside the run folder, with `/`, e.g. `model.onnx`, `figures/convergence.svg`. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What a fit leaves behind, still in memory. */
export interface FitOutcome {
  /** What `--json` prints; `run` is null until the run folder is published. */
  readonly json: FitJson;
  /** Plain sentences, the headline first. */
  readonly verdict: readonly string[];
  /** Everything that goes into the run folder except `run.json`, which the run store writes. */
  readonly files: readonly RunFile[];
  /** Content hash of settings, data and result: lower-case hex, the first six digits name the run. */
  readonly id: string;
  /** True after {@link FitJob.cancel}: `files` then holds a checkpoint. */
  readonly interrupted: boolean;
  readonly testTable: TestTable;
}

/** A fit under way. */
export interface FitJob {
  /** Ends when the fit does; never throws (failures reject `outcome`). */
  readonly events: AsyncIterable<FitEvent>;
  /** Asks for an early end: `outcome` then resolves with the best network so far, or rejects with {@link FitCancelled}. */
  cancel(): void;
  readonly outcome: Promise<FitOutcome>;
}

/** The fit was cancelled before there was a network worth saving. */
export class FitCancelled extends Error {
  constructor() {
    super("cancelled before there was a network to save");
    this.name = "FitCancelled";
  }
}
