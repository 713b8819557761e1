import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { fitJsonSchema } from "../../src/experiments/fit-types.ts";
import { type Finished, overparam, temporaryFolder } from "./program.ts";

const result = ({ stdout }: Finished) => fitJsonSchema.parse(JSON.parse(stdout));

/** A table of two features, three classes and two numbers. */
function tableOf(rows: number): string {
  const random = randomStream(0, "outputs");
  const lines = Array.from({ length: rows }, () => {
    const [x, y] = [random.normal(), random.normal()];
    const kind = x > 0.5 ? "right" : y > 0 ? "up" : "down";
    return [x.toFixed(4), y.toFixed(4), kind, (100 * Math.abs(x)).toFixed(3), (x - y).toFixed(5)].join(",");
  });
  return `${["x", "y", "kind", "size", "slope"].join(",")}\n${lines.join("\n")}\n`;
}

const FIT = ["--beta-ratio", "0.1", "--time", "20", "--threads", "1", "--json"];

describe("overparam fit of several outputs", () => {
  test("overparam fit of three classes: one network, probabilities, no certificate, bounded again by certify", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "table.csv"), tableOf(50));
    const call = ["fit", "table.csv", "--target", "kind", ...FIT];
    const fitted = await overparam(call, { cwd });
    expect(fitted.code).toBe(0);
    const json = result(fitted);
    expect(json.problem).toMatchObject({ loss: "softmax", outputs: 3, outputNorm: "group" });
    expect(json.rigorous).toBe(false);
    expect(fitted.stderr).not.toContain("overparam verify");
    const id = json.run?.id ?? "";

    const predicted = await overparam(["predict", id, "table.csv"], { cwd });
    const [head, first] = predicted.stdout.split("\n");
    expect(head).toBe("prediction,probability:down,probability:right,probability:up");
    const odds = (first ?? "").split(",").slice(1).map(Number);
    expect(odds.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
    expect(predicted.stderr).toContain("log-loss");
    const listed = JSON.parse((await overparam(["predict", id, "table.csv", "--json"], { cwd })).stdout);
    expect(listed.probabilities[0]).toEqual(odds);

    const verified = await overparam(["verify", id, "table.csv"], { cwd });
    expect(verified.code).toBe(1);
    expect(verified.stderr).toContain("has no certificate");
    expect(verified.stderr).toContain("--loss logistic");

    const beta = String(json.problem.beta);
    const again = ["certify", id, "table.csv", "--target", "kind", "--beta", beta, "--time", "20", "--threads", "1"];
    const certified = await overparam([...again, "--json"], { cwd });
    expect(certified.code).toBe(0);
    expect(result(certified).result.objective).toBeCloseTo(json.result.objective, 12);
    const exported = await overparam(["export", id, "--onnx", "k.onnx", "--safetensors", "k.safetensors"], { cwd });
    expect(exported.code).toBe(0);
    expect(readFileSync(join(cwd, "k.onnx")).length).toBeGreaterThan(500);
    expect((await overparam(["report", id], { cwd })).code).toBe(0);
  });

  test("overparam fit --loss logistic of three classes says what it gives, and can be verified", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "table.csv"), tableOf(30));
    const fitted = await overparam(["fit", "table.csv", "--target", "kind", "--loss", "logistic", ...FIT], { cwd });
    const json = result(fitted);
    expect(json.problem.outputNorm).toBe("l1");
    expect(json.perClass).toHaveLength(3);
    expect(fitted.stderr).toContain(
      "one network a class, each against the rest, whose bounds can be proved class by class",
    );
    expect(json.rigorous).toBe(true);
    expect((await overparam(["verify", json.run?.id ?? "", "table.csv"], { cwd })).code).toBe(0);
  });

  test("overparam fit --target a,b predicts each column in its own units", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "table.csv"), tableOf(40));
    // The text column is no feature here: its words follow from the others.
    const json = result(await overparam(["fit", "table.csv", "--target", "size,slope", ...FIT], { cwd }));
    expect(json.problem).toMatchObject({ outputs: 2, loss: "squared", targets: ["size", "slope"] });
    const predicted = await overparam(["predict", json.run?.id ?? "", "table.csv"], { cwd });
    expect(predicted.stdout.split("\n")[0]).toBe("prediction:size,prediction:slope");
    expect(predicted.stderr).toContain("RMSE of slope");
  });

  test.each([
    [["--target", "kind", "--loss", "softmax", "--output-norm", "l1"], "couples the outputs"],
    [["--target", "kind", "--loss", "logistic", "--output-norm", "group"], "one network an output"],
    [["--target", "kind", "--loss", "softmax", "--program", "gated"], "over all patterns"],
    [["--target", "size", "--loss", "softmax"], "needs classes"],
    [["--target", "size,slop"], 'column "slop" not found'],
  ])("overparam fit %j is a mistake that is explained", async (flags, message) => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "table.csv"), tableOf(20));
    const { code, stderr } = await overparam(["fit", "table.csv", ...flags, ...FIT], { cwd });
    expect(stderr).toContain(message);
    expect(code).toBe(1);
  });
});
