import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { demoCsv } from "../../src/experiments/demo-data.ts";
import { fitJsonSchema } from "../../src/experiments/fit-types.ts";
import { publishRun, readRun, replaceFiles } from "../../src/experiments/run-store.ts";
import { readOnnx, readSafetensors } from "../../src/formats/index.ts";
import { overparam, temporaryFolder } from "./program.ts";
import { newRun } from "./runs.ts";

/** Makes a process fail to load native binaries: `npm install --omit=optional` leaves all of them out. */
const WITHOUT_OPTIONAL_PACKAGES = `
  process.dlopen = (_, file) => {
    throw new Error("Cannot find module " + file);
  };`;

const cwd = temporaryFolder();
let id = "";
let folder = "";

beforeAll(async () => {
  writeFileSync(join(cwd, "zigzag.csv"), demoCsv(0));
  const args = [
    "fit",
    "zigzag.csv",
    "--target",
    "y",
    "--beta-ratio",
    "0.05",
    "--time",
    "20",
    "--threads",
    "1",
    "--json",
  ];
  const { code, stdout } = await overparam(args, { cwd });
  expect(code).toBe(0);
  const { run } = fitJsonSchema.parse(JSON.parse(stdout));
  id = run!.id;
  folder = run!.path;
});

describe("overparam report", () => {
  test("overparam report draws the page of the fit again, and its figures as SVG and PNG too", async () => {
    const before = readFileSync(join(folder, "report.html"), "utf8");
    const figures = readdirSync(join(folder, "figures"));
    expect(figures).toEqual(["convergence.svg", "curve.svg", "gap.svg", "neurons.svg", "predictions.svg"]);
    rmSync(join(folder, "report.html"));
    const { code, stdout } = await overparam(["report", id], { cwd });
    expect(code).toBe(0);
    expect(stdout).toBe(`${join(folder, "report.html")}\n`);
    expect(readFileSync(join(folder, "report.html"), "utf8")).toBe(before);
    expect(readdirSync(join(folder, "figures"))).toEqual(
      figures.flatMap((name) => [name.replace("svg", "png"), name]).sort(),
    );
    // The run stays whole, with the new files in its list.
    const listed = readRun(folder, true).record.files.map(({ name }) => name);
    expect(new Set(listed).size).toBe(listed.length);
    expect(listed).toEqual(expect.arrayContaining(["report.html", "figures/curve.png", "model.onnx"]));
  });

  test("overparam report and doctor without the optional packages: no PNG, no system BLAS, and they say so", async () => {
    const refusal = join(cwd, "refusal.cjs");
    writeFileSync(refusal, WITHOUT_OPTIONAL_PACKAGES);
    const env = { NODE_OPTIONS: `--require ${refusal}` };
    const { code, stdout, stderr } = await overparam(["report", id], { cwd, env });
    expect(stderr).toContain("5 figures as SVG in figures/");
    expect(stderr).toContain("no PNG: the binary of @resvg/resvg-js");
    expect(stdout).toBe(`${join(folder, "report.html")}\n`);
    expect(code).toBe(0);
    const json = await overparam(["report", id, "--json"], { cwd, env });
    expect(JSON.parse(json.stdout).figures.every((name: string) => name.endsWith(".svg"))).toBe(true);

    const doctor = await overparam(["doctor", "--plain"], { cwd, env });
    expect(doctor.code).toBe(0);
    expect(doctor.stdout).toMatch(/^BLAS\t.*koffi.*not installed/m);
    expect(doctor.stdout).toMatch(/^hint\t.*koffi.*--omit=optional/m);
    expect(doctor.stdout).toMatch(/^backend\twasm/m);
  });

  test("overparam report --out writes the page alone", async () => {
    const { code, stdout } = await overparam(["report", id.slice(0, 4), "--out", "page.html", "--json"], { cwd });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ schema: 1, command: "report", run: { id }, figures: [] });
    expect(JSON.parse(stdout).report).toBe(join(cwd, "page.html"));
    expect(readFileSync(join(cwd, "page.html"), "utf8")).toBe(readFileSync(join(folder, "report.html"), "utf8"));
  });

  test.each([
    ["no data", [], "kept no data"],
    [
      "data of another version",
      [{ name: "report.json", bytes: new TextEncoder().encode('{"schema":2}') }],
      "kept no data",
    ],
  ])("overparam report of a run with %s says so", async (_, files, message) => {
    const parent = join(temporaryFolder(), "runs");
    publishRun(parent, newRun("abcdef", { files }));
    const { code, stderr } = await overparam(["report", "abcdef", "--runs", parent]);
    expect(code).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).toContain("hint: repeat the run");
  });

  test("overparam report refuses data that were changed", async () => {
    const parent = join(temporaryFolder(), "runs");
    const { path } = publishRun(
      parent,
      newRun("abcdef", { files: [{ name: "report.json", bytes: new Uint8Array(2) }] }),
    );
    writeFileSync(join(path, "report.json"), "{}");
    expect((await overparam(["report", "abcdef", "--runs", parent])).stderr).toContain("report.json was changed");
  });
});

describe("overparam export", () => {
  test("overparam export --onnx without a name writes a file named after the data", async () => {
    const { code, stdout } = await overparam(["export", id, "--onnx"], { cwd });
    expect(code).toBe(0);
    expect(stdout).toBe(`${join(cwd, "zigzag.onnx")}\n`);
    expect(readFileSync(join(cwd, "zigzag.onnx"))).toEqual(readFileSync(join(folder, "model.onnx")));
  });

  test("overparam export --float64 keeps all digits, --safetensors too", async () => {
    const args = ["export", id, "--onnx", "wide.onnx", "--safetensors", "--float64", "--json"];
    const { code, stdout } = await overparam(args, { cwd });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      command: "export",
      files: [
        { format: "onnx", path: join(cwd, "wide.onnx") },
        { format: "safetensors", path: join(cwd, "zigzag.safetensors") },
      ],
    });
    const exact = readSafetensors(readFileSync(join(folder, "model.safetensors")), "model.safetensors");
    expect(readOnnx(readFileSync(join(cwd, "wide.onnx")), "wide.onnx").network).toEqual(exact.network);
    expect(readSafetensors(readFileSync(join(cwd, "zigzag.safetensors")), "zigzag.safetensors")).toEqual(exact);
    expect(readOnnx(readFileSync(join(cwd, "zigzag.onnx")), "zigzag.onnx").network).not.toEqual(exact.network);
  });

  test("overparam export takes a model file too", async () => {
    const { code } = await overparam(["export", "wide.onnx", "--safetensors", "again.safetensors", "--quiet"], { cwd });
    expect(code).toBe(0);
    expect(readFileSync(join(cwd, "again.safetensors"))).toEqual(readFileSync(join(folder, "model.safetensors")));
  });

  test.each([
    [["--json"], "nothing to export"],
    [["--safetensors", "--float64"], "--float64 is about ONNX"],
    [["--onnx", "no/such/folder.onnx"], '"no/such/folder.onnx"'],
  ])("overparam export %j is refused", async (flags, message) => {
    const { code, stderr } = await overparam(["export", id, ...flags], { cwd });
    expect(code).toBe(1);
    expect(stderr).toContain(message);
  });
});

describe("overparam runs rm", () => {
  test("overparam runs rm removes runs by whole id, name or path, damaged ones too", async () => {
    const parent = join(temporaryFolder(), "runs");
    const [a, b, c] = ["aaaaaa", "bbbbbb", "cccccc"].map((hash) => publishRun(parent, newRun(hash)));
    const kept = publishRun(parent, newRun("dddddd"));
    rmSync(join(a!.path, "run.json"));
    const words = ["aaaaaa", "2026-01-02-table-bbbbbb", `${c!.path}/`, "bbbbbb"];
    const { code, stdout } = await overparam(["runs", "rm", ...words, "--runs", parent, "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      command: "runs rm",
      removed: [a, b, c].map((run) => ({ id: run!.id, path: run!.path })),
    });
    expect(readdirSync(parent)).toEqual(["2026-01-02-table-dddddd"]);
    readRun(kept.path, true);
  });

  test.each([
    [["aaa"], "only the beginning of an id"],
    [["aaaaaa", "zzz"], 'no run "zzz"'],
    [["."], "not the folder of a run"],
    [["aaaaaa", "2026-01-02-notes-abcdef"], "not the folder of a run"],
    [[], "no run given"],
  ])("overparam runs rm %j removes nothing", async (words, message) => {
    const where = temporaryFolder();
    publishRun(join(where, "runs"), newRun("aaaaaa"));
    // A folder that is only named like a run.
    mkdirSync(join(where, "2026-01-02-notes-abcdef"));
    const { code, stderr } = await overparam(["runs", "rm", ...words], { cwd: where });
    expect(code).toBe(1);
    expect(stderr).toContain(message);
    expect(existsSync(join(where, "2026-01-02-notes-abcdef"))).toBe(true);
    readRun(join(where, "runs", "2026-01-02-table-aaaaaa"), true);
  });
});

describe("replaceFiles", () => {
  test("replaceFiles lists the new files once, and keeps the others", () => {
    const run = publishRun(temporaryFolder(), newRun("abcdef"));
    const files = [
      { name: "figures/a.svg", bytes: new Uint8Array(5) },
      { name: "figures/b.svg", bytes: new Uint8Array(6) },
    ];
    const { record } = replaceFiles(run, files);
    expect(record.files.map(({ name, bytes }) => [name, bytes])).toEqual([
      ["model.onnx", 3],
      ["figures/a.svg", 5],
      ["figures/b.svg", 6],
    ]);
    expect(readRun(run.path, true).record).toEqual(record);
  });

  test("replaceFiles that cannot write leaves a run that is whole", () => {
    const run = publishRun(temporaryFolder(), newRun("abcdef"));
    const files = [
      { name: "figures/a.svg", bytes: new Uint8Array(5) },
      { name: "model.onnx/inside", bytes: new Uint8Array(1) },
    ];
    expect(() => replaceFiles(run, files)).toThrow();
    expect(readRun(run.path, true).record.files.map(({ name }) => name)).toEqual(["model.onnx"]);
  });
});
