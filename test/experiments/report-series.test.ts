import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Matrix, matrix } from "../../src/base/matrix.ts";
import type { Dataset, Encoding, Samples, Target } from "../../src/data/types.ts";
import { areaUnderCurve } from "../../src/experiments/metrics.ts";
import { neuronPanel } from "../../src/experiments/neuron-panel.ts";
import { networkPicture } from "../../src/experiments/pictures.ts";
import { rocCurves } from "../../src/experiments/roc.ts";
import { forward, type TwoLayerNetwork } from "../../src/network/index.ts";
import type { CurvePicture, RegionsPicture } from "../../src/report/index.ts";

/** A network of the rows of U, b, W; free gates when given. */
function network(U: number[][], b: number[], W: number[][], gates?: { G: number[][]; h: number[] }): TwoLayerNetwork {
  const dense = (rows: number[][]): Matrix => matrix(rows.length, rows[0]!.length, Float64Array.from(rows.flat()));
  return {
    kind: "two-layer",
    activation: gates === undefined ? "relu" : "gated",
    U: dense(U),
    b: Float64Array.from(b),
    W: dense(W),
    c0: new Float64Array(W[0]!.length),
    gates: gates === undefined ? null : { G: dense(gates.G), h: Float64Array.from(gates.h) },
  };
}

/** Rows of numbers, half of them held out, with these columns' means and scales in the file. */
function dataset(
  X: number[][],
  y: number[],
  target: Target,
  axes: readonly { mean: number; scale: number }[],
): Dataset {
  const samples = (rows: number[]): Samples => ({
    X: matrix(rows.length, X[0]!.length, Float64Array.from(rows.flatMap((i) => X[i]!))),
    y: Float64Array.from(rows, (i) => y[i]!),
  });
  const half = Math.ceil(X.length / 2);
  const index = X.map((_, i) => i);
  const encodings = axes.map((axis, k): Encoding => ({ kind: "number", column: `x${k}`, fill: 0, ...axis }));
  return {
    train: samples(index.slice(0, half)),
    test: samples(index.slice(half)),
    preprocessing: { encodings, features: encodings.map(({ column }) => column) },
    target,
    notes: [],
    fingerprint: { file: "", matrix: "", weights: null },
  };
}

const NUMBER: Target = { name: "y", task: "regression", classes: null };
const TWO: Target = { name: "y", task: "classification", classes: ["no", "yes"] };

describe("rocCurves", () => {
  const rows = fc.array(fc.tuple(fc.integer({ min: -3, max: 3 }), fc.boolean()), { minLength: 2, maxLength: 40 });

  test("rocCurves rise from (0, 0) to (1, 1) and have the area of the pairs in order", () => {
    fc.assert(
      fc.property(rows, (pairs) => {
        const scores = matrix(
          pairs.length,
          1,
          Float64Array.from(pairs, ([score]) => score),
        );
        const labels = pairs.map(([, positive]) => Number(positive));
        const auc = areaUnderCurve(scores.data, labels);
        const curves = rocCurves(scores, labels, ["no", "yes"]);
        expect(curves).toHaveLength(auc === null ? 0 : 1);
        for (const { label, auc: told, points } of curves) {
          expect(label).toBe("yes");
          expect(told).toBe(auc);
          expect(points[0]).toEqual({ falsePositives: 0, truePositives: 0 });
          expect(points.at(-1)).toEqual({ falsePositives: 1, truePositives: 1 });
          // Few rows: no point was thinned out, so the trapezoids give the area exactly.
          let area = 0;
          points.slice(1).forEach((point, k) => {
            const before = points[k]!;
            expect(point.falsePositives).toBeGreaterThanOrEqual(before.falsePositives);
            expect(point.truePositives).toBeGreaterThanOrEqual(before.truePositives);
            area += ((point.falsePositives - before.falsePositives) * (point.truePositives + before.truePositives)) / 2;
          });
          expect(area).toBeCloseTo(auc!, 12);
        }
      }),
    );
  });

  test("rocCurves has one curve a class against the rest, and few points for many rows", () => {
    const n = 20_000;
    const labels = Float64Array.from({ length: n }, (_, i) => i % 3);
    const scores = matrix(
      n,
      3,
      Float64Array.from({ length: 3 * n }, (_, k) => Math.sin(k * k)),
    );
    const curves = rocCurves(scores, labels, ["a", "b", "c"]);
    expect(curves.map(({ label }) => label)).toEqual(["a", "b", "c"]);
    for (const { points } of curves) expect(points.length).toBeLessThan(1000);
  });
});

describe("neuronPanel", () => {
  test("neuronPanel counts active rows and tells effects in standard deviations", () => {
    // Column deviations 1 and 2; neuron 0 is active on two rows of four, neuron 1 on all.
    const X = matrix(4, 2, Float64Array.of(-1, -2, 1, 2, -1, 2, 1, -2));
    const net = network(
      [
        [1, 0],
        [0, 0.5],
      ],
      [0, 10],
      [[-3], [1]],
    );
    const input = { network: net, X, features: ["a", "b"], outputs: ["y"] };
    const panel = neuronPanel({ ...input, penalizedBiases: false })!;
    expect(panel).toMatchObject({ rows: 4, total: 2, totalFeatures: 2, features: ["a", "b"] });
    // Mean effects over the rows: |1 * -3 * 1| / 2 = 1.5 of a, |0.5 * 1 * 2| = 1 of b.
    expect(panel.neurons).toEqual([
      { output: "", active: 2, share: 3 / 3.5, effects: [-3, -0] },
      { output: "", active: 4, share: 0.5 / 3.5, effects: [0, 1] },
    ]);
    // With its bias counted, the second neuron has the larger norm.
    expect(neuronPanel({ ...input, penalizedBiases: true })!.neurons.map(({ active }) => active)).toEqual([4, 2]);
  });

  test("neuronPanel of a gated network counts open gates; of a constant network is null", () => {
    const X = matrix(2, 1, Float64Array.of(-1, 1));
    const gated = network([[1]], [0], [[1]], { G: [[-1]], h: [2] });
    const input = { X, features: ["a"], outputs: ["p", "q"], penalizedBiases: true };
    expect(neuronPanel({ ...input, network: gated })!.neurons[0]).toMatchObject({ output: "p", active: 2 });
    const none = {
      ...gated,
      U: matrix(0, 1),
      b: new Float64Array(0),
      W: matrix(0, 1),
      gates: null,
      activation: "relu",
    } as const;
    expect(neuronPanel({ ...input, network: none })).toBeNull();
  });
});

describe("networkPicture of one feature", () => {
  const weight = fc.double({ min: -2, max: 2, noNaN: true });
  const neuron = fc.tuple(weight, weight, weight, weight, weight);

  test("networkPicture has a curve through the network's outputs, straight between its vertices", () => {
    fc.assert(
      fc.property(fc.array(neuron, { minLength: 1, maxLength: 6 }), fc.boolean(), (neurons, gated) => {
        const gates = gated ? { G: neurons.map(([, , , g]) => [g]), h: neurons.map(([, , , , h]) => h) } : undefined;
        const net = network(
          neurons.map(([u]) => [u]),
          neurons.map(([, b]) => b),
          neurons.map(([, , w]) => [w]),
          gates,
        );
        const data = dataset([[-1], [1], [0.5]], [1, 2, 3], NUMBER, [{ mean: 10, scale: 4 }]);
        const picture = networkPicture({ network: net, dataset: data, outputs: ["y"], logOdds: false }) as CurvePicture;
        const vertices = picture.curves[0]!.vertices;
        expect(vertices[0]!.x).toBeCloseTo(10 + 4 * -1.12, 10);
        expect(vertices.at(-1)!.x).toBeCloseTo(10 + 4 * 1.12, 10);
        for (const [k, end] of vertices.slice(1).entries()) {
          const start = vertices[k]!;
          if (end.x - start.x < 1e-9) continue;
          const inside = [0.3, 0.6].map((t) => start.x + t * (end.x - start.x));
          const values = forward(
            net,
            matrix(
              2,
              1,
              Float64Array.from(inside, (x) => (x - 10) / 4),
            ),
          ).data;
          inside.forEach((x, i) => {
            const line = start.y + ((x - start.x) / (end.x - start.x)) * (end.y - start.y);
            expect(Math.abs(line - values[i]!)).toBeLessThan(1e-7);
          });
        }
      }),
    );
  });

  test("networkPicture shows the rows of both parts in the units of the file", () => {
    const data = dataset([[-1], [1], [0.5]], [1, 2, 3], NUMBER, [{ mean: 10, scale: 4 }]);
    const net = network([[1]], [0], [[1]]);
    const picture = networkPicture({ network: net, dataset: data, outputs: ["y"], logOdds: false }) as CurvePicture;
    expect(picture).toMatchObject({ kind: "curve", feature: "x0", output: "y", classes: null });
    expect(picture.points).toEqual([
      { x: 6, value: 1, heldOut: false },
      { x: 14, value: 2, heldOut: false },
      { x: 12, value: 3, heldOut: true },
    ]);
    expect(picture.curves[0]!.vertices.filter(({ kink }) => kink).map(({ x }) => x)).toEqual([10]);
  });

  test("networkPicture takes kinks that differ by rounding for one, where the curve bends and does not jump", () => {
    const data = dataset([[-1], [1], [0.5]], [1, 2, 3], NUMBER, [{ mean: 10, scale: 4 }]);
    const net = network([[3], [-3 * (1 + 2 ** -50)]], [-0.3, 0.3], [[1e6], [1e6]]);
    const picture = networkPicture({ network: net, dataset: data, outputs: ["y"], logOdds: false }) as CurvePicture;
    const { vertices } = picture.curves[0]!;
    expect(vertices.map(({ kink }) => kink)).toEqual([false, true, false]);
    expect(vertices[1]!.x).toBeCloseTo(10.4, 12);
    expect(vertices[1]!.y).toBeCloseTo(0, 6);
  });
});

describe("networkPicture of two features", () => {
  const rows = [
    [-1, -1],
    [1, 1],
    [0, 0.5],
  ];
  const axes = [
    { mean: 100, scale: 10 },
    { mean: 0, scale: 1 },
  ];

  test("networkPicture has the network on a grid, and the kinks cut to the picture", () => {
    const data = dataset(rows, [0, 1, 1], TWO, axes);
    // Kinks: x0 = 0; x1 = 0.5 - x0, a diagonal; one that misses the picture.
    const net = network(
      [
        [1, 0],
        [1, 1],
        [1, 0],
      ],
      [0, -0.5, 50],
      [[1], [-2], [0.1]],
    );
    const picture = networkPicture({ network: net, dataset: data, outputs: ["y"], logOdds: true }) as RegionsPicture;
    expect(picture).toMatchObject({ kind: "regions", features: ["x0", "x1"], output: "log-odds of yes" });
    const { size, x, y, grids, kinks } = picture;
    for (const [i, j] of [
      [0, 0],
      [size - 1, 0],
      [7, 40],
    ] as const) {
      const at = (range: readonly [number, number], k: number): number =>
        range[0] + (k / (size - 1)) * (range[1] - range[0]);
      const [value] = forward(net, matrix(1, 2, Float64Array.of((at(x, i) - 100) / 10, at(y, j)))).data;
      expect(grids[0]![j * size + i]).toBeCloseTo(value!, 3);
    }
    expect(kinks).toHaveLength(2);
    expect(kinks[0]).toEqual({ x1: 100, x2: 100, y1: y[0], y2: y[1] });
    for (const { x1, y1, x2, y2 } of kinks) {
      for (const [px, py] of [
        [x1, y1],
        [x2, y2],
      ] as const) {
        expect(px).toBeGreaterThanOrEqual(x[0] - 1e-9);
        expect(px).toBeLessThanOrEqual(x[1] + 1e-9);
        expect(py).toBeGreaterThanOrEqual(y[0] - 1e-9);
        expect(py).toBeLessThanOrEqual(y[1] + 1e-9);
      }
    }
    expect((kinks[1]!.x1 - 100) / 10 + kinks[1]!.y1).toBeCloseTo(0.5, 10);
  });

  test("networkPicture is null for other features: categories, three columns, too many classes", () => {
    const data = dataset(rows, [0, 1, 1], NUMBER, axes);
    const net = network([[1, 1]], [0], [[1]]);
    const flag: Encoding = { kind: "one-hot", column: "flag", categories: ["no", "yes"] };
    const mixed = {
      ...data,
      preprocessing: { encodings: [data.preprocessing.encodings[0]!, flag], features: ["x0", "flag"] },
    };
    expect(networkPicture({ network: net, dataset: mixed, outputs: ["y"], logOdds: false })).toBeNull();
    const many = Array.from({ length: 26 }, (_, k) => `class ${k}`);
    expect(networkPicture({ network: net, dataset: data, outputs: many, logOdds: false })).toBeNull();
  });

  test("networkPicture shows at most 1200 rows", () => {
    const many = Array.from({ length: 5000 }, (_, i) => [Math.sin(i), Math.cos(i)]);
    const data = dataset(
      many,
      many.map(() => 1),
      NUMBER,
      axes,
    );
    const picture = networkPicture({
      network: network([[1, 1]], [0], [[1]]),
      dataset: data,
      outputs: ["y"],
      logOdds: false,
    });
    expect(picture!.points).toHaveLength(1200);
    expect(picture!.points.filter(({ heldOut }) => heldOut)).toHaveLength(600);
  });
});
