import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Matrix, matrix } from "../../../src/base/matrix.ts";
import { isActive, type Pattern, patternOf } from "../../../src/convex/patterns/pattern.ts";
import {
  arrangementCells,
  cellCount,
  decomposeOnCone,
  fitPooled,
  gatedToRelu,
  pruneNetwork,
} from "../../../src/convex/theory/index.ts";
import { forward, pathNorm, type TwoLayerNetwork } from "../../../src/network/index.ts";
import { draws, gaussian, integers, randomNetwork, rows, useCompute } from "../problems.ts";
import { f64, golden } from "./golden.ts";

const compute = useCompute();
const seeds = fc.integer({ min: 0, max: 1e6 });

describe("minimal-width representatives (Theorems 1 and 3: m* <= n + 1)", () => {
  test("pruneNetwork: at most n c neurons, the same outputs, no larger path norm", () => {
    fc.assert(
      fc.property(seeds, fc.constantFrom("penalized" as const, "free" as const), (seed, biases) => {
        const s = draws("prune", seed);
        const [n, d, m, c] = [1 + s.integer(6), 1 + s.integer(4), s.integer(40), 1 + s.integer(2)];
        const X = rows(seed % 2 ? gaussian(s, n, d) : integers(s, n, d));
        const draw = (k: number): Float64Array => f64(Array.from({ length: k }, () => s.normal()));
        const network: TwoLayerNetwork = {
          ...randomNetwork(s, d, m, "output"),
          W: matrix(m, c, draw(m * c)),
          c0: draw(c),
        };
        const thin = pruneNetwork(network, X, biases);
        expect(thin.U.rows).toBeLessThanOrEqual(n * c);
        expect(pathNorm(thin, biases)).toBeLessThanOrEqual(pathNorm(network, biases) * (1 + 1e-12));
        const wide = forward(network, X).data;
        const size = wide.reduce((most, t) => Math.max(most, Math.abs(t)), 1);
        forward(thin, X).data.forEach((f, k) => {
          expect(Math.abs(f - wide[k])).toBeLessThanOrEqual(1e-9 * size);
        });
      }),
    );
  });

  test("pruneNetwork: an optimal network stays optimal, with as few neurons", () => {
    const s = draws("optimal");
    const X = rows(gaussian(s, 6, 2));
    const y = f64(Array.from({ length: 6 }, () => s.normal()));
    const { network, objective } = fitPooled({ patches: [X], y, beta: 0.05, bias: "none" }, { compute: compute() });
    // Split every neuron into three: the same function, the same path norm, thrice the width.
    const tripled = [1, 2, 3].flatMap(() => [...network.U.data]);
    const wide: TwoLayerNetwork = {
      ...network,
      U: matrix(3 * network.U.rows, 2, f64(tripled)),
      b: new Float64Array(3 * network.U.rows),
      W: matrix(3 * network.U.rows, 1, f64([1, 2, 3].flatMap((t) => [...network.W.data].map((w) => (w * t) / 6)))),
    };
    const thin = pruneNetwork(wide, X, "penalized");
    expect(thin.U.rows).toBeLessThanOrEqual(network.U.rows);
    const f = forward(thin, X).data;
    const value = f.reduce((sum, t, i) => sum + (t - y[i]) ** 2 / 2, 0) + 0.05 * pathNorm(thin, "penalized");
    expect(value).toBeCloseTo(objective, 9);
  });

  test("pruneNetwork refuses gated networks and wrong shapes", () => {
    const network = randomNetwork(draws("gated"), 2, 3, "none");
    const gated: TwoLayerNetwork = { ...network, activation: "gated", gates: { G: network.U, h: network.b } };
    expect(() => pruneNetwork(gated, rows([[1, 2]]), "penalized")).toThrow(/ReLU/);
    expect(() => pruneNetwork(network, rows([[1]]), "penalized")).toThrow(/2 inputs, X 1/);
  });
});

/** Smallest slack of v in the cone of a pattern. */
function slack(X: Matrix, pattern: Pattern, v: Float64Array): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < X.rows; i++) {
    let z = 0;
    for (let k = 0; k < X.cols; k++) z += X.data[i * X.cols + k] * v[k];
    least = Math.min(least, isActive(pattern, i) ? z : -z);
  }
  return least;
}

const timesRows = (X: Matrix, g: Float64Array): Float64Array =>
  f64(Array.from({ length: X.rows }, (_, i) => g.reduce((sum, t, k) => sum + t * X.data[i * X.cols + k], 0)));

describe("cone decomposition u = v - w (9.2, 9.3)", () => {
  test("A10: decomposeOnCone of d = 10, n = 5, c = 3, 100 gates has no constraint gap, and v - w = u", () => {
    const s = draws("A10", 778);
    const X = rows(gaussian(s, 5, 10));
    for (let gate = 0; gate < 100; gate++) {
      const g = f64(Array.from({ length: 10 }, () => s.normal()));
      const pattern = patternOf(timesRows(X, g));
      for (let output = 0; output < 3; output++) {
        const u = f64(Array.from({ length: 10 }, () => s.normal()));
        for (const norm of ["least-squares", "least-norm"] as const) {
          const parts = decomposeOnCone(X, pattern, u, norm);
          expect(parts).not.toBeNull();
          if (parts === null) continue;
          expect(slack(X, pattern, parts.v)).toBeGreaterThanOrEqual(0);
          expect(slack(X, pattern, parts.w)).toBeGreaterThanOrEqual(0);
          u.forEach((t, k) => {
            expect(parts.v[k] - parts.w[k]).toBeCloseTo(t, 13);
          });
        }
      }
    }
  });

  test("decomposeOnCone: each norm is the least of both, and no feasible pair is shorter", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const s = draws("cone", seed);
        const [n, d] = [1 + s.integer(8), 2 + s.integer(3)];
        const X = rows(gaussian(s, n, d));
        const g = f64(Array.from({ length: d }, () => s.normal()));
        const pattern = patternOf(timesRows(X, g));
        const u = f64(Array.from({ length: d }, () => s.normal()));
        const squares = decomposeOnCone(X, pattern, u, "least-squares");
        const norms = decomposeOnCone(X, pattern, u, "least-norm");
        if (squares === null || norms === null) throw new Error("a cone with interior splits every u");
        const lengths = (parts: { v: Float64Array; w: Float64Array }) => [
          Math.hypot(...parts.v),
          Math.hypot(...parts.w),
        ];
        const [a, b] = lengths(squares);
        const [p, q] = lengths(norms);
        expect(p + q).toBeLessThanOrEqual((a + b) * (1 + 1e-12));
        expect(a * a + b * b).toBeLessThanOrEqual((p * p + q * q) * (1 + 1e-9));
        // Any other t with (2D - I) X t >= |X u|: add points of the cone.
        for (let k = 0; k < 20; k++) {
          const step = f64(Array.from({ length: d }, (_, c) => 0.05 * (s.normal() + g[c])));
          const v = norms.v.map((t, c) => t + step[c]);
          const w = norms.w.map((t, c) => t + step[c]);
          if (Math.min(slack(X, pattern, v), slack(X, pattern, w)) < 0) continue;
          expect(Math.hypot(...v) + Math.hypot(...w)).toBeGreaterThanOrEqual((p + q) * (1 - 1e-7));
        }
        // u in the cone stays whole.
        const whole = decomposeOnCone(X, pattern, g, "least-norm");
        expect(Math.hypot(...(whole?.w ?? [1]))).toBe(0);
      }),
    );
  });

  test("decomposeOnCone: null for a singular gate", () => {
    // Rows 1 and -1, both active: the cone is {0}.
    expect(decomposeOnCone(rows([[1], [-1]]), patternOf([1, 1]), f64([1]), "least-squares")).toBeNull();
    expect(() => decomposeOnCone(rows([[1]]), patternOf([1]), f64([1, 2]), "least-norm")).toThrow(/1 columns, u 2/);
  });

  test("gatedToRelu: the same outputs on the data, at the price of a larger norm", () => {
    const s = draws("gated to relu");
    const X = rows(gaussian(s, 8, 4));
    const m = 6;
    const c = 3;
    const draw = (k: number): Float64Array => f64(Array.from({ length: k }, () => s.normal()));
    const gated: TwoLayerNetwork = {
      kind: "two-layer",
      activation: "gated",
      U: matrix(m, 4, draw(4 * m)),
      b: new Float64Array(m),
      W: matrix(m, c, draw(m * c)),
      c0: draw(c),
      gates: { G: matrix(m, 4, draw(4 * m)), h: new Float64Array(m) },
    };
    const want = forward(gated, X).data;
    for (const norm of ["least-squares", "least-norm"] as const) {
      const relu = gatedToRelu(gated, X, norm);
      expect(relu.activation).toBe("relu");
      forward(relu, X).data.forEach((f, k) => {
        expect(f).toBeCloseTo(want[k], 9);
      });
      expect(pathNorm(relu, "penalized")).toBeGreaterThan(pathNorm(gated, "penalized"));
    }
    expect(() => gatedToRelu({ ...gated, b: draw(m) }, X, "least-norm")).toThrow(/column of ones/);
    expect(() => gatedToRelu(randomNetwork(s, 4, 2, "none"), X, "least-norm")).toThrow(/not gated/);
  });
});

describe("hyperplane arrangements (6.1)", () => {
  test.each(golden.named.arrangements.map((g) => [`${g.X.length} x ${g.X[0].length}`, g] as const))(
    "A7: arrangementCells finds exactly the patterns, cellCount bounds their number: %s",
    (_name, { X, cells, formula, patterns }) => {
      const found = arrangementCells(rows(X));
      const strings = found.map(({ pattern }) => X.map((_, i) => (isActive(pattern, i) ? "1" : "0")).join(""));
      expect(strings).toHaveLength(cells);
      expect(strings.sort()).toEqual([...patterns].sort());
      expect(cellCount(X.length, X[0].length)).toBe(formula);
    },
  );

  test("cellCount: all 2^n patterns for n <= r, the printed upper bound, refusals", () => {
    for (let n = 1; n < 12; n++) expect(cellCount(n, n + 3)).toBe(2 ** n);
    for (const [n, r] of [
      [20, 3],
      [100, 5],
      [1000, 8],
    ]) {
      expect(cellCount(n, r)).toBeLessThanOrEqual(2 * r * ((Math.E * (n - 1)) / r) ** r);
    }
    expect(() => cellCount(0, 1)).toThrow(/n >= 1/);
  });

  test("arrangementCells above rank 3: general position meets the formula; each cell's point is inside it", () => {
    for (const [n, d] of [
      [7, 4],
      [6, 5],
      [8, 4],
    ]) {
      const data = gaussian(draws("cells", n), n, d);
      const X = rows(data);
      const found = arrangementCells(X);
      expect(found).toHaveLength(cellCount(n, d));
      for (const { pattern, u } of found) expect(slack(X, pattern, u)).toBeGreaterThan(0);
    }
    // A flat in a larger space: the rank counts, not the number of columns.
    const flat = gaussian(draws("flat"), 9, 2).map(([a, b]) => [a, b, a + b, a - b, 2 * a]);
    expect(arrangementCells(rows(flat))).toHaveLength(cellCount(9, 2));
    expect(
      arrangementCells(
        rows([
          [0, 0],
          [0, 0],
        ]),
      ),
    ).toHaveLength(1);
    expect(() => arrangementCells(rows(gaussian(draws("many"), 8, 4)), 10)).toThrow(/more than 10/);
  });
});
