import { z } from "zod";
import { DataError } from "../../base/errors.ts";
import type { Checkpoint } from "../../experiments/checkpoint.ts";
import { fitSettingsSchema, setting } from "../../experiments/config.ts";
import { isKernelFit } from "../../experiments/kernel-model-json.ts";
import {
  findContradiction,
  type KernelFitSettings,
  kernelModelSettings,
} from "../../experiments/kernel-model-settings.ts";
import { reproduceCommand, verifyCommand } from "../../experiments/reproduce.ts";
import { findRun, type StoredRun } from "../../experiments/run-store.ts";
import { exists, readBytes } from "../../platform/files.ts";
import { joinPath } from "../../platform/run-files.ts";
import { type CommandContext, defineCommand, jsonSetting, quietSetting } from "../command.ts";
import { runFit, runKernelFit } from "../run-fit.ts";

const resumeSetting = setting(z.string().min(1).optional(), {
  group: "Effort",
  description: "go on from an interrupted run of the same problem",
  value: "RUN",
});

export const fitCommand = defineCommand({
  name: "fit",
  summary: "train a ReLU network to a certified global optimum",
  positionals: ["data"],
  flagsOnly: ["resume"],
  schema: fitSettingsSchema
    .safeExtend({ ...kernelModelSettings, resume: resumeSetting, quiet: quietSetting, json: jsonSetting })
    .superRefine((settings, context) => {
      const found = findContradiction(settings, settings.resume !== undefined);
      if (found !== null) context.addIssue({ code: "custom", path: [found.key], message: found.message });
      const kernel = settings.model === "ntk" || settings.model === "nngp";
      if (settings.path === true && kernel) {
        const message = `has no meaning with --model ${settings.model}: its report has the error at every ridge`;
        context.addIssue({ code: "custom", path: ["path"], message });
      }
    }),
  examples: [
    {
      does: "classes from a table, beta by validation",
      line: "overparam fit examples/tic-tac-toe.csv --target outcome",
    },
    {
      does: "one exact problem: fail unless the gap closes to 1 %",
      line: "overparam fit houses.csv --target price --beta 0.1 --require-gap 0.01",
    },
  ],
  async run({ json, quiet, resume, model, arch, ridge, ...settings }, context) {
    if (model === "ntk" || model === "nngp")
      return fitKernel({ ...settings, model, arch, ridge }, json, quiet, context);
    const checkpoint = resume === undefined ? {} : { resume: await loadCheckpoint(settings.out, resume) };
    return runFit(
      settings,
      {
        json,
        quiet,
        ...checkpoint,
        next: ({ id, record }) =>
          record.interrupted
            ? [`${reproduceCommand(settings)} --resume ${id}`]
            : [
                `overparam report ${id}`,
                `overparam export ${id} --onnx`,
                ...("rigorous" in record.fit && record.fit.rigorous ? [verifyCommand(id, settings)] : []),
              ],
      },
      context,
    );
  },
});

/** A fit by kernel regression. */
function fitKernel(
  settings: KernelFitSettings,
  json: boolean,
  quiet: boolean,
  context: CommandContext,
): Promise<number> {
  const next = ({ id, record }: StoredRun): string[] => {
    const std = isKernelFit(record.fit) && record.fit.result.noise !== null ? " --std" : "";
    return [`overparam report ${id}`, `overparam predict ${id} new.csv${std}`];
  };
  return runKernelFit(settings, { json, quiet, next }, context);
}

/** The checkpoint in the folder of an interrupted run. */
async function loadCheckpoint(runsFolder: string, word: string): Promise<Checkpoint> {
  const { CHECKPOINT_FILE, readCheckpoint } = await import("../../experiments/checkpoint.ts");
  const folder = findRun(runsFolder, word);
  const file = joinPath(folder, CHECKPOINT_FILE);
  if (!exists(file)) {
    throw new DataError(`the run ${word} has no checkpoint`, {
      code: "no-checkpoint",
      hint: "only interrupted runs can be resumed; this one was finished",
      place: { file: folder },
    });
  }
  return readCheckpoint(readBytes(file), file);
}
