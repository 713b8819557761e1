import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { symmetricEigen } from "../../src/compute/eigen.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { type Architecture, parseArchitecture } from "../../src/network/architecture/index.ts";
import { Tape } from "../../src/network/deep/index.ts";
import { landscapeObjective } from "../../src/training/landscape/index.ts";
import { adversarialFlipLaw, dataSeparation, theoryScale } from "../../src/training/monitors/index.ts";
import {
  convergenceNetwork,
  convergenceResidual,
  type NetworkPreset,
  randomUnitInputs,
} from "../../src/training/presets.ts";
import { normalTargets, type PresetTraining, presetTraining, rate } from "./theory.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ backend: "wasm", threads: 1 });
});
afterAll(() => compute.close());

const [N, D, M, L, C] = [5, 4, 12, 2, 2];

/** The network of the paper after some steps, with its matrices. */
function withTheory(
  steps: number,
  body: (
    run: PresetTraining,
    more: { start: Float64Array; inputs: Float64Array; values: Tape<Float64Array>["values"] },
  ) => void,
): void {
  compute.scope((scope) => {
    const inputs = randomUnitInputs(N, D, 5);
    const preset = convergenceNetwork({ inputs: D, width: M, depth: L, outputs: C });
    const run = presetTraining(compute, scope, preset, inputs, normalTargets(N, C, 5), rate(0.01));
    const start = run.trainer.theta.slice();
    for (let step = 0; step < steps; step++) run.trainer.step();
    const tape = new Tape({
      graph: run.graph,
      kernels: compute,
      allocate: (length) => scope.f64(length),
      samples: N,
    });
    tape.input[0]!.set(inputs);
    tape.forward(N, [run.trainer.theta]);
    body(run, { start, inputs, values: tape.values });
  });
}

/** Singular values of a rows x cols matrix, largest first. */
function singularValues(rows: number, cols: number, a: ArrayLike<number>): number[] {
  const gram = new Float64Array(cols * cols);
  for (let i = 0; i < cols; i++) {
    for (let j = 0; j < cols; j++)
      for (let k = 0; k < rows; k++) gram[i * cols + j] += a[k * cols + i]! * a[k * cols + j]!;
  }
  const values = new Float64Array(cols);
  symmetricEigen(cols, gram, cols, values);
  return [...values].reverse().map((value) => Math.sqrt(Math.max(0, value)));
}

/** Weights of layer k of the network of the paper: A, W_1 .. W_L, B. */
const weights = (theta: Float64Array, k: number): Float64Array => {
  const from = k === 0 ? 0 : M * D + (k - 1) * M * M;
  return theta.slice(from, from + (k === 0 ? M * D : k <= L ? M * M : C * M));
};

describe("values of monitors", () => {
  it("theoryScale knows the network of the paper from its neighbours", () => {
    withTheory(0, ({ graph, trainer }) => {
      expect(theoryScale(graph, trainer.model.trained)).toEqual({ width: M, depth: L, outputs: C });
      expect(theoryScale(graph, [{ from: 0, count: graph.parameters }])).toBeNull();
    });
    compute.scope((scope) => {
      const sizes = { inputs: D, width: M, depth: L, outputs: C };
      const run = (preset: NetworkPreset) =>
        presetTraining(compute, scope, preset, randomUnitInputs(N, D, 5), normalTargets(N, C, 5), {});
      const { architecture, ...rest } = convergenceNetwork(sizes);
      const changed: Architecture = architecture.map((layer) =>
        layer.kind === "dense" ? { ...layer, wStd: 1.3 } : layer,
      );
      for (const preset of [{ ...rest, architecture: changed }, convergenceResidual({ ...sizes, tau: 0.1 })]) {
        const other = run(preset);
        expect(theoryScale(other.graph, other.trainer.model.trained)).toBeNull();
        expect([...other.look("gradient").keys()]).toEqual(["gradient-squared", "gradient-squared null"]);
      }
    });
  });

  it("loss, gradient: F L n m / c and F delta m / (c n^2), the same for sums and means", () => {
    withTheory(3, ({ trainer, graph, look }, { inputs }) => {
      const { loss } = trainer.evaluate();
      expect(look("loss").get("loss")!.value).toBe(loss);
      const rows = look("gradient");
      expect(rows.get("gradient-upper")!.bound).toBeCloseTo((loss * L * N * M) / C, 10);
      const { separation } = dataSeparation(compute, inputs, N, D);
      expect(rows.get("gradient-lower")!.bound).toBeCloseTo((loss * separation * M) / (C * N * N), 10);
      compute.scope((scope) => {
        const objective = landscapeObjective({
          graph,
          compute,
          scope,
          data: trainer.data,
          reduction: "sum",
          samples: 3,
        });
        const gradient = scope.f64(graph.parameters);
        objective.gradient(trainer.theta, gradient);
        const hidden = gradient.subarray(M * D, M * D + L * M * M);
        expect(rows.get("gradient-upper")!.value).toBeCloseTo(Math.hypot(...hidden) ** 2, 9);
        const mean = presetTraining(
          compute,
          scope,
          convergenceNetwork({ inputs: D, width: M, depth: L, outputs: C }),
          inputs,
          normalTargets(N, C, 5),
          { reduction: "mean" },
        );
        mean.trainer.theta.set(trainer.theta);
        const other = mean.look("gradient").get("gradient-upper")!;
        expect(other.value).toBeCloseTo(rows.get("gradient-upper")!.value, 9);
        expect(other.bound).toBeCloseTo(rows.get("gradient-upper")!.bound!, 9);
      });
    });
  });

  it("forward: norms and the least orthogonal part, against loops", () => {
    withTheory(2, ({ look }, { values, inputs }) => {
      const rows = look("forward");
      for (const [value, place] of [
        [2, "2"],
        [6, "6"],
      ] as const) {
        const h = values[value]![0]!;
        const row = (i: number): number[] => [...h.subarray(i * M, (i + 1) * M)];
        const norms = Array.from({ length: N }, (_, i) => Math.hypot(...row(i)));
        expect(rows.get(`forward-norm-least ${place}`)!.value).toBeCloseTo(Math.min(...norms), 12);
        expect(rows.get(`forward-norm-largest ${place}`)!.value).toBeCloseTo(Math.max(...norms), 12);
        let least = Number.POSITIVE_INFINITY;
        for (let i = 0; i < N; i++) {
          for (let j = 0; j < N; j++) {
            if (i === j) continue;
            const along = row(i).reduce((sum, entry, k) => sum + entry * row(j)[k]!, 0) / norms[i]!;
            least = Math.min(least, Math.hypot(...row(j).map((entry, k) => entry - (along * row(i)[k]!) / norms[i]!)));
          }
        }
        const apart = rows.get(`separateness ${place}`)!;
        expect(apart.value).toBeCloseTo(least, 8);
        expect(apart.bound).toBeCloseTo(dataSeparation(compute, inputs, N, D).separation / 2, 14);
      }
    });
  });

  it("products: largest singular values of B D W ... D W_a, up to what power iteration misses", () => {
    withTheory(1, ({ look, trainer }, { values }) => {
      const rows = look("products");
      const masked = (W: Float64Array, g: Float64Array): Float64Array =>
        W.map((value, k) => (g[Math.floor(k / M)] > 0 ? value : 0));
      const times = (A: Float64Array, rowsOfA: number, B: Float64Array): Float64Array =>
        Float64Array.from({ length: rowsOfA * M }, (_, at) => {
          const [i, j] = [Math.floor(at / M), at % M];
          let sum = 0;
          for (let k = 0; k < M; k++) sum += A[i * M + k] * B[k * M + j];
          return sum;
        });
      const [W1, W2, B] = [1, 2, 3].map((k) => weights(trainer.theta, k)) as [Float64Array, Float64Array, Float64Array];
      const largest = { forward: [0, 0], backward: [0, 0] };
      for (let i = 0; i < N; i++) {
        const [g1, g2] = [3, 5].map((v) => values[v]![0]!.slice(i * M, (i + 1) * M)) as [Float64Array, Float64Array];
        const [D1, D2] = [masked(W1, g1), masked(W2, g2)];
        const forward = [times(W2, M, D1), W2];
        const backward = [times(times(B, C, D2), C, D1), times(B, C, D2)];
        [0, 1].forEach((a) => {
          largest.forward[a] = Math.max(largest.forward[a]!, singularValues(M, M, forward[a]!)[0]!);
          largest.backward[a] = Math.max(largest.backward[a]!, singularValues(C, M, backward[a]!)[0]!);
        });
      }
      ["3", "5"].forEach((place, a) => {
        for (const way of ["forward", "backward"] as const) {
          const row = rows.get(`${way}-product ${place}`)!;
          expect(row.value).toBeLessThan(largest[way][a]! * (1 + 1e-12));
          expect(row.value).toBeGreaterThan(largest[way][a]! * 0.97);
          expect(row.bound).toBeCloseTo(way === "forward" ? Math.sqrt(L) : Math.sqrt(M / C), 12);
        }
      });
    });
  });

  it("signs and distance: counts and singular values, against loops", () => {
    withTheory(6, ({ look, trainer, graph }, { start, values, inputs }) => {
      compute.scope((scope) => {
        const distance = look("distance");
        let omega = 0;
        [1, 2].forEach((k) => {
          const change = weights(trainer.theta, k).map((value, at) => value - weights(start, k)[at]);
          const place = String(2 * k + 1);
          const spectral = singularValues(M, M, change)[0]!;
          omega = Math.max(omega, spectral);
          expect(distance.get(`distance-spectral ${place}`)!.value).toBeCloseTo(spectral, 6);
          expect(distance.get(`distance-frobenius ${place}`)!.value).toBeCloseTo(Math.hypot(...change), 12);
          expect(distance.get(`distance-relative ${place}`)!.value).toBeCloseTo(
            Math.hypot(...change) / Math.hypot(...weights(start, k)),
            12,
          );
        });
        const before = new Tape({ graph, kernels: compute, allocate: (length) => scope.f64(length), samples: N });
        before.input[0]!.set(inputs);
        before.forward(N, [scope.copy(start)]);
        const signs = look("signs");
        for (const value of [1, 3, 5]) {
          let count = 0;
          for (let k = 0; k < N * M; k++)
            count += Number(before.values[value]![0]![k] > 0 !== values[value]![0]![k] > 0);
          const row = signs.get(`sign-changes ${value + 1}`)!;
          expect(row.value).toBe(count / (N * M));
          expect(row.bound).toBeCloseTo(omega ** (2 / 3) * L, 5);
        }
        const radius = distance.get("distance-spectral 3")!.value;
        expect(signs.get("sign-changes-worst-case 3")!.bound).toBeCloseTo(adversarialFlipLaw(radius), 10);
      });
    });
  });

  it("kernel: at the start nothing has moved, and r' Theta r is the squared gradient", () => {
    withTheory(0, ({ look, trainer }) => {
      const first = look("kernel");
      expect(first.get("kernel-drift")!.value).toBe(0);
      expect(Math.abs(first.get("kernel-distance")!.value)).toBeLessThan(1e-15);
      expect(first.get("gradient-by-kernel")!.value).toBeCloseTo(look("gradient").get("gradient-upper")!.value, 9);
      for (let step = 0; step < 4; step++) trainer.step();
      const later = look("kernel");
      expect(later.get("kernel-drift")!.value).toBeGreaterThan(0);
      expect(later.get("kernel-velocity")!.value).toBeCloseTo(later.get("kernel-distance")!.value / 4, 14);
      expect(later.get("gradient-by-kernel")!.value).toBeCloseTo(look("gradient").get("gradient-upper")!.value, 9);
      expect(later.get("kernel-label-alignment")!.value).toBeGreaterThan(0);
    });
  });

  it("sharpness, trace and spectrum: against the dense Hessian of the trained parameters", () => {
    compute.scope((scope) => {
      const preset: NetworkPreset = {
        architecture: parseArchitecture("dense(5, b=0.2) tanh dense(5) tanh dense(2)"),
        input: [D],
        trained: "hidden",
      };
      const { graph, trainer, look } = presetTraining(
        compute,
        scope,
        preset,
        randomUnitInputs(N, D, 5),
        normalTargets(N, C, 5),
        { reduction: "mean", ...rate(0.05) },
      );
      for (let step = 0; step < 3; step++) trainer.step();
      const { trained } = trainer.model;
      const objective = landscapeObjective({
        graph,
        compute,
        scope,
        data: trainer.data,
        reduction: "mean",
        samples: N,
        trained,
      });
      const [{ from, count }] = trained as [{ from: number; count: number }];
      const dense = new Float64Array(count * count);
      const [x, out] = [scope.f64(graph.parameters), scope.f64(graph.parameters)];
      for (let k = 0; k < count; k++) {
        x.fill(0);
        x[from + k] = 1;
        objective.hessian(trainer.theta, x, out);
        dense.set(out.subarray(from, from + count), k * count);
      }
      const trace = Array.from({ length: count }, (_, k) => dense[k * count + k]).reduce(
        (sum, value) => sum! + value!,
        0,
      )!;
      const values = new Float64Array(count);
      symmetricEigen(count, dense, count, values);
      const rows = look("sharpness");
      expect(rows.get("sharpness")!.value / values[count - 1]).toBeCloseTo(1, 4);
      expect(rows.get("sharpness")!.bound).toBeCloseTo(40, 10);
      expect(rows.get("hessian-smallest")!.value / values[0]).toBeCloseTo(1, 2);
      const estimate = look("trace");
      const error = Math.abs(estimate.get("hessian-trace")!.value - trace);
      expect(error).toBeLessThan(5 * estimate.get("hessian-trace-error")!.value + 1e-9);
      expect(estimate.get("gauss-newton-trace")!.value).toBeGreaterThan(0);
      const spectrum = look("spectrum");
      expect(spectrum.get("hessian-quantile-0.99")!.value).toBeLessThan(values[count - 1] * (1 + 1e-6));
      expect(spectrum.get("hessian-quantile-0.01")!.value).toBeGreaterThan(values[0] * (1 + 1e-6));
      const negative = values.filter((value) => value < -1e-3 * values[count - 1]).length / count;
      expect(Math.abs(spectrum.get("hessian-negative-share")!.value - negative)).toBeLessThan(0.25);
    });
  });

  it("laziness, trajectories, linearization: a product of two numbers, where all is known", () => {
    compute.scope((scope) => {
      // h(w, a) = a w x: ||Dh||^2 = x^2 (a^2 + w^2), ||D2h|| = |x|, and it is its own quadratic model.
      const preset: NetworkPreset = {
        architecture: parseArchitecture("dense(1, parametrization=standard) dense(1, parametrization=standard)"),
        input: [1],
        trained: "all",
      };
      const targets = { kind: "values", outputs: 1, data: Float64Array.of(2) } as const;
      const run = presetTraining(compute, scope, preset, Float64Array.of(1.5), targets, rate(0.02));
      const [w, a] = run.trainer.theta;
      const kappa = (Math.abs(1.5 * a! * w! - 2) * 1.5) / (2.25 * (a! ** 2 + w! ** 2));
      expect(run.look("laziness").get("laziness-kappa")!.value).toBeCloseTo(kappa, 8);
      const first = run.look("linearization");
      expect(first.get("linearization-error")!.value).toBe(0);
      run.look("trajectories");
      for (let step = 0; step < 10; step++) run.trainer.step();
      const [w1, a1] = run.trainer.theta;
      const error = 1.5 * Math.abs((a1! - a!) * (w1! - w!));
      expect(run.look("linearization").get("linearization-error")!.value).toBeCloseTo(error, 12);
      const rows = run.look("trajectories");
      expect(rows.get("quadratic-distance")!.value).toBeLessThan(1e-12);
      expect(rows.get("quadratic-parameters-relative")!.value).toBeLessThan(1e-12);
      expect(rows.get("linearized-distance")!.value).toBeGreaterThan(1e-4);
    });
  });

  it("laziness of a network that is linear in what is trained is zero, and its linearization is exact", () => {
    compute.scope((scope) => {
      const preset: NetworkPreset = {
        architecture: parseArchitecture("dense(8) erf dense(2)"),
        input: [D],
        trained: "last",
      };
      const run = presetTraining(compute, scope, preset, randomUnitInputs(N, D, 5), normalTargets(N, C, 5), rate(0.05));
      run.look("linearization");
      for (let step = 0; step < 5; step++) run.trainer.step();
      expect(run.look("laziness").get("laziness-kappa")!.value).toBe(0);
      expect(run.look("linearization").get("linearization-error")!.value).toBeLessThan(1e-13);
      expect(run.look("linearization").get("gradient-change")!.value).toBeLessThan(1e-13);
      expect(run.look("trajectories").get("linearized-distance")!.value).toBeLessThan(1e-13);
    });
  });

  it("separation of the data: least distance, norms, parallel inputs", () => {
    expect(dataSeparation(compute, Float64Array.of(1, 0, 0, 1, -2, 0), 3, 2)).toEqual({
      separation: Math.SQRT2,
      normError: 1,
      cosine: 1,
    });
    expect(dataSeparation(compute, Float64Array.of(0, 0), 1, 2)).toEqual({
      separation: Number.POSITIVE_INFINITY,
      normError: 1,
      cosine: 0,
    });
  });
});
