import { z } from "zod";
import { setting } from "../../experiments/config.ts";
import { defineCommand, jsonSetting, plainSetting } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { formatArchitecture, formatTable, plural } from "../format.ts";

/** `32x32x3`, `784`. */
const shape = z
  .string()
  .regex(/^[1-9]\d*(x[1-9]\d*x[1-9]\d*)?$/, "write 784 for vectors, 32x32x3 for images")
  .transform((text) => text.split("x").map(Number));

export const archCommand = defineCommand({
  name: "arch",
  summary: "draw an architecture and count its parameters",
  positionals: ["arch"],
  flagsOnly: ["arch"],
  schema: z.object({
    arch: setting(z.string().min(1), {
      group: "Network",
      description: 'such as "conv(16, 3) relu gap dense(10)", or a JSON file',
      value: "SPEC|FILE.json",
    }),
    input: setting(z.preprocess((value) => (typeof value === "number" ? String(value) : value), shape).optional(), {
      group: "Network",
      description: "shape of a sample; default 32x32x3 for images, 784 for vectors",
      value: "SHAPE",
    }),
    plain: plainSetting,
    json: jsonSetting,
  }),
  examples: [
    {
      does: "a small residual network on images",
      line: 'overparam arch "conv(16, 3) [relu conv(16, 3)]x2 gap dense(10)" --input 32x32x3',
    },
    { does: "a network from a JSON file", line: "overparam arch network.json --input 784 --json" },
  ],
  async run({ arch, input, plain, json }, { terminal, version }) {
    const { drawArchitecture } = await import("../../experiments/architecture.ts");
    const drawn = drawArchitecture(arch, input ?? null);
    if (json) {
      terminal.out(JSON.stringify({ schema: 1, command: "arch", version, ...drawn }));
      return EXIT.ok;
    }
    const head = ["layer", "output", "parameters"];
    const rows = drawn.layers.map(({ depth, text, output, parameters }) => [
      `${"  ".repeat(depth)}${formatArchitecture(text)}`,
      output.join(" x "),
      String(parameters),
    ]);
    if (plain) for (const cells of [head, ...rows]) terminal.out(cells.join("\t"));
    else {
      terminal.out(`input ${drawn.input.join(" x ")}`);
      for (const line of formatTable(head, rows)) terminal.out(line);
      terminal.out(`${plural(drawn.parameters, "parameter")}; kernel in closed form: ${drawn.kernel ?? "yes"}`);
    }
    return EXIT.ok;
  },
});
