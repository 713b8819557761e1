import { expect, it } from "vitest";
import { createCompute } from "../../src/compute/index.ts";
import { readOnnxDense, writeDeepOnnx } from "../../src/formats/index.ts";
import { architectureText, parseArchitecture } from "../../src/network/architecture/index.ts";
import { initialize, networkGraph, Tape } from "../../src/network/deep/index.ts";

it("readOnnxDense reads chains of dense layers: the same outputs, layers and activations", async () => {
  const text = "dense(5, b=0.3) relu dense(4, w=1.2) leaky-relu(0.2) dense(3, b=1) tanh dense(2)";
  const graph = networkGraph(parseArchitecture(text), [4]);
  const theta = new Float64Array(graph.parameters);
  initialize(graph, 3, theta);
  const bytes = writeDeepOnnx(
    {
      architecture: parseArchitecture(text),
      input: [4],
      form: { kind: "network" },
      parameters: [theta],
      state: new Float64Array(0),
      inputs: { kind: "arrays" },
      target: { name: "y", task: "regression", classes: null, link: null, scale: null } as never,
    },
    { precision: "float64" },
  );
  const read = readOnnxDense(bytes, "chain.onnx", 4);
  expect(architectureText(read.architecture)).toMatch(
    /^dense\(5.*relu dense\(4.*leaky-relu\(0\.2\d*\) dense\(3.*tanh dense\(2/,
  );
  const compute = await createCompute({ backend: "js" });
  const outputs = compute.scope((scope) => {
    const run = (of: typeof graph, values: Float64Array): number[] => {
      const tape = new Tape({ graph: of, kernels: compute, allocate: (length) => scope.f64(length), samples: 2 });
      tape.input[0]!.set([1, -2, 0.5, 3, 0, 1, -1, 2]);
      tape.forward(2, [scope.copy(values)]);
      return [...tape.output[0]!];
    };
    return [run(graph, theta), run(networkGraph(read.architecture, [4]), read.theta)];
  });
  await compute.close();
  outputs[0]!.forEach((value, k) => {
    expect(outputs[1]![k]).toBeCloseTo(value, 6);
  });
  expect(() => readOnnxDense(bytes, "chain.onnx", 3)).toThrow("is not a chain of dense layers");
  expect(() => readOnnxDense(new Uint8Array([1, 2]), "chain.onnx", 3)).toThrow("chain.onnx");
});
