import type { Array as JaxArray } from "@jax-js/jax";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomStream } from "../../../src/base/random.ts";
import { type Compute, createCompute } from "../../../src/compute/index.ts";
import {
  type Architecture,
  type ConvLayer,
  type Layer,
  type PoolLayer,
  parseArchitecture,
  type Shape,
} from "../../../src/network/architecture/index.ts";
import { initialize, networkGraph, Tape } from "../../../src/network/deep/index.ts";

/** An independent library in f64; its erf has seven digits only, so that erf, gelu and sigmoid-like are left to other tests. */
let jax: typeof import("@jax-js/jax");
let compute: Compute;
beforeAll(async () => {
  // Node 20 lacks what the library names when it is loaded; no number here is in half precision.
  (globalThis as { Float16Array?: unknown }).Float16Array ??= class extends Uint16Array {};
  jax = await import("@jax-js/jax");
  await jax.init("cpu");
  jax.defaultDevice("cpu");
  compute = await createCompute();
});
afterAll(() => compute.close());

const NETWORKS: readonly (readonly [name: string, text: string, input: Shape])[] = [
  ["fully connected", "dense(6, b=0.5) tanh dense(5, w=1.3, b=0.1) relu dense(3, b=0.2)", [4]],
  [
    "standard parametrization",
    "dense(6, b=0.5, parametrization=standard) relu dense(3, b=1, parametrization=standard)",
    [4],
  ],
  [
    "convolutional",
    "conv(3, 3, b=0.3) relu maxpool(2) conv(4, 2x3, s=2, pad=valid, b=0.1) tanh flatten dense(3, b=0.1)",
    [8, 9, 2],
  ],
  [
    "residual",
    "conv(4, 3) [relu conv(4, 3, b=0.1) relu conv(4, 3)]x2 [relu conv(5, 3, s=2) | conv(5, 1, s=2)] gap dense(3)",
    [6, 5, 2],
  ],
  ["pooling", "conv(3, 3) avgpool(2, s=1, pad=same) tanh sumpool(3, s=2, pad=same) conv(2, 1) gsp dense(2)", [5, 6, 1]],
  [
    "normalized",
    "conv(3, 3) batchnorm tanh conv(4, 3) layernorm relu conv(2, 3) layernorm(all) flatten dense(3) batchnorm",
    [4, 4, 2],
  ],
  [
    "smooth",
    "dense(5) sin(1.5, 0.7, 0.2) dense(5) softplus dense(4) cos(0.5, 2, 1) dense(3) exp(0.5, 0.3) dense(2)",
    [3],
  ],
  [
    "bells",
    "dense(5) gaussian(1.2, -0.4) dense(4) rbf(0.4) dense(4) polynomial(0.1, 1, -0.3, 0.2) dense(2) hermite(3)",
    [3],
  ],
  [
    "kinks",
    "dense(6) abs dense(5) leaky-relu(0.1) dense(5) abrelu(0.3, 0.8) dense(4) rectified-monomial(2) dense(2) monomial(3)",
    [3],
  ],
];
const SAMPLES = 4;

/** Arrays of the library are used up by every call; `ref` keeps them for one more. */
type Numbers = JaxArray;

const arrayOf = (data: ArrayLike<number>, shape: readonly number[]): Numbers =>
  jax.numpy.array(Float64Array.from(data), { shape: [...shape], dtype: jax.numpy.float64 });

/** Zeros around the rows and columns of images so that windows of a layer fit. */
function padding(layer: ConvLayer | PoolLayer, shape: readonly number[]): [number, number][] {
  const window = layer.kind === "conv" ? layer.filter : layer.window;
  return [0, 1].map((axis) => {
    if (layer.padding === "valid") return [0, 0];
    const [size, stride] = [shape[axis + 1]!, layer.strides[axis]!];
    const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + window[axis]! - size);
    return [Math.floor(total / 2), total - Math.floor(total / 2)];
  });
}

function power(x: Numbers, degree: number): Numbers {
  return degree === 1 ? x : x.ref.mul(power(x, degree - 1));
}

function activation(layer: Layer & { kind: "activation" }, x: Numbers): Numbers {
  const np = jax.numpy;
  const { a = 1, b = 1, c = 0, alpha = 0, gamma = 1, degree = 2 } = layer.parameters as Record<string, number>;
  const slopes = (left: number, right: number): Numbers =>
    np.maximum(x.ref, 0).mul(right).add(np.minimum(x, 0).mul(left));
  const wave = (size: number, rate: number, phase: number): Numbers => np.sin(x.mul(rate).add(phase)).mul(size);
  switch (layer.name) {
    case "relu":
      return np.maximum(x, 0);
    case "leaky-relu":
      return slopes(alpha, 1);
    case "abrelu":
      return slopes(a, b);
    case "abs":
      return np.abs(x);
    case "tanh":
      return np.tanh(x);
    case "softplus":
      return np.log(np.exp(x).add(1));
    case "sin":
      return wave(a, b, c);
    case "cos":
      return np.cos(x.mul(b).add(c)).mul(a);
    case "rbf":
      return wave(Math.SQRT2, Math.sqrt(2 * gamma), Math.PI / 4);
    case "exp":
      return np.exp(x.mul(b)).mul(a);
    case "gaussian":
      return np.exp(power(x, 2).mul(b)).mul(a);
    case "monomial":
      return power(x, degree);
    case "rectified-monomial":
      return power(np.maximum(x, 0), degree);
    case "hermite":
      // He_3 / sqrt(6)
      return power(x.ref, 3)
        .sub(x.mul(3))
        .mul(1 / Math.sqrt(6));
    case "polynomial": {
      const [first = 0, ...rest] = layer.parameters.coef as readonly number[];
      return rest
        .map((coefficient, k) => power(x.ref, k + 1).mul(coefficient))
        .reduce((sum, term) => sum.add(term))
        .add(first);
    }
    default:
      throw new Error(`no ${layer.name} here`);
  }
}

function standardized(x: Numbers, axes: number[], epsilon: number): Numbers {
  const np = jax.numpy;
  const centered = x.ref.sub(np.mean(x, axes, { keepdims: true }));
  const variance = np.mean(power(centered.ref, 2), axes, { keepdims: true });
  return centered.div(np.sqrt(variance.add(epsilon)));
}

/** What layers make of samples x ... x features, with parameters taken from the front of `parameters`. */
function apply(layers: Architecture, parameters: Numbers[], x: Numbers): Numbers {
  return layers.reduce((value, layer) => applyLayer(layer, parameters, value), x);
}

function applyLayer(layer: Layer, parameters: Numbers[], x: Numbers): Numbers {
  const np = jax.numpy;
  const { shape } = x;
  const features = shape.at(-1)!;
  const all = shape.map((_, k) => k);
  switch (layer.kind) {
    case "dense":
    case "conv": {
      const taps = layer.kind === "conv" ? layer.filter[0] * layer.filter[1] : 1;
      const [w, b] = layer.parametrization === "ntk" ? [layer.wStd / Math.sqrt(taps * features), layer.bStd] : [1, 1];
      const weight = parameters.shift()!;
      let y: Numbers;
      if (layer.kind === "dense") y = np.matmul(x, np.transpose(weight));
      else {
        const filter = np.transpose(weight.reshape([layer.width, ...layer.filter, features]), [0, 3, 1, 2]);
        const image = np.transpose(x, [0, 3, 1, 2]);
        const made = jax.lax.convGeneralDilated(image, filter, [...layer.strides], padding(layer, shape));
        y = np.transpose(made, [0, 2, 3, 1]);
      }
      return layer.bStd > 0 ? y.mul(w).add(parameters.shift()!.mul(b)) : y.mul(w);
    }
    case "activation":
      return activation(layer, x);
    case "pool": {
      const padded = np.pad(x, [[0, 0], ...padding(layer, shape), [0, 0]]);
      const window = [1, ...layer.window, 1];
      const reduce = { max: np.max, sum: np.sum, average: np.mean }[layer.how];
      return jax.lax.reduceWindow(padded, (part: Numbers) => reduce(part), window, [1, ...layer.strides, 1]);
    }
    case "global-pool":
      return layer.how === "average" ? np.mean(x, [1, 2]) : np.sum(x, [1, 2]);
    case "flatten":
      return x.reshape([shape[0]!, shape.slice(1).reduce((product, size) => product * size, 1)]);
    case "layer-norm":
      return standardized(x, layer.over === "all" ? all.slice(1) : all.slice(-1), 1e-12);
    case "batch-norm": {
      const [gain, shift] = [parameters.shift()!, parameters.shift()!];
      return standardized(x, all.slice(0, -1), 1e-5).mul(gain).add(shift);
    }
    case "residual": {
      const main = apply(layer.main, parameters, x.ref);
      return main.add(apply(layer.shortcut, parameters, x));
    }
  }
}

function expectClose(got: ArrayLike<number>, want: ArrayLike<number>): void {
  const size = Math.max(...Array.from(want, Math.abs));
  expect(got.length).toBe(want.length);
  for (let k = 0; k < want.length; k++) expect(Math.abs(got[k]! - want[k]!) / size).toBeLessThan(1e-10);
}

describe.each(NETWORKS)("Tape beside jax-js: %s", (_, text, input) => {
  it("outputs, gradients by parameters and inputs, directional derivatives and Hessian-vector products agree to 1e-10", async () => {
    const architecture = parseArchitecture(text);
    const graph = networkGraph(architecture, input);
    const { normal } = randomStream(11, text);
    const theta = new Float64Array(graph.parameters);
    initialize(graph, 5, theta);
    // Gains and shifts start at 1 and 0: too simple.
    for (let k = 0; k < theta.length; k++) theta[k] = theta[k]! + 0.1 * normal();
    const direction = theta.map(normal);
    const x = Float64Array.from({ length: SAMPLES * graph.sizes[0]! }, normal);
    const u = Float64Array.from({ length: SAMPLES * graph.sizes[graph.outputValue]! }, normal);

    // 1. Ours.
    const ours = compute.scope((scope) => {
      const tape = new Tape({
        graph,
        kernels: compute,
        allocate: (length) => scope.f64(length),
        samples: SAMPLES,
        orders: 2,
        backward: "inputs",
      });
      tape.training = true;
      tape.input[0]!.set(x);
      const line = [scope.copy(theta), scope.copy(direction)];
      const gradient = [scope.f64(graph.parameters), scope.f64(graph.parameters)];
      tape.forward(SAMPLES, line);
      tape.outputAdjoint[0]!.set(u);
      tape.backward(SAMPLES, line, gradient);
      return [...tape.output, ...gradient, ...tape.inputAdjoint].map((array) => array.slice());
    });

    // 2. Theirs.
    const blocks = graph.nodes.flatMap(({ operation }) => operation.parameters);
    const cut = (array: Float64Array): Numbers[] => {
      let from = 0;
      return blocks.map(({ shape }) => {
        const count = shape.reduce((product, size) => product * size, 1);
        from += count;
        return arrayOf(array.subarray(from - count, from), shape);
      });
    };
    const inputShape = [SAMPLES, ...input];
    const outputs = (parameters: Numbers[]): Numbers =>
      apply(architecture, parameters.slice(1), parameters[0]!).reshape([u.length]);
    const gradient = jax.grad((parameters: Numbers[]) =>
      outputs(parameters)
        .mul(arrayOf(u, [u.length]))
        .sum(),
    );
    const at = (): Numbers[] => [arrayOf(x, inputShape), ...cut(theta)];
    const along = (): Numbers[] => [arrayOf(new Float64Array(x.length), inputShape), ...cut(direction)];
    const [y, dy] = jax.jvp(outputs, [at()], [along()]);
    const [g, dg] = jax.jvp(gradient, [at()], [along()]);
    const numbers = async (arrays: readonly Numbers[]): Promise<Float64Array> => {
      const parts = await Promise.all(arrays.map((array) => array.data()));
      return Float64Array.from(parts.flatMap((part: ArrayLike<number>) => Array.from(part)));
    };
    const theirs = [[y], [dy], g.slice(1), dg.slice(1), g.slice(0, 1), dg.slice(0, 1)];
    for (const [k, arrays] of theirs.entries()) expectClose(ours[k]!, await numbers(arrays as Numbers[]));
  });
});
