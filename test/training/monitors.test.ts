import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute, type Scope } from "../../src/compute/index.ts";
import type { RealArray } from "../../src/compute/types.ts";
import { parseArchitecture, type Shape } from "../../src/network/architecture/index.ts";
import { networkGraph, networkModel } from "../../src/network/deep/index.ts";
import { trainedNodes } from "../../src/tangent/empirical/nodes.ts";
import type { Trained } from "../../src/tangent/index.ts";
import { PLAIN, Trainer, type TrainingSettings, trainingLoss } from "../../src/training/index.ts";
import type { Measurement } from "../../src/training/monitor.ts";
import { makeMonitors, monitorCatalog, monitorNames, probeOf } from "../../src/training/monitors/index.ts";
import { convergenceNetwork, randomUnitInputs } from "../../src/training/presets.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ backend: "wasm", threads: 1 });
});
afterAll(() => compute.close());

interface Case {
  readonly architecture: Parameters<typeof networkGraph>[0];
  readonly input: Shape;
  readonly trained: Trained;
  readonly inputs: Float64Array;
  readonly loss: "squared" | "cross-entropy";
  readonly settings: Partial<TrainingSettings>;
}

const SETTINGS: TrainingSettings = {
  reduction: "sum",
  batch: 1000,
  rule: PLAIN,
  schedule: { rate: 0.01, factor: 1, drops: [] },
  noise: 0,
  seed: 5,
};

/** A trainer of a network in either precision, in a scope. */
function withTrainer<T>(
  one: Case,
  precision: "f32" | "f64",
  body: (trainer: Trainer<RealArray>, graph: ReturnType<typeof networkGraph>, scope: Scope) => T,
): T {
  return compute.scope((scope) => {
    const graph = networkGraph(one.architecture, one.input);
    const n = one.inputs.length / graph.sizes[0]!;
    const outputs = graph.sizes[graph.outputValue]!;
    const { normal, integer } = randomStream(4, "targets");
    const targets =
      one.loss === "squared"
        ? ({ kind: "values", outputs, data: Float64Array.from({ length: n * outputs }, normal) } as const)
        : ({
            kind: "classes",
            classes: outputs,
            labels: Uint32Array.from({ length: n }, () => integer(outputs)),
          } as const);
    const nodes = trainedNodes(graph, one.trained, false);
    const kernels = (precision === "f32" ? compute.f32 : compute) as Compute;
    const allocate = ((length: number) => (precision === "f32" ? scope.f32(length) : scope.f64(length))) as (
      length: number,
    ) => Float64Array;
    const model = networkModel(graph, { kernels, allocate, samples: 64, trained: (node) => nodes.includes(node) });
    const inputs = precision === "f32" ? Float32Array.from(one.inputs) : one.inputs;
    const data = { n, inputs, loss: trainingLoss(one.loss, targets, outputs) };
    const trainer = new Trainer(model, data, { ...SETTINGS, ...one.settings }, kernels, allocate);
    return body(trainer as unknown as Trainer<RealArray>, graph, scope);
  });
}

const theoryCase = (m: number, L: number, c: number, n: number): Case => ({
  ...convergenceNetwork({ inputs: 6, width: m, depth: L, outputs: c }),
  inputs: randomUnitInputs(n, 6, 3),
  loss: "squared",
  settings: { schedule: { rate: 0.4 / (m * L), factor: 1, drops: [] } },
});
const images: Case = {
  architecture: parseArchitecture("conv(4, 3) batchnorm relu [conv(4, 3) tanh] maxpool(2) flatten dense(3)"),
  input: [4, 4, 2],
  trained: "all",
  inputs: Float64Array.from({ length: 20 * 32 }, randomStream(1, "images").normal),
  loss: "cross-entropy",
  settings: {
    reduction: "mean",
    batch: 8,
    noise: 0.01,
    rule: { kind: "sgd", momentum: 0.9, nesterov: true, weightDecay: 0 },
    schedule: { rate: 0.02, factor: 0.5, drops: [5] },
  },
};

describe("makeMonitors", () => {
  it.each([
    ["f64", theoryCase(32, 2, 2, 10)],
    ["f32", theoryCase(32, 2, 2, 10)],
    ["f64", images],
    ["f32", images],
  ] as const)("observes without changing anything: %s, case %#", (precision, one) => {
    const steps = 12;
    const plain = withTrainer(one, precision, (trainer) => {
      const results = Array.from({ length: steps }, () => trainer.step().loss);
      return { ...trainer.checkpoint(), results };
    });
    const watched = withTrainer(one, precision, (trainer, graph, scope) => {
      const monitors = makeMonitors(monitorNames, { trainer, graph, compute, scope, probe: 7 });
      const seen: Measurement[] = [];
      const look = () => seen.push(...monitors.flatMap((monitor) => [...monitor.observe(trainer.steps)]));
      look();
      const results = Array.from({ length: steps }, () => {
        const { loss } = trainer.step();
        look();
        return loss;
      });
      for (const row of seen) {
        expect(Number.isNaN(row.value) ? `${row.name} ${row.layer} is NaN` : "").toBe("");
        if (row.bound !== null) expect(row.constant).toBe(row.value / row.bound);
      }
      return { ...trainer.checkpoint(), results };
    });
    expect(watched).toEqual(plain);
  });

  it("names what is wrong with a name, and with a model that is no network of the graph", () => {
    withTrainer(theoryCase(8, 1, 1, 4), "f64", (trainer, graph, scope) => {
      expect(() => makeMonitors(["sharpnes"], { trainer, graph, compute, scope })).toThrow('"sharpnes" is no monitor');
      const other = networkGraph(parseArchitecture("dense(3)"), [6]);
      expect(() => makeMonitors(["loss"], { trainer, graph: other, compute, scope })).toThrow(RangeError);
      expect(makeMonitors(monitorNames, { trainer, graph, compute, scope }).map(({ name }) => name)).toEqual(
        monitorNames,
      );
    });
    expect(monitorCatalog.filter(({ isCheap }) => isCheap).length).toBeGreaterThan(4);
  });

  it("probeOf says nothing of a start that is not known", () => {
    withTrainer(theoryCase(16, 2, 2, 6), "f64", (trainer, graph, scope) => {
      const setup = { trainer, graph, compute, scope };
      const names = (rows: readonly Measurement[]): string[] => rows.map(({ name }) => name);
      const initial = trainer.theta.slice();
      for (let step = 0; step < 3; step++) trainer.step();
      const without = names(probeOf(setup));
      expect(without).toContain("kernel-eigenvalue-least");
      expect(without).not.toContain("kernel-drift");
      expect(without).not.toContain("sign-changes");
      const rows = probeOf({ ...setup, initial });
      expect(rows.find(({ name }) => name === "kernel-drift")!.value).toBeGreaterThan(0);
      expect(rows.find(({ name }) => name === "distance-frobenius")!.value).toBeGreaterThan(0);
      expect(names(rows)).not.toContain("linearized-distance");
      expect(names(probeOf(setup, ["loss"]))).toEqual(["loss"]);
    });
  });
});
