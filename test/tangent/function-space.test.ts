import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Matrix, matrix } from "../../src/base/matrix.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { parseArchitecture } from "../../src/network/architecture/index.ts";
import { initialize, networkGraph, networkModel } from "../../src/network/deep/index.ts";
import { empiricalNtk, kernelEigen, testOutputs, trainedOutputs } from "../../src/tangent/index.ts";
import { normalMatrix } from "./kernels.ts";

// The function-space example of neural-tangents: a network of one hidden layer of erf, trained by gradient descent on squared errors,
// beside what its tangent kernel at the start says of it.

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute();
});
afterAll(() => compute.close());

interface Task {
  readonly train: Matrix;
  readonly tests: Matrix;
  readonly Y: Matrix;
  readonly Ytest: Matrix;
}

const differ = (A: Matrix, B: Matrix): number =>
  Math.sqrt(A.data.reduce((sum, value, k) => sum + (value - B.data[k]!) ** 2, 0) / A.data.length);

/** Root mean squares over the outputs after training: of network minus prediction and minus target, on both sets. */
function compare({ train, tests, Y, Ytest }: Task, width: number, steps: number, seed: number) {
  const outputs = Y.cols;
  const architecture = parseArchitecture(`dense(${width}, w=1, b=0.05) erf dense(${outputs}, w=1, b=0.05)`);
  const graph = networkGraph(architecture, [train.cols]);
  return compute.scope((scope) => {
    const n = train.rows;
    const model = networkModel(graph, {
      kernels: compute,
      allocate: (length) => scope.f64(length),
      samples: Math.max(n, tests.rows),
    });
    const theta = scope.f64(graph.parameters);
    initialize(graph, seed, theta);
    const outputsOf = (X: Matrix): Matrix => {
      model.input.set(X.data);
      model.forward(X.rows, theta);
      return matrix(X.rows, outputs, model.output.slice(0, X.rows * outputs));
    };
    // 1. The prediction from what is known at the start, 2. the training.
    const start = { Y, outputs: outputsOf(train) };
    const parameters = { graph, theta: theta.slice() };
    const eigen = kernelEigen(compute, matrix(n, n, empiricalNtk(compute, parameters, train, null).values));
    const cross = matrix(tests.rows, n, empiricalNtk(compute, parameters, tests, train).values);
    const rule = { loss: "mean", step: "flow" } as const;
    const predicted = trainedOutputs(compute, eigen, rule, steps, start);
    const testStart = { kernel: cross, outputs: outputsOf(tests) };
    const predictedTests = testOutputs(compute, eigen, rule, steps, start, testStart);
    const gradient = scope.f64(graph.parameters);
    for (let step = 0; step < steps; step++) {
      const out = outputsOf(train);
      for (let k = 0; k < out.data.length; k++) model.outputAdjoint[k] = (out.data[k]! - Y.data[k]!) / out.data.length;
      gradient.fill(0);
      model.backward(n, theta, gradient, 1);
      compute.axpy(graph.parameters, -1, gradient, theta);
    }
    const [trained, trainedTests] = [outputsOf(train), outputsOf(tests)];
    const accuracy = (F: Matrix): number => {
      const best = (A: Matrix, i: number): number => {
        const row = A.data.subarray(i * outputs, (i + 1) * outputs);
        return row.indexOf(Math.max(...row));
      };
      return Array.from({ length: F.rows }, (_, i) => best(F, i) === best(Ytest, i)).filter(Boolean).length / F.rows;
    };
    return {
      start: [differ(start.outputs, Y), differ(testStart.outputs, Ytest)] as const,
      train: { off: differ(trained, predicted), error: differ(trained, Y), predicted: differ(predicted, Y) },
      tests: {
        off: differ(trainedTests, predictedTests),
        error: differ(trainedTests, Ytest),
        predicted: differ(predictedTests, Ytest),
      },
      accuracy: [accuracy(trainedTests), accuracy(predictedTests)] as const,
    };
  });
}

test("trainedOutputs and testOutputs of the empirical kernel are those of gradient descent, the nearer the wider the network", () => {
  const teacher = normalMatrix("teacher", 10, 3);
  const task = (name: string, n: number): [Matrix, Matrix] => {
    const X = normalMatrix(name, n, 10);
    const T = matrix(n, 3);
    for (let i = 0; i < n; i++)
      for (let q = 0; q < 3; q++) {
        let sum = 0;
        for (let j = 0; j < 10; j++) sum += X.data[10 * i + j]! * teacher.data[3 * j + q]!;
        T.data[3 * i + q] = Math.sin(sum / 3);
      }
    return [X, T];
  };
  const [train, Y] = task("function space", 32);
  const [tests, Ytest] = task("function space tests", 32);
  const widths = [32, 256, 2048].map((width) => compare({ train, tests, Y, Ytest }, width, 200, 1));
  for (const { start, train: on, tests: off } of widths) {
    expect(on.predicted).toBeLessThan(0.5 * start[0]);
    expect(on.off).toBeLessThan(0.2 * start[0]);
    expect(off.off).toBeLessThan(0.2 * start[1]);
  }
  // The distance falls as 1 / sqrt(width): by 2.8 each time, with noise.
  for (const k of [1, 2]) {
    expect(widths[k]!.train.off).toBeLessThan(0.6 * widths[k - 1]!.train.off);
    expect(widths[k]!.tests.off).toBeLessThan(0.6 * widths[k - 1]!.tests.off);
  }
});

const folder = process.env.OVERPARAM_DATA ?? "";
const IMAGES = join(folder, "images/mnist-train-images-idx3-ubyte.gz");
const LABELS = join(folder, "images/mnist-train-labels-idx1-ubyte.gz");

test.skipIf(folder === "" || !existsSync(IMAGES))(
  "trainedOutputs and testOutputs of 128 digits, width 512, 1,000 steps of size 1, are those of gradient descent",
  () => {
    const pixels = gunzipSync(readFileSync(IMAGES)).subarray(16);
    const labels = gunzipSync(readFileSync(LABELS)).subarray(8);
    const X = Float64Array.from(pixels.subarray(0, 256 * 784));
    const mean = X.reduce((sum, value) => sum + value, 0) / X.length;
    const deviation = Math.sqrt(X.reduce((sum, value) => sum + (value - mean) ** 2, 0) / X.length);
    const part = (from: number): [Matrix, Matrix] => {
      const rows = X.subarray(from * 784, (from + 128) * 784).map((value) => (value - mean) / deviation);
      const Y = matrix(128, 10);
      for (let i = 0; i < 128; i++) Y.data[10 * i + labels[from + i]!] = 1;
      return [matrix(128, 784, rows), Y];
    };
    const [[train, Y], [tests, Ytest]] = [part(0), part(128)];
    const found = compare({ train, tests, Y, Ytest }, 512, 1000, 0);
    expect(found.train.off).toBeLessThan(0.1 * found.start[0]);
    expect(found.tests.off).toBeLessThan(0.1 * found.start[1]);
    expect(Math.abs(found.accuracy[0] - found.accuracy[1])).toBeLessThan(0.05);
  },
  600_000,
);
