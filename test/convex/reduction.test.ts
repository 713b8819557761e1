import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BiasForm } from "../../src/convex/index.ts";
import { networkObjective } from "../../src/convex/index.ts";
import { coreObjective, predictions, programContext, type Unit } from "../../src/convex/programs/context.ts";
import { rowSpaceBasis } from "../../src/convex/rank.ts";
import { type CoreNeuron, reduce } from "../../src/convex/reduction.ts";
import { forward } from "../../src/network/index.ts";
import { draws, gaussian, integers, naiveObjective, problem, randomNetwork, rows, targets } from "./problems.ts";

const settings = fc.record({
  loss: fc.constantFrom("squared" as const, "logistic" as const),
  scaling: fc.constantFrom("sum" as const, "mean" as const),
  bias: fc.constantFrom<BiasForm>("none", "column", "output"),
  seed: fc.nat(1e6),
  n: fc.integer({ min: 1, max: 7 }),
  d: fc.integer({ min: 1, max: 5 }),
  data: fc.constantFrom("gaussian", "integers", "deficient"),
});

function dataOf(kind: string, seed: number, n: number, d: number): number[][] {
  const stream = draws("reduction", seed);
  if (kind === "integers") return integers(stream, n, d);
  if (kind === "gaussian") return gaussian(stream, n, d);
  // Rank at most 2, so that coordinates are rotated away.
  const basis = gaussian(stream, 2, d);
  return gaussian(stream, n, 2).map(([s, t]) => basis[0].map((x, k) => s * x + t * basis[1][k]));
}

/** Objective of core neurons, in core scaling, by the context that the solvers use. */
function coreValue(task: ReturnType<typeof problem>, neurons: readonly CoreNeuron[], c0: number): number {
  const core = reduce(task);
  const context = programContext(core, task, false);
  const units = neurons.map(({ a, b, sign }, j): Unit => {
    const whole = core.freeBias ? Float64Array.of(...a, b) : a;
    return { key: `${j}`, pattern: new Uint32Array(1), sign, a: whole, gate: null };
  });
  return coreObjective(context, units, predictions(context, units, c0)) * core.unscale;
}

describe("reduce", () => {
  test("reduce keeps the objective: core value = networkObjective = the weight-decay form, in every setting", () => {
    fc.assert(
      fc.property(settings, ({ loss, scaling, bias, seed, n, d, data }) => {
        const stream = draws("core network", seed);
        const task = problem(dataOf(data, seed, n, d), targets(stream, n, loss), 0.3, { loss, scaling, bias });
        const core = reduce(task);
        const neurons = Array.from({ length: 3 }, (_, j): CoreNeuron => {
          const a = Float64Array.from({ length: core.Z.cols }, () => stream.normal());
          return { a, b: core.freeBias ? stream.normal() : 0, sign: j % 2 === 0 ? 1 : -1 };
        });
        if (core.Z.cols === 0) return;
        const c0 = core.freeBias ? stream.normal() : 0;
        const network = core.toNetwork(neurons, c0, null);
        const value = coreValue(task, neurons, c0);
        expect(Math.abs(networkObjective(task, network) - value)).toBeLessThanOrEqual(1e-11 * (1 + value));
        // Balanced, so weight decay adds nothing to the path norm.
        expect(Math.abs(naiveObjective(task, network) - value)).toBeLessThanOrEqual(1e-11 * (1 + value));

        const back = core.fromNetwork(network);
        expect(back.c0).toBeCloseTo(c0, 12);
        back.neurons.forEach(({ a, b, sign }, j) => {
          expect(sign).toBe(neurons[j].sign);
          expect(b).toBeCloseTo(neurons[j].b, 10);
          a.forEach((t, k) => {
            expect(t).toBeCloseTo(neurons[j].a[k], 10);
          });
        });
      }),
      { numRuns: 150, seed: 1 },
    );
  });

  test("fromNetwork then toNetwork keeps the function on the data, and never raises the objective", () => {
    fc.assert(
      fc.property(settings, ({ loss, scaling, bias, seed, n, d, data }) => {
        const stream = draws("round trip", seed);
        const task = problem(dataOf(data, seed, n, d), targets(stream, n, loss), 0.3, { loss, scaling, bias });
        const core = reduce(task);
        if (core.Z.cols === 0) return;
        const network = randomNetwork(stream, d, 4, bias);
        const { neurons, c0 } = core.fromNetwork(network);
        const again = core.toNetwork(neurons, c0, null);
        forward(again, task.X).data.forEach((f, i) => {
          expect(f).toBeCloseTo(forward(network, task.X).data[i], 9);
        });
        // Weights outside the row space are paid for and do nothing: they are gone.
        const before = networkObjective(task, network);
        expect(networkObjective(task, again)).toBeLessThanOrEqual(before * (1 + 1e-11));
      }),
      { numRuns: 150, seed: 2 },
    );
  });

  test("reduce lowers the dimension to the rank and only rescales full-rank data", () => {
    const wide = reduce(problem(gaussian(draws("wide"), 3, 6), [1, -1, 1], 0.1));
    expect([wide.Z.rows, wide.Z.cols]).toEqual([3, 3]);
    const task = problem(gaussian(draws("tall"), 6, 3), [1, -1, 1, -1, 1, -1], 0.1);
    // Division by a power of two is exact, and brings the longest row to about unit length.
    const { Z, scale } = reduce(task);
    expect(Number.isInteger(Math.log2(scale))).toBe(true);
    expect([...Z.data]).toEqual([...task.X.data].map((t) => t / scale));
    const longest = Math.max(...Array.from({ length: 6 }, (_, i) => Math.hypot(...Z.data.subarray(3 * i, 3 * i + 3))));
    expect(longest).toBeGreaterThan(0.5);
    expect(longest).toBeLessThan(2);
    // A constant column: dependent on the column of ones, and removed by centering when biases are free.
    const constant = [
      [5, 1],
      [5, 2],
      [5, 4],
    ];
    expect(reduce(problem(constant, [1, 2, 3], 1, { bias: "column" })).Z.cols).toBe(2);
    expect(reduce(problem(constant, [1, 2, 3], 1, { bias: "output" })).Z.cols).toBe(1);
    expect(reduce(problem(constant, [1, 2, 3], 1)).Z.cols).toBe(2);
  });

  test("reduce keeps inner products of rows when it rotates", () => {
    const X = dataOf("deficient", 5, 6, 5);
    const { Z, scale } = reduce(problem(X, new Array(6).fill(1), 1));
    expect(Z.cols).toBe(2);
    for (let i = 0; i < 6; i++) {
      for (let j = 0; j < 6; j++) {
        const original = X[i].reduce((sum, t, k) => sum + t * X[j][k], 0);
        const rotated = Z.data[2 * i] * Z.data[2 * j] + Z.data[2 * i + 1] * Z.data[2 * j + 1];
        expect(rotated * scale ** 2).toBeCloseTo(original, 12);
      }
    }
  });

  test("fromNetwork refuses a network of another shape", () => {
    const core = reduce(problem([[1, 2]], [1], 1));
    expect(() => core.fromNetwork(randomNetwork(draws("shape"), 3, 2, "none"))).toThrow(RangeError);
  });
});

describe("rowSpaceBasis", () => {
  test("rowSpaceBasis is orthonormal, spans the rows, and has the rank that the data were built with", () => {
    for (let seed = 0; seed < 40; seed++) {
      const stream = draws("basis", seed);
      const rank = seed % 5;
      const d = 1 + (seed % 7);
      const n = 1 + (seed % 9);
      const factors = gaussian(stream, n, rank);
      const span = gaussian(stream, rank, d);
      const X = factors.map((row) =>
        Array.from({ length: d }, (_, k) => row.reduce((sum, t, q) => sum + t * span[q][k], 0)),
      );
      const basis = rowSpaceBasis(rows(X, d));
      expect(basis.rows).toBe(d);
      expect(basis.cols).toBe(Math.min(rank, d, n));
      const column = (q: number): number[] => Array.from({ length: d }, (_, k) => basis.data[k * basis.cols + q]);
      for (let q = 0; q < basis.cols; q++) {
        for (let p = 0; p <= q; p++) {
          const product = column(q).reduce((sum, t, k) => sum + t * column(p)[k], 0);
          expect(product).toBeCloseTo(p === q ? 1 : 0, 13);
        }
      }
      for (const x of X) {
        const inside = Array.from({ length: basis.cols }, (_, q) => column(q).reduce((sum, t, k) => sum + t * x[k], 0));
        expect(Math.hypot(...inside)).toBeCloseTo(Math.hypot(...x), 9);
      }
    }
  });
});
