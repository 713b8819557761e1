import type { RealArray, RealKernels } from "../../compute/types.ts";
import type { GraphNode, NetworkGraph } from "./graph.ts";
import { initialize } from "./initialize.ts";
import type { BatchTape } from "./lanes.ts";
import { Tape } from "./tape.ts";

/** Parameters from <= k < from + count. */
export interface ParameterRange {
  readonly from: number;
  readonly count: number;
}

/**
 * A function of inputs and parameters that can be trained: a network, its Taylor polynomial around some parameters, or a
 * difference of two networks. Write inputs, call `forward`, read outputs; write their cotangent, call `backward`.
 */
export interface Model<A extends RealArray> {
  /** Numbers of a sample, of its outputs, and of all parameters. */
  readonly inputSize: number;
  readonly outputs: number;
  readonly parameters: number;
  /** The parameters that are trained; gradients of others stay as they are. */
  readonly trained: readonly ParameterRange[];
  /** Samples that there is room for. */
  readonly samples: number;
  /** samples x inputSize and samples x outputs. */
  readonly input: A;
  readonly output: A;
  readonly outputAdjoint: A;
  /** Numbers that change in training without being trained (running statistics); often none. */
  readonly state: A;
  /** True while training: see {@link Tape.training}. */
  training: boolean;
  /** Writes parameters to start from. */
  initialize(seed: number, theta: A): void;
  /** Outputs of the first n samples. */
  forward(n: number, theta: A): void;
  /** gradient += scale J' outputAdjoint, after {@link forward}; gradient may be theta itself. */
  backward(n: number, theta: A, gradient: A, scale: number): void;
}

/** What a model is made with. */
export interface ModelOptions<A extends RealArray> {
  readonly kernels: RealKernels<A>;
  /** Zeros in the memory of the kernels. */
  readonly allocate: (length: number) => A;
  readonly samples: number;
  /** Whether the parameters of a node are trained; default: all. */
  readonly trained?: (node: GraphNode) => boolean;
  /** What passes are made with, with room for `samples` and for `trained`; default: a {@link Tape} of its own. */
  readonly tape?: BatchTape<A>;
}

/** The parameters of trained nodes, neighbours joined. */
export function trainedRanges(
  graph: NetworkGraph,
  trained: (node: GraphNode) => boolean = () => true,
): ParameterRange[] {
  const ranges: ParameterRange[] = [];
  for (const node of graph.nodes) {
    const { from, count } = node.parameters;
    if (count === 0 || !trained(node)) continue;
    const last = ranges.at(-1);
    if (last !== undefined && last.from + last.count === from) {
      ranges[ranges.length - 1] = { from: last.from, count: last.count + count };
    } else ranges.push({ from, count });
  }
  return ranges;
}

/** A network as it is. */
export function networkModel<A extends RealArray>(graph: NetworkGraph, options: ModelOptions<A>): Model<A> {
  const tape = options.tape ?? new Tape({ ...options, graph, orders: 1 });
  return {
    inputSize: graph.sizes[0]!,
    outputs: graph.sizes[graph.outputValue]!,
    parameters: graph.parameters,
    trained: trainedRanges(graph, options.trained),
    samples: options.samples,
    input: tape.input[0]!,
    output: tape.output[0]!,
    outputAdjoint: tape.outputAdjoint[0]!,
    state: tape.state,
    get training() {
      return tape.training;
    },
    set training(value) {
      tape.training = value;
    },
    initialize: (seed, theta) => initialize(graph, seed, theta),
    forward: (n, theta) => tape.forward(n, [theta]),
    backward: (n, theta, gradient, scale) => tape.backward(n, [theta], [gradient], scale),
  };
}

/**
 * (f(a) - f(b)) / sqrt(2) with two sets of parameters that start equal, so that the model starts at zero and its tangent
 * kernel is that of f (the doubling trick; Chizat, Oyallon and Bach, arXiv:1812.07956).
 */
export function symmetricModel<A extends RealArray>(graph: NetworkGraph, options: ModelOptions<A>): Model<A> {
  const [plus, minus] = [networkModel(graph, options), networkModel(graph, options)];
  const { parameters: half, outputs } = plus;
  const output = options.allocate(plus.output.length);
  const outputAdjoint = options.allocate(output.length);
  const state = options.allocate(2 * plus.state.length);
  const parts = (theta: A): [A, A] => [theta.subarray(0, half) as A, theta.subarray(half, 2 * half) as A];
  const copyState = (to: "models" | "here"): void => {
    const cut = plus.state.length;
    if (to === "here") {
      state.set(plus.state, 0);
      state.set(minus.state, cut);
    } else {
      plus.state.set(state.subarray(0, cut));
      minus.state.set(state.subarray(cut));
    }
  };
  return {
    inputSize: plus.inputSize,
    outputs,
    parameters: 2 * half,
    trained: [...plus.trained, ...plus.trained.map(({ from, count }) => ({ from: half + from, count }))],
    samples: options.samples,
    input: plus.input,
    output,
    outputAdjoint,
    state,
    get training() {
      return plus.training;
    },
    set training(value) {
      plus.training = value;
      minus.training = value;
    },
    initialize(seed, theta) {
      const [a, b] = parts(theta);
      initialize(graph, seed, a);
      b.set(a);
    },
    forward(n, theta) {
      const [a, b] = parts(theta);
      copyState("models");
      minus.input.set(plus.input.subarray(0, n * plus.inputSize));
      plus.forward(n, a);
      minus.forward(n, b);
      copyState("here");
      for (let k = 0; k < n * outputs; k++) output[k] = (plus.output[k] - minus.output[k]) * Math.SQRT1_2;
    },
    backward(n, theta, gradient, scale) {
      const [a, b] = parts(theta);
      const [intoA, intoB] = parts(gradient);
      for (let k = 0; k < n * outputs; k++) {
        plus.outputAdjoint[k] = outputAdjoint[k];
        minus.outputAdjoint[k] = outputAdjoint[k];
      }
      plus.backward(n, a, intoA, scale * Math.SQRT1_2);
      minus.backward(n, b, intoB, -scale * Math.SQRT1_2);
    },
  };
}
