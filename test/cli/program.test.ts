import { spawn } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { matrix } from "../../src/base/matrix.ts";
import { publishRun } from "../../src/experiments/run-store.ts";
import { type SavedModel, writeOnnx, writeSafetensors } from "../../src/formats/index.ts";
import { MAIN, overparam, temporaryFolder } from "./program.ts";
import { newRun } from "./runs.ts";

const errorSchema = z.strictObject({
  schema: z.literal(1),
  command: z.string().nullable(),
  error: z.strictObject({
    code: z.string(),
    message: z.string(),
    hint: z.string().nullable(),
    place: z.object({ file: z.string(), line: z.int().optional(), column: z.int().optional() }).nullable(),
  }),
});

describe("overparam --help and --version", () => {
  test("overparam --version prints the version of the package", async () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(await overparam(["--version"])).toEqual({ code: 0, signal: null, stdout: `${version}\n`, stderr: "" });
  });

  test("overparam and overparam --help list the commands on stdout", async () => {
    const help = await overparam(["--help"]);
    expect(help.code).toBe(0);
    expect(help.stderr).toBe("");
    for (const name of [
      "fit",
      "certify",
      "verify",
      "predict",
      "report",
      "export",
      "runs ls",
      "runs show",
      "runs rm",
      "doctor",
      "completion",
    ]) {
      expect(help.stdout).toContain(`\n  ${name} `);
    }
    expect(await overparam([])).toEqual(help);
  });

  test("overparam fit --help and overparam help fit are the same", async () => {
    const help = await overparam(["fit", "--help"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toContain("--require-gap NUMBER");
    expect(await overparam(["help", "fit"])).toEqual(help);
  });
});

describe("overparam help", () => {
  test("overparam help runs lists its subcommands, as overparam runs --help does", async () => {
    const help = await overparam(["help", "runs"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout.match(/^ {2}runs \w+/gm)).toEqual(["  runs ls", "  runs show", "  runs rm"]);
    expect(await overparam(["runs", "--help"])).toEqual(help);
    expect((await overparam(["help", "runs", "rm"])).stdout).toContain("usage: overparam runs rm RUN... [flags]");
  });
});

describe("overparam with a mistake", () => {
  test.each([
    [["fti"], 'error: unknown command "fti"\nhint: did you mean "fit"?\n'],
    [["run", "ls"], 'error: unknown command "run"\nhint: did you mean "runs"?\n'],
    [["runs", "shwo"], 'error: runs wants a subcommand, got "shwo"\nhint: did you mean "runs show"?\n'],
    [["runs"], "error: runs wants a subcommand, got nothing\nhint: one of: runs ls, runs show, runs rm\n"],
    [["fit", "a.csv", "--quiet", "--targte", "y"], "error: unknown flag --targte\nhint: did you mean --target?\n"],
    [["fit", "a.csv", "--quiet", "--beta", "x"], 'error: --beta wants a positive number, auto or certified, got "x"\n'],
    [["runs", "ls", "extra"], 'error: unexpected argument "extra"\nhint: usage: overparam runs ls [flags]\n'],
  ])("overparam %j ends with exit code 1 and says what to do", async (args, stderr) => {
    expect(await overparam(args)).toEqual({ code: 1, signal: null, stdout: "", stderr });
  });

  test("overparam --json prints the error as one object too", async () => {
    const { code, stdout, stderr } = await overparam(["runs", "show", "abc", "--json"], { cwd: temporaryFolder() });
    expect(code).toBe(1);
    expect(stderr).toBe('error: no run "abc" in runs\nhint: overparam runs ls lists the runs\n');
    expect(errorSchema.parse(JSON.parse(stdout))).toMatchObject({
      command: "runs show",
      error: { code: "run-not-found" },
    });
  });

  test("overparam names the place of a mistake in the config file", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "overparam.config.json"), '{\n  "runs ls": { "plian": true }\n}\n');
    const { code, stderr } = await overparam(["runs", "ls"], { cwd });
    expect(code).toBe(1);
    expect(stderr.split("\n")).toEqual([
      'error: unknown setting "plian" of runs ls in overparam.config.json',
      'hint: did you mean "plain"?',
      "overparam.config.json:2:16",
      "",
    ]);
  });

  test("overparam takes either config file, not both", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "overparam.config.yaml"), "runs ls:\n  runs: elsewhere\n");
    expect((await overparam(["runs", "ls"], { cwd })).stderr).toBe("no runs in elsewhere; overparam demo makes one\n");
    writeFileSync(join(cwd, "overparam.config.json"), "{}");
    expect(await overparam(["runs", "ls"], { cwd })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("there are two config files"),
    });
  });

  test("overparam colours errors only when asked to", async () => {
    const plain = await overparam(["fti"], { env: { NO_COLOR: "1" } });
    expect(plain.stderr).not.toContain("\u001b");
    const coloured = await overparam(["fti"], { env: { FORCE_COLOR: "1" } });
    expect(coloured.stderr).toContain("\u001b[");
  });
});

describe("overparam runs", () => {
  test("overparam runs ls shows the runs as table, plain table and JSON, and skips damaged ones", async () => {
    const cwd = temporaryFolder();
    const parent = join(cwd, "runs");
    const { path } = publishRun(parent, newRun("abc123"));
    rmSync(join(publishRun(parent, newRun("def456")).path, "model.onnx"));
    const table = await overparam(["runs", "ls"], { cwd });
    expect(table.code).toBe(0);
    expect(table.stdout).toBe(
      "id      date        data   status   gap  neurons  test\nabc123  2026-01-02  table  optimal    0        1     -\n",
    );
    expect(table.stderr).toBe("note: skipped: the run 2026-01-02-table-def456 is damaged: model.onnx is missing\n");
    const plain = await overparam(["runs", "ls", "--plain", "--quiet"], { cwd });
    expect(plain.stderr).toBe("");
    expect(plain.stdout.split("\n")[1]?.split("\t").at(-1)).toBe(path);
    const json = JSON.parse((await overparam(["runs", "ls", "--json"], { cwd })).stdout);
    expect(json).toMatchObject({ schema: 1, command: "runs ls", runs: [{ id: "abc123", path }] });
    expect(json.damaged).toHaveLength(1);
  });

  test("overparam runs show takes the beginning of an id, and refuses an ambiguous one", async () => {
    const cwd = temporaryFolder();
    publishRun(join(cwd, "runs"), newRun("abc123"));
    publishRun(join(cwd, "runs"), newRun("abd456"));
    const shown = await overparam(["runs", "show", "abc"], { cwd });
    expect(shown.code).toBe(0);
    expect(shown.stdout).toContain("Certified.");
    expect(shown.stdout).toContain("model.onnx");
    expect((await overparam(["runs", "show", "abc", "--plain"], { cwd })).stdout).toContain(
      "\nresult.objective\t0.5\n",
    );
    const json = JSON.parse((await overparam(["runs", "show", "abc", "--json"], { cwd })).stdout);
    expect(json).toMatchObject({ command: "runs show", run: { id: "abc123" }, fit: { result: { objective: 0.5 } } });
    const ambiguous = await overparam(["runs", "show", "ab"], { cwd });
    expect(ambiguous).toMatchObject({ code: 1, stdout: "" });
    expect(ambiguous.stderr).toContain("hint: give more of the id: 2026-01-02-table-abc123, 2026-01-02-table-abd456");
  });
});

/** f(x) = relu((x - 1) / 2) - 0.25. */
const model: SavedModel = {
  network: {
    kind: "two-layer",
    activation: "relu",
    U: matrix(1, 1, Float64Array.of(1)),
    b: Float64Array.of(0),
    W: matrix(1, 1, Float64Array.of(1)),
    c0: Float64Array.of(-0.25),
    gates: null,
  },
  preprocessing: { encodings: [{ kind: "number", column: "x", mean: 1, scale: 2, fill: 1 }], features: ["x"] },
  target: { name: "y", task: "regression", classes: null },
};
const classifier: SavedModel = { ...model, target: { name: "y", task: "classification", classes: ["no", "yes, sir"] } };

describe("overparam predict", () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "model.safetensors"), writeSafetensors(model));
  writeFileSync(join(cwd, "classes.onnx"), writeOnnx(classifier, { precision: "float64" }));
  writeFileSync(join(cwd, "rows.csv"), "x\n3\n0\n\n1.5\n".replace("\n\n", "\nNA\n"));
  writeFileSync(join(cwd, "known.csv"), "x,y\n3,1\n0,-0.25\n");
  writeFileSync(join(cwd, "labels.csv"), 'x,y\n3,"yes, sir"\n0,"yes, sir"\n0,no\n0,NA\n');

  test("overparam predict writes numbers as CSV on stdout, notes on stderr", async () => {
    const { code, stdout, stderr } = await overparam(["predict", "model.safetensors", "rows.csv"], { cwd });
    expect(code).toBe(0);
    expect(stdout).toBe("prediction\n0.75\n-0.25\n-0.25\n0\n");
    expect(stderr).toContain("note: 1 missing cell filled");
  });

  test("overparam predict writes classes with scores, quoted where CSV asks for it, and metrics on stderr", async () => {
    const { code, stdout, stderr } = await overparam(["predict", "classes.onnx", "labels.csv"], { cwd });
    expect(code).toBe(0);
    expect(stdout).toBe('prediction,"score:yes, sir"\n"yes, sir",0.75\nno,-0.25\nno,-0.25\nno,-0.25\n');
    expect(stderr).toContain("y: accuracy 66.7 %, AUC 0.75\n");
  });

  test("overparam predict --json holds predictions and metrics; --out takes the CSV", async () => {
    const json = JSON.parse((await overparam(["predict", "model.safetensors", "known.csv", "--json"], { cwd })).stdout);
    expect(json).toMatchObject({ schema: 1, command: "predict", rows: 2, metrics: { rmse: expect.any(Number) } });
    expect(json.predictions).toEqual([0.75, -0.25]);
    const args = ["predict", "model.safetensors", "known.csv", "--out", "out.csv", "--quiet"];
    expect(await overparam(args, { cwd })).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
    expect(readFileSync(join(cwd, "out.csv"), "utf8")).toBe("prediction\n0.75\n-0.25\n");
  });

  test("overparam predict finds the model of a run by its id", async () => {
    const files = [{ name: "model.safetensors", bytes: writeSafetensors(model) }];
    publishRun(join(cwd, "runs"), newRun("abc123", { files }));
    expect((await overparam(["predict", "abc", "known.csv"], { cwd })).stdout).toBe("prediction\n0.75\n-0.25\n");
  });

  test.each([
    [["model.safetensors", "none.csv"], '"none.csv" not found'],
    [["none.onnx", "rows.csv"], '"none.onnx" not found'],
    [["rows.csv", "rows.csv"], "rows.csv"],
    [["model.safetensors", "no/rows.csv"], '"no/rows.csv" not found'],
  ])("overparam predict %j is the user's mistake", async (args, message) => {
    const { code, stderr } = await overparam(["predict", ...args], { cwd });
    expect(code).toBe(1);
    expect(stderr).toContain(message);
  });

  test("overparam predict names the place of a column that is missing", async () => {
    writeFileSync(join(cwd, "other.csv"), "xx,z\n1,2\n");
    const { code, stdout, stderr } = await overparam(["predict", "model.safetensors", "other.csv", "--json"], { cwd });
    expect(code).toBe(1);
    expect(stderr).toContain('error: column "x" not found');
    expect(stderr).toContain('hint: did you mean "xx"?');
    expect(errorSchema.parse(JSON.parse(stdout)).error.place).toMatchObject({ file: "other.csv" });
  });

  test("overparam ends well when the reader of its output goes away", async () => {
    writeFileSync(join(cwd, "long.csv"), `x\n${"1.5\n".repeat(300_000)}`);
    const child = spawn(process.execPath, [MAIN, "predict", "model.safetensors", "long.csv"], { cwd });
    let stderr = "";
    child.stderr.on("data", (text: Buffer) => {
      stderr += text.toString();
    });
    child.stdout.once("data", () => child.stdout.destroy());
    const code = await new Promise((settle) => {
      child.on("close", settle);
    });
    expect(stderr).toBe("");
    expect(code).toBe(0);
  });
});
