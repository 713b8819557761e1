import { randomStream } from "../../base/random.ts";
import type { RealArray } from "../../compute/types.ts";
import type { NetworkGraph } from "./graph.ts";
import { blockSize } from "./operation.ts";

/**
 * Writes random parameters: each block of each layer is drawn from N(mean, std^2) of its parametrization, from a stream of
 * its own, so that the same seed gives a layer the same weights whatever the other layers are.
 */
export function initialize(graph: NetworkGraph, seed: number, theta: RealArray): void {
  for (const { operation, parameters, place } of graph.nodes) {
    let at = parameters.from;
    for (const block of operation.parameters) {
      const { normal } = randomStream(seed, `layer ${place} ${block.name}`);
      const end = at + blockSize(block);
      for (; at < end; at++) theta[at] = block.std === 0 ? block.mean : block.mean + block.std * normal();
    }
  }
}
