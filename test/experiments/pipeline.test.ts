import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/base/errors.ts";
import { loadDataset } from "../../src/data/index.ts";
import { readCheckpoint } from "../../src/experiments/checkpoint.ts";
import { FitCancelled, type FitEvent, fitJsonSchema } from "../../src/experiments/fit-types.ts";
import { networkFromJson } from "../../src/experiments/network-json.ts";
import { codeTargets, rowLosses } from "../../src/experiments/problem.ts";
import { readOnnx, readSafetensors } from "../../src/formats/index.ts";
import { forward, penalty } from "../../src/network/index.ts";
import type { RunReport } from "../../src/report/index.ts";
import { certificateOf, file, run, text } from "./runs.ts";
import { smallFit } from "./tables.ts";

describe("runFit", () => {
  test("runFit of two classes: JSON of the fixed shape, files that agree with each other, events in order", async () => {
    const settings = smallFit("two", { betaRatio: 0.1 });
    const { outcome, events } = await run(settings);
    const json = fitJsonSchema.parse(JSON.parse(JSON.stringify(outcome.json)));
    expect(json.problem).toMatchObject({
      rows: 32,
      features: 2,
      outputs: 1,
      loss: "logistic",
      scaling: "mean",
      bias: "column",
    });
    expect(json.problem.beta).toBeCloseTo(0.1 * json.problem.betaMax, 14);
    // Rank 3 with the bias column: the bound is exact and closes.
    expect(json.result).toMatchObject({ status: "optimal", scope: "all-patterns", method: "cones" });
    expect(json.result.lowerBound).toBeLessThanOrEqual(json.result.objective);
    expect(Object.keys(json.metrics.train)).toEqual(["accuracy", "auc", "logLoss"]);
    expect(Object.keys(json.metrics.baselines)).toEqual(["logistic", "ridge"]);
    expect(outcome.testTable).toMatchObject({
      metric: "accuracy",
      part: "test",
      network: json.metrics.test!["accuracy"],
    });
    expect(outcome.verdict[0]).toMatch(/^Certified globally optimal/);
    expect(outcome.id).toMatch(/^[0-9a-f]{64}$/);
    expect(outcome.files.map(({ name }) => name)).toEqual([
      "model.onnx",
      "model.safetensors",
      "certificate.json",
      "history.ndjson",
      "report.json",
      "report.html",
      ...["regions", "convergence", "gap", "confusion", "roc", "neurons"].map((figure) => `figures/${figure}.svg`),
      "README.md",
    ]);
    const exact = readSafetensors(file(outcome, "model.safetensors"), "model.safetensors");
    expect(networkFromJson(certificateOf(outcome).network)).toEqual(exact.network);
    expect(readOnnx(file(outcome, "model.onnx"), "model.onnx").target).toEqual(exact.target);
    const history = text(outcome, "history.ndjson")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(history.every(({ output }) => output === "target")).toBe(true);
    expect(history.at(-1).objective).toBeCloseTo(json.result.objective, 10);
    expect(text(outcome, "report.html")).toContain("No two-layer ReLU network of any width has a training objective");
    expect(text(outcome, "README.md")).toContain(outcome.verdict[0]);
    const kinds = events.map(({ kind }) => kind);
    expect(kinds.indexOf("data")).toBe(0);
    expect(kinds.indexOf("backend")).toBeLessThan(kinds.indexOf("progress"));
    expect(events[0]).toMatchObject({ rows: 40, testRows: 8, features: 2, rank: 3, classes: 2 });
  });

  test.each([
    ["number", "squared", "column"],
    ["two", "logistic", "output"],
    ["two", "squared", "none"],
    ["three", "squared", "column"],
    ["three", "logistic", "column"],
  ] as const)(
    "runFit of %s with %s loss and bias %s: objective, bound and gap belong to the saved network",
    async (kind, loss, bias) => {
      const apart = kind === "three" ? ({ outputNorm: "l1" } as const) : {};
      const settings = smallFit(kind, { loss, bias, betaRatio: 0.2, split: 0, scaling: "sum", ...apart });
      const { outcome } = await run(settings);
      const { result, problem, perClass, metrics } = outcome.json;
      const dataset = loadDataset({ file: settings.data, target: "target", split: "none" });
      const certificate = certificateOf(outcome);
      const network = networkFromJson(certificate.network);
      const { coding } = certificate.data;
      const Y = codeTargets(dataset.train.y, coding, problem.outputs);
      // Scaling `sum`, unit weights: the losses of all rows, and weight decay over the network as it is stored.
      const losses = rowLosses({ loss }, forward(network, dataset.train.X), Y);
      const decay = penalty(network, bias === "output" ? "free" : "penalized");
      const objective = losses.reduce((sum, value) => sum + value, 0) + problem.beta * decay;
      expect(result.objective / objective).toBeCloseTo(1, 12);
      expect(result.gap).toBeCloseTo((result.objective - result.lowerBound) / result.objective, 14);
      expect(result.status).toBe("optimal");
      expect(certificate.data.matrix).toBe(dataset.fingerprint.matrix);
      expect(certificate.outputs.length).toBe(problem.outputs);
      expect(perClass?.map((one) => one.class)).toEqual(kind === "three" ? ["left", "middle", "right"] : undefined);
      expect(metrics.test).toBeNull();
      expect(outcome.testTable.part).toBe("train");
      if (kind !== "number") {
        const F = forward(network, dataset.train.X);
        const right = dataset.train.y.filter((label, i) => {
          const scores = [...F.data.subarray(i * F.cols, (i + 1) * F.cols)];
          return scores.length === 1 ? scores[0]! > 0 === label > 0 : scores.indexOf(Math.max(...scores)) === label;
        });
        expect(metrics.train["accuracy"]).toBeCloseTo(right.length / F.rows, 14);
      }
    },
  );

  test("runFit chooses beta by validation on the grid, the same way each time", async () => {
    const settings = smallFit("number", { rows: 60 });
    const first = await run(settings);
    // The grid is geometric in shares of the strongest beta tried, which beta_max bounds; one of its points is chosen.
    const { report } = JSON.parse(text(first.outcome, "report.json")) as { report: RunReport };
    const betas = (report.validation ?? []).map((point) => point.beta).sort((x, y) => y - x);
    const shares = [1, 0.4, 0.2, 0.1, 0.04, 0.02, 0.01, 0.004];
    betas.forEach((beta, k) => {
      expect(beta / betas[0]!).toBeCloseTo(shares[k]!, 12);
    });
    const { beta, betaMax } = first.outcome.json.problem;
    expect(betas.length).toBeGreaterThan(1);
    expect(betas[0]!).toBeLessThanOrEqual(0.5 * betaMax * (1 + 1e-12));
    expect(betas.some((one) => Math.abs(beta / one - 1) < 1e-12)).toBe(true);
    expect(first.events.some((event) => event.kind === "progress" && event.stage === "validate")).toBe(true);
    expect(text(first.outcome, "report.html")).toContain("by validation");
    const second = await run(settings);
    expect(second.outcome.id).toBe(first.outcome.id);
    expect(second.outcome.json.problem.beta).toBe(first.outcome.json.problem.beta);
  });

  test("runFit: validation gives the same beta under both scalings, up to the number of rows", async () => {
    const settings = smallFit("number", { rows: 50, split: 0 });
    const mean = (await run(settings)).outcome.json.problem;
    const sum = (await run({ ...settings, scaling: "sum" })).outcome.json.problem;
    expect(sum.beta / mean.beta).toBeCloseTo(50, 9);
  });

  test("runFit at beta >= beta_max certifies the zero network", async () => {
    const { outcome } = await run(smallFit("number", { betaRatio: 1.001 }));
    expect(outcome.json.result).toMatchObject({ status: "optimal", neurons: 0 });
    expect(outcome.verdict[0]).toMatch(/^Certified globally optimal: /);
    expect(outcome.verdict[1]).toContain("The network is zero: beta is not below beta_max");
    expect(outcome.verdict.join(" ")).not.toContain("Over its own");
  });

  test("runFit of a gated program saves a gated network and claims nothing about ReLU networks", async () => {
    const { outcome } = await run(smallFit("two", { program: "gated", patterns: 20, betaRatio: 0.1 }));
    expect(outcome.json.result).toMatchObject({ status: "optimal", scope: "listed-patterns" });
    const { network } = readSafetensors(file(outcome, "model.safetensors"), "model.safetensors");
    expect(network.activation).toBe("gated");
    expect(outcome.verdict.join(" ")).not.toContain("any width");
  });

  test("runFit cancelled in training leaves a checkpoint, from which it goes on to the end", async () => {
    const settings = smallFit("number", { betaRatio: 0.01, rows: 200, columns: 8 });
    const stop = (event: FitEvent): boolean =>
      event.kind === "progress" && event.stage === "train" && event.neurons > 0;
    const { outcome } = await run(settings, { cancelAfter: stop });
    expect(outcome.interrupted).toBe(true);
    expect(outcome.json.result.status).toBe("interrupted");
    expect(outcome.verdict[0]).toMatch(/^Interrupted/);
    const checkpoint = readCheckpoint(file(outcome, "checkpoint.json"), "checkpoint.json");
    const resumed = await run(settings, { resume: checkpoint });
    expect(resumed.outcome.interrupted).toBe(false);
    expect(resumed.outcome.json.problem.beta).toBe(outcome.json.problem.beta);
    expect(resumed.outcome.json.result.objective).toBeLessThanOrEqual(outcome.json.result.objective);
    const firstTraining = resumed.events.find((event) => event.kind === "progress" && event.stage === "train");
    expect(firstTraining).toMatchObject({ neurons: outcome.json.result.neurons });
    await expect(run({ ...settings, seed: 5 }, { resume: checkpoint })).rejects.toThrow("the training data differ");
  });

  test("runFit cancelled before there is a network throws FitCancelled", async () => {
    const early = (event: FitEvent): boolean => event.kind === "progress" && event.stage === "validate";
    await expect(run(smallFit("two"), { cancelAfter: early })).rejects.toThrow(FitCancelled);
    await expect(run(smallFit("two", { betaRatio: 0.1 }), { cancelAfter: () => true })).rejects.toThrow(FitCancelled);
  });

  test("runFit refuses settings that do not fit the data", async () => {
    await expect(run(smallFit("number", { loss: "logistic" }))).rejects.toThrow(ConfigError);
    await expect(run({ ...smallFit("two"), target: undefined })).rejects.toMatchObject({ code: "target-missing" });
    await expect(run(smallFit("number", { columns: 5, patterns: "all", betaRatio: 0.5 }))).rejects.toThrow(ConfigError);
  });
});
