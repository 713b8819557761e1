import { z } from "zod";
import { UsageError } from "../../base/errors.ts";
import { setting } from "../../experiments/config.ts";
import type { Prediction } from "../../experiments/predict.ts";
import { writeFileAtomic } from "../../platform/files.ts";
import { defineCommand, jsonSetting, quietSetting, runsSetting } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { formatMetrics } from "../fit-lines.ts";
import { pixelSettings } from "../pixel-settings.ts";
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
    target: setting(z.string().min(1).optional(), {
      group: "Data",
      description: "of ONNX files of other programs: the column that is no input, or a file of labels of images",
      value: "COLUMN",
    }),
    ...pixelSettings,
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
    {
      does: "images, with a network of another program",
      line: "overparam predict lenet.onnx t10k-images-idx3-ubyte --pixel-mean 0.13",
    },
  ],
  async run(settings, { terminal, version }) {
    const { model, data, target: column, pixelMean, pixelStd, channels, std, out, runs, quiet, json } = settings;
    const { isForeignOnnx, predictOnnxSamples } = await import("../../experiments/probe-predict.ts");
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
    const isForeign = isForeignOnnx(file);
    if (!isForeign && [column, pixelMean, pixelStd, channels].some((value) => value !== undefined)) {
      throw new UsageError("--target, --pixel-mean, --pixel-std and --channels are for ONNX files of other programs", {
        code: "contradiction",
        hint: "leave them out: a model of this program knows what it takes",
      });
    }
    const progress = (share: number): void => {
      if (!quiet && terminal.canRedraw) terminal.transient(progressLine("kernel", share, [], terminal.errColumns));
    };
    const predict = async (): Promise<Prediction> => {
      if (isForeign) return predictOnnxSamples(file, data, column, { mean: pixelMean, std: pixelStd, channels });
      if (deep !== null) return predictDeepSamples(deep, data);
      if (kernel !== null) return predictKernelRows(kernel, data, { deviations: std, progress });
      return predictRows(readModel(file), data);
    };
    const prediction = await predict();
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
