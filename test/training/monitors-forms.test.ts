import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { type Architecture, parseArchitecture } from "../../src/network/architecture/index.ts";
import { networkGraph, trainedRanges } from "../../src/network/deep/index.ts";
import { trainedNodes } from "../../src/tangent/empirical/nodes.ts";
import type { Trained } from "../../src/tangent/index.ts";
import { dataSeparation, patchSeparation, theoryForm, theoryScale } from "../../src/training/monitors/index.ts";
import { paceOf, stepsOf } from "../../src/training/monitors/kind.ts";
import {
  convergenceNetwork,
  convergencePatches,
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

const SIZES = { inputs: 5, width: 12, depth: 3, outputs: 2 };
const PATCHES = { ...SIZES, patches: 4, window: 3 };

function formOf({ architecture, input, trained }: NetworkPreset) {
  const graph = networkGraph(architecture, input);
  const nodes = trainedNodes(graph, trained, false);
  return theoryForm(
    graph,
    trainedRanges(graph, (node) => nodes.includes(node)),
  );
}

/** n inputs of so many patches of norm 1. */
const patchInputs = (n: number, patches: number, d: number): Float64Array => randomUnitInputs(n * patches, d, 3);

function withPreset(preset: NetworkPreset, inputs: Float64Array, n: number, body: (run: PresetTraining) => void): void {
  compute.scope((scope) => body(presetTraining(compute, scope, preset, inputs, normalTargets(n, 2, 5), rate(0.002))));
}

describe("theoryForm", () => {
  it("theoryForm knows the three networks of the paper", () => {
    const { inputs: _, ...scale } = SIZES;
    expect(formOf(convergenceNetwork(SIZES))).toEqual({ kind: "dense", ...scale });
    expect(formOf(convergencePatches(PATCHES))).toEqual({ kind: "patches", ...scale, patches: 4, window: 3 });
    expect(formOf(convergenceResidual({ ...SIZES, tau: 0.25 }))).toEqual({ kind: "residual", ...scale, tau: 0.25 });
  });

  it("theoryForm is null for their neighbours, and theoryScale for all but fully connected ones", () => {
    const changed = (
      { architecture, ...rest }: NetworkPreset,
      change: (layer: Architecture[number]) => Architecture[number],
    ): NetworkPreset => ({ ...rest, architecture: architecture.map(change) });
    const patches = convergencePatches(PATCHES);
    const residual = convergenceResidual({ ...SIZES, tau: 0.25 });
    const others: NetworkPreset[] = [
      ...[patches, residual].flatMap((preset) =>
        (["all", "last"] as const).map((trained: Trained) => ({ ...preset, trained })),
      ),
      changed(patches, (layer) => (layer.kind === "conv" ? { ...layer, padding: "same" } : layer)),
      changed(patches, (layer) => (layer.kind === "conv" ? { ...layer, wStd: 1 } : layer)),
      changed(patches, (layer) => (layer.kind === "conv" ? { ...layer, bStd: 0.1 } : layer)),
      changed(residual, (layer) => (layer.kind === "residual" ? { ...layer, main: layer.main.slice(0, 1) } : layer)),
      changed(residual, (layer) => (layer.kind === "dense" ? { ...layer, wStd: 1 } : layer)),
      { architecture: parseArchitecture("dense(8) relu [dense(8) relu] dense(2)"), input: [3], trained: "hidden" },
      { architecture: parseArchitecture("dense(2)"), input: [3], trained: "all" },
    ];
    for (const other of others) expect(formOf(other)).toBeNull();
    let blocks = 0;
    const uneven = changed(residual, (layer) =>
      layer.kind === "residual" && ++blocks === 2
        ? {
            ...layer,
            main: [layer.main[0]!, { kind: "activation", name: "polynomial", parameters: { coef: [0, 0.3] } }],
          }
        : layer,
    );
    expect(formOf(uneven)).toBeNull();
    for (const { architecture, input } of [patches, residual]) {
      const graph = networkGraph(architecture, input);
      expect(theoryScale(graph, trainedRanges(graph))).toBeNull();
    }
  });
});

describe("rows of convolutional and residual networks", () => {
  it("separation, loss: of patches, and steps times delta^2 / log(1 / eps) (Theorem 7)", () => {
    const [n, wide] = [6, { ...PATCHES, width: 64 }];
    const inputs = patchInputs(n, 4, 5);
    withPreset(convergencePatches(wide), inputs, n, ({ trainer, look }) => {
      let least = Number.POSITIVE_INFINITY;
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < i; j++) {
          const distances = [0, 1, 2, 3].map((p) =>
            Math.hypot(...[0, 1, 2, 3, 4].map((k) => inputs[(4 * i + p) * 5 + k]! - inputs[(4 * j + p) * 5 + k]!)),
          );
          least = Math.min(least, Math.max(...distances));
        }
      }
      const rows = look("separation");
      expect(rows.get("patch-separation")!.value).toBeCloseTo(least, 13);
      expect(rows.get("patch-norm-error")!.value).toBeLessThan(1e-14);
      const { loss: first } = trainer.evaluate();
      expect(look("loss").has("steps-scaled")).toBe(false);
      for (let step = 0; step < 9; step++) trainer.step();
      const row = look("loss").get("steps-scaled")!;
      expect(row.bound).toBeNull();
      expect(row.value).toBeCloseTo((9 * least ** 2) / Math.log(first / trainer.evaluate().loss), 8);
    });
  });

  it("loss of fully connected networks: steps beside n^6 L^2, of stochastic descent and momentum none", () => {
    const n = 5;
    const inputs = randomUnitInputs(n, 5, 3);
    const preset = convergenceNetwork({ ...SIZES, width: 64 });
    withPreset(preset, inputs, n, ({ trainer, look }) => {
      const { loss: first } = trainer.evaluate();
      look("loss");
      trainer.step();
      const row = look("loss").get("steps-scaled")!;
      const { separation } = dataSeparation(compute, inputs, n, 5);
      expect(row.bound).toBe(n ** 6 * 9);
      expect(row.value).toBeCloseTo(separation ** 2 / Math.log(first / trainer.evaluate().loss), 8);
    });
    for (const settings of [{ batch: 2 }, { noise: 0.1 }]) {
      compute.scope((scope) => {
        const run = presetTraining(compute, scope, preset, inputs, normalTargets(n, 2, 5), {
          ...rate(0.002),
          ...settings,
        });
        run.look("loss");
        run.trainer.step();
        expect(run.look("loss").has("steps-scaled")).toBe(false);
      });
    }
  });

  it("separation: 1 / tau beside L log m and its square (Theorem 8)", () => {
    withPreset(convergenceResidual({ ...SIZES, tau: 0.25 }), randomUnitInputs(4, 5, 3), 4, ({ look }) => {
      const rows = look("separation");
      expect(rows.get("residual-scale-lower")).toMatchObject({ value: 4, bound: 3 * Math.log(12) });
      expect(rows.get("residual-scale-upper")).toMatchObject({ value: 4, bound: (3 * Math.log(12)) ** 2 });
      expect(look("gradient").has("gradient-upper")).toBe(false);
    });
  });

  it("forward: norms of wide networks are near sqrt(S), and between 1 and (1 + 2 tau^2)^(l / 2)", () => {
    const width = 500;
    withPreset(convergencePatches({ ...PATCHES, width, depth: 2 }), patchInputs(4, 4, 5), 4, ({ look }) => {
      const rows = [...look("forward")].filter(([name]) => name.startsWith("forward-norm") && name.includes(" "));
      expect(rows).toHaveLength(6);
      for (const [, { value, bound }] of rows) {
        expect(bound).toBe(2);
        expect(value / 2).toBeGreaterThan(0.85);
        expect(value / 2).toBeLessThan(1.15);
      }
    });
    const preset = convergenceResidual({ ...SIZES, width, depth: 4, tau: 0.5 });
    withPreset(preset, randomUnitInputs(4, 5, 3), 4, ({ look }) => {
      const rows = [...look("forward")].filter(([name]) => name.includes(" "));
      const of = (name: string) => rows.filter(([key]) => key.startsWith(name)).map(([, row]) => row);
      const [least, largest] = [of("forward-norm-least"), of("forward-norm-largest")];
      expect(largest.map(({ bound }) => bound)).toEqual([0, 1, 2, 3, 3].map((l) => 1.5 ** (l / 2)));
      for (const { value, bound } of least) expect(value).toBeGreaterThan(0.85 * bound!);
      for (const { value, bound } of largest) expect(value).toBeLessThan(1.15 * bound!);
      // The bound is of use: it is not far above.
      expect(largest[3]!.value / largest[3]!.bound!).toBeGreaterThan(0.7);
    });
  });

  it("patchSeparation of one patch is dataSeparation, of one input infinite", () => {
    const { normal } = randomStream(8, "patches");
    const inputs = Float64Array.from({ length: 60 }, normal);
    expect(patchSeparation(inputs, 12, 1, 5).separation).toBeCloseTo(
      dataSeparation(compute, inputs, 12, 5).separation,
      13,
    );
    expect(patchSeparation(inputs, 1, 2, 5).separation).toBe(Number.POSITIVE_INFINITY);
  });

  it("dataSeparation tells inputs apart that are far from zero and close to each other", () => {
    const inputs = Float64Array.of(1e6, 1, 1e6, 1 + 1e-4, -1e6, 3, 1e6, 1.5);
    expect(dataSeparation(compute, inputs, 4, 2).separation).toBeCloseTo(1e-4, 12);
    const same = new Float64Array(12).fill(0.1);
    expect(dataSeparation(compute, same, 4, 3).separation).toBe(0);
  });
});

describe("paces of monitors", () => {
  it("paceOf keeps to its share, in powers of two; stepsOf counts work in steps", () => {
    for (const steps of [1e-9, 0.3, 1, 7.7, 1000]) {
      const pace = paceOf(steps, 0.008);
      expect(Number.isInteger(Math.log2(pace))).toBe(true);
      expect(steps / pace).toBeLessThanOrEqual(0.008);
      expect(pace === 1 || steps / pace > 0.004).toBe(true);
    }
    expect(paceOf(5, 0)).toBe(Number.MAX_SAFE_INTEGER);
    const graph = networkGraph(parseArchitecture("dense(500) relu dense(500) relu dense(3)"), [100]);
    // A look that is a step: two passes of the batch.
    expect(stepsOf({ ownPasses: 2 * 64 }, graph, 64, "single")).toBeCloseTo(1, 1);
    expect(stepsOf({ passes: 2 * 64 }, graph, 64, "single")).toBeCloseTo(2, 0);
  });
});
