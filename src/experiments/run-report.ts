import type { Matrix } from "../base/matrix.ts";
import { forward } from "../network/index.ts";
import type { Confusion, Predictions, ReportTable, RunReport } from "../report/index.ts";
import type { FitRecord } from "./fit-record.ts";
import type { FitJson } from "./fit-types.ts";
import { confusionCounts, type Metrics, predictedClasses } from "./metrics.ts";
import { reproduceCommands } from "./reproduce.ts";
import { formatBeta, problemLine, scopeText } from "./verdict.ts";
import { VERSION } from "./version.ts";

const STATUS = {
  optimal: "certified",
  bounded: "bounded",
  stalled: "bounded",
  interrupted: "interrupted",
} as const satisfies Record<FitJson["result"]["status"], RunReport["status"]>;

/** What the HTML report of a fit shows. */
export function makeReport(record: FitRecord, json: FitJson, verdict: readonly string[]): RunReport {
  const { settings, dataset, outputs, history, validation, objective, betaMax, notes } = record;
  const { name, classes } = dataset.target;
  const heldOut = dataset.test === null ? null : forward(record.network, dataset.test.X);
  return {
    title: `${settings.data}: ${name}`,
    subtitle: `two-layer ${objective.program === "gated" ? "gated" : "ReLU"} network, ${json.result.neurons} neurons, trained by convex optimization`,
    verdict,
    status: STATUS[json.result.status],
    scope: scopeText(json.problem, json.result),
    convergence: outputs.map((output) => ({
      label: output.name,
      points: history.filter((line) => line.output === output.name),
    })),
    validation:
      validation.length === 0
        ? null
        : validation.map(({ ratio, loss, standardError }) => ({
            beta: ratio * betaMax,
            loss,
            standardError,
            chosen: ratio * betaMax === objective.beta,
          })),
    predictions: classes === null ? predictionPairs(heldOut, dataset.test?.y, name) : null,
    confusion: classes === null ? null : confusion(heldOut, dataset.test?.y, classes),
    tables: [metricsTable(record), problemTable(record, json), ...notesTable(notes)],
    reproduce: reproduceCommands(settings, objective.beta),
    footer: `overparam ${VERSION}. ${problemLine(json.problem)}`,
  };
}

function predictionPairs(outputs: Matrix | null, y: Float64Array | undefined, name: string): Predictions | null {
  if (outputs === null || y === undefined) return null;
  return { actual: [...y], predicted: [...outputs.data], name };
}

function confusion(outputs: Matrix | null, y: Float64Array | undefined, labels: readonly string[]): Confusion | null {
  if (outputs === null || y === undefined) return null;
  return { labels, counts: confusionCounts(predictedClasses(outputs), y, labels.length) };
}

function metricsTable({ evaluation, baselines, dataset }: FitRecord): ReportTable {
  const part = (name: "train" | "test"): { label: string; columns: readonly (Metrics | null)[] } => ({
    label: name === "train" ? "training" : "held-out",
    columns: [evaluation[name], ...baselines.map((baseline) => baseline[name])],
  });
  const rows = (dataset.test === null ? [part("train")] : [part("test"), part("train")]).flatMap(
    ({ label, columns }) => {
      const names = [...new Set(columns.flatMap((metrics) => Object.keys(metrics ?? {})))];
      return names.map((metric) => [`${label} ${metric}`, ...columns.map((metrics) => metrics?.[metric] ?? null)]);
    },
  );
  return {
    title: "Beside simpler models",
    columns: ["", "network", ...baselines.map(({ name }) => name)],
    rows,
    note: "All models see the same features and the same training rows.",
  };
}

function problemTable({ dataset, backend, settings }: FitRecord, { problem, result }: FitJson): ReportTable {
  return {
    title: "Problem",
    columns: ["", ""],
    rows: [
      ["training rows", problem.rows],
      ["held-out rows", dataset.test?.X.rows ?? 0],
      ["features", problem.features],
      ["loss", `${problem.loss}, ${problem.scaling}`],
      ["beta", formatBeta(problem.beta)],
      ["beta as a share of beta_max", formatBeta(problem.beta / problem.betaMax)],
      ["biases", problem.bias],
      ["program", problem.program],
      ["activation patterns", result.patterns],
      ["method of the bound", result.method],
      ["seed", settings.seed],
      ["backend", `${backend.name}, ${backend.blas ?? "no system BLAS"}, ${backend.threads} threads`],
      ["sha256 of the file", dataset.fingerprint.file],
      ["sha256 of the training matrix", dataset.fingerprint.matrix],
    ],
  };
}

function notesTable(notes: readonly string[]): ReportTable[] {
  return notes.length === 0 ? [] : [{ title: "Notes", columns: [""], rows: notes.map((note) => [note]) }];
}
