import type { GraphNode } from "../../network/deep/index.ts";
import type { Measurement } from "../monitor.ts";
import { adversarialFlipLaw, adversarialFlips } from "./flips.ts";
import { CHEAP, type MonitorKind, SPECTRAL_TOUCHES } from "./kind.ts";
import { beside, STATEMENTS } from "./theory.ts";

/** Activations with a kink at zero. */
const KINKED = ["relu", "leaky-relu", "abrelu", "abs", "sign", "rectified-monomial"];
/** Radii of the worst case, when the layer has not moved by itself. */
const RADIUS = 0.1;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** Signs of what goes into activations: how many have changed since the start, and how many could have. */
export const signsMonitor: MonitorKind = {
  name: "signs",
  about: "activation signs changed since the start, and the worst case for a change of weights as large",
  share: CHEAP,
  make(observation) {
    const tape = observation.tape(1);
    const { graph, n, theory, layers, compute } = observation;
    const nodes = graph.nodes.filter(({ operation }) => KINKED.includes(operation.name));
    const entries = ({ inputs }: GraphNode): number => n * graph.sizes[inputs[0]!]!;
    // A network that has seen no batch has no statistics yet: at the start it has those of these samples.
    tape.training = true;
    const before = observation.forwardAt([observation.initial], 1);
    tape.training = false;
    const signs = nodes.map((node) => {
      const x = before.values[node.inputs[0]!]![0]!;
      return Uint8Array.from({ length: entries(node) }, (_, k) => Number(x[k] > 0));
    });
    // The worst case has a closed form behind a layer that feeds an activation directly.
    const fed = layers.filter(
      ({ node }) => node.operation.rows === 1 && nodes.some((k) => k.inputs[0] === node.output),
    );
    return {
      // Numbers are compared one by one, and sorted for the worst case.
      work: {
        passes: n,
        touches: 1 + SPECTRAL_TOUCHES,
        fixed: 20_000 + 2 * sum(nodes.map(entries)) + 60 * n * sum(fed.map(({ rows }) => rows)),
      },
      cost: "one forward pass over the probed samples, a spectral norm for each layer",
      observe() {
        observation.refresh();
        const { distances, radius: omega } = observation;
        observation.forward();
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
