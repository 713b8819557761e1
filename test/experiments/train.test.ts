import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { UserError } from "../../src/base/errors.ts";
import { createCompute } from "../../src/compute/index.ts";
import { readTrainingCheckpoint } from "../../src/experiments/training/checkpoint.ts";
import { loadTraining } from "../../src/experiments/training/load.ts";
import { poseTraining } from "../../src/experiments/training/pose.ts";
import { predictDeepSamples } from "../../src/experiments/training/predict.ts";
import { runTrain, type TrainContext } from "../../src/experiments/training/session.ts";
import { type TrainSettings, trainSettingsSchema } from "../../src/experiments/training/settings.ts";
import { type TrainEvent, type TrainOutcome, trainJsonSchema } from "../../src/experiments/training/types.ts";
import { removeWork } from "../../src/experiments/training/work-folder.ts";
import { type DeepModel, readDeepModel } from "../../src/formats/index.ts";
import { networkGraph, networkModel } from "../../src/network/deep/index.ts";
import { monitorNames, PLAIN, Trainer } from "../../src/training/index.ts";
import { temporaryFolder } from "../cli/program.ts";

const folder = temporaryFolder();
const table = join(folder, "rings.csv");
const angle = (i: number): number => 2.4 * i;
writeFileSync(
  table,
  `u,v,y\n${Array.from({ length: 60 }, (_, i) => {
    const r = i % 2 === 0 ? 1 : 2;
    return `${(r * Math.cos(angle(i))).toFixed(5)},${(r * Math.sin(angle(i))).toFixed(5)},${i % 2 === 0 ? "in" : "out"}`;
  }).join("\n")}\n`,
);

const settingsOf = (changes: Partial<Record<keyof TrainSettings, unknown>>): TrainSettings =>
  trainSettingsSchema.parse({
    data: table,
    target: "y",
    arch: "dense(32, b=1) relu dense(1)",
    threads: 1,
    out: folder,
    ...changes,
  });

interface Run {
  readonly outcome: TrainOutcome;
  readonly events: readonly TrainEvent[];
}

async function run(
  changes: Partial<Record<keyof TrainSettings, unknown>>,
  context: Partial<TrainContext> = {},
): Promise<Run> {
  const events: TrainEvent[] = [];
  const settings = settingsOf(changes);
  try {
    const outcome = await runTrain(settings, {
      emit: (event) => events.push(event),
      cancelled: () => false,
      now: () => performance.now() / 1000,
      resume: null,
      ...context,
    });
    return { outcome, events };
  } finally {
    removeWork(settings);
  }
}

const fileOf = ({ outcome }: Run, name: string): Uint8Array => outcome.files.find((one) => one.name === name)!.bytes;
const modelOf = (done: Run): DeepModel => readDeepModel(fileOf(done, "model.safetensors"), "model");
const historyOf = (done: Run): Record<string, unknown>[] =>
  new TextDecoder()
    .decode(fileOf(done, "history.ndjson"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

/** Writes the files of a run to a folder, to go on from there. */
function leave({ outcome }: Run, name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  for (const { name: file, bytes } of outcome.files) if (!file.includes("/")) writeFileSync(join(path, file), bytes);
  return path;
}

/** What a user is told. */
async function mistake(changes: Partial<Record<keyof TrainSettings, unknown>>): Promise<UserError> {
  const error = await run(changes).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof UserError) return error;
  throw error ?? new Error("nothing was thrown");
}

describe("runTrain", () => {
  test("runTrain trains to an accuracy and leaves model, history, checkpoint and report", async () => {
    const done = await run({ untilAccuracy: 1, epochs: 5000 });
    const json = trainJsonSchema.parse(JSON.parse(JSON.stringify(done.outcome.json)));
    expect(json.result).toMatchObject({ status: "finished", reason: "accuracy", accuracy: 1 });
    expect(json.problem).toMatchObject({ samples: 48, testSamples: 12, loss: "logistic", parameters: 128, batch: 48 });
    expect(json.result.rate).toBeCloseTo(json.result.stableRate! / 2, 10);
    const names = done.outcome.files.map(({ name }) => name);
    for (const name of ["model.safetensors", "model.onnx", "checkpoint.safetensors", "history.ndjson", "report.html"]) {
      expect(names).toContain(name);
    }
    expect(names).toEqual(expect.arrayContaining(["figures/loss.svg", "figures/accuracy.svg", "README.md"]));
    const history = historyOf(done);
    expect(history[0]).toMatchObject({ step: 0, epoch: 0 });
    expect(history.at(-1)).toMatchObject({ step: json.result.steps, accuracy: 1 });
    const page = new TextDecoder().decode(fileOf(done, "report.html"));
    expect(page).toContain("Accuracy");
    expect(page).toContain("of the training samples right");
  });

  test("predictDeepSamples of the saved model says what the run said", async () => {
    for (const changes of [
      {},
      { arch: "dense(16, b=1) batchnorm relu dense(2)", batch: 16, rate: 0.5, precision: "f64" },
      { symmetric: true },
      { linearized: true },
      { task: "regression", target: "u", arch: "dense(16) relu dense(1)" },
    ]) {
      const done = await run({ steps: 30, split: "none", ...changes });
      const prediction = await predictDeepSamples(modelOf(done), table);
      for (const [name, value] of Object.entries(done.outcome.json.metrics.train)) {
        if (name in (prediction.metrics ?? {})) expect(prediction.metrics![name]).toBeCloseTo(value, 4);
      }
      expect(Object.keys(prediction.metrics ?? {})).toContain(changes.task === undefined ? "accuracy" : "rmse");
    }
  });

  test("runTrain resumed from a checkpoint ends with the very weights of an uninterrupted one", async () => {
    for (const changes of [
      { batch: 7, momentum: 0.9, rate: 0.05, noise: 0.01 },
      { adam: true, batch: 16, arch: "dense(16, b=1) batchnorm relu dense(2)" },
      { symmetric: true, weightDecay: 0.01 },
      { taylor: 2, arch: "dense(8) tanh dense(1)", precision: "f64" },
    ]) {
      const all = { ...changes, steps: 60, every: 4 };
      const whole = await run(all);
      let steps = 0;
      const settings = settingsOf(all);
      // Saves a checkpoint at each step: the clock runs fast.
      let clock = 0;
      const half = await runTrain(
        { ...settings, checkpoint: 0.5 },
        {
          emit: () => {},
          cancelled: () => ++steps > 37,
          now: () => clock++,
          resume: null,
        },
      );
      expect(half.interrupted).toBe(true);
      const stopped = leave({ outcome: half, events: [] }, "stopped");
      removeWork(settings);
      const rest = await run(all, { resume: { folder: stopped } });
      expect(modelOf(rest).parameters).toEqual(modelOf(whole).parameters);
      expect(modelOf(rest).state).toEqual(modelOf(whole).state);
      const shown = (done: Run): unknown[] => historyOf(done).map(({ seconds: _, ...line }) => line);
      expect(shown(rest)).toEqual(shown(whole));
    }
  });

  test("runTrain interrupted and resumed leaves the history of an uninterrupted one, but for the time", async () => {
    const timeless = (done: Run): unknown[] => historyOf(done).map(({ seconds: _, ...line }) => line);
    const rows = { monitor: "loss:3,kernel:5,trajectories:4", rate: 0.05, steps: 30, seed: 3 };
    // Stops at steps of the pace, and at others.
    for (const [when, changes] of [
      [15, { ...rows, arch: "dense(8) tanh dense(1)", batch: 7, momentum: 0.5 }],
      [16, { ...rows, monitor: "loss:3,linearization", arch: "dense(8, b=1) batchnorm relu dense(2)", adam: true }],
      [9, { ...rows, untilLoss: 0.68, monitor: "loss:2" }],
    ] as const) {
      const whole = await run(changes);
      let asked = 0;
      const half = await run(changes, { cancelled: () => ++asked > when });
      expect(half.outcome.interrupted).toBe(true);
      const again = await run(changes, { resume: { folder: leave(half, `half-${when}`) } });
      expect(timeless(again)).toEqual(timeless(whole));
      expect(again.outcome.json.monitors).toEqual(whole.outcome.json.monitors);
    }
    // What has ended ends again, and the same; and goes on without the lines of its end.
    const short = await run({ ...rows, steps: 22 });
    const twice = await run({ ...rows, steps: 22 }, { resume: { folder: leave(short, "short") } });
    expect(timeless(twice)).toEqual(timeless(short));
    const longer = await run(rows, { resume: { folder: leave(twice, "twice") } });
    expect(timeless(longer)).toEqual(timeless(await run(rows)));
  });

  test("runTrain takes a killed training up from its last checkpoint, and cuts the history back to it", async () => {
    const all = { batch: 7, rate: 0.05, steps: 40, every: 1, checkpoint: 10 };
    const whole = await run(all);
    const settings = settingsOf(all);
    let steps = 0;
    let clock = 0;
    // What a kill leaves: the work folder, without the end that an interruption has.
    await expect(
      runTrain(settings, {
        emit: () => {},
        cancelled: () => {
          if (++steps > 33) throw new Error("killed");
          return false;
        },
        now: () => clock++,
        resume: null,
      }),
    ).rejects.toThrow("killed");
    const left = readdirSync(folder).filter((name) => name.startsWith(".train-"));
    expect(left).toHaveLength(1);
    const checkpoint = join(folder, left[0]!, "checkpoint.safetensors");
    const { record } = readTrainingCheckpoint(
      new Uint8Array(await import("node:fs").then(({ readFileSync }) => readFileSync(checkpoint))),
      checkpoint,
    );
    expect(record.step).toBeGreaterThan(0);
    expect(record.step).toBeLessThan(33);
    const rest = await run(all, { resume: "killed" });
    expect(rest.events).toContainEqual({ kind: "note", text: `goes on after step ${record.step}` });
    expect(modelOf(rest).parameters).toEqual(modelOf(whole).parameters);
    expect(historyOf(rest).map(({ step }) => step)).toEqual(historyOf(whole).map(({ step }) => step));
    expect(existsSync(checkpoint)).toBe(false);
  });

  test("runTrain refuses a checkpoint of other settings or other samples", async () => {
    const first = await run({ steps: 5, batch: 8, rate: 0.1 });
    const resume = { folder: leave(first, "other") };
    await expect(run({ steps: 9, batch: 8, rate: 0.2 }, { resume })).rejects.toThrow("rate was 0.1, now 0.2");
    await expect(run({ steps: 9, batch: 8, rate: 0.1, split: 0.3 }, { resume })).rejects.toThrow(UserError);
    const longer = await run({ steps: 9, batch: 8, rate: 0.1 }, { resume });
    expect(longer.outcome.json.result.steps).toBe(9);
    await expect(run({ steps: 9 }, { resume: { folder } })).rejects.toThrow("has no checkpoint");
    await expect(run({ steps: 9, seed: 77 }, { resume: "killed" })).rejects.toThrow("no interrupted training");
  });

  test("runTrain that diverges says where, names a stable step size and keeps a network that is finite", async () => {
    const given = await run({
      target: "u",
      task: "regression",
      arch: "dense(32) relu dense(1)",
      rate: 1e6,
      steps: 100,
    });
    expect(given.outcome.json.result).toMatchObject({ status: "diverged", reason: "diverged" });
    expect(given.outcome.verdict[0]).toMatch(/^Diverged: the loss is not finite after step \d+\.$/);
    expect(given.outcome.json.result.stableRate).toBeGreaterThan(0);
    expect(given.outcome.verdict[1]).toContain("are stable; the rate was 1000000");
    expect(modelOf(given).parameters[0]!.every(Number.isFinite)).toBe(true);
    expect(given.outcome.json.result.loss).not.toBeNull();
    expect(historyOf(given).length).toBeGreaterThan(0);
  });

  test("runTrain warns of a step size that is not stable, and says when the loss has risen, and what to do", async () => {
    const wild = { target: "u", task: "regression", arch: "dense(32, b=1) relu dense(1)", steps: 40 };
    const slow = await run({ ...wild, rate: 1e-4, steps: 1 });
    expect(slow.outcome.json.notes.at(-1)).toMatch(/^rate 0.0001 is far below the largest stable one at the start, /);
    const calm = await run({ ...wild, rate: 0.2 });
    expect(calm.outcome.json.result.stableRate).toBeGreaterThan(0.2);
    expect(calm.events.filter(({ kind }) => kind === "note").length).toBe(calm.outcome.json.notes.length);
    expect(calm.outcome.json.notes.join()).not.toContain("rate");
    const stable = calm.outcome.json.result.stableRate!;
    const done = await run({ ...wild, rate: 20 * stable });
    const [before, risen] = done.outcome.json.notes.slice(-2);
    expect(before).toMatch(
      /^rate [^ ]+ is 20 times the largest stable one at the start, [^ ]+: --rate [^ ]+ is half of that; /,
    );
    expect(Number(/--rate ([^ ]+)/.exec(before!)![1]) / stable).toBeCloseTo(0.5, 2);
    expect(risen).toMatch(/^after step 1 the loss had risen from /);
    expect(done.outcome.verdict.join(" ")).toContain("--rate");
    // The step size that is named does what it should.
    const named = await run({ ...wild, rate: Number(/--rate ([^ ]+)/.exec(before!)![1]) });
    expect(named.outcome.json.notes.length).toBe(calm.outcome.json.notes.length);
    expect(named.outcome.json.result.loss).toBeLessThan(historyOf(named)[0]!["loss"] as number);
    const adam = await run({ ...wild, rate: 100, adam: true });
    expect(adam.outcome.json.notes.at(-1)).toContain("try a smaller --rate than 100");
    const raised = await run({ ...wild, momentum: 0.9, rate: 20 * stable });
    expect(raised.outcome.json.result.stableRate).toBeCloseTo(1.9 * stable, 6);
  });

  test("runTrain gives batch normalization the whole of a full batch", async () => {
    // More samples than go through networks without it at once.
    const changes = { data: "sphere(4500, 3)", target: "labels(2)", arch: "dense(4, b=1) batchnorm relu dense(2)" };
    const done = await run({ ...changes, steps: 2, rate: 0.5, seed: 4, precision: "f64" });
    const { parameters, state, architecture, input } = modelOf(done);
    const settings = settingsOf({ ...changes, seed: 4, precision: "f64" });
    const inputs = loadTraining(settings, (length) => new Float64Array(length));
    const { data } = poseTraining(settings, inputs);
    const compute = await createCompute({ threads: 1 });
    compute.scope((scope) => {
      const allocate = (length: number): Float64Array => scope.f64(length);
      const graph = networkGraph(architecture, input);
      const model = networkModel(graph, { kernels: compute, allocate, samples: 4500 });
      const schedule = { rate: 0.5, factor: 1, drops: [] };
      const plain = { reduction: "mean", batch: 4500, rule: PLAIN, schedule, noise: 0, seed: 4 } as const;
      const trainer = new Trainer(model, data, plain, compute, allocate);
      trainer.step();
      trainer.step();
      expect([...trainer.theta]).toEqual([...parameters[0]!]);
      expect([...model.state]).toEqual([...state]);
      const cut = networkModel(graph, { kernels: compute, allocate, samples: 4096 });
      expect(() => new Trainer(cut, data, plain, compute, allocate)).toThrow("statistics of batches");
    });
    await compute.close();
    const large = { data: "sphere(400000, 1)", target: "labels(2)", arch: "dense(4000) batchnorm dense(2)", steps: 1 };
    expect(await mistake({ ...large, rate: 1 })).toMatchObject({ code: "batch-memory" });
  });

  test("runTrain with --rate stable descends monotonically, with momentum and in batches too", async () => {
    for (const changes of [
      { target: "u", task: "regression", arch: "dense(64) relu dense(1)" },
      { target: "u", task: "regression", arch: "dense(64) relu dense(1)", reduction: "sum" },
      { arch: "dense(64) relu dense(2)", init: "he" },
    ]) {
      const losses = historyOf(await run({ ...changes, steps: 60 })).map(({ loss }) => Number(loss));
      losses.slice(1).forEach((loss, k) => {
        expect(loss).toBeLessThan(losses[k]!);
      });
    }
    for (const changes of [{ momentum: 0.9 }, { batch: 8 }, { batch: 8, momentum: 0.5, nesterov: true }]) {
      const { result } = (await run({ ...changes, steps: 200 })).outcome.json;
      expect(result.loss).toBeLessThan(0.69);
    }
  });

  test("runTrain measures what is named and shows it in the report", async () => {
    const done = await run({ arch: "dense(32) relu dense(32) relu dense(1)", steps: 20, monitor: "cheap" });
    expect(done.outcome.json.monitors.length).toBeGreaterThan(3);
    expect(done.events.some(({ kind }) => kind === "monitor")).toBe(true);
    expect(new TextDecoder().decode(fileOf(done, "report.html"))).toContain("Measured beside the theory");
    const plain = await run({ arch: "dense(32) relu dense(32) relu dense(1)", steps: 20 });
    expect(modelOf(plain).parameters).toEqual(modelOf(done).parameters);
    // Two looks are too few to see much: it says so, and how to have more.
    const few = "--monitor cheap:1 looks 20 times";
    expect(done.outcome.json.notes.filter((text) => text.includes(few))).toHaveLength(1);
    const paced = await run({ arch: "dense(32) relu dense(32) relu dense(1)", steps: 20, monitor: "cheap:5" });
    expect(paced.outcome.json.notes.join()).not.toContain("looks 20 times");
    const seen = (name: string): unknown[] =>
      historyOf(paced).flatMap(({ step, measurements = [] }) =>
        (measurements as { name: string }[]).some((one) => one.name === name) ? [step] : [],
      );
    expect(seen("distance-frobenius")).toEqual([0, 5, 10, 15, 20]);
    expect(seen("separation")).toEqual([0]);
    // Help names all of them.
    const help = JSON.stringify(trainSettingsSchema.shape.monitor.meta());
    for (const name of monitorNames) expect(help).toContain(name);
    expect((await mistake({ monitor: "los" })).hint).toContain('"loss"');
    expect((await mistake({ monitor: "loss", symmetric: true })).code).toBe("monitor-form");
  });

  test("runTrain refuses networks that do not fit the samples", async () => {
    expect(await mistake({ arch: "dense(8) relu dense(3)" })).toMatchObject({
      hint: "end the architecture with dense(2)",
    });
    expect((await mistake({ loss: "logistic", arch: "dense(2)" })).code).toBe("output-shape");
    expect((await mistake({ loss: "cross-entropy" })).code).toBe("output-shape");
    expect((await mistake({ target: "u", task: "regression", loss: "logistic" })).code).toBe("loss-needs-classes");
    expect((await mistake({ arch: "conv(4, 3) relu gap dense(1)" })).code).toBe("layer-shape");
    expect((await mistake({ train: "hidden" })).code).toBe("nothing-trained");
    expect((await mistake({ arch: "rela" })).code).toBe("architecture-text");
    const number = { target: "u", task: "regression", untilAccuracy: 1 };
    expect((await mistake(number)).code).toBe("accuracy-needs-classes");
    expect((await mistake({ monitor: "loss:x" })).code).toBe("monitor-pace");
    // Before the data are read.
    const misspelt = await mistake({ monitor: "lss", data: join(folder, "missing.csv") });
    expect([misspelt.code, misspelt.hint]).toEqual(["monitor-name", 'did you mean "loss"?']);
  });

  test("runTrain refuses numbers that the precision cannot hold, and networks that there is no memory for", async () => {
    const large = join(folder, "large.csv");
    writeFileSync(large, `a,y\n${Array.from({ length: 10 }, (_, i) => `${i}e200,${i % 2}`).join("\n")}\n`);
    const raw = { data: large, task: "regression", standardize: "none", arch: "dense(4) relu dense(1)" };
    expect((await mistake(raw)).code).toBe("not-finite");
    expect((await mistake({ ...raw, precision: "f64" })).code).toBe("rate-overflow");
    const forced = await run({ ...raw, precision: "f64", rate: 1, steps: 5 });
    expect(forced.outcome.json.result.status).toBe("diverged");
    expect((await mistake({ arch: "dense(20000) relu dense(20000) relu dense(1)" })).code).toBe("training-memory");
    const flat = join(folder, "flat.csv");
    writeFileSync(flat, `a,y\n${Array.from({ length: 10 }, (_, i) => `0,${i % 2}`).join("\n")}\n`);
    const { result } = (await run({ ...raw, data: flat, steps: 3 })).outcome.json;
    expect(result).toMatchObject({ status: "finished", rate: 1, curvature: 0 });
  });

  test("runTrain takes a batch larger than the data as all of it, and a single sample", async () => {
    const large = await run({ batch: 1000, steps: 3, rate: 0.1 });
    expect(large.outcome.json.problem.batch).toBe(48);
    expect(large.events).toContainEqual({ kind: "note", text: "a batch of 1000 is all of the 48 samples" });
    const single = await run({ data: "circle(1)", target: undefined, arch: "dense(8) relu dense(1)", steps: 50 });
    expect(single.outcome.json.result.loss).toBeLessThan(historyOf(single)[0]!["loss"] as number);
  });

  test("runTrain of Allen-Zhu's network trains its hidden layers alone", async () => {
    const done = await run({
      data: "padded-sphere(12, 6)",
      target: "labels(3)",
      arch: "dense(64) relu dense(64) relu dense(3)",
      init: "convergence",
      steps: 3,
    });
    expect(done.outcome.json.problem).toMatchObject({ trained: "hidden", trainedParameters: 64 * 64 });
    expect(done.outcome.json.problem.architecture).toBe(
      `dense(64, w=${Math.sqrt(12 / 64)}, parametrization=standard) relu dense(64, w=${Math.sqrt(2)}, parametrization=standard) relu dense(3, w=${Math.sqrt(64 / 3)}, parametrization=standard)`,
    );
  });
});
