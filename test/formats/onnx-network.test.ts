import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { type OnnxNetwork, readOnnxNetwork } from "../../src/formats/index.ts";
import type { Shape } from "../../src/network/architecture/index.ts";
import { networkModel, Tape } from "../../src/network/deep/index.ts";
import { type Written, type WrittenConstant, writtenOnnx } from "./onnx-graphs.ts";

/** Made by tools/onnx-fixtures.py, which names exporters and versions. */
const FOLDER = join(import.meta.dirname, "../fixtures/onnx");
const fixtures: Readonly<Record<string, { readonly shape: number[]; readonly outputs: number[] }>> = JSON.parse(
  readFileSync(join(FOLDER, "outputs.json"), "utf8"),
).files;

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ threads: 1 });
});
afterAll(() => compute.close());

const bytesOf = (name: string): Uint8Array => readFileSync(join(FOLDER, name));
const fixture = (name: string): OnnxNetwork => readOnnxNetwork(bytesOf(name), name, null, bytesOf);

/** Samples as the file takes them, where the network wants them. */
function placed({ order }: OnnxNetwork, size: number, X: Float64Array): Float64Array {
  const out = X.slice();
  if (order !== null) for (let k = 0; k < X.length; k++) out[k - (k % size) + order[k % size]!] = X[k]!;
  return out;
}

/** Outputs for samples as the file takes them. */
function outputsOf(network: OnnxNetwork, X: Float64Array): number[] {
  const size = network.shape.reduce((product, length) => product * length, 1);
  const n = X.length / size;
  return compute.scope((scope) => {
    const allocate = (length: number) => scope.f64(length);
    const model = networkModel(network.graph, { kernels: compute, allocate, samples: n });
    model.state.set(network.state);
    model.input.set(placed(network, size, X));
    model.forward(n, scope.copy(network.theta));
    return Array.from(model.output);
  });
}

/** What the link of a file makes of outputs of n samples. */
function linked({ link }: OnnxNetwork, outputs: number[], n: number, wanted: number, isLog: boolean): number[] {
  const width = outputs.length / n;
  if (link === "softmax") {
    return outputs.map((value, k) => {
      const row = outputs.slice(k - (k % width), k - (k % width) + width);
      const sum = row.reduce((total, one) => total + Math.exp(one), 0);
      return isLog ? value - Math.log(sum) : Math.exp(value) / sum;
    });
  }
  const shares = link === "sigmoid" ? outputs.map((value) => 1 / (1 + Math.exp(-value))) : outputs;
  return shares.length === wanted ? shares : shares.flatMap((p) => [1 - p, p]);
}

describe("readOnnxNetwork of exported files", () => {
  test.each(Object.keys(fixtures))("readOnnxNetwork agrees with ONNX Runtime on %s", (name) => {
    const { shape, outputs } = fixtures[name]!;
    const size = shape.reduce((product, length) => product * length, 1);
    const X = Float64Array.from({ length: 2 * size }, (_, k) => Math.fround(2 * Math.sin(1 + 1.7 * k)));
    const network = fixture(name);
    expect(network.shape).toEqual(shape);
    const got = linked(network, outputsOf(network, X), 2, outputs.length, name.startsWith("resnet-preactivation"));
    expect(got).toHaveLength(outputs.length);
    const largest = Math.max(...outputs.map(Math.abs));
    got.forEach((value, k) => {
      expect(Math.abs(value - outputs[k]!) / largest).toBeLessThan(1e-6);
    });
  });

  test("readOnnxNetwork names layers in words, by both exporters, and what it cut off", () => {
    expect(fixture("mlp-script-11.onnx").text).toBe("dense(7) relu dense(6) tanh dense(3)");
    for (const name of ["mlp-layernorm-script-14.onnx", "mlp-layernorm-dynamo-20.onnx"]) {
      // Weights and biases of 5 x 8, 8 x 1, and the gain and shift of the normalization.
      expect(fixture(name)).toMatchObject({ text: "dense(8) scale layernorm gain gelu dense(1)", link: null });
      expect(fixture(name).graph.parameters).toBe(48 + 16 + 9);
    }
    expect(fixture("resnet-preactivation-dynamo-18.onnx")).toMatchObject({
      text: "conv(4, 3) batchnorm relu conv(4, 3) add batchnorm relu gap dense(2)",
      link: "softmax",
      producer: "pytorch",
    });
    expect(fixture("sklearn-binary.onnx")).toMatchObject({ text: "dense(6) relu dense(1)", link: "sigmoid" });
  });

  test.each([
    "cnn-stride-script-15.onnx",
    "mlp-residual-script-17.onnx",
    "mlp-layernorm-script-14.onnx",
    "cnn-adaptive-script-16.onnx",
  ])("derivatives of readOnnxNetwork of %s are those of differences, forward and backward", (name) => {
    const { graph, theta, state } = fixture(name);
    const { normal } = randomStream(3, name);
    const n = 2;
    compute.scope((scope) => {
      const allocate = (length: number) => scope.f64(length);
      const tape = new Tape({ graph, kernels: compute, allocate, samples: n, orders: 3, backward: "inputs" });
      tape.state.set(state);
      tape.input[0]!.set(tape.input[0]!.map(normal));
      tape.input[1]!.set(tape.input[1]!.map(normal));
      const start = scope.copy(theta);
      const direction = scope.copy(theta.map(normal));
      tape.forward(n, [start, direction]);
      const derivative = tape.output[1]!.slice();
      const second = tape.output[2]!.slice();
      const adjoint = derivative.map(normal);
      tape.outputAdjoint[0]!.set(adjoint);
      const gradient = scope.f64(theta.length);
      tape.backward(n, [start, direction], [gradient], 1, 1);
      const inner = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
        Array.from(a).reduce((sum, value, k) => sum + value * b[k]!, 0);
      const back = inner(gradient, direction) + inner(tape.inputAdjoint[0]!, tape.input[1]!);
      expect(back).toBeCloseTo(inner(derivative, adjoint), 9);
      // Along the line of parameters and inputs.
      const at = (t: number): Float64Array => {
        const other = new Tape({ graph, kernels: compute, allocate, samples: n });
        other.state.set(state);
        other.input[0]!.set(tape.input[0]!.map((x, k) => x + t * tape.input[1]![k]!));
        other.forward(n, [scope.copy(start.map((w, k) => w + t * direction[k]!))]);
        return other.output[0]!.slice();
      };
      const h = 1e-5;
      const [plus, middle, minus] = [at(h), at(0), at(-h)];
      derivative.forEach((value, k) => {
        expect(Math.abs((plus[k]! - minus[k]!) / (2 * h) - value)).toBeLessThan(1e-6 * (1 + Math.abs(value)));
        const curved = (plus[k]! - 2 * middle[k]! + minus[k]!) / (2 * h * h);
        expect(Math.abs(curved - second[k]!)).toBeLessThan(1e-3 * (1 + Math.abs(second[k]!)));
      });
    });
  });
});

const numbers = (...data: number[]): WrittenConstant => ({ shape: [data.length], data });
const integers = (...data: number[]): WrittenConstant => ({ shape: [data.length], data, integer: true });
const square = (k: number): WrittenConstant => ({
  shape: [k, k],
  data: Array.from({ length: k * k }, (_, at) => Math.sin(at + 1)),
});

function read(
  nodes: readonly Written[],
  constants: Readonly<Record<string, WrittenConstant>>,
  shape: readonly number[],
  sample: Shape | null = null,
): OnnxNetwork {
  return readOnnxNetwork(writtenOnnx(nodes, constants, shape), "m.onnx", sample);
}

describe("readOnnxNetwork of graphs", () => {
  test("a standardization before, a scale behind and weights that are computed stay what they are", () => {
    const nodes: Written[] = [
      { op: "Sub", input: ["x", "mean"], output: "a" },
      { op: "Div", input: ["a", "two"], output: "b" },
      { op: "Transpose", input: ["W"], output: "Wt", with: { perm: [1, 0] } },
      { op: "MatMul", input: ["b", "Wt"], output: "c" },
      { op: "Add", input: ["c", "bias"], output: "d" },
      { op: "Mul", input: ["d", "two"], output: "e" },
      { op: "Sub", input: ["one", "e"], output: "y" },
    ];
    const constants = {
      mean: numbers(1, 2),
      two: { shape: [], data: [2] },
      one: { shape: [], data: [1] },
      W: { shape: [3, 2], data: [1, 2, 3, 4, 5, 6] },
      bias: numbers(0.5, -1, 0),
    };
    const network = read(nodes, constants, [2]);
    expect(network.text).toBe("scale dense(3) scale");
    expect(Array.from(network.theta)).toEqual([1, 2, 3, 4, 5, 6, 0.5, -1, 0]);
    // 1 - 2 (W (x - mean) / 2 + bias) at (3, 6), where (x - mean) / 2 is (1, 2).
    expect(outputsOf(network, Float64Array.of(3, 6))).toEqual([1 - 2 * 5.5, 1 - 2 * 10, 1 - 2 * 17]);
  });

  test("images with channels last, axes that are left open, and the order behind a Flatten", () => {
    const nodes: Written[] = [
      { op: "Transpose", input: ["x"], output: "a", with: { perm: [0, 3, 1, 2] } },
      { op: "Flatten", input: ["a"], output: "b" },
      { op: "Gemm", input: ["b", "W"], output: "y", with: { transB: 1 } },
    ];
    const W = { shape: [1, 12], data: Array.from({ length: 12 }, (_, k) => k) };
    const network = read(nodes, { W }, [0, 0, 0], [2, 3, 2]);
    expect(network.shape).toEqual([2, 3, 2]);
    expect(network.order).toBeNull();
    // Entry (row, column, channel) of the sample has weight 6 channel + 3 row + column.
    for (let k = 0; k < 12; k++) {
      const X = Float64Array.from({ length: 12 }, (_, at) => Number(at === k));
      expect(outputsOf(network, X)).toEqual([6 * (k % 2) + Math.floor(k / 2)]);
    }
    const first = read(
      nodes.slice(1).with(0, { op: "Flatten", input: ["x"], output: "b" }),
      { W },
      [2, 2, 3],
      [2, 3, 2],
    );
    expect(
      outputsOf(
        first,
        Float64Array.from({ length: 12 }, (_, k) => Number(k === 7)),
      ),
    ).toEqual([7]);
    // The samples are images of two rows, three columns, two channels: the network takes them as they are.
    expect(first.graph.input).toEqual([2, 3, 2]);
  });

  test.each<[string, Written[], (x: number) => number]>([
    ["Clip above 0", [{ op: "Clip", input: ["x", "zero"], output: "h" }], (x) => Math.max(0, x)],
    ["Pow", [{ op: "Pow", input: ["x", "three"], output: "h" }], (x) => x ** 3],
    ["Neg", [{ op: "Neg", input: ["x"], output: "h" }], (x) => -x],
    ["Sigmoid", [{ op: "Sigmoid", input: ["x"], output: "h" }], (x) => 1 / (1 + Math.exp(-x))],
    [
      "a difference of two values",
      [
        { op: "Exp", input: ["x"], output: "e" },
        { op: "Sub", input: ["e", "x"], output: "h" },
      ],
      (x) => Math.exp(x) - x,
    ],
    ["a Dropout", [{ op: "Dropout", input: ["x"], output: "h" }], (x) => x],
  ])("%s is read", (_, nodes, f) => {
    const last: Written = { op: "MatMul", input: ["h", "W"], output: "y" };
    const constants = {
      zero: { shape: [], data: [0] },
      three: { shape: [], data: [3] },
      W: { shape: [1, 1], data: [1] },
    };
    const network = read([...nodes, last], constants, [1]);
    for (const x of [-1.5, 0.25, 2]) expect(outputsOf(network, Float64Array.of(x))[0]).toBeCloseTo(f(x), 12);
  });

  test("a gelu that is written out in any order is one activation", () => {
    const nodes: Written[] = [
      { op: "MatMul", input: ["x", "W"], output: "h" },
      { op: "Mul", input: ["h", "half"], output: "a" },
      { op: "Div", input: ["h", "root"], output: "b" },
      { op: "Erf", input: ["b"], output: "c" },
      { op: "Add", input: ["one", "c"], output: "d" },
      { op: "Mul", input: ["d", "a"], output: "y" },
    ];
    const constants = {
      W: square(2),
      half: { shape: [], data: [0.5] },
      root: { shape: [], data: [Math.SQRT2] },
      one: { shape: [], data: [1] },
    };
    expect(read(nodes, constants, [2]).text).toBe("dense(2) gelu");
  });

  test("pads that a graph computes by turning a constant around do not turn the image", () => {
    const nodes: Written[] = [
      { op: "Reshape", input: ["pairs", "two"], output: "a" },
      { op: "Slice", input: ["a", "last", "end", "zero", "last"], output: "b" },
      { op: "Transpose", input: ["b"], output: "c", with: { perm: [1, 0] } },
      { op: "Reshape", input: ["c", "last"], output: "d" },
      { op: "Pad", input: ["x", "d"], output: "p" },
      { op: "Conv", input: ["p", "K"], output: "y" },
    ];
    const constants = {
      // From the last axis to the first: before and behind.
      pairs: integers(1, 2, 0, 1, 0, 0, 0, 0),
      two: integers(-1, 2),
      last: integers(-1),
      end: integers(-(2 ** 53)),
      zero: integers(0),
      K: { shape: [1, 2, 3, 6], data: Array.from({ length: 36 }, (_, k) => k) },
    };
    const network = read(nodes, constants, [2, 2, 3]);
    expect(network.text).toBe("pad(0, 1, 1, 2) conv(1, 3x6, pad=valid)");
    // Channel 1, row 1, column 2 of the sample meets tap 18 + 6 + 3.
    const X = Float64Array.from({ length: 12 }, (_, k) => Number(k === 6 + 3 + 2));
    expect(outputsOf(network, X)).toEqual([27]);
  });

  test("a Pad before a convolution, and a convolution on one axis", () => {
    const kernel = { shape: [1, 1, 2], data: [1, 10] };
    const nodes: Written[] = [
      { op: "Conv", input: ["x", "K"], output: "a", with: { pads: [1, 0] } },
      { op: "Flatten", input: ["a"], output: "b" },
      { op: "MatMul", input: ["b", "I"], output: "y" },
    ];
    const I = { shape: [3, 3], data: [1, 0, 0, 0, 1, 0, 0, 0, 1] };
    const network = read(nodes, { K: kernel, I }, [1, 3]);
    expect(outputsOf(network, Float64Array.of(1, 2, 3))).toEqual([10, 21, 32]);
    const padded = read(
      [
        { op: "Pad", input: ["x", "pads"], output: "p" },
        { op: "Conv", input: ["p", "K2"], output: "a" },
        { op: "GlobalAveragePool", input: ["a"], output: "b" },
        { op: "Flatten", input: ["b"], output: "c" },
        { op: "MatMul", input: ["c", "one"], output: "y" },
      ],
      {
        pads: integers(0, 0, 2, 0, 0, 0, 0, 1),
        K2: { shape: [1, 1, 1, 1], data: [6] },
        one: { shape: [1, 1], data: [1] },
      },
      [1, 1, 1],
    );
    // One pixel among six.
    expect(padded.text).toContain("pad(2, 0, 0, 1)");
    expect(outputsOf(padded, Float64Array.of(5))[0]).toBeCloseTo(5, 12);
  });
});
