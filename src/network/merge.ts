import { type Matrix, matrix } from "../base/matrix.ts";
import { checkShapes, type TwoLayerNetwork } from "./two-layer.ts";

/**
 * Stacks c scalar networks over the same inputs into one network with c outputs, output k being network k: the form in
 * which one-against-rest classifiers are saved.
 *
 * @throws RangeError without networks, when one has more than one output, or when inputs or activations differ.
 */
export function mergeOutputs(networks: readonly TwoLayerNetwork[]): TwoLayerNetwork {
  const first = networks[0];
  if (first === undefined) throw new RangeError("mergeOutputs needs at least one network");
  for (const network of networks) {
    checkShapes(network);
    const { activation, U, W } = network;
    if (W.cols !== 1) throw new RangeError(`mergeOutputs needs networks with 1 output, got one with ${W.cols}`);
    if (U.cols !== first.U.cols || activation !== first.activation) {
      const wanted = `${first.activation} with ${first.U.cols} inputs`;
      throw new RangeError(`the first network is ${wanted}, another is ${activation} with ${U.cols}`);
    }
  }
  const c = networks.length;
  const U = stack(networks.map((network) => network.U));
  const W = matrix(U.rows, c);
  let j = 0;
  networks.forEach((network, k) => {
    for (const weight of network.W.data) W.data[j++ * c + k] = weight;
  });
  const gates = networks.flatMap((network) => network.gates ?? []);
  return {
    kind: "two-layer",
    activation: first.activation,
    U,
    b: concatenate(networks.map((network) => network.b)),
    W,
    c0: concatenate(networks.map((network) => network.c0)),
    gates: first.gates === null ? null : { G: stack(gates.map(({ G }) => G)), h: concatenate(gates.map(({ h }) => h)) },
  };
}

function stack(parts: readonly Matrix[]): Matrix {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  return matrix(rows, parts[0]?.cols ?? 0, concatenate(parts.map((part) => part.data)));
}

function concatenate(parts: readonly Float64Array[]): Float64Array {
  const out = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}
