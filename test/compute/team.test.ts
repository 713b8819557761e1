import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { startTeam } from "../../src/compute/team.ts";
import { compileKernels } from "../../src/compute/wasm-module.ts";
import { uniform } from "./backends.ts";

/** The built library: worker threads and child processes cannot run TypeScript. */
const built = new URL("../../dist/compute/index.js", import.meta.url);

function product(compute: Compute, n: number): Float64Array {
  return compute.scope((scope) => {
    const c = scope.f64(n * n);
    compute.gemm(
      false,
      true,
      n,
      n,
      n,
      1,
      scope.copy(uniform("a", n * n)),
      n,
      scope.copy(uniform("b", n * n)),
      n,
      0,
      c,
      n,
    );
    return Float64Array.from(c);
  });
}

it("createCompute gives bit-equal results run after run, for gemm on any number of threads", async () => {
  const teams = await Promise.all([1, 2, 3, 2].map((threads) => createCompute({ backend: "wasm", threads })));
  try {
    const [one, ...others] = teams.map((compute) => product(compute, 150));
    for (const other of others) expect(other).toEqual(one);
    const twice = [0, 1].map(() =>
      teams[1]!.scope((scope) => {
        const a = scope.copy(uniform("a", 1000 * 700));
        const y = scope.f64(700);
        teams[1]!.normalProduct(1000, 700, a, 700, scope.copy(uniform("x", 700)), y);
        return Float64Array.from(y);
      }),
    );
    expect(twice[0]).toEqual(twice[1]);
  } finally {
    await Promise.all(teams.map((compute) => compute.close()));
  }
});

it("createCompute works many times over in one process, several at once", async () => {
  for (let round = 0; round < 5; round++) {
    const teams = await Promise.all([2, 3].map((threads) => createCompute({ backend: "wasm", threads })));
    for (const compute of teams) expect(product(compute, 80)).toEqual(product(teams[0]!, 80));
    await Promise.all(teams.map((compute) => compute.close()));
  }
});

it("createCompute works inside a worker thread that blocks, and close ends it", async () => {
  const worker = new Worker(
    `const { parentPort } = require("node:worker_threads");
     import(${JSON.stringify(built.href)}).then(async ({ createCompute }) => {
       const compute = await createCompute({ backend: "wasm", threads: 3 });
       const value = compute.scope((scope) => {
         const a = scope.f64(160 * 160).fill(1);
         const c = scope.f64(160 * 160);
         for (let k = 0; k < 50; k++) compute.gemm(false, false, 160, 160, 160, 1, a, 160, a, 160, 0, c, 160);
         return c[160 * 160 - 1];
       });
       await compute.close();
       parentPort.postMessage(value);
     });`,
    { eval: true },
  );
  const exited = new Promise((resolve) => worker.once("exit", resolve));
  const answer = new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
  expect(await answer).toBe(160);
  expect(await exited).toBe(0);
});

it("createCompute does not keep the process alive when close is forgotten", () => {
  const script = `
    import { createCompute } from ${JSON.stringify(built.href)};
    const compute = await createCompute({ backend: "wasm", threads: 2 });
    console.log(compute.info.threads);`;
  const { stdout, status } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    encoding: "utf8",
    timeout: 30_000,
  });
  expect(stdout).toBe("2\n");
  expect(status).toBe(0);
});

it("createCompute refuses impossible thread counts", async () => {
  for (const threads of [0, -1, 1.5, Number.NaN]) {
    await expect(createCompute({ threads })).rejects.toThrow(RangeError);
  }
});

it("startTeam reports a kernel that fails on a helper thread, instead of waiting for it, and still closes", async () => {
  const { module } = await compileKernels("plain");
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1024, shared: true });
  const { team, base } = await startTeam(module, memory, 2);
  const rowsByAddress = { code: 1, reals: (1 << 2) | (1 << 6) };
  memory.grow(16);
  const start = Math.ceil(base / 64) * 64;
  const run = (lda: number): void => team.run(rowsByAddress, 2, [8, 1, 1, start, lda, start, 0, start]);
  run(0);
  // Rows so far apart that the first four, of the caller, are in bounds and the helper's four are not.
  expect(() => run(Math.floor((memory.buffer.byteLength - start) / 8 / 3.5))).toThrow("a compute thread failed");
  await team.close();
});

it("close makes the Compute refuse further work", async () => {
  const compute = await createCompute({ backend: "wasm", threads: 2 });
  await compute.close();
  await compute.close();
  expect(() => compute.scope(() => 0)).toThrow(/closed/);
});
