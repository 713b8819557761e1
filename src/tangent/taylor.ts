import type { RealArray } from "../compute/types.ts";
import { type Model, type ModelOptions, type NetworkGraph, Tape, trainedRanges } from "../network/deep/index.ts";

/**
 * The Taylor polynomial of a network in its parameters around `center`, as a model of its own: parameters are the
 * displacement w, and f(center + w) = sum over j <= degree of D^j f(center)[w, ..., w] / j!. Degree 1 is the linearized
 * network (its kernel is the empirical tangent kernel, and does not move), degree 2 the quadratic one.
 *
 * The terms are the coefficients of t in f(center + t w), and the gradient in w is the sum of the first `degree`
 * coefficients of the gradient of f along that line. Piecewise linear activations contribute no derivatives beyond the
 * first: where all of them are, the quadratic model has only the products between different layers.
 *
 * @throws RangeError for a degree that is not a positive integer, or a center of the wrong length.
 */
export function taylorModel<A extends RealArray>(
  graph: NetworkGraph,
  center: A,
  degree: number,
  options: ModelOptions<A>,
): Model<A> {
  if (!Number.isInteger(degree) || degree < 1) throw new RangeError(`degree must be a positive integer, got ${degree}`);
  if (center.length !== graph.parameters) {
    throw new RangeError(`a center of ${center.length} parameters for a network of ${graph.parameters}`);
  }
  const tape = new Tape({ ...options, graph, orders: degree + 1 });
  const outputs = graph.sizes[graph.outputValue]!;
  const output = options.allocate(options.samples * outputs);
  // Coefficients of the gradient: all must be summed, so all are made and one is kept.
  const gradients = Array.from({ length: degree }, () => options.allocate(graph.parameters));
  const outputAdjoint = options.allocate(options.samples * outputs);
  return {
    inputSize: graph.sizes[0]!,
    outputs,
    parameters: graph.parameters,
    trained: trainedRanges(graph, options.trained),
    samples: options.samples,
    input: tape.input[0]!,
    output,
    outputAdjoint,
    state: tape.state,
    get training() {
      return tape.training;
    },
    set training(value) {
      tape.training = value;
    },
    initialize: (_, w) => {
      w.fill(0);
    },
    forward(n, w) {
      tape.forward(n, [center, w]);
      output.fill(0, 0, n * outputs);
      for (const term of tape.output) options.kernels.axpy(n * outputs, 1, term, output);
    },
    backward(n, w, gradient, scale) {
      tape.outputAdjoint.forEach((plane, k) => {
        if (k === 0) plane.set(outputAdjoint.subarray(0, n * outputs));
        else plane.fill(0, 0, n * outputs);
      });
      for (const part of gradients) part.fill(0);
      tape.backward(n, [center, w], gradients, scale, degree);
      for (const part of gradients) options.kernels.axpy(graph.parameters, 1, part, gradient);
    },
  };
}
