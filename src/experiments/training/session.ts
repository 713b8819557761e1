import { ConfigError } from "../../base/errors.ts";
import { type Compute, createCompute } from "../../compute/index.ts";
import type { RealArray } from "../../compute/types.ts";
import { architectureText } from "../../network/architecture/index.ts";
import {
  evaluateAll,
  type Measurement,
  type Monitor,
  makeMonitors,
  monitorCatalog,
  rateAt,
  runTraining,
  type Schedule,
  stableRate,
  Trainer,
  type TrainingCheckpoint,
  type TrainingEnd,
  type TrainingEvent,
  type TrainingSettings,
  type UpdateRule,
} from "../../training/index.ts";
import { FitCancelled } from "../fit-types.ts";
import { VERSION } from "../version.ts";
import { checkTrainingResumable, type StoredCheckpoint, writeTrainingCheckpoint } from "./checkpoint.ts";
import { loadTraining } from "./load.ts";
import { curvatureAtStart, curvatureOperations, type Machine, makeModel, outputsOf } from "./machine.ts";
import { makeTrainOutcome } from "./outcome.ts";
import { type PosedTraining, poseTraining } from "./pose.ts";
import type { MakeArray, TrainingInputs } from "./samples.ts";
import type { TrainSettings } from "./settings.ts";
import type { TrainEvent, TrainOutcome } from "./types.ts";
import { openWorkFolder, type Resumed, readResumed, type WorkFolder } from "./work-folder.ts";

/** What a training needs of the outside. */
export interface TrainContext {
  emit(event: TrainEvent): void;
  cancelled(): boolean;
  /** A monotonic clock in seconds. */
  now(): number;
  /** What to go on from: the folder of a run, or `killed`, a killed training with these settings; null: begin. */
  readonly resume: { readonly folder: string } | "killed" | null;
}

/** Progress is told at most this often, in seconds. */
const PROGRESS_SECONDS = 0.1;
/** Share of the largest stable step size that is taken. */
const SAFETY = 0.5;
const ADAM_RATE = 1e-3;
const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
/** Epochs when nothing says when to stop. */
const EPOCHS = { batches: 20, full: 1000 } as const;

/** What is known of a training besides its trainer. */
export interface SessionFacts {
  readonly settings: TrainSettings;
  readonly inputs: TrainingInputs;
  readonly posed: PosedTraining;
  readonly rate: number;
  readonly curvature: number | null;
  readonly notes: readonly string[];
  readonly compute: Compute;
}

/**
 * A training from file to run folder, in the calling thread:
 *
 *   data -> network and loss -> step size -> steps, with checkpoints and history in a work folder -> metrics and files
 *
 * @throws UserError for settings or data that cannot be used.
 * @throws FitCancelled when cancelled before the first step.
 */
export async function runTrain(settings: TrainSettings, context: TrainContext): Promise<TrainOutcome> {
  const { resume } = context;
  const resumed = resume === null ? null : readResumed(settings, resume === "killed" ? null : resume.folder);
  const isSingle = settings.precision === "f32";
  const make: MakeArray = (length) => (isSingle ? new Float32Array(length) : new Float64Array(length));
  const inputs = loadTraining(settings, make);
  const posed = poseTraining(settings, inputs);
  if (resumed !== null) checkTrainingResumable(resumed.record, settings, inputs.fingerprint);
  const compute = await createCompute(settings.threads === undefined ? {} : { threads: settings.threads });
  try {
    return compute.scope((scope) =>
      isSingle
        ? session(
            { compute, scope, kernels: compute.f32, allocate: (length) => scope.f32(length) },
            settings,
            inputs,
            posed,
            resumed,
            context,
          )
        : session(
            { compute, scope, kernels: compute, allocate: (length) => scope.f64(length) },
            settings,
            inputs,
            posed,
            resumed,
            context,
          ),
    );
  } finally {
    await compute.close();
  }
}

function ruleOf({ adam, momentum, nesterov, weightDecay }: TrainSettings): UpdateRule {
  return adam ? { kind: "adam", ...ADAM, weightDecay } : { kind: "sgd", momentum, nesterov, weightDecay };
}

function scheduleOf({ drops, dropFactor }: TrainSettings, rate: number, stepsPerEpoch: number): Schedule {
  const epochs = drops === undefined ? [] : drops.split(",").map(Number);
  return { rate, factor: dropFactor, drops: epochs.map((epoch) => Math.round(epoch * stepsPerEpoch)) };
}

function session<A extends RealArray>(
  machine: Machine<A>,
  settings: TrainSettings,
  inputs: TrainingInputs,
  posed: PosedTraining,
  resumed: Resumed | null,
  context: TrainContext,
): TrainOutcome {
  const { compute, kernels, allocate } = machine;
  const { emit } = context;
  const notes: string[] = [];
  const note = (text: string): void => {
    notes.push(text);
    emit({ kind: "note", text });
  };
  const { seed, reduction, noise } = settings;
  const { n } = posed.data;

  // 1. What is trained.
  tellData(settings, inputs, emit);
  [...inputs.notes, ...posed.notes].forEach(note);
  const batch = settings.batch === "full" ? n : Math.min(n, settings.batch);
  if (settings.batch !== "full" && settings.batch > n) note(`a batch of ${settings.batch} is all of the ${n} samples`);
  const { model, center } = makeModel(machine, posed, batch, seed);
  const trainedParameters = model.trained.reduce((sum, { count }) => sum + count, 0);
  tellNetwork(posed, trainedParameters, emit);
  emit({ kind: "backend", info: compute.info });
  if (compute.warning !== null) note(compute.warning);
  if (batch > model.samples && posed.graph.state > 0) {
    note(`batch normalization sees ${model.samples} samples at a time: more do not fit into the memory`);
  }
  if (context.cancelled()) throw new FitCancelled();

  // 2. The step size.
  const rule = ruleOf(settings);
  const { rate, curvature } =
    resumed?.record ?? chooseRate(settings, rule, () => curvatureAtStart(compute, posed, { reduction, batch, seed }));
  if (curvature !== null) note(rateSentence(rate, curvature, posed.loss, batch < n));
  const schedule = scheduleOf(settings, rate, Math.ceil(n / batch));
  const trainer = new Trainer(model, posed.data, { reduction, batch, rule, schedule, noise, seed }, kernels, allocate);

  // 3. Monitors see the network at its start, whatever it goes on from.
  const monitors = makeSessionMonitors(machine, settings, posed, trainer);
  for (const { name, every, cost } of monitors) emit({ kind: "monitor", name, every, cost });
  if (resumed !== null) {
    trainer.restore(resumed.training);
    tellResumed(resumed, compute, note);
  }

  // 4. The steps.
  const work = openWorkFolder(settings, resumed?.history ?? new Uint8Array(0));
  try {
    const facts: SessionFacts = { settings, inputs, posed, rate, curvature, notes, compute };
    const { end, measured } = drive(facts, trainer, monitors, work, resumed?.record.seconds ?? 0, context);
    if (end.reason === "cancelled" && end.step === 0) throw new FitCancelled();
    // 5. What is saved: the parameters at the end, or those of the last checkpoint before training diverged.
    const isDiverged = end.reason === "diverged";
    const last = isDiverged ? work.checkpoint() : null;
    if (last !== null) trainer.restore(last.training);
    const known = curvature ?? (isDiverged ? cheapCurvature(compute, posed, trainer.settings) : null);
    const size = (samples: { readonly n: number; readonly X: RealArray }): Float64Array =>
      outputsOf(model, trainer.theta, samples.X, samples.n);
    return makeTrainOutcome({
      ...facts,
      end,
      last: isDiverged ? evaluateAll(trainer, posed.test) : end.evaluation,
      measured,
      theta: trainer.theta.slice(),
      center: center?.slice() ?? null,
      state: model.state.slice(),
      savedSteps: trainer.steps,
      batch,
      trainedParameters,
      stable: known === null ? null : stableRate(rule, known),
      outputs: { train: size(inputs.train), test: inputs.test === null ? null : size(inputs.test) },
      history: work.history(),
      checkpoint: writeTrainingCheckpoint(stored(facts, trainer, trainer.checkpoint(), work, end.seconds)),
    });
  } finally {
    work.close();
  }
}

/** The step size, and the curvature that it was derived from (null when it was given). */
function chooseRate(
  settings: TrainSettings,
  rule: UpdateRule,
  curvatureOf: () => number,
): { readonly rate: number; readonly curvature: number | null } {
  if (typeof settings.rate === "number") return { rate: settings.rate, curvature: null };
  if (rule.kind === "adam") return { rate: ADAM_RATE, curvature: null };
  const curvature = curvatureOf();
  const largest = stableRate(rule, curvature);
  // Nothing bends: every step size is stable.
  return largest === null ? { rate: 1, curvature } : { rate: SAFETY * largest, curvature };
}

/** Operations that a curvature may take when it only explains something. */
const CHEAP_OPERATIONS = 1e11;

/** The curvature at the start, where that does not take long. */
function cheapCurvature(compute: Compute, posed: PosedTraining, settings: TrainingSettings): number | null {
  const { graph, data } = posed;
  return curvatureOperations(graph, data.n) > CHEAP_OPERATIONS ? null : curvatureAtStart(compute, posed, settings);
}

function rateSentence(rate: number, curvature: number, loss: string, isBatched: boolean): string {
  const of = loss === "squared" ? "the tangent kernel" : "the Gauss-Newton matrix";
  const where = isBatched ? "of the first batches at the start" : "at the start";
  return `rate ${Number(rate.toPrecision(4))}: half of the largest stable one; the largest eigenvalue of ${of} ${where} is ${Number(curvature.toPrecision(4))}`;
}

function tellData(
  { seed }: TrainSettings,
  { train, test, target, shape }: TrainingInputs,
  emit: TrainContext["emit"],
): void {
  emit({
    kind: "data",
    samples: train.n,
    testSamples: test?.n ?? 0,
    input: shape,
    target: target.name,
    classes: target.classes?.length ?? null,
    seed,
  });
}

function tellNetwork(
  { architecture, graph, loss, form }: PosedTraining,
  trainedParameters: number,
  emit: TrainContext["emit"],
): void {
  emit({
    kind: "network",
    architecture: architectureText(architecture),
    parameters: graph.parameters,
    trainedParameters,
    loss,
    form: form.kind === "taylor" ? `taylor ${form.degree}` : form.kind,
  });
}

function backendName({ info }: Compute): string {
  return `${info.name}, ${info.blas ?? "no system BLAS"}, ${info.simd}, threads ${info.threads}`;
}

function tellResumed({ record }: Resumed, compute: Compute, note: (text: string) => void): void {
  note(`goes on after step ${record.step}`);
  if (record.backend !== backendName(compute)) {
    note(`it was started on ${record.backend}: its steps are not repeated bit by bit on ${backendName(compute)}`);
  }
}

function makeSessionMonitors<A extends RealArray>(
  { compute, scope }: Machine<A>,
  { monitor }: TrainSettings,
  { graph, form }: PosedTraining,
  trainer: Trainer<A>,
): readonly Monitor[] {
  const asked = monitor.split(",").map((name) => name.trim());
  const names = asked.flatMap((name) => {
    if (name === "") return [];
    if (name === "all") return monitorCatalog.map((one) => one.name);
    if (name === "cheap") return monitorCatalog.filter(({ isCheap }) => isCheap).map((one) => one.name);
    return [name];
  });
  if (names.length === 0) return [];
  if (form.kind !== "network") {
    throw new ConfigError(`monitors watch networks, not a ${form.kind} model`, {
      code: "monitor-form",
      hint: "leave --monitor out, or --symmetric, --linearized and --taylor",
    });
  }
  return makeMonitors([...new Set(names)], { trainer, graph, compute, scope });
}

function stored<A extends RealArray>(
  { settings, inputs, rate, curvature, compute }: SessionFacts,
  trainer: Trainer<A>,
  training: TrainingCheckpoint,
  work: WorkFolder,
  seconds: number,
): StoredCheckpoint {
  return {
    record: {
      version: VERSION,
      settings: { ...settings },
      fingerprint: inputs.fingerprint,
      step: trainer.steps,
      seconds,
      rate,
      curvature,
      historyBytes: work.historyBytes,
      backend: backendName(compute),
    },
    training,
  };
}

/** Where a training that is to stop after some steps stops. */
function stepsWanted(
  { steps, epochs, seconds, untilLoss, untilAccuracy }: TrainSettings,
  stepsPerEpoch: number,
): number {
  const isOpen = [steps, epochs, seconds, untilLoss, untilAccuracy].every((rule) => rule === undefined);
  const most = isOpen ? EPOCHS[stepsPerEpoch > 1 ? "batches" : "full"] : (epochs ?? Number.POSITIVE_INFINITY);
  return Math.min(steps ?? Number.POSITIVE_INFINITY, Math.ceil(most * stepsPerEpoch));
}

/** A quantity as it was measured last. */
export type LastMeasurement = Measurement & { readonly step: number };

/** Makes the steps; writes history and checkpoints. */
function drive<A extends RealArray>(
  facts: SessionFacts,
  trainer: Trainer<A>,
  monitors: readonly Monitor[],
  work: WorkFolder,
  secondsBefore: number,
  { emit, cancelled, now }: TrainContext,
): { readonly end: TrainingEnd; readonly measured: readonly LastMeasurement[] } {
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
  const measured = new Map<string, LastMeasurement>();
  const first = trainer.steps;
  let known: { loss: number; accuracy: number | null; testAccuracy: number | null } | null = null;
  let told = Number.NEGATIVE_INFINITY;
  let saved = now();
  const save = (seconds: number): void => {
    // Parameters that are not finite are nothing to go on from.
    if (!Number.isFinite(trainer.kernels.normInf(trainer.theta.length, trainer.theta))) return;
    work.save(writeTrainingCheckpoint(stored(facts, trainer, trainer.checkpoint(), work, seconds)));
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
      for (const one of measurements) measured.set(`${one.name} ${one.layer ?? ""}`, { ...one, step });
      if (evaluation !== null) {
        const { loss, accuracy, test } = evaluation;
        known = { loss, accuracy, testAccuracy: test?.accuracy ?? null };
      }
      work.addHistory(historyLine(trainer, event));
      tell(step, seconds);
    } else {
      tell(event.result.step, event.seconds);
      if (now() - saved >= settings.checkpoint) {
        save(event.seconds);
        saved = now();
      }
    }
  }
  return { end: next.value, measured: [...measured.values()] };
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
