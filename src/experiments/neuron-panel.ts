import { type Matrix, row } from "../base/matrix.ts";
import type { TwoLayerNetwork } from "../network/index.ts";
import type { NeuronPanel, NeuronRow } from "../report/index.ts";

/** Neurons and features that a report lists at most. */
const NEURONS = 16;
const FEATURES = 12;

/** What {@link neuronPanel} looks at. */
export interface NeuronPanelInput {
  readonly network: TwoLayerNetwork;
  /** Training rows, n x d, as the network takes them. */
  readonly X: Matrix;
  readonly features: readonly string[];
  /** Names of the outputs. */
  readonly outputs: readonly string[];
  /** Whether hidden biases count in the penalty. */
  readonly penalizedBiases: boolean;
}

/**
 * The hidden neurons by their share of the path norm sum_j ||u_j|| ||w_j||, which is the penalty of balanced neurons, and
 * the features by the mean size of their effect on the outputs over the rows; null without neurons.
 */
export function neuronPanel({ network, X, features, outputs, penalizedBiases }: NeuronPanelInput): NeuronPanel | null {
  const { U, b, W } = network;
  if (U.rows === 0) return null;
  const deviations = columnDeviations(X);
  const active = activeRows(network, X);
  const norms = Array.from({ length: U.rows }, (_, j) => {
    const hidden = Math.hypot(...row(U, j), penalizedBiases ? b[j] : 0);
    return hidden * Math.hypot(...row(W, j));
  });
  const total = norms.reduce((sum, norm) => sum + norm, 0);
  const effect = (j: number, q: number, k: number): number => row(U, j)[k]! * row(W, j)[q]! * deviations[k]!;
  const use = features.map((_, k) =>
    norms.reduce((sum, _norm, j) => sum + (active[j]! / X.rows) * Math.abs(effect(j, largest(row(W, j)), k)), 0),
  );
  const order = (values: readonly number[]): number[] => [...values.keys()].sort((i, j) => values[j]! - values[i]!);
  const shownFeatures = order(use)
    .filter((k) => use[k]! > 0)
    .slice(0, FEATURES);
  const neurons = order(norms)
    .slice(0, NEURONS)
    .map((j): NeuronRow => {
      const q = largest(row(W, j));
      return {
        output: outputs.length > 1 ? outputs[q]! : "",
        active: active[j]!,
        share: total > 0 ? norms[j]! / total : 0,
        effects: shownFeatures.map((k) => effect(j, q, k)),
      };
    });
  return {
    rows: X.rows,
    total: U.rows,
    totalFeatures: features.length,
    features: shownFeatures.map((k) => features[k]!),
    neurons,
  };
}

/** Index of the entry of largest size. */
function largest(values: Float64Array): number {
  return values.reduce((best, value, q) => (Math.abs(value) > Math.abs(values[best]) ? q : best), 0);
}

/** On how many rows each neuron is active. */
function activeRows({ U, b, gates }: TwoLayerNetwork, X: Matrix): number[] {
  const [G, h] = gates === null ? [U, b] : [gates.G, gates.h];
  return Array.from({ length: U.rows }, (_, j) => {
    const g = row(G, j);
    let count = 0;
    for (let i = 0; i < X.rows; i++) {
      const x = row(X, i);
      let z = h[j];
      for (let k = 0; k < x.length; k++) z += g[k] * x[k];
      if (z > 0) count += 1;
    }
    return count;
  });
}

/** Population standard deviation of each column. */
function columnDeviations(X: Matrix): number[] {
  return Array.from({ length: X.cols }, (_, k) => {
    let mean = 0;
    for (let i = 0; i < X.rows; i++) mean += X.data[i * X.cols + k] / X.rows;
    let squares = 0;
    for (let i = 0; i < X.rows; i++) squares += (X.data[i * X.cols + k] - mean) ** 2;
    return Math.sqrt(squares / X.rows);
  });
}
