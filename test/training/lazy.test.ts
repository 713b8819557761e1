import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import type { Architecture, Layer } from "../../src/network/architecture/index.ts";
import { networkGraph, networkModel } from "../../src/network/deep/index.ts";
import { taylorModel } from "../../src/tangent/index.ts";
import { Trainer, trainingLoss } from "../../src/training/index.ts";
import { makeMonitors } from "../../src/training/monitors/index.ts";
import { chebyshevData, randomUnitInputs } from "../../src/training/presets.ts";
import { logSlope, rate, SUM } from "./theory.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ threads: 1 });
});
afterAll(() => compute.close());

/** alpha (f(a) - f(b)) / sqrt(2) of a tanh network as one architecture; it is zero when a = b. */
function doubled(width: number, alpha: number): Architecture {
  const dense = (to: number): Layer => ({ kind: "dense", width: to, wStd: 1, bStd: 0, parametrization: "ntk" });
  const times = (factor: number): Layer => ({
    kind: "activation",
    name: "polynomial",
    parameters: { coef: [0, factor] },
  });
  const half = (sign: number): Architecture => [
    dense(width),
    { kind: "activation", name: "tanh", parameters: {} },
    dense(1),
    times((sign * alpha) / Math.SQRT2),
  ];
  return [{ kind: "residual", main: half(1), shortcut: half(-1) }];
}

interface LazyRow {
  readonly moved: number;
  readonly apart: number;
  readonly outputs: number;
  readonly kappa: number;
}

/** Trains alpha h beside its linearization for the same time, with h zero at the start by doubling or by an offset. */
function lazyRun(alpha: number, start: "doubled" | "offset"): LazyRow {
  const [n, d, width] = [6, 4, 30];
  return compute.scope((scope) => {
    const architecture = doubled(width, alpha);
    const [residual] = architecture;
    const graph = networkGraph(start === "doubled" || residual?.kind !== "residual" ? architecture : residual.main, [
      d,
    ]);
    const allocate = (length: number): Float64Array => scope.f64(length);
    const options = { kernels: compute, allocate, samples: n };
    const model = networkModel(graph, options);
    const inputs = randomUnitInputs(n, d, 8);
    const values = randomStream(8, "targets");
    const targets = Float64Array.from({ length: n }, values.normal);
    const data = { n, inputs, loss: trainingLoss("squared", { kind: "values", outputs: 1, data: targets }, 1) };
    // F_alpha = R(alpha h) / alpha^2 for the same time.
    const settings = { ...SUM, ...rate(0.2 / alpha ** 2) };
    const trainer = new Trainer(model, data, settings, compute, allocate);
    if (start === "doubled") trainer.theta.copyWithin(graph.parameters / 2, 0, graph.parameters / 2);
    else {
      trainer.evaluate();
      for (let i = 0; i < n; i++) targets[i] += model.output[i];
    }
    const center = scope.copy(trainer.theta);
    const linear = new Trainer(taylorModel(graph, center, 1, options), data, settings, compute, allocate);
    const monitor = makeMonitors(["laziness"], { trainer, graph, compute, scope, initial: center })[0]!;
    const kappa = monitor.observe(0)[0]!.value;
    for (let step = 0; step < 40; step++) {
      trainer.step();
      linear.step();
    }
    trainer.evaluate();
    linear.evaluate();
    const moved = trainer.theta.map((value, k) => value - center[k]);
    return {
      moved: Math.hypot(...moved),
      apart: Math.hypot(...moved.map((value, k) => value - linear.theta[k])),
      outputs: Math.hypot(...model.output.map((value, k) => value - linear.model.output[k])),
      kappa,
    };
  });
}

describe("lazy training (K9)", () => {
  // A doubled network has no second derivative along its own path (both halves move against each other): one order more.
  it.each([
    ["offset", -1],
    ["doubled", -2],
  ] as const)("taylorModel and laziness: powers of alpha with h(w0) = 0 by %s", (start, ofOutputs) => {
    const alphas = [4, 8, 16, 32, 64];
    const rows = alphas.map((alpha) => lazyRun(alpha, start));
    const slope = (of: (row: LazyRow) => number): number => logSlope(alphas, rows.map(of));
    expect(Math.abs(slope(({ moved }) => moved) + 1)).toBeLessThan(0.05);
    expect(Math.abs(slope(({ apart }) => apart) + 2)).toBeLessThan(0.1);
    expect(Math.abs(slope(({ outputs }) => outputs) - ofOutputs)).toBeLessThan(0.1);
    expect(Math.abs(slope(({ kappa }) => kappa) + 1)).toBeLessThan(0.01);
  });
});

describe("edge of stability (K10)", () => {
  it("sharpness of a tanh network on chebyshevData rises to 2 / eta and stays there", () => {
    compute.scope((scope) => {
      const n = 20;
      const { inputs, values } = chebyshevData(5, n);
      const dense = (width: number, wStd: number): Layer => ({
        kind: "dense",
        width,
        wStd,
        bStd: 0.5,
        parametrization: "standard",
      });
      const graph = networkGraph(
        [dense(50, 1), { kind: "activation", name: "tanh", parameters: {} }, dense(1, 1)],
        [1],
      );
      const allocate = (length: number): Float64Array => scope.f64(length);
      const model = networkModel(graph, { kernels: compute, allocate, samples: n });
      const data = { n, inputs, loss: trainingLoss("squared", { kind: "values", outputs: 1, data: values }, 1) };
      const eta = 0.1;
      const settings = { ...SUM, reduction: "mean", ...rate(eta) } as const;
      const trainer = new Trainer(model, data, settings, compute, allocate);
      const monitor = makeMonitors(["sharpness"], { trainer, graph, compute, scope })[0]!;
      const seen: number[] = [];
      const losses: number[] = [];
      for (let step = 0; step <= 16000; step++) {
        if (step % 1000 === 0) {
          const [row] = monitor.observe(step);
          expect(row!.bound).toBeCloseTo(2 / eta, 12);
          seen.push(row!.constant!);
          losses.push(trainer.evaluate().loss);
        }
        trainer.step();
      }
      expect(seen[0]).toBeLessThan(0.6);
      for (let k = 1; k <= 5; k++) expect(seen[k]).toBeGreaterThan(seen[k - 1]!);
      for (const value of seen.slice(8)) expect(Math.abs(value - 1)).toBeLessThan(0.06);
      // It goes on learning there.
      for (let k = 1; k < losses.length; k++) expect(losses[k]).toBeLessThan(losses[k - 1]!);
    });
  });
});
