import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomStream } from "../../../src/base/random.ts";
import { type Compute, createCompute, type Scope } from "../../../src/compute/index.ts";
import { parseArchitecture, type Shape } from "../../../src/network/architecture/index.ts";
import { initialize, type NetworkGraph, networkGraph, Tape } from "../../../src/network/deep/index.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ backend: "js" });
});
afterAll(() => compute.close());

/** Networks whose outputs depend smoothly on the parameters near a random point; all kinds of layers occur. */
const NETWORKS: readonly (readonly [text: string, input: Shape])[] = [
  ["dense(3)", [4]],
  ["dense(5, b=0.5) relu dense(3, b=0.2)", [4]],
  ["dense(5, b=0.5, parametrization=standard) tanh dense(2, parametrization=standard)", [4]],
  ["dense(4) gelu [dense(4, b=1) erf | dense(4)] softplus dense(2)", [3]],
  ["dense(4) [tanh dense(4)]x2 sin(1.5, 0.7, 0.2) dense(1)", [3]],
  ["dense(4) cos(0.5, 2, 1) dense(3) exp(0.5, 0.3) dense(1)", [2]],
  ["dense(4) rbf(0.4) dense(3) gaussian(1, -0.5) dense(2) sigmoid-like dense(1)", [2]],
  ["dense(4) hermite(3) dense(3) polynomial(0.1, 1, -0.3, 0.2) dense(2) monomial(3) dense(1)", [2]],
  ["dense(6) rectified-monomial(2) dense(4) abrelu(0.3, 0.8) dense(4) abs leaky-relu(0.1) dense(2)", [3]],
  ["dense(6) layernorm tanh dense(3)", [4]],
  ["conv(3, 3, b=0.3) tanh conv(2, 2x3, s=2, pad=valid) erf flatten dense(2)", [5, 6, 2]],
  ["conv(3, 3, pad=circular) tanh avgpool(2) [conv(3, 3) | conv(3, 1)] gap dense(2)", [6, 6, 1]],
  ["conv(3, 3, s=2) layernorm sumpool(2, s=1, pad=same) layernorm(all) gsp dense(2)", [5, 5, 2]],
  ["conv(2, 3) tanh maxpool(3, s=2, pad=same) conv(2, 1) erf flatten dense(2)", [4, 4, 1]],
  ["conv(3, 3) batchnorm relu dense(2) batchnorm tanh gap dense(1)", [4, 4, 2]],
];
const SAMPLES = 4;

interface Setting {
  readonly graph: NetworkGraph;
  readonly scope: Scope;
  readonly theta: Float64Array;
  readonly direction: Float64Array;
  readonly inputs: Float64Array;
  readonly normal: () => number;
}

function withNetwork(text: string, input: Shape, body: (setting: Setting) => void): void {
  const graph = networkGraph(parseArchitecture(text), input);
  const { normal } = randomStream(7, text);
  compute.scope((scope) => {
    const theta = scope.f64(graph.parameters);
    initialize(graph, 3, theta);
    const direction = scope.f64(graph.parameters).map(normal);
    const inputs = new Float64Array(SAMPLES * graph.sizes[0]!).map(normal);
    body({ graph, scope, theta, direction: scope.copy(direction), inputs, normal });
  });
}

function tapeOf(
  { graph, scope, inputs }: Setting,
  orders: number,
  backward: "parameters" | "inputs" = "inputs",
): Tape<Float64Array> {
  const tape = new Tape({
    graph,
    kernels: compute,
    allocate: (length) => scope.f64(length),
    samples: SAMPLES,
    orders,
    backward,
  });
  tape.training = true;
  tape.input[0]!.set(inputs);
  return tape;
}

/** The outputs at theta + t direction, by evaluation alone. */
function outputsAt(setting: Setting, tape: Tape<Float64Array>, t: number): Float64Array {
  const moved = setting.scope.f64(setting.theta.length);
  moved.set(setting.theta.map((value, k) => value + t * setting.direction[k]));
  tape.forward(SAMPLES, [moved], 1);
  return tape.output[0]!.slice();
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, k) => sum + value * b[k], 0);

function expectClose(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number): void {
  const size = Math.max(...Array.from(want, Math.abs), 1e-3);
  for (let k = 0; k < want.length; k++) expect(Math.abs(got[k]! - want[k]!) / size).toBeLessThan(tolerance);
}

describe.each(NETWORKS)("Tape on %s", (text, input) => {
  it("forward: coefficients of t, t^2 and t^3 are those of divided differences", () => {
    withNetwork(text, input, (setting) => {
      const tape = tapeOf(setting, 4);
      tape.forward(SAMPLES, [setting.theta, setting.direction]);
      const series = tape.output.map((plane) => plane.slice());
      // Interpolation at seven points: errors of t^7 and beyond, far below the tolerances at this step.
      const h = 2e-3;
      const [a, b, c, d, e, f, g] = [-3, -2, -1, 0, 1, 2, 3].map((k) => outputsAt(setting, tape, k * h)) as [
        Float64Array,
        Float64Array,
        Float64Array,
        Float64Array,
        Float64Array,
        Float64Array,
        Float64Array,
      ];
      const combine = (weights: readonly number[], power: number): Float64Array =>
        d.map((_, i) => [a, b, c, d, e, f, g].reduce((sum, at, k) => sum + weights[k]! * at[i], 0) / h ** power);
      expectClose(series[0]!, d, 1e-14);
      expectClose(series[1]!, combine([-1 / 60, 3 / 20, -3 / 4, 0, 3 / 4, -3 / 20, 1 / 60], 1), 1e-8);
      expectClose(
        series[2]!,
        combine(
          [1 / 90, -3 / 20, 3 / 2, -49 / 18, 3 / 2, -3 / 20, 1 / 90].map((w) => w / 2),
          2,
        ),
        1e-5,
      );
      expectClose(
        series[3]!,
        combine(
          [1 / 8, -1, 13 / 8, 0, -13 / 8, 1, -1 / 8].map((w) => w / 6),
          3,
        ),
        1e-2,
      );
    });
  });

  it("backward: adjoint of the directional derivative in parameters and inputs to 1e-12", () => {
    withNetwork(text, input, (setting) => {
      const { graph, theta, direction, normal, scope } = setting;
      const tape = tapeOf(setting, 2);
      const turn = new Float64Array(SAMPLES * graph.sizes[0]!).map(normal);
      tape.input[1]!.set(turn);
      tape.forward(SAMPLES, [theta, direction]);
      const u = tape.output[0]!.map(normal);
      const forward = dot(u, tape.output[1]!);
      tape.forward(SAMPLES, [theta], 1);
      tape.outputAdjoint[0]!.set(u);
      const gradient = scope.f64(graph.parameters);
      tape.backward(SAMPLES, [theta], [gradient], 1, 1);
      const back = dot(gradient, direction) + dot(tape.inputAdjoint[0]!, turn);
      const size = Math.sqrt(dot(gradient, gradient) * dot(direction, direction)) + Math.abs(forward);
      expect(Math.abs(forward - back) / size).toBeLessThan(1e-12);
    });
  });

  it("backward with two coefficients: the derivative of the gradient along a line", () => {
    withNetwork(text, input, (setting) => {
      const { graph, theta, direction, normal, scope } = setting;
      const tape = tapeOf(setting, 2);
      const u = tape.output[0]!.map(normal);
      const gradientAt = (t: number): Float64Array => {
        outputsAt(setting, tape, t);
        const moved = scope.f64(theta.length);
        moved.set(theta.map((value, k) => value + t * direction[k]));
        tape.outputAdjoint[0]!.set(u);
        const gradient = scope.f64(graph.parameters);
        tape.backward(SAMPLES, [moved], [gradient], 1, 1);
        return gradient;
      };
      const h = 1e-3;
      const [far, near, back, farBack] = [2, 1, -1, -2].map((k) => gradientAt(k * h));
      const difference = theta.map((_, k) => (8 * (near![k] - back![k]) - (far![k] - farBack![k])) / (12 * h));
      tape.forward(SAMPLES, [theta, direction]);
      tape.outputAdjoint[0]!.set(u);
      tape.outputAdjoint[1]!.fill(0);
      const gradient = [scope.f64(graph.parameters), scope.f64(graph.parameters)];
      tape.backward(SAMPLES, [theta, direction], gradient);
      expectClose(gradient[0]!, gradientAt(0), 1e-13);
      expectClose(gradient[1]!, difference, 1e-6);
    });
  });
});

describe("Tape", () => {
  it("backward into theta itself is a step of gradient descent", () => {
    withNetwork("dense(5, b=0.5) relu [dense(5) tanh] dense(3, b=0.2)", [4], (setting) => {
      const { graph, theta, scope, normal } = setting;
      const tape = tapeOf(setting, 1, "parameters");
      const u = tape.output[0]!.map(normal);
      const gradient = scope.f64(graph.parameters);
      const pass = (into: Float64Array, scale: number): void => {
        tape.forward(SAMPLES, [theta]);
        tape.outputAdjoint[0]!.set(u);
        tape.backward(SAMPLES, [theta], [into], scale);
      };
      pass(gradient, 1);
      const stepped = theta.map((value, k) => value - 0.1 * gradient[k]);
      pass(theta, -0.1);
      expectClose(theta, stepped, 1e-14);
    });
  });

  it("trained: leaves the gradient of other nodes alone", () => {
    withNetwork("dense(5) relu dense(5) relu dense(3)", [4], (setting) => {
      const { graph, theta, scope } = setting;
      const hidden = graph.nodes.filter(({ parameters }) => parameters.count > 0)[1]!;
      const tape = new Tape({
        graph,
        kernels: compute,
        allocate: (length) => scope.f64(length),
        samples: SAMPLES,
        trained: (node) => node === hidden,
      });
      tape.input[0]!.set(setting.inputs);
      tape.forward(SAMPLES, [theta]);
      tape.outputAdjoint[0]!.fill(1);
      const gradient = scope.f64(graph.parameters);
      tape.backward(SAMPLES, [theta], [gradient]);
      const { from, count } = hidden.parameters;
      expect(gradient.subarray(from, from + count).some((value) => value !== 0)).toBe(true);
      expect(gradient.subarray(0, from).every((value) => value === 0)).toBe(true);
      expect(gradient.subarray(from + count).every((value) => value === 0)).toBe(true);
    });
  });

  it.each(NETWORKS)("single precision agrees with double precision on %s", (text, input) => {
    withNetwork(text, input, (setting) => {
      const { graph, scope, theta } = setting;
      const exact = tapeOf(setting, 1);
      exact.forward(SAMPLES, [theta]);
      const single = scope.f32(graph.parameters);
      single.set(theta);
      const tape = new Tape({
        graph,
        kernels: compute.f32,
        allocate: (length) => scope.f32(length),
        samples: SAMPLES,
      });
      tape.training = true;
      tape.input[0]!.set(setting.inputs);
      tape.forward(SAMPLES, [single]);
      expectClose(tape.output[0]!, exact.output[0]!, 2e-5);
    });
  });

  it("refuses more samples than it has room for, and parameters of another network", () => {
    withNetwork("dense(3)", [4], (setting) => {
      const tape = tapeOf(setting, 1);
      expect(() => tape.forward(SAMPLES + 1, [setting.theta])).toThrow(RangeError);
      expect(() => tape.forward(1, [setting.theta], 2)).toThrow(RangeError);
      expect(() => tape.forward(1, [setting.scope.f64(3)])).toThrow(/3 parameters for a network of 12/);
    });
  });
});
