import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { parseArchitecture, type Shape } from "../../src/network/architecture/index.ts";
import { initialize, networkGraph } from "../../src/network/deep/index.ts";
import { curvatureOperator, type Targets, trainingLoss } from "../../src/training/index.ts";
import { uniform } from "../compute/backends.ts";

const N = 7;
const NETWORKS: readonly (readonly [string, Shape])[] = [
  ["dense(5, b=0.2) tanh dense(4, b=0.1) gelu dense(3)", [3]],
  ["dense(5) relu [dense(5) erf dense(5)] layernorm dense(3)", [3]],
  ["conv(4, 3) softplus maxpool(2) [conv(4, 3) sigmoid-like] avgpool(2) flatten dense(3)", [8, 8, 2]],
  ["conv(12, 3) abs conv(12, 3) batchnorm tanh gap dense(3)", [8, 8, 12]],
];

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ threads: 1 });
});
afterAll(() => compute.close());

describe("curvatureOperator", () => {
  test.each(NETWORKS)("what it keeps from product to product changes nothing: %s", (text, input) => {
    const graph = networkGraph(parseArchitecture(text), input);
    const inputs = uniform("inputs", N * graph.sizes[0]!);
    const targets: Targets = { kind: "classes", classes: 3, labels: Uint32Array.from({ length: N }, (_, i) => i % 3) };
    const data = { n: N, inputs, loss: trainingLoss("cross-entropy", targets, 3) };
    compute.scope((scope) => {
      const theta = scope.f64(graph.parameters);
      initialize(graph, 5, theta);
      const setup = {
        graph,
        kernels: compute,
        allocate: (l: number) => scope.f64(l),
        data,
        reduction: "mean",
      } as const;
      for (const kind of ["hessian", "gauss-newton"] as const) {
        const kept = curvatureOperator(kind, { ...setup, samples: N }, theta);
        const product = (operator: typeof kept, name: string): Float64Array => {
          const [x, out] = [scope.copy(uniform(name, graph.parameters)), scope.f64(graph.parameters)];
          operator.apply(x, out);
          return out;
        };
        // Batches that do not fit together are done anew each time.
        const anew = (): typeof kept => curvatureOperator(kind, { ...setup, samples: 4 }, theta);
        for (const name of ["a", "b", "a"]) {
          const [ours, theirs] = [product(kept, name), product(anew(), name)];
          for (let k = 0; k < ours.length; k++) expect(Math.abs(ours[k]! - theirs[k]!)).toBeLessThan(1e-12);
        }
        // Parameters that move are noticed, whichever they are.
        for (const k of [0, graph.parameters - 1]) {
          theta[k]! += 0.25;
          const [ours, theirs] = [product(kept, "c"), product(anew(), "c")];
          const worst = ours.reduce((most, value, i) => Math.max(most, Math.abs(value - theirs[i]!)), 0);
          expect(worst).toBeLessThan(1e-12);
        }
      }
    });
  });
});
