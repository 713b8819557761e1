import { z } from "zod";
import { INITIALIZATIONS } from "../../network/architecture/initialization.ts";
import { fitSettingsSchema, setting } from "../config.ts";

const path = z.string().min(1);
const rate = z.number().positive();
/** `81` or `81,122`. */
const numbers = z.preprocess(
  (value) => (typeof value === "number" ? String(value) : value),
  z.string().regex(/^\d+(\.\d+)?(,\d+(\.\d+)?)*$/, "write numbers with commas between, such as 81,122"),
);
const { task, missing, standardize, seed, threads, out } = fitSettingsSchema.shape;

/**
 * The settings of a training: one schema for the flags of the command line, the environment, the config file and the
 * run record.
 */
export const trainSettingsSchema = z
  .object({
    data: setting(path, {
      group: "Data",
      description: "table, npy, idx images, CIFAR .bin, or circle(N), sphere(N, D), padded-sphere(N, D)",
      value: "FILE|SPEC",
    }),
    target: setting(path.optional(), {
      group: "Data",
      description: "column to predict, or an npy or idx file of targets; of made-up data normal or labels(K)",
      value: "COLUMN",
    }),
    test: setting(path.optional(), {
      group: "Data",
      description: "held-out samples from a file of their own, in place of a split",
      value: "FILE",
    }),
    testTarget: setting(path.optional(), {
      group: "Data",
      description: "their targets, where those are a file",
      value: "FILE",
    }),
    split: setting(z.union([z.number().min(0).lt(1), z.literal("none").transform(() => 0)]).optional(), {
      group: "Data",
      description: "share held out; default 0.2 for files, none for made-up data",
      value: "FRACTION|none",
    }),
    task,
    missing,
    standardize: setting(standardize, {
      group: "Data",
      description: "columns, image channels and numbers to predict to mean 0, deviation 1",
    }),
    samples: setting(z.int().positive().optional(), {
      group: "Data",
      description: "train on so many samples, taken at random",
    }),
    labelNoise: setting(z.number().min(0).max(1).default(0), {
      group: "Data",
      description: "share of the training labels replaced by random ones",
      value: "SHARE",
    }),
    arch: setting(path, {
      group: "Network",
      description: 'such as "dense(512) relu dense(10)", or a JSON file',
      value: "SPEC|FILE.json",
    }),
    init: setting(z.enum(INITIALIZATIONS).optional(), {
      group: "Network",
      description: "how weights are drawn; else as each layer says",
    }),
    parametrization: setting(z.enum(["ntk", "standard"]).optional(), {
      group: "Network",
      description: "of all weighted layers; else as each layer says",
    }),
    parameterization: setting(z.enum(["ntk", "standard"]).optional(), {
      group: "Network",
      description: "the same, spelled otherwise",
    }),
    train: setting(z.enum(["all", "hidden", "last"]).optional(), {
      group: "Network",
      description: "weighted layers that are trained; default all (hidden with --init convergence)",
    }),
    symmetric: setting(z.boolean().default(false), {
      group: "Network",
      description: "difference of two copies: starts at zero, with the same tangent kernel",
    }),
    linearized: setting(z.boolean().default(false), {
      group: "Network",
      description: "train the linearization at the start: the same as --taylor 1",
    }),
    taylor: setting(z.int().min(1).max(6).optional(), {
      group: "Network",
      description: "train the Taylor polynomial of this degree at the start",
    }),
    loss: setting(z.enum(["auto", "squared", "cross-entropy", "logistic"]).default("auto"), {
      group: "Training",
      description: "auto: squared for numbers, logistic for one output, else cross-entropy",
    }),
    reduction: setting(z.enum(["mean", "sum"]).default("mean"), {
      group: "Training",
      description: "loss averaged over the samples or summed",
    }),
    batch: setting(z.union([z.int().positive(), z.literal("full")]).default("full"), {
      group: "Training",
      description: "samples a step; full: gradient descent",
      value: "N|full",
    }),
    rate: setting(z.union([rate, z.literal("stable")]).optional(), {
      group: "Training",
      description: "step size; stable (default): half of the largest stable one at the start; adam: 0.001",
      value: "NUMBER|stable",
    }),
    momentum: setting(z.number().min(0).lt(1).default(0), {
      group: "Training",
      description: "share of the last step that is kept (heavy ball)",
    }),
    nesterov: setting(z.boolean().default(false), { group: "Training", description: "Nesterov's momentum" }),
    weightDecay: setting(z.number().min(0).default(0), {
      group: "Training",
      description: "times the parameters, added to the gradient (adam: decoupled)",
    }),
    noise: setting(z.number().min(0).default(0), {
      group: "Training",
      description: "deviation of Gaussian noise on each entry of each gradient",
    }),
    adam: setting(z.boolean().default(false), { group: "Training", description: "Adam in place of plain descent" }),
    drops: setting(numbers.optional(), {
      group: "Training",
      description: "epochs after which the step size drops, such as 81,122",
      value: "EPOCHS",
    }),
    dropFactor: setting(z.number().positive().max(1).default(0.1), {
      group: "Training",
      description: "what the step size is multiplied with there",
    }),
    steps: setting(z.int().positive().optional(), { group: "End", description: "stop after so many steps" }),
    epochs: setting(z.number().positive().optional(), {
      group: "End",
      description: "stop when each sample was seen so often; default: 20 for batches, 1000 full",
    }),
    seconds: setting(z.number().positive().optional(), { group: "End", description: "stop after this time" }),
    untilLoss: setting(z.number().optional(), {
      group: "End",
      description: "stop when the loss over all training samples is this small",
    }),
    untilAccuracy: setting(z.number().gt(0).max(1).optional(), {
      group: "End",
      description: "stop when this share of the training samples is right",
    }),
    monitor: setting(path.optional(), {
      group: "Record",
      description:
        "quantities of the theory to measure, with commas between: cheap, all, loss, gradient, forward, signs, distance, linearization, separation, products, semi-smoothness, kernel, sharpness, trace, spectrum, laziness, trajectories; loss:10 each 10 steps",
      value: "NAMES",
    }),
    every: setting(z.int().positive().optional(), {
      group: "Record",
      description: "steps between lines of the history; default: an epoch, or 4 % of the steps made",
      value: "STEPS",
    }),
    checkpoint: setting(z.number().positive().default(30), {
      group: "Record",
      description: "seconds between checkpoints",
      value: "SECONDS",
    }),
    seed,
    precision: setting(z.enum(["f32", "f64"]).default("f32"), {
      group: "Effort",
      description: "arithmetic of the training",
    }),
    threads,
    out,
  })
  .superRefine((settings, context) => {
    const refuse = (key: string, message: string): void => {
      context.addIssue({ code: "custom", path: [key], message });
    };
    const { adam, momentum, nesterov, rate: given, taylor, linearized, symmetric, split, test } = settings;
    if (adam && (momentum > 0 || nesterov)) refuse("adam", "has its own momentum: leave --momentum and --nesterov out");
    if (nesterov && momentum === 0) refuse("nesterov", "needs a --momentum above 0");
    if (adam && given === "stable") refuse("rate", "stable is for plain descent and momentum: give --adam a number");
    if (linearized && taylor !== undefined && taylor !== 1) refuse("taylor", "contradicts --linearized");
    if (symmetric && (linearized || taylor !== undefined)) {
      refuse(
        "symmetric",
        "trains two copies, --taylor and --linearized the polynomial of one network: give one of them",
      );
    }
    if (test !== undefined && split !== undefined && split > 0) refuse("split", "contradicts --test: give one of them");
    if (settings.init !== undefined && (settings.parametrization ?? settings.parameterization) !== undefined) {
      refuse("init", "settles the parametrization too: give one of them");
    }
  });

/** Checked settings of a training, defaults filled in. */
export type TrainSettings = z.infer<typeof trainSettingsSchema>;
