import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type DataError, UserError } from "../../src/base/errors.ts";
import { writeNpy } from "../../src/data/npy.ts";
import { type ProbeRequest, type ProbeResult, probeNetwork } from "../../src/experiments/probe.ts";
import { temporaryFiles } from "../data/helpers.ts";

const FOLDER = join(import.meta.dirname, "../fixtures/onnx");
const { files } = JSON.parse(readFileSync(join(FOLDER, "outputs.json"), "utf8"));
const save = temporaryFiles();

/** Number k of the input that the outputs of a fixture are for. */
const entry = (k: number): number => Math.fround(2 * Math.sin(1 + 1.7 * k));

function probe(
  model: string,
  data: string,
  target: string,
  rest: Partial<ProbeRequest> = {},
  names: readonly string[] = ["loss"],
): Promise<ProbeResult> {
  const pixels = { mean: undefined, std: undefined, channels: undefined };
  const settings = { target, ...rest.settings };
  const common = { runs: "runs", samples: 64, names, threads: 1, pixels };
  return probeNetwork({ ...common, ...rest, model: join(FOLDER, model), data, settings });
}

const lossOf = ({ measurements }: ProbeResult): number => measurements.find(({ name }) => name === "loss")!.value;

/** Two rows with the numbers of a fixture, and a target. */
function table(model: string, targets: readonly [string, string]): string {
  const size: number = files[model].shape[0];
  const row = (i: number): string => Array.from({ length: size }, (_, k) => entry(i * size + k)).join(",");
  const head = Array.from({ length: size }, (_, k) => `x${k}`).join(",");
  return save(`${model}.csv`, `${head},y\n${row(0)},${targets[0]}\n${row(1)},${targets[1]}\n`);
}

/** The two images of a fixture, channels last, after `map` of each number and its channel. */
function images(model: string, map: (x: number, channel: number) => number): { data: string; target: string } {
  const [channels, height, width] = files[model].shape as [number, number, number];
  const data = new Float64Array(2 * channels * height * width);
  for (let k = 0; k < data.length; k++) {
    const [sample, inside] = [Math.floor(k / (channels * height * width)), k % (channels * height * width)];
    const [channel, pixel] = [Math.floor(inside / (height * width)), inside % (height * width)];
    data[sample * channels * height * width + pixel * channels + channel] = map(entry(k), channel);
  }
  return {
    data: save(`${model}.npy`, writeNpy({ shape: [2, height, width, channels], data })),
    target: save(`${model}.labels.npy`, writeNpy({ shape: [2], data: Float64Array.of(0, 1) })),
  };
}

/** Mean of -log softmax of the outputs for labels 0 and 1. */
function crossEntropy(outputs: readonly number[]): number {
  const width = outputs.length / 2;
  const each = [0, 1].map((i) => {
    const row = outputs.slice(i * width, (i + 1) * width);
    return Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0)) - row[i]!;
  });
  return (each[0]! + each[1]!) / 2;
}

describe("probeNetwork of files of other programs", () => {
  test("probeNetwork of a classifier that ends in a Softmax has the loss of its probabilities", async () => {
    const model = "mlp-residual-script-17.onnx";
    const result = await probe(model, table(model, ["a", "b"]), "y");
    const [p, , , q] = files[model].outputs;
    expect(lossOf(result)).toBeCloseTo(-(Math.log(p) + Math.log(q)) / 2, 6);
    expect(result.loss).toBe("cross-entropy");
    expect(result.notes).toContain("the softmax at the end is left to the cross-entropy loss");
  });

  test("probeNetwork of a Sigmoid at the end takes the logistic loss, of a number half the square", async () => {
    const smooth = "mlp-smooth-script-12.onnx";
    const result = await probe(smooth, table(smooth, ["a", "b"]), "y");
    const [p, q] = files[smooth].outputs;
    expect(lossOf(result)).toBeCloseTo(-(Math.log(1 - p) + Math.log(q)) / 2, 6);
    expect(result.loss).toBe("logistic");
    // Its first weights are in a file beside it.
    const wide = "mlp-wide-dynamo-external-18.onnx";
    const [a, b] = files[wide].outputs;
    const numbers = await probe(wide, table(wide, ["1.5", "-2"]), "y", { settings: { task: "regression" } });
    expect(lossOf(numbers)).toBeCloseTo(((a - 1.5) ** 2 + (b + 2) ** 2) / 4, 5);
  });

  test.each(["lenet-script-11.onnx", "cnn-stride-dynamo-18.onnx", "cnn-adaptive-script-16.onnx"])(
    "probeNetwork of %s takes images with channels last, standardized as they are said to be",
    async (model) => {
      const plain = images(model, (x) => x);
      const expected = crossEntropy(files[model].outputs);
      const settings = { task: "classification" };
      expect(lossOf(await probe(model, plain.data, plain.target, { settings }))).toBeCloseTo(expected, 5);
      const channels: number = files[model].shape[0];
      const mean = Array.from({ length: channels }, (_, c) => 0.25 * c + 0.5);
      const std = Array.from({ length: channels }, (_, c) => 2 - 0.5 * c);
      const moved = images(model, (x, c) => x * std[c]! + mean[c]!);
      const pixels = { mean, std, channels: undefined };
      expect(lossOf(await probe(model, moved.data, moved.target, { settings, pixels }))).toBeCloseTo(expected, 5);
    },
  );

  test("probeNetwork measures everything that one moment has, and says what is not there and why", async () => {
    const model = "resnet-preactivation-script-18.onnx";
    const { data, target } = images(model, (x) => x);
    const result = await probe(model, data, target, { settings: { task: "classification" } }, []);
    const names = new Set(result.measurements.map(({ name }) => name));
    for (const name of [
      "loss",
      "gradient-squared",
      "separateness",
      "kernel-eigenvalue-least",
      "sharpness",
      "hessian-trace",
    ]) {
      expect(names).toContain(name);
    }
    expect(names).not.toContain("sign-changes");
    for (const { name, value } of result.measurements) expect(`${name} ${Number.isFinite(value)}`).toBe(`${name} true`);
    const why = (row: string): string => result.absent.find(({ rows }) => rows.includes(row))?.why ?? "";
    expect(why("sign-changes")).toContain("at the start of the training");
    for (const reason of ["has convolutions", "adds values (residual blocks)", "batch-norm", "has biases"]) {
      expect(why("gradient-upper")).toContain(reason);
    }
    expect(why("sharpness")).toContain("--rate");
    expect(why("forward-product")).toContain("are about relu networks");
    expect(result.notes.join()).toContain("running statistics as constants");
  });

  test("probeNetwork leaves nodes out that no operator stands for", async () => {
    const model = "cnn-stride-script-15.onnx";
    const { data, target } = images(model, (x) => x);
    const result = await probe(model, data, target, { settings: { task: "classification" } }, ["forward"]);
    expect(result.measurements.map(({ layer }) => layer)).not.toContain("/2/MaxPool.pad");
    expect(result.measurements.every(({ value }) => Number.isFinite(value))).toBe(true);
  });

  test("probeNetwork with a step size has the edge of stability beside the sharpness", async () => {
    const model = "mlp-layernorm-dynamo-20.onnx";
    const data = table(model, ["1", "2"]);
    const settings = { task: "regression", rate: 0.1 };
    const { measurements, absent } = await probe(model, data, "y", { settings }, ["sharpness"]);
    expect(measurements.find(({ name }) => name === "sharpness")).toMatchObject({ bound: 20, status: "verified" });
    expect(absent).toEqual([]);
  });

  test("probeNetwork refuses data of another network", async () => {
    const failure = async (work: Promise<unknown>): Promise<string> => {
      const error = await work.then(
        () => null,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(UserError);
      return (error as DataError).message;
    };
    const smooth = "mlp-smooth-script-12.onnx";
    const five = table("mlp-residual-script-17.onnx", ["a", "b"]);
    expect(await failure(probe(smooth, five, "y"))).toContain("the samples are 5, the network of");
    const number = table(smooth, ["1.5", "2.5"]);
    expect(await failure(probe(smooth, number, "y", { settings: { task: "regression" } }))).toContain(
      "ends in a sigmoid",
    );
    const three = table("mlp-script-11.onnx", ["a", "b"]);
    const counted = table("mlp-batchnorm-script-13.onnx", ["2", "7"]);
    expect(await failure(probe("mlp-script-11.onnx", counted, "y"))).toContain("has 3 outputs");
    expect(await failure(probe("mlp-script-11.onnx", three, "y"))).toContain(
      'the network has 3 outputs, "y" has 2 classes',
    );
    const pixels = { mean: [1], std: undefined, channels: undefined };
    expect(await failure(probe("mlp-script-11.onnx", three, "y", { pixels }))).toContain("of the channels of images");
  });
});
