import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DataError } from "../../src/base/errors.ts";
import { randomStream } from "../../src/base/random.ts";
import { readOnnxNetwork } from "../../src/formats/index.ts";
import { type Written, type WrittenConstant, writtenOnnx } from "./onnx-graphs.ts";

const FOLDER = join(import.meta.dirname, "../fixtures/onnx");

/** The message of the DataError that reading throws; null when the file was read. */
function refused(bytes: Uint8Array, external?: (location: string) => Uint8Array): string | null {
  try {
    readOnnxNetwork(bytes, "m.onnx", null, external);
    return null;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    expect(error.place).toEqual({ file: "m.onnx" });
    expect(["onnx-unsupported", "model-damaged"]).toContain(error.code);
    expect(error.hint).toBeDefined();
    return error.message;
  }
}

const W: WrittenConstant = { shape: [2, 2], data: [1, 2, 3, 4] };
const dense: Written = { op: "MatMul", input: ["x", "W"], output: "h" };
const relu: Written = { op: "Relu", input: ["h"], output: "y" };
const kernel: WrittenConstant = { shape: [1, 1, 3, 3], data: Array(9).fill(1) };
const conv = (given: Written["with"]): Written[] => [
  { op: "Conv", input: ["x", "K"], output: "h", ...(given === undefined ? {} : { with: given }) },
  { op: "Flatten", input: ["h"], output: "y" },
];

describe("readOnnxNetwork refuses", () => {
  test.each<[string, Written[], Record<string, WrittenConstant>, number[], string]>([
    [
      "an operator that it does not know",
      [dense, { ...relu, op: "Einsum" }],
      { W },
      [2],
      'Einsum "y" is none that can be read',
    ],
    [
      "an operator of another domain",
      [dense, { ...relu, domain: "com.example" }],
      { W },
      [2],
      'is of domain "com.example"',
    ],
    ["a missing constant", [dense, relu], {}, [2], 'takes "W", which no operator'],
    ["a value that nothing makes", [dense, { op: "Add", input: ["h", "g"], output: "y" }], { W }, [2], 'takes "g"'],
    [
      "a cycle",
      [{ op: "Add", input: ["x", "y"], output: "h" }, relu],
      {},
      [2],
      'takes "y", which no operator before it makes',
    ],
    ["nodes in the wrong order", [relu, dense], { W }, [2], 'takes "h", which no operator before it makes'],
    ["a value that is made twice", [dense, { ...dense, input: ["h", "W"] }, relu], { W }, [2], '"h" is made twice'],
    [
      "a matrix that does not fit",
      [dense, relu],
      { W: { shape: [3, 1], data: [1, 2, 3] } },
      [2],
      "multiplies 2 numbers by a matrix of shape [3,1]",
    ],
    [
      "a constant for the input",
      [{ op: "MatMul", input: ["W", "x"], output: "y" }],
      { W },
      [2],
      "has a constant for operand 1",
    ],
    ["an output that is constant", [{ op: "Identity", input: ["W"], output: "y" }], { W }, [2], "depends on 0 inputs"],
    ["no layers", [{ op: "Identity", input: ["x"], output: "y" }], {}, [2], "it has no layers"],
    [
      "a product of two values",
      [dense, { op: "Mul", input: ["h", "x"], output: "y" }],
      { W },
      [2],
      "multiplies two values that depend on the input",
    ],
    [
      "sums of different shapes",
      [
        { ...dense, input: ["x", "V"] },
        { op: "Add", input: ["h", "x"], output: "y" },
      ],
      { V: { shape: [2, 1], data: [1, 2] } },
      [2],
      "adds shapes [1] and [2]",
    ],
    ["groups", conv({ group: 2 }), { K: kernel }, [1, 5, 5], "has groups"],
    ["dilations", conv({ dilations: [2, 2] }), { K: kernel }, [1, 5, 5], "has dilations"],
    ["a window larger than the image", conv({}), { K: kernel }, [1, 2, 5], "window larger than its image of 2 x 5"],
    ["strides of zero", conv({ strides: [0, 1] }), { K: kernel }, [1, 5, 5], "has strides [0,1]"],
    ["negative pads", conv({ pads: [-1, 0, 0, 0] }), { K: kernel }, [1, 5, 5], "has pads [-1"],
    [
      "windows as large as a large image",
      [{ op: "MaxPool", input: ["x"], output: "y", with: { kernel_shape: [2000, 2000] } }],
      {},
      [1, 4000, 4000],
      "has too many windows",
    ],
    ["huge pads", conv({ pads: [1e9, 0, 0, 0] }), { K: kernel }, [1, 5, 5], "would give shape"],
    ["another number of channels", conv({}), { K: kernel }, [2, 5, 5], "has a kernel of shape [1,1,3,3]"],
    [
      "a shape of another size",
      [dense, { op: "Reshape", input: ["h", "s"], output: "y" }],
      { W, s: { shape: [2], data: [0, 3], integer: true } },
      [2],
      "makes shape [0,3]",
    ],
    [
      "a mean over samples",
      [{ op: "ReduceMean", input: ["x"], output: "h", with: { axes: [0] } }, relu],
      {},
      [2],
      "works across samples",
    ],
    [
      "a mean that nothing subtracts",
      [{ op: "ReduceMean", input: ["x"], output: "h", with: { axes: [-1] } }, relu],
      {},
      [2],
      "uses a mean or a variance",
    ],
    [
      "two axes of samples permuted",
      [{ op: "Transpose", input: ["x"], output: "h", with: { perm: [1, 0] } }, relu],
      {},
      [2],
      "permutes the axes",
    ],
    [
      "a division by zero",
      [{ op: "Div", input: ["x", "z"], output: "h" }, relu],
      { z: { shape: [1], data: [0] } },
      [2],
      "divides by zero",
    ],
    [
      "an approximated Gelu",
      [{ op: "Gelu", input: ["x"], output: "y", with: { approximate: "tanh" } }],
      {},
      [2],
      "is approximated by tanh",
    ],
    [
      "a ConstantOfShape of many numbers",
      [
        { op: "ConstantOfShape", input: ["s"], output: "c" },
        { op: "Add", input: ["x", "c"], output: "y" },
      ],
      { s: { shape: [3], data: [1e6, 1e6, 1e6], integer: true } },
      [2],
      "would give shape [1000000,1000000,1000000]",
    ],
    [
      "a batch normalization of negative variance",
      [{ op: "BatchNormalization", input: ["x", "o", "o", "o", "n"], output: "y" }],
      { o: { shape: [2], data: [1, 1] }, n: { shape: [2], data: [1, -1] } },
      [2],
      "negative variance",
    ],
    ["an input without samples", [dense, relu], { W }, [], "samples have 1 to 3 axes"],
    ["a huge input", [{ ...relu, input: ["x"] }], {}, [2 ** 30], "samples have 1 to 3 axes"],
  ])("readOnnxNetwork refuses %s", (_, nodes, constants, shape, words) => {
    expect(refused(writtenOnnx(nodes, constants, shape))).toContain(words);
  });

  test("readOnnxNetwork refuses several outputs, names that would command a terminal, and says what can be read", () => {
    expect(refused(writtenOnnx([dense, relu], { W }, [2], ["y", "h"]))).toContain("it has 2 outputs of floats");
    const named = refused(writtenOnnx([dense, { ...relu, op: "\u001b[31mRed".repeat(50) }], { W }, [2]))!;
    expect(named).not.toContain("\u001b");
    expect(named.length).toBeLessThan(400);
    expect(() => readOnnxNetwork(writtenOnnx([dense, { ...relu, op: "Loop" }], { W }, [2]), "m.onnx")).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("Conv, Cos, Div") }),
    );
  });

  test("tensors beside the file are read from its folder alone", () => {
    const file = new Uint8Array(new Float32Array([9, 1, 2, 3, 4]).buffer);
    const bytes = (external: Record<string, string>): Uint8Array =>
      writtenOnnx([dense, relu], { W: { shape: [2, 2], data: [], external } }, [2]);
    const whole = { location: "weights/m.data", offset: "4", length: "16" };
    const seen: string[] = [];
    const reader = (location: string): Uint8Array => {
      seen.push(location);
      return file;
    };
    expect(Array.from(readOnnxNetwork(bytes(whole), "m.onnx", null, reader).theta)).toEqual([1, 3, 2, 4]);
    for (const location of ["../m.data", "/etc/passwd", "a/../../b", "C:\\secret", "a\\..\\b", "", "a//b", "file:x"]) {
      expect(refused(bytes({ ...whole, location }), reader)).toContain("is not in the folder of the model");
    }
    expect(seen).toEqual(["weights/m.data"]);
    expect(refused(bytes({ ...whole, length: "17" }), reader)).toContain("bytes 4 to 21");
    expect(refused(bytes({ ...whole, offset: "-4" }), reader)).toContain('at offset "-4"');
    expect(refused(bytes({ ...whole, offset: "99" }), reader)).toContain("which has 20");
    expect(refused(bytes(whole))).toContain("is kept in another file");
  });

  test("readOnnxNetwork refuses tensors whose shape and numbers differ, and numbers that are none", () => {
    const of = (constant: WrittenConstant): string | null => refused(writtenOnnx([dense, relu], { W: constant }, [2]));
    expect(of({ shape: [2, 3], data: [1, 2] })).toContain("has shape [2,3] and 2 numbers");
    expect(of({ shape: [2 ** 31, 2 ** 31], data: [1] })).toContain("has shape");
    expect(of({ shape: [-2, -2], data: [1, 2, 3, 4] })).toContain("has shape [-2,-2]");
    expect(of({ shape: [2, 2], data: [1, 2, 3, Number.NaN] })).toContain("not finite");
  });
});

test("readOnnxNetwork answers every truncation and every change of a byte with a network or a DataError", () => {
  const { integer } = randomStream(5, "bytes");
  for (const name of readdirSync(FOLDER).filter((one) => one.endsWith(".onnx") && !one.includes("external"))) {
    const bytes = new Uint8Array(readFileSync(join(FOLDER, name)));
    for (let k = 0; k < 8; k++) expect(refused(bytes.slice(0, integer(bytes.length)))).not.toBe("");
    for (let k = 0; k < 25; k++) {
      const changed = bytes.slice();
      changed[integer(changed.length)] = integer(256);
      expect(refused(changed)).not.toBe("");
    }
  }
});
