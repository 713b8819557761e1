import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { overparam, temporaryFolder } from "./program.ts";
import { tableCsv } from "./small-fits.ts";

const DATA = ["--target", "y", "--task", "regression"];
let cwd: string;
let runs: string[];
beforeAll(async () => {
  cwd = temporaryFolder();
  writeFileSync(join(cwd, "small.csv"), tableCsv(40, 3));
  const arch = ["--arch", "dense(8, b=1) tanh dense(1, b=1)", "--rate", "0.05", "--steps", "30", "--threads", "1"];
  runs = [];
  for (const seed of ["1", "2"]) {
    const { stdout, code, stderr } = await overparam(
      ["train", "small.csv", ...DATA, ...arch, "--seed", seed, "--split", "none", "--json", "--quiet"],
      { cwd },
    );
    expect(`${code} ${stderr}`).toMatch(/^0/);
    runs.push(JSON.parse(stdout).run.id);
  }
}, 60_000);

describe("overparam landscape", () => {
  test("landscape writes the plane of a run, its loss in the middle, and figures", async () => {
    const { stdout, code } = await overparam(["landscape", runs[0]!, "--points", "5", "--threads", "1", "--json"], {
      cwd,
    });
    expect(code).toBe(0);
    const { plane, files, step } = JSON.parse(stdout);
    expect(step).toBe(30);
    expect(plane.slice.loss).toHaveLength(25);
    expect(plane.slice.loss[12]).toBeCloseTo(plane.center, 12);
    expect(plane.curvature.check.smallest).toBeLessThanOrEqual(plane.curvature.check.quotient + 1e-9);
    for (const file of files) expect(existsSync(join(cwd, file))).toBe(true);
    expect(readFileSync(join(cwd, "landscape-contour.svg"), "utf8")).toContain("most negative curvature");
  });

  test("landscape --between measures the barrier between two runs, none to itself", async () => {
    const line = async (other: string) => {
      const { stdout } = await overparam(
        ["landscape", runs[0]!, "--between", other, "--threads", "1", "--out", "line", "--json"],
        { cwd },
      );
      return JSON.parse(stdout).line;
    };
    const apart = await line(runs[1]!);
    expect(apart.alpha).toHaveLength(31);
    expect(apart.lossBarrier).toBeGreaterThan(0);
    expect((await line(runs[0]!)).lossBarrier).toBeCloseTo(0, 12);
  });
});

describe("overparam probe", () => {
  test("probe says the same of a run and, but for what began, of its ONNX file", async () => {
    const own = await overparam(["probe", runs[0]!, "--threads", "1", "--json"], { cwd });
    expect(own.code).toBe(0);
    const folder = JSON.parse((await overparam(["runs", "show", runs[0]!, "--json"], { cwd })).stdout);
    const path: string = folder.run?.path ?? folder.path;
    const given = await overparam(
      ["probe", join(path, "model.safetensors"), "small.csv", ...DATA, "--threads", "1", "--json"],
      { cwd },
    );
    expect(given.code).toBe(0);
    const values = (text: string): Map<string, number> =>
      new Map(
        JSON.parse(text).measurements.map((row: { name: string; layer: string; value: number }) => [
          `${row.name} ${row.layer}`,
          row.value,
        ]),
      );
    const [a, b] = [values(own.stdout), values(given.stdout)];
    for (const name of ["loss null", "sharpness null", "kernel-eigenvalue-largest null", "forward-product 1"]) {
      expect(b.get(name)! / a.get(name)!).toBeCloseTo(1, 5);
    }
    expect(a.has("distance-frobenius 1")).toBe(true);
    expect(b.has("distance-frobenius 1")).toBe(false);
  });

  test("probe needs data for a file, and names what is wrong with a monitor", async () => {
    const missing = await overparam(["probe", "model.onnx"], { cwd });
    expect(missing.code).not.toBe(0);
    expect(missing.stderr).toContain("a model file is looked at with data");
    const wrong = await overparam(["probe", runs[0]!, "--monitor", "sharpnes"], { cwd });
    expect(wrong.stderr).toContain('did you mean "sharpness"');
  });
});
