/**
 * GFLOP/s (GB/s for the product that is bound by memory) of the dense kernels, one column a backend, with NumPy beside
 * them when OVERPARAM_PEERS names a Python that has it. The columns are interleaved run by run, and medians are shown.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type Compute, type ComputeOptions, createCompute } from "../src/compute/index.ts";

const RUNS = 7;

interface Case {
  readonly name: string;
  readonly kind: "gemm" | "normal" | "cholesky";
  readonly n: number;
  /** Floating-point operations, or bytes read, of one run. */
  readonly work: number;
}

const CASES: readonly Case[] = [
  ...[256, 512, 1024, 2048].map((n) => ({ name: `gemm ${n}`, kind: "gemm" as const, n, work: 2 * n ** 3 })),
  ...[2048, 4096].map((n) => ({ name: `A^T(Ax) ${n} GB/s`, kind: "normal" as const, n, work: 8 * n ** 2 })),
  ...[1024, 2048].map((n) => ({ name: `cholesky ${n}`, kind: "cholesky" as const, n, work: n ** 3 / 3 })),
];

/** Seconds of one run of a case; the problem is made anew, outside the clock. */
type Column = (work: Case) => Promise<number>;

function ourColumn(compute: Compute): Column {
  return async ({ kind, n }) =>
    compute.scope((scope) => {
      const a = scope.f64(n * n).map((_, i) => ((i * 37) % 101) / 101 - 0.5);
      const left = scope.copy(a);
      const right = scope.copy(a);
      const out = scope.f64(n * n);
      if (kind === "cholesky") {
        compute.gemm(false, true, n, n, n, 1 / n, left, n, left, n, 0, out, n);
        for (let i = 0; i < n; i++) out[i * n + i] = out[i * n + i]! + 1;
      }
      const start = performance.now();
      if (kind === "gemm") compute.gemm(false, false, n, n, n, 1, left, n, right, n, 0, out, n);
      else if (kind === "normal") compute.normalProduct(n, n, left, n, right, out);
      else if (compute.cholesky(n, out, n) !== 0) throw new Error("the benchmark's matrix is not positive definite");
      return (performance.now() - start) / 1000;
    });
}

const NUMPY = `
import sys, time
import numpy as np
for line in sys.stdin:
    kind, n = line.split(); n = int(n)
    a = ((np.arange(n * n) * 37) % 101 / 101 - 0.5).reshape(n, n); b = a.copy(); x = a[0].copy()
    g = a @ a.T / n + np.eye(n) if kind == "cholesky" else None
    start = time.perf_counter()
    if kind == "gemm": a @ b
    elif kind == "normal": a.T @ (a @ x)
    else: np.linalg.cholesky(g)
    print(time.perf_counter() - start, flush=True)
`;

function numpyColumn(process: ChildProcessWithoutNullStreams): Column {
  const lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
  return async ({ kind, n }) => {
    process.stdin.write(`${kind} ${n}\n`);
    const line = await lines.next();
    if (line.done) throw new Error("the Python of OVERPARAM_PEERS ended: does it have numpy?");
    return Number(line.value);
  };
}

async function tryCompute(options: ComputeOptions): Promise<Compute | null> {
  try {
    return await createCompute(options);
  } catch {
    return null;
  }
}

const candidates: readonly ComputeOptions[] = [
  { backend: "wasm", simd: "plain", threads: 1 },
  { backend: "wasm", simd: "relaxed", threads: 1 },
  { backend: "wasm" },
  { backend: "blas" },
];
const computes = (await Promise.all(candidates.map(tryCompute))).filter((compute) => compute !== null);
const columns = new Map<string, Column>();
for (const compute of computes) {
  const { name, blas, simd, threads } = compute.info;
  columns.set(`${name === "blas" ? blas : `wasm ${simd}`} x${threads}`, ourColumn(compute));
}
const python = process.env["OVERPARAM_PEERS"];
const peer = python === undefined ? null : spawn(python, ["-c", NUMPY]);
if (peer !== null) columns.set("NumPy", numpyColumn(peer));

const cell = (text: string): string => text.padStart(18);
process.stdout.write(`${"GFLOP/s, median".padEnd(20)}${[...columns.keys()].map(cell).join("")}\n`);
for (const work of CASES) {
  const seconds = new Map([...columns.keys()].map((name) => [name, [] as number[]]));
  // The first round warms up and is left out.
  for (let run = 0; run <= RUNS; run++) {
    for (const [name, column] of columns) {
      const time = await column(work);
      if (run > 0) seconds.get(name)!.push(time);
    }
  }
  const rates = [...seconds.values()].map((times) => work.work / times.sort((a, b) => a - b)[RUNS >> 1]! / 1e9);
  process.stdout.write(`${work.name.padEnd(20)}${rates.map((rate) => cell(rate.toFixed(1))).join("")}\n`);
}
peer?.stdin.end();
await Promise.all(computes.map((compute) => compute.close()));
