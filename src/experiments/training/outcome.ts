import { DataError } from "../../base/errors.ts";
import { type Matrix, matrix } from "../../base/matrix.ts";
import type { RealArray } from "../../compute/types.ts";
import { type DeepModel, writeDeepModel, writeDeepOnnx } from "../../formats/index.ts";
import { architectureText } from "../../network/architecture/index.ts";
import { sha256 } from "../../platform/index.ts";
import type { Evaluation, TrainingEnd } from "../../training/index.ts";
import type { RunFile } from "../fit-types.ts";
import { binaryMetrics, type Metrics, multiclassMetrics, regressionMetrics } from "../metrics.ts";
import { reportFiles } from "../report-files.ts";
import { VERSION } from "../version.ts";
import { trainCard } from "./card.ts";
import { TRAINING_CHECKPOINT_FILE } from "./checkpoint.ts";
import type { LastMeasurement } from "./drive.ts";
import { makeTrainReport } from "./report.ts";
import type { LabelledSamples } from "./samples.ts";
import type { SessionFacts } from "./session.ts";
import type { TrainJson, TrainOutcome } from "./types.ts";
import { HISTORY_FILE } from "./work-folder.ts";

/** Everything that a finished (or interrupted, or diverged) training knows. */
export interface TrainRecord extends SessionFacts {
  readonly end: TrainingEnd;
  /** Of the parameters that are saved. */
  readonly last: Evaluation;
  readonly measured: readonly LastMeasurement[];
  readonly theta: RealArray;
  readonly center: RealArray | null;
  readonly state: RealArray;
  /** Steps after which these parameters are. */
  readonly savedSteps: number;
  readonly batch: number;
  readonly trainedParameters: number;
  /** The largest stable step size at the start, where it is known. */
  readonly stable: number | null;
  /** That the loss has risen far above that of the start, and what to do; null: it has not. */
  readonly risen: string | null;
  /** Of the network, n x outputs. */
  readonly outputs: { readonly train: Float64Array; readonly test: Float64Array | null };
  readonly history: Uint8Array;
  readonly checkpoint: Uint8Array;
}

/** Numbers that JSON has no word for, as null. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** What a training leaves behind. */
export function makeTrainOutcome(record: TrainRecord): TrainOutcome {
  const json = jsonOf(record);
  const verdict = verdictOf(record, json);
  const model = modelOf(record);
  const onnx = onnxFile(model);
  const text = (name: string, content: string): RunFile => ({ name, bytes: new TextEncoder().encode(content) });
  const files: RunFile[] = [
    { name: "model.safetensors", bytes: writeDeepModel(model) },
    ...onnx,
    { name: TRAINING_CHECKPOINT_FILE, bytes: record.checkpoint },
    { name: HISTORY_FILE, bytes: record.history },
    text("README.md", trainCard(record, json, verdict, onnx.length > 0)),
    ...reportFiles(makeTrainReport(record, json, verdict)),
  ];
  const { theta } = record;
  const id = sha256(
    new TextEncoder().encode(JSON.stringify([record.settings, record.inputs.fingerprint, json.result.steps])),
    new Uint8Array(theta.buffer, theta.byteOffset, theta.byteLength),
  );
  return { json, verdict, files, id, interrupted: json.result.status === "interrupted" };
}

function modelOf({ posed, theta, center, state, inputs }: TrainRecord): DeepModel {
  const half = theta.length / 2;
  const parameters =
    posed.form.kind === "symmetric"
      ? [theta.subarray(0, half), theta.subarray(half)]
      : center === null
        ? [theta]
        : [center, theta];
  const { architecture, input, form } = posed;
  const link = posed.loss === "cross-entropy" ? ({ link: "softmax" } as const) : {};
  return { architecture, input, form, parameters, state, inputs: inputs.inputs, target: { ...inputs.target, ...link } };
}

/** The network as ONNX, where that has its layers. */
function onnxFile(model: DeepModel): RunFile[] {
  try {
    return [{ name: "model.onnx", bytes: writeDeepOnnx(model) }];
  } catch (error) {
    if (error instanceof DataError) return [];
    throw error;
  }
}

function jsonOf(record: TrainRecord): TrainJson {
  const { settings, inputs, posed, end, last, measured, batch, rate, curvature, stable, compute } = record;
  const { graph, form, architecture, input, trained, loss, data } = posed;
  const stepsPerEpoch = Math.ceil(data.n / batch);
  const isSame = end.reason !== "diverged";
  return {
    schema: 1,
    command: "train",
    version: VERSION,
    run: null,
    problem: {
      samples: inputs.train.n,
      testSamples: inputs.test?.n ?? 0,
      input: [...input],
      outputs: graph.sizes[graph.outputValue]!,
      architecture: architectureText(architecture),
      parameters: graph.parameters,
      trainedParameters: record.trainedParameters,
      form: form.kind === "taylor" ? `taylor ${form.degree}` : form.kind,
      trained,
      loss,
      reduction: settings.reduction,
      batch,
      precision: settings.precision,
    },
    result: {
      status: end.reason === "diverged" ? "diverged" : end.reason === "cancelled" ? "interrupted" : "finished",
      reason: end.reason,
      steps: end.step,
      epochs: end.step / stepsPerEpoch,
      loss: finite(last.loss),
      accuracy: last.accuracy,
      testLoss: last.test === null ? null : finite(last.test.loss),
      testAccuracy: last.test?.accuracy ?? null,
      rate,
      curvature: curvature === null ? null : finite(curvature),
      stableRate: stable === null ? null : finite(stable),
      seconds: end.seconds,
      stepsPerSecond: end.step / Math.max(end.seconds, Number.MIN_VALUE),
      savedSteps: isSame ? end.step : record.savedSteps,
    },
    monitors: measured.map((one) => ({
      ...one,
      value: finite(one.value),
      bound: one.bound === null ? null : finite(one.bound),
      constant: one.constant === null ? null : finite(one.constant),
    })),
    metrics: {
      train: metricsOf(record, record.outputs.train, inputs.train),
      test: inputs.test === null ? null : metricsOf(record, record.outputs.test!, inputs.test),
      baselines: {},
    },
    backend: compute.info,
    notes: [...record.notes],
  };
}

/** Outputs in the units of the target. */
export function scoresOf({ inputs }: Pick<TrainRecord, "inputs">, outputs: Float64Array, n: number): Matrix {
  const { scale } = inputs.target;
  const data = scale === null ? outputs : outputs.map((value) => value * scale.deviation + scale.mean);
  return matrix(n, outputs.length / n, data);
}

function metricsOf(record: TrainRecord, outputs: Float64Array, { n, y }: LabelledSamples): Metrics {
  const scores = scoresOf(record, outputs, n);
  const { classes } = record.inputs.target;
  const all =
    classes === null
      ? regressionMetrics(scores.data, y)
      : scores.cols === 1
        ? binaryMetrics(scores.data, y, record.posed.loss === "logistic")
        : multiclassMetrics(scores, y, classes, record.posed.loss === "cross-entropy");
  return Object.fromEntries(Object.entries(all).filter(([, value]) => Number.isFinite(value)));
}

const percent = (share: number): string => `${Number((100 * share).toPrecision(4))} %`;
const short = (value: number | null): string => (value === null ? "not finite" : String(Number(value.toPrecision(4))));

/** What happened, in sentences. */
function verdictOf({ settings, end, rate, risen }: TrainRecord, { result, problem }: TrainJson): readonly string[] {
  const { steps, loss, accuracy, testAccuracy, savedSteps, stableRate } = result;
  const right = accuracy === null ? "" : `, ${percent(accuracy)} of the training samples right`;
  const held = testAccuracy === null ? "" : `, ${percent(testAccuracy)} of the held-out ones`;
  const objective = `${problem.reduction === "mean" ? "mean" : "sum of the"} ${problem.loss} loss ${short(loss)}`;
  if (end.reason === "diverged") {
    const stable =
      stableRate === null
        ? `Try a smaller --rate than ${short(rate)}${settings.adam ? "" : ", or --rate stable"}.`
        : rate > stableRate
          ? `At the start step sizes up to ${short(stableRate)} are stable; the rate was ${short(rate)}: try --rate ${short(stableRate / 2)}.`
          : `At the start step sizes up to ${short(stableRate)} were stable, but curvature can grow: try --rate ${short(rate / 2)}.`;
    return [
      `Diverged: the loss is not finite after step ${steps}.`,
      stable,
      `Saved is the network after step ${savedSteps}: ${objective}${right}${held}.`,
    ];
  }
  const why = {
    steps: `${settings.epochs === undefined ? "the steps are done" : "the epochs are done"}`,
    seconds: "the time is up",
    loss: `the loss is at most ${settings.untilLoss}`,
    accuracy: `the accuracy is at least ${settings.untilAccuracy}`,
    cancelled: "it was interrupted",
  }[end.reason];
  return [
    `${capital(objective)} after ${steps} steps${right}${held}.`,
    `Training stopped because ${why}.`,
    ...(risen === null ? [] : [`${capital(risen)}.`]),
  ];
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
