import { z } from "zod";
import { setting } from "../../experiments/config.ts";
import { writeFileAtomic } from "../../platform/files.ts";
import { defineCommand, jsonSetting, quietSetting, runsSetting } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { formatMetrics } from "../fit-lines.ts";
import { predictedValues, predictionsCsv } from "../predictions.ts";

const path = z.string().min(1);

export const predictCommand = defineCommand({
  name: "predict",
  summary: "apply a saved network to new rows",
  positionals: ["model", "data"],
  flagsOnly: ["model", "data", "out"],
  schema: z.object({
    model: setting(path, { group: "Input", description: "run id, run folder, .safetensors or .onnx file" }),
    data: setting(path, { group: "Input", description: "table with the columns of the training data" }),
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
  async run({ model, data, out, runs, quiet, json }, { terminal, version }) {
    const { findModel, readModel, predictRows } = await import("../../experiments/predict.ts");
    const file = findModel(runs, model);
    const prediction = predictRows(readModel(file), data);
    const { metrics, notes, target, scores } = prediction;
    if (!quiet) for (const note of notes) terminal.err(terminal.styleErr("dim", `  note: ${note}`));
    if (out !== undefined) writeFileAtomic(out, `${predictionsCsv(prediction)}\n`);
    else if (!json) terminal.out(predictionsCsv(prediction));
    if (json) {
      const predictions = out === undefined ? predictedValues(prediction) : null;
      const shared = { schema: 1, command: "predict", version, model: file, rows: scores.rows, target, metrics };
      terminal.out(JSON.stringify({ ...shared, out: out ?? null, predictions }));
    }
    if (!quiet && metrics !== null) terminal.err(`  ${target.name}: ${formatMetrics(metrics)}`);
    if (!quiet && out !== undefined) terminal.err(`  saved ${out}`);
    return EXIT.ok;
  },
});
