import { z } from "zod";
import { fitSettingsSchema } from "../../experiments/config.ts";
import { defineCommand, jsonSetting, plainSetting } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { backendLine } from "../fit-lines.ts";
import { formatBytes, formatNumber, wrap } from "../format.ts";

const NAME_WIDTH = 12;

export const doctorCommand = defineCommand({
  name: "doctor",
  summary: "show which machinery is used, and how fast it is",
  positionals: [],
  schema: z.object({ threads: fitSettingsSchema.shape.threads, plain: plainSetting, json: jsonSetting }),
  examples: [
    { does: "backend, BLAS, SIMD, memory and speed", line: "overparam doctor" },
    { does: "the same on one thread, for another program", line: "overparam doctor --threads 1 --json" },
  ],
  async run({ threads, plain, json }, { terminal, version }) {
    const { inspectMachinery } = await import("../../experiments/doctor.ts");
    terminal.transient("  measuring the speed of a matrix product");
    const report = await inspectMachinery(threads);
    const node = process.versions.node;
    const system = `${process.platform} ${process.arch}`;
    if (json) {
      terminal.out(JSON.stringify({ schema: 1, command: "doctor", version, node, system, ...report }));
      return EXIT.ok;
    }
    const { backend, simd, processors, blas, memoryLimit, gemm, hints } = report;
    const speed = `${formatNumber(gemm.gflops)} GFLOP/s (product of matrices of order ${gemm.order})`;
    const lines: [string, string][] = [
      ["overparam", `${version}, Node.js ${node}, ${system}, ${processors} processors`],
      ["backend", backendLine(backend).replace(/^backend /, "")],
      ["BLAS", blas.note],
      ["SIMD", `${simd.level}: ${simd.reason}`],
      [
        "memory",
        `up to ${formatBytes(memoryLimit)} for the kernels; products of larger matrices take a panel of rows at a time`,
      ],
      ["speed", speed],
      ...hints.map((hint): [string, string] => ["hint", hint]),
    ];
    const blank = " ".repeat(NAME_WIDTH);
    for (const [name, text] of lines) {
      if (plain) terminal.out(`${name}\t${text}`);
      else terminal.out(wrap(text, terminal.outColumns - 1, name.padEnd(NAME_WIDTH), blank));
    }
    return EXIT.ok;
  },
});
