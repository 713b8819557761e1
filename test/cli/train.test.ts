import type { ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { listRuns, readRun } from "../../src/experiments/run-store.ts";
import { type TrainJson, trainJsonSchema } from "../../src/experiments/training/types.ts";
import { readDeepModel } from "../../src/formats/index.ts";
import { overparam, temporaryFolder } from "./program.ts";
import { tableCsv } from "./small-fits.ts";

const ARCH = "dense(32, b=1) relu dense(1)";
/** A training of a second. */
const SMALL = [
  "train",
  "small.csv",
  "--target",
  "y",
  "--arch",
  ARCH,
  "--batch",
  "8",
  "--rate",
  "0.05",
  "--threads",
  "1",
];

function workFolder(): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "small.csv"), tableCsv(40, 3));
  return cwd;
}

const jsonOf = (stdout: string): TrainJson => trainJsonSchema.parse(JSON.parse(stdout));
const weightsOf = (path: string): unknown => {
  const file = join(path, "model.safetensors");
  return readDeepModel(new Uint8Array(readFileSync(file)), file).parameters;
};
const stepsOf = (path: string): number[] =>
  readFileSync(join(path, "history.ndjson"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).step);

/** Kills, or interrupts, a training once its checkpoint has been written so often. */
function afterCheckpoints(
  cwd: string,
  count: number,
  act: (child: ChildProcess) => void,
): (child: ChildProcess) => void {
  return (child) => {
    let seen = 0;
    let last = 0;
    const timer = setInterval(() => {
      const parent = join(cwd, "runs");
      const work = existsSync(parent) ? readdirSync(parent).filter((name) => name.startsWith(".train-")) : [];
      const files = work.map((name) => join(parent, name, "checkpoint.safetensors")).filter(existsSync);
      const changed = Math.max(0, ...files.map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0));
      if (changed > last) seen += 1;
      last = Math.max(last, changed);
      if (seen >= count) {
        clearInterval(timer);
        act(child);
      }
    }, 5);
    child.once("exit", () => clearInterval(timer));
  };
}

describe("overparam train", () => {
  test("overparam train --json prints one object and saves a run that other commands take", async () => {
    const cwd = workFolder();
    const { code, stdout, stderr } = await overparam([...SMALL, "--epochs", "20", "--json", "--quiet"], { cwd });
    expect([code, stderr]).toEqual([0, ""]);
    const json = jsonOf(stdout);
    expect(json.result).toMatchObject({ status: "finished", reason: "steps", steps: 80 });
    const { id = "", path = "" } = json.run ?? {};
    expect(readdirSync(path)).toEqual(
      expect.arrayContaining([
        "README.md",
        "checkpoint.safetensors",
        "history.ndjson",
        "model.onnx",
        "model.safetensors",
        "report.html",
        "run.json",
      ]),
    );
    expect(readRun(path, true).record.fit).toEqual({ ...json, run: null });
    expect(readdirSync(join(cwd, "runs")).filter((name) => name.startsWith("."))).toEqual([]);

    const listed = await overparam(["runs", "ls"], { cwd });
    expect(listed.stdout).toContain("finished");
    const shown = await overparam(["runs", "show", id], { cwd });
    expect(shown.stdout).toContain("squared loss (mean), 32 samples, batches of 8");
    const predicted = await overparam(["predict", id, "small.csv", "--json"], { cwd });
    expect(predicted.code).toBe(0);
    const { metrics, predictions } = JSON.parse(predicted.stdout);
    expect(predictions).toHaveLength(40);
    expect(metrics.rmse).toBeLessThan(1);
    const reported = await overparam(["report", id], { cwd });
    expect([reported.code, reported.stdout.trimEnd()]).toEqual([0, join(path, "report.html")]);
    const exported = await overparam(["export", id, "--onnx", "m.onnx", "--safetensors", "m.safetensors"], { cwd });
    expect(exported.code).toBe(0);
    expect(readFileSync(join(cwd, "m.safetensors"))).toEqual(readFileSync(join(path, "model.safetensors")));
    const certified = await overparam(["certify", id, "small.csv", "--target", "y", "--beta", "1"], { cwd });
    expect(certified).toMatchObject({ code: 1, stderr: expect.stringContaining("holds a deep network") });
  });

  test("overparam train shows what it does on stderr and its result on stdout", async () => {
    const cwd = workFolder();
    const args = ["train", "circle(12)", "--arch", "dense(64) relu dense(1)", "--steps", "50", "--monitor", "loss"];
    const { code, stdout, stderr } = await overparam(args, { cwd });
    expect(code).toBe(0);
    expect(stderr).toContain("12 samples of 3 · target y (a number) · nothing held out, seed 0");
    expect(stderr).toContain(
      "half of the largest stable one; the largest eigenvalue of the tangent kernel at the start",
    );
    expect(stderr).toContain("measures loss every");
    expect(stdout).toMatch(/^ {2}Mean squared loss [\d.e-]+ after 50 steps\.$/m);
    expect(stdout).toMatch(/next: overparam report \w+/);
    const repeated = (await overparam(args, { cwd })).stdout;
    const { runs } = listRuns(join(cwd, "runs"));
    expect(repeated).toContain("saved");
    expect(runs).toHaveLength(2);
    expect(weightsOf(runs[0]!.path)).toEqual(weightsOf(runs[1]!.path));
  });

  test("overparam train that diverges ends with 3, says so, and keeps a finite network", async () => {
    const cwd = workFolder();
    const { code, stdout } = await overparam([...SMALL, "--rate", "1e9", "--json"], { cwd });
    expect(code).toBe(3);
    const json = jsonOf(stdout);
    expect(json.result.status).toBe("diverged");
    expect(weightsOf(json.run?.path ?? "")).toBeDefined();
    const { record } = readRun(json.run?.path ?? "", true);
    expect(record.verdict[0]).toContain("Diverged");
    expect(record.verdict[1]).toContain("are stable");
  });

  test("overparam train refuses bad calls with a hint and leaves nothing behind", async () => {
    const cwd = workFolder();
    for (const [args, message] of [
      [["train", "small.csv", "--arch", ARCH], "no target"],
      [["train", "small.csv", "--target", "y", "--arch", "dense(2)"], "end the architecture with dense(1)"],
      [["train", "small.csv", "--target", "y", "--arch", ARCH, "--nesterov"], "--nesterov needs a --momentum above 0"],
      [["train", "small.csv", "--target", "y", "--arch", ARCH, "--resume"], "no interrupted training"],
    ] as const) {
      const { code, stderr } = await overparam(args, { cwd });
      expect([code, stderr]).toEqual([1, expect.stringContaining(message)]);
    }
    expect(listRuns(join(cwd, "runs")).runs).toEqual([]);
  });
});

describe("overparam train, interrupted", () => {
  const LONG = [...SMALL, "--epochs", "2000", "--every", "100", "--checkpoint", "0.05"];

  test("overparam train killed at any moment and resumed ends with the weights of one that was not", {
    timeout: 180_000,
  }, async () => {
    const cwd = workFolder();
    const whole = jsonOf((await overparam([...LONG, "--json", "--quiet"], { cwd })).stdout);
    const random = randomStream(3, "kills");
    let killed = 0;
    for (let round = 0; round < 3; round++) {
      const count = 2 + random.integer(3);
      const args = [...LONG, "--json", "--quiet", ...(killed > 0 ? ["--resume"] : [])];
      const { signal } = await overparam(args, {
        cwd,
        started: afterCheckpoints(cwd, count, (child) => child.kill("SIGKILL")),
      });
      if (signal === "SIGKILL") killed += 1;
      else break;
    }
    expect(killed).toBeGreaterThan(0);
    const rest = await overparam([...LONG, "--json", "--resume"], { cwd });
    // A fast machine may have come to the end before a kill: then there is nothing to go on from.
    if (rest.code === 1) expect(rest.stderr).toContain("no interrupted training");
    const { runs, damaged } = listRuns(join(cwd, "runs"));
    expect(damaged).toEqual([]);
    expect(runs).toHaveLength(2);
    const other = runs.find(({ id }) => id !== whole.run?.id)!;
    expect(weightsOf(other.path)).toEqual(weightsOf(whole.run?.path ?? ""));
    expect(stepsOf(other.path)).toEqual(stepsOf(whole.run?.path ?? ""));
    expect(readdirSync(join(cwd, "runs")).filter((name) => name.startsWith(".train"))).toEqual([]);
  });

  test("overparam train saves a checkpoint on Ctrl-C, ends with 130, and --resume RUN goes on", {
    timeout: 120_000,
  }, async () => {
    const cwd = workFolder();
    const long = [...LONG, "--epochs", "1000000"];
    const { code, stdout, stderr } = await overparam([...long, "--json"], {
      cwd,
      started: afterCheckpoints(cwd, 2, (child) => child.kill("SIGINT")),
    });
    expect(code).toBe(130);
    const json = jsonOf(stdout);
    expect(json.result).toMatchObject({ status: "interrupted", reason: "cancelled" });
    expect(stderr).toContain(`--resume ${json.run?.id}`);
    const { steps } = json.result;
    const again = await overparam(
      [...LONG, "--epochs", String(steps / 4 + 10), "--resume", json.run?.id ?? "", "--json"],
      {
        cwd,
      },
    );
    expect(again.code).toBe(0);
    expect(jsonOf(again.stdout).result.steps).toBe(Math.ceil((steps / 4 + 10) * 4));
    const history = stepsOf(jsonOf(again.stdout).run?.path ?? "");
    expect(history).toEqual([...new Set(history)].toSorted((a, b) => a - b));
    const other = await overparam([...LONG, "--rate", "0.1", "--resume", json.run?.id ?? ""], { cwd });
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining("rate was 0.05, now 0.1") });
  });

  test("overparam train refuses a place where runs cannot be saved before it starts", async () => {
    const cwd = workFolder();
    const { code, stderr } = await overparam([...SMALL, "--epochs", "2", "--out", "small.csv"], { cwd });
    expect(code).toBe(1);
    expect(stderr).toContain("error: ");
    expect(stderr).not.toContain("samples of");
  });
});
