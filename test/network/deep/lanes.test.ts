import { afterAll, expect, it } from "vitest";
import { type Compute, createCompute } from "../../../src/compute/index.ts";
import { parseArchitecture, type Shape } from "../../../src/network/architecture/index.ts";
import { initialize, NetworkLanes, networkGraph, Tape } from "../../../src/network/deep/index.ts";
import { uniform } from "../../compute/backends.ts";

const CONVOLUTIONAL =
  "conv(16, 3, b=0.1) tanh maxpool(2) [conv(16, 3, b=0.1) gelu conv(16, 3)] avgpool(2) flatten dense(5)";
const INPUT: Shape = [20, 20, 2];

let compute: Compute;
let lanes: NetworkLanes;
async function open(): Promise<void> {
  compute ??= await createCompute({ threads: 2 });
  lanes ??= new NetworkLanes(compute);
}
afterAll(async () => {
  lanes?.close();
  await compute?.close();
});

it("NetworkLanes give the outputs and gradients of one tape, coefficient by coefficient, for any part of a batch", async () => {
  await open();
  const graph = networkGraph(parseArchitecture(CONVOLUTIONAL), INPUT);
  const trained = (node: (typeof graph.nodes)[number]): boolean => node.place !== "1";
  const samples = 33;
  const parallel = lanes.tape<Float64Array>({ graph, precision: "f64", samples, orders: 2, trained });
  expect(parallel, "built threads (npm run build) and enough work").not.toBeNull();
  compute.scope((scope) => {
    const allocate = (length: number): Float64Array => scope.f64(length);
    const single = new Tape({ graph, kernels: compute, allocate, samples, orders: 2, trained });
    const theta = [allocate(graph.parameters), allocate(graph.parameters)];
    initialize(graph, 3, theta[0]!);
    theta[1]!.set(uniform("direction", graph.parameters));
    for (const n of [33, 17, 1, 0]) {
      for (const orders of [1, 2]) {
        const results = [single, parallel!].map((tape) => {
          tape.input[0]!.set(uniform("images", n * 800));
          tape.forward(n, theta.slice(0, orders), orders);
          const outputs = tape.output.slice(0, orders).map((array) => array.slice(0, n * 5));
          for (let k = 0; k < orders; k++) tape.outputAdjoint[k]!.set(uniform(`adjoint ${k}`, n * 5));
          const gradient = [0, 1].slice(0, orders).map((k) => allocate(graph.parameters).fill(k + 0.5));
          tape.backward(n, theta.slice(0, orders), gradient, -0.5, orders);
          return [...outputs, ...gradient];
        });
        for (const [k, array] of results[0]!.entries()) {
          const worst = array.reduce((most, value, i) => Math.max(most, Math.abs(value - results[1]![k]![i]!)), 0);
          expect(worst, `array ${k} of ${n} samples, ${orders} orders`).toBeLessThan(1e-11);
        }
      }
    }
  });
  expect(() => parallel!.forward(34, [compute.scope((scope) => scope.f64(graph.parameters))])).toThrow(/34 samples/);
});

it("NetworkLanes leave small networks, dense ones and batch statistics to one tape", async () => {
  await open();
  const tape = (text: string, input: Shape, samples: number): unknown =>
    lanes.tape<Float32Array>({ graph: networkGraph(parseArchitecture(text), input), precision: "f32", samples });
  expect(tape("dense(64) relu dense(1)", [2], 32)).toBeNull();
  expect(tape("dense(2048) relu dense(2048) relu dense(10)", [784], 128)).toBeNull();
  expect(tape(CONVOLUTIONAL.replace("tanh", "batchnorm tanh"), INPUT, 64)).toBeNull();
});

it("NetworkLanes leave what there is no memory for to one tape, and go on", async () => {
  await open();
  const graph = networkGraph(parseArchitecture("conv(64, 3) relu conv(64, 3) relu gap dense(1)"), [1000, 1000, 3]);
  expect(lanes.tape<Float64Array>({ graph, precision: "f64", samples: 64 })).toBeNull();
  const small = networkGraph(parseArchitecture(CONVOLUTIONAL), INPUT);
  expect(lanes.tape<Float32Array>({ graph: small, precision: "f32", samples: 64 })).not.toBeNull();
});
