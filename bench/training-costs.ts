/** The rows of bench/training.ts that are no steps: the top of a Hessian's spectrum, and what monitors cost. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { randomStream } from "../src/base/random.ts";
import { type Compute, createCompute, lanczos, type Scope } from "../src/compute/index.ts";
import { parseArchitecture } from "../src/network/architecture/index.ts";
import { type NetworkGraph, NetworkLanes, networkGraph, networkModel } from "../src/network/deep/index.ts";
import { curvatureOperator } from "../src/training/curvature.ts";
import { PLAIN, Trainer, trainingLoss } from "../src/training/index.ts";
import { makeMonitors, monitorCatalog } from "../src/training/monitors/index.ts";

const DIGITS = "images/optdigits_train_3823.csv.gz";
const ROWS = 1000;
const PAIRS = 5;
const TOLERANCE = 1e-3;
const HESSIAN_STEPS = 200;

/** The first thousand optical digits: 64 counts from 0 to 16, and the class. */
function digits(): { inputs: Float32Array; labels: Uint32Array; file: string } | null {
  const folder = process.env.OVERPARAM_DATA ?? resolve(import.meta.dirname, "../../shared/data");
  const file = resolve(folder, DIGITS);
  if (!existsSync(file)) return null;
  const lines = gunzipSync(readFileSync(file))
    .toString("utf8")
    .trim()
    .split("\n")
    .slice(1, ROWS + 1);
  const cells = lines.map((line) => line.split(",").map(Number));
  return {
    inputs: Float32Array.from(cells.flatMap((row) => row.slice(0, 64).map((count) => count / 16))),
    labels: Uint32Array.from(cells.map((row) => row[64]!)),
    file,
  };
}

interface Trained {
  readonly graph: NetworkGraph;
  readonly trainer: Trainer<Float32Array>;
}

function build(compute: Compute, scope: Scope, text: string, inputs: Float32Array, labels: Uint32Array): Trained {
  const n = labels.length;
  const graph = networkGraph(parseArchitecture(text), [inputs.length / n]);
  const options = { kernels: compute.f32, allocate: (length: number) => scope.f32(length), samples: 128 };
  const model = networkModel(graph, options);
  const loss = trainingLoss("cross-entropy", { kind: "classes", classes: 10, labels }, 10);
  const schedule = { rate: 0.1, factor: 1, drops: [] };
  const settings = { reduction: "mean", batch: 128, rule: PLAIN, schedule, noise: 0, seed: 1 } as const;
  return { graph, trainer: new Trainer(model, { n, inputs, loss }, settings, compute.f32, options.allocate) };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** The five largest eigenvalues of the Hessian of a trained 64-180-180-32-10 tanh network: ours and ARPACK on PyTorch, in turns. */
export async function eigenvalueRow(rounds: number, threads: number, print: (line: string) => void): Promise<void> {
  const data = digits();
  if (data === null) {
    print(`Hessian eigenvalues: ${DIGITS} is missing (OVERPARAM_DATA)`);
    return;
  }
  const compute = await createCompute({ threads });
  const lanes = new NetworkLanes(compute);
  const layer = (width: number): string => `dense(${width}, b=0.01)`;
  const text = `${layer(180)} tanh ${layer(180)} tanh ${layer(32)} tanh ${layer(10)}`;
  const python = process.env.OVERPARAM_PEERS ?? "";
  const own: { wall: number; cpu: number; products: number; values: string }[] = [];
  const rival: { seconds: number; values: number[] }[] = [];
  compute.scope((scope) => {
    const { graph, trainer } = build(compute, scope, text, data.inputs, data.labels);
    for (let step = 0; step < HESSIAN_STEPS; step++) trainer.step();
    const { kernels, theta } = trainer;
    const allocate = (length: number): Float32Array => scope.f32(length);
    const setup = { graph, kernels, allocate, data: trainer.data, reduction: "mean" as const, samples: ROWS };
    const tape = lanes.tape<Float32Array>({ graph, precision: "f32", samples: ROWS, orders: 2 });
    const operator = curvatureOperator("hessian", tape === null ? setup : { ...setup, tape }, theta);
    for (let round = 0; round < rounds; round++) {
      let products = 0;
      const counted = {
        size: operator.size,
        apply(x: Float64Array, out: Float64Array): void {
          products += 1;
          operator.apply(x, out);
        },
      };
      const before = process.cpuUsage();
      const start = performance.now();
      const { values } = lanczos(compute, counted, PAIRS, randomStream(2, "eigenvalues"), { tolerance: TOLERANCE });
      const wall = (performance.now() - start) / 1000;
      const { user, system } = process.cpuUsage(before);
      own.push({
        wall,
        cpu: (user + system) / 1e6,
        products,
        values: Array.from(values, (v) => v.toFixed(4)).join(" "),
      });
      if (python === "") continue;
      const script = resolve(import.meta.dirname, "peers/hessian.py");
      const args = [script, data.file, String(threads), String(PAIRS), String(TOLERANCE), String(HESSIAN_STEPS)];
      const { status, stdout, stderr } = spawnSync(python, args, { encoding: "utf8" });
      if (status !== 0) throw new Error(`${python} failed:\n${stderr}`);
      if (stdout !== "") rival.push(JSON.parse(stdout) as { seconds: number; values: number[] });
    }
  });
  lanes.close();
  await compute.close();
  const wall = median(own.map((run) => run.wall));
  const theirs = rival.length === 0 ? 0.17 : median(rival.map(({ seconds }) => seconds));
  print("");
  print(
    "| five largest Hessian eigenvalues, 50,402 parameters, 1,000 digits | wall s | cpu s | products | peer s | ratio |",
  );
  print("|---|---|---|---|---|---|");
  const { cpu, products, values } = own[0]!;
  const peer = rival.length === 0 ? "0.17 (hessian-eigenthings, quoted)" : `${theirs.toFixed(3)} (ARPACK and PyTorch)`;
  print(
    `| ${values} | ${wall.toFixed(3)} | ${cpu.toFixed(3)} | ${products} | ${peer} | ${(theirs / wall).toFixed(2)} |`,
  );
}

/** Seconds of the same steps without monitors and with all cheap ones at their default pace, in turns. */
export async function monitorRow(rounds: number, threads: number, print: (line: string) => void): Promise<void> {
  const compute = await createCompute({ threads });
  const names = monitorCatalog.filter(({ isCheap }) => isCheap).map(({ name }) => name);
  const { normal, integer } = randomStream(1, "monitored");
  const inputs = new Float32Array(2048 * 784).map(normal);
  const labels = new Uint32Array(2048).map(() => integer(10));
  const steps = 3000;
  const seconds = (isMonitored: boolean): number =>
    compute.scope((scope) => {
      const { graph, trainer } = build(compute, scope, "dense(256, b=0.01) relu dense(10, b=0.01)", inputs, labels);
      const monitors = isMonitored ? makeMonitors(names, { trainer, graph, compute, scope }) : [];
      // What is looked at once, at the start, is no part of a step.
      for (const monitor of monitors) monitor.observe(0);
      const start = performance.now();
      for (let step = 1; step <= steps; step++) {
        trainer.step();
        for (const monitor of monitors) if (step % monitor.every === 0) monitor.observe(step);
      }
      return (performance.now() - start) / 1000;
    });
  seconds(true);
  const runs = Array.from({ length: rounds }, () => [seconds(false), seconds(true)] as const);
  await compute.close();
  const [plain, monitored] = [median(runs.map(([a]) => a)), median(runs.map(([, b]) => b))];
  print("");
  print(
    `| ${steps} steps of 784-256-10, batch 128, and ${names.length} cheap monitors (${names.join(", ")}) | s | cost |`,
  );
  print("|---|---|---|");
  print(
    `| without ${plain.toFixed(2)} s | ${monitored.toFixed(2)} | ${((100 * (monitored - plain)) / plain).toFixed(1)} % (must 10, aim 5) |`,
  );
}
