import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { kernelMatrix, tableEngine } from "../../src/experiments/kernel-matrix.ts";
import { regressOnDisk, tileBytes } from "../../src/experiments/kernel-tiles.ts";
import { weightedTargets } from "../../src/experiments/kernel-weights.ts";
import { parseArchitecture } from "../../src/network/architecture/index.ts";
import { centered, factorizedRegression, kernelEigen, summarizeKernel } from "../../src/tangent/index.ts";
import { distance, normalMatrix } from "../tangent/kernels.ts";

let compute: Compute;
const folder = mkdtempSync(join(tmpdir(), "overparam-tiles-"));
beforeAll(async () => {
  compute = await createCompute({ threads: 1 });
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await compute.close();
});

const X = normalMatrix("disk", 70, 4);
const Y = normalMatrix("disk targets", 70, 2);
const engine = tableEngine(parseArchitecture("dense(8, b=1) relu dense(1)"), 4, "ntk");

test("regressOnDisk gives what a matrix in memory gives, tells its progress, and leaves nothing behind", () => {
  const K = kernelMatrix(compute, engine, "ntk", X, () => {});
  const whole = factorizedRegression(compute, K, Y, { ridge: "auto" });
  const shares: number[] = [];
  const tick = (share: number): void => {
    shares.push(share);
  };
  const disk = regressOnDisk(compute, engine, "ntk", X, Y, folder, { ridge: "auto" }, tick, 32);
  expect(disk.regression.ridge).toBeCloseTo(whole.ridge, 12);
  expect(disk.regression.points).toHaveLength(whole.points.length);
  expect(distance(disk.regression.dual.data, whole.dual.data)).toBeLessThan(1e-8);
  expect(distance(disk.regression.fitted.data, whole.fitted.data)).toBeLessThan(1e-8);
  const readRows = (from: number, count: number) => K.data.subarray(from * 70, (from + count) * 70);
  const summary = summarizeKernel(compute, 70, readRows, centered(Y));
  expect(disk.summary.effectiveDimension).toBeCloseTo(summary.effectiveDimension, 9);
  expect(disk.summary.alignment).toBeCloseTo(summary.alignment!, 9);
  expect(disk.largestEigenvalue / kernelEigen(compute, K).values.at(-1)!).toBeCloseTo(1, 4);
  expect(shares).toHaveLength(6);
  expect(shares.at(-1)).toBe(1);
  expect(readdirSync(folder)).toEqual([]);
  expect(tileBytes(70, 32)).toBe(2 * 8 * 6 * 32 * 32);
});

test("regressOnDisk with weights gives what a matrix in memory gives", () => {
  const weights = normalMatrix("disk weights", 70, 1).data.map((value) => Math.exp(value));
  const K = kernelMatrix(compute, engine, "ntk", X, () => {});
  const whole = factorizedRegression(compute, K, Y, { ridge: "auto", weights });
  const disk = regressOnDisk(compute, engine, "ntk", X, Y, folder, { ridge: "auto", weights }, () => {}, 32);
  expect(disk.regression.ridge / whole.ridge).toBeCloseTo(1, 9);
  expect(distance(disk.regression.dual.data, whole.dual.data)).toBeLessThan(1e-8);
  const S = K.data.map((value, k) => value * Math.sqrt(weights[Math.floor(k / 70)]! * weights[k % 70]!));
  const readRows = (from: number, count: number) => S.subarray(from * 70, (from + count) * 70);
  const summary = summarizeKernel(compute, 70, readRows, weightedTargets(Y, weights));
  expect(disk.summary.trace).toBeCloseTo(summary.trace, 9);
  expect(disk.summary.effectiveDimension).toBeCloseTo(summary.effectiveDimension, 9);
  expect(disk.summary.alignment).toBeCloseTo(summary.alignment!, 9);
  expect(disk.largestEigenvalue / kernelEigen(compute, { ...K, data: S }).values.at(-1)!).toBeCloseTo(1, 4);
});

test("regressOnDisk removes its files when it is stopped", () => {
  const stop = (): never => {
    throw new Error("stopped");
  };
  expect(() => regressOnDisk(compute, engine, "ntk", X, Y, folder, { ridge: 1 }, stop, 32)).toThrow("stopped");
  expect(readdirSync(folder)).toEqual([]);
});
