import { z } from "zod";
import { setting } from "../../experiments/config.ts";
import { defineCommand, jsonSetting } from "../command.ts";
import { completionModel } from "../completion-model.ts";
import { completionScript, SHELLS } from "../completion-scripts.ts";
import { EXIT } from "../exit-codes.ts";
import { commands } from "../registry.ts";

export const completionCommand = defineCommand({
  name: "completion",
  summary: "completion of commands and flags for a shell",
  positionals: ["shell"],
  flagsOnly: ["shell"],
  schema: z.object({
    shell: setting(z.enum(SHELLS), { group: "Input", description: "bash, zsh or fish" }),
    json: jsonSetting,
  }),
  examples: [
    { does: "for bash, from the next start on", line: "overparam completion bash >> ~/.bashrc" },
    { does: "for this fish, or in its config.fish", line: "overparam completion fish | source" },
  ],
  async run({ shell, json }, { terminal, version }) {
    const script = completionScript(shell, await completionModel(commands));
    if (json) terminal.out(JSON.stringify({ schema: 1, command: "completion", version, shell, script }));
    else terminal.out(script.trimEnd());
    return EXIT.ok;
  },
});
