import type { FitJson } from "../../src/experiments/fit-types.ts";
import type { NewRun } from "../../src/experiments/run-store.ts";

/** The JSON of a small fit. */
export const fit: FitJson = {
  schema: 1,
  command: "fit",
  version: "0.0.0",
  run: null,
  problem: {
    rows: 4,
    features: 1,
    outputs: 1,
    loss: "squared",
    scaling: "mean",
    beta: 0.1,
    betaMax: 1,
    bias: "column",
    program: "relu",
  },
  result: {
    status: "optimal",
    objective: 0.5,
    lowerBound: 0.5,
    gap: 0,
    scope: "all-patterns",
    method: "exact-rank-2",
    neurons: 1,
    patterns: 2,
    iterations: 3,
    seconds: 0.1,
    listed: null,
  },
  rigorous: false,
  metrics: { train: { rmse: 1 }, test: null, baselines: {} },
  backend: { name: "wasm", blas: null, simd: "plain", threads: 1 },
};

/** A run with this hash, ready to be published. */
export function newRun(hash: string, changes: Partial<NewRun> = {}): NewRun {
  return {
    hash,
    date: "2026-01-02",
    created: "2026-01-02T03:04:05.000Z",
    stem: "table",
    settings: { data: "table.csv" },
    verdict: ["Certified."],
    interrupted: false,
    fit,
    files: [
      { name: "model.onnx", bytes: new Uint8Array([1, 2, 3]) },
      { name: "figures/a.svg", bytes: new TextEncoder().encode("<svg/>") },
    ],
    ...changes,
  };
}
