import { ConfigError, DataError, UsageError } from "../base/errors.ts";
import { createCompute } from "../compute/index.ts";
import type { RealArray } from "../compute/types.ts";
import { readDeepModel, readOnnxDense } from "../formats/index.ts";
import { architectureText } from "../network/architecture/index.ts";
import { initialize, networkModel } from "../network/deep/index.ts";
import { readBytes } from "../platform/index.ts";
import { type Measurement, PLAIN, probeOf, Trainer, type TrainingSettings } from "../training/index.ts";
import { loadTraining } from "./training/load.ts";
import { type PosedTraining, poseTraining } from "./training/pose.ts";
import { trainSettingsSchema } from "./training/settings.ts";
import { openTraining } from "./training/stored.ts";

/** A network and the samples that it is looked at with. */
export interface ProbeRequest {
  /** A model file, or a run when there are no data. */
  readonly model: string;
  readonly runs: string;
  readonly data: string | null;
  /** Settings of the data and the training as `overparam train` knows them. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Samples that costly quantities are measured on, at most. */
  readonly samples: number;
  /** Names of quantities; empty: all that say something of one moment. */
  readonly names: readonly string[];
  readonly threads: number | undefined;
}

export interface ProbeResult {
  readonly architecture: string;
  readonly parameters: number;
  readonly samples: number;
  readonly loss: string;
  readonly measurements: readonly Measurement[];
}

/** Samples that go through the network together. */
const TOGETHER = 256;

interface Probed {
  readonly posed: PosedTraining;
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
  const { posed, theta, state, training, hasStart, hasRate } = probed;
  const { graph, data } = posed;
  const compute = await createCompute(request.threads === undefined ? {} : { threads: request.threads });
  try {
    return compute.scope((scope) => {
      const allocate = (length: number): Float64Array => scope.f64(length);
      const samples = Math.min(TOGETHER, data.n);
      const model = networkModel(graph, { kernels: compute, allocate, samples, trained: posed.isTrained });
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
      const measurements = probeOf(setup, names).map((row) =>
        // Without a step size there is no edge of stability to be beside of.
        row.name === "sharpness" && !hasRate
          ? { ...row, bound: null, constant: null, statement: null, status: null }
          : row,
      );
      return {
        architecture: architectureText(posed.architecture),
        parameters: graph.parameters,
        samples: data.n,
        loss: posed.loss,
        measurements,
      };
    });
  } finally {
    await compute.close();
  }
}

function ofRun({ model, runs }: ProbeRequest): Probed {
  if (/\.(onnx|safetensors)$/.test(model)) {
    throw new UsageError("a model file is looked at with data: which?", {
      code: "missing-argument",
      hint: `overparam probe ${model} DATA --target COLUMN`,
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
  return { posed, theta, state, training, hasStart: true, hasRate: !settings.adam };
}

function ofFile({ model, settings }: ProbeRequest, data: string): Probed {
  const bytes = readBytes(model);
  const isOnnx = model.endsWith(".onnx");
  const given = isOnnx ? null : readDeepModel(bytes, model);
  if (given !== null && given.form.kind !== "network") {
    throw new ConfigError(`${model} is a ${given.form.kind} model, not a network`, { code: "monitor-form" });
  }
  const parse = (arch: string) =>
    trainSettingsSchema.parse({
      split: "none",
      standardize: isOnnx ? "none" : "columns",
      ...settings,
      data,
      arch,
      precision: "f64",
    });
  const make = (length: number): Float64Array => new Float64Array(length);
  const inputs = loadTraining(parse("dense(1)"), make);
  const size = inputs.shape.reduce((product: number, length) => product * length, 1);
  const network =
    given === null
      ? { ...readOnnxDense(bytes, model, size), state: new Float64Array(0) }
      : { architecture: given.architecture, theta: given.parameters[0]!, state: given.state };
  const parsed = parse(architectureText(network.architecture));
  const posed = poseTraining(parsed, inputs);
  if (posed.graph.parameters !== network.theta.length) {
    throw new DataError(
      `${model} has ${network.theta.length} parameters, for these data it would have ${posed.graph.parameters}`,
      {
        code: "model-data",
        hint: "give the data that the network was made for",
        place: { file: model },
      },
    );
  }
  const { reduction, seed } = parsed;
  const rate = typeof parsed.rate === "number" ? parsed.rate : null;
  const training: TrainingSettings = {
    reduction,
    batch: posed.data.n,
    rule: PLAIN,
    schedule: { rate: rate ?? 1, factor: 1, drops: [] },
    noise: 0,
    seed,
  };
  return { posed, ...network, training, hasStart: false, hasRate: rate !== null };
}
