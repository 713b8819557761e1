/**
 * Speed of the dense kernels: one column a backend, with NumPy and SciPy beside them when OVERPARAM_PEERS names a Python
 * that has both. GFLOP/s, or GB/s for the product that is bound by memory. The columns are interleaved run by run and
 * medians are shown; under each row, the ratios to the peer with the bar that each backend has to reach.
 *
 * Every run comes after a pause, in which the threads of the other columns stop polling for work (OpenBLAS: 30 ms), and
 * after untimed runs, which wake its own threads. Without the two, each column pays for its neighbour.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { loadavg } from "node:os";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Compute, type ComputeOptions, createCompute } from "../src/compute/index.ts";

const { values: flags } = parseArgs({
  options: { runs: { type: "string", default: "7" }, filter: { type: "string", default: "" } },
});
const RUNS = Number(flags.runs);

/** Between two columns. */
const PAUSE_MS = 80;
/** Untimed runs take at least this long; there is at least one. */
const WARM_MS = 5;

type Kind = "gemm" | "gemm32" | "normal" | "cholesky" | "eigen";

interface Case {
  readonly name: string;
  readonly kind: Kind;
  readonly n: number;
  /** Floating-point operations, or bytes read, of one run. */
  readonly work: number;
  /** Least ratio to the peer's rate: on a system BLAS, on the plain and on the relaxed WebAssembly build. */
  readonly bars?: { readonly blas: number; readonly plain: number; readonly relaxed: number };
}

const GEMM_BARS = { blas: 0.95, plain: 0.27, relaxed: 0.4 };
const NORMAL_BARS = { blas: 1.3, plain: 1.3, relaxed: 1.3 };
const CHOLESKY_BARS = { blas: 0.9, plain: 1 / 2.5, relaxed: 1 / 2.5 };
const EIGEN_BARS = { blas: 0.9, plain: 1 / 6, relaxed: 1 / 6 };

const CASES: readonly Case[] = [
  { name: "gemm f64 256", kind: "gemm", n: 256, work: 2 * 256 ** 3 },
  { name: "gemm f64 1024", kind: "gemm", n: 1024, work: 2 * 1024 ** 3, bars: GEMM_BARS },
  { name: "gemm f64 2048", kind: "gemm", n: 2048, work: 2 * 2048 ** 3, bars: GEMM_BARS },
  { name: "gemm f32 1024", kind: "gemm32", n: 1024, work: 2 * 1024 ** 3, bars: GEMM_BARS },
  { name: "gemm f32 2048", kind: "gemm32", n: 2048, work: 2 * 2048 ** 3, bars: GEMM_BARS },
  { name: "A^T(Ax) 4096 GB/s", kind: "normal", n: 4096, work: 8 * 4096 ** 2, bars: NORMAL_BARS },
  { name: "cholesky 128", kind: "cholesky", n: 128, work: 128 ** 3 / 3 },
  { name: "cholesky 2048", kind: "cholesky", n: 2048, work: 2048 ** 3 / 3, bars: CHOLESKY_BARS },
  // The usual count for eigenvalues and vectors of a symmetric matrix.
  { name: "eigen 1024", kind: "eigen", n: 1024, work: 9 * 1024 ** 3, bars: EIGEN_BARS },
];

interface Column {
  readonly title: string;
  /** Which of the bars applies; the peer has none. */
  readonly bar: "blas" | "plain" | "relaxed" | null;
  /** Whether it takes part in a case: minutes of waiting would tell nothing more. */
  takes(kind: Kind): boolean;
  /** Seconds of one run, after {@link WARM_MS} of them. */
  run(work: Case): Promise<number>;
}

/** Seconds of one `body` after untimed ones; `ready` makes its input anew each time, outside the clock. */
function clocked(body: () => void, ready: () => void = () => {}): number {
  const timed = (): number => {
    ready();
    const start = performance.now();
    body();
    return performance.now() - start;
  };
  for (let spent = 0; spent < WARM_MS; ) spent += timed();
  return timed() / 1000;
}

function ourColumn(compute: Compute): Column {
  const { name, blas, simd, threads } = compute.info;
  return {
    title: `${name === "blas" ? blas : `wasm ${simd}`} x${threads}`,
    bar: name === "blas" ? "blas" : simd === "plain" ? "plain" : "relaxed",
    takes: (kind) => kind !== "eigen" || threads > 1 || name === "blas",
    run: async ({ kind, n }) =>
      compute.scope((scope) => {
        const entries = Float64Array.from({ length: n * n }, (_, i) => ((i * 37) % 101) / 101 - 0.5);
        if (kind === "gemm32") {
          const [left, right, product] = [scope.f32(n * n), scope.f32(n * n), scope.f32(n * n)];
          left.set(entries);
          right.set(entries);
          return clocked(() => compute.f32.gemm(false, false, n, n, n, 1, left, n, right, n, 0, product, n));
        }
        const left = scope.copy(entries);
        const right = scope.copy(entries);
        const out = scope.f64(n * n);
        if (kind === "gemm") return clocked(() => compute.gemm(false, false, n, n, n, 1, left, n, right, n, 0, out, n));
        if (kind === "normal") return clocked(() => compute.normalProduct(n, n, left, n, right, out));
        compute.gemm(false, true, n, n, n, 1 / n, left, n, left, n, 0, right, n);
        for (let i = 0; i < n; i++) {
          right[i * n + i] = right[i * n + i]! + 1;
          for (let j = 0; j < i; j++) right[j * n + i] = right[i * n + j]!;
        }
        const ready = (): void => out.set(right);
        if (kind === "eigen") return clocked(() => compute.symmetricEigen(n, out, n, left), ready);
        return clocked(() => {
          if (compute.cholesky(n, out, n) !== 0) throw new Error("the benchmark's matrix is not positive definite");
        }, ready);
      }),
  };
}

const PEER = `
import sys, time
import numpy as np
import scipy.linalg
for line in sys.stdin:
    kind, n = line.split(); n = int(n)
    a = ((np.arange(n * n) * 37) % 101 / 101 - 0.5).reshape(n, n)
    if kind == "gemm32": a = a.astype(np.float32)
    b = a.copy(); x = a[0].copy()
    g = a @ a.T / n + np.eye(n) if kind in ("cholesky", "eigen") else None
    def run():
        h = g.copy() if g is not None else None
        start = time.perf_counter()
        if kind == "normal": a.T @ (a @ x)
        elif kind == "cholesky": scipy.linalg.cholesky(h, lower=True, overwrite_a=True, check_finite=False)
        elif kind == "eigen": scipy.linalg.eigh(h, driver="evd", overwrite_a=True, check_finite=False)
        else: a @ b
        return time.perf_counter() - start
    spent = 0
    while spent < ${WARM_MS / 1000}: spent += run()
    print(run(), flush=True)
`;

function peerColumn(process: ChildProcessWithoutNullStreams): Column {
  const lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
  return {
    title: "NumPy/SciPy",
    bar: null,
    takes: () => true,
    run: async ({ kind, n }) => {
      process.stdin.write(`${kind} ${n}\n`);
      const line = await lines.next();
      if (line.done) throw new Error("the Python of OVERPARAM_PEERS ended: does it have numpy and scipy?");
      return Number(line.value);
    },
  };
}

async function tryCompute(options: ComputeOptions): Promise<Compute | null> {
  try {
    return await createCompute(options);
  } catch {
    return null;
  }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const cell = (text: string): string => text.padStart(20);
const print = (title: string, cells: readonly string[]): void =>
  void process.stdout.write(`${title.padEnd(20)}${cells.map(cell).join("")}`.trimEnd().concat("\n"));

const candidates: readonly ComputeOptions[] = [
  { backend: "wasm", simd: "plain", threads: 1 },
  { backend: "wasm", simd: "relaxed", threads: 1 },
  { backend: "wasm", simd: "plain" },
  { backend: "wasm", simd: "relaxed" },
  { backend: "blas" },
];
const computes = (await Promise.all(candidates.map(tryCompute))).filter((compute) => compute !== null);
const columns = computes.map(ourColumn);
const python = process.env["OVERPARAM_PEERS"];
const peerProcess = python === undefined ? null : spawn(python, ["-c", PEER]);
const peer = peerProcess === null ? null : peerColumn(peerProcess);
const all = peer === null ? columns : [...columns, peer];

process.stdout.write(`load of the machine at the start: ${loadavg()[0]!.toFixed(1)}; median of ${RUNS} runs\n`);
print(
  "GFLOP/s",
  all.map(({ title }) => title),
);
for (const work of CASES.filter(({ name }) => name.includes(flags.filter))) {
  const taking = all.filter(({ takes }) => takes(work.kind));
  const seconds = new Map(taking.map((column) => [column, [] as number[]]));
  for (let run = 0; run < RUNS; run++) {
    for (const column of taking) {
      await setTimeout(PAUSE_MS);
      seconds.get(column)!.push(await column.run(work));
    }
  }
  const rates = new Map([...seconds].map(([column, times]) => [column, work.work / median(times) / 1e9]));
  print(
    work.name,
    all.map((column) => rates.get(column)?.toFixed(1) ?? "-"),
  );
  if (peer === null) continue;
  const ratios = columns.map((column) => {
    const rate = rates.get(column);
    if (rate === undefined || column.bar === null) return "-";
    const ratio = rate / rates.get(peer)!;
    // The bars are for all threads, as the peer's are.
    const alone = column.title.endsWith("x1") && computes.some(({ info }) => info.threads > 1);
    const bar = alone ? undefined : work.bars?.[column.bar];
    return bar === undefined ? ratio.toFixed(2) : `${ratio.toFixed(2)} ${ratio >= bar ? ">=" : "<"} ${bar.toFixed(2)}`;
  });
  print("  ratio, bar", ratios);
}
peerProcess?.stdin.end();
await Promise.all(computes.map((compute) => compute.close()));
