import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { readNpy, writeNpy } from "../../src/data/npy.ts";
import { overparam, temporaryFolder } from "../cli/program.ts";
import { normalMatrix } from "./kernels.ts";

const cwd = temporaryFolder();
beforeAll(() => {
  writeFileSync(join(cwd, "x.npy"), writeNpy({ shape: [12, 3], data: normalMatrix("cli", 12, 3).data }));
});

test("overparam kernel writes npy files, prints one object with --json and the plan on stderr", async () => {
  const { code, stdout, stderr } = await overparam(
    ["kernel", "x.npy", "--arch", "dense(8) relu dense(1)", "--out", "k", "--json"],
    { cwd },
  );
  expect(code).toBe(0);
  const json = JSON.parse(stdout);
  expect(json).toMatchObject({ schema: 1, command: "kernel", shape: [12, 12], train: "all" });
  expect(json.kernels.ntk).toMatchObject({ file: "k.ntk.npy", spectrum: { method: "eigenvalues", shift: 0 } });
  expect(stderr).toContain("12 x 12 entries, 1 tile");
  expect(readNpy(readFileSync(join(cwd, "k.nngp.npy")), "k").shape).toEqual([12, 12]);
});

test("overparam kernel prints sentences, and nothing on stderr with --quiet", async () => {
  const args = [
    "kernel",
    "x.npy",
    "--arch",
    "dense(8) erf dense(1)",
    "--kernel",
    "nngp",
    "--parameterization",
    "standard",
    "--quiet",
  ];
  const { code, stdout, stderr } = await overparam(args, { cwd });
  expect(code).toBe(0);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^nngp {2}12 x 12 {2}kernel\.nngp\.npy/);
  expect(stdout).toContain("eigenvalues from");
});

test("overparam kernel names the layer that has no kernel, and what to use instead", async () => {
  const { code, stdout, stderr } = await overparam(["kernel", "x.npy", "--arch", "dense(8) tanh dense(1)"], { cwd });
  expect(code).toBe(1);
  expect(stdout).toBe("");
  expect(stderr).toContain("error: layer 2, tanh");
  expect(stderr).toContain("hint: erf is nearly tanh");
});

test("overparam arch draws and counts an architecture", async () => {
  const spec = "conv(4, 3) [relu conv(4, 3)]x2 gap dense(2)";
  const drawn = await overparam(["arch", spec, "--input", "8x8x1"], { cwd });
  expect(drawn.code).toBe(0);
  expect(drawn.stdout).toContain("input 8 x 8 x 1");
  expect(drawn.stdout).toContain("332 parameters");
  const json = JSON.parse((await overparam(["arch", "dense(3) relu", "--input", "5", "--json"], { cwd })).stdout);
  expect(json).toMatchObject({ schema: 1, command: "arch", parameters: 15, input: [5], kernel: null });
  expect((await overparam(["arch", spec, "--input", "8x8"], { cwd })).code).toBe(1);
});

test("overparam kernel runs the example of docs/tangent.md", async () => {
  const root = join(import.meta.dirname, "../..");
  const text = readFileSync(join(root, "docs/tangent.md"), "utf8");
  const line = /^ {4}overparam (kernel examples.*)$/m.exec(text)![1]!;
  const args = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word!);
  args[args.indexOf("--out") + 1] = join(cwd, "example");
  const { code, stdout } = await overparam([...args, "--json"], { cwd: root });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ shape: [958, 958], warnings: [] });
});

test("overparam kernel tells of training: effective dimension and step, with targets alignment and time", async () => {
  const arch = ["--arch", "dense(8) relu dense(1)", "--kernel", "ntk", "--quiet"];
  const without = await overparam(["kernel", "x.npy", ...arch], { cwd });
  expect(without.stdout).toMatch(/effective dimension [\d.]+; largest stable step [\d.]+/);
  expect(without.stdout).not.toContain("loss is left");
  writeFileSync(join(cwd, "y.npy"), writeNpy({ shape: [12], data: normalMatrix("targets", 12, 1).data }));
  const { stdout } = await overparam(["kernel", "x.npy", "--target", "y.npy", ...arch], { cwd });
  expect(stdout).toMatch(/alignment with the targets -?[\d.]+/);
  expect(stdout).toContain("1 % of the loss is left after the time");
  const json = JSON.parse(
    (await overparam(["kernel", "x.npy", "--target", "y.npy", ...arch, "--json"], { cwd })).stdout,
  );
  const { spectrum, training } = json.kernels.ntk;
  expect(training.largestStep * spectrum.largest).toBeCloseTo(2, 9);
  const [low, high] = training.onePercent.time;
  expect(low).toBeLessThanOrEqual(high);
  writeFileSync(join(cwd, "short.npy"), writeNpy({ shape: [3], data: Float64Array.of(1, 2, 3) }));
  const { code, stderr } = await overparam(["kernel", "x.npy", "--target", "short.npy", ...arch], { cwd });
  expect(code).toBe(1);
  expect(stderr).toContain("are 3, the samples 12");
});

test("overparam kernel says when training cannot reach the targets", async () => {
  // On a line without biases there are two features: the kernel has rank 2.
  const rows = Array.from({ length: 10 }, (_, i) => `${(i - 4.5) / 3},${i % 2}.5`);
  writeFileSync(join(cwd, "line.csv"), `x,y\n${rows.join("\n")}\n`);
  const args = ["kernel", "line.csv", "--target", "y", "--arch", "dense(8) relu dense(1)", "--out", "line", "--quiet"];
  const { code, stdout } = await overparam(args, { cwd });
  expect(code).toBe(0);
  expect(stdout).toContain("never comes down to 1 % of the loss");
  expect(stdout).not.toContain("Infinity");
});
