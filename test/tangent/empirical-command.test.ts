import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { matrix } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { readNpy, writeNpy } from "../../src/data/npy.ts";
import { type KernelEvent, type KernelJob, type KernelJson, runKernel } from "../../src/experiments/kernel.ts";
import { parseArchitecture } from "../../src/network/architecture/index.ts";
import { empiricalEngine } from "../../src/tangent/index.ts";

const folder = mkdtempSync(join(tmpdir(), "overparam-empirical-"));
let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ threads: 1 });
});
afterAll(async () => {
  await compute.close();
  rmSync(folder, { recursive: true, force: true });
});

const [ROWS, COLS] = [30, 6];
const X = matrix(ROWS, COLS, Float64Array.from({ length: ROWS * COLS }, randomStream(1, "command").normal));
const TEXT = "dense(8, b=0.1) relu batchnorm dense(8) relu dense(1)";

async function run(settings: Partial<KernelJob>): Promise<{ json: KernelJson; events: KernelEvent[] }> {
  const data = join(folder, "x.npy");
  writeFileSync(data, writeNpy({ shape: [ROWS, COLS], data: X.data }));
  const events: KernelEvent[] = [];
  const job: KernelJob = {
    data,
    arch: TEXT,
    kernel: "both",
    parametrization: null,
    against: null,
    target: null,
    precision: "f64",
    accumulation: null,
    train: "all",
    out: join(folder, "out"),
    threads: 1,
    memory: 2 ** 30,
    ...settings,
  };
  return { json: await runKernel(job, (event) => events.push(event)), events };
}

const read = (name: string): ArrayLike<number> => readNpy(readFileSync(join(folder, name)), name).data;

test.each(["f64", "f32"] as const)(
  "runKernel with finite writes the means of empiricalEngine: %s",
  async (precision) => {
    const out = join(folder, precision);
    const { json, events } = await run({ finite: { networks: 3, seed: 4 }, precision, out });
    expect(json.method).toBe("finite");
    const plan = events.find((event) => event.kind === "plan");
    expect(plan?.kind === "plan" && plan.seconds).toBeGreaterThan(0);
    const problem = {
      architecture: parseArchitecture(TEXT),
      input: [COLS] as const,
      trained: "all" as const,
      kernels: ["nngp", "ntk"] as const,
    };
    const want = empiricalEngine(problem, { networks: 3, seed: 4 }).block(compute, X, null);
    for (const name of ["nngp", "ntk"] as const) {
      const got = read(`${precision}.${name}.npy`);
      const size = Math.max(...want[name]!);
      want[name]!.forEach((value, k) => {
        expect(Math.abs(got[k]! - value) / size).toBeLessThan(precision === "f64" ? 1e-13 : 1e-5);
      });
    }
  },
);

test("runKernel with finite in little memory makes the same, and refuses what does not fit", async () => {
  const finite = { networks: 2, seed: 0 };
  await run({ finite, out: join(folder, "whole") });
  await run({ finite, out: join(folder, "little"), memory: 160_000 });
  const [whole, little] = ["whole", "little"].map((name) => read(`${name}.ntk.npy`)) as [
    ArrayLike<number>,
    ArrayLike<number>,
  ];
  for (let k = 0; k < ROWS * ROWS; k++) expect(little[k]!).toBeCloseTo(whole[k]!, 10);
  await expect(run({ finite, memory: 10_000 })).rejects.toThrow(/does not fit into/);
});
