import type { Compute } from "../../compute/index.ts";
import type { Measurement } from "../monitor.ts";
import { CHEAP, type MonitorKind } from "./kind.ts";
import { beside, dataSeparation, plain, STATEMENTS } from "./theory.ts";

/** Least part of a vector that is orthogonal to another, over all pairs of the n rows of H. */
export function separateness(compute: Compute, n: number, size: number, H: Float64Array): number {
  return compute.scope((scope) => {
    const gram = scope.f64(n * n);
    compute.gemm(false, true, n, n, size, 1, H, size, H, size, 0, gram, n);
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        if (i === j) continue;
        const along = gram[i * n + i] > 0 ? gram[i * n + j] ** 2 / gram[i * n + i] : 0;
        least = Math.min(least, gram[j * n + j] - along);
      }
    }
    return Math.sqrt(Math.max(0, least));
  });
}

/** Norms of each layer's activations on the probed samples, and how well they keep samples apart. */
export const forwardMonitor: MonitorKind = {
  name: "forward",
  about: "norms of activations and separateness of samples, layer by layer",
  share: CHEAP,
  make(observation) {
    observation.tape(1);
    const { graph, n, theory, compute, inputs } = observation;
    const kinds = graph.nodes.filter(({ operation }) => operation.parameters.length === 0 && operation.saved === 0);
    const nodes = kinds.filter(({ operation }) => operation.name !== "add");
    const { separation } = dataSeparation(inputs, n, graph.sizes[0]!);
    return {
      work: { passes: n, touches: 2, fixed: 5e7 + 2e7 * nodes.length },
      cost: "one forward pass over the probed samples",
      observe() {
        observation.refresh();
        const tape = observation.forward();
        return nodes.flatMap(({ output, place }): Measurement[] => {
          const size = graph.sizes[output]!;
          const H = tape.values[output]![0]!;
          const norms = Array.from({ length: n }, (_, i) => compute.norm2(size, H.subarray(i * size, (i + 1) * size)));
          const one = theory === null ? null : 1;
          const rows = [
            beside("forward-norm-least", Math.min(...norms), one, STATEMENTS.forwardNorm, place),
            beside("forward-norm-largest", Math.max(...norms), one, STATEMENTS.forwardNorm, place),
          ];
          if (n < 2) return rows;
          const apart = separateness(compute, n, size, H.subarray(0, n * size));
          return [
            ...rows,
            beside("separateness", apart, theory === null ? null : separation / 2, STATEMENTS.separateness, place),
          ];
        });
      },
    };
  },
};

/** What the assumptions say of the data; it does not change. */
export const separationMonitor: MonitorKind = {
  name: "separation",
  about: "distances and norms of the inputs, once",
  share: 0,
  make(observation) {
    return {
      work: {},
      cost: "distances of at most 512 inputs, once",
      observe() {
        const { separation, normError, cosine } = observation.separation;
        return [
          plain("separation", separation),
          plain("input-norm-error", normError),
          plain("input-cosine-largest", cosine),
        ];
      },
    };
  },
};
