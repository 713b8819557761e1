import type { SymmetricOperator } from "../compute/index.ts";
import type { Kernels } from "../compute/types.ts";
import { type NetworkGraph, Tape } from "../network/deep/index.ts";
import type { TrainingData, TrainingSettings } from "./trainer.ts";

/** What a curvature operator is made for: a network in double precision, its data, and samples that go through it together. */
export interface CurvatureSetup {
  readonly graph: NetworkGraph;
  readonly kernels: Kernels;
  readonly allocate: (length: number) => Float64Array;
  readonly data: TrainingData;
  readonly reduction: TrainingSettings["reduction"];
  readonly samples: number;
}

/**
 * The Hessian (`hessian`) or the Gauss-Newton part J' L'' J of it (`gauss-newton`, positive semidefinite for convex losses) of
 * the training objective at `theta`, which is read at each product: exact, by a forward and a backward pass on power
 * series (Pearlmutter, Neural Computation 1994). Normalization by batches uses its running statistics.
 */
export function curvatureOperator(
  kind: "hessian" | "gauss-newton",
  { graph, kernels, allocate, data, reduction, samples }: CurvatureSetup,
  theta: Float64Array,
): SymmetricOperator {
  const tape = new Tape({ graph, kernels, allocate, samples, orders: 2 });
  const factor = reduction === "mean" ? 1 / data.n : 1;
  const size = graph.sizes[0]!;
  const other = allocate(graph.parameters);
  return {
    size: graph.parameters,
    apply(direction, out) {
      out.fill(0, 0, graph.parameters);
      for (let from = 0; from < data.n; from += samples) {
        const n = Math.min(samples, data.n - from);
        const rows = Uint32Array.from({ length: n }, (_, i) => from + i);
        tape.input[0]!.set(data.inputs.subarray(from * size, (from + n) * size));
        tape.forward(n, [theta, direction]);
        const [value, slope] = [tape.outputAdjoint[0]!, tape.outputAdjoint[1]!];
        if (kind === "hessian") {
          data.loss.evaluate(rows, tape.output[0]!, value, factor);
          data.loss.curvature(rows, tape.output[0]!, tape.output[1]!, slope, factor);
          tape.backward(n, [theta, direction], [other, out]);
        } else {
          data.loss.curvature(rows, tape.output[0]!, tape.output[1]!, value, factor);
          tape.backward(n, [theta], [out], 1, 1);
        }
      }
    },
  };
}
