import { expect, test } from "vitest";
import { DataError } from "../../src/base/errors.ts";
import { matrix } from "../../src/base/matrix.ts";
import { isKernelModel, type KernelModel, readKernelModel, writeKernelModel } from "../../src/formats/index.ts";
import { readTensorFile, writeTensorFile } from "../../src/formats/tensor-file.ts";
import { parseArchitecture } from "../../src/network/architecture/index.ts";

const model: KernelModel = {
  kernel: "ntk",
  architecture: parseArchitecture("dense(8, b=0.5) relu dense(1)"),
  ridge: 0.125,
  inputs: matrix(3, 2, Float64Array.of(1, 2, 3, 4, 5, 6)),
  dual: matrix(3, 1, Float64Array.of(-1, 0.5, 1e-300)),
  intercept: Float64Array.of(7),
  signalVariance: Float64Array.of(0.25),
  preprocessing: {
    encodings: [
      { kind: "number", column: "a", mean: 1, scale: 2, fill: 0 },
      { kind: "one-hot", column: "b", categories: ["x", "y"] },
    ],
    features: ["a", "b=y"],
  },
  target: { name: "t", task: "regression", classes: null },
};

test("readKernelModel gives what writeKernelModel was given", () => {
  const bytes = writeKernelModel(model);
  expect(isKernelModel(bytes, "file")).toBe(true);
  expect(readKernelModel(bytes, "file")).toEqual(model);
});

test("writeKernelModel refuses parts that do not fit together", () => {
  const wrong: Partial<KernelModel>[] = [
    { dual: matrix(2, 1) },
    { intercept: Float64Array.of(1, 2) },
    { inputs: matrix(3, 1) },
    { ridge: -1 },
    { signalVariance: Float64Array.of(-1) },
    { dual: matrix(3, 1, Float64Array.of(1, Number.NaN, 0)) },
    { target: { name: "t", task: "classification", classes: ["u", "v", "w"] } },
  ];
  for (const part of wrong) expect(() => writeKernelModel({ ...model, ...part })).toThrow(RangeError);
});

test("readKernelModel refuses files with other tensors, shapes, metadata, or cut short", () => {
  const { metadata, tensors } = readTensorFile(writeKernelModel(model), "file", ["F64"]);
  const text = metadata.get("overparam")!;
  const written = (
    change: (entries: Map<string, { shape: readonly number[]; data: Float64Array | Float32Array }>) => void,
    own = text,
  ) => {
    const entries = new Map(tensors);
    change(entries);
    return writeTensorFile([...entries], { overparam: own });
  };
  const hostile: Uint8Array[] = [
    written((entries) => entries.delete("dual")),
    written((entries) => entries.set("more", { shape: [1], data: new Float64Array(1) })),
    written((entries) => entries.set("dual", { shape: [3], data: new Float64Array(3) })),
    written((entries) => entries.set("inputs", { shape: [4, 2], data: new Float64Array(8) })),
    written((entries) => entries.set("inputs", { shape: [0, 0], data: new Float64Array(0) })),
    written(() => {}, text.replace("dense(8", "dense(-8")),
    written(() => {}, text.replace('"ridge":0.125', '"ridge":-1')),
    written(() => {}, text.replace('"format":1', '"format":2')),
    written(() => {}, "{"),
    writeTensorFile([...tensors], {}),
    writeKernelModel(model).subarray(0, 300),
    new Uint8Array(4),
  ];
  for (const bytes of hostile) expect(() => readKernelModel(bytes, "file")).toThrow(DataError);
});
