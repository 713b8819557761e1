import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { ConfigError } from "../../src/base/errors.ts";
import { loadDataset } from "../../src/data/index.ts";
import { FitCancelled, type FitEvent } from "../../src/experiments/fit-types.ts";
import { runKernelFit } from "../../src/experiments/kernel-model.ts";
import { kernelFitJsonSchema } from "../../src/experiments/kernel-model-json.ts";
import type { KernelOutcome } from "../../src/experiments/kernel-model-outcome.ts";
import { findContradiction, type KernelFitSettings } from "../../src/experiments/kernel-model-settings.ts";
import { findKernelModel, predictKernelRows } from "../../src/experiments/kernel-predict.ts";
import { readModel } from "../../src/experiments/predict.ts";
import { readKernelModel } from "../../src/formats/index.ts";
import { now } from "../../src/platform/clock.ts";
import { type Kind, smallFit } from "./tables.ts";

function kernelFit(kind: Kind, more: Partial<KernelFitSettings> & { rows?: number } = {}): KernelFitSettings {
  const { model = "ntk", arch, ridge, ...rest } = more;
  return { ...smallFit(kind, rest), model, arch, ridge };
}

async function fitted(
  settings: KernelFitSettings,
  cancelled: () => boolean = () => false,
): Promise<{ outcome: KernelOutcome; events: FitEvent[] }> {
  const events: FitEvent[] = [];
  const outcome = await runKernelFit(settings, {
    emit: (event) => events.push(event),
    cancelled,
    now,
    started: now(),
  });
  return { outcome, events };
}

const fileOf = ({ files }: KernelOutcome, name: string): Uint8Array => files.find((file) => file.name === name)!.bytes;
const textOf = (outcome: KernelOutcome, name: string): string => new TextDecoder().decode(fileOf(outcome, name));

/** The model of an outcome as a file, removed after the test. */
function saved(outcome: KernelOutcome): string {
  const folder = mkdtempSync(join(tmpdir(), "overparam-kernel-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "model.safetensors");
  writeFileSync(file, fileOf(outcome, "model.safetensors"));
  return file;
}

describe("runKernelFit", () => {
  test.each(["number", "two", "three"] as const)(
    "of a target %s is what predictKernelRows makes of its model",
    async (kind) => {
      const settings = kernelFit(kind);
      const { outcome, events } = await fitted(settings);
      const { json } = outcome;
      expect(kernelFitJsonSchema.parse(JSON.parse(JSON.stringify(json)))).toEqual(json);
      expect(json.problem.outputs).toBe(kind === "three" ? 3 : 1);
      expect(json.result.status).toBe("exact");
      expect(json.result.ridges.length).toBeGreaterThan(20);
      expect(events[0]?.kind).toBe("data");
      expect(events.some((event) => event.kind === "progress" && event.stage === "ridge")).toBe(true);
      const file = saved(outcome);
      const model = findKernelModel(file)!;
      // All rows of the table: training and held-out ones together.
      const all = await predictKernelRows(model, settings.data, { deviations: false });
      const { rows } = json.problem;
      const metric = kind === "number" ? "rmse" : "accuracy";
      const test = loadDataset({ file: settings.data, target: "target" }).test!.y.length;
      const mean = (a: number, b: number): number =>
        kind === "number"
          ? Math.sqrt((rows * a ** 2 + test * b ** 2) / (rows + test))
          : (rows * a + test * b) / (rows + test);
      expect(all.metrics![metric]).toBeCloseTo(mean(json.metrics.train[metric]!, json.metrics.test![metric]!), 8);
      expect(() => readModel(file)).toThrow(/kernel regression, not a network/);
      const names = outcome.files.map(({ name }) => name);
      expect(names).toEqual(
        expect.arrayContaining(["report.html", "figures/leave-one-out.svg", "figures/spectrum.svg"]),
      );
      expect(textOf(outcome, "report.html")).toContain("Solved exactly");
      expect(textOf(outcome, "README.md")).toContain("--model ntk");
    },
  );

  test("leaves one out as a fit without the row does", async () => {
    const settings = kernelFit("number", { rows: 7, split: 0, standardize: "none", ridge: 0.3, model: "nngp" });
    const { outcome } = await fitted(settings);
    const { train } = loadDataset({ file: settings.data, target: "target", split: "none", standardize: "none" });
    let squares = 0;
    for (let left = 0; left < 7; left++) {
      const table = (keep: (i: number) => boolean): string => {
        const lines = Array.from({ length: 7 }, (_, i) => i)
          .filter(keep)
          .map((i) => [train.X.data[2 * i], train.X.data[2 * i + 1], train.y[i]].join(","));
        return `a,b,target\n${lines.join("\n")}\n`;
      };
      const folder = mkdtempSync(join(tmpdir(), "overparam-left-"));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const [rest, one] = [join(folder, "rest.csv"), join(folder, "one.csv")];
      writeFileSync(
        rest,
        table((i) => i !== left),
      );
      writeFileSync(
        one,
        table((i) => i === left),
      );
      const without = await fitted({ ...settings, data: rest });
      const { scores } = await predictKernelRows(findKernelModel(saved(without.outcome))!, one, { deviations: false });
      squares += (scores.data[0]! - train.y[left]!) ** 2 / 7;
    }
    expect(outcome.json.result.leaveOneOutError).toBeCloseTo(squares, 9);
    expect(outcome.json.metrics.leaveOneOut["rmse"]).toBeCloseTo(Math.sqrt(squares), 9);
  });

  test("with weights of whole numbers is the fit of a table with its rows so many times, without those of weight 0", async () => {
    const folder = mkdtempSync(join(tmpdir(), "overparam-weights-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const settings = kernelFit("number", { split: 0, standardize: "none", ridge: 0.3 });
    const { train } = loadDataset({ file: settings.data, target: "target", split: "none", standardize: "none" });
    const rows = train.y.length;
    const countOf = (i: number): number => i % 4;
    const line = (i: number): string => [train.X.data[2 * i], train.X.data[2 * i + 1], train.y[i]].join(",");
    const every = Array.from({ length: rows }, (_, i) => i);
    const [weighted, repeated] = [join(folder, "weighted.csv"), join(folder, "repeated.csv")];
    writeFileSync(weighted, `a,b,target,w\n${every.map((i) => `${line(i)},${countOf(i)}`).join("\n")}\n`);
    const many = every.flatMap((i) => new Array<string>(countOf(i)).fill(line(i)));
    writeFileSync(repeated, `a,b,target\n${many.join("\n")}\n`);
    const one = await fitted({ ...settings, data: weighted, weights: "w" });
    const other = await fitted({ ...settings, data: repeated });
    const { json } = one.outcome;
    expect(kernelFitJsonSchema.parse(JSON.parse(JSON.stringify(json)))).toEqual(json);
    const counted = every.filter((i) => countOf(i) > 0).length;
    expect([json.problem.rows, json.problem.weights]).toEqual([rows, { column: "w", rows: counted }]);
    expect(one.events.some((event) => event.kind === "note" && event.text.includes("no weight"))).toBe(true);
    expect(textOf(one.outcome, "report.html")).toContain("sample weights");
    expect(json.result.effectiveDimension).toBeCloseTo(other.outcome.json.result.effectiveDimension, 8);
    expect(json.result.largestEigenvalue).toBeCloseTo(other.outcome.json.result.largestEigenvalue, 8);
    expect(json.result.alignment).toBeCloseTo(other.outcome.json.result.alignment!, 8);
    const predictions = await Promise.all(
      [one, other].map(({ outcome }) =>
        predictKernelRows(findKernelModel(saved(outcome))!, settings.data, { deviations: true }),
      ),
    );
    const [ours, theirs] = predictions.map(({ scores }) => scores.data);
    expect(Math.max(...ours!.map((value, k) => Math.abs(value - theirs![k]!)))).toBeLessThan(1e-8);
    // The scale of the deviations comes from leave-one-out errors, which are others: up to it they are the same.
    const [a, b] = predictions.map(({ deviations }) => deviations!.data);
    const ratio = a![0]! / b![0]!;
    expect(Math.max(...a!.map((value, k) => Math.abs(value / b![k]! / ratio - 1)))).toBeLessThan(1e-7);
  });

  test("has standard deviations of numbers, in their units, and none of classes", async () => {
    const settings = kernelFit("number");
    const { outcome } = await fitted(settings);
    const model = findKernelModel(saved(outcome))!;
    const { deviations } = await predictKernelRows(model, settings.data, { deviations: true });
    const noise = outcome.json.result.noise![0]!;
    expect(deviations!.rows).toBe(40);
    expect(deviations!.data.every((value) => value >= noise * (1 - 1e-9))).toBe(true);
    const classes = await fitted(kernelFit("two"));
    expect(classes.outcome.json.result.noise).toBeNull();
    const two = findKernelModel(saved(classes.outcome))!;
    await expect(predictKernelRows(two, settings.data, { deviations: true })).rejects.toThrow(/no standard deviation/);
  });

  test("takes several targets, and scales each", async () => {
    const settings = kernelFit("number");
    const { outcome } = await fitted({ ...settings, target: "b,target" });
    expect(outcome.json.problem.outputs).toBe(2);
    const model = findKernelModel(saved(outcome))!;
    const { scores, metrics, deviations } = await predictKernelRows(model, settings.data, { deviations: true });
    expect([scores.cols, deviations!.cols]).toEqual([2, 2]);
    expect(Object.keys(metrics!)).toEqual(Object.keys(outcome.json.metrics.train));
  });

  test("says when ridge 0 is not possible, and which ridge was taken", async () => {
    const settings = kernelFit("number", { ridge: 0, split: 0 });
    const { outcome, events } = await fitted(settings);
    expect(outcome.json.problem.ridgeChosen).toBe(false);
    expect(outcome.json.result.jitter).toBe(outcome.json.problem.ridge);
    expect(events.some((event) => event.kind === "note" && event.text.includes("singular up to rounding"))).toBe(true);
    // It interpolates.
    expect(outcome.json.metrics.train["rmse"]).toBeLessThan(1e-6);
  });

  test("names the run by what matters: the same settings give the same id, another network another one", async () => {
    const settings = kernelFit("number");
    const [first, again] = [await fitted(settings), await fitted({ ...settings, out: "elsewhere" })];
    expect(again.outcome.id).toBe(first.outcome.id);
    expect(fileOf(again.outcome, "model.safetensors")).toEqual(fileOf(first.outcome, "model.safetensors"));
    const other = await fitted({ ...settings, arch: "dense(8) erf dense(1)" });
    expect(other.outcome.id).not.toBe(first.outcome.id);
    expect(readKernelModel(fileOf(other.outcome, "model.safetensors"), "model").architecture).toHaveLength(3);
  });

  test("ends when cancelled: without a result before the kernel matrix, with the best so far later", async () => {
    await expect(fitted(kernelFit("number"), () => true)).rejects.toThrow(FitCancelled);
    let polls = 0;
    const { outcome } = await fitted(kernelFit("number"), () => ++polls > 2);
    expect(outcome.interrupted).toBe(true);
    expect(outcome.json.result.status).toBe("interrupted");
  });

  test("refuses networks for images and layers without a kernel", async () => {
    await expect(fitted(kernelFit("number", { arch: "conv(3, 3) relu gap dense(1)" }))).rejects.toThrow(/for images/);
    await expect(fitted(kernelFit("number", { arch: "dense(3) tanh dense(1)" }))).rejects.toThrow(ConfigError);
    await expect(fitted(kernelFit("number", { arch: "dense(3" }))).rejects.toThrow(ConfigError);
  });
});

test("findContradiction names what has no meaning for the model", () => {
  const settings = smallFit("number");
  const found = (more: Record<string, unknown>, resumes = false) =>
    findContradiction({ ...settings, ...more }, resumes)?.key ?? null;
  expect(found({})).toBeNull();
  expect(found({ ridge: 1 })).toBe("ridge");
  expect(found({ model: "relu", arch: "dense(1)" })).toBe("arch");
  expect(found({ model: "ntk" })).toBeNull();
  expect(found({ model: "ntk", loss: "squared", ridge: 0.1 })).toBeNull();
  expect(found({ model: "ntk", weights: "w" })).toBeNull();
  const refused = { beta: 1, betaRatio: 0.1, bias: "none", gates: "g.npy", huber: 2, loss: "logistic" };
  for (const [key, value] of Object.entries({ ...refused, tolerance: 0.1, requireGap: 0.1, patterns: "all" })) {
    expect([key, found({ model: "nngp", [key]: value })]).toEqual([key, key]);
  }
  expect(found({ model: "ntk" }, true)).toBe("resume");
});
