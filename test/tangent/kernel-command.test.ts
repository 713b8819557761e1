import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ConfigError, DataError } from "../../src/base/errors.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { readNpy, writeNpy } from "../../src/data/npy.ts";
import { drawArchitecture } from "../../src/experiments/architecture.ts";
import { type KernelEvent, type KernelJob, readArchitecture, runKernel } from "../../src/experiments/kernel.ts";
import { openKernelFiles } from "../../src/experiments/kernel-files.ts";
import { distance, engineOf, normalMatrix } from "./kernels.ts";

const folder = mkdtempSync(join(tmpdir(), "overparam-kernel-"));
let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ threads: 1 });
});
afterAll(async () => {
  await compute.close();
  rmSync(folder, { recursive: true, force: true });
});

const X = normalMatrix("command", 40, 6);
const Y = normalMatrix("command against", 9, 6);
const file = (name: string, content: Uint8Array | string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const npy = (name: string, shape: readonly number[], data: Float64Array): string =>
  file(name, writeNpy({ shape, data }));
const read = (path: string) => readNpy(readFileSync(path), path);
const TEXT = "dense(8, b=0.1) relu dense(8) relu dense(1)";
const jobOf = (settings: Partial<KernelJob>): KernelJob => ({
  data: npy("x.npy", [40, 6], X.data),
  arch: TEXT,
  kernel: "both",
  parametrization: null,
  against: null,
  target: null,
  precision: "f64",
  accumulation: null,
  train: "all",
  out: join(folder, "out"),
  threads: 1,
  memory: 2 ** 30,
  ...settings,
});
const run = async (settings: Partial<KernelJob>) => {
  const events: KernelEvent[] = [];
  const json = await runKernel(jobOf(settings), (event) => events.push(event));
  return { json, events };
};

test("runKernel writes both kernels and reports spectrum, plan and bytes", async () => {
  const { json, events } = await run({ out: join(folder, "both") });
  const block = engineOf(TEXT, 6).block(compute, X, null);
  for (const name of ["nngp", "ntk"] as const) {
    const { shape, data } = read(join(folder, `both.${name}.npy`));
    expect(shape).toEqual([40, 40]);
    expect(distance(data, block[name]!)).toBeLessThan(1e-14);
    const { spectrum, bytes } = json.kernels[name]!;
    expect(bytes).toBe(readFileSync(join(folder, `both.${name}.npy`)).length);
    expect(spectrum!.smallest).toBeGreaterThan(0);
    expect(spectrum!.condition).toBeCloseTo(spectrum!.largest / spectrum!.smallest, 6);
  }
  expect(json).toMatchObject({
    schema: 1,
    command: "kernel",
    shape: [40, 40],
    symmetric: true,
    warnings: [],
    method: "vectors",
  });
  expect(events.map(({ kind }) => kind)).toEqual(["plan", "tile"]);
  expect(existsSync(join(folder, "both.kernel.partial.json"))).toBe(false);
});

test("runKernel makes the cross kernel of two files, standard parametrization, one kernel", async () => {
  const against = npy("y.npy", [9, 6], Y.data);
  const { json } = await run({ against, kernel: "ntk", parametrization: "standard", out: join(folder, "cross") });
  const text = TEXT.replaceAll(/dense\((\d)/g, "dense($1, parametrization=standard").replaceAll(
    "standard)",
    "standard)",
  );
  const { ntk } = engineOf(text, 6).block(compute, X, Y);
  const { shape, data } = read(join(folder, "cross.ntk.npy"));
  expect(shape).toEqual([40, 9]);
  expect(distance(data, ntk!)).toBeLessThan(1e-14);
  expect(json.kernels.ntk!.spectrum).toBeNull();
  expect(existsSync(join(folder, "cross.nngp.npy"))).toBe(false);
});

test("runKernel in tiles goes on with the files of an interrupted call, and only with those of the same job", async () => {
  const memory = 7000;
  const out = join(folder, "resumed");
  const whole = await run({ memory, out: join(folder, "whole"), kernel: "ntk" });
  const tiles = whole.events.filter(({ kind }) => kind === "tile").length;
  expect(tiles).toBeGreaterThan(3);
  class Stop extends Error {}
  const interrupted = (settings: Partial<KernelJob>) => {
    let made = 0;
    return runKernel(jobOf({ memory, out, kernel: "ntk", ...settings }), ({ kind }) => {
      if (kind === "tile" && ++made === 2) throw new Stop();
    });
  };
  await expect(interrupted({})).rejects.toThrow(Stop);
  expect(existsSync(join(folder, "resumed.ntk.npy"))).toBe(false);
  // Another job begins anew.
  await expect(interrupted({ train: "last" })).rejects.toThrow(Stop);
  await expect(interrupted({})).rejects.toThrow(Stop);
  const { events } = await run({ memory, out, kernel: "ntk" });
  expect(events.find(({ kind }) => kind === "plan")).toMatchObject({ resumed: 2, tiles });
  expect(events.filter(({ kind }) => kind === "tile")).toHaveLength(tiles - 2);
  expect(readFileSync(join(folder, "resumed.ntk.npy"))).toEqual(readFileSync(join(folder, "whole.ntk.npy")));
  expect(existsSync(join(folder, "resumed.kernel.partial.json"))).toBe(false);
});

test("openKernelFiles begins anew where the record is damaged", () => {
  const prefix = join(folder, "damaged");
  const open = () => openKernelFiles(prefix, ["ntk"], [2, 3], 2, "key", "f64");
  const first = open();
  first.write("ntk", 0, 0, Float64Array.of(1, 2, 3));
  first.tileDone();
  expect(open().done).toBe(1);
  writeFileSync(`${prefix}.kernel.partial.json`, "{");
  const files = open();
  expect(files.done).toBe(0);
  files.write("ntk", 1, 1, Float64Array.of(5, 6));
  expect([...files.rows("ntk", 1, 1)]).toEqual([0, 5, 6]);
  files.finish();
  expect(read(`${prefix}.ntk.npy`)).toEqual({ shape: [2, 3], data: Float64Array.of(0, 0, 0, 0, 5, 6) });
});

test("runKernel standardizes the columns of a table, without its target, and uses the same moments for a second one", async () => {
  const data = file("t.csv", "a,y,b\n1,7,10\n2,8,20\n3,9,60\n");
  const against = file("u.csv", "a,y,b\n2,1,30\n");
  const { json } = await run({
    data,
    against,
    target: "y",
    arch: "dense(1)",
    kernel: "nngp",
    out: join(folder, "table"),
  });
  expect(json.input).toEqual([2]);
  const a = Math.sqrt(2 / 3);
  const b = Math.sqrt((20 ** 2 + 10 ** 2 + 30 ** 2) / 3);
  // (a, b) of the second table is the mean of the first.
  expect(distance(read(join(folder, "table.nngp.npy")).data, [0, 0, 0])).toBeLessThan(1e-15);
  await run({ data, target: "y", arch: "dense(1)", kernel: "nngp", out: join(folder, "own") });
  const own = read(join(folder, "own.nngp.npy")).data;
  expect(own[0]).toBeCloseTo((1 / a ** 2 + (20 / b) ** 2) / 2, 12);
  await run({ data, arch: "dense(1)", kernel: "nngp", out: join(folder, "with") });
  expect(read(join(folder, "with.nngp.npy")).data[0]).toBeCloseTo((2 / a ** 2 + (20 / b) ** 2) / 3, 12);
});

test("runKernel takes images as vectors for dense layers, and reads vectors of one number", async () => {
  const images = npy("images.npy", [5, 2, 3], X.data.slice(0, 30));
  const { json, events } = await run({
    data: images,
    arch: "flatten dense(4) relu dense(1)",
    out: join(folder, "images"),
  });
  expect(json.input).toEqual([6]);
  expect(events.some((event) => event.kind === "note" && event.text.includes("2 x 3 x 1 are taken as vectors"))).toBe(
    true,
  );
  const line = await run({ data: npy("line.npy", [4], Float64Array.of(1, 2, 3, -1)), out: join(folder, "line") });
  expect(line.json.input).toEqual([1]);
});

test("runKernel warns of zero, equal and parallel inputs", async () => {
  const data = npy("odd.npy", [5, 2], Float64Array.of(1, 2, 0, 0, 1, 2, -2, -4, 3, 1));
  const { json } = await run({ data, arch: "dense(4) relu dense(1)", out: join(folder, "odd") });
  expect(json.warnings).toHaveLength(3);
  expect(json.warnings.join()).toContain("1 and 3");
  expect(json.warnings.join()).toContain("1 and 4");
  expect(json.kernels.ntk!.spectrum!.condition).toBeNull();
  // With biases only equal ones count.
  const biased = "dense(4, b=0.1) relu dense(1, b=0.1)";
  expect((await run({ data, arch: biased, out: join(folder, "odd") })).json.warnings).toHaveLength(1);
});

test("runKernel reports mistakes of the user", async () => {
  await expect(run({ arch: "dense(4) batchnorm relu dense(1)" })).rejects.toThrow(ConfigError);
  await expect(run({ data: npy("nan.npy", [2, 2], Float64Array.of(1, 2, Number.NaN, 4)) })).rejects.toThrow(/sample 2/);
  await expect(run({ against: npy("wide.npy", [2, 7], new Float64Array(14)) })).rejects.toThrow(/samples of 7.*of 6/);
  await expect(run({ data: npy("deep.npy", [1, 1, 1, 1, 2], new Float64Array(2)) })).rejects.toThrow(DataError);
  await expect(run({ memory: 10 })).rejects.toThrow(/limit of 10/);
  await expect(run({ out: join(folder, "nowhere", "out") })).rejects.toThrow(DataError);
  await expect(run({ arch: file("broken.json", "[") })).rejects.toThrow(/is not JSON/);
});

test("readArchitecture reads JSON files with the defaults of stax, and changes the parametrization everywhere", () => {
  const path = file(
    "net.json",
    '[["Dense", {"width": 8}], ["Relu", {}], ["Residual", {"main": [["Dense", {"width": 8}]]}]]',
  );
  const [first, , block] = readArchitecture(path, "standard");
  expect(first).toMatchObject({ wStd: 1, bStd: 0, parametrization: "standard" });
  expect(block).toMatchObject({ main: [{ parametrization: "standard" }], shortcut: [] });
});

test("drawArchitecture counts parameters, goes into blocks, and says why there is no kernel", () => {
  const drawn = drawArchitecture("conv(4, 3) [relu conv(4, 3) | conv(4, 1)] gap dense(2, b=1)", [8, 8, 1]);
  expect(drawn.layers.map(({ depth }) => depth)).toEqual([0, 0, 1, 2, 2, 1, 2, 0, 0]);
  expect(drawn.parameters).toBe(36 + (144 + 16) + 10);
  expect(drawn.kernel).toBeNull();
  expect(drawArchitecture("dense(3) tanh dense(1)", null)).toMatchObject({ input: [784], parameters: 784 * 3 + 3 });
  expect(drawArchitecture("dense(3) tanh dense(1)", null).kernel).toContain("layer 2, tanh");
  expect(drawArchitecture("maxpool(2)", null).input).toEqual([32, 32, 3]);
  expect(() => drawArchitecture("conv(4, 3)", [10])).toThrow(/needs an image/);
});

test("runKernel with precision f32 writes files of half the size, and goes on with those of the same precision only", async () => {
  const out = join(folder, "single");
  const { json } = await run({ precision: "f32", out });
  const block = engineOf(TEXT, 6).block(compute, X, null);
  for (const name of ["nngp", "ntk"] as const) {
    const path = join(folder, `single.${name}.npy`);
    expect(json.kernels[name]!.bytes).toBe(readFileSync(path).length);
    expect(readFileSync(path).length - 4 * 40 * 40).toBeLessThanOrEqual(192);
    expect(readFileSync(path, "latin1")).toContain("'<f4'");
    const { shape, data } = read(path);
    expect(shape).toEqual([40, 40]);
    expect(distance(data, block[name]!)).toBeLessThan(1e-6);
    expect(json.kernels[name]!.spectrum!.smallest).toBeGreaterThan(0);
  }
  expect(json.precision).toBe("f32");
  const precise = await run({ precision: "f32", accumulation: "f64", out });
  expect(distance(read(join(folder, "single.ntk.npy")).data, block.ntk!)).toBeLessThan(1e-7);
  expect(precise.json.bytes.files).toBe(json.bytes.files);
});
