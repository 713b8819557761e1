import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { demoCsv } from "../../src/experiments/demo-data.ts";
import { kernelFitJsonSchema } from "../../src/experiments/kernel-model-json.ts";
import { overparam, temporaryFolder } from "./program.ts";

const cwd = temporaryFolder();
let id = "";
let folder = "";

beforeAll(async () => {
  writeFileSync(join(cwd, "zigzag.csv"), demoCsv(0));
  const args = ["fit", "zigzag.csv", "--target", "y", "--model", "ntk", "--arch", "dense(8, b=1) relu dense(1, b=1)"];
  const { code, stdout, stderr } = await overparam([...args, "--threads", "1", "--json"], { cwd });
  expect(code).toBe(0);
  expect(stderr).toContain("Kernel regression, solved exactly");
  const { run, model } = kernelFitJsonSchema.parse(JSON.parse(stdout));
  expect(model).toBe("ntk");
  id = run!.id;
  folder = run!.path;
});

test("overparam predict applies a kernel regression, with standard deviations when asked", async () => {
  const plain = await overparam(["predict", id, "zigzag.csv"], { cwd });
  const wide = await overparam(["predict", id, "zigzag.csv", "--std"], { cwd });
  expect([plain.code, wide.code]).toEqual([0, 0]);
  const [first, second] = [plain, wide].map(({ stdout }) => stdout.trim().split("\n"));
  expect([first![0], second![0]]).toEqual(["prediction", "prediction,std"]);
  expect(second!.slice(1).map((line) => line.split(",")[0])).toEqual(first!.slice(1));
  expect(second!.slice(1).every((line) => Number(line.split(",")[1]) > 0)).toBe(true);
  expect(wide.stderr).toContain("RMSE");
  const json = JSON.parse((await overparam(["predict", id, "zigzag.csv", "--std", "--json"], { cwd })).stdout);
  expect(json.deviations).toHaveLength(first!.length - 1);
});

test("overparam runs and overparam report know kernel regressions", async () => {
  const { stdout: listed } = await overparam(["runs", "ls"], { cwd });
  expect(listed).toMatch(/zigzag +ntk +- +- +RMSE/);
  const { stdout: plain } = await overparam(["runs", "ls", "--plain"], { cwd });
  expect(plain.split("\n")[1]!.split("\t")).toHaveLength(9);
  const { stdout: shown } = await overparam(["runs", "show", id], { cwd });
  expect(shown).toContain("effective dimension");
  expect(shown).toMatch(/kernel +[\d.]+/);
  const before = readFileSync(join(folder, "report.html"), "utf8");
  expect((await overparam(["report", id], { cwd })).code).toBe(0);
  expect(readFileSync(join(folder, "report.html"), "utf8")).toBe(before);
  expect(existsSync(join(folder, "figures/leave-one-out.svg"))).toBe(true);
});

describe("mistakes with --model ntk are told plainly", () => {
  test.each([
    [
      ["fit", "zigzag.csv", "--target", "y", "--model", "ntk", "--beta", "0.1"],
      /--beta has no meaning with --model ntk/,
    ],
    [["fit", "zigzag.csv", "--target", "y", "--model", "nngp", "--gates", "g"], /--gates has no meaning/],
    [["fit", "zigzag.csv", "--target", "y", "--ridge", "0.1"], /--ridge is about kernel regression/],
    [["fit", "zigzag.csv", "--target", "y", "--model", "ntk", "--ridge", "-1"], /--ridge wants/],
    [["fit", "zigzag.csv", "--target", "y", "--model", "ntk", "--arch", "dense(2) tanh dense(1)"], /tanh/],
    [["export", "RUN", "--onnx"], /kernel regression, not a network/],
    [["certify", "RUN", "zigzag.csv", "--target", "y"], /kernel regression, not a network/],
  ])("overparam %j", async (args, message) => {
    const { code, stderr } = await overparam(
      args.map((word) => (word === "RUN" ? id : word)),
      { cwd },
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});
