/**
 * Speed of gated programs on fixed patterns with known optima, beside the peers: whole solves to a relative duality gap of
 * 1e-8, one thread. With OVERPARAM_PEERS naming a Python that has numpy and any of skglm, celer and cvxpy, the peers run in
 * the same session; otherwise their figures are quoted from earlier measurements on a quiet machine, and said to be.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { matrix } from "../src/base/matrix.ts";
import { type Compute, createCompute } from "../src/compute/index.ts";
import { type ConvexProblem, solveConvex } from "../src/convex/index.ts";

const { values: flags } = parseArgs({
  options: { runs: { type: "string", default: "5" }, filter: { type: "string", default: "" } },
});
const RUNS = Number(flags.runs);
const FOLDER = resolve(process.env.OVERPARAM_GOLDEN ?? resolve(import.meta.dirname, "../../shared/golden"), "gated");
const TOLERANCE = 1e-8;

interface Case {
  readonly name: string;
  readonly set: "wine" | "bc";
  readonly lambda: number;
  readonly program: "gated" | "relu";
  /** From a conic solver, confirmed by group-lasso solvers where they converged; relative accuracy at least 3e-8. */
  readonly optimum: number;
  /** CPU seconds of the best peer that reaches the optimum, as measured earlier, and its name. */
  readonly quoted: number;
  readonly peer: string;
  /** Seconds to reach, and to aim at. */
  readonly must: number;
  readonly aim: number;
}

const CASES: readonly Case[] = [
  ["wine", 1e-2, 3.850185467, 0.32, "celer", 0.03],
  ["wine", 1e-3, 0.453089057, 2.6, "CLARABEL", 0.26],
  ["wine", 1e-4, 0.046162345, 2.6, "CLARABEL", 0.26],
  ["bc", 1e-2, 29.778442826, 7.8, "celer", 0.8],
  ["bc", 1e-3, 4.323851375, 23, "CLARABEL", 2.3],
  ["bc", 1e-4, 0.4536737, 21, "CLARABEL", 2.1],
].map(([set, lambda, optimum, quoted, peer, aim]) => ({
  ...{ set: set as Case["set"], lambda: lambda as number, program: "gated", optimum: optimum as number },
  ...{ name: `${set} ${lambda}`, quoted: quoted as number, peer: peer as string },
  ...{ must: (quoted as number) / 3, aim: aim as number },
}));
const RELU: Case = {
  ...{ name: "wine 0.01, relu", set: "wine", lambda: 1e-2, program: "relu", optimum: 7.431480123 },
  ...{ quoted: 16.4, peer: "CLARABEL", must: 1.6, aim: 0.3 },
};

/** A little-endian f64 array of an .npy file, row-major. */
function readNpy(path: string): { shape: number[]; data: Float64Array } {
  const bytes = readFileSync(path);
  const length = bytes.readUInt16LE(8);
  const header = bytes.subarray(10, 10 + length).toString("latin1");
  const shape = [...(/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? "").matchAll(/\d+/g)].map(([digits]) =>
    Number(digits),
  );
  if (!header.includes("'<f8'")) throw new RangeError(`${path} is not an f64 array`);
  const values = new Float64Array(bytes.buffer.slice(bytes.byteOffset + 10 + length, bytes.byteOffset + bytes.length));
  if (!header.includes("'fortran_order': True") || shape.length < 2) return { shape, data: values };
  const [rows, cols] = shape;
  return { shape, data: Float64Array.from(values, (_, at) => values[(at % cols) * rows + Math.floor(at / cols)]) };
}

function problemOf({ set, lambda, program }: Case): ConvexProblem {
  const X = readNpy(resolve(FOLDER, `X_${set}.npy`));
  const G = readNpy(resolve(FOLDER, `G_${set}_500.npy`));
  const [n, d] = X.shape;
  const count = G.shape[1];
  // Gate vectors are columns of the file, rows of a problem.
  const gates = matrix(
    count,
    d,
    Float64Array.from({ length: count * d }, (_, at) => G.data[(at % d) * count + Math.floor(at / d)]),
  );
  return {
    ...{ X: matrix(n, d, X.data), y: readNpy(resolve(FOLDER, `y_${set}.npy`)).data, loss: "squared", scaling: "sum" },
    ...{ beta: lambda * n, bias: "none", program, patterns: { kind: "gates", G: gates } },
  };
}

interface Run {
  readonly cpu: number;
  readonly wall: number;
  readonly objective: number;
  readonly gap: number;
}

function solve(compute: Compute, problem: ConvexProblem): Run {
  const before = process.cpuUsage();
  const start = performance.now();
  const run = solveConvex(problem, { compute, now: () => performance.now() / 1000, tolerance: TOLERANCE });
  let step = run.next();
  while (step.done !== true) step = run.next();
  const { user, system } = process.cpuUsage(before);
  const { objective, gap } = step.value;
  return { cpu: (user + system) / 1e6, wall: (performance.now() - start) / 1000, objective, gap };
}

interface PeerRun {
  readonly peer: string;
  readonly cpu: number;
  readonly objective: number;
}

/** The peers' runs of one case, or null without them. */
function peers({ set, lambda, optimum, program }: Case): PeerRun[] | null {
  const python = process.env.OVERPARAM_PEERS;
  if (python === undefined || python === "") return null;
  const script = resolve(import.meta.dirname, "peers/gated.py");
  const threads = { OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1", MKL_NUM_THREADS: "1" };
  const args = [script, FOLDER, set, String(lambda), String(optimum), program];
  const { status, stdout, stderr } = spawnSync(python, args, { env: { ...process.env, ...threads }, encoding: "utf8" });
  if (status !== 0) throw new Error(`${python} failed:\n${stderr}`);
  return stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as PeerRun]));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

if (!existsSync(FOLDER)) throw new RangeError(`${FOLDER} is missing: set OVERPARAM_GOLDEN`);
const compute = await createCompute({ threads: 1 });
const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
print(`${compute.info.blas ?? compute.info.name}, 1 thread, load ${loadavg()[0].toFixed(1)}, median of ${RUNS}`);
print("CPU seconds include the preparation of the patterns; the first run of each row warms up and is not counted.\n");
print("| program | CPU s | wall s | gap | excess | peer s | ratio | must s | aim s |");
print("|---|---|---|---|---|---|---|---|---|");
for (const item of [...CASES, RELU].filter(({ name }) => name.includes(flags.filter))) {
  const problem = problemOf(item);
  solve(compute, problem);
  const runs = Array.from({ length: RUNS }, () => solve(compute, problem));
  const cpu = median(runs.map((run) => run.cpu));
  const { objective, gap } = runs[0];
  const rivals = peers(item);
  const good = rivals?.filter((rival) => rival.objective <= item.optimum * (1 + 1e-6)) ?? [];
  const best = good.sort((a, b) => a.cpu - b.cpu)[0];
  const rival = best === undefined ? `${item.quoted} (${item.peer}, quoted)` : `${best.cpu.toFixed(2)} (${best.peer})`;
  const cells = [
    item.name,
    cpu.toFixed(3),
    median(runs.map((run) => run.wall)).toFixed(3),
    gap.toExponential(1),
    (objective / item.optimum - 1).toExponential(1),
    rival,
    ((best?.cpu ?? item.quoted) / cpu).toFixed(1),
    item.must.toFixed(2),
    String(item.aim),
  ];
  print(`| ${cells.join(" | ")} |`);
}
await compute.close();
