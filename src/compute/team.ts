import { startWorker, type WorkerHandle } from "../platform/worker.ts";

/** Kernels on the caller's thread that assembly/ exports for each precision. */
interface RealExports {
  addPartials(n: number, count: number, partials: number, y: number): void;
  axpy(n: number, alpha: number, x: number, y: number): void;
  dot(n: number, x: number, y: number): number;
  norm1(n: number, x: number): number;
  norm2(n: number, x: number): number;
  normInf(n: number, x: number): number;
}

/** What assembly/ exports. Pointers are byte offsets into the shared memory. */
export type KernelExports = {
  readonly [name in keyof RealExports as `${name}${"F64" | "F32"}`]: RealExports[name];
} & {
  threadWorkBytes(): number;
  choleskyBlock(n: number, a: number, lda: number, work: number): number;
  clearUpper(n: number, a: number, lda: number): void;
  blockSoftThreshold(p: number, d: number, v: number, tau: number): void;
  projectOnBalls(rows: number, cols: number, b: number, radii: number, levels: number, gains: number): void;
  stepOnBalls(rows: number, cols: number, ...ratesAndArrays: readonly number[]): void;
  run(control: number, count: number, spaces: number): void;
  serve(control: number, id: number, count: number, spaces: number, seen: number): void;
  finish(control: number): void;
};

/** What a helper thread is started with. */
export interface ThreadStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly control: number;
  readonly id: number;
  readonly count: number;
  readonly spaces: number;
}

/** A job of assembly/jobs.ts: its number, and a bit for each argument that is an f64. */
export interface Job {
  readonly code: number;
  readonly reals: number;
}

export interface Team {
  readonly exports: KernelExports;
  readonly threads: number;
  /** Packing buffers of thread 0, for kernels that run on the caller alone. */
  readonly work: number;
  /** Runs a job on the first `threads` threads (1: on the caller alone). */
  run(job: Job, threads: number, args: readonly number[]): void;
  close(): Promise<void>;
}

/** The control block, as assembly/team.ts lays it out (in words, and in bytes where said). */
const STOP_WORD = 2;
const JOB_WORD = 3;
export const FAILED_WORD = 4;
const ARGUMENT_BYTES = 64;
const CONTROL_BYTES = 1024;

/** First page: left to the module's own static data. */
const PAGE = 65536;
/** How long `close` waits for a thread to end by itself before it is terminated. */
const PATIENCE_MS = 200;

/**
 * Instantiates the module and starts `threads` - 1 helpers; resolves when all of them are ready, because a helper
 * cannot start while its parent is blocked in a kernel. The team's own part of the memory ends at `base`.
 */
export async function startTeam(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  threads: number,
): Promise<{ team: Team; base: number }> {
  const instance = await WebAssembly.instantiate(module, { env: { memory } });
  const exports = instance.exports as unknown as KernelExports;
  const control = PAGE;
  const spaces = control + CONTROL_BYTES;
  const base = spaces + threads * exports.threadWorkBytes();
  memory.grow(Math.ceil(base / PAGE) - 1);
  const words = new Int32Array(memory.buffer, control, CONTROL_BYTES / 4);
  const reals = new Float64Array(memory.buffer, control, CONTROL_BYTES / 8);

  const helpers: WorkerHandle[] = [];
  const stop = async (): Promise<void> => {
    Atomics.store(words, STOP_WORD, 1);
    Atomics.add(words, 0, 1);
    Atomics.notify(words, 0);
    await Promise.all(
      helpers.map(async (helper) => {
        // The timer also keeps the caller's thread alive until its helpers, which do not, have ended.
        const timer = setTimeout(() => void helper.terminate(), PATIENCE_MS);
        await helper.ended;
        clearTimeout(timer);
      }),
    );
  };

  const started = Array.from({ length: threads - 1 }, (_, index) => {
    const start: ThreadStart = { module, memory, control, id: index + 1, count: threads, spaces };
    const helper = startWorker(new URL("./thread.ts", import.meta.url), start);
    helpers.push(helper);
    return new Promise<void>((resolve, reject) => {
      helper.onMessage(() => resolve());
      void helper.ended.then((error) => reject(error ?? new Error("a compute thread ended before it was ready")));
    });
  });
  try {
    await Promise.all(started);
  } catch (error) {
    await stop();
    throw error;
  }
  for (const helper of helpers) helper.unref();

  const team: Team = {
    exports,
    threads,
    work: spaces,
    run(job, count, args) {
      words[JOB_WORD] = job.code;
      for (let i = 0; i < args.length; i++) {
        const byte = ARGUMENT_BYTES + 8 * i;
        if ((job.reals >>> i) & 1) reals[byte / 8] = args[i]!;
        else words[byte / 4] = args[i]!;
      }
      exports.run(control, count, spaces);
      if (count > 1 && Atomics.load(words, FAILED_WORD) !== 0) throw new Error("a compute thread failed in a kernel");
    },
    close: stop,
  };
  return { team, base };
}
