import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DataError } from "../../src/base/errors.ts";
import { matrix } from "../../src/base/matrix.ts";
import { readOnnx, readSafetensors, type SavedModel, writeOnnx, writeSafetensors } from "../../src/formats/index.ts";
import { anyWeights, models, sample } from "./models.ts";

function mapWeights({ network, ...rest }: SavedModel, change: (weight: number) => number): SavedModel {
  const { U, b, W, c0, gates } = network;
  return {
    ...rest,
    network: {
      ...network,
      U: { ...U, data: U.data.map(change) },
      b: b.map(change),
      W: { ...W, data: W.data.map(change) },
      c0: c0.map(change),
      gates: gates === null ? null : { G: { ...gates.G, data: gates.G.data.map(change) }, h: gates.h.map(change) },
    },
  };
}

/** A single neuron whose weights are all zero is read from ONNX as no neuron. */
const isIdle = ({ network: { U, b, W, gates } }: SavedModel): boolean =>
  U.rows === 1 &&
  [U.data, b, W.data, gates?.G.data ?? [], gates?.h ?? []].every((array) => [...array].every((weight) => weight === 0));

describe("readSafetensors", () => {
  test("readSafetensors gives back any model exactly", () => {
    fc.assert(
      fc.property(models({ weights: anyWeights }), (model) => {
        expect(readSafetensors(writeSafetensors(model), "m.safetensors")).toEqual(model);
      }),
    );
  });

  test("readSafetensors reads bytes that do not start on a multiple of eight", () => {
    const bytes = writeSafetensors(sample);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(readSafetensors(shifted.subarray(3), "m.safetensors")).toEqual(sample);
  });

  test("writeSafetensors lays out header and data as the format says", () => {
    const bytes = writeSafetensors(sample);
    const view = new DataView(bytes.buffer);
    const start = 8 + Number(view.getBigUint64(0, true));
    expect(start % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
    expect(Object.keys(header)).toEqual(["__metadata__", "U", "b", "G", "h", "W", "c0"]);
    expect(header.U).toEqual({ dtype: "F64", shape: [2, 5], data_offsets: [0, 80] });
    expect(header.h).toEqual({ dtype: "F64", shape: [2], data_offsets: [176, 192] });
    expect(view.getFloat64(start + header.h.data_offsets[0] + 8, true)).toBe(-8);
    expect(bytes.length).toBe(start + header.c0.data_offsets[1]);
    expect(JSON.parse(header.__metadata__.overparam).target).toEqual(sample.target);
  });
});

describe("readOnnx", () => {
  test("readOnnx gives back any float64 model exactly", () => {
    fc.assert(
      fc.property(models({ weights: anyWeights }), (model) => {
        fc.pre(!isIdle(model));
        expect(readOnnx(writeOnnx(model, { precision: "float64" }), "m.onnx")).toEqual(model);
      }),
    );
  });

  test("readOnnx gives back a float32 model with its weights rounded", () => {
    const inRange = ({ preprocessing }: SavedModel): boolean =>
      preprocessing.encodings.every(
        (encoding) =>
          encoding.kind === "one-hot" ||
          (Math.fround(encoding.scale) > 0 && Number.isFinite(Math.fround(encoding.scale + Math.abs(encoding.mean)))),
      );
    fc.assert(
      fc.property(models().filter(inRange), (model) => {
        const rounded = mapWeights(model, Math.fround);
        fc.pre(!isIdle(rounded));
        const bytes = writeOnnx(model);
        expect(readOnnx(bytes, "m.onnx")).toEqual(rounded);
        expect(writeOnnx(rounded)).toEqual(bytes);
      }),
    );
  });

  test("readOnnx gives back a network without neurons, also from one whose every weight is zero", () => {
    const U = matrix(0, 5);
    const none = new Float64Array(0);
    const empty = { ...sample, network: { ...sample.network, U, b: none, W: matrix(0, 1), gates: { G: U, h: none } } };
    const expected = { ...empty, network: { ...empty.network, c0: Float64Array.of(0.125) } };
    expect(readOnnx(writeOnnx(empty), "m.onnx")).toEqual(expected);
    const relu = { ...empty, network: { ...empty.network, activation: "relu", gates: null } } as const;
    expect(readOnnx(writeOnnx(relu), "m.onnx")).toEqual(relu);
    const idle = {
      ...relu,
      network: { ...relu.network, U: matrix(1, 5), b: new Float64Array(1), W: matrix(1, 1) },
    };
    expect(readOnnx(writeOnnx(idle), "m.onnx")).toEqual(relu);
  });
});

describe.each([
  ["writeOnnx", writeOnnx],
  ["writeSafetensors", writeSafetensors],
] as const)("%s", (name, write) => {
  const { network, preprocessing, target } = sample;

  test.each<[string, SavedModel, string]>([
    ["arrays that do not fit", { ...sample, network: { ...network, b: new Float64Array(3) } }, "b must be 2 x 1"],
    ["weights that are not finite", mapWeights(sample, () => Number.NaN), "not finite"],
    ["too few features", { ...sample, preprocessing: { ...preprocessing, features: ["year"] } }, "5 features"],
    ["another width", { ...sample, preprocessing: { encodings: [], features: [] } }, "5 inputs"],
    ["too many classes", { ...sample, target: { ...target, classes: ["a", "b", "c"] } }, "1 outputs for 3 classes"],
    ["classes of a regression", { ...sample, target: { ...target, task: "regression" } }, "a regression has none"],
    [
      "a scale of zero",
      {
        ...sample,
        preprocessing: {
          ...preprocessing,
          encodings: preprocessing.encodings.map((e) => (e.kind === "number" ? { ...e, scale: 0 } : e)),
        },
      },
      "scale",
    ],
  ])(`${name} refuses %s`, (_, model, message) => {
    expect(() => write(model)).toThrow(RangeError);
    expect(() => write(model)).toThrow(message);
  });
});

describe("writeOnnx", () => {
  const encodings = sample.preprocessing.encodings.map((e) => (e.kind === "number" ? { ...e, scale: 1e-50 } : e));

  test.each<[string, SavedModel]>([
    ["weights above its range", mapWeights(sample, (weight) => weight * 1e39)],
    ["weights below its range", mapWeights(sample, (weight) => weight * -1e39)],
    ["a scale that would be zero", { ...sample, preprocessing: { ...sample.preprocessing, encodings } }],
  ])("writeOnnx refuses %s in float32, and chooses float64 when it may", (_, model) => {
    expect(() => writeOnnx(model, { precision: "float32" })).toThrow(DataError);
    expect(writeOnnx(model)).toEqual(writeOnnx(model, { precision: "float64" }));
    expect(readOnnx(writeOnnx(model), "m.onnx")).toEqual(model);
  });

  test("writeOnnx writes float32 when nothing is said", () => {
    expect(writeOnnx(sample)).toEqual(writeOnnx(sample, { precision: "float32" }));
  });
});

describe("models of several outputs", () => {
  const { network, preprocessing } = sample;
  const wide = { ...network, W: matrix(2, 2, Float64Array.of(1, -2, 3, 4)), c0: Float64Array.of(0.5, -1) };
  const columns = [
    { name: "a", mean: 2.5, scale: 0.375 },
    { name: "b", mean: -1e6, scale: 3 },
  ];
  const several = {
    network: wide,
    preprocessing,
    target: { name: "a,b", task: "regression", classes: null, columns },
  } as const;
  const linked = {
    network: wide,
    preprocessing,
    target: { name: "kind", task: "classification", classes: ["no", "yes"], link: "softmax" },
  } as const;

  test.each<[string, SavedModel]>([
    ["several target columns", several],
    ["probabilities", linked],
  ])("a model of %s comes back from both formats", (_, model) => {
    expect(readSafetensors(writeSafetensors(model), "m.safetensors")).toEqual(model);
    expect(readOnnx(writeOnnx(model, { precision: "float64" }), "m.onnx")).toEqual(model);
  });

  test("a model whose outputs do not fit its target columns cannot be saved, nor can probabilities of a number", () => {
    const three = {
      ...several,
      target: { ...several.target, columns: [...columns, { name: "c", mean: 0, scale: 1 }] },
    };
    expect(() => writeSafetensors(three)).toThrow("2 outputs for 3 target columns");
    const number = { ...linked, target: { name: "y", task: "regression", classes: null, link: "softmax" } } as const;
    expect(() => writeOnnx(number)).toThrow("only classes have probabilities");
  });

  test("readOnnx refuses a graph that scales outputs by other numbers than its target columns say", () => {
    const bytes = writeOnnx(several, { precision: "float64" });
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let changed = 0;
    for (let at = 0; at + 8 <= bytes.length; at++) {
      if (view.getFloat64(at, true) !== 0.375) continue;
      view.setFloat64(at, 0.5, true);
      changed += 1;
    }
    expect(changed).toBe(1);
    expect(() => readOnnx(bytes, "m.onnx")).toThrow('tensor "output_scale" is not what its metadata say');
  });
});
