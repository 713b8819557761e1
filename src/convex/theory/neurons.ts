import { matrix } from "../../base/matrix.ts";
import type { TwoLayerNetwork } from "../../network/two-layer.ts";

/** w (x'u + b)_+ with ||u|| = 1. */
export interface Neuron {
  readonly u: Float64Array;
  readonly b: number;
  readonly w: number;
}

/** The balanced network of neurons over d inputs: (sqrt|w| u, sqrt|w| b) and sign(w) sqrt|w|. Those of weight 0 are left out. */
export function neuronNetwork(d: number, neurons: readonly Neuron[], c0: number): TwoLayerNetwork {
  const kept = neurons.filter(({ w }) => w !== 0);
  const U = matrix(kept.length, d);
  const b = new Float64Array(kept.length);
  const W = matrix(kept.length, 1);
  kept.forEach((neuron, j) => {
    const root = Math.sqrt(Math.abs(neuron.w));
    for (let k = 0; k < d; k++) U.data[j * d + k] = root * neuron.u[k];
    b[j] = root * neuron.b;
    W.data[j] = Math.sign(neuron.w) * root;
  });
  return { kind: "two-layer", activation: "relu", U, b, W, c0: Float64Array.of(c0), gates: null };
}
