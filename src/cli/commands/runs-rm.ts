import { z } from "zod";
import { setting } from "../../experiments/config.ts";
import { findRunExactly, removeRun } from "../../experiments/run-store.ts";
import { defineCommand, jsonSetting, quietSetting, runsSetting } from "../command.ts";
import { EXIT } from "../exit-codes.ts";

export const runsRemoveCommand = defineCommand({
  name: "runs rm",
  summary: "remove saved runs for good",
  positionals: ["run"],
  flagsOnly: ["run"],
  schema: z.object({
    run: setting(z.array(z.string().min(1)).min(1), {
      group: "Input",
      description: "whole ids, or run folders; the beginning of an id is not enough, since nothing is asked",
    }),
    runs: runsSetting,
    quiet: quietSetting,
    json: jsonSetting,
  }),
  examples: [
    { does: "one run", line: "overparam runs rm 7f3a9c" },
    { does: "several", line: "overparam runs rm 7f3a9c 12ab34 runs/2026-11-21-iris-56cd78" },
  ],
  async run({ run: words, runs, quiet, json }, { terminal, version }) {
    // All are looked up before the first is removed.
    const found = new Map(words.map((word) => findRunExactly(runs, word)).map((run) => [run.path, run]));
    for (const { path } of found.values()) {
      removeRun(path);
      if (!json && !quiet) terminal.err(`  removed ${path}`);
    }
    if (json) terminal.out(JSON.stringify({ schema: 1, command: "runs rm", version, removed: [...found.values()] }));
    return EXIT.ok;
  },
});
