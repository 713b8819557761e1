import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import {
  type Monitor,
  runTraining,
  type StopRules,
  type Trainer,
  type TrainingEnd,
  type TrainingEvent,
} from "../../src/training/index.ts";
import { problem, trainerOf } from "./trainings.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ backend: "js" });
});
afterAll(() => compute.close());

const TASK = problem("dense(16) relu dense(2)", [3], 12, "cross-entropy");

interface Options {
  readonly stop?: Partial<StopRules>;
  readonly every?: number | null;
  readonly monitors?: readonly Monitor[];
  readonly secondsBefore?: number;
  readonly test?: typeof TASK.data | null;
  readonly cancelled?: () => boolean;
  readonly now?: () => number;
}

function drive(trainer: Trainer<Float64Array>, options: Options = {}): { events: TrainingEvent[]; end: TrainingEnd } {
  const { stop = {}, every = null, monitors = [], secondsBefore = 0, test: held = null } = options;
  const run = runTraining({
    trainer,
    monitors,
    stop: { steps: Number.POSITIVE_INFINITY, seconds: Number.POSITIVE_INFINITY, loss: null, accuracy: null, ...stop },
    test: held,
    every,
    secondsBefore,
    now: options.now ?? (() => 0),
    cancelled: options.cancelled ?? (() => false),
  });
  const events: TrainingEvent[] = [];
  let next = run.next();
  for (; !next.done; next = run.next()) events.push(next.value);
  return { events, end: next.value };
}

const logged = (events: readonly TrainingEvent[]): number[] =>
  events.flatMap((event) => (event.kind === "log" ? [event.step] : []));

describe("runTraining", () => {
  test("runTraining makes the steps that are asked for and evaluates at the start, at its pace and at the end", () => {
    compute.scope((scope) => {
      const { events, end } = drive(trainerOf(compute, scope, TASK), { stop: { steps: 10 }, every: 4 });
      expect(logged(events)).toEqual([0, 4, 8, 10]);
      expect(events.filter(({ kind }) => kind === "step")).toHaveLength(10);
      expect(end).toMatchObject({ reason: "steps", step: 10 });
    });
  });

  test("runTraining evaluates each of the first steps, then ever fewer, without a pace", () => {
    compute.scope((scope) => {
      const { events } = drive(trainerOf(compute, scope, TASK), { stop: { steps: 2000 } });
      const steps = logged(events);
      expect(steps.slice(0, 24)).toEqual(Array.from({ length: 24 }, (_, k) => k));
      expect(steps.length).toBeLessThan(140);
      steps.slice(30).forEach((step, k) => {
        expect(step / steps[29 + k]!).toBeLessThan(1.09);
      });
    });
  });

  test("runTraining stops at the first step whose loss, or accuracy, is good enough", () => {
    for (const [name, stop] of [
      ["loss", { loss: 0.5 }],
      ["accuracy", { accuracy: 1 }],
    ] as const) {
      compute.scope((scope) => {
        const { end } = drive(trainerOf(compute, scope, TASK), { stop });
        expect(end.reason).toBe(name);
        const again = trainerOf(compute, scope, TASK);
        let steps = 0;
        for (
          const reached = () => {
            const { loss, correct } = again.evaluate();
            return name === "loss" ? loss <= 0.5 : correct === TASK.data.n;
          };
          !reached();
          steps++
        ) {
          again.step();
        }
        // A step more at most: the loss of a step is that before it.
        expect(end.step).toBeGreaterThanOrEqual(steps);
        expect(end.step).toBeLessThanOrEqual(steps + 1);
      });
    }
  });

  test("runTraining stops when the time is up, that of before a restart included, and when cancelled", () => {
    compute.scope((scope) => {
      let clock = 100;
      const now = (): number => clock++;
      const timed = drive(trainerOf(compute, scope, TASK), { stop: { seconds: 50 }, secondsBefore: 45, now });
      expect(timed.end.reason).toBe("seconds");
      expect(timed.end.seconds).toBeGreaterThanOrEqual(50);
      let asked = 0;
      const cancelled = (): boolean => ++asked > 6;
      expect(drive(trainerOf(compute, scope, TASK), { cancelled }).end).toMatchObject({ reason: "cancelled", step: 6 });
    });
  });

  test("runTraining says after which step the loss was finite for the last time", () => {
    compute.scope((scope) => {
      const quadratic = problem("dense(8) dense(1)", [3], 5);
      const wild = { schedule: { rate: 1e8, factor: 1, drops: [] } };
      const { events, end } = drive(trainerOf(compute, scope, quadratic, wild), { every: 1000 });
      expect(end.reason).toBe("diverged");
      const again = trainerOf(compute, scope, quadratic, wild);
      let last = 0;
      for (let k = 1; Number.isFinite(again.step().loss); k++) last = k;
      expect(end.step).toBe(last);
      expect(events.filter(({ kind }) => kind === "step")).toHaveLength(last);
    });
  });

  test("runTraining calls monitors at their paces, never on numbers that are not finite", () => {
    compute.scope((scope) => {
      const seen: number[] = [];
      const monitor: Monitor = {
        name: "loss",
        every: 3,
        cost: "nothing",
        save: () => [],
        restore: () => {},
        observe: (step) => {
          seen.push(step);
          return [{ name: "x", layer: null, value: step, bound: null, constant: null, statement: null, status: null }];
        },
      };
      const { events } = drive(trainerOf(compute, scope, TASK), { stop: { steps: 10 }, every: 5, monitors: [monitor] });
      expect(seen).toEqual([0, 3, 6, 9, 10]);
      expect(logged(events)).toEqual([0, 3, 5, 6, 9, 10, 10]);
      seen.length = 0;
      const quadratic = problem("dense(8) dense(1)", [3], 5);
      const wild = trainerOf(compute, scope, quadratic, { schedule: { rate: 1e8, factor: 1, drops: [] } });
      const watching: Monitor = {
        ...monitor,
        every: 1,
        observe: (step) => {
          expect(Number.isFinite(wild.evaluate().loss)).toBe(true);
          return monitor.observe(step);
        },
      };
      drive(wild, { every: 1000, monitors: [watching] });
      expect(seen.length).toBeGreaterThan(1);
    });
  });

  test("runTraining goes on from a checkpoint with the events that were left, and the same numbers", () => {
    compute.scope((scope) => {
      const set = { batch: 5, noise: 0.1 };
      const straight = trainerOf(compute, scope, TASK, set);
      const whole = drive(straight, { stop: { steps: 20 }, every: 3, test: TASK.data });
      const first = trainerOf(compute, scope, TASK, set);
      drive(first, { stop: { steps: 9 }, every: 3, test: TASK.data });
      const second = trainerOf(compute, scope, TASK, set);
      second.restore(first.checkpoint());
      const rest = drive(second, { stop: { steps: 20 }, every: 3, test: TASK.data });
      const after = whole.events.filter(
        (event) => event.kind === "closing" || (event.kind === "log" ? event.step : event.result.step) > 9,
      );
      expect(rest.events).toEqual(after);
      expect(second.theta).toEqual(straight.theta);
      expect(rest.end).toEqual(whole.end);
    });
  });

  test("runTraining scales the sum over held-out samples to as many as there are in training", () => {
    compute.scope((scope) => {
      const trainer = trainerOf(compute, scope, TASK, { reduction: "sum" });
      const { end } = drive(trainer, { stop: { steps: 1 }, test: TASK.data });
      expect(end.evaluation.test).toEqual({ loss: end.evaluation.loss, accuracy: end.evaluation.accuracy });
    });
  });
});
