import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { completionModel } from "../../src/cli/completion-model.ts";
import { completionScript, SHELLS } from "../../src/cli/completion-scripts.ts";
import { commands } from "../../src/cli/registry.ts";
import { publishRun } from "../../src/experiments/run-store.ts";
import { MAIN, temporaryFolder } from "./program.ts";
import { newRun } from "./runs.ts";

const model = await completionModel(commands);

/** Whether a shell is installed. */
const has = (shell: string): boolean => spawnSync(shell, ["--version"]).status === 0;

/** Runs a script in a shell. */
function run(shell: string, script: string, cwd?: string): string {
  const { status, stdout, stderr } = spawnSync(shell, ["-c", script], { encoding: "utf8", cwd });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return stdout;
}

describe("completionModel", () => {
  test("completionModel knows every command, its flags and what may follow them", () => {
    expect(model.map(({ name }) => name)).toEqual(commands.map(({ name }) => name));
    const fit = model.find(({ name }) => name === "fit")!;
    const valueAfter = (flag: string) => fit.flags.find(({ name }) => name === flag)!.value;
    expect(fit.argument).toEqual({ kind: "files" });
    expect(valueAfter("--task")).toEqual({ kind: "words", words: ["auto", "regression", "classification"] });
    expect(valueAfter("--resume")).toEqual({ kind: "runs" });
    expect(valueAfter("--gates")).toEqual({ kind: "files" });
    expect(valueAfter("--seed")).toEqual({ kind: "nothing" });
    expect(valueAfter("--json")).toBeNull();
    for (const name of ["predict", "report", "export", "runs show", "runs rm"]) {
      expect(model.find((command) => command.name === name)!.argument).toEqual({ kind: "runs" });
    }
  });
});

describe("completionScript", () => {
  test.each(SHELLS)("completionScript for %s is a script that this shell reads", (shell) => {
    const script = completionScript(shell, model);
    for (const { flags } of model) for (const { name } of flags) expect(script).toContain(name.slice(2));
    if (!has(shell)) return;
    const { status, stderr } = spawnSync(shell, ["-n"], { input: script, encoding: "utf8" });
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });

  test.skipIf(!has("bash"))("completionScript for bash completes commands, flags, values and ids", () => {
    const cwd = temporaryFolder();
    publishRun(join(cwd, "runs"), newRun("abc123"));
    const complete = (...words: string[]): string[] => {
      const script = `${completionScript("bash", model)}
overparam() { '${process.execPath}' '${MAIN}' "$@"; }
COMP_WORDS=(overparam ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}
_overparam
printf '%s\\n' "\${COMPREPLY[@]}"`;
      return run("bash", script, cwd).trim().split("\n");
    };
    expect(complete("r")).toEqual(["report", "runs"]);
    expect(complete("runs", "")).toEqual(["ls", "show", "rm"]);
    expect(complete("fit", "a.csv", "--ta")).toEqual(["--target", "--task"]);
    expect(complete("fit", "a.csv", "--task", "c")).toEqual(["classification"]);
    expect(complete("runs", "rm", "")).toEqual(["abc123"]);
    expect(complete("export", "a")).toEqual(["abc123"]);
    expect(complete("completion", "")).toEqual([...SHELLS]);
    // Left to bash: a file.
    expect(complete("fit", "--out", "")).toEqual([""]);
  });
});
