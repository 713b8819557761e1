import { ConfigError, DataError } from "../base/errors.ts";
import { type Matrix, matrix } from "../base/matrix.ts";
import { type Compute, createCompute } from "../compute/index.ts";
import type { PatternSource, SolveEvent, SolveOptions } from "../convex/index.ts";
import { type Dataset, loadDataset, readNpy, type Target } from "../data/index.ts";
import { forward, type TwoLayerNetwork } from "../network/index.ts";
import { readBytes, sha256 } from "../platform/index.ts";
import { principalComponents } from "./baselines.ts";
import { type Checkpoint, checkResumable } from "./checkpoint.ts";
import { type BetaTask, chooseBeta, gridTopOf } from "./choose-beta.ts";
import type { FitSettings } from "./config.ts";
import { evaluate, fitBaselines } from "./evaluation.ts";
import type { HistoryLine } from "./fit-record.ts";
import { FitCancelled, type FitEvent, type FitOutcome } from "./fit-types.ts";
import { givenNetwork, outputOf } from "./given-network.ts";
import { networkFromJson } from "./network-json.ts";
import { makeOutcome, savedNetwork } from "./outcome.ts";
import { bestOfPath, makePath, tracePath } from "./path.ts";
import { pathSentence } from "./path-report.ts";
import { type Posed, poseApart, poseShared } from "./posed.ts";
import { chooseCoding, chooseForm, codeTargets, type Objective, outputNames } from "./problem.ts";
import { drive, type SolvedPart, settlePart } from "./solve.ts";

/** What a fit needs of the outside. */
export interface PipelineContext {
  emit(event: FitEvent): void;
  cancelled(): boolean;
  /** A monotonic clock in seconds, and its value at the start. */
  now(): number;
  readonly started: number;
  readonly resume: Checkpoint | null;
  /** A model file: its network is bounded and saved, not one of our own. */
  readonly given: string | null;
}

/** Share of the time for the baselines. */
const BASELINE_SHARE = 0.1;
/** ... of what is left of it for the path. */
const PATH_SHARE = 0.5;
/** Progress is told at most this often, in seconds. */
const PROGRESS_SECONDS = 0.05;

/**
 * A fit from file to run folder, in the calling thread:
 *
 *   data -> baselines -> beta_max -> beta (-> path) -> solve each part -> merge -> metrics -> verdict and files
 *
 * @throws UserError for settings or data that cannot be used.
 * @throws FitCancelled when cancelled before there is a network.
 */
export async function runFit(settings: FitSettings, context: PipelineContext): Promise<FitOutcome> {
  const dataset = loadFitData(settings, true);
  const compute = await createCompute(settings.threads === undefined ? {} : { threads: settings.threads });
  try {
    return fitDataset(settings, dataset, compute, context);
  } finally {
    await compute.close();
  }
}

/** The dataset of these settings. `several`: the target may be several columns of numbers. */
export function loadFitData(settings: FitSettings, several = false): Dataset {
  const { data, target, task, split, missing, standardize, weights, seed } = settings;
  if (target === undefined) {
    throw new ConfigError("no target: which column is to be predicted?", {
      code: "target-missing",
      hint: "name it with --target COLUMN",
    });
  }
  return loadDataset({
    file: data,
    target,
    task,
    split: split === 0 ? "none" : split,
    missing,
    standardize,
    ...(weights === undefined ? {} : { weights }),
    several,
    seed,
  });
}

/** Seconds of the whole time that are kept for starting the program and for writing what was found. */
function reserve(time: number): number {
  return Math.min(time / 4, 1 + time / 20);
}

function fitDataset(settings: FitSettings, dataset: Dataset, compute: Compute, context: PipelineContext): FitOutcome {
  const { emit, cancelled, now, started, resume } = context;
  const model = context.given === null ? null : givenNetwork(context.given, dataset, settings.bias);
  const given = model === null ? null : model.network;
  const { train, target } = dataset;
  const end = started + settings.time - reserve(settings.time);
  const baselineEnd = started + BASELINE_SHARE * settings.time;
  const notes: string[] = [];
  const note = (text: string): void => {
    notes.push(text);
    emit({ kind: "note", text });
  };

  // 1. The problem.
  const form = chooseForm(settings, target);
  const coding = chooseCoding(form.loss, target);
  const names = outputNames(target, form.loss);
  const gates = settings.gates === undefined ? null : readGates(settings.gates);
  const posed = pose(settings, form, dataset, names, gates);
  const { parts } = posed;
  if (form.outputNorm === "l1") note(apartNote(settings, form, target));
  if (given !== null) checkGiven(given, settings, names.length);
  if (resume !== null) {
    const partNames = parts.map(({ name }) => name);
    checkResumable(resume, settings, dataset.fingerprint.matrix, partNames);
  }

  // 2. Baselines, in the coordinates that also give the rank.
  const components = principalComponents(compute, train.X);
  emitData(settings, dataset, components.squares.length, emit);
  dataset.notes.forEach(note);
  model?.notes.forEach(note);
  emit({ kind: "backend", info: compute.info });
  if (compute.warning !== null) note(compute.warning);
  const { baselines, notes: baselineNotes } = fitBaselines(
    compute,
    components,
    dataset,
    () => cancelled() || now() > baselineEnd,
  );
  baselineNotes.forEach(note);

  // 3. Beta.
  const solve: SolveOptions = { compute, now, cancelled, seed: settings.seed, tolerance: settings.tolerance };
  const asked = now();
  const budget = settings.time * BASELINE_SHARE;
  const betaMax = resume?.betaMax ?? posed.betaMax(solve);
  // A solve ends with a last search and bound over all rows, which take about as long as this did.
  const deadline = end - Math.min(now() - asked, budget);
  const idle = { objective: null, bound: null, gap: null, neurons: 0 };
  const betaTask: BetaTask = {
    settings,
    posed,
    labels: target.classes === null ? null : train.y,
    betaMax,
    resumed: resume?.beta ?? null,
    deadline,
    solve,
    onProgress: (stage, label, fraction) =>
      emit({ kind: "progress", stage, label, ...idle, fraction, seconds: now() - started }),
  };
  let top: number | null = null;
  const gridTop = (): number => {
    top ??= gridTopOf(betaTask);
    return top;
  };
  const { beta, validation, notes: betaNotes } = chooseBeta(betaTask, gridTop);
  betaNotes.forEach(note);
  const objective: Objective = {
    ...form,
    scaling: settings.scaling,
    beta,
    bias: settings.bias,
    program: settings.program,
    ...(form.loss === "huber" ? { huber: settings.huber } : {}),
    ...(train.weights === undefined ? {} : { weights: train.weights }),
  };

  // 4. The path, where it is asked for.
  const tracing = settings.path === true && betaMax > 0;
  const traced = tracing
    ? tracePath({
        ...{ posed, bias: settings.bias, betaMax, gridTop: gridTop(), beta, solve },
        deadline: now() + PATH_SHARE * (deadline - now()),
        onProgress: (label, fraction) => betaTask.onProgress("path", label, fraction),
      })
    : [];

  // 5. Every part: its share of the time that is left.
  const history: HistoryLine[] = [];
  const outputs = parts.map((part, q): SolvedPart => {
    const label = parts.length > 1 ? `${target.classes === null ? "target" : "class"} ${part.name}` : "";
    const tell = progressTeller(label, context);
    const own = given === null ? null : parts.length > 1 ? outputOf(given, q) : given;
    const near = resume === null ? bestOfPath(traced, part, q, beta) : networkFromJson(resume.outputs[q]!.network);
    const start = own ?? near;
    const seconds = Math.max(0, deadline - now()) / (parts.length - q);
    const options = { ...solve, seconds, ...(start === null ? {} : { start }) };
    const solution = drive(part, beta, options, (event) => {
      history.push({ output: part.name, ...event });
      tell(event);
    });
    if (own === null) return settlePart(part, objective, solution);
    const settled = settlePart(part, objective, { ...solution, network: own });
    if (solution.objective < (1 - settings.tolerance) * settled.objective) {
      note(
        `${label === "" ? "" : `${label}: `}a better network was found, with the training objective ${solution.objective.toPrecision(6)}`,
      );
    }
    return {
      ...settled,
      status:
        solution.status === "interrupted" ? "interrupted" : settled.gap <= settings.tolerance ? "optimal" : "bounded",
    };
  });
  const interrupted = outputs.some(({ status }) => status === "interrupted");
  if (interrupted && outputs.every(({ network }) => network.U.rows === 0)) throw new FitCancelled();

  const path = tracing ? makePath(traced, { beta, outputs }, parts, validation?.points ?? [], betaMax) : null;
  if (path !== null) note(pathSentence(path, betaMax));

  // 6. The saved network and what it is worth.
  const network = savedNetwork(outputs);
  const binary = form.loss === "logistic" && names.length === 1;
  const scores = form.loss === "softmax" ? "softmax" : binary ? "log-odds" : "scores";
  return makeOutcome({
    settings,
    dataset,
    objective,
    coding,
    betaMax,
    outputs,
    network,
    evaluation: evaluate(dataset, scores, (X) => forward(network, X)),
    baselines,
    validation,
    path,
    history,
    notes,
    backend: compute.info,
    interrupted,
    gatesHash: gates === null ? null : gates.sha256,
    given: context.given === null ? null : { file: context.given, sha256: sha256(readBytes(context.given)) },
  });
}

/** The problem of these settings: one for all outputs that share neurons, else one for each. */
function pose(
  settings: FitSettings,
  { loss, outputNorm }: Pick<Objective, "loss" | "outputNorm">,
  { train, target }: Dataset,
  names: readonly string[],
  gates: { readonly G: Matrix } | null,
): Posed {
  const { X, y, weights } = train;
  const shared = {
    X,
    scaling: settings.scaling,
    bias: settings.bias,
    ...(weights === undefined ? {} : { weights }),
  };
  if (loss === "softmax") {
    return poseShared({ ...shared, targets: { loss, labels: y, classes: names.length } }, target.name);
  }
  const Y = codeTargets(y, chooseCoding(loss, target), names.length, target.columns);
  if (outputNorm === "group") return poseShared({ ...shared, targets: { loss: "squared", Y } }, target.name);
  const problem = {
    ...shared,
    loss,
    program: settings.program,
    patterns: patternSource(settings, gates),
    ...(loss === "huber" ? { huber: settings.huber } : {}),
  };
  return poseApart(problem, Y, names);
}

/** What it means that there is one network an output. */
function apartNote({ program }: FitSettings, { loss }: Pick<Objective, "loss">, { classes }: Target): string {
  const [one, each] = classes === null ? ["target", "target"] : ["class", "class, each against the rest"];
  const proved = program === "relu" ? `, whose bounds can be proved ${one} by ${one}` : "";
  const shared = classes === null || loss === "squared" ? "--output-norm group" : "--loss softmax";
  return `one network a ${each}${proved}; ${shared} trains one network for all`;
}

/** What cannot be asked of a network from a file. */
function checkGiven(
  { W }: TwoLayerNetwork,
  { beta, betaRatio, program, patterns, gates, path }: FitSettings,
  outputs: number,
): void {
  const refuse = (message: string, hint: string): ConfigError => new ConfigError(message, { code: "certify", hint });
  if (W.cols !== outputs) {
    throw refuse(
      `the model has ${W.cols} outputs, the target asks for ${outputs}`,
      "is this the target that it was trained on?",
    );
  }
  if (typeof beta !== "number" && betaRatio === undefined) {
    throw refuse("the penalty that the model was trained with is not known", "give it with --beta or --beta-ratio");
  }
  if (path === true)
    throw refuse("a path is of many networks, not of a given one", "overparam fit ... --path traces it");
  if (program !== "relu" || patterns !== "generated" || gates !== undefined) {
    throw refuse("a given network is bounded over all ReLU networks", "leave --program, --patterns and --gates out");
  }
}

/** Gate vectors of an npy file of shape d x P, one a row. */
function readGates(file: string): { readonly G: Matrix; readonly sha256: string } {
  const bytes = readBytes(file);
  const { shape, data } = readNpy(bytes, file);
  const [d, count] = shape;
  if (shape.length !== 2 || d === undefined || count === undefined || count === 0 || !data.every(Number.isFinite)) {
    throw new DataError(`${file} does not hold gate vectors: its shape is (${shape.join(", ")})`, {
      code: "gates-shape",
      hint: "save a d x P array of finite numbers, one gate vector a column",
      place: { file },
    });
  }
  const G = matrix(count, d);
  for (let k = 0; k < d; k++) for (let p = 0; p < count; p++) G.data[p * d + k] = data[k * count + p];
  return { G, sha256: sha256(bytes) };
}

function patternSource({ patterns }: FitSettings, gates: { readonly G: Matrix } | null): PatternSource {
  if (gates !== null) return { kind: "gates", G: gates.G };
  return typeof patterns === "number" ? { kind: "sampled", count: patterns } : { kind: patterns };
}

/** Tells what the data are; `centeredRank` is null when it was not computed. */
export function emitData(
  settings: Pick<FitSettings, "bias" | "seed">,
  dataset: Dataset,
  centeredRank: number | null,
  emit: PipelineContext["emit"],
): void {
  const { train, test, preprocessing, target } = dataset;
  const testRows = test?.X.rows ?? 0;
  emit({
    kind: "data",
    rows: train.X.rows + testRows,
    testRows,
    features: train.X.cols,
    oneHotColumns: preprocessing.encodings.filter(({ kind }) => kind === "one-hot").length,
    // A column of ones adds one to the rank of the centered columns; without it the rank was not computed.
    rank:
      centeredRank === null || settings.bias === "none" ? null : centeredRank + (settings.bias === "column" ? 1 : 0),
    target: target.name,
    task: target.task,
    classes: target.classes?.length ?? null,
    seed: settings.seed,
  });
}

/** Passes a solver's events on as progress, not too often, and always the first of a phase. */
function progressTeller(label: string, { emit, now, started }: PipelineContext): (event: SolveEvent) => void {
  let told = Number.NEGATIVE_INFINITY;
  let phase: SolveEvent["phase"] | null = null;
  return (event) => {
    const seconds = now() - started;
    if (event.phase === phase && seconds - told < PROGRESS_SECONDS) return;
    told = seconds;
    phase = event.phase;
    const { objective, bound, gap, neurons } = event;
    emit({ kind: "progress", stage: event.phase, label, objective, bound, gap, neurons, fraction: null, seconds });
  };
}
