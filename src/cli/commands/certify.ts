import { z } from "zod";
import { fitSettingsSchema, setting } from "../../experiments/config.ts";
import { verifyCommand } from "../../experiments/reproduce.ts";
import type { StoredRun } from "../../experiments/run-store.ts";
import { defineCommand, jsonSetting, quietSetting } from "../command.ts";
import { runFit } from "../run-fit.ts";

export const certifyCommand = defineCommand({
  name: "certify",
  summary: "bound how far a trained network is from the global optimum",
  positionals: ["model", "data"],
  flagsOnly: ["model", "data"],
  schema: fitSettingsSchema.safeExtend({
    model: setting(z.string().min(1), {
      group: "Data",
      description: "run id, run folder, .onnx of any program, or .safetensors",
      value: "MODEL",
    }),
    quiet: quietSetting,
    json: jsonSetting,
  }),
  examples: [
    {
      does: "a run of your own, with more time",
      line: "overparam certify 7f3a9c houses.csv --target price --beta 0.1 --time 600",
    },
    {
      does: "a network that another program trained, on the table as it is",
      line: "overparam certify model.onnx houses.csv --target price --beta 0.1 --split none --standardize none",
    },
  ],
  async run({ model, json, quiet, ...settings }, context) {
    const { findModel } = await import("../../experiments/predict.ts");
    const given = findModel(settings.out, model);
    const next = ({ id, record }: StoredRun): string[] => [
      `overparam report ${id}`,
      "rigorous" in record.fit && record.fit.rigorous ? verifyCommand(id, settings) : `overparam runs show ${id}`,
    ];
    return runFit(settings, { json, quiet, given, next }, context);
  },
});
