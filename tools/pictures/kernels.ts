import { type Matrix, matrix } from "../../src/base/matrix.ts";
import type { Compute } from "../../src/compute/index.ts";
import { parseArchitecture } from "../../src/network/architecture/index.ts";
import { networkGraph, networkModel } from "../../src/network/deep/index.ts";
import {
  decay,
  kernelEigen,
  kernelRegression,
  makeEngine,
  regressionOutputs,
  regressionVariances,
} from "../../src/tangent/index.ts";
import { PLAIN, Trainer, trainingLoss } from "../../src/training/index.ts";
import { sineRows } from "./convex.ts";
import { linesPicture, type Picture, type Points } from "./draw.ts";

function tangentEngine(spec: string, inputs: number) {
  const architecture = parseArchitecture(spec);
  return makeEngine({ architecture, input: [inputs], trained: "all", kernels: ["ntk"] });
}

function tangentKernel(compute: Compute, spec: string, X: Matrix): Matrix {
  return matrix(X.rows, X.rows, tangentEngine(spec, X.cols).block(compute, X, null).ntk!);
}

/** What a very wide network says between and beyond 28 points, and how sure the kernel is of it. */
function posteriorPicture(compute: Compute): Picture {
  const all = sineRows();
  const kept = [...all.x.keys()].filter((i) => all.x[i] < 0.1 || all.x[i] > 1.7).slice(0, 28);
  const X = matrix(
    kept.length,
    1,
    Float64Array.from(kept, (i) => all.x[i]),
  );
  const Y = matrix(
    kept.length,
    1,
    Float64Array.from(kept, (i) => all.y[i]),
  );
  const engine = tangentEngine("dense(512, b=1) relu dense(512, b=1) relu dense(1, b=1)", 1);
  const K = matrix(X.rows, X.rows, engine.block(compute, X, null).ntk!);
  const fit = kernelRegression(compute, K, Y, { ridge: "auto" });
  const model = { engine, kernel: "ntk", inputs: X, dual: fit.dual, intercept: fit.intercept } as const;
  const grid = Float64Array.from({ length: 161 }, (_, k) => -4 + k / 20);
  const tests = matrix(grid.length, 1, grid);
  const mean = regressionOutputs(compute, model, tests).data;
  const settings = { ridge: fit.ridge, withIntercept: true };
  const variance = regressionVariances(compute, model, settings, K, tests);
  const deviation = variance.map((value) => Math.sqrt(value * fit.signalVariance[0]));
  return linesPicture(
    {
      name: "ntk-posterior",
      x: { label: "x" },
      y: { label: "y" },
      lines: [
        { label: "mean of the regression", points: Array.from(grid, (x, k) => [x, mean[k]!] as const) },
        { label: "rows", dots: true, points: kept.map((i) => [all.x[i], all.y[i]] as const) },
      ],
      bands: [
        {
          label: "± 2 deviations",
          points: Array.from(grid, (x, k) => [x, mean[k]! - 2 * deviation[k]!, mean[k]! + 2 * deviation[k]!] as const),
        },
      ],
    },
    360,
  );
}

/** n points at equal angles of the unit circle. */
function circle(n: number): Matrix {
  const angle = (k: number): number => (2 * Math.PI * (k >> 1)) / n;
  return matrix(
    n,
    2,
    Float64Array.from({ length: 2 * n }, (_, k) => (k % 2 === 0 ? Math.cos(angle(k)) : Math.sin(angle(k)))),
  );
}

/** Eigenvalues of tangent kernels on a circle, by frequency: what a wide network learns first. */
function spectrumPicture(compute: Compute): Picture {
  const n = 256;
  const X = circle(n);
  const line = (label: string, spec: string) => {
    const K = tangentKernel(compute, spec, X).data;
    // The kernel of points at equal angles is circulant: its eigenvalues are the Fourier coefficients of a row.
    const points = Array.from({ length: 50 }, (_, k) => {
      let sum = 0;
      for (let j = 0; j < n; j++) sum += K[j]! * Math.cos((2 * Math.PI * (k + 1) * j) / n);
      return [k + 1, sum / n] as const;
    });
    return { label, points: points.filter(([, value]) => value > 1e-8) };
  };
  return linesPicture({
    name: "kernel-spectrum",
    x: { label: "frequency on the circle", log: true },
    y: { label: "eigenvalue / n", log: true },
    lines: [
      line("relu, 1 hidden layer", "dense(512, b=1) relu dense(1)"),
      line("relu, 3 hidden layers", "dense(512, b=1) relu dense(512, b=1) relu dense(512, b=1) relu dense(1)"),
      line("erf, 1 hidden layer", "dense(512, b=1) erf dense(1)"),
    ],
  });
}

/** The loss of finite networks beside what the kernel of the infinitely wide one says it will be. */
function trainingPicture(compute: Compute): Picture {
  const [n, steps] = [24, 1000];
  const X = circle(n);
  const y = Float64Array.from(
    { length: n },
    (_, i) => Math.cos((2 * Math.PI * i) / n) + 0.5 * Math.sin((6 * Math.PI * i) / n),
  );
  const spec = (width: number): string => `dense(${width}, b=0.5) gelu dense(1)`;
  const eigen = kernelEigen(compute, tangentKernel(compute, spec(512), X));
  const rate = 1 / Math.max(...eigen.values);
  const shares = eigen.values.map((_, k) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += eigen.vectors.data[i * n + k]! * y[i]!;
    return sum * sum;
  });
  const at = Array.from({ length: 80 }, (_, k) => Math.round(1.105 ** k)).filter((step) => step <= steps);
  const times = [...new Set(at)];
  const predicted: Points = times.map((time) => [
    time,
    shares.reduce(
      (sum, share, k) => sum + 0.5 * share * decay({ loss: "sum", step: rate }, n, eigen.values[k]!, time) ** 2,
      0,
    ),
  ]);
  const measured = (width: number): Points =>
    compute.scope((scope) => {
      const graph = networkGraph(parseArchitecture(spec(width)), [2]);
      const allocate = (length: number): Float64Array => scope.f64(length);
      const model = networkModel(graph, { kernels: compute, allocate, samples: n });
      const seed = 4;
      // The targets are counted from the outputs at the start, so that the residual begins at -y at every width.
      const start = allocate(model.parameters);
      model.initialize(seed, start);
      model.input.set(X.data);
      model.forward(n, start);
      const targets = { kind: "values", outputs: 1, data: y.map((value, i) => value + model.output[i]) } as const;
      const data = { n, inputs: X.data, loss: trainingLoss("squared", targets, 1) };
      const schedule = { rate, factor: 1, drops: [] };
      const settings = { reduction: "sum", batch: n, rule: PLAIN, schedule, noise: 0, seed } as const;
      const trainer = new Trainer(model, data, settings, compute, allocate);
      const points: (readonly [number, number])[] = [];
      const wanted = new Set(times);
      for (let step = 0; step <= steps; step++) {
        const { loss } = trainer.step();
        if (wanted.has(step)) points.push([step, loss]);
      }
      return points;
    });
  return linesPicture({
    name: "wide-training",
    x: { label: "step of gradient descent", log: true },
    y: { label: "half the summed squares", log: true },
    lines: [
      ...[32, 256, 2048].map((width) => ({ label: `width ${width}`, points: measured(width) })),
      { label: "infinite width", dashed: true, points: predicted },
    ],
  });
}

export const kernelPictures = {
  "ntk-posterior": posteriorPicture,
  "kernel-spectrum": spectrumPicture,
  "wide-training": trainingPicture,
};
