import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matrix } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import { boundVectorMaximum } from "../../src/convex/vector/bound.ts";
import { type VectorCore, vectorCore, vectorIterate } from "../../src/convex/vector/core.ts";
import { coverSphere } from "../../src/convex/vector/cover.ts";
import { softmaxLoss, squaredVectorLoss, vectorDualBound } from "../../src/convex/vector/losses.ts";
import { response, searchVectorDirections } from "../../src/convex/vector/oracle.ts";
import { scalarBounds } from "../../src/convex/vector/scalar-bound.ts";
import { smoothedObjective } from "../../src/convex/vector/smoothed.ts";
import { spectralBound } from "../../src/convex/vector/spectral.ts";
import { countingClock } from "./problems.ts";
import { exactOnCircle, gaussian, orthonormalRows, useKernels, vectorProblem } from "./vector-problems.ts";

const compute = useKernels();
const seeds = fc.integer({ min: 0, max: 1e6 });

/** Random rows with duplicates, opposites, zeros, integers and a wide range of lengths. */
function awkward(seed: number, n: number, d: number) {
  const stream = randomStream(seed, "rows");
  const X = gaussian(stream, n, d);
  for (let i = 0; i < n; i++) {
    const x = X.data.subarray(i * d, (i + 1) * d);
    const kind = stream.integer(8);
    if (kind === 0 && i > 0) x.set(X.data.subarray((i - 1) * d, i * d));
    if (kind === 1 && i > 0) for (let k = 0; k < d; k++) x[k] = -X.data[(i - 1) * d + k];
    if (kind === 2) x.fill(0);
    if (kind === 3) for (let k = 0; k < d; k++) x[k] = Math.round(x[k]);
    if (kind === 4) for (let k = 0; k < d; k++) x[k] *= 1e-5;
  }
  return { X, stream };
}

const bounds = (context: VectorCore, left: () => number) =>
  scalarBounds(context, { compute: compute(), seed: 0, now: countingClock(), left, stop: () => false }).bound;

describe("boundVectorMaximum", () => {
  it("is never below the exact maximum on the circle, and reaches it by a cover", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 4 }), (seed, n, c) => {
        const { X, stream } = awkward(seed, n, 2);
        const V = gaussian(stream, n, c);
        const context = vectorCore(vectorProblem(X, V, 1));
        const scalar = bounds(context, () => 60);
        const exact = exactOnCircle(X, V) / context.core.scale;
        for (const evaluations of [0, 100]) {
          const effort = { evaluations, attained: exact, stop: () => false };
          const { value } = boundVectorMaximum(compute(), context, V.data, scalar, seed, effort);
          expect(value).toBeGreaterThanOrEqual(exact * (1 - 1e-12));
          if (evaluations > 0 && c === 2) expect(value).toBeLessThanOrEqual(exact * (1 + 1e-7) + 1e-12);
          if (c === 1) expect(value).toBeLessThanOrEqual(exact * (1 + 1e-10) + 1e-12);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("is never below what a search finds, with and without free biases", () => {
    fc.assert(
      fc.property(seeds, fc.boolean(), (seed, free) => {
        const { X, stream } = awkward(seed, 9, 4);
        const V = gaussian(stream, 9, 3);
        if (free) squaredVectorLoss(V, new Float64Array(9).fill(1)).center(V.data);
        const context = vectorCore(vectorProblem(X, V, 1, { bias: free ? "output" : "none" }));
        const scalar = bounds(context, () => 0.01);
        const found = searchVectorDirections(compute(), context, V.data, stream, { starts: 12, refine: 4 }, []);
        const attained = found[0]?.value ?? 0;
        const effort = { evaluations: 12, attained, stop: () => false };
        expect(boundVectorMaximum(compute(), context, V.data, scalar, seed, effort).value).toBeGreaterThanOrEqual(
          attained * (1 - 1e-9),
        );
      }),
      { numRuns: 20 },
    );
  });

  it("is infinite or says so when the scalar bound is no number, and 0 for V = 0", () => {
    const X = gaussian(randomStream(1, "x"), 5, 2);
    const context = vectorCore(vectorProblem(X, matrix(5, 2), 1));
    const broken = () => ({ value: Number.NaN, method: "broken" });
    const effort = { evaluations: 10, attained: 0, stop: () => false };
    expect(boundVectorMaximum(compute(), context, new Float64Array(10), broken, 0, effort).value).toBe(0);
    const V = gaussian(randomStream(2, "v"), 5, 2).data;
    expect(boundVectorMaximum(compute(), context, V, broken, 0, effort).method).toBe("spectral");
  });
});

describe("spectralBound", () => {
  it("is never below ||V'(Z u)_+|| at random directions, at any scale", () => {
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom(1e-150, 1e-8, 1, 1e8),
        (seed, n, p, scale) => {
          const { X, stream } = awkward(seed, n, p);
          const V = gaussian(stream, n, 3).data.map((t) => t * scale);
          const bound = spectralBound(compute(), X.data, n, p, V, 3, stream);
          const context = { ...vectorCore(vectorProblem(X, matrix(n, 3), 1)), E: X.data, p, c: 3 };
          for (let trial = 0; trial < 30; trial++) {
            const u = Float64Array.from({ length: p }, () => stream.normal());
            const length = Math.hypot(...u);
            const value = Math.hypot(
              ...response(
                context,
                V,
                u.map((t) => t / length),
              ),
            );
            expect(bound).toBeGreaterThanOrEqual(value * (1 - 1e-12));
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it("is exact for whitened rows and orthogonal nonnegative columns", () => {
    const Z = orthonormalRows(randomStream(4, "white"), 6, 7);
    const V = Float64Array.of(1, 0, 2, 0, 2, 0, 0, 3, 0, 0, 0, 0);
    expect(spectralBound(compute(), Z.data, 6, 7, V, 2, randomStream(0, "s"))).toBeCloseTo(3, 9);
  });
});

describe("coverSphere", () => {
  it("bounds and approaches the largest singular value for M(w) = ||A w||", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 3 }), (seed, rho) => {
        const stream = randomStream(seed, "a");
        const A = gaussian(stream, 4, rho);
        // Integers, zero columns and single rows make M zero on some rays.
        if (seed % 2 === 0) for (let k = 0; k < A.data.length; k++) A.data[k] = Math.round(A.data[k]);
        if (seed % 3 === 0) A.data.fill(0, rho);
        if (seed % 5 === 0) for (let i = 0; i < 4; i++) A.data[i * rho + stream.integer(rho)] = 0;
        const M = (w: Float64Array): number => {
          const t = Array.from({ length: 4 }, (_, i) => w.reduce((sum, x, k) => sum + x * A.data[i * rho + k], 0));
          return Math.hypot(...t);
        };
        // Power iteration.
        let w = Float64Array.from({ length: rho }, () => stream.normal());
        const size = Math.hypot(...w);
        w = w.map((t) => t / size);
        for (let step = 0; step < 1000; step++) {
          const image = Array.from({ length: 4 }, (_, i) => w.reduce((sum, x, k) => sum + x * A.data[i * rho + k], 0));
          const back = w.map((_, k) => image.reduce((sum, x, i) => sum + x * A.data[i * rho + k], 0));
          const length = Math.hypot(...back);
          if (length > 0) w = back.map((t) => t / length);
        }
        const top = M(w);
        for (const evaluations of [1, 20, 300]) {
          const bound = coverSphere(rho, M, top, { evaluations, stop: () => false });
          expect(bound).toBeGreaterThanOrEqual(top * (1 - 1e-12));
          if (evaluations === 300) expect(bound).toBeLessThanOrEqual(top * (1 + (rho === 3 ? 0.05 : 1e-6)));
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe("vector losses", () => {
  const labels = [0, 2, 1, 1];
  const s = Float64Array.of(1, 0.5, 2, 0);
  const losses = () => [squaredVectorLoss(gaussian(randomStream(1, "y"), 4, 3), s), softmaxLoss(labels, 3, s)];

  it("have the gradients and Hessian roots of finite differences", () => {
    for (const loss of losses()) {
      const F = gaussian(randomStream(2, "f"), 4, 3).data;
      const V = new Float64Array(12);
      loss.negativeGradient(F, V);
      const root = new Float64Array(9);
      for (let k = 0; k < 12; k++) {
        const h = 1e-5;
        const [up, down] = [F.slice(), F.slice()];
        up[k] += h;
        down[k] -= h;
        expect((loss.value(down) - loss.value(up)) / (2 * h)).toBeCloseTo(V[k], 8);
        const [after, before] = [new Float64Array(12), new Float64Array(12)];
        loss.negativeGradient(up, after);
        loss.negativeGradient(down, before);
        const i = Math.floor(k / 3);
        loss.hessianRoot(F, i, root);
        for (let l = 0; l < 3; l++) {
          let entry = 0;
          for (let a = 0; a < 3; a++) entry += root[a * 3 + l] * root[a * 3 + (k % 3)];
          expect(entry).toBeCloseTo((before[i * 3 + l] - after[i * 3 + l]) / (2 * h), 8);
        }
      }
    }
  });

  it("have dual values below loss(F) + <V, F> everywhere, equal at the F of V", () => {
    for (const loss of losses()) {
      fc.assert(
        fc.property(seeds, fc.double({ min: 0, max: 1, noNaN: true }), (seed, alpha) => {
          const stream = randomStream(seed, "dual");
          const F = gaussian(stream, 4, 3).data.map((t) => 3 * t);
          const V = new Float64Array(12);
          loss.negativeGradient(F, V);
          const inner = (a: Float64Array): number => a.reduce((sum, t, k) => sum + t * V[k], 0);
          expect(loss.dualValue(V, 1)).toBeCloseTo(loss.value(F) + inner(F), 9);
          for (let trial = 0; trial < 5; trial++) {
            const G = gaussian(stream, 4, 3).data.map((t) => 3 * t);
            expect(loss.dualValue(V, alpha)).toBeLessThanOrEqual(loss.value(G) + alpha * inner(G) + 1e-9);
          }
          const best = loss.bestScale(V, 1);
          expect(loss.dualValue(V, best)).toBeGreaterThanOrEqual(loss.dualValue(V, alpha) - 1e-9);
          loss.center(V);
          for (let k = 0; k < 3; k++) expect(V[k] + V[3 + k] + V[6 + k] + V[9 + k]).toBeCloseTo(0, 9);
          expect(loss.dualValue(V, 1)).toBeGreaterThan(Number.NEGATIVE_INFINITY);
        }),
        { numRuns: 50 },
      );
    }
  });

  it("vectorDualBound refuses a bound or a point that is no number", () => {
    for (const loss of losses()) {
      const V = new Float64Array(12);
      expect(vectorDualBound(loss, V, 1, Number.NaN)).toBe(Number.NEGATIVE_INFINITY);
      expect(vectorDualBound(loss, V.fill(Number.NaN), 1, 1)).toBe(Number.NEGATIVE_INFINITY);
    }
  });
});

describe("smoothedObjective", () => {
  it("has the gradient of finite differences and a Hessian that is exact but for concave kinks", () => {
    for (const bias of ["none", "output"] as const) {
      for (const soft of [false, true]) {
        const stream = randomStream(9, "smooth");
        const X = gaussian(stream, 7, 3);
        const Y = soft ? { labels: [0, 1, 2, 0, 1, 2, 1], classes: 3 } : gaussian(stream, 7, 3);
        const context = vectorCore(vectorProblem(X, Y, 0.3, { bias, weights: Float64Array.of(1, 2, 0.5, 1, 1, 1, 1) }));
        const { p, c } = context;
        const m = 2;
        compute().scope((scope) => {
          const objective = smoothedObjective(compute(), scope, context, m);
          objective.setWidths(Float64Array.of(0.5, 0.7));
          const x = Float64Array.from({ length: objective.size }, () => stream.normal());
          const [g, up, down] = [0, 1, 2].map(() => new Float64Array(objective.size)) as [
            Float64Array,
            Float64Array,
            Float64Array,
          ];
          objective.evaluate(x, g);
          const H = scope.f64(objective.size ** 2);
          objective.hessian(H);
          const h = 1e-6;
          for (let k = 0; k < objective.size; k++) {
            const [plus, minus] = [x.slice(), x.slice()];
            plus[k] += h;
            minus[k] -= h;
            const slope = (objective.evaluate(plus, up) - objective.evaluate(minus, down)) / (2 * h);
            expect(slope).toBeCloseTo(g[k], 6);
            for (let l = 0; l <= k; l++) {
              const entry = (up[l] - down[l]) / (2 * h);
              const sameNeuron = k < m * p && Math.floor(k / p) === Math.floor(l / p);
              // Dropping negative curvature can only raise a neuron's own diagonal.
              if (!sameNeuron) expect(H[k * objective.size + l]).toBeCloseTo(entry, 5);
              else if (k === l) expect(H[k * objective.size + l]).toBeGreaterThanOrEqual(entry - 1e-5);
            }
          }
          expect(c).toBe(3);
        });
      }
    }
  });

  it("tends to the objective as its width goes to 0", () => {
    const stream = randomStream(10, "limit");
    const context = vectorCore(vectorProblem(gaussian(stream, 6, 2), gaussian(stream, 6, 2), 0.3));
    const units = [0, 1, 2].map(() => {
      const u = gaussian(stream, 1, 2).data;
      const w = gaussian(stream, 1, 2).data;
      const ratio = Math.hypot(...u) / Math.hypot(...w);
      return { u, w: w.map((t) => t * ratio) };
    });
    const exact = vectorIterate(context, units, new Float64Array(2)).objective;
    compute().scope((scope) => {
      const objective = smoothedObjective(compute(), scope, context, 3);
      const x = Float64Array.from([...units.flatMap(({ u }) => [...u]), ...units.flatMap(({ w }) => [...w])]);
      objective.setWidths(new Float64Array(3).fill(1e-9));
      expect(objective.evaluate(x, new Float64Array(objective.size))).toBeCloseTo(exact, 8);
      objective.setWidths(new Float64Array(3));
      expect(objective.evaluate(x, new Float64Array(objective.size))).toBeCloseTo(exact, 12);
    });
  });
});
