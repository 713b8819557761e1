import { z } from "zod";
import { UsageError } from "../../base/errors.ts";
import { fitSettingsSchema, setting } from "../../experiments/config.ts";
import { trainSettingsSchema } from "../../experiments/training/settings.ts";
import { defineCommand, jsonSetting, plainSetting, runsSetting } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { formatArchitecture, formatNumber, formatTable } from "../format.ts";
import { pixelSettings } from "../pixel-settings.ts";

const ofTraining = trainSettingsSchema.shape;

export const probeCommand = defineCommand({
  name: "probe",
  summary: "measure the theory's quantities on a trained network",
  positionals: ["model", "data"],
  flagsOnly: ["model", "data"],
  schema: z.object({
    model: setting(z.string().min(1), {
      group: "Input",
      description: "an ONNX file of any program, model.safetensors of a run, or a run",
      value: "FILE|RUN",
    }),
    data: setting(z.string().min(1).optional(), {
      group: "Input",
      description: "samples to look at it with; a run has its own",
      value: "FILE",
    }),
    target: ofTraining.target,
    task: ofTraining.task,
    missing: ofTraining.missing,
    standardize: setting(z.enum(["columns", "none"]).optional(), {
      group: "Data",
      description: "columns to mean 0, deviation 1; default: none for ONNX, columns for ours",
    }),
    ...pixelSettings,
    train: ofTraining.train,
    loss: ofTraining.loss,
    reduction: ofTraining.reduction,
    rate: setting(z.number().positive().optional(), {
      group: "Training",
      description: "step size that it was trained with: tells the edge of stability",
    }),
    monitor: setting(z.string().optional(), {
      group: "Record",
      description: "quantities to measure, with commas between; default: all",
      value: "NAMES",
    }),
    samples: setting(z.int().positive().default(64), {
      group: "Effort",
      description: "samples that costly quantities are measured on, at most",
    }),
    threads: fitSettingsSchema.shape.threads,
    runs: runsSetting,
    plain: plainSetting,
    json: jsonSetting,
  }),
  examples: [
    {
      does: "a network of another program, with the table that it was trained on",
      line: "overparam probe model.onnx table.csv --target price --loss squared",
    },
    {
      does: "an image classifier, with the pixels that it was trained on",
      line: "overparam probe resnet.onnx data.bin --pixel-mean 0.5 --pixel-std 0.25",
    },
  ],
  async run(settings, { terminal, version }) {
    const {
      model,
      data = null,
      runs,
      samples,
      monitor = "",
      threads,
      plain,
      json,
      pixelMean,
      pixelStd,
      channels,
      ...rest
    } = settings;
    if ((pixelMean ?? pixelStd) !== undefined && rest.standardize === "columns") {
      throw new UsageError(
        "--standardize columns finds means and deviations itself: leave --pixel-mean and --pixel-std out",
        {
          code: "contradiction",
        },
      );
    }
    const { probeNetwork } = await import("../../experiments/probe.ts");
    const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    const names = monitor
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "");
    const result = await probeNetwork({
      model,
      data,
      runs,
      settings: given,
      pixels: { mean: pixelMean, std: pixelStd, channels },
      samples,
      names,
      threads,
    });
    if (json) {
      terminal.out(JSON.stringify({ schema: 1, command: "probe", version, ...result }));
      return EXIT.ok;
    }
    const { measurements, architecture } = result;
    const number = (value: number | null): string => (value === null ? "-" : formatNumber(value));
    const head = ["quantity", "layer", "value", "bound", "constant", "mark"];
    const rows = measurements.map(({ name, layer, value, bound, constant, status }) => [
      name,
      layer ?? "-",
      number(value),
      number(bound),
      number(constant),
      status ?? "-",
    ]);
    if (plain) {
      for (const cells of [head, ...rows]) terminal.out(cells.join("\t"));
      return EXIT.ok;
    }
    const shown = formatArchitecture(architecture);
    terminal.out(`${shown} · ${result.parameters} parameters · ${result.loss} loss · ${result.samples} samples`);
    for (const line of formatTable(head, rows)) terminal.out(line);
    const statements = new Set(
      measurements.flatMap(({ statement, status }) => (statement === null ? [] : [`${status}: ${statement}`])),
    );
    for (const statement of statements) terminal.out(`  ${statement}`);
    for (const { rows: left, missing, why } of result.absent) {
      terminal.out(`  ${missing === "rows" ? "not measured" : "no bound"}: ${left.join(", ")}: ${why}`);
    }
    for (const note of result.notes) terminal.out(`  note: ${note}`);
    return EXIT.ok;
  },
});
