import { type Certificate, certificateSchema } from "../../src/certificate/index.ts";
import type { Checkpoint } from "../../src/experiments/checkpoint.ts";
import type { FitSettings } from "../../src/experiments/config.ts";
import type { FitEvent, FitOutcome } from "../../src/experiments/fit-types.ts";
import { runFit } from "../../src/experiments/pipeline.ts";
import { now } from "../../src/platform/clock.ts";

/** The end of a fit and what it said on the way. */
export interface Observed {
  readonly outcome: FitOutcome;
  readonly events: readonly FitEvent[];
}

interface RunOptions {
  readonly cancelAfter: (event: FitEvent) => boolean;
  readonly resume: Checkpoint | null;
  /** A model file that is to be bounded. */
  readonly given: string | null;
}

/** A fit in this thread; `cancelAfter` is asked after every event. */
export async function run(
  settings: FitSettings,
  { cancelAfter, resume = null, given = null }: Partial<RunOptions> = {},
): Promise<Observed> {
  const events: FitEvent[] = [];
  let cancelled = false;
  const outcome = await runFit(settings, {
    emit: (event) => {
      events.push(event);
      if (cancelAfter?.(event) === true) cancelled = true;
    },
    cancelled: () => cancelled,
    now,
    started: now(),
    resume,
    given,
  });
  return { outcome, events };
}

/** A file of the run. */
export const file = ({ files }: FitOutcome, name: string): Uint8Array => files.find((one) => one.name === name)!.bytes;
export const text = (outcome: FitOutcome, name: string): string => new TextDecoder().decode(file(outcome, name));
export const certificateOf = (outcome: FitOutcome): Certificate =>
  certificateSchema.parse(JSON.parse(text(outcome, "certificate.json")));
