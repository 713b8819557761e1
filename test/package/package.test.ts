/**
 * The package as a stranger gets it: packed, installed with npm into an empty folder in the ways that docs/platforms.md
 * speaks of, and used from the shell, from JavaScript and from TypeScript. It needs the registry; `npm run test:package`.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type FitJson, fitJsonSchema } from "../../src/experiments/fit-types.ts";
import { output, run } from "./npm.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const TSC = join(ROOT, "node_modules/typescript/bin/tsc");
/** Relative to the folder of a stranger's package. */
const EXAMPLE = "node_modules/overparam/examples/noisy-sine.csv";

const manifest = z
  .object({ version: z.string(), files: z.array(z.string()), bin: z.record(z.string(), z.string()) })
  .parse(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")));

const packedSchema = z.object({
  filename: z.string(),
  size: z.number(),
  files: z.array(z.object({ path: z.string(), size: z.number() })),
});
let folder: string;
let packed: z.infer<typeof packedSchema>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "overparam-package-"));
  const said = await output(ROOT, "npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder]);
  // npm 11 and older print a list, newer ones an object by package name.
  packed = packedSchema.parse(Object.values(JSON.parse(said))[0]);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** An empty package with the tarball installed. */
async function install(name: string, flags: readonly string[]): Promise<string> {
  const home = join(folder, name);
  mkdirSync(home);
  writeFileSync(join(home, "package.json"), JSON.stringify({ name, private: true, type: "module" }));
  const quiet = ["--no-audit", "--no-fund", "--prefer-offline"];
  await output(home, "npm", ["install", join(folder, packed.filename), ...flags, ...quiet]);
  return home;
}

/** The JSON of a fit by the installed program, which must not complain. */
async function overparam(home: string, args: readonly string[]): Promise<FitJson> {
  const { code, stdout, stderr } = await run(home, "npx", ["overparam", ...args, "--json"]);
  expect(code, stderr).toBe(0);
  expect(stderr).not.toMatch(/^\s*\w*(error|warning)\b/im);
  return fitJsonSchema.parse(JSON.parse(stdout));
}

/** A stranger's program, which is type-checked against the public exports and then run. */
const PROGRAM = `
import {
  type Compute,
  createCompute,
  DataError,
  loadDataset,
  readOnnx,
  type Solution,
  type SolveEvent,
  solveConvex,
  type TwoLayerNetwork,
  writeOnnx,
} from "overparam";

const dataset = loadDataset({ file: "${EXAMPLE}", target: "y" });
const compute: Compute = await createCompute({ threads: 1 });
const training = solveConvex(
  {
    X: dataset.train.X,
    y: dataset.train.y,
    loss: "squared",
    scaling: "mean",
    beta: 0.05,
    bias: "column",
    program: "relu",
    patterns: { kind: "generated" },
  },
  { compute, now: () => performance.now() / 1000, seconds: 20 },
);
const events: SolveEvent[] = [];
let step = training.next();
for (; step.done !== true; step = training.next()) events.push(step.value);
const { network, objective, lowerBound }: Solution = step.value;
await compute.close();

const { preprocessing, target } = dataset;
const bytes: Uint8Array = writeOnnx({ network, preprocessing, target }, { precision: "float64" });
const copy: TwoLayerNetwork = readOnnx(bytes, "model.onnx").network;
let refused = false;
try {
  loadDataset({ file: "no-such.csv", target: "y" });
} catch (error) {
  refused = error instanceof DataError && error.code !== "";
}
console.log(JSON.stringify({ events: events.length, objective, lowerBound, neurons: copy.U.rows, refused }));
`;

const TSCONFIG = {
  compilerOptions: {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    module: "nodenext",
    target: "es2023",
    lib: ["es2023", "dom"],
    types: [],
    outDir: "out",
  },
  files: ["program.ts"],
};

describe("the tarball", () => {
  test("npm pack takes nothing but what package.json lists, and no leftovers of removed sources", () => {
    const paths = packed.files.map(({ path }) => path);
    const always = ["package.json", "README.md", "LICENSE"];
    const listed = (path: string): boolean =>
      always.includes(path) || manifest.files.some((entry) => path === entry || path.startsWith(`${entry}/`));
    expect(paths.filter((path) => !listed(path))).toEqual([]);
    expect(paths).toEqual(expect.arrayContaining([...always, "CHANGELOG.md"]));

    const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" });
    const modules = sources.filter((path) => path.endsWith(".ts")).map((path) => path.slice(0, -".ts".length));
    const expected = modules.flatMap((path) => [`dist/${path}.js`, `dist/${path}.d.ts`]);
    const code = paths.filter((path) => path.startsWith("dist/") && /\.(js|ts|map)$/.test(path));
    expect(code.sort()).toEqual(expected.sort());
  });

  test("the tarball has less than 2 MB, and no file of more than one", () => {
    expect(packed.size).toBeLessThan(2e6);
    expect(packed.files.filter(({ size }) => size > 1e6)).toEqual([]);
  });
});

describe("npm install", () => {
  let home: string;
  beforeAll(async () => {
    home = await install("plain", []);
  }, 120_000);

  test("no dependency but koffi has an install script, and no development dependency comes along", () => {
    // koffi's compiles it where none of its binaries fits the machine; it downloads nothing.
    const lock = z
      .object({ packages: z.record(z.string(), z.object({ hasInstallScript: z.boolean().optional() })) })
      .parse(JSON.parse(readFileSync(join(home, "node_modules/.package-lock.json"), "utf8")));
    const scripted = Object.entries(lock.packages).filter(([, entry]) => entry.hasInstallScript === true);
    const foreign = scripted.map(([path]) => path).filter((path) => path !== "node_modules/overparam");
    expect(foreign).toEqual(["node_modules/koffi"]);
    for (const name of ["typescript", "assemblyscript", "vitest", "onnxruntime-web"]) {
      expect(existsSync(join(home, "node_modules", name)), name).toBe(false);
    }
  });

  test("npx overparam --version is the version of the package", async () => {
    expect((await output(home, "npx", ["overparam", "--version"])).trim()).toBe(manifest.version);
  });

  test("npx overparam demo --json ends in a saved run", async () => {
    const { run: saved, result } = await overparam(home, ["demo"]);
    expect(result.lowerBound).toBeLessThanOrEqual(result.objective);
    expect(existsSync(resolve(home, saved?.path ?? "", "report.html"))).toBe(true);
  });

  test("npx overparam tells a user's mistake without a stack trace", async () => {
    const { code, stderr } = await run(home, "npx", ["overparam", "fit", "no-such.csv", "--target", "y"]);
    expect(code).toBe(1);
    expect(stderr).toContain("error: ");
    expect(stderr).not.toMatch(/^ {4}at /m);
  });

  test("the public exports type-check in a strict project, and train, write and read a network", async () => {
    writeFileSync(join(home, "program.ts"), PROGRAM);
    writeFileSync(join(home, "tsconfig.json"), JSON.stringify(TSCONFIG));
    await output(home, process.execPath, [TSC, "-p", "."]);
    const said = JSON.parse(await output(home, process.execPath, ["out/program.js"]));
    expect(said).toMatchObject({ refused: true, neurons: expect.any(Number) });
    expect(said.events).toBeGreaterThan(0);
    // One feature: the bound is exact.
    expect(said.objective - said.lowerBound).toBeLessThan(1e-6 * said.objective);
  });

  test("the public exports refuse what is wrong at compile time", async () => {
    writeFileSync(join(home, "program.ts"), PROGRAM.replace('loss: "squared"', 'loss: "squarred"'));
    const { code, stdout } = await run(home, process.execPath, [TSC, "-p", ".", "--noEmit"]);
    expect(code).not.toBe(0);
    expect(stdout).toContain("squarred");
  });
});

describe.each([["--omit=dev"], ["--ignore-scripts"], ["--omit=optional"]])("npm install %s", (flag) => {
  test(`npx overparam fit and predict work after npm install ${flag}`, async () => {
    const home = await install(flag.slice(2).replace("=", "-"), [flag]);
    const { run: saved, backend } = await overparam(home, ["fit", EXAMPLE, "--target", "y", "--beta-ratio", "0.1"]);
    expect(
      (await output(home, "npx", ["overparam", "predict", saved?.id ?? "", EXAMPLE])).split("\n").length,
    ).toBeGreaterThan(2);
    // koffi is what opens a system BLAS: without it there is none, and its install script is not needed.
    expect(existsSync(join(home, "node_modules/koffi"))).toBe(flag !== "--omit=optional");
    if (flag === "--omit=optional") expect(backend).toMatchObject({ name: "wasm", blas: null });
    await output(home, "npx", ["overparam", "report", saved?.id ?? ""]);
    const figures = readdirSync(resolve(home, saved?.path ?? "", "figures"));
    expect(figures.some((name) => name.endsWith(".svg"))).toBe(true);
    // The binary that draws PNG is an optional package, too.
    expect(figures.some((name) => name.endsWith(".png"))).toBe(flag !== "--omit=optional");
  });
});
