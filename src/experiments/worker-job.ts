import { startWorker, type WorkerSide } from "../platform/worker.ts";
import { type CrossingError, packError, unpackError } from "./crossing.ts";
import { eventQueue } from "./event-queue.ts";
import { FitCancelled } from "./fit-types.ts";

/** Work under way in a thread of its own. */
export interface WorkerJob<Event, Outcome> {
  /** Ends when the work does; never throws (failures reject `outcome`). */
  readonly events: AsyncIterable<Event>;
  /**
   * Asks for an early end: `outcome` then resolves with what there is, or rejects with {@link FitCancelled}. A second call
   * ends the thread at once, and `outcome` rejects.
   */
  cancel(): void;
  readonly outcome: Promise<Outcome>;
}

/** What a thread is started with: its task, and one Int32, above 0 once it is cancelled (it is too busy to read messages). */
export interface WorkerStart<Task> {
  readonly task: Task;
  readonly cancelFlag: SharedArrayBuffer;
}

/** What a thread says. */
type WorkerMessage<Event, Outcome> =
  | { readonly kind: "event"; readonly event: Event }
  | { readonly kind: "outcome"; readonly outcome: Outcome }
  | { readonly kind: "error"; readonly error: CrossingError };

/**
 * Starts work in a worker thread, so that the caller's thread stays free. Mistakes of the user reject `outcome` as the
 * UserError they are.
 *
 * @param entry the module of the thread, which calls {@link serveJob}.
 */
export function startJob<Task, Event, Outcome>(entry: URL, task: Task): WorkerJob<Event, Outcome> {
  const cancelFlag = new SharedArrayBuffer(4);
  const flag = new Int32Array(cancelFlag);
  const start: WorkerStart<Task> = { task, cancelFlag };
  const worker = startWorker(entry, start);
  const events = eventQueue<Event>();

  const outcome = new Promise<Outcome>((resolve, reject) => {
    let settled = false;
    const settle = async (finish: () => void): Promise<void> => {
      if (settled) return;
      settled = true;
      await worker.terminate();
      finish();
      events.end();
    };
    worker.onMessage((raw) => {
      const message = raw as WorkerMessage<Event, Outcome>;
      if (message.kind === "event") events.push(message.event);
      else if (message.kind === "outcome") void settle(() => resolve(message.outcome));
      else void settle(() => reject(unpackError(message.error)));
    });
    void worker.ended.then((error) =>
      settle(() => {
        reject(
          Atomics.load(flag, 0) > 1 ? new FitCancelled() : (error ?? new Error("the work ended without a result")),
        );
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

/** What the work in a thread is given besides its task. */
export interface JobContext<Event> {
  emit(event: Event): void;
  cancelled(): boolean;
}

/** Does the task that a thread was started with, and tells its starter how it went. */
export async function serveJob<Task, Event, Outcome>(
  side: WorkerSide,
  work: (task: Task, context: JobContext<Event>) => Promise<Outcome>,
): Promise<void> {
  const { task, cancelFlag } = side.data as WorkerStart<Task>;
  const flag = new Int32Array(cancelFlag);
  const say = (message: WorkerMessage<Event, Outcome>): void => side.post(message);
  // A listener keeps the thread alive while it waits for its helpers; its starter ends it once the result is there.
  side.onMessage(() => {});
  try {
    const outcome = await work(task, {
      emit: (event) => say({ kind: "event", event }),
      cancelled: () => Atomics.load(flag, 0) > 0,
    });
    say({ kind: "outcome", outcome });
  } catch (error) {
    say({ kind: "error", error: packError(error) });
  }
}
