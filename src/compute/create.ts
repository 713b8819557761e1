import { ConfigError } from "../base/errors.ts";
import { type BlasLibrary, findBlas } from "../platform/blas.ts";
import { processorCount } from "../platform/worker.ts";
import { checkBlas } from "./blas-check.ts";
import { blasKernels } from "./blas-kernels.ts";
import { checkedKernels } from "./checks.ts";
import { type KernelMemory, plainMemory, reserveSharedMemory, wasmMemory } from "./memory.ts";
import { referenceKernels } from "./reference.ts";
import { startTeam } from "./team.ts";
import type { BackendInfo, Compute, ComputeOptions, Kernels } from "./types.ts";
import { wasmKernels } from "./wasm-kernels.ts";
import { compileKernels } from "./wasm-module.ts";

const DEFAULT_THREADS = 8;

function assemble(raw: Kernels, memory: KernelMemory, info: BackendInfo, stop: () => Promise<void>): Compute {
  let closed = false;
  return {
    ...checkedKernels(raw, memory.own),
    info,
    get bytesInUse() {
      return memory.bytesInUse;
    },
    scope(body) {
      if (closed) throw new Error("this Compute is closed");
      return memory.scope(body);
    },
    async close() {
      if (closed) return;
      closed = true;
      await stop();
    },
  };
}

/** The system BLAS if there is one that passes its self-test in `memory`, and a note that says which, or why not. */
export async function probeBlas(memory: KernelMemory): Promise<{ library: BlasLibrary | null; note: string }> {
  const { library, note } = await findBlas();
  if (library === null) return { library, note };
  const failed = checkBlas(library, memory);
  return failed === null ? { library, note } : { library: null, note: `${note} failed its self-test in ${failed}` };
}

/**
 * Starts a backend with its memory and its threads; `close` it when done.
 *
 * @throws ConfigError when `blas` or `relaxed` is asked for and this machine has none.
 */
export async function createCompute(options: ComputeOptions = {}): Promise<Compute> {
  const { backend = "auto", threads = Math.min(processorCount(), DEFAULT_THREADS), simd = "auto" } = options;
  if (!Number.isSafeInteger(threads) || threads < 1) {
    throw new RangeError(`threads must be a positive integer, got ${threads}`);
  }
  if (backend === "js") {
    const info: BackendInfo = { name: "js", blas: null, simd: "none", threads: 1 };
    return assemble(referenceKernels, plainMemory(), info, async () => {});
  }

  // 1. Our own kernels and their threads; 2. over them, the system's BLAS.
  const build = await compileKernels(simd);
  const { memory: shared, limit } = reserveSharedMemory(1);
  const { team, base } = await startTeam(build.module, shared, threads);
  const memory = wasmMemory(shared, base, limit);
  const own = wasmKernels(team, memory);
  if (backend !== "wasm") {
    const { library, note } = await probeBlas(memory);
    if (library !== null) {
      library.setThreads(threads);
      const info: BackendInfo = { name: "blas", blas: library.name, simd: build.simd, threads };
      return assemble(blasKernels(own, library), memory, info, team.close);
    }
    if (backend === "blas") {
      await team.close();
      throw new ConfigError(`no system BLAS: ${note}`, {
        code: "blas-not-found",
        hint: "install OpenBLAS (Debian, Ubuntu: libopenblas0), name a library in OVERPARAM_BLAS, or leave the backend to auto",
      });
    }
  }
  return assemble(own, memory, { name: "wasm", blas: null, simd: build.simd, threads }, team.close);
}
