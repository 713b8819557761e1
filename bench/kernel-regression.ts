/**
 * Kernel regression of 10,000 samples in one process: Gram matrix of a network with three hidden layers, d = 784, and seven ridges with
 * their leave-one-out errors, in f64. `--rows N` for another size. Shows wall time, CPU time of all threads, and the peak of the memory of the
 * process; bars: 4 GiB, 240 s (aim 120 s) on two cores with a system BLAS.
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { matrix } from "../src/base/matrix.ts";
import { randomStream } from "../src/base/random.ts";
import { createCompute } from "../src/compute/index.ts";
import { parseArchitecture } from "../src/network/architecture/index.ts";
import { factorizedRegression, gram, makeEngine } from "../src/tangent/index.ts";

const { values: flags } = parseArgs({ options: { rows: { type: "string", default: "10000" } } });
const n = Number(flags.rows);
const d = 784;
const ARCHITECTURE = "dense(512) relu dense(512) relu dense(512) relu dense(1)";

const stream = randomStream(0, "kernel regression");
const X = matrix(
  n,
  d,
  Float64Array.from({ length: n * d }, () => stream.normal()),
);
// A noisy line: its best ridge lies inside the grid, so that the grid is not extended.
const Y = matrix(
  n,
  1,
  Float64Array.from({ length: n }, (_, i) => X.data[i * d]! + 1.8 * stream.normal()),
);

const compute = await createCompute();
const { name, blas, threads } = compute.info;
process.stdout.write(`${name} (${blas ?? "no BLAS"}), ${threads} threads; load ${loadavg()[0]!.toFixed(1)}\n`);

const began = { wall: performance.now(), cpu: process.cpuUsage() };
const seconds = (): string => {
  const { user, system } = process.cpuUsage(began.cpu);
  return `wall ${((performance.now() - began.wall) / 1000).toFixed(1)} s, cpu ${((user + system) / 1e6).toFixed(1)} s`;
};
const engine = makeEngine({
  architecture: parseArchitecture(ARCHITECTURE),
  input: [d],
  trained: "all",
  kernels: ["ntk"],
});
const K = matrix(n, n, gram(compute, engine, X, null).ntk!);
process.stdout.write(`  Gram: ${seconds()}\n`);
const { ridge, error, points } = factorizedRegression(compute, K, Y, { ridge: "auto" });
const { maxRSS } = process.resourceUsage();
process.stdout.write(
  `Gram + ${points.length} ridges with leave-one-out, n = ${n}, FC, f64: ${seconds()}, peak memory ${(maxRSS / 2 ** 20).toFixed(2)} GiB (must: 4 GiB, 240 s; aim 120 s); ridge ${ridge.toPrecision(3)}, leave-one-out RMSE ${Math.sqrt(error).toPrecision(4)}\n`,
);
await compute.close();
