import { now } from "../platform/clock.ts";
import { workerSide } from "../platform/worker.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { FitSettings } from "./config.ts";
import { type CrossingError, packError } from "./crossing.ts";
import type { FitEvent, FitOutcome } from "./fit-types.ts";
import { runFit } from "./pipeline.ts";

/** What the thread is started with. */
export interface WorkerStart {
  readonly settings: FitSettings;
  readonly resume: Checkpoint | null;
  readonly given: string | null;
  /** One Int32, above 0 once the fit is cancelled: the thread is too busy to read messages. */
  readonly cancelFlag: SharedArrayBuffer;
}

/** What the thread says. */
export type WorkerMessage =
  | { readonly kind: "event"; readonly event: FitEvent }
  | { readonly kind: "outcome"; readonly outcome: FitOutcome }
  | { readonly kind: "error"; readonly error: CrossingError };

const started = now();
const side = workerSide();
const { settings, resume, given, cancelFlag } = side.data as WorkerStart;
const flag = new Int32Array(cancelFlag);
const say = (message: WorkerMessage): void => side.post(message);
// A listener keeps the thread alive while it waits for its helpers; its starter ends it once the result is there.
side.onMessage(() => {});

try {
  const outcome = await runFit(settings, {
    emit: (event) => say({ kind: "event", event }),
    cancelled: () => Atomics.load(flag, 0) > 0,
    now,
    started,
    resume,
    given,
  });
  say({ kind: "outcome", outcome });
} catch (error) {
  say({ kind: "error", error: packError(error) });
}
