import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Matrix, matrix, row } from "../../src/base/matrix.ts";
import { balance, forward, pathNorm, penalty, type TwoLayerNetwork } from "../../src/network/index.ts";
import { hiddenBiases, networks, reluNetwork } from "./networks.ts";

const norm = (values: Iterable<number>): number => Math.hypot(...values);

/** Points on which every neuron's sign is the same for any positive multiple of its weights. */
const pointsFor = (d: number): fc.Arbitrary<Matrix> =>
  fc
    .array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 3 * d, maxLength: 3 * d })
    .map((values) => matrix(3, d, Float64Array.from(values)));

/**
 * Sum over the neurons of |w_j| (|u_j| |x| + |b_j|) at the worst point: rounding errors of f are a small multiple of
 * its unit roundoff. A sum of products that cancels may change sign under rescaling, which costs no more than that.
 */
function magnitude({ U, b, W, c0 }: TwoLayerNetwork, X: Matrix): number {
  const size = Math.max(...Array.from({ length: X.rows }, (_, i) => norm(row(X, i))));
  return Array.from(b, (bias, j) => norm(row(W, j)) * (norm(row(U, j)) * size + Math.abs(bias))).reduce(
    (sum, term) => sum + term,
    norm(c0),
  );
}

const withPoints = fc
  .tuple(networks(), hiddenBiases)
  .chain(([network, biases]) => fc.tuple(fc.constant(network), fc.constant(biases), pointsFor(network.U.cols)));

describe("balance", () => {
  test("balance leaves the function unchanged", () => {
    fc.assert(
      fc.property(withPoints, ([network, biases, X]) => {
        const before = forward(network, X).data;
        const after = forward(balance(network, biases), X).data;
        const tolerance = 1e-13 * magnitude(network, X);
        before.forEach((value, k) => {
          expect(Math.abs(after[k] - value)).toBeLessThanOrEqual(tolerance);
        });
      }),
      { numRuns: 500 },
    );
  });

  test("balance makes both norms of every neuron equal and drops the rest", () => {
    fc.assert(
      fc.property(networks({ activation: "relu" }), hiddenBiases, (network, biases) => {
        const { U, b, W } = balance(network, biases);
        for (let j = 0; j < U.rows; j++) {
          const hidden = norm(biases === "penalized" ? [...row(U, j), b[j]] : row(U, j));
          expect(hidden).toBeGreaterThan(0);
          expect(Math.abs(hidden / norm(row(W, j)) - 1)).toBeLessThan(1e-12);
        }
      }),
    );
  });

  test("balance is idempotent up to rounding and does not write into its argument", () => {
    fc.assert(
      fc.property(networks(), hiddenBiases, (network, biases) => {
        const copy = structuredClone(network);
        const once = balance(network, biases);
        expect(network).toEqual(copy);
        const twice = balance(once, biases);
        expect(twice.U.rows).toBe(once.U.rows);
        twice.U.data.forEach((value, k) => {
          expect(Math.abs(value - once.U.data[k])).toBeLessThanOrEqual(1e-12 * Math.abs(once.U.data[k]));
        });
      }),
    );
  });

  test("balance of (u, w) = (4, 1) is (2, 2)", () => {
    const { U, b, W } = balance(reluNetwork(1, [[4, 8, 1]], [0]), "free");
    expect([...U.data, ...b, ...W.data]).toEqual([2, 4, 2]);
  });

  test("balance counts a penalized bias in the norm", () => {
    const { U, b, W } = balance(reluNetwork(1, [[3, 4, 20]], [0]), "penalized");
    expect([...U.data, ...b, ...W.data]).toEqual([6, 8, 10]);
  });

  test("balance survives weights whose squares underflow or overflow", () => {
    const { U, W } = balance(reluNetwork(2, [[3e-200, 4e-200, 0, 5e200]], [0]), "free");
    expect(norm(U.data)).toBeCloseTo(5, 12);
    expect(W.data[0]).toBeCloseTo(5, 12);
  });

  test("balance moves a ReLU neuron that is a free constant into the output biases", () => {
    const balanced = balance(
      reluNetwork(
        1,
        [
          [0, 3, 2, -1],
          [0, -3, 2, 5],
        ],
        [1, 1],
      ),
      "free",
    );
    expect(balanced.U.rows).toBe(0);
    expect([...balanced.c0]).toEqual([7, -2]);
  });

  test("balance keeps a constant neuron whose bias is penalized", () => {
    const { b, W } = balance(reluNetwork(1, [[0, 8, 2]], [0]), "penalized");
    expect([...b, ...W.data]).toEqual([4, 4]);
  });

  test("balance drops the gates of the neurons it drops, and keeps a gated free step", () => {
    const neurons = [
      [0, 0, 1],
      [4, 0, 1],
      [0, 3, 2],
      [1, 1, 0],
    ];
    const network: TwoLayerNetwork = {
      ...reluNetwork(1, neurons, [0]),
      activation: "gated",
      gates: { G: matrix(4, 1, Float64Array.of(10, 11, 12, 13)), h: Float64Array.of(20, 21, 22, 23) },
    };
    const { U, b, W, gates } = balance(network, "free");
    expect([...(gates?.G.data ?? [])]).toEqual([11, 12]);
    expect([...(gates?.h ?? [])]).toEqual([21, 22]);
    expect([...U.data, ...b, ...W.data]).toEqual([2, 0, 0, 3, 2, 2]);
  });
});

describe("penalty and pathNorm", () => {
  test("penalty is half the sum of squares, pathNorm the sum of products", () => {
    const network = reluNetwork(
      2,
      [
        [3, 4, 12, 2],
        [0, 1, 0, -3],
      ],
      [100],
    );
    expect(penalty(network, "free")).toBeCloseTo((25 + 4 + 1 + 9) / 2, 12);
    expect(penalty(network, "penalized")).toBeCloseTo((169 + 4 + 1 + 9) / 2, 12);
    expect(pathNorm(network, "free")).toBeCloseTo(5 * 2 + 1 * 3, 12);
    expect(pathNorm(network, "penalized")).toBeCloseTo(13 * 2 + 1 * 3, 12);
  });

  test("penalty is at least pathNorm, with equality after balance (Ergen and Pilanci, Lemma 1)", () => {
    fc.assert(
      fc.property(networks(), hiddenBiases, (network, biases) => {
        const path = pathNorm(network, biases);
        expect(penalty(network, biases)).toBeGreaterThanOrEqual(path * (1 - 1e-14));
        const balanced = balance(network, biases);
        expect(Math.abs(pathNorm(balanced, biases) - path)).toBeLessThanOrEqual(1e-12 * path);
        // A gated step along a free bias is kept unbalanced: its path norm is zero, its penalty is not.
        const steps = balanced.U.rows > 0 && Array.from(balanced.b, (_, j) => norm(row(balanced.U, j))).includes(0);
        if (biases === "free" && balanced.activation === "gated" && steps) return;
        expect(Math.abs(penalty(balanced, biases) - path)).toBeLessThanOrEqual(1e-12 * path);
      }),
      { numRuns: 500 },
    );
  });
});
