import { ConfigError, DataError, UsageError } from "../base/errors.ts";
import { createCompute } from "../compute/index.ts";
import type { RealArray } from "../compute/types.ts";
import { readDeepModel } from "../formats/index.ts";
import { architectureText, sizeOf } from "../network/architecture/index.ts";
import { initialize, type NetworkGraph, networkModel } from "../network/deep/index.ts";
import { readBytes } from "../platform/index.ts";
import { trainedNodes } from "../tangent/empirical/nodes.ts";
import {
  type Measurement,
  PLAIN,
  probeOf,
  Trainer,
  type TrainingData,
  type TrainingSettings,
} from "../training/index.ts";
import { type Absent, absentRows } from "./probe-absent.ts";
import { readOnnxFile } from "./probe-onnx.ts";
import { arrangeSamples, type PixelScale, standardizePixels } from "./probe-samples.ts";
import { loadTraining } from "./training/load.ts";
import { type PosedTraining, poseTraining } from "./training/pose.ts";
import type { TrainingInputs } from "./training/samples.ts";
import { type TrainSettings, trainSettingsSchema } from "./training/settings.ts";
import { openTraining } from "./training/stored.ts";

/** A network and the samples that it is looked at with. */
export interface ProbeRequest {
  /** A model file, or a run when there are no data. */
  readonly model: string;
  readonly runs: string;
  readonly data: string | null;
  /** Settings of the data and the training as `overparam train` knows them. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly pixels: PixelScale;
  /** Samples that costly quantities are measured on, at most. */
  readonly samples: number;
  /** Names of quantities; empty: all that say something of one moment. */
  readonly names: readonly string[];
  readonly threads: number | undefined;
}

export interface ProbeResult {
  /** Its layers, in words. */
  readonly architecture: string;
  readonly parameters: number;
  readonly samples: number;
  readonly loss: string;
  readonly measurements: readonly Measurement[];
  /** Rows that are not there, or have no bound, and why. */
  readonly absent: readonly Absent[];
  /** Plain sentences on how the network and the samples were read. */
  readonly notes: readonly string[];
}

/** Samples that go through the network together. */
const TOGETHER = 256;

const STATISTICS =
  "batch normalization is taken with its running statistics as constants: while training, curvature and kernels are others";

interface Probed extends Pick<PosedTraining, "graph" | "isTrained" | "loss"> {
  readonly text: string;
  readonly data: TrainingData;
  readonly notes: readonly string[];
  /** Places of nodes whose values say nothing. */
  readonly helpers: ReadonlySet<string>;
  readonly theta: RealArray;
  readonly state: RealArray;
  readonly training: TrainingSettings;
  /** Whether the parameters at the start are those of the seed. */
  readonly hasStart: boolean;
  /** Whether the step size is that of a training. */
  readonly hasRate: boolean;
}

/**
 * The theory report of a network: every quantity beside what is stated of it.
 *
 * @throws UserError when model and data cannot be read, or do not fit.
 */
export async function probeNetwork(request: ProbeRequest): Promise<ProbeResult> {
  const probed = request.data === null ? ofRun(request) : ofFile(request, request.data);
  const { graph, data, isTrained, theta, state, training, hasStart, hasRate } = probed;
  const compute = await createCompute(request.threads === undefined ? {} : { threads: request.threads });
  try {
    return compute.scope((scope) => {
      const allocate = (length: number): Float64Array => scope.f64(length);
      const samples = Math.min(TOGETHER, data.n);
      const model = networkModel(graph, { kernels: compute, allocate, samples, trained: isTrained });
      const trainer = new Trainer(model, data, training, compute, allocate);
      trainer.theta.set(theta);
      model.state.set(state);
      let initial: Float64Array | undefined;
      if (hasStart) {
        initial = scope.f64(graph.parameters);
        initialize(graph, training.seed, initial);
      }
      const setup = {
        trainer,
        graph,
        compute,
        scope,
        probe: request.samples,
        ...(initial === undefined ? {} : { initial }),
      };
      const names = request.names.length === 0 ? undefined : request.names;
      const rows = probeOf(setup, names).filter(({ layer }) => layer === null || !probed.helpers.has(layer));
      const hasStatistics = graph.nodes.some(({ operation }) => operation.name === "batch-norm");
      const measurements = rows.map((row) =>
        // Without a step size there is no edge of stability to be beside of.
        row.name === "sharpness" && !hasRate
          ? { ...row, bound: null, constant: null, statement: null, status: null }
          : row,
      );
      return {
        architecture: probed.text,
        parameters: graph.parameters,
        samples: data.n,
        loss: probed.loss,
        measurements,
        absent: absentRows(graph, model.trained, { hasStart, hasRate }, request.names),
        notes: [...probed.notes, ...(hasStatistics ? [STATISTICS] : [])],
      };
    });
  } finally {
    await compute.close();
  }
}

function ofRun({ model, runs, pixels }: ProbeRequest): Probed {
  if (/\.(onnx|safetensors)$/.test(model)) {
    throw new UsageError("a model file is looked at with data: which?", {
      code: "missing-argument",
      hint: `overparam probe ${model} DATA --target COLUMN`,
    });
  }
  if (Object.values(pixels).some((value) => value !== undefined)) {
    throw new UsageError("--pixel-mean, --pixel-std and --channels are for model files: a run has its own", {
      code: "contradiction",
      hint: "leave them out",
    });
  }
  const { posed, theta, state, settings, rate } = openTraining(runs, model);
  const { momentum, nesterov, weightDecay, seed, reduction } = settings;
  const training: TrainingSettings = {
    reduction,
    batch: settings.batch === "full" ? posed.data.n : settings.batch,
    rule: { kind: "sgd", momentum, nesterov, weightDecay },
    schedule: { rate, factor: 1, drops: [] },
    noise: 0,
    seed,
  };
  return { ...lookedAt(posed), theta, state, training, hasStart: true, hasRate: !settings.adam };
}

function lookedAt({ graph, isTrained, loss, data, notes, architecture }: PosedTraining) {
  return { graph, isTrained, loss, data, notes, text: architectureText(architecture), helpers: new Set<string>() };
}

function ofFile(request: ProbeRequest, data: string): Probed {
  const { model, settings, pixels } = request;
  const isOnnx = model.endsWith(".onnx");
  const parse = (arch: string): TrainSettings =>
    trainSettingsSchema.parse({
      split: "none",
      standardize: isOnnx ? "none" : "columns",
      ...settings,
      data,
      arch,
      precision: "f64",
    });
  const parsed = parse("dense(1)");
  const { reduction, seed } = parsed;
  const rate = typeof parsed.rate === "number" ? parsed.rate : null;
  const found = isOnnx ? ofOnnx(model, parse, pixels) : ofDeep(model, parse, pixels);
  const training: TrainingSettings = {
    reduction,
    batch: found.data.n,
    rule: PLAIN,
    schedule: { rate: rate ?? 1, factor: 1, drops: [] },
    noise: 0,
    seed,
  };
  return { ...found, training, hasStart: false, hasRate: rate !== null };
}

type Found = Omit<Probed, "training" | "hasStart" | "hasRate">;

const make = (length: number): Float64Array => new Float64Array(length);

/** A network of this program. */
function ofDeep(model: string, parse: (arch: string) => TrainSettings, pixels: PixelScale): Found {
  const given = readDeepModel(readBytes(model), model);
  if (given.form.kind !== "network") {
    throw new ConfigError(`${model} is a ${given.form.kind} model, not a network`, { code: "monitor-form" });
  }
  const settings = parse(architectureText(given.architecture));
  const inputs = loadTraining(settings, make);
  standardizePixels(inputs.train.X, inputs.shape, pixels);
  const posed = poseTraining(settings, inputs);
  const theta = given.parameters[0]!;
  if (posed.graph.parameters !== theta.length) {
    throw new DataError(
      `${model} has ${theta.length} parameters, for these data it would have ${posed.graph.parameters}`,
      {
        code: "model-data",
        hint: "give the data that the network was made for",
        place: { file: model },
      },
    );
  }
  return { ...lookedAt(posed), theta, state: given.state };
}

/** A network of any program. */
function ofOnnx(model: string, parse: (arch: string) => TrainSettings, pixels: PixelScale): Found {
  const first = parse("dense(1)");
  const loaded = loadTraining(first, make);
  const network = readOnnxFile(model, loaded.shape);
  const { graph, theta, state, link, text } = network;
  // Digits are numbers by their looks; a network with an output for each says that they are classes.
  const isOfClasses = link !== null || sizeOf(graph.output) > 1;
  const chosen =
    first.task === "auto" && isOfClasses && loaded.target.classes === null
      ? loadTraining({ ...first, task: "classification" }, make)
      : loaded;
  const { inputs, note } = withOutputs(chosen, sizeOf(graph.output));
  standardizePixels(inputs.train.X, inputs.shape, pixels);
  const arranged = arrangeSamples(network, inputs.train.X, inputs.shape, pixels.channels, model);
  if (link !== null && inputs.target.classes === null) {
    throw new DataError(`the network of ${model} ends in a ${link}, but "${inputs.target.name}" is a number`, {
      code: "model-data",
      hint: "use --task classification if the numbers stand for classes",
      place: { file: model },
    });
  }
  const settings = parse(`dense(${sizeOf(graph.output)})`);
  const posed = poseAs(graph, model, () =>
    poseTraining(settings, { ...inputs, train: { ...inputs.train, X: arranged.X } }),
  );
  const nodes = new Set(trainedNodes(graph, settings.train ?? "all", false));
  const cut = `the ${link} at the end is left to the ${posed.loss} loss`;
  return {
    graph,
    theta,
    state,
    text,
    isTrained: (node) => nodes.has(node),
    loss: posed.loss,
    data: posed.data,
    helpers: network.helpers,
    notes: [...network.notes, ...arranged.notes, ...note, ...(link === null ? [] : [cut])],
  };
}

/**
 * Classes as the outputs of a network: whole numbers from 0 name their outputs, even if not all of them are among the samples.
 */
function withOutputs(
  inputs: TrainingInputs,
  outputs: number,
): { readonly inputs: TrainingInputs; readonly note: readonly string[] } {
  const { target, train } = inputs;
  const { classes } = target;
  if (classes === null || outputs === 1) return { inputs, note: [] };
  const numbers = classes.map(Number);
  if (numbers.every((number) => Number.isInteger(number) && number >= 0 && number < outputs)) {
    const all = Array.from({ length: outputs }, (_, k) => String(k));
    const y = train.y.map((k) => numbers[k]!);
    return { inputs: { ...inputs, target: { ...target, classes: all }, train: { ...train, y } }, note: [] };
  }
  return { inputs, note: [`outputs are taken to be, in this order: ${classes.slice(0, 20).join(", ")}`] };
}

/** Hints on how to write an architecture say nothing to who has a network already. */
function poseAs(graph: NetworkGraph, model: string, pose: () => PosedTraining): PosedTraining {
  try {
    return pose();
  } catch (error) {
    if (!(error instanceof ConfigError) || error.code !== "output-shape") throw error;
    throw new DataError(`${model}: ${error.message}`, {
      code: "model-data",
      hint: `it has ${sizeOf(graph.output)} outputs: is --target what it was trained for, and --task?`,
      place: { file: model },
    });
  }
}
