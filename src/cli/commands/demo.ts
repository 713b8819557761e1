import { z } from "zod";
import { fitSettingsSchema } from "../../experiments/config.ts";
import { demoCsv } from "../../experiments/demo-data.ts";
import { makeFolder, writeFileAtomic } from "../../platform/files.ts";
import { joinPath } from "../../platform/run-files.ts";
import { defineCommand, jsonSetting, quietSetting } from "../command.ts";
import { runFit } from "../run-fit.ts";

/** The demo ends well within this time, in seconds. */
const TIME = 10;
const BETA_RATIO = 0.01;

export const demoCommand = defineCommand({
  name: "demo",
  summary: "fit a small made-up data set, in a few seconds",
  positionals: [],
  schema: z.object({
    seed: fitSettingsSchema.shape.seed,
    threads: fitSettingsSchema.shape.threads,
    out: fitSettingsSchema.shape.out,
    quiet: quietSetting,
    json: jsonSetting,
  }),
  examples: [
    { does: "the first thing to try", line: "overparam demo" },
    { does: "other data, nothing left in this folder", line: "overparam demo --seed 7 --out elsewhere" },
  ],
  async run({ seed, threads, out, quiet, json }, context) {
    const { terminal } = context;
    const data = joinPath(out, "demo.csv");
    makeFolder(out);
    writeFileAtomic(data, demoCsv(seed));
    if (!quiet) terminal.err(`  made ${data}: y is a zigzag in x, plus noise, which no straight line fits`);
    const settings = fitSettingsSchema.parse({
      data,
      target: "y",
      betaRatio: BETA_RATIO,
      time: TIME,
      seed,
      threads,
      out,
    });
    const next = ({ id }: { id: string }): string[] => [
      `overparam report ${id}`,
      `overparam predict ${id} ${data}`,
      `overparam fit ${data} --target y --beta-ratio 0.1`,
      "overparam fit YOUR.csv --target COLUMN",
    ];
    return runFit(settings, { json, quiet, next }, context);
  },
});
