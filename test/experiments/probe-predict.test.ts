import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { UserError } from "../../src/base/errors.ts";
import { writeNpy } from "../../src/data/npy.ts";
import { isForeignOnnx, predictOnnxSamples } from "../../src/experiments/probe-predict.ts";
import { writeOnnx } from "../../src/formats/index.ts";
import { temporaryFiles } from "../data/helpers.ts";
import { sample } from "../formats/models.ts";

const FOLDER = join(import.meta.dirname, "../fixtures/onnx");
const { files } = JSON.parse(readFileSync(join(FOLDER, "outputs.json"), "utf8"));
const save = temporaryFiles();
const PLAIN = { mean: undefined, std: undefined, channels: undefined };

/** The two rows that the outputs of a fixture are for, with a last column. */
function table(model: string, last: readonly [string, string] | null): string {
  const size: number = files[model].shape[0];
  const row = (i: number): string[] =>
    Array.from({ length: size }, (_, k) => String(Math.fround(2 * Math.sin(1 + 1.7 * (i * size + k)))));
  const lines = [Array.from({ length: size }, (_, k) => `x${k}`), row(0), row(1)];
  const wide = last === null ? lines : lines.map((cells, k) => [...cells, ["y", ...last][k]!]);
  return save(`${model}${last === null ? "" : "-y"}.csv`, `${wide.map((cells) => cells.join(",")).join("\n")}\n`);
}

function near(got: ArrayLike<number>, want: readonly number[]): void {
  expect(got).toHaveLength(want.length);
  for (let k = 0; k < want.length; k++) expect(got[k]).toBeCloseTo(want[k]!, 5);
}

describe("predictOnnxSamples", () => {
  test("predictOnnxSamples gives the outputs of ONNX Runtime: numbers, probabilities, signs of a logistic output", async () => {
    const mlp = "mlp-script-11.onnx";
    const numbers = await predictOnnxSamples(join(FOLDER, mlp), table(mlp, null), undefined, PLAIN);
    near(numbers.scores.data, files[mlp].outputs);
    expect(numbers.target.columns?.map(({ name }) => name)).toEqual(["output 1", "output 2", "output 3"]);
    const residual = "mlp-residual-script-17.onnx";
    const classes = await predictOnnxSamples(join(FOLDER, residual), table(residual, ["cat", "dog"]), "y", PLAIN);
    near(classes.probabilities!.data, files[residual].outputs);
    expect(classes.target).toMatchObject({ name: "y", classes: ["cat", "dog"], link: "softmax" });
    const [p, q, r, s] = files[residual].outputs;
    expect(classes.metrics).toMatchObject({ accuracy: (Number(p > q) + Number(s > r)) / 2 });
    const smooth = "mlp-smooth-script-12.onnx";
    const binary = await predictOnnxSamples(join(FOLDER, smooth), table(smooth, null), undefined, PLAIN);
    near(
      binary.scores.data.map((f) => 1 / (1 + Math.exp(-f))),
      files[smooth].outputs,
    );
    expect(Array.from(binary.classes!)).toEqual(files[smooth].outputs.map((one: number) => Number(one > 0.5)));
  });

  test("predictOnnxSamples takes images, standardized as they are said to be", async () => {
    const lenet = "lenet-script-11.onnx";
    const data = Float64Array.from({ length: 288 }, (_, k) => 0.5 * Math.fround(2 * Math.sin(1 + 1.7 * k)) + 3);
    const file = save("images.npy", writeNpy({ shape: [2, 12, 12], data }));
    const pixels = { mean: [3], std: [0.5], channels: undefined };
    const { scores } = await predictOnnxSamples(join(FOLDER, lenet), file, undefined, pixels);
    near(scores.data, files[lenet].outputs);
  });

  test("predictOnnxSamples refuses words, missing numbers, other columns; isForeignOnnx tells whose files are whose", async () => {
    const model = join(FOLDER, "mlp-smooth-script-12.onnx");
    for (const [content, words] of [
      ["a,b,c,d\n1,2,3,x\n1,2,3,y\n", 'has words in column "d"'],
      ["a,b,c,d\n1,2,,4\n1,2,3,4\n", 'no number in row 1 of column "c"'],
      ["a,b,c\n1,2,3\n1,2,4\n", "the samples are 3"],
    ] as const) {
      const failure = predictOnnxSamples(model, save("odd.csv", content), undefined, PLAIN);
      await expect(failure).rejects.toThrow(words);
      await expect(failure).rejects.toBeInstanceOf(UserError);
    }
    const missing = predictOnnxSamples(model, table("mlp-smooth-script-12.onnx", null), "z", PLAIN);
    await expect(missing).rejects.toThrow('has no column "z"');
    expect(isForeignOnnx(model)).toBe(true);
    expect(isForeignOnnx("model.safetensors")).toBe(false);
    expect(isForeignOnnx(save("ours.onnx", writeOnnx(sample)))).toBe(false);
  });
});
