import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { ConfigError } from "../../src/base/errors.ts";
import { randomStream } from "../../src/base/random.ts";
import { loadDataset } from "../../src/data/index.ts";
import { readCheckpoint } from "../../src/experiments/checkpoint.ts";
import { type FitSettings, fitSettingsSchema } from "../../src/experiments/config.ts";
import { type FitEvent, fitJsonSchema } from "../../src/experiments/fit-types.ts";
import { softmaxLosses } from "../../src/experiments/metrics.ts";
import { predictRows } from "../../src/experiments/predict.ts";
import { codeTargets, rowLosses } from "../../src/experiments/problem.ts";
import { readOnnx, readSafetensors, type SavedModel } from "../../src/formats/index.ts";
import { forward, penalty } from "../../src/network/index.ts";
import { file, type Observed, run, text } from "./runs.ts";
import { smallFit } from "./tables.ts";

const modelOf = ({ outcome }: Observed): SavedModel =>
  readSafetensors(file(outcome, "model.safetensors"), "model.safetensors");

/** Settings of a fit of a table with these lines, removed after the test. */
function tableFit(lines: readonly string[], more: Partial<FitSettings>): FitSettings {
  const folder = mkdtempSync(join(tmpdir(), "overparam-outputs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const data = join(folder, "table.csv");
  writeFileSync(data, `${lines.join("\n")}\n`);
  return fitSettingsSchema.parse({ data, threads: 1, time: 30, ...more });
}

/** Two targets of one table: in units that differ by far, the second with a missing cell. */
function twoTargets(more: Partial<FitSettings> = {}): FitSettings {
  const random = randomStream(0, "two targets");
  const lines = Array.from({ length: 40 }, (_, i) => {
    const [x, y] = [random.normal(), random.normal()];
    return [x, y, 1e6 + 1e3 * Math.abs(x), i === 7 ? "" : 0.01 * (x - y)].join(",");
  });
  return tableFit(["x,y,big,small", ...lines], { target: "big,small", ...more });
}

describe("runFit of outputs that share their neurons", () => {
  test.each([
    ["softmax", "column", "mean"],
    ["softmax", "output", "sum"],
    ["squared", "none", "sum"],
  ] as const)(
    "runFit of three classes with %s loss, bias %s, scaling %s: objective and bound belong to the saved network",
    async (loss, bias, scaling) => {
      const settings = smallFit("three", { loss, bias, scaling, betaRatio: 0.2, split: 0 });
      const observed = await run(settings);
      const { json, verdict, files } = observed.outcome;
      const { problem, result } = fitJsonSchema.parse(JSON.parse(JSON.stringify(json)));
      const { X, y } = loadDataset({ file: settings.data, target: "target", split: "none" }).train;
      const { network, target } = modelOf(observed);
      const F = forward(network, X);
      const losses = loss === "softmax" ? softmaxLosses(F, y) : rowLosses({ loss }, F, codeTargets(y, "zero-one", 3));
      const sum = losses.reduce((total, value) => total + value, 0);
      const decay = penalty(network, bias === "output" ? "free" : "penalized");
      expect(result.objective).toBeCloseTo((scaling === "mean" ? sum / X.rows : sum) + problem.beta * decay, 10);
      expect(problem).toMatchObject({ outputs: 3, outputNorm: "group", loss });
      expect(result).toMatchObject({ status: "optimal", scope: "all-patterns", neurons: network.U.rows });
      expect(result.method).toMatch(/^cover-exact-rank-/);
      expect(result.gap).toBeLessThan(1e-6);
      expect(json).toMatchObject({ rigorous: false });
      expect(json).not.toHaveProperty("perClass");
      expect(verdict[0]).toMatch(
        /^Certified globally optimal: no (bias-free )?two-layer ReLU network of any width has/,
      );
      expect(verdict.at(-1)).toContain("not a rigorous proof");
      expect(target.link).toBe(loss === "softmax" ? "softmax" : undefined);
      expect(files.map(({ name }) => name)).not.toContain("certificate.json");
      expect(text(observed.outcome, "README.md")).toContain(
        "No certificate: the checker knows networks with one output",
      );
      expect(text(observed.outcome, "report.html")).toContain("share neurons");
    },
  );

  test("runFit: neurons are really shared, and one network a class has a larger path norm for the same outputs", async () => {
    const settings = smallFit("three", { loss: "squared", betaRatio: 0.05, split: 0 });
    const shared = (await run(settings)).outcome.json;
    const apart = (await run({ ...settings, outputNorm: "l1", betaRatio: undefined, beta: shared.problem.beta }))
      .outcome;
    // ||w||_2 <= ||w||_1: the group problem is a relaxation of the other.
    expect(shared.result.objective).toBeLessThan(apart.json.result.lowerBound);
    expect(apart.json.perClass).toHaveLength(3);
    expect(apart.json.rigorous).toBe(true);
    expect(apart.verdict[0]).toContain("no set of 3 separate two-layer ReLU networks of any width, one a class,");
  });

  test("runFit of three classes by validation: the same beta each time, probabilities that add up, metrics beside baselines", async () => {
    const settings = smallFit("three", { rows: 60 });
    const first = await run(settings);
    const { json, testTable } = first.outcome;
    expect(json.problem.loss).toBe("softmax");
    expect(json.result.gap).toBeLessThan(1e-3);
    expect(json.metrics.test).toMatchObject({ logLoss: expect.any(Number), accuracy: testTable.network });
    const { probabilities, classes, metrics } = predictRows(modelOf(first), settings.data);
    expect(metrics?.["logLoss"]).toBeGreaterThan(0);
    for (let i = 0; i < 60; i++) {
      const p = probabilities!.data.subarray(3 * i, 3 * i + 3);
      expect(p.reduce((sum, t) => sum + t, 0)).toBeCloseTo(1, 12);
      expect(p.indexOf(Math.max(...p))).toBe(classes![i]);
    }
    const again = (await run(settings)).outcome;
    expect(again.json.problem.beta).toBe(json.problem.beta);
    expect(again.id).toBe(first.outcome.id);
  });

  test("runFit --beta certified of three classes takes a beta whose gap closes", async () => {
    const { json } = (await run(smallFit("three", { beta: "certified", rows: 30, time: 5 }))).outcome;
    expect(json.problem.beta).toBeLessThan(json.problem.betaMax);
    expect(json.result.gap).toBeLessThan(1e-3);
  });

  test("runFit at beta >= beta_max of three classes certifies the network without neurons", async () => {
    const { json } = (await run(smallFit("three", { betaRatio: 1.001 }))).outcome;
    expect(json.result).toMatchObject({ neurons: 0, status: "optimal" });
    expect(json.result.objective).toBeCloseTo(Math.log(3), 12);
  });

  test("runFit of two classes with --loss softmax has two outputs", async () => {
    const observed = await run(smallFit("two", { loss: "softmax", betaRatio: 0.1 }));
    expect(observed.outcome.json.problem).toMatchObject({ outputs: 2, outputNorm: "group" });
    expect(observed.outcome.json.result.gap).toBeLessThan(1e-6);
    expect(modelOf(observed).network.W.cols).toBe(2);
  });

  test("runFit cancelled in training leaves a checkpoint, from which it goes on to the end", async () => {
    const settings = smallFit("three", { betaRatio: 0.02, rows: 150, columns: 6, time: 6 });
    // The first passes of training are no better than no network at all.
    const stop = (event: FitEvent): boolean =>
      event.kind === "progress" && event.stage === "train" && (event.objective ?? 1) < 0.8;
    const { outcome } = await run(settings, { cancelAfter: stop });
    expect(outcome.json.result.status).toBe("interrupted");
    const checkpoint = readCheckpoint(file(outcome, "checkpoint.json"), "checkpoint.json");
    expect(checkpoint.outputs).toHaveLength(1);
    const resumed = await run(settings, { resume: checkpoint });
    expect(resumed.outcome.json.result.objective).toBeLessThanOrEqual(outcome.json.result.objective);
    expect(resumed.events.some((event) => event.kind === "progress" && event.bound !== null)).toBe(true);
    await expect(run({ ...settings, outputNorm: "l1" }, { resume: checkpoint })).rejects.toThrow(ConfigError);
  });

  test("runFit of a given network bounds that network, with the beta that it is given", async () => {
    const settings = smallFit("three", { betaRatio: 0.1 });
    const trained = await run(settings);
    const model = settings.data.replace("table.csv", "model.safetensors");
    writeFileSync(model, file(trained.outcome, "model.safetensors"));
    const { beta } = trained.outcome.json.problem;
    const given = await run({ ...settings, betaRatio: undefined, beta }, { given: model });
    expect(given.outcome.json.result.objective).toBeCloseTo(trained.outcome.json.result.objective, 12);
    expect(given.outcome.json.result.gap).toBeLessThan(1e-6);
    const harder = await run({ ...settings, betaRatio: undefined, beta: 3 * beta }, { given: model });
    expect(harder.outcome.json.result.gap).toBeGreaterThan(0.01);
    expect(harder.outcome.verdict[0]).toMatch(/^Bounded within/);
  });

  test("runFit --weights: a row of weight 2 is the row twice, and weight 0 no row", async () => {
    const { data } = smallFit("three", { rows: 30 });
    const [head, ...rows] = loadLines(data);
    const times = (i: number): number => [1, 2, 0][i % 3]!;
    const exact = { target: "target", split: 0, standardize: "none", scaling: "sum", beta: 1 } as const;
    const weighted = tableFit([`${head},w`, ...rows.map((row, i) => `${row},${times(i)}`)], { ...exact, weights: "w" });
    const repeated = tableFit([head!, ...rows.flatMap((row, i) => Array.from({ length: times(i) }, () => row))], exact);
    const [one, two] = [(await run(weighted)).outcome.json.result, (await run(repeated)).outcome.json.result];
    expect(one.objective / two.objective).toBeCloseTo(1, 8);
    expect(one.lowerBound / two.lowerBound).toBeCloseTo(1, 6);
  });
});

function loadLines(path: string): string[] {
  return readFileSync(path, "utf8").trimEnd().split("\n");
}

describe("runFit of several target columns", () => {
  test("runFit of --target a,b standardizes the targets and predicts in the units of the table", async () => {
    const settings = twoTargets({ betaRatio: 0.05, split: 0, time: 8 });
    const observed = await run(settings);
    const { json, testTable } = observed.outcome;
    expect(json.problem).toMatchObject({ rows: 39, features: 2, outputs: 2, outputNorm: "group", loss: "squared" });
    expect(json.problem.targets).toEqual(["big", "small"]);
    expect(json.result.gap).toBeLessThan(0.01);
    expect(Object.keys(json.metrics.train)).toEqual(["r2", "rmse:big", "r2:big", "rmse:small", "r2:small"]);
    expect(json.metrics.train["rmse:big"]).toBeLessThan(300);
    expect(json.metrics.train["rmse:small"]).toBeLessThan(0.01);
    expect(testTable).toMatchObject({ metric: "mean R²", network: json.metrics.train["r2"] });
    expect(testTable.network).toBeGreaterThan(0.9);
    expect(Object.keys(json.metrics.baselines)).toEqual(["linear", "ridge"]);
    const model = modelOf(observed);
    const prediction = predictRows(model, settings.data);
    expect(prediction.metrics).toEqual(json.metrics.train);
    expect(Math.abs(prediction.scores.data[0]! / 1e6 - 1)).toBeLessThan(0.01);
    expect(readOnnx(file(observed.outcome, "model.onnx"), "model.onnx").target).toEqual(model.target);
    expect(text(observed.outcome, "README.md")).toContain("`big`, `small`, in the units of the table");
  });

  test("runFit of --target a,b with --output-norm l1 is each target by itself, on its standardized values", async () => {
    const settings = twoTargets({ outputNorm: "l1", beta: 0.01, split: 0 });
    const { json, verdict, files } = (await run(settings)).outcome;
    expect(json.perClass?.map((one) => one.class)).toEqual(["big", "small"]);
    expect(verdict[0]).toContain("one a target,");
    expect(files.map(({ name }) => name)).not.toContain("certificate.json");
    expect(json.result.status).toBe("optimal");
  });

  test("runFit of --target a,b chooses beta by validation", async () => {
    const { json, testTable } = (await run(twoTargets())).outcome;
    expect(json.problem.beta).toBeLessThan(0.5 * json.problem.betaMax);
    expect(testTable.network).toBeGreaterThan(0.8);
  });

  test.each([
    ["big,smal", 'column "smal" not found'],
    ["big,big", "named twice"],
  ])("runFit refuses --target %s", async (target, message) => {
    await expect(run(twoTargets({ target }))).rejects.toThrow(message);
  });

  test("runFit refuses several targets that are classes", async () => {
    await expect(run(twoTargets({ task: "classification" }))).rejects.toThrow("several targets are numbers");
  });
});

describe("runFit of awkward classes", () => {
  const points = ["x,c", "0,a", "1,a", "2,b", "3,b", "9,c"];

  test("a class with one row is trained on when nothing is held out, and refused otherwise", async () => {
    const { outcome } = await run(tableFit(points, { target: "c", split: 0, beta: 0.01 }));
    expect(outcome.json.result.gap).toBeLessThan(1e-6);
    await expect(run(tableFit(points, { target: "c" }))).rejects.toThrow("a class of target");
  });

  test("a class of weight 0 has no free bias; with a penalized one it is as good as absent", async () => {
    const lines = points.map((line, i) => `${line},${i === 0 ? "w" : line.endsWith("c") ? 0 : 1}`);
    const settings = tableFit(lines, { target: "c", split: 0, beta: 0.01, weights: "w" });
    expect((await run(settings)).outcome.json.result.gap).toBeLessThan(1e-6);
    await expect(run({ ...settings, bias: "output" })).rejects.toThrow("has no rows");
  });

  test("equal rows of different classes, and separable classes at tiny beta, have sound bounds", async () => {
    const equal = tableFit(["x,c", "1,a", "1,b", "1,c", "1,a", "2,b", "2,c"], {
      target: "c",
      split: 0,
      betaRatio: 0.5,
    });
    const separable = tableFit(points, { target: "c", split: 0, beta: 1e-8, time: 5 });
    for (const settings of [equal, separable]) {
      const { result } = (await run(settings)).outcome.json;
      expect(result.lowerBound).toBeGreaterThanOrEqual(0);
      expect(result.lowerBound).toBeLessThanOrEqual(result.objective);
    }
  });
});
