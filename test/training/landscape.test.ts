import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { symmetricEigen } from "../../src/compute/eigen.ts";
import { type Compute, createCompute, type Scope } from "../../src/compute/index.ts";
import { parseArchitecture } from "../../src/network/architecture/index.ts";
import { initialize, networkGraph } from "../../src/network/deep/index.ts";
import { trainingLoss } from "../../src/training/index.ts";
import {
  filterNormalized,
  gradientDirection,
  LANDSCAPE_DEFAULTS,
  landscapeObjective,
  landscapeOf,
  lineBetween,
  lineSlice,
  negativeCurvature,
  type Objective,
  orthogonalize,
  planeSlice,
  sliceSteps,
} from "../../src/training/landscape/index.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ backend: "wasm", threads: 1 });
});
afterAll(() => compute.close());

/** theta'A theta / 2 with the spectrum of A, whose eigenvectors are those of a reflection. */
function quadratic(
  scope: Scope,
  spectrum: readonly number[],
): { objective: Objective; eigenvector: (k: number) => Float64Array } {
  const n = spectrum.length;
  const v = Float64Array.from({ length: n }, (_, i) => Math.cos(3 * i + 1));
  const square = v.reduce((sum, value) => sum + value * value, 0);
  const reflect = (x: Float64Array): Float64Array => {
    const along = x.reduce((sum, value, i) => sum + value * v[i], 0) / square;
    return x.map((value, i) => value - 2 * along * v[i]);
  };
  const apply = (x: Float64Array): Float64Array => reflect(reflect(x).map((value, i) => value * spectrum[i]!));
  const objective: Objective = {
    size: n,
    allocate: (length) => scope.f64(length),
    value: (theta) => ({
      loss: apply(theta).reduce((sum, value, i) => sum + (value * theta[i]) / 2, 0),
      accuracy: Number.NaN,
    }),
    gradient: (theta, out) => out.set(apply(theta)),
    hessian: (_, x, out) => out.set(apply(x)),
  };
  const eigenvector = (k: number): Float64Array => reflect(Float64Array.from({ length: n }, (_, i) => Number(i === k)));
  return { objective, eigenvector };
}

const SPECTRUM = [-2, -0.5, 0, 0.3, 1, 2, 3, 4];
const cosine = (a: Float64Array, b: Float64Array): number =>
  a.reduce((sum, value, i) => sum + value * b[i], 0) / Math.hypot(...a) / Math.hypot(...b);

describe("a quadratic with known spectrum (C11)", () => {
  it("negativeCurvature finds the eigenvector of the smallest eigenvalue, and Lanczos agrees", () => {
    compute.scope((scope) => {
      const { objective, eigenvector } = quadratic(scope, SPECTRUM);
      const theta = scope.copy(Float64Array.from({ length: 8 }, (_, i) => i - 3));
      for (const smoothing of [0, 0.3]) {
        const { direction, method, curvature, check } = negativeCurvature(compute, objective, theta, {
          smoothing,
          steps: 200,
          rate: 0.9,
          checks: 2,
          seed: 1,
        });
        expect(Math.abs(cosine(direction, eigenvector(0)))).toBeGreaterThan(1 - 1e-9);
        expect(curvature).toBeCloseTo(-2, 6);
        expect(check!.smallest).toBeCloseTo(-2, 9);
        expect(check!.quotient).toBeCloseTo(-2, 9);
        expect(check!.cosine).toBeGreaterThan(1 - 1e-9);
        expect(method).toBe("oja");
      }
    });
  });

  it("negativeCurvature takes the direction of Lanczos where Oja's method has too few steps", () => {
    compute.scope((scope) => {
      const { objective, eigenvector } = quadratic(scope, [-1e-3, 0, 0.3, 1, 2, 3, 4, 5]);
      const search = { smoothing: 0, steps: 3, rate: 0.9, checks: 1, seed: 1 };
      const found = negativeCurvature(compute, objective, scope.f64(8), search);
      expect(found.method).toBe("lanczos");
      expect(found.curvature).toBeCloseTo(-1e-3, 9);
      expect(Math.abs(cosine(found.direction, eigenvector(0)))).toBeGreaterThan(1 - 1e-9);
    });
  });

  it("planeSlice is exact, and orthogonalize makes its axes orthogonal", () => {
    compute.scope((scope) => {
      const { objective, eigenvector } = quadratic(scope, SPECTRUM);
      const center = scope.copy(Float64Array.from({ length: 8 }, (_, i) => Math.sin(i)));
      const a = scope.copy(eigenvector(0));
      const { direction, norm } = gradientDirection(objective, center);
      const gradient = scope.f64(8);
      objective.gradient(center, gradient);
      expect(norm).toBeCloseTo(Math.hypot(...gradient), 12);
      orthogonalize(direction, a);
      expect(Math.abs(cosine(direction, a))).toBeLessThan(1e-14);
      const x = sliceSteps(2, 5);
      expect(x).toEqual([-2, -1, 0, 1, 2]);
      const { loss } = planeSlice(objective, center, direction, a, x, [0, 1]);
      const moved = scope.f64(8);
      x.forEach((u, i) => {
        moved.set(center.map((value, k) => value + u * direction[k] + a[k]));
        expect(loss[5 + i]).toBeCloseTo(objective.value(moved).loss, 12);
      });
      expect(loss[2]).toBeCloseTo(objective.value(center).loss, 14);
      expect(() => sliceSteps(1, 4)).toThrow(RangeError);
    });
  });

  it("lineSlice has the barrier of a parabola that opens downwards", () => {
    compute.scope((scope) => {
      const { objective, eigenvector } = quadratic(scope, SPECTRUM);
      const [from, to] = [scope.copy(eigenvector(0)), scope.copy(eigenvector(0).map((value) => -value))];
      const { lossBarrier, alpha, loss, isConnected } = lineSlice(objective, from, to, 31);
      expect(lossBarrier).toBeCloseTo(1, 12);
      expect(alpha[15]).toBe(0.5);
      expect(loss[15]).toBeCloseTo(0, 14);
      expect(isConnected).toBeNull();
    });
  });
});

describe("networks", () => {
  const graph = networkGraph(
    parseArchitecture("dense(6, b=0.3, parametrization=standard) softplus dense(5) softplus dense(3)"),
    [4],
  );
  const n = 12;
  const labels = Uint32Array.from({ length: n }, (_, i) => i % 3);
  const inputs = Float64Array.from({ length: 4 * n }, randomStream(2, "landscape inputs").normal);
  const data = { n, inputs, loss: trainingLoss("cross-entropy", { kind: "classes", classes: 3, labels }, 3) };

  it("landscapeObjective agrees with finite differences, batches do not matter", () => {
    compute.scope((scope) => {
      const setup = { graph, compute, scope, data, reduction: "mean", samples: 5 } as const;
      const objective = landscapeObjective(setup);
      const theta = scope.f64(graph.parameters);
      initialize(graph, 1, theta);
      const direction = scope.f64(graph.parameters);
      const { normal } = randomStream(3, "direction");
      for (let k = 0; k < direction.length; k++) direction[k] = normal();
      const at = (t: number): Float64Array => scope.copy(theta.map((value, k) => value + t * direction[k]));
      const [plus, minus, product, out] = [0, 0, 0, 0].map(() => scope.f64(graph.parameters)) as Float64Array[];
      const h = 1e-5;
      objective.gradient(theta, out!);
      const slope = out!.reduce((sum, value, k) => sum + value * direction[k], 0);
      expect((objective.value(at(h)).loss - objective.value(at(-h)).loss) / (2 * h)).toBeCloseTo(slope, 7);
      objective.gradient(at(h), plus!);
      objective.gradient(at(-h), minus!);
      objective.hessian(theta, direction, product!);
      product!.forEach((value, k) => {
        expect((plus![k]! - minus![k]!) / (2 * h)).toBeCloseTo(value, 6);
      });
      const whole = landscapeObjective({ ...setup, samples: 100 });
      expect(whole.value(theta).loss).toBeCloseTo(objective.value(theta).loss, 13);
    });
  });

  it("landscapeOf finds the most negative curvature of the dense Hessian of a softplus network (C11)", () => {
    compute.scope((scope) => {
      const setup = { graph, compute, scope, data, reduction: "mean", samples: n } as const;
      const theta = scope.f64(graph.parameters);
      initialize(graph, 1, theta);
      const size = graph.parameters;
      const objective = landscapeObjective(setup);
      const [x, out] = [scope.f64(size), scope.f64(size)];
      const dense = new Float64Array(size * size);
      for (let k = 0; k < size; k++) {
        x.fill(0);
        x[k] = 1;
        objective.hessian(theta, x, out);
        dense.set(out, k * size);
      }
      const values = new Float64Array(size);
      symmetricEigen(size, dense, size, values);
      const options = {
        ...LANDSCAPE_DEFAULTS,
        points: 5,
        radius: 0.1,
        search: { smoothing: 0, steps: 1500, rate: 0.95, checks: 1, seed: 2 },
      };
      const { curvature, slice, center, gradientNorm, labels: axes } = landscapeOf(setup, theta, options);
      expect(values[0]).toBeLessThan(-0.01);
      expect(curvature!.check!.smallest).toBeCloseTo(values[0], 8);
      expect(curvature!.check!.cosine).toBeGreaterThan(0.99);
      expect(curvature!.curvature).toBeCloseTo(values[0], 3);
      expect(slice.loss[12]).toBeCloseTo(center, 13);
      // Along the gradient the loss falls on the negative side, at its slope.
      expect((slice.loss[13]! - slice.loss[11]!) / 0.1).toBeCloseTo(gradientNorm, 2);
      expect(axes).toEqual(["gradient", "most negative curvature"]);
      expect(JSON.parse(JSON.stringify({ slice })).slice.loss).toHaveLength(25);
    });
  });

  it("filterNormalized has the norms of the network's filters and leaves biases alone", () => {
    compute.scope((scope) => {
      const theta = scope.f64(graph.parameters);
      initialize(graph, 4, theta);
      const out = scope.f64(graph.parameters);
      filterNormalized(graph, theta, out, 1, "test");
      for (let row = 0; row < 6; row++) {
        const norm = (array: Float64Array): number => Math.hypot(...array.subarray(4 * row, 4 * row + 4));
        expect(norm(out)).toBeCloseTo(norm(theta), 12);
      }
      expect([...out.subarray(24, 30)]).toEqual([0, 0, 0, 0, 0, 0]);
      const setup = { graph, compute, scope, data, reduction: "sum", samples: n } as const;
      const random = landscapeOf(setup, theta, { ...LANDSCAPE_DEFAULTS, axes: "random", points: 3 });
      expect(random.curvature).toBeNull();
      expect(random.slice.loss[4]).toBeCloseTo(random.center, 12);
    });
  });

  it("lineBetween makes statistics of batch normalization anew, and ends at the networks", () => {
    compute.scope((scope) => {
      const normalized = networkGraph(parseArchitecture("dense(6) batchnorm relu dense(3)"), [4]);
      const [a, b] = [scope.f64(normalized.parameters), scope.f64(normalized.parameters)];
      initialize(normalized, 1, a);
      initialize(normalized, 2, b);
      const setup = { graph: normalized, compute, scope, data, reduction: "mean", samples: n } as const;
      const { loss, accuracy, errorBarrier } = lineBetween(setup, a, b, 7);
      expect(loss).toHaveLength(7);
      expect(errorBarrier).toBeCloseTo(1 - Math.min(...accuracy) - (2 - accuracy[0]! - accuracy[6]!) / 2, 12);
      // A scaled first layer is the same function behind a normalization by its own statistics.
      const scaled = scope.copy(a.map((value, k) => (k < 24 ? 3 * value : value)));
      const flat = lineBetween(setup, a, scaled, 5);
      expect(Math.max(...flat.loss) - Math.min(...flat.loss)).toBeLessThan(1e-4);
      expect(flat.isConnected).toBe(true);
      expect(() => lineBetween(setup, a, scope.f64(3))).toThrow(RangeError);
    });
  });
});
