import { create, toBinary } from "@bufbuild/protobuf";
import * as ort from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { matrix } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import { readOnnxChain } from "../../src/formats/index.ts";
import { DOUBLE, FLOAT, INT_ATTRIBUTE, ModelSchema } from "../../src/formats/onnx-schema.ts";
import { forward } from "../../src/network/index.ts";

ort.env.wasm.numThreads = 1;

interface Step {
  readonly op: string;
  readonly input: readonly string[];
  readonly output: string;
  readonly transB?: boolean;
  readonly alpha?: number;
}

/** Named constants: shape and numbers. */
type Constants = Readonly<Record<string, { readonly shape: readonly number[]; readonly data: readonly number[] }>>;

function onnx(
  steps: readonly Step[],
  constants: Constants,
  d: number,
  c: number,
  precision: 4 | 8 = 4,
  raw = true,
): Uint8Array {
  const dataType = precision === 8 ? DOUBLE : FLOAT;
  const value = (name: string, columns: number) => ({
    name,
    type: { tensorType: { elemType: dataType, shape: { dim: [{ dimParam: "N" }, { dimValue: BigInt(columns) }] } } },
  });
  const bytes = (data: readonly number[]): Uint8Array =>
    new Uint8Array((precision === 8 ? Float64Array.from(data) : Float32Array.from(data)).buffer);
  return toBinary(
    ModelSchema,
    create(ModelSchema, {
      irVersion: 8n,
      opsetImport: [{ version: 17n }],
      graph: {
        name: "g",
        node: steps.map(({ op, input, output, transB, alpha }) => ({
          opType: op,
          input: [...input],
          output: [output],
          attribute: [
            ...(transB === true ? [{ name: "transB", type: INT_ATTRIBUTE, i: 1n }] : []),
            ...(alpha === undefined ? [] : [{ name: "alpha", type: 1, f: alpha }]),
          ],
        })),
        initializer: Object.entries(constants).map(([name, { shape, data }]) => ({
          name,
          dataType,
          dims: shape.map(BigInt),
          ...(raw ? { rawData: bytes(data) } : precision === 8 ? { doubleData: [...data] } : { floatData: [...data] }),
        })),
        input: [value("x", d)],
        output: [value("y", c)],
      },
    }),
  );
}

function numbers(name: string, count: number): number[] {
  const random = randomStream(1, name);
  return Array.from({ length: count }, () => Math.fround(random.normal()));
}

const [d, m, c] = [3, 5, 2];
const constants: Constants = {
  mean: { shape: [1, d], data: numbers("mean", d) },
  scale: { shape: [d], data: [2, 0.5, 3] },
  U: { shape: [m, d], data: numbers("U", m * d) },
  Ut: { shape: [d, m], data: numbers("Ut", m * d) },
  b: { shape: [m], data: numbers("b", m) },
  W: { shape: [m, c], data: numbers("W", m * c) },
  c0: { shape: [c], data: numbers("c0", c) },
  half: { shape: [], data: [0.5] },
};
const only = (...names: string[]): Constants => Object.fromEntries(names.map((name) => [name, constants[name]!]));

const GRAPHS: Readonly<Record<string, { steps: Step[]; used: Constants }>> = {
  "PyTorch: Gemm transB, Relu, Gemm": {
    steps: [
      { op: "Gemm", input: ["x", "U", "b"], output: "1", transB: true },
      { op: "Relu", input: ["1"], output: "2" },
      { op: "Gemm", input: ["2", "W", "c0"], output: "y" },
    ],
    used: only("U", "b", "W", "c0"),
  },
  "scikit-learn pipeline: Sub, Div, MatMul, Add, Relu, MatMul, Add": {
    steps: [
      { op: "Sub", input: ["x", "mean"], output: "0" },
      { op: "Div", input: ["0", "scale"], output: "1" },
      { op: "MatMul", input: ["1", "Ut"], output: "2" },
      { op: "Add", input: ["b", "2"], output: "3" },
      { op: "Relu", input: ["3"], output: "4" },
      { op: "MatMul", input: ["4", "W"], output: "5" },
      { op: "Add", input: ["5", "c0"], output: "6" },
      { op: "Identity", input: ["6"], output: "y" },
    ],
    used: only("mean", "scale", "Ut", "b", "W", "c0"),
  },
  "two affine layers before, a scaled one behind": {
    steps: [
      { op: "Mul", input: ["x", "scale"], output: "1" },
      { op: "Gemm", input: ["1", "U"], output: "2", transB: true, alpha: 0.25 },
      { op: "Relu", input: ["2"], output: "3" },
      { op: "MatMul", input: ["3", "W"], output: "4" },
      { op: "Mul", input: ["half", "4"], output: "y" },
    ],
    used: only("scale", "U", "W", "half"),
  },
};

describe("readOnnxChain", () => {
  const X = matrix(7, d, Float64Array.from(numbers("X", 7 * d)));

  it.each(Object.keys(GRAPHS))("agrees with ONNX Runtime: %s", async (name) => {
    const { steps, used } = GRAPHS[name]!;
    const bytes = onnx(steps, used, d, c);
    const session = await ort.InferenceSession.create(bytes);
    const { y } = await session.run({ x: new ort.Tensor("float32", Float32Array.from(X.data), [7, d]) });
    await session.release();
    const ours = forward(readOnnxChain(bytes, "m.onnx", d), X);
    expect([ours.rows, ours.cols]).toEqual([7, c]);
    for (const [k, value] of ours.data.entries()) expect(Math.abs(value - Number(y?.data[k]))).toBeLessThan(2e-5);
  });

  it("reads doubles, and numbers that are not raw bytes", () => {
    const { steps, used } = GRAPHS["PyTorch: Gemm transB, Relu, Gemm"]!;
    const reference = readOnnxChain(onnx(steps, used, d, c), "m.onnx", d);
    for (const precision of [4, 8] as const)
      for (const raw of [true, false])
        expect(readOnnxChain(onnx(steps, used, d, c, precision, raw), "m.onnx", d)).toEqual(reference);
  });

  const gemm: Step = { op: "Gemm", input: ["x", "U", "b"], output: "1", transB: true };
  const relu: Step = { op: "Relu", input: ["1"], output: "2" };
  const last: Step = { op: "Gemm", input: ["2", "W", "c0"], output: "y" };
  it.each<[string, Step[], string]>([
    ["two Relus", [gemm, relu, { op: "Relu", input: ["2"], output: "y" }], "more than one Relu"],
    ["no Relu", [{ ...gemm, output: "y" }], "no Relu"],
    ["another activation", [gemm, { op: "Tanh", input: ["1"], output: "2" }, last], 'Tanh "2"'],
    ["a branch", [gemm, relu, last, { op: "Relu", input: ["1"], output: "z" }], "used by 2 nodes"],
    ["a missing constant", [{ ...gemm, input: ["x", "V", "b"] }, relu, last], "is not a constant"],
    ["shapes that do not fit", [{ ...gemm, transB: false }, relu, last], "multiplies 3 numbers"],
    ["an end that is never reached", [gemm, relu], "used by 0 nodes"],
  ])("refuses %s", (_, steps, words) => {
    expect(() => readOnnxChain(onnx(steps, only("U", "b", "W", "c0"), d, c), "m.onnx", d)).toThrow(words);
  });

  it("refuses another number of inputs, damaged bytes and tensors of another size", () => {
    const { steps, used } = GRAPHS["PyTorch: Gemm transB, Relu, Gemm"]!;
    const bytes = onnx(steps, used, d, c);
    expect(() => readOnnxChain(bytes, "m.onnx", d + 1)).toThrow("multiplies 4 numbers");
    expect(() => readOnnxChain(bytes.subarray(0, 60), "m.onnx", d)).toThrow("cannot be read");
    const short = { ...used, b: { shape: [m], data: [1, 2] } };
    expect(() => readOnnxChain(onnx(steps, short, d, c), "m.onnx", d)).toThrow('tensor "b"');
  });
});
