import { randomStream } from "../../src/base/random.ts";
import type { Compute, RealArray, RealKernels, Scope } from "../../src/compute/types.ts";
import { parseArchitecture, type Shape } from "../../src/network/architecture/index.ts";
import { type GraphNode, type NetworkGraph, networkGraph, networkModel } from "../../src/network/deep/index.ts";
import {
  PLAIN,
  type Targets,
  Trainer,
  type TrainingData,
  type TrainingLossName,
  type TrainingSettings,
  trainingLoss,
} from "../../src/training/index.ts";

/** A small problem: a network on n random samples with random targets. */
export interface Problem {
  readonly graph: NetworkGraph;
  readonly data: TrainingData;
}

export function problem(text: string, input: Shape, n: number, loss: TrainingLossName = "squared"): Problem {
  const graph = networkGraph(parseArchitecture(text), input);
  const { normal, integer } = randomStream(5, text);
  const inputs = Float64Array.from({ length: n * graph.sizes[0]! }, normal);
  const outputs = graph.sizes[graph.outputValue]!;
  const targets: Targets =
    loss === "squared"
      ? { kind: "values", outputs, data: Float64Array.from({ length: n * outputs }, normal) }
      : {
          kind: "classes",
          classes: Math.max(2, outputs),
          labels: Uint32Array.from({ length: n }, () => integer(Math.max(2, outputs))),
        };
  return { graph, data: { n, inputs, loss: trainingLoss(loss, targets, outputs) } };
}

export const settings = (changes: Partial<TrainingSettings> = {}): TrainingSettings => ({
  reduction: "mean",
  batch: 1000,
  rule: PLAIN,
  schedule: { rate: 0.1, factor: 1, drops: [] },
  noise: 0,
  seed: 4,
  ...changes,
});

export interface TrainerOptions {
  /** Samples that go through the network together; default: all. */
  readonly samples?: number;
  readonly trained?: (node: GraphNode) => boolean;
}

/** A trainer of a network in f64. */
export function trainerOf(
  compute: Compute,
  scope: Scope,
  { graph, data }: Problem,
  changes: Partial<TrainingSettings> = {},
  options: TrainerOptions = {},
): Trainer<Float64Array> {
  return trainerIn(compute, (length) => scope.f64(length), { graph, data }, changes, options);
}

/** A trainer in the precision of kernels. */
export function trainerIn<A extends RealArray>(
  kernels: RealKernels<A>,
  allocate: (length: number) => A,
  { graph, data }: Problem,
  changes: Partial<TrainingSettings>,
  { samples = data.n, ...options }: TrainerOptions = {},
): Trainer<A> {
  const model = networkModel(graph, { kernels, allocate, samples, ...options });
  return new Trainer(model, data, settings(changes), kernels, allocate);
}

/** Largest difference, relative to the largest entry. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [most, size] = [0, Number.MIN_VALUE];
  for (let k = 0; k < b.length; k++) {
    most = Math.max(most, Math.abs(a[k]! - b[k]!));
    size = Math.max(size, Math.abs(b[k]!));
  }
  return most / size;
}
