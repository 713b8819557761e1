import { existsSync } from "node:fs";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker, workerData } from "node:worker_threads";
import { builtModule } from "./worker.ts";

/** Worker threads whose starter waits for their answers without returning to the event loop. */
export interface SyncWorkers {
  readonly count: number;
  /** Sends a message to a worker (structured clone); it answers each one, in order. */
  post(worker: number, message: unknown): void;
  /** The next answer of any worker (what it threw, as an Error); null when none came within so many milliseconds. */
  receive(milliseconds: number): { readonly worker: number; readonly answer: unknown } | null;
  /** Asks a worker to end what it is doing early, or takes that back. */
  interrupt(worker: number, on: boolean): void;
  /** Lets the threads end after what they are doing. */
  close(): void;
}

interface SyncWorkerStart {
  readonly port: MessagePort;
  readonly words: Int32Array;
  readonly index: number;
  readonly data: unknown;
}

/** Words of the shared block: answers so far; then of each worker the messages so far, and whether it is to interrupt. */
const BELL = 0;
const inboxOf = (worker: number): number => 1 + 2 * worker;
const interruptOf = (worker: number): number => 2 + 2 * worker;
/** What ends a worker. */
const END = null;

/**
 * Starts worker threads that run the built module behind `entry` (see `startWorker`), which calls {@link serveSync}. A thread that
 * cannot start never answers; null when the module has not been built.
 *
 * @param data handed to every thread (structured clone)
 */
export function startSyncWorkers(entry: URL, count: number, data: unknown): SyncWorkers | null {
  const built = builtModule(entry);
  if (!existsSync(built)) return null;
  const words = new Int32Array(new SharedArrayBuffer(4 * (1 + 2 * count)));
  const ports = Array.from({ length: count }, (_, index) => {
    const { port1, port2 } = new MessageChannel();
    const start: SyncWorkerStart = { port: port2, words, index, data };
    const worker = new Worker(built, { workerData: start, transferList: [port2], execArgv: [] });
    // Nobody is there to hear of it: the starter goes on without this thread.
    worker.on("error", () => {});
    worker.unref();
    port1.unref();
    return port1;
  });
  const post = (worker: number, message: unknown): void => {
    ports[worker]?.postMessage(message);
    Atomics.add(words, inboxOf(worker), 1);
    Atomics.notify(words, inboxOf(worker));
  };
  const poll = (): { worker: number; answer: unknown } | null => {
    for (const [worker, port] of ports.entries()) {
      const received = receiveMessageOnPort(port);
      if (received !== undefined) return { worker, answer: received.message };
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

/**
 * The loop of a thread of {@link startSyncWorkers}: `open` gets its data and makes what answers messages, whose argument
 * tells whether to end early; `close` is called at the end. The first answer, to no message, is `true`.
 */
export async function serveSync(
  open: (data: unknown) => Promise<{
    answer(message: unknown, interrupted: () => boolean): unknown;
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
  send(true);
  for (;;) {
    const before = Atomics.load(words, inboxOf(index));
    const received = receiveMessageOnPort(port);
    if (received === undefined) Atomics.wait(words, inboxOf(index), before);
    else if (received.message === END) break;
    else send(attempt(() => server.answer(received.message, interrupted)));
  }
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
