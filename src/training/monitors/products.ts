import { randomStream } from "../../base/random.ts";
import type { RealArray } from "../../compute/types.ts";
import { type NetworkGraph, Tape } from "../../network/deep/index.ts";
import type { Measurement } from "../monitor.ts";
import { COSTLY, type MonitorKind } from "./kind.ts";
import type { Observation } from "./observation.ts";
import { beside, STATEMENTS } from "./theory.ts";

/** Samples whose products are looked at, and steps of the power iteration. */
const SAMPLES = 8;
const STEPS = 20;

/**
 * The part of a network from one of its values to another as a network of its own, on the same parameters; null where
 * something passes by the first value (inside a residual block).
 */
export function partOf(graph: NetworkGraph, from: number, to: number): NetworkGraph | null {
  const nodes = graph.nodes.filter(({ output }) => output > from && output <= to);
  if (nodes.some(({ inputs }) => inputs.some((value) => value < from))) return null;
  const sizes = graph.sizes.slice(from, to + 1);
  return {
    ...graph,
    input: [sizes[0]!],
    output: [sizes.at(-1)!],
    nodes: nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map((value) => value - from),
      output: node.output - from,
    })),
    sizes,
    outputValue: to - from,
  };
}

/**
 * Spectral norms of the Jacobian of one value by another at each of `samples` samples, by power iteration through
 * forward and backward products (from below).
 */
function jacobianNorms<A extends RealArray>(
  { compute, graph, theta, trainer }: Observation<A>,
  values: Tape<Float64Array>,
  from: number,
  to: number,
  samples: number,
): number[] | null {
  const part = partOf(graph, from, to);
  if (part === null) return null;
  return compute.scope((scope) => {
    const tape = new Tape({
      graph: part,
      kernels: compute,
      allocate: (length) => scope.f64(length),
      samples,
      orders: 2,
      backward: "inputs",
      trained: () => false,
    });
    tape.state.set(trainer.model.state);
    const [inputs, outputs] = [part.sizes[0]!, part.sizes.at(-1)!];
    tape.input[0]!.set(values.values[from]![0]!.subarray(0, samples * inputs));
    const direction = tape.input[1]!;
    const { normal } = randomStream(0, "operator norms");
    for (let k = 0; k < direction.length; k++) direction[k] = normal();
    const normalize = (): void => {
      for (let i = 0; i < samples; i++) {
        const row = direction.subarray(i * inputs, (i + 1) * inputs);
        const norm = compute.norm2(inputs, row);
        if (norm > 0) for (let k = 0; k < inputs; k++) row[k] /= norm;
      }
    };
    normalize();
    for (let step = 0; ; step++) {
      tape.forward(samples, [theta]);
      const image = tape.output[1]!;
      if (step === STEPS) {
        return Array.from({ length: samples }, (_, i) =>
          compute.norm2(outputs, image.subarray(i * outputs, (i + 1) * outputs)),
        );
      }
      tape.outputAdjoint[0]!.set(image);
      tape.backward(samples, [theta], null, 1, 1);
      direction.set(tape.inputAdjoint[0]!);
      normalize();
    }
  });
}

/** Operator norms of the products of weights and activation patterns behind each trained layer. */
export const productsMonitor: MonitorKind = {
  name: "products",
  about: "operator norms of forward and backward products from each trained layer on",
  share: COSTLY,
  make(observation) {
    observation.tape(1);
    const { graph, layers, theory } = observation;
    const samples = Math.min(SAMPLES, observation.n);
    const last = layers.at(-1);
    return {
      work: {
        passes: observation.n + layers.length * 10 * STEPS * samples,
        touches: 2,
        fixed: layers.length * STEPS * 80_000,
      },
      cost: `${STEPS} steps of power iteration on ${samples} samples for each of ${layers.length} layers, twice`,
      observe() {
        observation.refresh();
        const values = observation.forward();
        return layers.flatMap(({ node, place }): Measurement[] => {
          const from = node.inputs[0]!;
          const forward = jacobianNorms(observation, values, from, last!.node.output, samples);
          const backward = jacobianNorms(observation, values, from, graph.outputValue, samples);
          if (forward === null || backward === null) return [];
          const { forwardProduct, backwardProduct } = STATEMENTS;
          const [root, scaled] =
            theory === null ? [null, null] : [Math.sqrt(theory.depth), Math.sqrt(theory.width / theory.outputs)];
          return [
            beside("forward-product", Math.max(...forward), root, forwardProduct, place),
            beside("backward-product", Math.max(...backward), scaled, backwardProduct, place),
          ];
        });
      },
    };
  },
};
