import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fitJsonSchema } from "../../src/experiments/fit-types.ts";
import { readRun } from "../../src/experiments/run-store.ts";
import { type Mlp, mlpOnnx } from "./onnx.ts";
import { type Finished, overparam, temporaryFolder } from "./program.ts";
import { SMALL, tableCsv } from "./small-fits.ts";

const XOR = "a,b,y\n1,1,1\n-1,-1,1\n1,-1,-1\n-1,1,-1\n";
/** |a + b| / sqrt(2), which is not the optimum of XOR, for it never goes below zero. */
const HALF: Mlp = {
  U: [
    [0.5, 0.5],
    [-0.5, -0.5],
  ],
  b: [0, 0],
  W: [[0.5, 0.5]],
  c0: [0],
};
const POSED = [
  "--task",
  "regression",
  "--split",
  "none",
  "--standardize",
  "none",
  "--scaling",
  "sum",
  "--threads",
  "1",
];
const EXACT = ["--target", "y", ...POSED, "--beta", "0.1", "--json"];
const result = ({ stdout }: Finished) => fitJsonSchema.parse(JSON.parse(stdout));

function folder(network: Mlp = HALF): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "xor.csv"), XOR);
  writeFileSync(join(cwd, "net.onnx"), mlpOnnx(network));
  return cwd;
}

describe("overparam certify", () => {
  test("overparam certify bounds an ONNX network of another program by the optimum, and leaves the network as it is", async () => {
    const cwd = folder();
    const call = ["certify", "net.onnx", "xor.csv", ...EXACT, "--bias", "none"];
    const done = await overparam(call, { cwd });
    expect(done.code).toBe(0);
    const json = result(done);
    expect(json.command).toBe("certify");
    expect(json.problem).toMatchObject({ rows: 4, features: 2, outputs: 1, loss: "squared", bias: "none", beta: 0.1 });
    // f is 1/2 on (1, 1) and (-1, -1), else 0: losses 1/8, 1/8, 1/2, 1/2; penalty beta (1/2 + 1/2) / sqrt(2).
    expect(json.result.objective).toBeCloseTo(1.25 + 0.1 * Math.SQRT1_2, 12);
    // The optimum of XOR is 2 sqrt(2) beta - beta^2.
    const optimum = 0.2 * Math.SQRT2 - 0.01;
    expect(json.result.lowerBound).toBeLessThanOrEqual(optimum * (1 + 1e-12));
    expect(json.result.lowerBound).toBeGreaterThan(optimum * (1 - 1e-5));
    expect(json.result).toMatchObject({ status: "bounded", scope: "all-patterns", neurons: 2 });
    expect(json.rigorous).toBe(true);
    expect(done.stderr).toContain("a better network was found, with the training objective 0.27284");

    const path = json.run?.path ?? "";
    expect(done.stderr).not.toContain("was not decided");
    const card = readFileSync(join(path, "README.md"), "utf8");
    expect(card).toContain("Read from `net.onnx` and bounded");
    expect(card).toContain("overparam certify net.onnx xor.csv --target y");
    expect(readFileSync(join(path, "report.html"), "utf8")).toContain("bounded as it was given");
    const verified = await overparam(["verify", json.run?.id ?? "", "xor.csv", "--json"], { cwd });
    expect(verified.code).toBe(0);
    expect(JSON.parse(verified.stdout)).toMatchObject({ valid: true, rigorous: true });
  });

  test("overparam certify counts the output bias of a model as a neuron when biases are penalized", async () => {
    const cwd = folder({ ...HALF, c0: [-0.5] });
    const call = ["certify", "net.onnx", "xor.csv", ...EXACT];
    const done = await overparam(call, { cwd });
    expect(done.code).toBe(0);
    // f is 0 on (1, 1) and (-1, -1), else -1/2: losses 1/2, 1/2, 1/8, 1/8; penalty beta (1 / sqrt(2) + 1/2).
    expect(result(done).result.objective).toBeCloseTo(1.25 + 0.1 * (Math.SQRT1_2 + 0.5), 12);
    expect(done.stderr).toContain("the output bias of the model counts as a neuron");
    const free = result(await overparam([...call, "--bias", "output"], { cwd }));
    expect(free.result.objective).toBeCloseTo(1.25 + 0.1 * Math.SQRT1_2, 12);
    const none = await overparam([...call, "--bias", "none", "--quiet"], { cwd });
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining("it has biases, and --bias none") });
  });

  test("overparam certify of a run of our own confirms it", { timeout: 120_000 }, async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "small.csv"), tableCsv(40, 1));
    const fit = result(await overparam([...SMALL, "--json"], { cwd }));
    const { beta } = fit.problem;
    const call = ["certify", fit.run?.id ?? "", ...SMALL.slice(1, 4), "--beta", String(beta), "--threads", "1"];
    const certified = result(await overparam([...call, "--json"], { cwd }));
    expect(certified.result.objective).toBeCloseTo(fit.result.objective, 12);
    expect(certified.result).toMatchObject({ status: "optimal", scope: "all-patterns" });
    expect(certified.run?.id).not.toBe(fit.run?.id);
    const { stdout } = await overparam(call, { cwd });
    expect(stdout).toContain(`overparam verify ${certified.run?.id}-2 small.csv`);
  });

  test("overparam certify interrupted ends with 130 and a bound that is valid", { timeout: 120_000 }, async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "large.csv"), tableCsv(300, 12));
    const zeros = Array.from({ length: 12 }, (_, k) => (k === 0 ? 1 : 0));
    writeFileSync(join(cwd, "net.onnx"), mlpOnnx({ U: [zeros], b: [0], W: [[1]], c0: [0] }));
    const target = ["large.csv", "--target", "y", "--beta-ratio", "0.02"];
    const call = ["certify", "net.onnx", ...target, "--time", "120", "--tolerance", "1e-12", "--json"];
    let sent = false;
    const done = await overparam(call, {
      cwd,
      started: (child) =>
        child.stderr?.on("data", (text: string) => {
          if (sent || !text.includes("bound")) return;
          sent = true;
          child.kill("SIGINT");
        }),
    });
    expect(done.code).toBe(130);
    const json = result(done);
    expect(json).toMatchObject({ command: "certify", result: { status: "interrupted", scope: "all-patterns" } });
    expect(json.result.lowerBound).toBeLessThanOrEqual(json.result.objective);
    expect(readRun(json.run?.path ?? "", true).record.interrupted).toBe(true);
    // What any training reaches is above every valid bound.
    const trained = result(await overparam(["fit", ...target, "--time", "3", "--json"], { cwd }));
    expect(json.result.lowerBound).toBeLessThanOrEqual(trained.result.objective);
  });

  test.each([
    [["net.onnx", "xor.csv", "--target", "y", ...POSED], "the penalty that the model was trained with is not known"],
    [["net.onnx", "xor.csv", ...EXACT, "--program", "gated"], "is bounded over all ReLU networks"],
    [["net.onnx", "xor.csv", ...EXACT, "--patterns", "3"], "is bounded over all ReLU networks"],
    [["net.onnx", "wide.csv", ...EXACT], "multiplies 3 numbers by a [2,2] matrix"],
    [["two.onnx", "xor.csv", ...EXACT], "the model has 2 outputs, the target asks for 1"],
    [["xor.csv", "xor.csv", ...EXACT], "xor.csv"],
    [["no.onnx", "xor.csv", ...EXACT], '"no.onnx" not found'],
    [["nothing", "xor.csv", ...EXACT], 'no run "nothing"'],
  ])("overparam certify %j is a mistake that is explained", async (args, message) => {
    const cwd = folder();
    writeFileSync(join(cwd, "wide.csv"), "a,b,c,y\n1,1,0,1\n1,-1,2,0.5\n");
    writeFileSync(join(cwd, "two.onnx"), mlpOnnx({ ...HALF, W: [...HALF.W, ...HALF.W], c0: [0, 0] }));
    const { code, stdout, stderr } = await overparam(["certify", ...args], { cwd });
    expect(stderr).toContain(message);
    expect(code).toBe(1);
    if (args.includes("--json")) expect(JSON.parse(stdout)).toMatchObject({ schema: 1, command: "certify" });
  });

  test("overparam certify refuses a gated network", async () => {
    const cwd = folder();
    const fit = result(await overparam(["fit", "xor.csv", ...EXACT, "--program", "gated", "--bias", "none"], { cwd }));
    expect(fit.result.scope).toBe("listed-patterns");
    const done = await overparam(["certify", fit.run?.id ?? "", "xor.csv", ...EXACT, "--bias", "none"], { cwd });
    expect(done).toMatchObject({ code: 1, stderr: expect.stringContaining("it is a gated network") });
  });
});
