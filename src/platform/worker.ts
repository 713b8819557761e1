import { availableParallelism } from "node:os";
import { setFlagsFromString } from "node:v8";
import { parentPort, Worker, workerData } from "node:worker_threads";

/** The side of a worker thread that its starter holds. */
export interface WorkerHandle {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Resolves when the thread has ended: with the error that ended it, or null. Never rejects. */
  readonly ended: Promise<Error | null>;
  /** Lets the process exit while the thread runs. */
  unref(): void;
  /** Ends the thread at once, whatever it is doing. */
  terminate(): Promise<void>;
}

/** The side that the code of a worker thread holds. */
export interface WorkerSide {
  /** What `startWorker` was given; shared memory and compiled modules arrive as such. */
  readonly data: unknown;
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
}

const packageRoot = new URL("../../", import.meta.url).href;

/** The built module behind a module URL: src/a/b.ts and dist/a/b.ts (or .js) are dist/a/b.js. */
export function builtModule(entry: URL): URL {
  const path = entry.href
    .slice(packageRoot.length)
    .replace(/^src\//, "dist/")
    .replace(/\.ts$/, ".js");
  return new URL(path, packageRoot);
}

/**
 * Starts a worker thread. Worker threads do not know TypeScript, so the built module in dist/ runs even when the caller
 * runs from src/ (tests): build first.
 *
 * @param entry the module to run, as `new URL("./module.ts", import.meta.url)`
 * @param data handed to the thread (structured clone)
 */
export function startWorker(entry: URL, data: unknown): WorkerHandle {
  // The options that this process was started with (loaders, --eval) are not for the built module.
  const worker = new Worker(builtModule(entry), { workerData: data, execArgv: [] });
  const ended = new Promise<Error | null>((resolve) => {
    worker.once("error", (error) => resolve(error instanceof Error ? error : new Error(String(error))));
    worker.once("exit", (code) => resolve(code === 0 ? null : new Error(`the worker thread ended with code ${code}`)));
  });
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => {
      worker.on("message", listener);
    },
    ended,
    unref: () => worker.unref(),
    terminate: async () => {
      await worker.terminate();
    },
  };
}

/** The caller's own side of the thread. @throws Error when the caller is not in a worker thread. */
export function workerSide(): WorkerSide {
  const port = parentPort;
  if (port === null) throw new Error("this module runs in a worker thread only");
  return {
    data: workerData,
    post: (message) => port.postMessage(message),
    onMessage: (listener) => {
      port.on("message", listener);
    },
  };
}

/** Processors that this process may use. */
export function processorCount(): number {
  return availableParallelism();
}

/** Asks the engine for relaxed SIMD where it is still behind a flag (Node 20); without effect elsewhere. */
export function allowRelaxedSimd(): void {
  setFlagsFromString("--experimental-wasm-relaxed-simd");
}
