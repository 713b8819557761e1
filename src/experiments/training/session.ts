import { ConfigError } from "../../base/errors.ts";
import { type Compute, createCompute } from "../../compute/index.ts";
import type { RealArray } from "../../compute/types.ts";
import { architectureText } from "../../network/architecture/index.ts";
import { NetworkLanes } from "../../network/deep/index.ts";
import {
  evaluateAll,
  type Monitor,
  makeMonitors,
  monitorCatalog,
  requireMonitors,
  type Schedule,
  Trainer,
  type UpdateRule,
} from "../../training/index.ts";
import { FitCancelled } from "../fit-types.ts";
import { checkTrainingResumable, writeTrainingCheckpoint } from "./checkpoint.ts";
import { backendName, drive, stepsWanted, stored } from "./drive.ts";
import { checkMemory, checkRange } from "./limits.ts";
import { loadTraining } from "./load.ts";
import { curvatureAtStart, type Machine, makeModel, outputsOf } from "./machine.ts";
import { makeTrainOutcome } from "./outcome.ts";
import { type PosedTraining, poseTraining } from "./pose.ts";
import { chooseRate, rateSentence, watchRate } from "./rates.ts";
import type { MakeArray, TrainingInputs } from "./samples.ts";
import type { TrainSettings } from "./settings.ts";
import type { TrainEvent, TrainOutcome } from "./types.ts";
import { openWorkFolder, type Resumed, readResumed } from "./work-folder.ts";

/** What a training needs of the outside. */
export interface TrainContext {
  emit(event: TrainEvent): void;
  cancelled(): boolean;
  /** A monotonic clock in seconds. */
  now(): number;
  /** What to go on from: the folder of a run, or `killed`, a killed training with these settings; null: begin. */
  readonly resume: { readonly folder: string } | "killed" | null;
}

const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

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
  monitorPaces(settings);
  const resumed = resume === null ? null : readResumed(settings, resume === "killed" ? null : resume.folder);
  const isSingle = settings.precision === "f32";
  const make: MakeArray = (length) => (isSingle ? new Float32Array(length) : new Float64Array(length));
  const inputs = loadTraining(settings, make);
  checkRange(inputs, settings);
  const posed = poseTraining(settings, inputs);
  if (resumed !== null)
    checkTrainingResumable(resumed.record, settings, inputs.fingerprint, architectureText(posed.architecture));
  const compute = await createCompute(settings.threads === undefined ? {} : { threads: settings.threads });
  const lanes = new NetworkLanes(compute);
  try {
    checkMemory(settings, posed, compute);
    return compute.scope((scope) =>
      isSingle
        ? session(
            { compute, scope, kernels: compute.f32, allocate: (length) => scope.f32(length), lanes },
            settings,
            inputs,
            posed,
            resumed,
            context,
          )
        : session(
            { compute, scope, kernels: compute, allocate: (length) => scope.f64(length), lanes },
            settings,
            inputs,
            posed,
            resumed,
            context,
          ),
    );
  } finally {
    lanes.close();
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
  if (context.cancelled()) throw new FitCancelled();

  // 2. The step size.
  const rule = ruleOf(settings);
  const chosen =
    resumed?.record ?? chooseRate(settings, rule, () => curvatureAtStart(machine, posed, { reduction, batch, seed }));
  const { rate, curvature } = chosen;
  const watch = watchRate(machine, posed, { reduction, batch, seed, rule }, chosen);
  const unstable = resumed === null ? watch.before() : null;
  if (curvature !== null) note(rateSentence(rate, curvature, posed.loss, batch < n));
  if (unstable !== null) note(unstable);
  const schedule = scheduleOf(settings, rate, Math.ceil(n / batch));
  const trainer = new Trainer(model, posed.data, { reduction, batch, rule, schedule, noise, seed }, kernels, allocate);

  // 3. Monitors see the network at its start, whatever it goes on from.
  const monitors = makeSessionMonitors(machine, settings, posed, trainer);
  for (const { name, every, cost } of monitors) emit({ kind: "monitor", name, every, cost });
  const rare = fewLooks(settings, monitors, stepsWanted(settings, trainer.stepsPerEpoch));
  if (rare !== null) note(rare);
  if (resumed !== null) {
    trainer.restore(resumed.training);
    for (const monitor of monitors) monitor.restore(resumed.monitors.get(monitor.name) ?? []);
    tellResumed(resumed, compute, note);
  }

  // 4. The steps.
  const work = openWorkFolder(settings, resumed?.history ?? new Uint8Array(0));
  try {
    const facts: SessionFacts = { settings, inputs, posed, rate, curvature, notes, compute };
    const secondsBefore = resumed?.record.seconds ?? 0;
    const { end, measured, recorded } = drive(facts, trainer, monitors, work, secondsBefore, {
      ...context,
      looked(step, loss, first) {
        const risen = watch.after(step, loss, first);
        if (risen !== null) note(risen);
      },
    });
    if (end.reason === "cancelled" && end.step === 0) throw new FitCancelled();
    // 5. What is saved: the parameters at the end, or those of the last checkpoint before training diverged.
    const isDiverged = end.reason === "diverged";
    const last = isDiverged ? work.checkpoint() : null;
    if (last !== null) trainer.restore(last.training);
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
      stable: watch.stable(isDiverged ? "after" : "before"),
      risen: watch.risen(),
      outputs: { train: size(inputs.train), test: inputs.test === null ? null : size(inputs.test) },
      history: work.history(),
      checkpoint: writeTrainingCheckpoint(last ?? stored(facts, trainer.checkpoint(), recorded, end.seconds)),
    });
  } finally {
    work.close();
  }
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

function tellResumed({ record }: Resumed, compute: Compute, note: (text: string) => void): void {
  note(`goes on after step ${record.step}`);
  if (record.backend !== backendName(compute)) {
    note(`it was started on ${record.backend}: its steps are not repeated bit by bit on ${backendName(compute)}`);
  }
}

/**
 * The monitors that are asked for, with the pace that is (null: their own).
 *
 * @throws ConfigError for what is no monitor or no pace.
 */
function monitorPaces({ monitor = "" }: TrainSettings): ReadonlyMap<string, number | null> {
  const asked = monitor.split(",").map((name) => name.trim());
  const paces = new Map<string, number | null>();
  for (const word of asked) {
    const [name = "", pace] = word.split(":");
    const every = pace === undefined ? null : Number(pace);
    if (every !== null && !(Number.isSafeInteger(every) && every > 0)) {
      throw new ConfigError(`the pace of a monitor is a number of steps, not "${pace}"`, {
        code: "monitor-pace",
        hint: "for example --monitor loss:10,distance",
      });
    }
    for (const one of namesOf(name)) paces.set(one, every);
  }
  requireMonitors([...paces.keys()]);
  return paces;
}

function makeSessionMonitors<A extends RealArray>(
  { compute, scope }: Machine<A>,
  settings: TrainSettings,
  { graph, form }: PosedTraining,
  trainer: Trainer<A>,
): readonly Monitor[] {
  const paces = monitorPaces(settings);
  if (paces.size === 0) return [];
  if (form.kind !== "network") {
    throw new ConfigError(`monitors watch networks, not a ${form.kind} model`, {
      code: "monitor-form",
      hint: "leave --monitor out, or --symmetric, --linearized and --taylor",
    });
  }
  const monitors = makeMonitors([...paces.keys()], { trainer, graph, compute, scope });
  // What does not change is looked at once, whatever pace the others are given.
  const isOnce = ({ every }: Monitor): boolean => every === Number.MAX_SAFE_INTEGER;
  return monitors.map((one) => (isOnce(one) ? one : { ...one, every: paces.get(one.name) ?? one.every }));
}

/** Looks that make a curve. */
const LOOKS = 20;

/** A sentence when the training is too short for the paces of its monitors, which follow from their costs. */
function fewLooks({ monitor = "" }: TrainSettings, monitors: readonly Monitor[], steps: number): string | null {
  const rare = monitors.filter(({ every }) => every < Number.MAX_SAFE_INTEGER && 2 * every > steps);
  if (rare.length === 0 || monitor.includes(":")) return null;
  const names = rare.length > 3 ? `${rare.length} monitors` : rare.map(({ name }) => name).join(", ");
  const paced = monitor.split(",").map((name) => `${name.trim()}:${Math.max(1, Math.round(steps / LOOKS))}`);
  return `${steps} steps are few for the pace of ${names}: --monitor ${paced.join(",")} looks ${LOOKS} times, and takes longer`;
}

/** The monitors that a word stands for. */
function namesOf(word: string): readonly string[] {
  const chosen = monitorCatalog.filter(({ isCheap }) => word === "all" || (word === "cheap" && isCheap));
  return chosen.length > 0 ? chosen.map(({ name }) => name) : word === "" ? [] : [word];
}
