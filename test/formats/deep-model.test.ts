import * as ort from "onnxruntime-web";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError } from "../../src/base/errors.ts";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { modelOf, outputsOf } from "../../src/experiments/training/machine.ts";
import {
  type DeepForm,
  type DeepInputs,
  type DeepModel,
  isDeepModel,
  readDeepModel,
  readOnnxNetwork,
  readSafetensors,
  writeDeepModel,
  writeDeepOnnx,
} from "../../src/formats/index.ts";
import { parseArchitecture, type Shape, sizeOf } from "../../src/network/architecture/index.ts";
import { initialize, networkGraph, networkModel } from "../../src/network/deep/index.ts";

ort.env.wasm.numThreads = 1;
let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ threads: 1 });
});
afterAll(() => compute.close());

/** The message of the DataError that a call throws. */
function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof DataError) return error.message;
    throw error;
  }
  throw new Error("nothing was thrown");
}

const ARRAYS: DeepInputs = { kind: "arrays" };

/** A model with random parameters, and statistics of some batches. */
function modelFor(text: string, input: Shape, form: DeepForm = { kind: "network" }, inputs = ARRAYS): DeepModel {
  const architecture = parseArchitecture(text);
  const graph = networkGraph(architecture, input);
  const draw = (seed: number): Float32Array => {
    const theta = new Float32Array(graph.parameters);
    initialize(graph, seed, theta);
    return theta;
  };
  const parameters = form.kind === "network" ? [draw(1)] : [draw(1), draw(2).map((w) => 0.1 * w)];
  const state = new Float32Array(graph.state * (form.kind === "symmetric" ? 2 : 1));
  if (state.length > 0) {
    compute.scope((scope) => {
      const { normal } = randomStream(2, text);
      const model = networkModel(graph, { kernels: compute, allocate: (length) => scope.f64(length), samples: 6 });
      model.training = true;
      for (let k = 0; k < 3; k++) {
        model.input.set(model.input.map(normal));
        model.forward(6, scope.copy(parameters[0]!));
      }
      for (let at = 0; at < state.length; at += graph.state) state.set(model.state, at);
    });
  }
  const outputs = graph.sizes[graph.outputValue]!;
  const classes = outputs === 1 ? null : Array.from({ length: outputs }, (_, k) => `class ${k}`);
  const target = {
    name: "y",
    task: classes === null ? ("regression" as const) : ("classification" as const),
    classes,
    scale: classes === null ? { mean: 3, deviation: 2 } : null,
  };
  return { architecture, input, form, parameters, state, inputs, target };
}

const CASES: readonly (readonly [text: string, input: Shape])[] = [
  ["dense(5, b=0.5) relu dense(3, b=0.1, parametrization=standard)", [4]],
  ["dense(6) tanh dense(5) erf(1.5, 0.7, 0.1) dense(4) sigmoid-like dense(1)", [3]],
  ["dense(6) gelu dense(5) softplus dense(4) leaky-relu(0.2) dense(4) abs dense(2)", [3]],
  ["dense(4) sin(0.5, 2, 0.3) dense(4) cos(1, 0.5, 1) dense(4) exp(0.5, 0.3) identity dense(2)", [3]],
  ["dense(6) batchnorm relu [dense(6, b=1) relu]x2 [dense(2) | dense(2)] dense(1)", [5]],
  ["conv(4, 3, b=0.2) relu maxpool(2) conv(3, 2x3, s=2, pad=valid) relu flatten dense(3)", [8, 10, 2]],
  [
    "conv(4, 3, s=2) batchnorm relu [conv(4, 3) relu conv(4, 3) | conv(4, 1)] avgpool(3, s=2, pad=same) gap dense(2)",
    [7, 6, 3],
  ],
  ["conv(3, 2) relu sumpool(2, s=1, pad=same) maxpool(3, s=2, pad=same) dense(4) gsp dense(1)", [5, 5, 1]],
  ["dense(5, b=1) layernorm relu dense(2)", [3]],
  ["conv(3, 3) layernorm relu conv(3, 3, s=2) layernorm(all) tanh flatten dense(2)", [4, 5, 2]],
];

describe("writeDeepModel", () => {
  test.each(CASES)("readDeepModel gives back %s", (text, input) => {
    for (const form of [{ kind: "network" }, { kind: "symmetric" }, { kind: "taylor", degree: 2 }] as const) {
      const model = modelFor(text, input, form);
      const bytes = writeDeepModel(model);
      expect(isDeepModel(bytes)).toBe(true);
      const back = readDeepModel(bytes, "m.safetensors");
      expect(back.parameters).toEqual(model.parameters);
      expect(Array.from(back.state)).toEqual(Array.from(model.state));
      expect(back).toMatchObject({ architecture: model.architecture, input, form, target: model.target });
    }
  });

  test("readDeepModel keeps float64, preprocessing and images", () => {
    const table: DeepInputs = {
      kind: "table",
      preprocessing: {
        encodings: [{ kind: "number", column: "a", mean: 1, scale: 2, fill: 0 }],
        features: ["a"],
      },
    };
    const model = modelFor("dense(2)", [1], { kind: "network" }, table);
    const double = { ...model, parameters: [Float64Array.of(0.1, 0.2)] };
    const back = readDeepModel(writeDeepModel(double), "m");
    expect(back.parameters[0]).toEqual(Float64Array.of(0.1, 0.2));
    expect(back.inputs).toEqual(table);
  });

  test("readSafetensors and isDeepModel tell two-layer models and deep ones apart", () => {
    const bytes = writeDeepModel(modelFor("dense(2)", [3]));
    expect(refusal(() => readSafetensors(bytes, "m"))).toContain("m is not a model of overparam");
    expect(isDeepModel(new Uint8Array(3))).toBe(false);
    expect(isDeepModel(new Uint8Array(100).fill(255))).toBe(false);
  });

  test("readDeepModel refuses every truncation and every header that lies", () => {
    const bytes = writeDeepModel(modelFor("dense(4) relu dense(2)", [3]));
    for (let cut = 0; cut < bytes.length; cut += 7) refusal(() => readDeepModel(bytes.subarray(0, cut), "m"));
    const text = new TextDecoder("latin1").decode(bytes);
    const changed = (from: string, to: string): string => {
      expect(text).toContain(from);
      expect(to).toHaveLength(from.length);
      return refusal(() =>
        readDeepModel(
          Uint8Array.from(text.replace(from, to), (c) => c.charCodeAt(0)),
          "m",
        ),
      );
    };
    expect(changed("dense(4", "dense(5")).toContain('tensor "1.weight" has shape [4,3], not [5,3]');
    expect(changed("relu dense(2", "rela dense(2")).toContain("its architecture cannot be read");
    expect(changed('"1.weight"', '"1.height"')).toContain('it has no tensor "1.weight"');
    expect(changed('\\"format\\":1', '\\"format\\":2')).toContain("has format version 2; this program reads 1");
  });

  test("writeDeepModel refuses parameters of another network", () => {
    const model = modelFor("dense(2)", [3]);
    expect(() => writeDeepModel({ ...model, parameters: [new Float64Array(5)] })).toThrow(RangeError);
    expect(() => writeDeepModel({ ...model, form: { kind: "symmetric" } })).toThrow(RangeError);
  });
});

/** Outputs of a model before they are brought to the units of the target. */
function outputsIn(model: DeepModel, X: Float64Array): Float64Array {
  const n = X.length / sizeOf(model.input);
  const graph = networkGraph(model.architecture, model.input);
  return compute.scope((scope) => {
    const machine = { compute, scope, kernels: compute, allocate: (length: number) => scope.f64(length) };
    const made = modelOf(machine, graph, model.form, model.parameters, n);
    made.model.state.set(model.state);
    return outputsOf(made.model, made.theta, X, n);
  });
}

describe("writeDeepOnnx", () => {
  async function compare(
    model: DeepModel,
    name: "input" | "features",
    raw: Float32Array,
    X: Float64Array,
  ): Promise<void> {
    const n = X.length / sizeOf(model.input);
    const want = outputsIn(model, X);
    const session = await ort.InferenceSession.create(writeDeepOnnx(model));
    const tensor = new ort.Tensor("float32", raw, [n, ...model.input]);
    const { output } = await session.run({ [name]: tensor });
    await session.release();
    const scale = model.target.scale ?? { mean: 0, deviation: 1 };
    const size = Math.max(...want.map(Math.abs), 1);
    expect(output!.dims).toEqual([n, want.length / n]);
    want.forEach((value, k) => {
      const got = (Number(output!.data[k]) - scale.mean) / scale.deviation;
      expect(Math.abs(got - value) / size).toBeLessThan(2e-5);
    });
  }
  const inputsOf = (model: DeepModel, n: number): Float32Array => {
    const { normal } = randomStream(8, "onnx inputs");
    return Float32Array.from({ length: n * sizeOf(model.input) }, normal);
  };

  test.each(CASES)("ONNX Runtime agrees on %s", async (text, input) => {
    for (const form of [{ kind: "network" }, { kind: "symmetric" }] as const) {
      const model = modelFor(text, input, form);
      const raw = inputsOf(model, 4);
      await compare(model, "input", raw, Float64Array.from(raw));
    }
  });

  test.each(CASES)("readOnnxNetwork gives back what writeDeepOnnx wrote of %s", (text, input) => {
    for (const form of [{ kind: "network" }, { kind: "symmetric" }] as const) {
      const model = modelFor(text, input, form);
      const [n, size] = [4, sizeOf(input)];
      const { normal } = randomStream(9, "round trip");
      const X = Float64Array.from({ length: n * size }, normal);
      const { outputs, scale } = { outputs: outputsIn(model, X), scale: model.target.scale };
      const want = scale === null ? outputs : outputs.map((value) => value * scale.deviation + scale.mean);
      const read = readOnnxNetwork(writeDeepOnnx(model, { precision: "float64" }), "m.onnx");
      const placed = X.map((_, k) => X[k]!);
      if (read.order !== null)
        for (let k = 0; k < X.length; k++) placed[k - (k % size) + read.order[k % size]!] = X[k]!;
      const got = compute.scope((scope) => {
        const allocate = (length: number) => scope.f64(length);
        const back = networkModel(read.graph, { kernels: compute, allocate, samples: n });
        back.state.set(read.state);
        back.input.set(placed);
        back.forward(n, scope.copy(read.theta));
        return Float64Array.from(back.output);
      });
      const largest = Math.max(...want.map(Math.abs), 1);
      expect(got).toHaveLength(want.length);
      got.forEach((value, k) => {
        // The slope of LeakyRelu is a single-precision number in every file.
        expect(Math.abs(value - want[k]!) / largest).toBeLessThan(text.includes("leaky") ? 1e-8 : 1e-13);
      });
      // Nothing is lost or added: gains, shifts, weights and biases of both halves.
      const halves = form.kind === "symmetric" ? 2 : 1;
      expect(read.graph.parameters).toBe(halves * model.parameters[0]!.length);
    }
  });

  test("ONNX Runtime takes pixels and raw features", async () => {
    const mean = [100, 50, 20];
    const scale = [30, 60, 10];
    const images: DeepInputs = { kind: "images", mean, scale };
    const pixels = Float32Array.from({ length: 2 * 48 }, (_, k) => (37 * k) % 256);
    const X = Float64Array.from(pixels, (pixel, k) => (pixel - mean[k % 3]!) / scale[k % 3]!);
    await compare(modelFor("conv(4, 3) relu gap dense(2)", [4, 4, 3], { kind: "network" }, images), "input", pixels, X);
    await compare(modelFor("dense(4) relu dense(2)", [48], { kind: "network" }, images), "input", pixels, X);
    const encodings = [
      { kind: "number", column: "a", mean: 1, scale: 2, fill: 0 },
      { kind: "one-hot", column: "b", categories: ["x", "y", null] },
    ] as const;
    const table: DeepInputs = { kind: "table", preprocessing: { encodings, features: ["a", "b=x", "b=y", "b=?"] } };
    const raw = Float32Array.of(3, 1, 0, 0, -5, 0, 0, 1);
    const rows = Float64Array.of(1, 1, 0, 0, -3, 0, 0, 1);
    await compare(modelFor("dense(4) relu dense(1)", [4], { kind: "network" }, table), "features", raw, rows);
  });

  test("writeDeepOnnx names the layer that has no operator", () => {
    for (const [text, word] of [
      ["dense(4) hermite(3) dense(2)", "hermite(3)"],
      ["conv(4, 3, pad=circular) relu gap dense(2)", "circular"],
    ] as const) {
      const input: Shape = text.startsWith("conv") ? [4, 4, 1] : [3];
      expect(refusal(() => writeDeepOnnx(modelFor(text, input)))).toContain(word);
    }
    const taylor = modelFor("dense(4) relu dense(2)", [3], { kind: "taylor", degree: 1 });
    expect(refusal(() => writeDeepOnnx(taylor))).toContain("Taylor polynomial");
  });
});
