/**
 * Whole steps a second of training in single precision - forward, backward, update - beside PyTorch and JAX. With
 * OVERPARAM_PEERS naming a Python that has torch or jax they run in the same session, in turns with ours; otherwise their
 * figures are quoted from earlier measurements on a quiet machine (2 cores AMD Zen 4), and said to be.
 *
 * `--rounds N` (default 5) turns, `--seconds S` (default 2) each, `--threads N` (default 2), `--filter TEXT`,
 * `--backend wasm|blas|auto` (default: both `auto` and, as a second row, `wasm`).
 */
import { spawnSync } from "node:child_process";
import { loadavg } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { randomStream } from "../src/base/random.ts";
import { type BackendName, createCompute } from "../src/compute/index.ts";
import { parseArchitecture, type Shape } from "../src/network/architecture/index.ts";
import { NetworkLanes, networkGraph, networkModel } from "../src/network/deep/index.ts";
import { findBlas } from "../src/platform/blas.ts";
import { PLAIN, type Targets, Trainer, trainingLoss } from "../src/training/index.ts";
import { eigenvalueRow, monitorRow } from "./training-costs.ts";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    threads: { type: "string", default: "2" },
    filter: { type: "string", default: "" },
    backend: { type: "string" },
  },
});
const [ROUNDS, SECONDS, THREADS] = [flags.rounds, flags.seconds, flags.threads].map(Number) as [number, number, number];
const BACKENDS = (flags.backend === undefined ? ["auto", "wasm"] : [flags.backend]) as readonly (
  | BackendName
  | "auto"
)[];

interface Case {
  readonly name: string;
  readonly architecture: string;
  readonly input: Shape;
  readonly batch: number;
  readonly classes: number | null;
  /** Steps a second on two threads, measured earlier: PyTorch, JAX. */
  readonly quoted: { readonly torch: number; readonly jax: number | null };
  /** The peer that is compared with, and the ratio to reach and to aim at. */
  readonly must: { readonly against: "best" | "torch" | "jax"; readonly ratio: number };
  readonly aim: { readonly against: "best" | "torch" | "jax"; readonly ratio: number };
}

const conv = (width: number, filter: number, stride = 1): string => `conv(${width}, ${filter}, s=${stride}, b=0.01)`;
const dense = (width: number): string => `dense(${width}, b=0.01)`;
const block = (width: number): string => `[${conv(width, 3)} relu ${conv(width, 3)}] relu`;
const CASES: readonly Case[] = [
  {
    ...{ name: "mlp-2048", architecture: `${dense(2048)} relu ${dense(2048)} relu ${dense(10)}`, input: [784] },
    ...{ batch: 128, classes: 10, quoted: { torch: 32.3, jax: 36.6 } },
    ...{ must: { against: "best", ratio: 1 }, aim: { against: "best", ratio: 1.25 } },
  },
  {
    ...{ name: "mlp-256", architecture: `${dense(256)} relu ${dense(10)}`, input: [784], batch: 128, classes: 10 },
    ...{ quoted: { torch: 736, jax: 1147 }, must: { against: "torch", ratio: 1 }, aim: { against: "jax", ratio: 1 } },
  },
  {
    ...{ name: "cnn", input: [28, 28, 1], batch: 64, classes: 10, quoted: { torch: 66, jax: 17 } },
    architecture: `${conv(32, 3)} relu maxpool(2) ${conv(64, 3)} relu maxpool(2) flatten ${dense(10)}`,
    ...{ must: { against: "torch", ratio: 0.5 }, aim: { against: "torch", ratio: 1 } },
  },
  {
    ...{ name: "resnet", input: [28, 28, 1], batch: 64, classes: 10, quoted: { torch: 4.2, jax: 2.4 } },
    architecture: `${conv(32, 3)} relu ${block(32)} ${block(32)} [${conv(64, 3, 2)} relu ${conv(64, 3)} | ${conv(64, 1, 2)}] relu ${block(64)} gap ${dense(10)}`,
    ...{ must: { against: "torch", ratio: 0.6 }, aim: { against: "torch", ratio: 1 } },
  },
  {
    ...{ name: "three-layer", architecture: `${dense(2000)} relu ${dense(2000)} relu ${dense(1)}`, input: [5] },
    ...{ batch: 50, classes: null, quoted: { torch: 68, jax: 98 } },
    ...{ must: { against: "torch", ratio: 1 }, aim: { against: "jax", ratio: 1 } },
  },
  {
    ...{ name: "two-layer", architecture: `${dense(64)} relu ${dense(1)}`, input: [2], batch: 32, classes: null },
    ...{ quoted: { torch: 3000, jax: 31000 }, must: { against: "torch", ratio: 5 }, aim: { against: "jax", ratio: 1 } },
  },
];

/** Steps a second, CPU seconds a second, and parameters, of one turn of ours. */
async function ours(
  item: Case,
  backend: BackendName | "auto",
): Promise<{ steps: number; cpu: number; parameters: number }> {
  const compute = await createCompute({ backend, threads: THREADS });
  const lanes = new NetworkLanes(compute);
  try {
    return compute.scope((scope) => {
      const graph = networkGraph(parseArchitecture(item.architecture), item.input);
      const options = { kernels: compute.f32, allocate: (n: number) => scope.f32(n), samples: item.batch };
      const tape = lanes.tape<Float32Array>({ graph, precision: "f32", samples: item.batch });
      const model = networkModel(graph, tape === null ? options : { ...options, tape });
      const { normal, integer } = randomStream(1, item.name);
      const n = 4 * item.batch;
      const inputs = new Float32Array(n * model.inputSize).map(normal);
      const targets: Targets =
        item.classes === null
          ? { kind: "values", outputs: 1, data: new Float64Array(n).map(normal) }
          : { kind: "classes", classes: item.classes, labels: new Uint32Array(n).map(() => integer(item.classes!)) };
      const loss = trainingLoss(item.classes === null ? "squared" : "cross-entropy", targets, model.outputs);
      const schedule = { rate: 0.001, factor: 1, drops: [] };
      const settings = { reduction: "mean", batch: item.batch, rule: PLAIN, schedule, noise: 0, seed: 1 } as const;
      const trainer = new Trainer(model, { n, inputs, loss }, settings, compute.f32, options.allocate);
      for (let k = 0; k < 3; k++) trainer.step();
      const before = process.cpuUsage();
      const start = performance.now();
      let steps = 0;
      let seconds = 0;
      for (; seconds < SECONDS; seconds = (performance.now() - start) / 1000) {
        trainer.step();
        steps += 1;
      }
      const { user, system } = process.cpuUsage(before);
      return { steps: steps / seconds, cpu: (user + system) / 1e6 / seconds, parameters: graph.parameters };
    });
  } finally {
    lanes.close();
    await compute.close();
  }
}

/** Steps a second of one turn of a peer, or null without it. */
function theirs({ name }: Case, peer: "torch" | "jax"): number | null {
  const python = process.env.OVERPARAM_PEERS;
  if (python === undefined || python === "") return null;
  const script = resolve(import.meta.dirname, "peers/training.py");
  const args = [script, name, String(THREADS), String(SECONDS), peer];
  const { status, stdout, stderr } = spawnSync(python, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${python} failed:\n${stderr}`);
  return stdout === "" ? null : (JSON.parse(stdout) as { steps: number }).steps;
}

function median(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null).sort((a, b) => a - b);
  return known.length === 0 ? null : known[Math.floor(known.length / 2)];
}

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const probe = await createCompute({ threads: THREADS });
print(
  `${(await findBlas()).note}, ${THREADS} threads, f32, load ${loadavg()[0].toFixed(1)}, ${ROUNDS} turns of ${SECONDS} s, medians`,
);
await probe.close();
print("| network | parameters | backend | steps/s | cores busy | PyTorch | JAX | ratio | must | aim |");
print("|---|---|---|---|---|---|---|---|---|---|");
for (const item of CASES.filter(({ name }) => name.includes(flags.filter))) {
  const runs = BACKENDS.map((): Awaited<ReturnType<typeof ours>>[] => []);
  const rivals = { torch: [] as (number | null)[], jax: [] as (number | null)[] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const [k, backend] of BACKENDS.entries()) runs[k]!.push(await ours(item, backend));
    rivals.torch.push(theirs(item, "torch"));
    rivals.jax.push(theirs(item, "jax"));
  }
  const [torch, jax] = [median(rivals.torch), median(rivals.jax)];
  const rate = { torch: torch ?? item.quoted.torch, jax: jax ?? item.quoted.jax ?? 0, best: 0 };
  rate.best = Math.max(rate.torch, rate.jax);
  const shown = (value: number | null, quoted: number | null): string =>
    value === null ? `${quoted ?? "-"} (quoted)` : value.toFixed(1);
  runs.forEach((turns, k) => {
    const steps = median(turns.map((run) => run.steps))!;
    const bar = ({ against, ratio }: Case["must"]): string =>
      `${ratio} x ${against}: ${steps >= ratio * rate[against] ? "met" : "missed"}`;
    const cells = [
      ...[
        item.name,
        turns[0]!.parameters,
        BACKENDS[k],
        steps.toFixed(1),
        median(turns.map((run) => run.cpu))!.toFixed(2),
      ],
      ...[shown(torch, item.quoted.torch), shown(jax, item.quoted.jax)],
      ...[(steps / rate[item.must.against]).toFixed(2), bar(item.must), bar(item.aim)],
    ];
    print(`| ${cells.join(" | ")} |`);
  });
}
if ("hessian".includes(flags.filter)) await eigenvalueRow(ROUNDS, THREADS, print);
if ("monitors".includes(flags.filter)) await monitorRow(ROUNDS, THREADS, print);
