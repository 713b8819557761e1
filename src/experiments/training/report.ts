import { baseName } from "../../platform/run-files.ts";
import type { LineFigure, ReportTable, RunReport } from "../../report/index.ts";
import { metricName } from "../metric-names.ts";
import { confusionCounts, predictedClasses } from "../metrics.ts";
import { rocCurves } from "../roc.ts";
import { VERSION } from "../version.ts";
import { trainCommand } from "./command.ts";
import { type HistoryLine, readHistory } from "./history.ts";
import { measuredFigures } from "./measured-figures.ts";
import { scoresOf, type TrainRecord } from "./outcome.ts";
import type { TrainJson } from "./types.ts";

/** Most classes of a confusion matrix, and most rows of a scatter of predictions. */
const MOST_CLASSES = 20;
const MOST_PREDICTIONS = 20_000;
/** What the HTML report of a training shows. */
export function makeTrainReport(record: TrainRecord, json: TrainJson, verdict: readonly string[]): RunReport {
  const { settings, inputs, history } = record;
  const lines = readHistory(history);
  const { status, steps } = json.result;
  return {
    title: `${baseName(settings.data)}: ${inputs.target.name}`,
    subtitle: `${json.problem.architecture}, ${json.problem.parameters} parameters, ${steps} steps`,
    badge: { finished: "Trained", interrupted: "Interrupted", diverged: "Diverged" }[status],
    status,
    verdict: [...verdict],
    scope: "",
    convergence: [],
    validation: null,
    part: inputs.test === null ? "training" : "held-out",
    ...predictionSeries(record),
    neurons: null,
    picture: null,
    lines: [...curves(lines, json), ...measuredFigures(lines)],
    tables: [metricsTable(json), ...measuredTable(json), problemTable(record, json), ...notesTable(record.notes)],
    reproduce: [trainCommand(settings)],
    footer: `overparam ${VERSION}.`,
  };
}

function predictionSeries(record: TrainRecord): Pick<RunReport, "predictions" | "confusion" | "roc"> {
  const { inputs, outputs } = record;
  const { name, classes } = inputs.target;
  const isHeld = inputs.test !== null && outputs.test !== null;
  const { n, y } = isHeld ? inputs.test! : inputs.train;
  const scores = scoresOf(record, isHeld ? outputs.test! : outputs.train, n);
  const none = { predictions: null, confusion: null, roc: null };
  if (!scores.data.every(Number.isFinite)) return none;
  if (classes === null) {
    if (n > MOST_PREDICTIONS) return none;
    return { ...none, predictions: { actual: [...y], predicted: [...scores.data], name } };
  }
  if (classes.length > MOST_CLASSES) return none;
  const roc = rocCurves(scores, y, classes);
  return {
    predictions: null,
    confusion: { labels: classes, counts: confusionCounts(predictedClasses(scores), y, classes.length) },
    roc: roc.length === 0 ? null : roc,
  };
}

/** Loss and accuracy over the steps. */
function curves(lines: readonly HistoryLine[], { problem }: TrainJson): LineFigure[] {
  const of = (key: "loss" | "accuracy" | "testLoss" | "testAccuracy"): [number, number][] =>
    lines.flatMap((line): [number, number][] => {
      const value = line[key];
      return value === null || value === undefined ? [] : [[line.step, value]];
    });
  const pair = (training: [number, number][], held: [number, number][]): LineFigure["lines"] => [
    { label: "training samples", points: training },
    ...(held.length === 0 ? [] : [{ label: "held-out samples", points: held }]),
  ];
  const loss: LineFigure = {
    name: "loss",
    title: "Loss",
    caption: `The ${problem.loss} loss, ${problem.reduction === "mean" ? "averaged" : "summed"} over all samples, after each logged step.`,
    x: { label: "step" },
    y: { label: "loss", log: true },
    lines: pair(of("loss"), of("testLoss")),
  };
  if (of("accuracy").length === 0) return [loss];
  return [
    loss,
    {
      name: "accuracy",
      title: "Accuracy",
      caption: "The share of the samples whose class the network names.",
      x: { label: "step" },
      y: { label: "accuracy" },
      lines: pair(of("accuracy"), of("testAccuracy")),
    },
  ];
}

function metricsTable({ metrics }: TrainJson): ReportTable {
  const names = [...new Set([...Object.keys(metrics.train), ...Object.keys(metrics.test ?? {})])];
  return {
    title: "How well it predicts",
    columns: ["", "training", "held out"],
    rows: names.map((name) => [metricName(name), metrics.train[name] ?? null, metrics.test?.[name] ?? null]),
  };
}

function measuredTable({ monitors }: TrainJson): ReportTable[] {
  if (monitors.length === 0) return [];
  return [
    {
      title: "Measured beside the theory",
      columns: ["quantity", "layer", "step", "measured", "bound", "constant", "statement", "source"],
      rows: monitors.map(({ name, layer, step, value, bound, constant, statement, status }) => [
        name,
        layer ?? "",
        step,
        value,
        bound,
        constant,
        statement ?? "",
        status ?? "",
      ]),
      note: "The bound is the statement's right-hand side without its constant; the constant is what it would need here. Recalled statements were not checked against their source.",
    },
  ];
}

function problemTable({ settings }: TrainRecord, { problem, result, backend }: TrainJson): ReportTable {
  const rule = settings.adam
    ? "Adam"
    : settings.momentum > 0
      ? `momentum ${settings.momentum}${settings.nesterov ? " (Nesterov)" : ""}`
      : "gradient descent";
  return {
    title: "Training",
    columns: ["", ""],
    rows: [
      ["training samples", problem.samples],
      ["held-out samples", problem.testSamples],
      ["inputs", problem.input.join(" x ")],
      ["parameters", problem.parameters],
      ["trained parameters", problem.trainedParameters],
      ["trained layers", problem.trained],
      ["model", problem.form],
      ["loss", `${problem.loss}, ${problem.reduction}`],
      ["method", `${rule}${settings.weightDecay > 0 ? `, weight decay ${settings.weightDecay}` : ""}`],
      ["batch", problem.batch],
      ["rate", result.rate],
      ...(result.curvature === null ? [] : [["largest eigenvalue at the start", result.curvature]]),
      ["epochs", result.epochs],
      ["seconds", result.seconds],
      ["steps a second", result.stepsPerSecond],
      ["precision", problem.precision],
      ["seed", settings.seed],
      ["backend", `${backend.name}, ${backend.blas ?? "no system BLAS"}, ${backend.threads} threads`],
    ],
  };
}

function notesTable(notes: readonly string[]): ReportTable[] {
  return notes.length === 0 ? [] : [{ title: "Notes", columns: [""], rows: notes.map((note) => [note]) }];
}
