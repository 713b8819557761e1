import { z } from "zod";
import { UsageError } from "../../base/errors.ts";
import { setting } from "../../experiments/config.ts";
import { writeFileAtomic } from "../../platform/files.ts";
import { absolutePath, baseName } from "../../platform/run-files.ts";
import { defineCommand, jsonSetting, quietSetting, runSetting, runsSetting } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { formatBytes } from "../format.ts";

const fileSetting = (what: string) =>
  setting(z.union([z.boolean(), z.string().min(1)]).optional(), {
    group: "Output",
    description: `${what}; without FILE named after the data`,
    value: "[FILE]",
  });

export const exportCommand = defineCommand({
  name: "export",
  summary: "write the network of a run as ONNX or safetensors",
  positionals: ["run"],
  flagsOnly: ["run", "onnx", "safetensors", "float64"],
  schema: z.object({
    run: runSetting,
    onnx: fileSetting("for ONNX Runtime, Netron and others"),
    safetensors: fileSetting("the weights in float64"),
    float64: setting(z.boolean().default(false), {
      group: "Output",
      description: "ONNX with float64 weights; default: float32",
    }),
    runs: runsSetting,
    quiet: quietSetting,
    json: jsonSetting,
  }),
  examples: [
    { does: "./tic-tac-toe.onnx, for a run on tic-tac-toe.csv", line: "overparam export 7f3a9c --onnx" },
    {
      does: "all digits, where the runtime knows float64",
      line: "overparam export 7f3a9c --onnx model.onnx --float64",
    },
  ],
  async run({ run, onnx, safetensors, float64, runs, quiet, json }, { terminal, version }) {
    if (!onnx && !safetensors) {
      throw new UsageError("nothing to export", { code: "missing-value", hint: "give --onnx, --safetensors or both" });
    }
    if (float64 && !onnx) {
      throw new UsageError("--float64 is about ONNX: safetensors files always hold float64", {
        code: "contradiction",
        hint: "add --onnx, or leave --float64 out",
      });
    }
    const { exportModel } = await import("../../experiments/export-model.ts");
    const formats = [
      { format: "onnx", file: onnx },
      { format: "safetensors", file: safetensors },
    ] as const;
    const files = formats.flatMap(({ format, file }) => {
      if (file === undefined || file === false) return [];
      const { name, bytes } = exportModel(runs, run, format, float64);
      const target = file === true ? name : file;
      writeFileAtomic(target, bytes);
      return [{ format, path: absolutePath(target), bytes: bytes.length }];
    });
    if (json) terminal.out(JSON.stringify({ schema: 1, command: "export", version, files }));
    else for (const { path } of files) terminal.out(path);
    if (!quiet && !json) {
      for (const { path, bytes } of files) terminal.err(`  wrote ${baseName(path)}, ${formatBytes(bytes)}`);
    }
    return EXIT.ok;
  },
});
