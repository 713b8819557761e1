import type { Matrix } from "../base/matrix.ts";
import type { Samples, Target } from "../data/types.ts";
import { forward } from "../network/index.ts";
import { baseName } from "../platform/run-files.ts";
import type { ReportTable, RunReport } from "../report/index.ts";
import type { FitRecord } from "./fit-record.ts";
import type { FitJson } from "./fit-types.ts";
import { metricName } from "./metric-names.ts";
import { confusionCounts, type Metrics, predictedClasses } from "./metrics.ts";
import { neuronPanel } from "./neuron-panel.ts";
import { pathFigures, pathTable } from "./path-report.ts";
import { networkPicture } from "./pictures.ts";
import { codeTargets, hiddenBiases, outputNames } from "./problem.ts";
import { reproduceCommands } from "./reproduce.ts";
import { rocCurves } from "./roc.ts";
import { formatBeta, judge, NONNEGATIVE, problemLine, scopeText } from "./verdict.ts";
import { VERSION } from "./version.ts";

/** What the HTML report of a fit shows. */
export function makeReport(record: FitRecord, json: FitJson): RunReport {
  const { settings, dataset, network, outputs, history, validation, path, objective, betaMax, notes } = record;
  const { target, train, test, preprocessing } = dataset;
  const names = outputNames(target, objective.loss);
  const { standing, label, statement, details } = judge({
    problem: json.problem,
    result: json.result,
    rigorous: json.rigorous,
    given: record.given !== null,
    tolerance: settings.tolerance,
    ...(json.perClass === undefined ? {} : { perClass: json.perClass }),
  });
  return {
    title: `${baseName(settings.data)}: ${target.name}`,
    subtitle: subtitle(json),
    badge: label,
    status: standing,
    verdict: [`${statement.charAt(0).toUpperCase()}${statement.slice(1)}`, ...details].map(typesetPowers),
    scope: scopeText(json.problem, json.result),
    convergence: outputs.map((output) => ({
      label: output.name,
      points: history
        .filter((line) => line.output === output.name)
        .map(({ seconds, objective: reached, bound, neurons }) => ({
          seconds,
          // Of a network from a file, training reached others than the one that is reported.
          objective: record.given === null ? reached : output.objective,
          bound,
          neurons: record.given === null ? neurons : output.network.U.rows,
        })),
    })),
    ...(path === null ? {} : { lines: pathFigures(path) }),
    validation:
      validation === null || validation.points.length === 0
        ? null
        : validation.points.map(({ ratio, loss, standardError }) => ({
            beta: ratio * betaMax,
            loss,
            standardError,
            chosen: ratio * betaMax === objective.beta,
          })),
    part: test === null ? "training" : "held-out",
    ...predictionSeries(target, forward(network, (test ?? train).X), test ?? train),
    neurons: neuronPanel({
      network,
      X: train.X,
      features: preprocessing.features,
      outputs: names,
      penalizedBiases: hiddenBiases(objective.bias) === "penalized",
    }),
    picture:
      target.columns === undefined
        ? networkPicture({ network, dataset, outputs: names, logOdds: objective.loss === "logistic" })
        : null,
    tables: [
      metricsTable(record, "network"),
      ...(json.path === undefined ? [] : [pathTable(json.path)]),
      problemTable(record, json),
      ...notesTable(notes),
    ],
    reproduce: reproduceCommands(settings, objective.beta, record.given?.file),
    footer: `overparam ${VERSION}. ${problemLine(json.problem, json.rigorous)}`,
  };
}

/** `4e-10` -> `4×10⁻¹⁰`: a page has room for it, and would break a line at the hyphen. */
function typesetPowers(text: string): string {
  return text.replace(/\b(\d+(?:\.\d+)?)e-(\d+)\b/g, (_, mantissa: string, exponent: string) => {
    const power = `10⁻${[...exponent].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹".charAt(Number(digit))).join("")}`;
    return mantissa === "1" ? power : `${mantissa}×${power}`;
  });
}

function subtitle({ command, problem, result }: FitJson): string {
  const kind = problem.program === "gated" ? "gated" : "ReLU";
  const neurons = `${result.neurons} hidden neuron${result.neurons === 1 ? "" : "s"}`;
  const made = command === "fit" ? "trained by convex optimization" : "bounded as it was given";
  return `two-layer ${kind} network, ${neurons}, ${made}`;
}

/** What the network says about rows, beside what is true of them. */
export function predictionSeries(
  { name, classes, columns }: Target,
  outputs: Matrix,
  { y }: Samples,
): Pick<RunReport, "predictions" | "confusion" | "roc"> {
  if (columns !== undefined) {
    // Several targets on one pair of axes: in standard deviations from their means, as the network predicts them.
    const actual = [...codeTargets(y, "number", columns.length, columns).data];
    const predictions = { actual, predicted: [...outputs.data], name: `${name}, standardized` };
    return { predictions, confusion: null, roc: null };
  }
  if (classes === null) {
    return { predictions: { actual: [...y], predicted: [...outputs.data], name }, confusion: null, roc: null };
  }
  const curves = rocCurves(outputs, y, classes);
  return {
    predictions: null,
    confusion: { labels: classes, counts: confusionCounts(predictedClasses(outputs), y, classes.length) },
    roc: curves.length === 0 ? null : curves,
  };
}

/** Metrics of a model, of this name, beside those of the baselines. */
export function metricsTable(
  { evaluation, baselines, dataset }: Pick<FitRecord, "evaluation" | "baselines" | "dataset">,
  model: string,
): ReportTable {
  const part = (name: "train" | "test"): { label: string; columns: readonly (Metrics | null)[] } => ({
    label: name === "train" ? "training" : "held-out",
    columns: [evaluation[name], ...baselines.map((baseline) => baseline[name])],
  });
  const rows = (dataset.test === null ? [part("train")] : [part("test"), part("train")]).flatMap(
    ({ label, columns }) => {
      const names = [...new Set(columns.flatMap((metrics) => Object.keys(metrics ?? {})))];
      return names.map((metric) => [
        `${label} ${metricName(metric)}`,
        ...columns.map((metrics) => metrics?.[metric] ?? null),
      ]);
    },
  );
  return {
    title: "Beside simpler models",
    columns: ["", model, ...baselines.map(({ name }) => name)],
    rows,
    note: "All models see the same features and the same training rows.",
  };
}

function problemTable({ dataset, backend, settings }: FitRecord, { problem, result, rigorous }: FitJson): ReportTable {
  return {
    title: "Problem",
    columns: ["", ""],
    rows: [
      ["training rows", problem.rows],
      ["held-out rows", dataset.test?.X.rows ?? 0],
      ["features", problem.features],
      ["loss", `${problem.loss}, ${problem.scaling}`],
      ...(problem.outputNorm === undefined ? [] : [["outputs", OUTPUT_WORDS[problem.outputNorm]]]),
      ...(problem.huber === undefined ? [] : [["threshold of the Huber loss", problem.huber]]),
      ...(settings.weights === undefined ? [] : [["sample weights", settings.weights]]),
      ["beta", formatBeta(problem.beta)],
      ["beta as a share of beta_max", formatBeta(problem.beta / problem.betaMax)],
      ["biases", problem.bias],
      ["program", problem.program],
      ["activation patterns", result.patterns],
      ["method of the bound", result.method.split(", ").map(methodWords).join("; ")],
      ["arithmetic of the bound", rigorous ? "rigorous: every rounding error is bounded" : "floating point"],
      ["seed", settings.seed],
      ["backend", `${backend.name}, ${backend.blas ?? "no system BLAS"}, ${backend.threads} threads`],
      ["sha256 of the file", dataset.fingerprint.file],
      ["sha256 of the training matrix", dataset.fingerprint.matrix],
    ],
  };
}

const OUTPUT_WORDS = { group: "share neurons (group norm)", l1: "a network each (l1 norm)" } as const;

/** How a lower bound was found, for people. */
function methodWords(method: string): string {
  const [, kind, scalar] = /^(cover|rotation)-(.+)$/.exec(method) ?? [];
  if (scalar !== undefined) {
    const way = kind === "cover" ? "a cover of the directions of the outputs" : "singular directions of the dual point";
    return `${way}; ${methodWords(scalar)}`;
  }
  const rank = /^exact-rank-(\d)$/.exec(method)?.[1];
  if (rank !== undefined) return `exact, over all activation patterns (rank ${rank})`;
  return METHOD_WORDS.get(method) ?? method;
}

const METHOD_WORDS: ReadonlyMap<string, string> = new Map([
  ["cones", "branch and bound (simplicial cones)"],
  ["caps", "branch and bound (sign caps)"],
  ["transport", "branch and bound (transport)"],
  ["shor", "semidefinite relaxation (Shor)"],
  ["spectral", "relaxation of all outputs at once (spectral)"],
  ["row-norms", "sum of the row norms"],
  ["listed", "exact, over the listed patterns"],
  [NONNEGATIVE, "none: losses and penalties are not negative"],
]);

export function notesTable(notes: readonly string[]): ReportTable[] {
  return notes.length === 0 ? [] : [{ title: "Notes", columns: [""], rows: notes.map((note) => [note]) }];
}
