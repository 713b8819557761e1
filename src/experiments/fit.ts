import { startWorker } from "../platform/worker.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { FitSettings } from "./config.ts";
import { unpackError } from "./crossing.ts";
import { eventQueue } from "./event-queue.ts";
import { FitCancelled, type FitEvent, type FitJob, type FitOutcome } from "./fit-types.ts";
import type { WorkerMessage, WorkerStart } from "./fit-worker.ts";

/**
 * Starts a fit in a worker thread, so that the caller's thread stays free.
 *
 * `cancel()` asks for an early end with the best network so far; a second `cancel()` ends the thread at once, and
 * `outcome` rejects with {@link FitCancelled}. Mistakes of the user reject `outcome` as the UserError they are.
 *
 * @param options.resume the checkpoint of an interrupted fit of the same problem, to go on from.
 * @param options.given a model file whose network is to be bounded and saved, in place of one of our own.
 */
export function startFit(
  settings: FitSettings,
  options: { readonly resume?: Checkpoint; readonly given?: string } = {},
): FitJob {
  const cancelFlag = new SharedArrayBuffer(4);
  const flag = new Int32Array(cancelFlag);
  const start: WorkerStart = { settings, resume: options.resume ?? null, given: options.given ?? null, cancelFlag };
  const worker = startWorker(new URL("./fit-worker.ts", import.meta.url), start);
  const events = eventQueue<FitEvent>();

  const outcome = new Promise<FitOutcome>((resolve, reject) => {
    let settled = false;
    const settle = async (finish: () => void): Promise<void> => {
      if (settled) return;
      settled = true;
      await worker.terminate();
      finish();
      events.end();
    };
    worker.onMessage((raw) => {
      const message = raw as WorkerMessage;
      if (message.kind === "event") events.push(message.event);
      else if (message.kind === "outcome") void settle(() => resolve(message.outcome));
      else void settle(() => reject(unpackError(message.error)));
    });
    void worker.ended.then((error) =>
      settle(() => {
        reject(Atomics.load(flag, 0) > 1 ? new FitCancelled() : (error ?? new Error("the fit ended without a result")));
      }),
    );
  });

  return {
    events: events.items,
    cancel() {
      if (Atomics.add(flag, 0, 1) > 0) void worker.terminate();
    },
    outcome,
  };
}
