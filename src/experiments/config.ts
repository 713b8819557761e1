import { z } from "zod";

/**
 * What a setting carries besides its type, read by the command line: `group` is its heading in `--help`, `value` the
 * placeholder there (derived from the type when absent).
 */
export interface SettingMeta {
  readonly description: string;
  readonly group: string;
  readonly value?: string;
}

/** Attaches {@link SettingMeta} to a schema. */
export function setting<T extends z.ZodType>(schema: T, meta: SettingMeta): T {
  return schema.meta({ ...meta });
}

/** `betaRatio` -> `--beta-ratio`. */
export function flagName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

const path = z.string().min(1);

/**
 * The settings of a fit: one schema for the flags of the command line, the environment, the config file and the run
 * record. Names and values are fixed (docs/objective.md defines the problem they pose).
 */
export const fitSettingsSchema = z
  .object({
    data: setting(path, { group: "Data", description: "table to learn from: CSV, Parquet, npy or idx", value: "FILE" }),
    target: setting(path.optional(), {
      group: "Data",
      description: "column to predict (several numbers: A,B), or an npy or idx file of targets",
      value: "COLUMN",
    }),
    task: setting(z.enum(["auto", "regression", "classification"]).default("auto"), {
      group: "Data",
      description: "auto: few distinct values, text or booleans are classes",
    }),
    split: setting(z.union([z.number().min(0).lt(1), z.literal("none").transform(() => 0)]).prefault(0.2), {
      group: "Data",
      description: "share of the rows held out as test part, or none",
      value: "FRACTION|none",
    }),
    missing: setting(z.enum(["impute", "drop", "error"]).default("impute"), {
      group: "Data",
      description: "missing cells: filled in, their rows dropped, or refused",
    }),
    standardize: setting(z.enum(["none", "columns"]).default("columns"), {
      group: "Data",
      description: "columns: mean 0, deviation 1 over the training rows",
    }),
    weights: setting(z.string().min(1).optional(), {
      group: "Data",
      description: "column of sample weights (numbers >= 0)",
      value: "COLUMN",
    }),
    loss: setting(z.enum(["auto", "squared", "logistic", "hinge", "huber", "softmax"]).default("auto"), {
      group: "Problem",
      description: "auto: logistic for two classes, softmax for more, else squared",
    }),
    outputNorm: setting(z.enum(["group", "l1"]).optional(), {
      group: "Problem",
      description: "several outputs: group (default): they share neurons; l1: a network each",
    }),
    huber: setting(z.number().positive().default(1), {
      group: "Problem",
      description: "Huber loss: errors beyond this count linearly",
      value: "NUMBER",
    }),
    scaling: setting(z.enum(["sum", "mean"]).default("mean"), {
      group: "Problem",
      description: "loss summed over the samples or averaged",
    }),
    beta: setting(z.union([z.number().positive(), z.enum(["auto", "certified"])]).default("auto"), {
      group: "Problem",
      description: "penalty (beta/2)(|U|^2 + |w|^2); auto: by validation; certified: the smallest that closes",
      value: "NUMBER|auto|certified",
    }),
    betaRatio: setting(z.number().positive().optional(), {
      group: "Problem",
      description: "beta as a multiple of the largest useful one",
    }),
    path: setting(z.boolean().optional(), {
      group: "Problem",
      description: "trace the path along beta too: objective, bound, neurons, validation",
    }),
    bias: setting(z.enum(["none", "column", "output"]).default("column"), {
      group: "Problem",
      description: "column: penalized like a feature; output: free",
    }),
    program: setting(z.enum(["relu", "gated"]).default("relu"), {
      group: "Problem",
      description: "network to train: ReLU, or linear behind fixed gates",
    }),
    patterns: setting(z.union([z.enum(["generated", "all"]), z.int().positive()]).default("generated"), {
      group: "Problem",
      description: "activation patterns: found by search, all, or N random",
      value: "generated|all|N",
    }),
    gates: setting(path.optional(), {
      group: "Problem",
      description: "d x P gate vectors (.npy): only these patterns",
      value: "FILE",
    }),
    tolerance: setting(z.number().positive().lt(1).default(1e-6), {
      group: "Effort",
      description: "relative duality gap at which to stop",
    }),
    time: setting(z.number().positive().default(60), {
      group: "Effort",
      description: "best answer and bounds within this time",
      value: "SECONDS",
    }),
    requireGap: setting(z.number().nonnegative().optional(), {
      group: "Effort",
      description: "exit with code 3 when the gap stays above this",
    }),
    seed: setting(z.int().nonnegative().default(0), {
      group: "Effort",
      description: "seed of every random choice",
    }),
    threads: setting(z.int().positive().max(256).optional(), {
      group: "Effort",
      description: "threads of the kernels; default: the cores, at most 8",
    }),
    out: setting(path.default("runs"), {
      group: "Output",
      description: "folder in which the run's own folder is made",
      value: "DIR",
    }),
  })
  .superRefine((settings, context) => {
    const refuse = (key: string, message: string): void => {
      context.addIssue({ code: "custom", path: [key], message });
    };
    if (settings.betaRatio !== undefined && settings.beta !== "auto") {
      refuse("betaRatio", "sets beta too: give --beta or --beta-ratio, not both");
    }
    const everywhere =
      settings.program === "relu" && settings.gates === undefined && Number.isNaN(Number(settings.patterns));
    if (settings.beta === "certified" && !everywhere) {
      refuse("beta", "certified speaks of all ReLU networks: leave --program, --gates and --patterns out");
    }
    if (settings.path === true && settings.beta === "certified") {
      refuse("path", "takes the time that --beta certified needs: trace it with the beta that was found");
    }
    if (settings.gates !== undefined && settings.patterns !== "generated") {
      refuse("gates", "lists the patterns already: give --gates or --patterns, not both");
    }
  });

/** Checked settings of a fit, defaults filled in; `split` 0 means that nothing is held out. */
export type FitSettings = z.infer<typeof fitSettingsSchema>;
