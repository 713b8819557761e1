import type { ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { fitJsonSchema } from "../../src/experiments/fit-types.ts";
import { listRuns, readRun } from "../../src/experiments/run-store.ts";
import { overparam, temporaryFolder } from "./program.ts";
import { killFits, RUN_FILES, SMALL, tableCsv } from "./small-fits.ts";

/** Keeps a solver busy for much longer than a test. */
const LONG = ["fit", "large.csv", "--target", "y", "--beta-ratio", "0.01", "--time", "120", "--tolerance", "1e-12"];

function workFolder(): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "small.csv"), tableCsv(40, 1));
  writeFileSync(join(cwd, "large.csv"), tableCsv(600, 30));
  return cwd;
}

/** Calls back once the program has written `text` to stderr. */
function onStderr(child: ChildProcess, text: string, then: () => void): void {
  let seen = "";
  let called = false;
  child.stderr?.on("data", (part: string) => {
    seen += part;
    if (called || !seen.includes(text)) return;
    called = true;
    then();
  });
}

describe("overparam fit", () => {
  test("overparam fit --json prints one object of the fixed shape and saves a complete run", async () => {
    const cwd = workFolder();
    const { code, stdout, stderr } = await overparam([...SMALL, "--json", "--quiet"], { cwd });
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout.trimEnd()).not.toContain("\n");
    const json = fitJsonSchema.parse(JSON.parse(stdout));
    expect(json.problem).toMatchObject({
      features: 1,
      loss: "squared",
      scaling: "mean",
      bias: "column",
      program: "relu",
    });
    expect(json.result.lowerBound).toBeLessThanOrEqual(json.result.objective * (1 + 1e-12));
    expect(Object.keys(json.metrics.baselines).length).toBeGreaterThanOrEqual(2);
    const path = json.run?.path ?? "";
    expect(path).toMatch(/runs[/\\]\d{4}-\d\d-\d\d-small-[0-9a-f]{6}$/);
    expect(readdirSync(path)).toEqual(expect.arrayContaining(RUN_FILES));
    const { id, record } = readRun(path, true);
    expect(id).toBe(json.run?.id);
    expect(record.fit).toEqual({ ...json, run: null });
    expect(record.settings).toMatchObject({ data: "small.csv", target: "y", betaRatio: 0.1, time: 20, threads: 1 });
  });

  test("overparam fit says what it did: data and backend on stderr, verdict, metrics and folder on stdout", async () => {
    const cwd = workFolder();
    const { code, stdout, stderr } = await overparam(SMALL, { cwd });
    expect(code).toBe(0);
    expect(stderr).toContain("40 rows x 1 feature");
    expect(stderr).toContain("target y (a number) · 20 % held out, seed 0");
    expect(stderr).toMatch(/^ {2}backend (blas|wasm) \(/m);
    expect(stderr).toMatch(/^ {2}solving .* objective [\d.e-]+ {3}bound [\d.e-]+ {3}\d+ neurons? {3}\d+ s$/m);
    expect(stdout).toMatch(/^ {2}Certified/);
    expect(stdout).toMatch(/^ {2}test RMSE [\d.]+ {3}\(.+ [\d.]+, .+ [\d.]+\)$/m);
    expect(stdout).toMatch(
      /^ {2}saved runs[/\\]\d{4}-\d\d-\d\d-small-[0-9a-f]{6} {3}· {3}next: overparam report \w+ {2}\| {2}overparam export \w+ --onnx {2}\| {2}overparam verify \w+ small\.csv$/m,
    );
    expect(stdout + stderr).not.toContain("\u001b");
  });

  test("overparam fit --quiet keeps stderr empty; FORCE_COLOR colours, NO_COLOR does not", async () => {
    const cwd = workFolder();
    const quiet = await overparam([...SMALL, "--quiet"], { cwd, env: { NO_COLOR: "1" } });
    expect(quiet).toMatchObject({ code: 0, stderr: "" });
    expect(quiet.stdout).not.toContain("\u001b");
    expect((await overparam([...SMALL, "--quiet"], { cwd, env: { FORCE_COLOR: "1" } })).stdout).toContain("\u001b[1m");
  });

  test("overparam fit names the place of an unknown column", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "houses.csv"), "rooms,price\n1,2.5\n2,3.5\n3,1\n");
    const { code, stdout, stderr } = await overparam(["fit", "houses.csv", "--target", "prise", "--json"], { cwd });
    expect(code).toBe(1);
    expect(stderr).toContain(
      'error: column "prise" not found in houses.csv\nhint: did you mean "price"?\nhouses.csv:1',
    );
    expect(JSON.parse(stdout)).toMatchObject({ command: "fit", error: { place: { file: "houses.csv", line: 1 } } });
    expect(existsSync(join(cwd, "runs"))).toBe(false);
  });

  test("overparam fit takes flags over OVERPARAM_ variables over the config file", async () => {
    const cwd = workFolder();
    writeFileSync(join(cwd, "overparam.config.json"), '{ "fit": { "seed": 1, "out": "kept", "split": "none" } }');
    const { code, stdout } = await overparam([...SMALL, "--json", "--tolerance", "1e-4"], {
      cwd,
      env: { OVERPARAM_SEED: "2", OVERPARAM_TOLERANCE: "1e-3" },
    });
    expect(code).toBe(0);
    const { run } = fitJsonSchema.parse(JSON.parse(stdout));
    expect(readRun(run?.path ?? "").record.settings).toMatchObject({ seed: 2, tolerance: 1e-4, out: "kept", split: 0 });
  });

  test("overparam fit --require-gap ends with exit code 3 when the gap stays above it, after saving", async () => {
    const cwd = workFolder();
    const args = ["fit", "large.csv", "--target", "y", "--beta-ratio", "0.05", "--time", "3", "--require-gap", "1e-15"];
    const { code, stdout, stderr } = await overparam([...args, "--json"], { cwd });
    expect(stderr).toContain("is above the required 1e-15");
    expect(code).toBe(3);
    expect(existsSync(fitJsonSchema.parse(JSON.parse(stdout)).run?.path ?? "")).toBe(true);
  });

  test("overparam fit refuses a place where runs cannot be saved before it starts", async () => {
    const cwd = workFolder();
    const { code, stderr } = await overparam([...SMALL, "--out", "small.csv"], { cwd });
    expect(code).toBe(1);
    expect(stderr).toContain("error: ");
    expect(stderr).not.toContain("backend");
  });

  test("overparam fit still shows the result when it cannot be saved", async () => {
    const cwd = workFolder();
    const { code, stdout, stderr } = await overparam([...SMALL, "--json"], {
      cwd,
      started: (child) =>
        onStderr(child, "backend", () => {
          rmSync(join(cwd, "runs"), { recursive: true });
          writeFileSync(join(cwd, "runs"), "not a folder");
        }),
    });
    expect(code).toBe(1);
    expect(stderr).toContain("error: the run could not be saved: ");
    expect(JSON.parse(stdout)).toMatchObject({
      run: null,
      result: { objective: expect.any(Number) },
      error: { code: "not-saved" },
    });
  });
});

describe("overparam fit, interrupted", () => {
  test("overparam fit saves a checkpoint on the first Ctrl-C, ends with 130, and --resume goes on", {
    timeout: 180_000,
  }, async () => {
    const cwd = workFolder();
    const { code, stdout, stderr } = await overparam([...LONG, "--json"], {
      cwd,
      // The first progress line with neurons: there is a network to save.
      started: (child) => onStderr(child, " neurons", () => child.kill("SIGINT")),
    });
    expect(stderr).toContain("interrupted: saving the best network so far");
    expect(code).toBe(130);
    const { run, result } = fitJsonSchema.parse(JSON.parse(stdout));
    expect(result.status).toBe("interrupted");
    expect(readRun(run?.path ?? "", true).record.interrupted).toBe(true);
    expect(readdirSync(run?.path ?? "")).toEqual(expect.arrayContaining([...RUN_FILES, "checkpoint.json"]));
    expect(stderr).toContain(`--resume ${run?.id}`);

    const resumed = await overparam([...LONG, "--time", "4", "--resume", run?.id ?? "", "--json"], { cwd });
    expect(resumed.code).toBe(0);
    expect(fitJsonSchema.parse(JSON.parse(resumed.stdout)).result.objective).toBeLessThanOrEqual(
      result.objective * (1 + 1e-9),
    );
    const other = [...SMALL, "--resume", run?.id ?? ""];
    expect(await overparam(other, { cwd })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("another problem"),
    });
    const finished = fitJsonSchema.parse(JSON.parse(resumed.stdout)).run?.id ?? "";
    const again = await overparam([...SMALL, "--resume", finished], { cwd });
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("has no checkpoint") });
  });

  test("overparam fit says so when it was interrupted before there was a network", async () => {
    const cwd = workFolder();
    const { code, stdout, stderr } = await overparam([...LONG, "--json"], {
      cwd,
      started: (child) => onStderr(child, "backend", () => child.kill("SIGINT")),
    });
    expect(code).toBe(130);
    const json = JSON.parse(stdout);
    // A fast machine may have a network by then.
    if (json.error === undefined) {
      expect(fitJsonSchema.parse(json).result.status).toBe("interrupted");
    } else {
      expect(json).toMatchObject({ schema: 1, command: "fit", error: { code: "interrupted" } });
      expect(stderr).toContain("interrupted before there was a network to save");
      expect(listRuns(join(cwd, "runs")).runs).toEqual([]);
    }
  });

  test("overparam fit ends at once on the second Ctrl-C", async () => {
    const cwd = workFolder();
    const { code } = await overparam(LONG, {
      cwd,
      started: (child) => {
        onStderr(child, "backend", () => child.kill("SIGINT"));
        onStderr(child, "interrupted: saving", () => child.kill("SIGINT"));
      },
    });
    expect(code).toBe(130);
    for (const { path } of listRuns(join(cwd, "runs")).runs) readRun(path, true);
  });

  test("overparam fit killed at any moment leaves no half-written run", { timeout: 180_000 }, async () => {
    const killed = await killFits(temporaryFolder(), randomStream(1, "moments"), { anywhere: 6, saving: 8 });
    expect(killed.anywhere).toBeGreaterThan(0);
  });
});

describe("overparam demo", () => {
  test("overparam demo needs no file, ends in a verdict and is saved", async () => {
    const cwd = temporaryFolder();
    const { code, stdout, stderr } = await overparam(["demo"], { cwd });
    expect(code).toBe(0);
    expect(stderr).toContain("made runs");
    expect(stdout).toMatch(/Certified/);
    expect(stdout).toContain("overparam fit YOUR.csv --target COLUMN");
    const { runs, damaged } = listRuns(join(cwd, "runs"));
    expect(damaged).toEqual([]);
    expect(runs.map(({ record }) => record.stem)).toEqual(["demo"]);
    const id = runs[0]?.id ?? "";
    const predicted = await overparam(["predict", id, join("runs", "demo.csv")], { cwd });
    expect(predicted.code).toBe(0);
    expect(predicted.stdout.trimEnd().split("\n")).toHaveLength(81);
    expect(
      readFileSync(join(cwd, "runs", "demo.csv"), "utf8")
        .trimEnd()
        .split("\n"),
    ).toHaveLength(81);
  });
});
