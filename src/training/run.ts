import type { RealArray } from "../compute/types.ts";
import type { Measurement, Monitor } from "./monitor.ts";
import { subsetOf } from "./step-size.ts";
import type { StepResult, Trainer, TrainingData } from "./trainer.ts";

/** When a training ends: the first that is reached. Infinity and null: never. */
export interface StopRules {
  /** Steps in all, those before a restart included. */
  readonly steps: number;
  /** Seconds in all, likewise. */
  readonly seconds: number;
  /** Objective over all training samples, at most. */
  readonly loss: number | null;
  /** Share of the training samples that are classified right, at least. */
  readonly accuracy: number | null;
}

export type StopReason = "steps" | "seconds" | "loss" | "accuracy" | "cancelled" | "diverged";

/** A network over all samples, outside training; accuracies are shares, null without classes. */
export interface WholeLoss {
  readonly loss: number;
  readonly accuracy: number | null;
}

/** Where a training stands after `step` steps. */
export interface Evaluation extends WholeLoss {
  readonly step: number;
  /** The objective as if there were as many held-out samples as training samples. */
  readonly test: WholeLoss | null;
}

export type TrainingEvent =
  | { readonly kind: "step"; readonly result: StepResult; readonly seconds: number }
  | {
      readonly kind: "log";
      readonly step: number;
      readonly seconds: number;
      readonly evaluation: Evaluation | null;
      readonly measurements: readonly Measurement[];
    }
  /** What follows is told because the training ends here: one that goes on from here is without it. */
  | { readonly kind: "closing" };

/** How a training ended; a diverged one had a finite objective for the last time after `step` steps. */
export interface TrainingEnd {
  readonly reason: StopReason;
  readonly step: number;
  readonly seconds: number;
  readonly evaluation: Evaluation;
}

export interface TrainingRun<A extends RealArray> {
  readonly trainer: Trainer<A>;
  readonly monitors: readonly Monitor[];
  readonly stop: StopRules;
  readonly test: TrainingData | null;
  /** Steps between evaluations; null: all of the first two dozen, then each 4 % more. */
  readonly every: number | null;
  /** Seconds spent before a restart. */
  readonly secondsBefore: number;
  /** A clock in seconds. */
  now(): number;
  cancelled(): boolean;
}

/** Evaluations for each doubling of the number of steps. */
const PER_DOUBLING = 16;

/** Whether a geometric pace stops at a step: at each of the first, then at the first of each part of an octave. */
function isPaced(step: number, every: number | null): boolean {
  if (every !== null) return step % every === 0;
  if (step < 2) return true;
  const part = (s: number): number => Math.floor(PER_DOUBLING * Math.log2(s));
  return part(step) !== part(step - 1);
}

/** Evaluates over all training samples, and the held-out ones. */
export function evaluateAll<A extends RealArray>(trainer: Trainer<A>, test: TrainingData | null): Evaluation {
  const whole = (data: TrainingData): WholeLoss => {
    const { loss, correct } = trainer.evaluate(trainer.theta, null, data);
    const scale = trainer.settings.reduction === "sum" ? trainer.data.n / data.n : 1;
    return { loss: scale * loss, accuracy: Number.isNaN(correct) ? null : correct / data.n };
  };
  return { step: trainer.steps, ...whole(trainer.data), test: test === null ? null : whole(test) };
}

/** Samples on which outputs must be finite for monitors to look at anything. */
const PROBE = 64;

/**
 * Trains until a rule says stop: an event a step, and before it one for each logged step with the objective over all
 * samples and what monitors measured; at the event of a step all that is to be told of it was told. What happens at a
 * step depends on its number alone, not on the clock, so that a training restored from a checkpoint goes through the same
 * events. Steps are made between events: whoever stops listening stops the training.
 */
export function* runTraining<A extends RealArray>(run: TrainingRun<A>): Generator<TrainingEvent, TrainingEnd> {
  const { trainer, monitors, stop, test, every, now } = run;
  const started = now() - run.secondsBefore;
  const seconds = (): number => now() - started;
  const isWhole = trainer.settings.batch >= trainer.data.n;
  const isReached = (loss: number, accuracy: number | null): StopReason | null => {
    if (stop.loss !== null && loss <= stop.loss) return "loss";
    return stop.accuracy !== null && accuracy !== null && accuracy >= stop.accuracy ? "accuracy" : null;
  };
  const end = (reason: StopReason, evaluation: Evaluation): TrainingEnd => {
    return { reason, step: evaluation.step, seconds: seconds(), evaluation };
  };
  const observe = (step: number, due: readonly Monitor[]): Measurement[] =>
    due.flatMap((monitor) => monitor.observe(step));

  const count = Math.min(PROBE, trainer.data.n);
  const rows = Uint32Array.from({ length: count }, (_, k) => Math.floor((k * trainer.data.n) / count));
  const probe = monitors.length === 0 ? null : subsetOf(trainer.data, rows);
  const isSound = (): boolean => probe === null || Number.isFinite(trainer.evaluate(trainer.theta, null, probe).loss);

  let evaluation = evaluateAll(trainer, test);
  const isStartFinite = Number.isFinite(evaluation.loss);
  // A restored training has told this already.
  if (trainer.steps === 0) {
    yield {
      kind: "log",
      step: 0,
      seconds: seconds(),
      evaluation,
      measurements: observe(0, isStartFinite ? monitors : []),
    };
  }
  if (!isStartFinite) return end("diverged", evaluation);
  let reason: StopReason | null = isReached(evaluation.loss, evaluation.accuracy);
  while (reason === null) {
    if (run.cancelled()) reason = "cancelled";
    else if (trainer.steps >= stop.steps) reason = "steps";
    else if (seconds() >= stop.seconds) reason = "seconds";
    if (reason !== null) break;
    const result = trainer.step();
    if (!Number.isFinite(result.loss)) {
      return end("diverged", { ...evaluation, step: result.step - 1 });
    }
    // The loss of a whole batch is the objective before its step: a sign that it is time to look.
    const isNear = isWhole && isReached(result.loss, result.correct / result.samples) !== null;
    const watching = monitors.filter((monitor) => trainer.steps % monitor.every === 0);
    const isDue = isPaced(trainer.steps, every);
    if (isDue || isNear) evaluation = evaluateAll(trainer, test);
    const measurements = watching.length > 0 && isSound() ? observe(trainer.steps, watching) : [];
    if (isDue || measurements.length > 0) {
      const shown = isDue ? evaluation : null;
      yield { kind: "log", step: trainer.steps, seconds: seconds(), evaluation: shown, measurements };
    }
    if (isDue || isNear) {
      if (!Number.isFinite(evaluation.loss)) return end("diverged", evaluation);
      reason = isReached(evaluation.loss, evaluation.accuracy);
    }
    yield { kind: "step", result, seconds: seconds() };
  }
  if (evaluation.step !== trainer.steps) evaluation = evaluateAll(trainer, test);
  if (!Number.isFinite(evaluation.loss)) return end("diverged", evaluation);
  yield { kind: "closing" };
  // What is told and measured now and then is told and measured at the end too.
  const isTold = trainer.steps === 0 || isPaced(trainer.steps, every);
  const left = monitors.filter(({ every: pace }) => pace < Number.MAX_SAFE_INTEGER && trainer.steps % pace !== 0);
  const measurements = left.length > 0 && isSound() ? observe(trainer.steps, left) : [];
  if (!isTold || measurements.length > 0) {
    const shown = isTold ? null : evaluation;
    yield { kind: "log", step: trainer.steps, seconds: seconds(), evaluation: shown, measurements };
  }
  return end(reason, evaluation);
}
