import type { Compute } from "../../compute/index.ts";
import type { RealArray } from "../../compute/types.ts";
import type { GraphNode } from "../../network/deep/index.ts";
import type { Measurement } from "../monitor.ts";
import { CHEAP, type MonitorKind } from "./kind.ts";
import type { Observation } from "./observation.ts";
import { beside, dataSeparation, plain, STATEMENTS, type Statement, stated } from "./theory.ts";

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

type NormBound = readonly [bound: number | null, statement: Statement];

/** What the norms of activation `layer` (counted from 0) lie between at the start. */
function normBounds<A extends RealArray>({ form }: Observation<A>, layer: number): readonly [NormBound, NormBound] {
  const { forwardNorm, patchNorm, residualNormLeast, residualNormMost } = STATEMENTS;
  const both = (bound: NormBound): readonly [NormBound, NormBound] => [bound, bound];
  if (form?.kind === "patches") return both([Math.sqrt(form.patches), patchNorm]);
  if (form?.kind !== "residual") return both([form === null ? null : 1, forwardNorm]);
  // The first layer and the last trained one have no tau.
  const blocks = Math.min(layer, form.depth - 1);
  return [
    [1, residualNormLeast],
    [(1 + 2 * form.tau ** 2) ** (blocks / 2), residualNormMost],
  ];
}

/** Norms of each layer's activations on the probed samples, and how well they keep samples apart. */
export const forwardMonitor: MonitorKind = {
  name: "forward",
  about: "norms of activations and separateness of samples, layer by layer",
  share: CHEAP,
  make(observation) {
    observation.tape(1);
    const { graph, n, theory, compute, inputs } = observation;
    const kinds = graph.nodes.filter(({ operation }) => operation.parameters.length === 0 && operation.saved(1) === 0);
    const isPart = ({ operation }: GraphNode): boolean =>
      operation.name === "add" || (observation.form?.kind === "residual" && operation.name === "polynomial");
    const nodes = kinds.filter((node) => !isPart(node));
    const { separation } = dataSeparation(compute, inputs, n, graph.sizes[0]!);
    return {
      work: { passes: n, touches: 1, fixed: 50_000 + 100_000 * nodes.length },
      cost: "one forward pass over the probed samples",
      observe() {
        observation.refresh();
        const tape = observation.forward();
        return nodes.flatMap((node): Measurement[] => {
          const { output, place } = node;
          const size = graph.sizes[output]!;
          const H = tape.values[output]![0]!;
          const norms = Array.from({ length: n }, (_, i) => compute.norm2(size, H.subarray(i * size, (i + 1) * size)));
          const [least, most] = normBounds(observation, nodes.indexOf(node));
          const rows = [
            beside("forward-norm-least", Math.min(...norms), ...least, place),
            beside("forward-norm-largest", Math.max(...norms), ...most, place),
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

/** What is assumed of convolutional and residual networks besides. */
function formRows<A extends RealArray>({ form, patches }: Observation<A>): Measurement[] {
  if (patches !== null) {
    return [
      stated("patch-separation", patches.separation, STATEMENTS.patches),
      stated("patch-norm-error", patches.normError, STATEMENTS.patches),
    ];
  }
  if (form?.kind !== "residual") return [];
  const least = form.depth * Math.log(form.width);
  return [
    beside("residual-scale-lower", 1 / form.tau, least, STATEMENTS.residualLeast),
    beside("residual-scale-upper", 1 / form.tau, least ** 2, STATEMENTS.residualMost),
  ];
}

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
          ...formRows(observation),
        ];
      },
    };
  },
};
