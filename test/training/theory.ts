import { randomStream } from "../../src/base/random.ts";
import { symmetricEigen } from "../../src/compute/eigen.ts";
import type { Compute, Scope } from "../../src/compute/index.ts";
import { type NetworkGraph, networkGraph, networkModel } from "../../src/network/deep/index.ts";
import { trainedNodes } from "../../src/tangent/empirical/nodes.ts";
import { vectorEngine } from "../../src/tangent/index.ts";
import { PLAIN, type Targets, Trainer, type TrainingSettings, trainingLoss } from "../../src/training/index.ts";
import { makeMonitors } from "../../src/training/monitors/index.ts";
import { layerDistances, weightLayers } from "../../src/training/monitors/weights.ts";
import { convergenceNetwork, type NetworkPreset, randomUnitInputs } from "../../src/training/presets.ts";

/** Gradient descent on the sum of losses. */
export const SUM: TrainingSettings = {
  reduction: "sum",
  batch: Number.MAX_SAFE_INTEGER,
  rule: PLAIN,
  schedule: { rate: 0.01, factor: 1, drops: [] },
  noise: 0,
  seed: 1,
};

export const rate = (value: number) => ({ schedule: { rate: value, factor: 1, drops: [] } });

/** Standard normal targets of n samples. */
export function normalTargets(n: number, outputs: number, seed: number): Targets {
  const { normal } = randomStream(seed, "targets");
  return { kind: "values", outputs, data: Float64Array.from({ length: n * outputs }, normal) };
}

export interface PresetTraining {
  readonly trainer: Trainer<Float64Array>;
  readonly graph: NetworkGraph;
  /** Values of one look of a monitor, by name, or by name and layer. */
  look(name: string): ReadonlyMap<string, { value: number; bound: number | null }>;
}

/** A preset with data in double precision, ready to be trained. */
export function presetTraining(
  compute: Compute,
  scope: Scope,
  preset: NetworkPreset,
  inputs: Float64Array,
  targets: Targets,
  settings: Partial<TrainingSettings>,
  loss: "squared" | "cross-entropy" = "squared",
): PresetTraining {
  const graph = networkGraph(preset.architecture, preset.input);
  const nodes = trainedNodes(graph, preset.trained, false);
  const n = inputs.length / graph.sizes[0]!;
  const allocate = (length: number): Float64Array => scope.f64(length);
  const model = networkModel(graph, {
    kernels: compute,
    allocate,
    samples: n,
    trained: (node) => nodes.includes(node),
  });
  const data = { n, inputs, loss: trainingLoss(loss, targets, model.outputs) };
  const trainer = new Trainer(model, data, { ...SUM, ...settings }, compute, allocate);
  const monitors = new Map<string, ReturnType<typeof makeMonitors>[number]>();
  return {
    trainer,
    graph,
    look(name) {
      let monitor = monitors.get(name);
      if (monitor === undefined) {
        monitor = makeMonitors([name], { trainer, graph, compute, scope })[0]!;
        monitors.set(name, monitor);
      }
      return new Map(
        monitor.observe(trainer.steps).flatMap((row) => [
          [row.name, row],
          [`${row.name} ${row.layer}`, row],
        ]),
      );
    },
  };
}

/**
 * sqrt(m) times the largest spectral distance of a layer from its start after some steps of 1 / lambda_max of the infinitely
 * wide network (20 inputs of 10 numbers, 3 outputs).
 */
export function scaledDistance(
  compute: Compute,
  { width, depth, steps, seed }: { width: number; depth: number; steps: number; seed: number },
): number {
  const [n, d, outputs] = [20, 10, 3];
  const preset = convergenceNetwork({ inputs: d, width, depth, outputs });
  const inputs = randomUnitInputs(n, d, 1);
  const { ntk } = vectorEngine({ ...preset, kernels: ["ntk"] }).block(
    compute,
    { rows: n, cols: d, data: inputs },
    null,
  );
  const values = new Float64Array(n);
  symmetricEigen(n, ntk!, n, values);
  return compute.scope((scope) => {
    const { trainer, graph } = presetTraining(compute, scope, preset, inputs, normalTargets(n, outputs, 1), {
      ...rate(1 / values[n - 1]),
      seed,
    });
    const start = trainer.theta.slice();
    for (let step = 0; step < steps; step++) trainer.step();
    const layers = weightLayers(graph, trainer.model.trained);
    const norms = layerDistances(compute, layers, trainer.theta, start).map(({ spectral }) => spectral);
    return Math.sqrt(width) * Math.max(...norms);
  });
}

/** Slope of the least-squares line through (log x, log y). */
export function logSlope(x: readonly number[], y: readonly number[]): number {
  const [u, v] = [x.map(Math.log), y.map(Math.log)];
  const mean = (of: readonly number[]): number => of.reduce((sum, value) => sum + value, 0) / of.length;
  const [mu, mv] = [mean(u), mean(v)];
  const [cross, square] = [mean(u.map((value, k) => (value - mu) * (v[k]! - mv))), mean(u.map((a) => (a - mu) ** 2))];
  return cross / square;
}
