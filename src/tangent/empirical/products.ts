import type { Matrix } from "../../base/matrix.ts";
import type { RealArray } from "../../compute/types.ts";
import type { GraphNode } from "../../network/deep/index.ts";
import type { KernelSize } from "./costs.ts";
import { type Loaded, tapeOf } from "./factors.ts";

/**
 * Column by column J1 (J2' e): the gradient of one output of one sample, and the derivative of all rows' outputs along it.
 * Of a symmetric kernel, entries at and below the diagonal block of each sample.
 */
export function productColumns<A extends RealArray>(
  loaded: Loaded<A>,
  nodes: readonly GraphNode[],
  X1: Matrix,
  X2: Matrix,
  { symmetric, outputs, full }: KernelSize,
  batch: number,
  out: Float64Array,
): void {
  const { compute, arithmetic, graph, theta } = loaded;
  const stride = full ? X2.rows * outputs : X2.rows;
  compute.scope((scope) => {
    const back = tapeOf(loaded, scope, 1, { nodes });
    const forth = tapeOf(loaded, scope, batch, { orders: 2, nodes: [] });
    const gradient = arithmetic.array(scope, graph.parameters);
    for (let j = 0; j < X2.rows; j++) {
      back.input[0]!.set(X2.data.subarray(j * X2.cols, (j + 1) * X2.cols));
      back.forward(1, [theta]);
      for (let o = 0; o < outputs; o++) {
        back.outputAdjoint[0]!.fill(0);
        back.outputAdjoint[0]![o] = 1;
        gradient.fill(0);
        back.backward(1, [theta], [gradient]);
        for (let from = symmetric ? j : 0; from < X1.rows; from += batch) {
          const n = Math.min(batch, X1.rows - from);
          forth.input[0]!.set(X1.data.subarray(from * X1.cols, (from + n) * X1.cols));
          forth.forward(n, [theta, gradient]);
          const derivative = forth.output[1]!;
          for (let i = 0; i < n; i++) {
            if (!full) {
              out[(from + i) * stride + j] += derivative[i * outputs + o];
              continue;
            }
            const column = j * outputs + o;
            for (let q = 0; q < outputs; q++) {
              out[((from + i) * outputs + q) * stride + column] = derivative[i * outputs + q];
            }
          }
        }
      }
    }
  });
}
