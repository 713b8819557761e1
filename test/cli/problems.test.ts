import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fitJsonSchema } from "../../src/experiments/fit-types.ts";
import { type Finished, overparam, temporaryFolder } from "./program.ts";
import { tableCsv } from "./small-fits.ts";

const EXACT = ["--split", "none", "--standardize", "none", "--scaling", "sum", "--threads", "1", "--json"];
const result = ({ stdout }: Finished) => fitJsonSchema.parse(JSON.parse(stdout));

/** The table with a column `w` of weights, one for each row. */
function weighted(csv: string, weight: (row: number) => string): string {
  const [head, ...rows] = csv.trimEnd().split("\n");
  return [`${head},w`, ...rows.map((row, i) => `${row},${weight(i)}`), ""].join("\n");
}

describe("overparam fit --weights", () => {
  test("overparam fit --weights: a row of weight 2 is the row twice, and weight 0 no row", async () => {
    const cwd = temporaryFolder();
    const csv = tableCsv(24, 1);
    const [head, ...rows] = csv.trimEnd().split("\n");
    const times = (i: number): number => [1, 2, 0][i % 3]!;
    const repeated = rows.flatMap((row, i) => Array.from({ length: times(i) }, () => row));
    writeFileSync(
      join(cwd, "weighted.csv"),
      weighted(csv, (i) => String(times(i))),
    );
    writeFileSync(join(cwd, "repeated.csv"), `${[head, ...repeated].join("\n")}\n`);
    const call = (file: string) => ["fit", file, "--target", "y", "--beta", "0.5", "--tolerance", "1e-9", ...EXACT];
    const weights = result(await overparam([...call("weighted.csv"), "--weights", "w"], { cwd }));
    const twice = result(await overparam(call("repeated.csv"), { cwd }));
    expect(weights.problem.features).toBe(1);
    expect(twice.result.objective).toBeGreaterThan(0.1);
    expect(weights.result.objective / twice.result.objective).toBeCloseTo(1, 8);
    expect(weights.result.lowerBound / twice.result.lowerBound).toBeCloseTo(1, 8);
    expect(weights.rigorous).toBe(true);
    const verified = await overparam(["verify", weights.run?.id ?? "", "weighted.csv"], { cwd });
    expect(verified.code).toBe(0);
  });

  test.each([
    [["--weights", "w"], 'weights "w" have the value -1 in row 2'],
    [["--weights", "y"], 'column "y" is both target and weights'],
    [["--weights", "v"], 'column "v" not found in bad.csv'],
  ])("overparam fit %j of wrong weights is a mistake that is explained", async (flags, message) => {
    const cwd = temporaryFolder();
    writeFileSync(
      join(cwd, "bad.csv"),
      weighted(tableCsv(12, 1), (i) => (i === 1 ? "-1" : "1")),
    );
    const { code, stderr } = await overparam(["fit", "bad.csv", "--target", "y", ...flags, ...EXACT], { cwd });
    expect(stderr).toContain(message);
    expect(code).toBe(1);
  });
});

describe("overparam fit --loss", () => {
  test("overparam fit --loss hinge of two separable rows meets its closed form", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "two.csv"), "x,label\n2,yes\n-2,no\n");
    const call = [
      "fit",
      "two.csv",
      "--target",
      "label",
      "--loss",
      "hinge",
      "--bias",
      "none",
      "--beta",
      "0.5",
      ...EXACT,
    ];
    const json = result(await overparam(call, { cwd }));
    expect(json.problem.loss).toBe("hinge");
    // Each row has a neuron of its own: min over t of max(0, 1 - 2 t) + beta t is beta / 2 at t = 1/2.
    expect(json.result.objective).toBeCloseTo(0.5, 7);
    expect(json.result.gap).toBeLessThan(1e-5);
    expect(json.rigorous).toBe(true);
  });

  test("overparam fit --loss huber of one row meets its closed form, and squared loss when the threshold is large", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "rows.csv"), "x,y\n1,4.5\n-1,0\n");
    const solved = async (...loss: string[]) => {
      const call = ["fit", "rows.csv", "--target", "y", "--task", "regression", "--bias", "none", "--beta", "0.5"];
      return result(await overparam([...call, ...loss, ...EXACT], { cwd }));
    };
    const huber = await solved("--loss", "huber", "--huber", "2");
    expect(huber.problem).toMatchObject({ loss: "huber", huber: 2 });
    // The slope of the loss in f is 0.5 = beta at distance 1/2 from 4.5: 0.5^2 / 2 + 0.5 * 4.
    expect(huber.result.objective).toBeCloseTo(2.125, 7);
    expect(huber.rigorous).toBe(true);
    // Below the threshold 0.4 < beta no neuron is worth its penalty: 0.4 (4.5 - 0.2).
    const { result: zero } = await solved("--loss", "huber", "--huber", "0.4");
    expect(zero.neurons).toBe(0);
    expect(zero.objective).toBeCloseTo(1.72, 12);
    const squared = await solved("--loss", "squared");
    const wide = await solved("--loss", "huber", "--huber", "1e6");
    expect(wide.result.objective).toBeCloseTo(squared.result.objective, 7);
  });

  test.each([
    [["--loss", "hinge"], 'the hinge loss needs classes, but "y" is a number'],
    [["--huber", "-1"], '--huber wants a positive number, got "-1"'],
    [["--beta", "certified", "--program", "gated"], "--beta certified speaks of all ReLU networks"],
    [["--beta", "certified", "--patterns", "20"], "--beta certified speaks of all ReLU networks"],
    [["--beta", "certified", "--beta-ratio", "0.1"], "sets beta too"],
  ])("overparam fit %j is a mistake that is explained", async (flags, message) => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "table.csv"), tableCsv(12, 1));
    const { code, stderr } = await overparam(["fit", "table.csv", "--target", "y", ...flags, ...EXACT], { cwd });
    expect(stderr).toContain(message);
    expect(code).toBe(1);
  });
});

describe("overparam fit --beta certified", () => {
  test("overparam fit --beta certified takes a beta that closes, and says how to repeat it", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "table.csv"), tableCsv(30, 1));
    const call = ["fit", "table.csv", "--target", "y", "--beta", "certified", "--time", "10", "--threads", "1"];
    const done = await overparam([...call, "--json"], { cwd });
    expect(done.code).toBe(0);
    const json = result(done);
    expect(json.problem.beta).toBeLessThan(0.5 * json.problem.betaMax);
    expect(json.result.scope).toBe("all-patterns");
    expect(json.result.gap).toBeLessThan(1e-3);
    expect(done.stderr).toContain("beta_max is the smallest whose gap closed in the time");
  });
});
