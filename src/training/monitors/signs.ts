import type { GraphNode } from "../../network/deep/index.ts";
import type { Measurement } from "../monitor.ts";
import { adversarialFlipLaw, adversarialFlips } from "./flips.ts";
import { CHEAP, type MonitorKind, SPECTRAL_NORM } from "./kind.ts";
import { beside, STATEMENTS } from "./theory.ts";
import { layerDistances } from "./weights.ts";

/** Activations with a kink at zero. */
const KINKED = ["relu", "leaky-relu", "abrelu", "abs", "sign", "rectified-monomial"];
/** Radii of the worst case, when the layer has not moved by itself. */
const RADIUS = 0.1;

/** Signs of what goes into activations: how many have changed since the start, and how many could have. */
export const signsMonitor: MonitorKind = {
  name: "signs",
  about: "activation signs changed since the start, and the worst case for a change of weights as large",
  share: CHEAP,
  make(observation) {
    observation.tape(1);
    const { graph, n, theory, layers, compute } = observation;
    const nodes = graph.nodes.filter(({ operation }) => KINKED.includes(operation.name));
    const entries = ({ inputs }: GraphNode): number => n * graph.sizes[inputs[0]!]!;
    const before = observation.forwardAt([observation.initial], 1);
    const signs = nodes.map((node) => {
      const x = before.values[node.inputs[0]!]![0]!;
      return Uint8Array.from({ length: entries(node) }, (_, k) => Number(x[k] > 0));
    });
    // The worst case has a closed form behind a layer that feeds an activation directly.
    const fed = layers.filter(
      ({ node }) => node.operation.rows === 1 && nodes.some((k) => k.inputs[0] === node.output),
    );
    return {
      work: { passes: n, touches: 10, fixed: 5e7 + SPECTRAL_NORM * layers.length },
      cost: "one forward pass over the probed samples, a spectral norm for each layer",
      observe() {
        observation.refresh();
        const distances = layerDistances(compute, layers, observation.theta, observation.initial);
        const omega = Math.max(0, ...distances.map(({ spectral }) => spectral));
        const tape = observation.forward();
        const changed = nodes.map((node, k): Measurement => {
          const x = tape.values[node.inputs[0]!]![0]!;
          const old = signs[k]!;
          let count = 0;
          for (let i = 0; i < old.length; i++) if (Number(x[i] > 0) !== old[i]) count += 1;
          const share = count / old.length;
          const bound = theory === null || omega === 0 ? null : omega ** (2 / 3) * theory.depth;
          return beside("sign-changes", share, bound, STATEMENTS.signs, node.place);
        });
        const worst = fed.map(({ node, place, rows, cols }): Measurement => {
          const at = layers.findIndex((layer) => layer.node === node);
          const radius = distances[at]!.spectral || RADIUS;
          const [h, g] = [tape.values[node.inputs[0]!]![0]!, tape.values[node.output]![0]!];
          let share = 0;
          for (let i = 0; i < n; i++) {
            const norm = compute.norm2(cols, h.subarray(i * cols, (i + 1) * cols));
            share += adversarialFlips(g.slice(i * rows, (i + 1) * rows), norm, radius) / n;
          }
          const law = theory === null ? null : adversarialFlipLaw(radius);
          return beside("sign-changes-worst-case", share, law, STATEMENTS.adversary, place);
        });
        return [...changed, ...worst];
      },
    };
  },
};
