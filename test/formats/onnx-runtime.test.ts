import * as ort from "onnxruntime-web";
import { describe, expect, test } from "vitest";
import { type Matrix, matrix, row, takeRows } from "../../src/base/matrix.ts";
import { type RandomStream, randomStream } from "../../src/base/random.ts";
import { type Encoding, loadDataset } from "../../src/data/index.ts";
import { type OnnxPrecision, type SavedModel, writeOnnx } from "../../src/formats/index.ts";
import { forward } from "../../src/network/index.ts";
import { temporaryFiles } from "../data/helpers.ts";
import { preprocessingOf, standardize, unstandardize } from "./models.ts";

ort.env.wasm.numThreads = 1;
const save = temporaryFiles();

async function run(model: SavedModel, X: Matrix, precision: OnnxPrecision): Promise<Matrix> {
  const session = await ort.InferenceSession.create(writeOnnx(model, { precision }));
  const data = precision === "float32" ? Float32Array.from(X.data) : X.data.slice();
  const { output } = await session.run({ features: new ort.Tensor(precision, data, [X.rows, X.cols]) });
  await session.release();
  expect(output?.type).toBe(precision);
  return matrix(output?.dims[0] as number, output?.dims[1] as number, Float64Array.from(output?.data as Float64Array));
}

function normals(random: RandomStream, length: number): Float64Array {
  return Float64Array.from({ length }, () => random.normal());
}

interface Case {
  readonly activation: "relu" | "gated";
  readonly m: number;
  readonly encodings: readonly Encoding[];
  readonly c: number;
}

function randomModel({ activation, m, encodings, c }: Case, random: RandomStream): SavedModel {
  const preprocessing = preprocessingOf(encodings);
  const d = preprocessing.features.length;
  return {
    network: {
      kind: "two-layer",
      activation,
      U: matrix(m, d, normals(random, m * d)),
      b: normals(random, m),
      W: matrix(
        m,
        c,
        normals(random, m * c).map((value) => value / Math.sqrt(m)),
      ),
      c0: normals(random, c),
      gates: activation === "relu" ? null : { G: matrix(m, d, normals(random, m * d)), h: normals(random, m) },
    },
    preprocessing,
    target: { name: "y", task: "regression", classes: null },
  };
}

/** Raw features about each column's mean, rounded to float32 so that only the graph's own arithmetic is compared. */
function features({ preprocessing }: SavedModel, n: number, random: RandomStream): Matrix {
  const rows = Array.from({ length: n }, () =>
    preprocessing.encodings.flatMap((encoding) => {
      if (encoding.kind === "number") return [Math.fround(encoding.mean + encoding.scale * random.normal())];
      const chosen = random.integer(encoding.categories.length);
      const indicators = encoding.categories.map((_, k) => (k === chosen ? 1 : 0));
      return encoding.categories.length === 2 ? indicators.slice(1) : indicators;
    }),
  );
  return matrix(n, preprocessing.features.length, Float64Array.from(rows.flat()));
}

/** Leaves out the rows on which a gate is so near zero that float32 may see it on the other side. */
function awayFromGates({ network: { gates }, preprocessing }: SavedModel, X: Matrix): Matrix {
  if (gates === null) return X;
  const Z = standardize(preprocessing, X);
  const kept = Array.from({ length: X.rows }, (_, i) => i).filter((i) =>
    gates.h.every((h, j) => {
      const z = row(Z, i);
      return Math.abs(row(gates.G, j).reduce((sum, weight, k) => sum + weight * z[k], h)) > 1e-4;
    }),
  );
  return takeRows(X, kept);
}

function largestError(got: Matrix, expected: Matrix): number {
  expect([got.rows, got.cols]).toEqual([expected.rows, expected.cols]);
  let worst = 0;
  expected.data.forEach((value, k) => {
    worst = Math.max(worst, Math.abs(got.data[k] - value) / Math.max(1, Math.abs(value)));
  });
  return worst;
}

const number = (column: string, mean: number, scale: number): Encoding => ({
  kind: "number",
  column,
  mean,
  scale,
  fill: mean,
});
const table: Encoding[] = [
  number("height", 170.5, 9.3),
  { kind: "one-hot", column: "colour", categories: ["red", "green", "blue"] },
  number("weight", -3, 0.1),
  { kind: "one-hot", column: "sex", categories: ["f", "m"] },
];

describe("writeOnnx in ONNX Runtime", () => {
  test.each(["float32", "float64"] as const)(
    "writeOnnx of several target columns gives numbers in the units of the table, %s",
    async (precision) => {
      const random = randomStream(0, "several targets");
      const plain = randomModel({ activation: "relu", m: 20, encodings: table, c: 2 }, random);
      const columns = [
        { name: "big", mean: 1024, scale: 64 },
        { name: "small", mean: -0.5, scale: 0.125 },
      ];
      const model: SavedModel = { ...plain, target: { ...plain.target, columns } };
      const X = features(model, 30, random);
      const F = forward(model.network, standardize(model.preprocessing, X));
      const expected = matrix(
        F.rows,
        2,
        F.data.map((f, k) => f * columns[k % 2]!.scale + columns[k % 2]!.mean),
      );
      expect(largestError(await run(model, X, precision), expected)).toBeLessThan(
        precision === "float32" ? 1e-4 : 1e-12,
      );
    },
  );

  const cases: [string, Case, number][] = [];
  for (const activation of ["relu", "gated"] as const) {
    cases.push(
      [`${activation}, one output`, { activation, m: 20, encodings: table, c: 1 }, 50],
      [`${activation}, three outputs`, { activation, m: 20, encodings: table, c: 3 }, 50],
      [`${activation}, no neurons`, { activation, m: 0, encodings: table, c: 2 }, 5],
      [`${activation}, one neuron`, { activation, m: 1, encodings: table, c: 1 }, 50],
      [`${activation}, one feature`, { activation, m: 7, encodings: [number("x", 0.5, 2)], c: 1 }, 50],
      [`${activation}, many rows`, { activation, m: 30, encodings: table, c: 1 }, 20_000],
      [`${activation}, no rows`, { activation, m: 3, encodings: table, c: 1 }, 0],
    );
  }

  test.each(cases)("writeOnnx float32 outputs equal forward to 1e-6: %s", async (name, spec, n) => {
    const random = randomStream(1, name);
    const model = randomModel(spec, random);
    const X = awayFromGates(model, features(model, n, random));
    expect(X.rows).toBeGreaterThanOrEqual(0.95 * n);
    const expected = forward(model.network, standardize(model.preprocessing, X));
    expect(largestError(await run(model, X, "float32"), expected)).toBeLessThan(1e-6);
  });

  test.each(cases)("writeOnnx float64 outputs equal forward to 1e-13: %s", async (name, spec, n) => {
    const random = randomStream(2, name);
    const model = randomModel(spec, random);
    const X = features(model, n, random);
    const expected = forward(model.network, standardize(model.preprocessing, X));
    expect(largestError(await run(model, X, "float64"), expected)).toBeLessThan(1e-13);
  });

  test("writeOnnx float32 keeps a column whose mean is much larger than its scale, if its values are float32", async () => {
    // Counts around a million with deviation 10 are float32 numbers; the mean is not, and is off by 0.02 as one.
    const model = randomModel(
      { activation: "relu", m: 20, encodings: [number("count", 1_000_000.3, 10), number("year", 2009.3, 6.1)], c: 1 },
      randomStream(3, "weights"),
    );
    const random = randomStream(3, "features");
    const X = features(model, 200, random);
    X.data.forEach((value, k) => {
      X.data[k] = Math.round(value);
    });
    const expected = forward(model.network, standardize(model.preprocessing, X));
    expect(largestError(await run(model, X, "float32"), expected)).toBeLessThan(1e-6);
  });

  test("writeOnnx takes the encoded features of a loaded table: numbers, two and three categories, missing cells", async () => {
    const random = randomStream(4, "table");
    const cells = [
      () => `${random.integer(100) / 4}`,
      () => "fm"[random.integer(2)],
      () => ["red", "green", "blue"][random.integer(3)],
      () => ["yes", "no", ""][random.integer(3)],
      () => ["7.5", "", "12"][random.integer(3)],
    ];
    const rows = Array.from({ length: 40 }, (_, i) => [...cells.map((cell) => cell()), i / 10].join(","));
    const file = save("table.csv", `size,sex,colour,answer,dose,y\n${rows.join("\n")}\n`);
    const { train, preprocessing, target } = loadDataset({ file, target: "y", split: "none" });
    expect(preprocessing.features.length).toBe(1 + 1 + 3 + 3 + 1);
    const { network } = randomModel({ activation: "relu", m: 20, encodings: preprocessing.encodings, c: 1 }, random);
    const model = { network, preprocessing, target };
    const raw = unstandardize(preprocessing, train.X);
    const expected = forward(network, train.X);
    expect(largestError(await run(model, raw, "float32"), expected)).toBeLessThan(1e-6);
    expect(largestError(await run(model, raw, "float64"), expected)).toBeLessThan(1e-13);
  });
});
