import { z } from "zod";
import { setting } from "../../experiments/config.ts";
import { findRun } from "../../experiments/run-store.ts";
import { trainCommand as commandOf } from "../../experiments/training/command.ts";
import { trainSettingsSchema } from "../../experiments/training/settings.ts";
import { defineCommand, jsonSetting, quietSetting } from "../command.ts";
import { runTrain } from "../run-train.ts";

const resumeSetting = setting(z.union([z.boolean(), z.string().min(1)]).optional(), {
  group: "Effort",
  description: "go on from a run, or without RUN from a killed training with these settings",
  value: "[RUN]",
});

export const trainCommand = defineCommand({
  name: "train",
  summary: "train a deep network by gradient descent, theory measured",
  positionals: ["data"],
  flagsOnly: ["resume"],
  schema: trainSettingsSchema.safeExtend({ resume: resumeSetting, quiet: quietSetting, json: jsonSetting }),
  examples: [
    {
      does: "gradient descent on a table, at a stable step size",
      line: 'overparam train examples/tic-tac-toe.csv --target outcome --arch "dense(256) relu dense(1)"',
    },
    {
      does: "stochastic gradient descent on images, their labels in the file beside",
      line: 'overparam train train-images-idx3-ubyte.gz --arch "dense(256) relu dense(10)" --batch 128 --rate 0.5 --epochs 5',
    },
  ],
  async run({ json, quiet, resume, ...settings }, context) {
    const from =
      typeof resume === "string" ? { folder: findRun(settings.out, resume) } : resume === true ? "killed" : null;
    return runTrain(
      settings,
      {
        json,
        quiet,
        resume: from,
        next: ({ id, record }) =>
          record.interrupted
            ? [`${commandOf(settings)} --resume ${id}`]
            : [`overparam report ${id}`, `overparam runs show ${id}`],
      },
      context,
    );
  },
});
