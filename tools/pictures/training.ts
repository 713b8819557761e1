import { matrix } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import type { Compute, Scope } from "../../src/compute/index.ts";
import { type Architecture, parseArchitecture, type Shape } from "../../src/network/architecture/index.ts";
import { initialize, type NetworkGraph, networkGraph, networkModel, Tape } from "../../src/network/deep/index.ts";
import { contourChart } from "../../src/report/charts/contour.ts";
import { kernelEigen, type Trained, vectorEngine } from "../../src/tangent/index.ts";
import {
  adversarialFlipLaw,
  adversarialFlips,
  chebyshevData,
  convergenceNetwork,
  LANDSCAPE_DEFAULTS,
  landscapeOf,
  makeMonitors,
  PLAIN,
  randomFlipLaw,
  randomFlips,
  randomUnitInputs,
  type Targets,
  Trainer,
  type TrainingLossName,
  trainingLoss,
} from "../../src/training/index.ts";
import { twoMoons } from "../make-examples.ts";
import { linesPicture, type Picture, type Points, picture } from "./draw.ts";

interface Task {
  readonly architecture: Architecture;
  readonly input: Shape;
  readonly trained?: Trained;
  readonly inputs: Float64Array;
  readonly targets: Targets;
  readonly loss?: TrainingLossName;
  readonly reduction?: "sum" | "mean";
  readonly rate: number;
  readonly seed?: number;
}

/** Full-batch gradient descent in double precision. */
function training(compute: Compute, scope: Scope, task: Task): { trainer: Trainer<Float64Array>; graph: NetworkGraph } {
  const { architecture, input, trained = "all", inputs, targets, loss = "squared", seed = 1 } = task;
  const graph = networkGraph(architecture, input);
  const weighted = graph.nodes.filter(({ parameters }) => parameters.count > 0);
  const allocate = (length: number): Float64Array => scope.f64(length);
  const n = inputs.length / graph.sizes[0]!;
  const model = networkModel(graph, {
    kernels: compute,
    allocate,
    samples: n,
    trained: (node) => trained === "all" || weighted.indexOf(node) % (weighted.length - 1) !== 0,
  });
  const data = { n, inputs, loss: trainingLoss(loss, targets, model.outputs) };
  const schedule = { rate: task.rate, factor: 1, drops: [] };
  const settings = { reduction: task.reduction ?? "sum", batch: n, rule: PLAIN, schedule, noise: 0, seed } as const;
  return { trainer: new Trainer(model, data, settings, compute, allocate), graph };
}

function normalTargets(n: number): Targets {
  const { normal } = randomStream(1, "targets");
  return { kind: "values", outputs: 1, data: Float64Array.from({ length: n }, normal) };
}

/** Eigenvalues, ascending, of the infinitely wide network of the convergence paper with hidden layers trained. */
function hiddenEigenvalues(compute: Compute, width: number, inputs: Float64Array, n: number): Float64Array {
  const preset = convergenceNetwork({ inputs: inputs.length / n, width, depth: 2, outputs: 1 });
  const { ntk } = vectorEngine({ ...preset, kernels: ["ntk"] }).block(
    compute,
    matrix(n, inputs.length / n, inputs),
    null,
  );
  return kernelEigen(compute, matrix(n, n, ntk!)).values;
}

/** The loss of three networks beside the slowest fall that the kernel allows, the time in units of that fall. */
function ratePicture(compute: Compute): Picture {
  const [n, longest] = [16, 8];
  const inputs = randomUnitInputs(n, 10, 2);
  const spec = (width: number): Architecture => parseArchitecture(`dense(${width}) relu dense(${width}) relu dense(1)`);
  const engine = vectorEngine({ architecture: spec(512), input: [10], trained: "all", kernels: ["ntk"] });
  const { ntk } = engine.block(compute, matrix(n, 10, inputs), null);
  const { values } = kernelEigen(compute, matrix(n, n, ntk!));
  const rate = 1 / values[n - 1];
  const unit = -2 * Math.log(1 - rate * values[0]);
  const line = (width: number) => {
    const points = compute.scope((scope) => {
      const task = { architecture: spec(width), input: [10], inputs, targets: normalTargets(n), rate } as const;
      const { trainer } = training(compute, scope, task);
      const { loss } = trainer.evaluate();
      const steps = Array.from({ length: Math.ceil(longest / unit) }, (_, step) => step);
      return steps.map((step) => [step * unit, trainer.step().loss / loss] as const);
    });
    return { label: `width ${width}`, points };
  };
  return linesPicture({
    name: "linear-rate",
    x: { label: "time, in which the slowest part of the loss falls by a factor e" },
    y: { label: "loss / loss at the start", log: true },
    lines: [
      ...[16, 128, 1024].map(line),
      { label: "slowest rate", dashed: true, points: [0, longest].map((time) => [time, Math.exp(-time)] as const) },
    ],
  });
}

/** Signs that a change of a layer can flip at worst, and those that a random one flips, beside their laws. */
function flipsPicture(compute: Compute): Picture {
  const [m, n] = [1024, 4];
  const { architecture, input } = convergenceNetwork({ inputs: 10, width: m, depth: 1, outputs: 1 });
  const radii = Array.from({ length: 13 }, (_, k) => 0.003 * 10 ** (k / 6));
  const shares = compute.scope((scope) => {
    const graph = networkGraph(architecture, input);
    const allocate = (length: number): Float64Array => scope.f64(length);
    const theta = allocate(graph.parameters);
    initialize(graph, 1, theta);
    const tape = new Tape({ graph, kernels: compute, allocate, samples: n });
    tape.input[0]!.set(randomUnitInputs(n, 10, 1));
    tape.forward(n, [theta]);
    // Inputs and pre-activations of the trained layer.
    const [h, g] = [tape.values[2]![0]!, tape.values[3]![0]!];
    const mean = (of: readonly number[]): number => of.reduce((sum, value) => sum + value, 0) / of.length;
    const part = (of: Float64Array, i: number): Float64Array => of.slice(i * m, (i + 1) * m);
    return radii.map((radius) => ({
      radius,
      worst: mean(Array.from({ length: n }, (_, i) => adversarialFlips(part(g, i), Math.hypot(...part(h, i)), radius))),
      random: mean(randomFlips(compute, n, m, m, g, h, radius, randomStream(1, `change ${radius}`))),
    }));
  });
  return linesPicture({
    name: "sign-flips",
    x: { label: "spectral norm ω of the change", log: true },
    y: { label: "share of signs that change", log: true },
    lines: [
      { label: "worst change", dots: true, points: shares.map(({ radius, worst }) => [radius, worst] as const) },
      { label: "random change", dots: true, points: shares.map(({ radius, random }) => [radius, random] as const) },
      { label: "(3 ω² / π)^(1/3)", dashed: true, points: radii.map((r) => [r, adversarialFlipLaw(r)] as const) },
      { label: "arctan(ω / √8) / π", dashed: true, points: radii.map((r) => [r, randomFlipLaw(r)] as const) },
    ],
  });
}

/** How far the layers of networks of many widths move in the same time. */
function distancePicture(compute: Compute): Picture {
  const n = 20;
  const inputs = randomUnitInputs(n, 10, 1);
  const rows = [32, 64, 128, 256, 512, 1024].map((width) => {
    const preset = convergenceNetwork({ inputs: 10, width, depth: 2, outputs: 1 });
    const values = hiddenEigenvalues(compute, width, inputs, n);
    const distances = [1, 2, 3].map((seed) =>
      compute.scope((scope) => {
        const task = { ...preset, inputs, targets: normalTargets(n), rate: 1 / values[n - 1], seed };
        const { trainer, graph } = training(compute, scope, task);
        const monitor = makeMonitors(["distance"], { trainer, graph, compute, scope })[0]!;
        monitor.observe(0);
        for (let step = 0; step < 60; step++) trainer.step();
        const seen = monitor.observe(60).filter(({ name }) => name === "distance-spectral");
        return Math.max(...seen.map(({ value }) => value));
      }),
    );
    return { width, distance: distances.reduce((sum, value) => sum + value, 0) / distances.length };
  });
  return linesPicture({
    name: "distance-by-width",
    x: { label: "width m", log: true },
    y: { label: "after 60 steps", log: true },
    lines: [
      { label: "‖W − W₀‖", points: rows.map(({ width, distance }) => [width, distance] as const) },
      { label: "√m ‖W − W₀‖", points: rows.map((r) => [r.width, Math.sqrt(r.width) * r.distance] as const) },
    ],
  });
}

/** The largest eigenvalue of the Hessian rises to 2 / step size, and stays there. */
function edgePicture(compute: Compute): Picture {
  const { inputs, values } = chebyshevData(5, 20);
  const architecture = parseArchitecture(
    "dense(50, w=1, b=0.5, parametrization=standard) tanh dense(1, w=1, b=0.5, parametrization=standard)",
  );
  const steps = 16_000;
  const sharpness = (rate: number): Points =>
    compute.scope((scope) => {
      const targets: Targets = { kind: "values", outputs: 1, data: values };
      const task = { architecture, input: [1], inputs, targets, reduction: "mean", rate } as const;
      const { trainer, graph } = training(compute, scope, task);
      const monitor = makeMonitors(["sharpness"], { trainer, graph, compute, scope })[0]!;
      const points: (readonly [number, number])[] = [];
      for (let step = 0; step <= steps; step++) {
        if (step % 200 === 0) {
          const row = monitor.observe(step).find(({ name }) => name === "sharpness")!;
          points.push([step, row.value]);
        }
        trainer.step();
      }
      return points;
    });
  const rates = [0.1, 0.15];
  return linesPicture({
    name: "edge-of-stability",
    x: { label: "step of gradient descent" },
    y: { label: "sharpness: largest eigenvalue of the Hessian" },
    lines: rates.flatMap((rate) => [
      { label: `step size ${rate}`, points: sharpness(rate) },
      { label: `2 / ${rate}`, dashed: true, points: [0, steps].map((step) => [step, 2 / rate] as const) },
    ]),
  });
}

/** The loss around a network that has been trained on two moons, along two random directions. */
function landscapePicture(compute: Compute): Picture {
  const rows = twoMoons()
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(","));
  const inputs = Float64Array.from(rows.flatMap(([x, y]) => [Number(x), Number(y)]));
  const targets: Targets = {
    kind: "classes",
    classes: 2,
    labels: Uint32Array.from(rows, ([, , moon]) => (moon === "upper" ? 1 : 0)),
  };
  return compute.scope((scope) => {
    const architecture = parseArchitecture("dense(32, b=1) relu dense(32, b=1) relu dense(1)");
    const task = { architecture, input: [2], inputs, targets, loss: "logistic", reduction: "mean", rate: 2 } as const;
    const { trainer, graph } = training(compute, scope, task);
    for (let step = 0; step < 400; step++) trainer.step();
    const setup = { graph, compute, scope, data: trainer.data, reduction: "mean", samples: rows.length } as const;
    const options = { ...LANDSCAPE_DEFAULTS, axes: "random", points: 41, radius: 1.5 } as const;
    const { slice, labels } = landscapeOf(setup, trainer.theta, options);
    const chart = contourChart({ labels, what: "loss", x: slice.x, y: slice.y, values: slice.loss }, 600);
    return picture("loss-landscape", chart);
  });
}

export const trainingPictures = {
  "linear-rate": ratePicture,
  "sign-flips": flipsPicture,
  "distance-by-width": distancePicture,
  "edge-of-stability": edgePicture,
  "loss-landscape": landscapePicture,
};
