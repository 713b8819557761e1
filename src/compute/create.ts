import { ConfigError } from "../base/errors.ts";
import { type BlasSearch, findBlas } from "../platform/blas.ts";
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

function assemble(
  raw: Kernels,
  memory: KernelMemory,
  info: BackendInfo,
  warning: string | null,
  stop: () => Promise<void>,
): Compute {
  let closed = false;
  return {
    ...checkedKernels(raw, memory.own),
    info,
    warning,
    get bytesInUse() {
      return memory.bytesInUse;
    },
    get bytesReserved() {
      return memory.bytesReserved;
    },
    memoryLimit: memory.limit,
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

/** Pages of WebAssembly memory for the self-test of a BLAS: a mebibyte. */
const PROBE_PAGES = 16;

/**
 * The system BLAS if there is one that passes its self-test, in memory such as it will be handed, and a note that says
 * which, or why not.
 */
export async function probeBlas(): Promise<BlasSearch> {
  const found = await findBlas();
  const { library, note } = found;
  if (library === null) return found;
  const memory = new WebAssembly.Memory({ initial: PROBE_PAGES, maximum: PROBE_PAGES, shared: true });
  const failed = checkBlas(library, wasmMemory(memory, 0, memory.buffer.byteLength));
  return failed === null ? found : { library: null, note: `${note} failed its self-test in ${failed}`, refused: true };
}

/**
 * Starts a backend with its memory and its threads; `close` it when done.
 *
 * @throws ConfigError when `blas` or `relaxed` is asked for and this machine has none.
 */
export async function createCompute(options: ComputeOptions = {}): Promise<Compute> {
  const { backend = "auto", threads = Math.min(processorCount(), DEFAULT_THREADS), simd = "auto" } = options;
  const { memoryLimit = Number.POSITIVE_INFINITY } = options;
  if (!Number.isSafeInteger(threads) || threads < 1) {
    throw new RangeError(`threads must be a positive integer, got ${threads}`);
  }
  if (!(memoryLimit > 0)) throw new RangeError(`memoryLimit must be a positive number of bytes, got ${memoryLimit}`);
  if (backend === "js") {
    const info: BackendInfo = { name: "js", blas: null, simd: "none", threads: 1 };
    return assemble(referenceKernels, plainMemory(memoryLimit), info, null, async () => {});
  }

  // 1. The system's BLAS; 2. our own kernels and their threads, which do what it does not.
  const { library, note, refused } =
    backend === "wasm" ? { library: null, note: "", refused: false } : await probeBlas();
  if (library === null && backend === "blas") {
    throw new ConfigError(`no system BLAS: ${note}`, {
      code: "blas-not-found",
      hint: "install OpenBLAS (Debian, Ubuntu: libopenblas0), name a library in OVERPARAM_BLAS, or leave the backend to auto",
    });
  }
  const build = await compileKernels(simd);
  const { memory: shared, limit } = reserveSharedMemory(1);
  const { team, base } = await startTeam(build.module, shared, threads);
  const memory = wasmMemory(shared, base, Math.min(memoryLimit, limit - base));
  const own = wasmKernels(team, memory);
  const info = { simd: build.simd, threads };
  const warning = refused ? `no system BLAS is used: ${note}` : null;
  if (library === null) return assemble(own, memory, { name: "wasm", blas: null, ...info }, warning, team.close);
  return assemble(
    blasKernels(own, library, threads),
    memory,
    { name: "blas", blas: library.name, ...info },
    null,
    team.close,
  );
}
