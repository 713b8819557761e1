import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type FitJson, fitJsonSchema } from "../../src/experiments/fit-types.ts";
import { overparam, temporaryFolder } from "./program.ts";
import { tableCsv } from "./small-fits.ts";

const PROBLEM = ["fit", "table.csv", "--target", "y", "--beta-ratio", "0.2", "--split", "none"];
const FIT = [...PROBLEM, "--bias", "output", "--threads", "1", "--time", "30"];

describe("overparam verify", () => {
  const cwd = temporaryFolder();
  let fit: FitJson;
  const path = (name: string): string => join(fit.run?.path ?? "", name);
  const id = (): string => fit.run?.id ?? "";
  const verify = (...more: string[]) => overparam(["verify", id(), "table.csv", ...more], { cwd });

  beforeAll(async () => {
    writeFileSync(join(cwd, "table.csv"), tableCsv(60, 3));
    const { code, stdout } = await overparam([...FIT, "--json"], { cwd });
    expect(code).toBe(0);
    fit = fitJsonSchema.parse(JSON.parse(stdout));
  });

  test("overparam verify of a fit is rigorous and agrees with what the fit said", async () => {
    expect(fit.rigorous).toBe(true);
    const { code, stdout } = await verify("--json");
    expect(code).toBe(0);
    const answer = JSON.parse(stdout);
    expect(answer).toMatchObject({
      schema: 1,
      command: "verify",
      valid: true,
      scope: "all-patterns",
      rigorous: true,
      reason: null,
    });
    expect(answer.objective).toBeCloseTo(fit.result.objective, 10);
    expect(answer.lowerBound).toBeCloseTo(fit.result.lowerBound, 8);
    expect(answer.lowerBound).toBeLessThanOrEqual(fit.result.objective);
    expect(answer.gap).toBeCloseTo((answer.objective - answer.lowerBound) / answer.objective, 10);
    const words = await verify();
    expect(words.code).toBe(0);
    expect(words.stdout).toContain("Verified: no two-layer ReLU network of any width has a training objective below");
    expect(words.stdout).toContain("Rigorous: every inequality was checked with proven bounds of all rounding errors.");
  });

  test("the fit says that it was proved, in verdict and report, and how to verify it", async () => {
    const { stdout } = await overparam(FIT, { cwd });
    expect(stdout).toContain("Proved: every inequality was checked");
    expect(stdout).toMatch(/overparam verify \w{6}-2 table\.csv$/m);
    const report = readFileSync(path("report.html"), "utf8");
    expect(report).toContain("Proved: every inequality was checked");
    expect(report).toContain("branch and bound (simplicial cones)");
    expect(report).not.toContain("not a rigorous proof");
    expect(readFileSync(path("README.md"), "utf8")).not.toContain("floating-point arithmetic");
  });

  test("overparam verify after one changed digit of the data exits with 3 and says what changed", async () => {
    const table = readFileSync(join(cwd, "table.csv"), "utf8");
    // The third decimal of the first feature of the first row.
    const at = table.indexOf(".", table.indexOf("\n") + 1) + 3;
    const digit = table[at] === "9" ? "8" : String(Number(table[at]) + 1);
    writeFileSync(join(cwd, "changed.csv"), table.slice(0, at) + digit + table.slice(at + 1));
    const { code, stdout } = await overparam(["verify", id(), "changed.csv"], { cwd });
    expect(code).toBe(3);
    expect(stdout).toContain("NOT verified: data: the training matrix is not the one that was certified (sha256).");
    const json = await overparam(["verify", id(), "changed.csv", "--json"], { cwd });
    expect(json.code).toBe(3);
    expect(JSON.parse(json.stdout)).toMatchObject({
      valid: false,
      rigorous: false,
      objective: null,
      lowerBound: null,
      gap: null,
      reason: expect.stringMatching(/^data: /),
    });
  });

  test("overparam verify after damage of proof.bin exits with 3, without it with 1", async () => {
    // Free biases need a tree for every row: too long to be kept inside certificate.json.
    expect(existsSync(path("proof.bin"))).toBe(true);
    const proof = readFileSync(path("proof.bin"));
    const certificate = readFileSync(path("certificate.json"), "utf8");
    writeFileSync(join(cwd, "certificate.json"), certificate);
    const call = ["verify", "certificate.json", "table.csv", "--json"];
    expect(await overparam(call, { cwd })).toMatchObject({ code: 1, stderr: expect.stringContaining("proof.bin") });
    const spoiled = Buffer.from(proof);
    spoiled[spoiled.length >> 1]! ^= 1;
    writeFileSync(join(cwd, "proof.bin"), spoiled);
    const damaged = await overparam(call, { cwd });
    expect(damaged.code).toBe(3);
    expect(JSON.parse(damaged.stdout)).toMatchObject({
      valid: false,
      rigorous: false,
      reason: "proof: its file is not the one that the certificate names (sha256)",
    });
    writeFileSync(join(cwd, "proof.bin"), proof);
    expect((await overparam(call, { cwd })).code).toBe(0);
  });

  test("overparam verify does not confirm a bound over listed patterns", async () => {
    const listed = [...PROBLEM, "--patterns", "20", "--threads", "1", "--json"];
    const json = fitJsonSchema.parse(JSON.parse((await overparam(listed, { cwd })).stdout));
    expect(json).toMatchObject({ rigorous: false, result: { scope: "listed-patterns" } });
    const { code, stdout } = await overparam(["verify", json.run?.id ?? "", "table.csv"], { cwd });
    expect(code).toBe(3);
    expect(stdout).toContain("NOT verified: ");
    expect(stdout).toContain("The certificate itself claims no more than floating-point arithmetic.");
  });

  test("overparam verify names what it cannot read", async () => {
    const call = (...args: string[]) => overparam(["verify", ...args], { cwd });
    expect(await call("nothing", "table.csv")).toMatchObject({ code: 1, stderr: expect.stringContaining("no run") });
    expect(await call(id(), "no.csv")).toMatchObject({ code: 1, stderr: expect.stringContaining("no.csv") });
    expect(await call(id())).toMatchObject({ code: 1, stderr: expect.stringContaining("no data given") });
  });
});
