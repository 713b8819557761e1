import { existsSync } from "node:fs";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker, workerData } from "node:worker_threads";
import { builtModule } from "./worker.ts";

/** Worker threads whose starter waits for their answers without returning to the event loop. */
export interface SyncWorkers {
  readonly count: number;
  /** Sends a message to a worker (structured clone); it answers each one, in order. */
  post(worker: number, message: unknown): void;
  /**
   * The next answer of any worker (what it threw, as an Error); null when none came within so many milliseconds. The last
   * answer of a worker whose thread has ended unasked is an Error, too.
   */
  receive(milliseconds: number): { readonly worker: number; readonly answer: unknown } | null;
  /** Asks a worker to end what it is doing early, or takes that back. */
  interrupt(worker: number, on: boolean): void;
  /** Lets the threads end after what they are doing. */
  close(): void;
}

/** What a worker is given. */
interface SyncWorkerStart {
  readonly port: MessagePort;
  readonly words: Int32Array;
  readonly index: number;
  readonly data: unknown;
}

/** What the thread that keeps the workers is given. */
export interface KeeperStart {
  readonly module: string;
  readonly ports: readonly MessagePort[];
  readonly words: Int32Array;
  readonly data: unknown;
}

/** Words of the shared block: answers so far; then of each worker the messages so far, whether it is to interrupt, whether it has ended. */
const BELL = 0;
const WORDS = 3;
const inboxOf = (worker: number): number => 1 + WORDS * worker;
const interruptOf = (worker: number): number => 2 + WORDS * worker;
const endedOf = (worker: number): number => 3 + WORDS * worker;
/** What ends a worker. */
const END = null;

/**
 * Starts worker threads that run the built module behind `entry` (see `startWorker`), which calls {@link serveSync}; null when it
 * has not been built. The starter never hears of the end of a thread while it waits, so that is watched by one more thread,
 * which starts the others (`sync-keeper.ts`).
 *
 * @param data handed to every thread (structured clone)
 */
export function startSyncWorkers(entry: URL, count: number, data: unknown): SyncWorkers | null {
  const built = builtModule(entry);
  if (!existsSync(built)) return null;
  const words = new Int32Array(new SharedArrayBuffer(4 * (1 + WORDS * count)));
  const channels = Array.from({ length: count }, () => new MessageChannel());
  const ports = channels.map(({ port1 }) => port1);
  const inner = channels.map(({ port2 }) => port2);
  const start: KeeperStart = { module: built.href, ports: inner, words, data };
  const keeper = new Worker(builtModule(new URL("./sync-keeper.ts", import.meta.url)), {
    ...{ workerData: start, transferList: inner, execArgv: [] },
  });
  keeper.on("error", () => {});
  keeper.unref();
  for (const port of ports) port.unref();
  const told = new Set<number>();
  const post = (worker: number, message: unknown): void => {
    ports[worker]?.postMessage(message);
    Atomics.add(words, inboxOf(worker), 1);
    Atomics.notify(words, inboxOf(worker));
  };
  const poll = (): { worker: number; answer: unknown } | null => {
    for (const [worker, port] of ports.entries()) {
      // Looked at first: what a thread has sent before its end is there by then.
      const ended = Atomics.load(words, endedOf(worker)) !== 0;
      const received = receiveMessageOnPort(port);
      if (received !== undefined) return { worker, answer: received.message };
      if (!ended || told.has(worker)) continue;
      told.add(worker);
      return { worker, answer: new Error("the thread has ended") };
    }
    return null;
  };
  return {
    count,
    post,
    receive(milliseconds) {
      const before = Atomics.load(words, BELL);
      const found = poll();
      if (found !== null || milliseconds <= 0) return found;
      Atomics.wait(words, BELL, before, milliseconds);
      return poll();
    },
    interrupt(worker, on) {
      Atomics.store(words, interruptOf(worker), on ? 1 : 0);
    },
    close() {
      for (let worker = 0; worker < count; worker++) {
        Atomics.store(words, interruptOf(worker), 1);
        post(worker, END);
      }
    },
  };
}

/** Starts the workers of {@link startSyncWorkers} and says when one has ended: what the keeping thread runs. */
export function keepSyncWorkers(): void {
  const { module, ports, words, data } = workerData as KeeperStart;
  for (const [index, port] of ports.entries()) {
    const start: SyncWorkerStart = { port, words, index, data };
    const worker = new Worker(new URL(module), { workerData: start, transferList: [port], execArgv: [] });
    // An error comes before the end of its thread, which is what is told.
    worker.on("error", () => {});
    worker.on("exit", () => {
      Atomics.store(words, endedOf(index), 1);
      Atomics.add(words, BELL, 1);
      Atomics.notify(words, BELL);
    });
  }
}

/**
 * The loop of a thread of {@link startSyncWorkers}: `open` gets its data; `serve` runs the loop with what answers messages, whose
 * argument tells whether to end early; `close` is called at the end. The first answer, to no message, is `true`.
 */
export async function serveSync(
  open: (data: unknown) => Promise<{
    serve(loop: (answer: (message: unknown, interrupted: () => boolean) => unknown) => void): void;
    close(): Promise<void>;
  }>,
): Promise<void> {
  const { port, words, index, data } = workerData as SyncWorkerStart;
  const server = await open(data);
  const send = (answer: unknown): void => {
    port.postMessage(answer);
    Atomics.add(words, BELL, 1);
    Atomics.notify(words, BELL);
  };
  const interrupted = (): boolean => Atomics.load(words, interruptOf(index)) !== 0;
  server.serve((answer) => {
    send(true);
    for (;;) {
      const before = Atomics.load(words, inboxOf(index));
      const received = receiveMessageOnPort(port);
      if (received === undefined) Atomics.wait(words, inboxOf(index), before);
      else if (received.message === END) break;
      else send(attempt(() => answer(received.message, interrupted)));
    }
  });
  await server.close();
  port.close();
}

function attempt(body: () => unknown): unknown {
  try {
    return body();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
