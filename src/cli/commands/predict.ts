import { z } from "zod";
import { UsageError } from "../../base/errors.ts";
import { setting } from "../../experiments/config.ts";
import { writeFileAtomic } from "../../platform/files.ts";
import { defineCommand, jsonSetting, quietSetting, runsSetting } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { formatMetrics } from "../fit-lines.ts";
import { predictedValues, predictionsCsv, rowsOf } from "../predictions.ts";
import { progressLine } from "../progress.ts";

const path = z.string().min(1);

export const predictCommand = defineCommand({
  name: "predict",
  summary: "apply a saved network to new rows",
  positionals: ["model", "data"],
  flagsOnly: ["model", "data", "out"],
  schema: z.object({
    model: setting(path, { group: "Input", description: "run id, run folder, .safetensors or .onnx file" }),
    data: setting(path, {
      group: "Input",
      description: "table with the columns of the training data, or images like those",
    }),
    std: setting(z.boolean().default(false), {
      group: "Output",
      description: "of kernel regressions: the standard deviation of each prediction too",
    }),
    out: setting(path.optional(), {
      group: "Output",
      description: "write the predictions to this .csv file, not to stdout",
      value: "FILE",
    }),
    runs: runsSetting,
    quiet: quietSetting,
    json: jsonSetting,
  }),
  examples: [
    { does: "predictions of a run as CSV", line: "overparam predict 7f3a9c new.csv > predictions.csv" },
    { does: "how good are they? (the file has the target too)", line: "overparam predict 7f3a9c test.csv --json" },
  ],
  async run({ model, data, std, out, runs, quiet, json }, { terminal, version }) {
    const { findKernelModel, predictKernelRows } = await import("../../experiments/kernel-predict.ts");
    const { findDeepModel, predictDeepSamples } = await import("../../experiments/training/predict.ts");
    const { findModel, readModel, predictRows } = await import("../../experiments/predict.ts");
    const file = findModel(runs, model);
    const kernel = findKernelModel(file);
    const deep = findDeepModel(file);
    if (kernel === null && std) {
      throw new UsageError("--std is about kernel regressions: a network has no standard deviations", {
        code: "contradiction",
        hint: "leave it out, or fit with --model ntk",
      });
    }
    const progress = (share: number): void => {
      if (!quiet && terminal.canRedraw) terminal.transient(progressLine("kernel", share, [], terminal.errColumns));
    };
    const prediction =
      deep !== null
        ? await predictDeepSamples(deep, data)
        : kernel === null
          ? predictRows(readModel(file), data)
          : await predictKernelRows(kernel, data, { deviations: std, progress });
    terminal.clear();
    const { metrics, notes, target, scores } = prediction;
    if (!quiet) for (const note of notes) terminal.err(terminal.styleErr("dim", `  note: ${note}`));
    if (out !== undefined) writeFileAtomic(out, `${predictionsCsv(prediction)}\n`);
    else if (!json) terminal.out(predictionsCsv(prediction));
    if (json) {
      const predictions = out === undefined ? predictedValues(prediction) : null;
      const { probabilities, deviations } = prediction;
      const spread = deviations === undefined || out !== undefined ? {} : { deviations: rowsOf(deviations) };
      const odds = probabilities === null || out !== undefined ? {} : { probabilities: rowsOf(probabilities) };
      const shared = { schema: 1, command: "predict", version, model: file, rows: scores.rows, target, metrics };
      terminal.out(JSON.stringify({ ...shared, out: out ?? null, predictions, ...odds, ...spread }));
    }
    if (!quiet && metrics !== null) terminal.err(`  ${target.name}: ${formatMetrics(metrics)}`);
    if (!quiet && out !== undefined) terminal.err(`  saved ${out}`);
    return EXIT.ok;
  },
});
