import fc from "fast-check";
import { matrix } from "../../src/base/matrix.ts";
import type { HiddenBiases, TwoLayerNetwork } from "../../src/network/index.ts";

export interface NetworkOptions {
  readonly activation?: TwoLayerNetwork["activation"];
  readonly c?: number;
  readonly d?: number;
  readonly weights?: fc.Arbitrary<number>;
}

/** Zero now and then; never so small that products of two lose digits to gradual underflow. */
const defaultWeights = fc
  .oneof(fc.double({ min: -10, max: 10, noNaN: true }), fc.constant(0))
  .map((value) => (Math.abs(value) < 1e-100 ? 0 : value));

/** Networks of a few neurons, with zero weights (and so dead neurons) often among them. */
export function networks(options: NetworkOptions = {}): fc.Arbitrary<TwoLayerNetwork> {
  const weights = options.weights ?? defaultWeights;
  const floats = (length: number) =>
    fc.array(weights, { minLength: length, maxLength: length }).map((values) => Float64Array.from(values));
  return fc
    .record({
      m: fc.integer({ min: 0, max: 5 }),
      d: options.d === undefined ? fc.integer({ min: 1, max: 4 }) : fc.constant(options.d),
      c: options.c === undefined ? fc.integer({ min: 1, max: 3 }) : fc.constant(options.c),
      activation:
        options.activation === undefined ? fc.constantFrom("relu" as const, "gated") : fc.constant(options.activation),
    })
    .chain(({ m, d, c, activation }) =>
      fc.record({
        kind: fc.constant("two-layer" as const),
        activation: fc.constant(activation),
        U: floats(m * d).map((data) => matrix(m, d, data)),
        b: floats(m),
        W: floats(m * c).map((data) => matrix(m, c, data)),
        c0: floats(c),
        gates:
          activation === "relu"
            ? fc.constant(null)
            : fc.record({ G: floats(m * d).map((data) => matrix(m, d, data)), h: floats(m) }),
      }),
    );
}

export const hiddenBiases = fc.constantFrom<HiddenBiases>("penalized", "free");

/** A network written out by hand: one row a neuron, `[...u, b, ...w]`. */
export function reluNetwork(
  d: number,
  neurons: readonly (readonly number[])[],
  c0: readonly number[],
): TwoLayerNetwork {
  const c = c0.length;
  return {
    kind: "two-layer",
    activation: "relu",
    U: matrix(neurons.length, d, Float64Array.from(neurons.flatMap((neuron) => neuron.slice(0, d)))),
    b: Float64Array.from(neurons, (neuron) => neuron[d] as number),
    W: matrix(neurons.length, c, Float64Array.from(neurons.flatMap((neuron) => neuron.slice(d + 1)))),
    c0: Float64Array.from(c0),
    gates: null,
  };
}
