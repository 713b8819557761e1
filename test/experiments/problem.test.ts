import { describe, expect, test } from "vitest";
import { ConfigError, DataError } from "../../src/base/errors.ts";
import { matrix } from "../../src/base/matrix.ts";
import type { Target } from "../../src/data/types.ts";
import { type Checkpoint, checkResumable, readCheckpoint } from "../../src/experiments/checkpoint.ts";
import { type FitSettings, fitSettingsSchema } from "../../src/experiments/config.ts";
import { inUnits } from "../../src/experiments/measure.ts";
import { networkFromJson, networkToJson } from "../../src/experiments/network-json.ts";
import { totalResult } from "../../src/experiments/outcome.ts";
import { chooseCoding, chooseForm, codeTargets, outputNames, rowLosses } from "../../src/experiments/problem.ts";
import { reproduceCommands, verifyCommand } from "../../src/experiments/reproduce.ts";
import type { TwoLayerNetwork } from "../../src/network/index.ts";

const number: Target = { name: "price", task: "regression", classes: null };
const two: Target = { name: "won", task: "classification", classes: ["no", "yes"] };
const three: Target = { name: "kind", task: "classification", classes: ["a", "b", "c"] };

describe("posing the problem", () => {
  const form = (target: Target, change: Partial<FitSettings> = {}) =>
    chooseForm({ ...fitSettingsSchema.parse({ data: "a.csv" }), ...change }, target);
  const several: Target = {
    name: "a,b",
    task: "regression",
    classes: null,
    columns: [
      { name: "a", mean: 1, scale: 2 },
      { name: "b", mean: 0, scale: 1 },
    ],
  };

  test("chooseForm: auto by the target, a given loss as given, outputs share neurons where they can", () => {
    expect(form(number)).toEqual({ loss: "squared", outputNorm: null });
    expect(form(two)).toEqual({ loss: "logistic", outputNorm: null });
    expect(form(three)).toEqual({ loss: "softmax", outputNorm: "group" });
    expect(form(several)).toEqual({ loss: "squared", outputNorm: "group" });
    expect(form(two, { loss: "squared" })).toEqual({ loss: "squared", outputNorm: null });
    expect(form(two, { loss: "softmax" })).toEqual({ loss: "softmax", outputNorm: "group" });
    expect(form(three, { loss: "squared" })).toEqual({ loss: "squared", outputNorm: "group" });
    expect(form(three, { loss: "logistic" })).toEqual({ loss: "logistic", outputNorm: "l1" });
    expect(form(three, { outputNorm: "l1" })).toEqual({ loss: "squared", outputNorm: "l1" });
    expect(form(three, { program: "gated" })).toEqual({ loss: "squared", outputNorm: "l1" });
    expect(form(several, { loss: "huber" })).toEqual({ loss: "huber", outputNorm: "l1" });
  });

  test.each<[string, Target, Partial<FitSettings>, string]>([
    ["logistic of a number", number, { loss: "logistic" }, "needs classes"],
    ["softmax of a number", number, { loss: "softmax" }, "needs classes"],
    ["softmax of several numbers", several, { loss: "softmax" }, "needs classes"],
    ["softmax taken apart", three, { loss: "softmax", outputNorm: "l1" }, "couples the outputs"],
    ["softmax over listed patterns", three, { loss: "softmax", patterns: 20 }, "over all patterns"],
    ["logistic with shared neurons", three, { loss: "logistic", outputNorm: "group" }, "one network an output"],
    ["a gated network with shared neurons", three, { outputNorm: "group", program: "gated" }, "over all patterns only"],
  ])("chooseForm refuses %s", (_, target, change, message) => {
    expect(() => form(target, change)).toThrow(ConfigError);
    expect(() => form(target, change)).toThrow(message);
  });

  test("chooseCoding and codeTargets: numbers, -1/+1, one-hot for squared loss with more classes, columns standardized", () => {
    const code = (target: Target, loss: "squared" | "logistic", y: number[]) => [
      ...codeTargets(Float64Array.from(y), chooseCoding(loss, target), outputNames(target, loss).length, target.columns)
        .data,
    ];
    expect(code(number, "squared", [1.5, -2])).toEqual([1.5, -2]);
    expect(code(two, "logistic", [0, 1])).toEqual([-1, 1]);
    expect(code(two, "squared", [0, 1])).toEqual([-1, 1]);
    expect(code(three, "squared", [2, 0])).toEqual([0, 0, 1, 1, 0, 0]);
    expect(code(three, "logistic", [1, 2])).toEqual([-1, 1, -1, -1, -1, 1]);
    expect(code(several, "squared", [3, 5, 1, 6])).toEqual([1, 5, 0, 6]);
    expect([...inUnits(matrix(2, 2, Float64Array.of(1, 5, 0, 6)), several).data]).toEqual([3, 5, 1, 6]);
    expect(outputNames(three, "softmax")).toEqual(["a", "b", "c"]);
    expect(outputNames(two, "logistic")).toEqual(["won"]);
    expect(outputNames(two, "softmax")).toEqual(["no", "yes"]);
    expect(outputNames(several, "squared")).toEqual(["a", "b"]);
  });

  test("rowLosses sums the losses of a row over its outputs", () => {
    const F = matrix(2, 2, Float64Array.of(1, 0, 3, -1));
    const Y = matrix(2, 2, Float64Array.of(0, 0, 1, 1));
    expect([...rowLosses({ loss: "squared" }, F, Y)]).toEqual([0.5, 4]);
    const signs = matrix(1, 2, Float64Array.of(1, -1));
    const losses = rowLosses({ loss: "logistic" }, matrix(1, 2, Float64Array.of(2, 3)), signs);
    expect(losses[0]).toBeCloseTo(Math.log1p(Math.exp(-2)) + Math.log1p(Math.exp(3)), 14);
    expect(() => rowLosses({ loss: "squared" }, F, signs)).toThrow("2 x 2, targets 1 x 2");
  });
});

const network: TwoLayerNetwork = {
  kind: "two-layer",
  activation: "relu",
  U: matrix(2, 1, Float64Array.of(1, -2)),
  b: Float64Array.of(0.5, 1),
  W: matrix(2, 1, Float64Array.of(3, -1)),
  c0: Float64Array.of(0.25),
  gates: null,
};

describe("totalResult", () => {
  const part = {
    status: "optimal",
    objective: 1,
    lowerBound: 1,
    gap: 0,
    scope: "all-patterns",
    method: "shor",
    neurons: 2,
    patterns: 3,
    iterations: 4,
    seconds: 5,
    listed: null,
  } as const;

  test("totalResult sums numbers and takes the worst status and the weakest scope", () => {
    const total = totalResult(
      [
        part,
        {
          ...part,
          status: "bounded",
          objective: 3,
          lowerBound: 1,
          gap: 2 / 3,
          method: "listed",
          scope: "listed-patterns",
        },
      ],
      1e-6,
    );
    expect(total).toEqual({
      ...part,
      status: "bounded",
      objective: 4,
      lowerBound: 2,
      gap: 0.5,
      scope: "listed-patterns",
      method: "shor, listed",
      neurons: 4,
      patterns: 6,
      iterations: 8,
      seconds: 10,
    });
  });

  test("totalResult is optimal when the sum closes although a small class does not", () => {
    const small = { ...part, status: "bounded", objective: 1e-9, lowerBound: 0, gap: 1 } as const;
    expect(totalResult([part, small], 1e-6).status).toBe("optimal");
    expect(totalResult([part, { ...small, status: "interrupted" }], 1e-6).status).toBe("interrupted");
  });
});

describe("checkpoints", () => {
  const settings: FitSettings = fitSettingsSchema.parse({ data: "a.csv", target: "won" });
  const checkpoint: Checkpoint = {
    format: "overparam-checkpoint",
    formatVersion: 1,
    version: "0",
    settings: { ...settings },
    matrix: "abc",
    beta: 0.1,
    betaMax: 1,
    outputs: [{ name: "won", network: networkToJson(network) }],
  };

  test("readCheckpoint gives back every double", () => {
    const odd = { ...network, U: matrix(2, 1, Float64Array.of(0.1 + 0.2, -5e-324)) };
    const text = JSON.stringify({ ...checkpoint, outputs: [{ name: "won", network: networkToJson(odd) }] });
    const read = readCheckpoint(new TextEncoder().encode(text), "checkpoint.json");
    expect(networkFromJson(read.outputs[0]!.network)).toEqual(odd);
  });

  test("readCheckpoint refuses what is not a checkpoint", () => {
    const read = (text: string) => () => readCheckpoint(new TextEncoder().encode(text), "c.json");
    expect(read("{")).toThrow(DataError);
    expect(read(JSON.stringify({ ...checkpoint, beta: -1 }))).toThrow("beta is not as expected");
  });

  test("checkResumable refuses other data, outputs and problems", () => {
    expect(() => checkResumable(checkpoint, settings, "abc", ["won"])).not.toThrow();
    expect(() => checkResumable(checkpoint, { ...settings, time: 5 }, "abc", ["won"])).not.toThrow();
    expect(() => checkResumable(checkpoint, settings, "abd", ["won"])).toThrow("the training data differ");
    expect(() => checkResumable(checkpoint, settings, "abc", ["a", "b"])).toThrow("outputs are won, not a, b");
    expect(() => checkResumable(checkpoint, { ...settings, bias: "none" }, "abc", ["won"])).toThrow(
      "bias was column, now none",
    );
    expect(() => checkResumable(checkpoint, { ...settings, weights: "w" }, "abc", ["won"])).toThrow("weights was");
  });
});

describe("reproduceCommands", () => {
  test("reproduceCommands names what differs from the defaults, quoted, and the beta that was chosen", () => {
    const repeat = (more: object) =>
      reproduceCommands(fitSettingsSchema.parse({ data: "my data.csv", target: "it's", ...more }), 0.1 + 0.2);
    const start = `overparam fit 'my data.csv' --target 'it'\\''s'`;
    expect(repeat({})).toEqual([start, `${start} --beta 0.30000000000000004`]);
    expect(repeat({ split: "none", betaRatio: 0.1, seed: 3, time: 60 })).toEqual([
      `${start} --split none --beta-ratio 0.1 --seed 3`,
    ]);
  });
});

describe("reproduceCommands of a certification", () => {
  const settings = fitSettingsSchema.parse({ data: "a.csv", target: "y", beta: 0.1, split: "none" });

  test("reproduceCommands names the model, and the beta that --beta certified found", () => {
    expect(reproduceCommands(settings, 0.1, "my net.onnx")).toEqual([
      "overparam certify 'my net.onnx' a.csv --target y --split none --beta 0.1",
    ]);
    expect(reproduceCommands({ ...settings, beta: "certified" }, 0.25)).toEqual([
      "overparam fit a.csv --target y --split none --beta certified",
      "overparam fit a.csv --target y --split none --beta 0.25",
    ]);
  });

  test("verifyCommand names the targets only where the table has none", () => {
    expect(verifyCommand("7f3a9c", settings)).toBe("overparam verify 7f3a9c a.csv");
    const separate = { ...settings, data: "X.npy", target: "y.npy" };
    expect(verifyCommand("7f3a9c", separate)).toBe("overparam verify 7f3a9c X.npy --target y.npy");
  });
});
