/**
 * Kernels beside neural-tangents 0.6.6, whose figures were measured on the reference machine (2 cores AMD Zen 4) and are
 * quoted: the peer needs a patched JAX and does not run here. The empirical kernel also beside torch.func, in the same session
 * when OVERPARAM_PEERS names a Python that has torch, else quoted. `--runs N` (default 7), `--filter TEXT`.
 *
 * Every row shows the median wall time of a whole call, the median CPU time of all threads of this process, the peer's wall time on
 * two threads, and the ratio with the bar that it has to reach. On a busy machine compare the CPU time with the peer's on one thread.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Matrix, matrix } from "../src/base/matrix.ts";
import { randomStream } from "../src/base/random.ts";
import { type Compute, createCompute } from "../src/compute/index.ts";
import { writeNpy } from "../src/data/npy.ts";
import { parseArchitecture, type Shape, sizeOf } from "../src/network/architecture/index.ts";
import { initialize, networkGraph } from "../src/network/deep/index.ts";
import { empiricalNtk, type KernelName, makeEngine, type Precision, planEmpirical } from "../src/tangent/index.ts";

const { values: flags } = parseArgs({
  options: { runs: { type: "string", default: "7" }, filter: { type: "string", default: "" } },
});
const RUNS = Number(flags.runs);
/** Between two runs, in which threads stop polling for work. */
const PAUSE_MS = 80;

interface Row {
  readonly name: string;
  readonly architecture: string;
  readonly input: Shape;
  readonly rows: number;
  /** Kernel values between two sets of so many inputs; absent: a Gram matrix. */
  readonly cols?: number;
  /** Default: f64. */
  readonly precision?: Precision;
  /** Seconds of the peer: on one thread (CPU) and on two (wall); of an entry when `perEntry`. */
  readonly peer: { readonly one: number | null; readonly two: number | null };
  readonly perEntry: boolean;
  readonly must: number;
  readonly aim: number;
}

const FC = "dense(512) relu dense(512) relu dense(512) relu dense(1)";
const CNN = `${"conv(64, 3) relu ".repeat(20)}conv(64, 3) relu`;
const ROWS: readonly Row[] = [
  {
    name: "FC x3 NTK Gram 1000, f64",
    architecture: FC,
    input: [784],
    rows: 1000,
    peer: { one: 0.091, two: null },
    perEntry: false,
    must: 2,
    aim: 4,
  },
  {
    name: "FC x3 NTK Gram 2000, f64",
    architecture: FC,
    input: [784],
    rows: 2000,
    peer: { one: 0.43, two: 0.235 },
    perEntry: false,
    must: 2,
    aim: 4,
  },
  {
    name: "FC x3 NTK Gram 2000, f32",
    architecture: FC,
    input: [784],
    rows: 2000,
    precision: "f32",
    peer: { one: 0.35, two: 0.18 },
    perEntry: false,
    must: 2,
    aim: 4,
  },
  {
    name: "CNN 21 layers, flatten, 32x32x3",
    architecture: `${CNN} flatten dense(1)`,
    input: [32, 32, 3],
    rows: 16,
    cols: 16,
    peer: { one: 0.54e-3, two: 0.32e-3 },
    perEntry: true,
    must: 1.5,
    aim: 4,
  },
  {
    name: "CNN 21 layers, gap, 16x16x3",
    architecture: `${CNN} gap dense(1)`,
    input: [16, 16, 3],
    rows: 2,
    cols: 2,
    peer: { one: 49e-3, two: null },
    perEntry: true,
    must: 2,
    aim: 5,
  },
];

function inputs(name: string, rows: number, shape: Shape): Matrix {
  const stream = randomStream(0, name);
  const size = sizeOf(shape);
  return matrix(
    rows,
    size,
    Float64Array.from({ length: rows * size }, () => stream.normal()),
  );
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
const milliseconds = (seconds: number): string => `${(1000 * seconds).toPrecision(3)} ms`.padStart(10);

async function measured(body: () => void): Promise<{ wall: number; cpu: number }> {
  const walls: number[] = [];
  const cpus: number[] = [];
  for (let run = 0; run <= RUNS; run++) {
    await setTimeout(PAUSE_MS);
    const before = process.cpuUsage();
    const start = performance.now();
    body();
    const wall = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(before);
    // The first run compiles.
    if (run === 0) continue;
    walls.push(wall);
    cpus.push((user + system) / 1e6);
  }
  return { wall: median(walls), cpu: median(cpus) };
}

function show(name: string, wall: number, cpu: number, { one, two }: Row["peer"], must: number, aim: number): void {
  const peer = `peer 1 thread ${one === null ? "-".padStart(10) : milliseconds(one)}, 2 threads ${two === null ? "-".padStart(10) : milliseconds(two)}`;
  const ratios = [
    ...(two === null ? [] : [`wall ${(two / wall).toFixed(1)}x`]),
    ...(one === null ? [] : [`cpu ${(one / cpu).toFixed(1)}x`]),
  ].join(", ");
  process.stdout.write(
    `${name.padEnd(34)} wall ${milliseconds(wall)}  cpu ${milliseconds(cpu)}   ${peer}   ${ratios} (must ${must}x, aim ${aim}x)\n`,
  );
}

async function kernels(compute: Compute, row: Row): Promise<void> {
  const problem = { architecture: parseArchitecture(row.architecture), input: row.input, trained: "all" as const };
  const engine = makeEngine(
    { ...problem, kernels: ["ntk"] satisfies KernelName[] },
    { precision: row.precision ?? "f64" },
  );
  const X = inputs("rows", row.rows, row.input);
  const Y = row.cols === undefined ? null : inputs("cols", row.cols, row.input);
  const { wall, cpu } = await measured(() => engine.block(compute, X, Y));
  const share = row.perEntry ? 1 / (row.rows * (row.cols ?? row.rows)) : 1;
  show(row.name, wall * share, cpu * share, row.peer, row.must, row.aim);
}

/** Seconds to reach and to aim at: 1 and 2 x structured derivatives of neural-tangents in f32, 2 and 5 x torch.func in f64. */
const EMPIRICAL = [
  {
    precision: "f32",
    must: 0.28,
    aim: 0.14,
    quoted: "neural-tangents structured 280 ms, contraction 590 ms; torch.func contraction 480 ms",
  },
  {
    precision: "f64",
    must: 0.46,
    aim: 0.18,
    quoted: "neural-tangents contraction 11300 ms; torch.func contraction 920 ms",
  },
] as const;
const CONV = "conv(32, 3, pad=valid, b=1) relu";

/** 20 x 5 images, all 10 outputs, 235,722 parameters, by each method. */
async function empirical(
  compute: Compute,
  { precision, must, aim, quoted }: (typeof EMPIRICAL)[number],
): Promise<void> {
  const shape: Shape = [32, 32, 3];
  const graph = networkGraph(parseArchitecture(`${CONV} ${CONV} ${CONV} flatten dense(10, b=1)`), shape);
  const theta = new Float64Array(graph.parameters);
  initialize(graph, 0, theta);
  const [X1, X2] = [inputs("rows", 20, shape), inputs("cols", 5, shape)];
  for (const method of ["auto", "jacobian"] as const) {
    const options = { precision, method, outputs: "full" } as const;
    const plan = planEmpirical(graph, X1.rows, X2.rows, options);
    const { wall, cpu } = await measured(() => empiricalNtk(compute, { graph, theta }, X1, X2, options));
    const work = `${(plan.operations[plan.method]! / 1e9).toFixed(1)} GFLOP`;
    const name = `empirical NTK, CNN, ${precision}, ${plan.method}`;
    const bars = `must ${milliseconds(must).trim()}, aim ${milliseconds(aim).trim()}`;
    process.stdout.write(
      `${name.padEnd(42)} wall ${milliseconds(wall)}  cpu ${milliseconds(cpu)}  ${work}   (${bars})\n`,
    );
  }
  process.stdout.write(`  quoted: ${quoted}\n`);
  empiricalPeer(precision);
}

/** The same by torch.func, now. */
function empiricalPeer(precision: Precision): void {
  const python = process.env.OVERPARAM_PEERS;
  if (python === undefined || python === "") return;
  const script = resolve(import.meta.dirname, "peers/empirical.py");
  const args = [script, precision, String(threads), "3"];
  const { status, stdout, stderr } = spawnSync(python, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${python} failed:\n${stderr}`);
  for (const line of stdout.split("\n").filter((text) => text !== "")) {
    const { peer, seconds } = JSON.parse(line) as { peer: string; seconds: number };
    process.stdout.write(`  torch.func ${peer}, ${precision}, now: wall ${milliseconds(seconds).trim()}\n`);
  }
}

/** The built program from its start to the kernel of 100 inputs on the disk. */
function firstResult(): void {
  const folder = mkdtempSync(join(tmpdir(), "overparam-bench-"));
  try {
    writeFileSync(join(folder, "x.npy"), writeNpy({ shape: [100, 784], data: inputs("first", 100, [784]).data }));
    const main = join(import.meta.dirname, "../dist/cli/main.js");
    const walls = Array.from({ length: RUNS }, () => {
      const start = performance.now();
      const { status, stderr } = spawnSync(
        process.execPath,
        [main, "kernel", "x.npy", "--arch", FC, "--kernel", "ntk", "--quiet"],
        { cwd: folder },
      );
      if (status !== 0) throw new Error(stderr.toString());
      return (performance.now() - start) / 1000;
    });
    process.stdout.write(
      `${"first result of a new process".padEnd(34)} wall ${milliseconds(median(walls))}   peer: 0.3 - 17 s of compilation (must 0.3 s, aim 0.1 s)\n`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const compute = await createCompute();
const { name, blas, simd, threads } = compute.info;
process.stdout.write(
  `${name} (${blas ?? "no BLAS"}, ${simd} SIMD), ${threads} threads; load ${loadavg()[0]!.toFixed(1)}; peer: neural-tangents 0.6.6, quoted\n`,
);
for (const row of ROWS.filter((one) => one.name.includes(flags.filter))) await kernels(compute, row);
for (const row of EMPIRICAL)
  if (`empirical NTK, CNN, ${row.precision}`.includes(flags.filter)) await empirical(compute, row);
if ("first result".includes(flags.filter)) firstResult();
await compute.close();
