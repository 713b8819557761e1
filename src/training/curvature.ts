import type { SymmetricOperator } from "../compute/index.ts";
import type { RealArray, RealKernels } from "../compute/types.ts";
import { type BatchTape, type NetworkGraph, type ParameterRange, Tape } from "../network/deep/index.ts";
import type { TrainingData, TrainingSettings } from "./trainer.ts";

/** What a curvature operator is made for: a network, its data, and how many samples go through it together. */
export interface CurvatureSetup<A extends RealArray> {
  readonly graph: NetworkGraph;
  readonly kernels: RealKernels<A>;
  readonly allocate: (length: number) => A;
  readonly data: TrainingData;
  readonly reduction: TrainingSettings["reduction"];
  readonly samples: number;
  /** Running statistics of the network, if it has any; default: those of a fresh one. */
  readonly state?: RealArray;
  /** What passes are made with, two coefficients and room for `samples`; default: a {@link Tape} of its own. */
  readonly tape?: BatchTape<A>;
}

/**
 * The Hessian (`hessian`) or the Gauss-Newton part J' L'' J of it (`gauss-newton`, positive semidefinite for convex losses) of
 * the training objective at `theta`, which is read at each product: exact, by a forward and a backward pass on power
 * series (Pearlmutter, Neural Computation 1994), in the precision of the kernels. Normalization by batches uses its
 * running statistics.
 */
export function curvatureOperator<A extends RealArray>(
  kind: "hessian" | "gauss-newton",
  { graph, kernels, allocate, data, reduction, samples, state, tape: given }: CurvatureSetup<A>,
  theta: A,
): SymmetricOperator {
  const tape = given ?? new Tape({ graph, kernels, allocate, samples: Math.min(samples, data.n), orders: 2 });
  if (state !== undefined) tape.state.set(state);
  const factor = reduction === "mean" ? 1 / data.n : 1;
  const size = graph.sizes[0]!;
  const [direction, product] = [allocate(graph.parameters), allocate(graph.parameters)];
  // All that does not depend on the direction is kept from product to product, where all samples fit onto the tape.
  const isKept = data.n <= tape.samples && graph.architecture !== null;
  const kept = isKept ? theta.slice() : theta;
  let known = 0;
  return {
    size: graph.parameters,
    apply(x, out) {
      direction.set(x.subarray(0, graph.parameters));
      product.fill(0);
      if (isKept && !theta.every((value, k) => value === kept[k])) {
        kept.set(theta);
        known = 0;
      }
      for (let from = 0; from < data.n; from += tape.samples) {
        const n = Math.min(tape.samples, data.n - from);
        const rows = Uint32Array.from({ length: n }, (_, i) => from + i);
        if (known === 0) tape.input[0]!.set(data.inputs.subarray(from * size, (from + n) * size));
        tape.forward(n, [theta, direction], 2, known);
        const [value, slope] = [tape.outputAdjoint[0]!, tape.outputAdjoint[1]!];
        if (kind === "hessian") {
          if (known === 0) data.loss.evaluate(rows, tape.output[0]!, value, factor);
          data.loss.curvature(rows, tape.output[0]!, tape.output[1]!, slope, factor);
          tape.backward(n, [theta, direction], [null, product], 1, 2, known);
        } else {
          data.loss.curvature(rows, tape.output[0]!, tape.output[1]!, value, factor);
          tape.backward(n, [theta], [product], 1, 1);
        }
      }
      if (isKept) known = 1;
      out.set(product);
    },
  };
}

/** {@link curvatureOperator} on the trained parameters alone, in their order; the others do not move. */
export function trainedCurvature<A extends RealArray>(
  kind: "hessian" | "gauss-newton",
  setup: CurvatureSetup<A>,
  theta: A,
  trained: readonly ParameterRange[],
): SymmetricOperator {
  const whole = curvatureOperator(kind, setup, theta);
  const [direction, product] = [new Float64Array(whole.size), new Float64Array(whole.size)];
  const move = (from: Float64Array, to: Float64Array, isGathered: boolean): void => {
    let at = 0;
    for (const range of trained) {
      for (let k = range.from; k < range.from + range.count; k++, at++) {
        if (isGathered) to[at] = from[k];
        else to[k] = from[at];
      }
    }
  };
  return {
    size: trained.reduce((sum, { count }) => sum + count, 0),
    apply(x, out) {
      move(x, direction, false);
      whole.apply(direction, product);
      move(product, out, true);
    },
  };
}
