import { ConfigError } from "../../base/errors.ts";
import { stableRate, type TrainingSettings, type UpdateRule } from "../../training/index.ts";
import { curvatureAtStart, curvatureOperations, type Threads } from "./machine.ts";
import type { PosedTraining } from "./pose.ts";
import type { TrainSettings } from "./settings.ts";

/** Share of the largest stable step size that is taken. */
const SAFETY = 0.5;
const ADAM_RATE = 1e-3;
/** Floating-point operations that the largest stable step size may take before a training, and when one goes wrong. */
const OPERATIONS = { before: 2e10, after: 3e11 } as const;
/** The loss has risen when it is so many times that of the start. */
const RISEN = 2;
/** A step size so many times smaller than the largest stable one is likely a mistake. */
const FAR_BELOW = 20;

const short = (value: number): string => (value < 1e6 ? String(Number(value.toPrecision(3))) : value.toExponential(1));

/** The step size, and the curvature that it was derived from (null when it was given). */
export interface ChosenRate {
  readonly rate: number;
  readonly curvature: number | null;
}

/** @throws ConfigError when a step size is to be derived from a curvature that overflows. */
export function chooseRate(settings: TrainSettings, rule: UpdateRule, curvatureOf: () => number): ChosenRate {
  if (typeof settings.rate === "number") return { rate: settings.rate, curvature: null };
  if (rule.kind === "adam") return { rate: ADAM_RATE, curvature: null };
  const curvature = curvatureOf();
  if (!Number.isFinite(curvature)) {
    throw new ConfigError("the curvature of the loss at the start overflows", {
      code: "rate-overflow",
      hint: "scale the inputs (--standardize columns), or give --rate",
    });
  }
  const rate = SAFETY * (stableRate(rule, curvature) ?? Number.POSITIVE_INFINITY);
  // Nothing bends: every step size is stable.
  return { rate: Number.isFinite(rate) ? rate : 1, curvature };
}

/** Where a chosen step size comes from. */
export function rateSentence(rate: number, curvature: number, loss: string, isBatched: boolean): string {
  const of = loss === "squared" ? "the tangent kernel" : "the Gauss-Newton matrix";
  const where = isBatched ? "of the first batches at the start" : "at the start";
  return `rate ${Number(rate.toPrecision(4))}: half of the largest stable one; the largest eigenvalue of ${of} ${where} is ${Number(curvature.toPrecision(4))}`;
}

/** Compares a step size with the largest stable one at the start, which is computed when it is first asked for. */
export interface RateWatch {
  /** The largest stable step size; null for Adam, and where it takes too long at this time. */
  stable(when: keyof typeof OPERATIONS): number | null;
  /** What is to be said before the first step; null: nothing. */
  before(): string | null;
  /** What is to be said after a look at the loss, once; null: nothing. */
  after(step: number, loss: number, first: number): string | null;
  /** That sentence with what to do; null when the loss has not risen. */
  risen(): string | null;
}

/** Watches the step size of a training. */
export function watchRate(
  threads: Threads,
  posed: PosedTraining,
  settings: Pick<TrainingSettings, "reduction" | "batch" | "seed" | "rule">,
  { rate, curvature }: ChosenRate,
): RateWatch {
  const { rule, batch } = settings;
  let known = curvature;
  let isTold = false;
  let risen: string | null = null;
  const stable = (when: keyof typeof OPERATIONS): number | null => {
    if (rule.kind === "adam") return null;
    if (known === null && curvatureOperations(posed.graph, Math.min(batch, posed.data.n)) > OPERATIONS[when])
      return null;
    known ??= curvatureAtStart(threads, posed, settings);
    // Of a curvature that overflows nothing can be said.
    return Number.isFinite(known) ? stableRate(rule, known) : null;
  };
  const advice = (largest: number): string =>
    rate > largest
      ? `rate ${short(rate)} is ${short(rate / largest)} times the largest stable one at the start, ${short(largest)}: --rate ${short(SAFETY * largest)} is half of that`
      : `rate ${short(rate)} was stable at the start (up to ${short(largest)}), but curvature can grow: try --rate ${short(SAFETY * rate)}`;
  return {
    stable,
    before() {
      const largest = curvature === null ? stable("before") : null;
      if (largest === null) return null;
      if (rate < largest / FAR_BELOW) {
        return `rate ${short(rate)} is far below the largest stable one at the start, ${short(largest)}: --rate stable takes half of that`;
      }
      if (rate <= largest) return null;
      isTold = true;
      return `${advice(largest)}; the loss may rise, or diverge`;
    },
    after(step, loss, first) {
      if (risen !== null || !(loss > RISEN * first)) return null;
      const largest = stable("after");
      const todo = largest === null ? `try a smaller --rate than ${short(rate)}` : advice(largest);
      const what = `after step ${step} the loss had risen from ${short(first)} to ${short(loss)}`;
      risen = `${what}: ${todo}`;
      return isTold ? what : risen;
    },
    risen: () => risen,
  };
}
