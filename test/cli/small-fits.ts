import type { ChildProcess } from "node:child_process";
import { mkdirSync, readdirSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { type RandomStream, randomStream } from "../../src/base/random.ts";
import { listRuns, readRun } from "../../src/experiments/run-store.ts";
import { overparam } from "./program.ts";

/** A table of `columns` normal features and a target with kinks. */
export function tableCsv(rows: number, columns: number): string {
  const random = randomStream(0, "command line tests");
  const names = Array.from({ length: columns }, (_, j) => `x${j + 1}`);
  const lines = Array.from({ length: rows }, () => {
    const x = names.map(() => random.normal());
    const y = Math.abs(x[0] ?? 0) - Math.max(0, x.at(-1) ?? 0) + 0.1 * random.normal();
    return [...x, y].map((value) => value.toFixed(6)).join(",");
  });
  return `${[...names, "y"].join(",")}\n${lines.join("\n")}\n`;
}

/** What every run folder has. */
export const RUN_FILES = [
  "README.md",
  "certificate.json",
  "history.ndjson",
  "model.onnx",
  "model.safetensors",
  "report.html",
  "report.json",
  "run.json",
];

/** A fit of a second or two, of a table that {@link killFits} and the tests write. */
export const SMALL = ["fit", "small.csv", "--target", "y", "--beta-ratio", "0.1", "--time", "20", "--threads", "1"];

/**
 * Starts fits in `cwd` and kills them with SIGKILL: `anywhere` of them at random moments between start and end, then
 * `saving` of them while the run is written. After each, the runs folder must hold whole runs and nothing else.
 *
 * @returns how many fits of each kind did not live to their end.
 */
export async function killFits(
  cwd: string,
  random: RandomStream,
  { anywhere, saving }: { readonly anywhere: number; readonly saving: number },
): Promise<{ readonly anywhere: number; readonly saving: number }> {
  writeFileSync(join(cwd, "small.csv"), tableCsv(40, 1));
  const parent = join(cwd, "runs");
  mkdirSync(parent);
  const isKilled = async (started: (child: ChildProcess) => void): Promise<boolean> => {
    const { signal } = await overparam([...SMALL, "--quiet"], { cwd, started });
    expect(listRuns(parent).damaged).toEqual([]);
    for (const name of readdirSync(parent).filter((entry) => !entry.startsWith("."))) {
      expect(readdirSync(join(parent, name))).toEqual(expect.arrayContaining(RUN_FILES));
      readRun(join(parent, name), true);
    }
    return signal === "SIGKILL";
  };
  const killed = { anywhere: 0, saving: 0 };
  const start = performance.now();
  expect(await isKilled(() => {})).toBe(false);
  const longest = performance.now() - start;
  for (let k = 0; k < anywhere; k++) {
    const wait = random.uniform() * longest;
    if (await isKilled((child) => setTimeout(() => child.kill("SIGKILL"), wait))) killed.anywhere += 1;
  }
  for (let k = 0; k < saving; k++) {
    const wait = k % 2 === 0 ? 0 : 20 * random.uniform();
    let changes = 0;
    const dead = await isKilled((child) => {
      // The folder is changed four times, the last two by the saving.
      const watcher = watch(parent, () => {
        changes += 1;
        if (changes >= 3) setTimeout(() => child.kill("SIGKILL"), wait);
      });
      child.once("exit", () => watcher.close());
    });
    if (dead) killed.saving += 1;
    expect(changes).toBeGreaterThanOrEqual(3);
  }
  return killed;
}
