import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matrix } from "../../src/base/matrix.ts";
import { checkShapes, forward, type TwoLayerNetwork } from "../../src/network/index.ts";
import { networks, reluNetwork } from "./networks.ts";

/** f(x) as the definition reads, by array methods. */
function naive({ activation, U, b, W, c0, gates }: TwoLayerNetwork, x: readonly number[]): number[] {
  const affine = (A: Float64Array, s: Float64Array, j: number): number =>
    x.reduce((sum, value, k) => sum + value * A[j * x.length + k], s[j]);
  const activations = Array.from(b, (_, j) => {
    const z = affine(U.data, b, j);
    if (activation === "relu") return Math.max(0, z);
    return gates !== null && affine(gates.G.data, gates.h, j) > 0 ? z : 0;
  });
  return Array.from(c0, (bias, q) => activations.reduce((sum, a, j) => sum + a * W.data[j * W.cols + q], bias));
}

describe("forward", () => {
  test("forward equals the definition, row by row", () => {
    const cases = networks().chain((network) => {
      const value = fc.double({ min: -3, max: 3, noNaN: true });
      const point = fc.array(value, { minLength: network.U.cols, maxLength: network.U.cols });
      return fc.tuple(fc.constant(network), fc.array(point, { maxLength: 4 }));
    });
    fc.assert(
      fc.property(cases, ([network, points]) => {
        const X = matrix(points.length, network.U.cols, Float64Array.from(points.flat()));
        const expected = points.flatMap((x) => naive(network, x));
        const got = forward(network, X).data;
        expect(got.length).toBe(expected.length);
        expected.forEach((value, k) => {
          expect(Math.abs(got[k] - value)).toBeLessThanOrEqual(1e-9);
        });
      }),
    );
  });

  test("forward of a network without neurons is its output bias", () => {
    expect([...forward(reluNetwork(2, [], [3, -1]), matrix(2, 2)).data]).toEqual([3, -1, 3, -1]);
  });

  test("forward keeps a gate closed at exactly zero", () => {
    const network: TwoLayerNetwork = {
      ...reluNetwork(1, [[2, 1, 1]], [0]),
      activation: "gated",
      gates: { G: matrix(1, 1, Float64Array.of(1)), h: Float64Array.of(0) },
    };
    expect([...forward(network, matrix(3, 1, Float64Array.of(-1, 0, 1))).data]).toEqual([0, 0, 3]);
  });

  test("forward refuses data of another width", () => {
    expect(() => forward(reluNetwork(2, [], [0]), matrix(1, 3))).toThrow(RangeError);
  });
});

describe("checkShapes", () => {
  const sound = reluNetwork(2, [[1, 2, 3, 4]], [5]);
  const gates = { G: matrix(1, 2), h: new Float64Array(1) };

  test("checkShapes accepts every network of the generator", () => {
    fc.assert(
      fc.property(networks(), (network) => {
        checkShapes(network);
      }),
    );
  });

  test.each<[string, TwoLayerNetwork]>([
    ["b", { ...sound, b: new Float64Array(2) }],
    ["W", { ...sound, W: matrix(2, 1) }],
    ["c0", { ...sound, c0: new Float64Array(2) }],
    ["U", { ...sound, U: { rows: 1, cols: 2, data: new Float64Array(3) } }],
    ["G", { ...sound, activation: "gated", gates: { ...gates, G: matrix(1, 3) } }],
    ["h", { ...sound, activation: "gated", gates: { ...gates, h: new Float64Array(2) } }],
  ])("checkShapes names %s when it does not fit", (name, network) => {
    expect(() => checkShapes(network)).toThrow(RangeError);
    expect(() => checkShapes(network)).toThrow(new RegExp(`^${name} must be`));
  });

  test("checkShapes refuses gates of a ReLU network and a gated network without", () => {
    expect(() => checkShapes({ ...sound, gates })).toThrow(TypeError);
    expect(() => checkShapes({ ...sound, activation: "gated" })).toThrow(TypeError);
  });
});
