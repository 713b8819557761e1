import type { Compute } from "../../compute/index.ts";
import type { RealArray } from "../../compute/types.ts";
import { architectureText } from "../../network/architecture/index.ts";
import {
  type Measurement,
  type Monitor,
  rateAt,
  runTraining,
  type Trainer,
  type TrainingCheckpoint,
  type TrainingEnd,
  type TrainingEvent,
} from "../../training/index.ts";
import { VERSION } from "../version.ts";
import { type MonitorMemories, type StoredCheckpoint, writeTrainingCheckpoint } from "./checkpoint.ts";
import { type HistoryLine, readHistory } from "./history.ts";
import type { SessionFacts, TrainContext } from "./session.ts";
import type { TrainSettings } from "./settings.ts";
import type { WorkFolder } from "./work-folder.ts";

/** Progress is told at most this often, in seconds. */
const PROGRESS_SECONDS = 0.1;
/** Epochs when nothing says when to stop. */
const EPOCHS = { batches: 20, full: 1000 } as const;

/** The machinery in words: the same steps come out bit by bit on the same one. */
export function backendName({ info }: Compute): string {
  return `${info.name}, ${info.blas ?? "no system BLAS"}, ${info.simd}, threads ${info.threads}`;
}

/** The history and the memories of monitors that a training goes on with. */
export interface Recorded {
  readonly historyBytes: number;
  readonly monitors: MonitorMemories;
}

/** A training as it stands, with what it takes to go on. */
export function stored(
  { settings, inputs, posed, rate, curvature, compute }: SessionFacts,
  training: TrainingCheckpoint,
  { historyBytes, monitors }: Recorded,
  seconds: number,
): StoredCheckpoint {
  return {
    record: {
      version: VERSION,
      settings: { ...settings },
      fingerprint: inputs.fingerprint,
      architecture: architectureText(posed.architecture),
      step: training.step,
      seconds,
      rate,
      curvature,
      historyBytes,
      backend: backendName(compute),
    },
    training,
    monitors,
  };
}

/** Where a training that is to stop after some steps stops. */
export function stepsWanted(
  { steps, epochs, seconds, untilLoss, untilAccuracy }: TrainSettings,
  stepsPerEpoch: number,
): number {
  const isOpen = [steps, epochs, seconds, untilLoss, untilAccuracy].every((rule) => rule === undefined);
  const most = isOpen ? EPOCHS[stepsPerEpoch > 1 ? "batches" : "full"] : (epochs ?? Number.POSITIVE_INFINITY);
  return Math.min(steps ?? Number.POSITIVE_INFINITY, Math.ceil(most * stepsPerEpoch));
}

/** A quantity as it was measured last. */
export type LastMeasurement = Measurement & { readonly step: number };

const quantityOf = ({ name, layer }: Pick<Measurement, "name" | "layer">): string => `${name} ${layer ?? ""}`;

/** What a history says was measured last. */
function measuredIn(lines: readonly HistoryLine[]): Map<string, LastMeasurement> {
  const measured = new Map<string, LastMeasurement>();
  for (const { step, measurements } of lines) {
    for (const one of measurements) {
      measured.set(quantityOf(one), { ...one, value: one.value ?? Number.NaN, step });
    }
  }
  return measured;
}

/** What else is told while steps are made. */
export interface DriveContext extends TrainContext {
  /** After each look at the loss over all samples: it, and that of the start. */
  looked(step: number, loss: number, first: number): void;
}

/** Makes the steps; writes history and checkpoints. */
export function drive<A extends RealArray>(
  facts: SessionFacts,
  trainer: Trainer<A>,
  monitors: readonly Monitor[],
  work: WorkFolder,
  secondsBefore: number,
  { emit, cancelled, now, looked }: DriveContext,
): { readonly end: TrainingEnd; readonly measured: readonly LastMeasurement[]; readonly recorded: Recorded } {
  const { settings, posed } = facts;
  const steps = stepsWanted(settings, trainer.stepsPerEpoch);
  const run = runTraining({
    trainer,
    monitors,
    stop: {
      steps,
      seconds: settings.seconds ?? Number.POSITIVE_INFINITY,
      loss: settings.untilLoss ?? null,
      accuracy: settings.untilAccuracy ?? null,
    },
    test: posed.test,
    every: settings.every ?? (trainer.stepsPerEpoch > 1 ? trainer.stepsPerEpoch : null),
    secondsBefore,
    now,
    cancelled,
  });
  const before = readHistory(work.history());
  const measured = measuredIn(before);
  let start = before[0]?.loss ?? null;
  const first = trainer.steps;
  let known: { loss: number; accuracy: number | null; testAccuracy: number | null } | null = null;
  let told = Number.NEGATIVE_INFINITY;
  let saved = now();
  const recordedNow = (): Recorded => ({
    historyBytes: work.historyBytes,
    monitors: new Map(monitors.map((monitor) => [monitor.name, monitor.save()])),
  });
  /** As it was before the last lines, which are there because the training ends. */
  let recorded: Recorded | null = null;
  const save = (seconds: number): void => {
    // Parameters that are not finite are nothing to go on from.
    if (!Number.isFinite(trainer.kernels.normInf(trainer.theta.length, trainer.theta))) return;
    work.save(writeTrainingCheckpoint(stored(facts, trainer.checkpoint(), recordedNow(), seconds)));
  };
  const tell = (step: number, seconds: number): void => {
    if (known === null || now() - told < PROGRESS_SECONDS) return;
    told = now();
    const byTime = seconds / (settings.seconds ?? Number.POSITIVE_INFINITY);
    const fraction = Math.max(step / steps, byTime);
    const own = Math.max(
      (step - first) / (steps - first),
      (seconds - secondsBefore) / ((settings.seconds ?? Number.POSITIVE_INFINITY) - secondsBefore),
    );
    const left = own > 0 ? ((seconds - secondsBefore) * (1 - own)) / own : null;
    const isOpen = steps === Number.POSITIVE_INFINITY && settings.seconds === undefined;
    emit({
      kind: "progress",
      step,
      epoch: step / trainer.stepsPerEpoch,
      rate: rateAt(trainer.settings.schedule, Math.max(1, step)),
      ...known,
      fraction: isOpen ? null : fraction,
      seconds,
      left: isOpen ? null : left,
    });
  };
  let next = run.next();
  if (!next.done && trainer.steps === 0) save(0);
  for (; !next.done; next = run.next()) {
    const event = next.value;
    if (event.kind === "log") {
      const { evaluation, measurements, step, seconds } = event;
      for (const one of measurements) measured.set(quantityOf(one), { ...one, step });
      if (evaluation !== null) {
        const { loss, accuracy, test } = evaluation;
        known = { loss, accuracy, testAccuracy: test?.accuracy ?? null };
        start ??= loss;
        looked(step, loss, start);
      }
      work.addHistory(historyLine(trainer, event));
      tell(step, seconds);
    } else if (event.kind === "closing") {
      recorded = recordedNow();
    } else {
      tell(event.result.step, event.seconds);
      if (now() - saved >= settings.checkpoint) {
        save(event.seconds);
        saved = now();
      }
    }
  }
  return { end: next.value, measured: [...measured.values()], recorded: recorded ?? recordedNow() };
}

type LogEvent = Extract<TrainingEvent, { kind: "log" }>;

/** A line of the history: where the training stands, and what was measured; numbers that are not finite are null. */
function historyLine<A extends RealArray>(
  trainer: Trainer<A>,
  { step, seconds, evaluation, measurements }: LogEvent,
): Record<string, unknown> {
  const stands =
    evaluation === null
      ? {}
      : {
          loss: evaluation.loss,
          accuracy: evaluation.accuracy,
          ...(evaluation.test === null
            ? {}
            : { testLoss: evaluation.test.loss, testAccuracy: evaluation.test.accuracy }),
        };
  return {
    step,
    epoch: step / trainer.stepsPerEpoch,
    seconds,
    rate: rateAt(trainer.settings.schedule, Math.max(1, step)),
    ...stands,
    ...(measurements.length === 0 ? {} : { measurements }),
  };
}
