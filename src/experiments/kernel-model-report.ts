import { baseName } from "../platform/run-files.ts";
import type { ReportTable, RunReport } from "../report/index.ts";
import type { KernelFitJson } from "./kernel-model-json.ts";
import type { KernelRecord } from "./kernel-model-outcome.ts";
import { metricName } from "./metric-names.ts";
import { reproduceCommand } from "./reproduce.ts";
import { metricsTable, notesTable, predictionSeries } from "./run-report.ts";
import { VERSION } from "./version.ts";

/** What the HTML report of a kernel regression shows. */
export function kernelReport(record: KernelRecord, json: KernelFitJson, verdict: readonly string[]): RunReport {
  const { settings, dataset, regression, fitted, test } = record;
  const { target } = dataset;
  const { ridge, points, eigenvalues } = regression;
  const samples = test === null ? dataset.train : dataset.test!;
  return {
    title: `${baseName(settings.data)}: ${target.name}`,
    subtitle: `kernel regression, ${record.shownArchitecture}`,
    badge: json.result.status === "exact" ? "Solved exactly" : "Interrupted",
    status: json.result.status,
    verdict,
    scope: "",
    convergence: [],
    validation: null,
    leaveOneOut: points
      .filter(({ error }) => Number.isFinite(error))
      .map((point) => ({ ridge: point.ridge, error: point.error, chosen: point.ridge === ridge })),
    spectrum: eigenvalues === null ? null : { values: [...eigenvalues].reverse().filter((value) => value > 0), ridge },
    part: test === null ? "training" : "held-out",
    ...predictionSeries(target, test ?? fitted, samples),
    neurons: null,
    picture: null,
    tables: [
      metricsTable(record, "kernel"),
      leaveOneOutTable(record),
      problemTable(record, json),
      ...notesTable(record.notes),
    ],
    reproduce: [reproduceCommand(settings)],
    footer: `overparam ${VERSION}. Kernel ridge regression; leave-one-out errors are exact, without refitting.`,
  };
}

function leaveOneOutTable({ leaveOneOut }: KernelRecord): ReportTable {
  return {
    title: "Leave-one-out",
    columns: ["", "kernel"],
    rows: Object.entries(leaveOneOut).map(([metric, value]) => [metricName(metric), value]),
    note: "What the regression on all other training rows says of each training row.",
  };
}

function problemTable(
  { dataset, backend, settings }: KernelRecord,
  { model, problem, result }: KernelFitJson,
): ReportTable {
  return {
    title: "Problem",
    columns: ["", ""],
    rows: [
      ["training rows", problem.rows],
      ["held-out rows", dataset.test?.X.rows ?? 0],
      ["features", problem.features],
      ["kernel", model],
      ["network", problem.architecture],
      ...(problem.weights === null
        ? []
        : [
            ["sample weights", problem.weights.column],
            ["rows with a weight", problem.weights.rows],
          ]),
      ["ridge", problem.ridge],
      ["ridge as a share of the mean diagonal", problem.ridge / result.meanDiagonal],
      ["effective dimension at this ridge", result.effectiveDimension],
      ["alignment with the targets", result.alignment],
      ["largest eigenvalue", result.largestEigenvalue],
      ["smallest eigenvalue", result.smallestEigenvalue],
      ["largest stable step, summed loss", result.largestStep],
      ...(result.noise === null
        ? []
        : [["standard deviation of the noise", result.noise.map((value) => value.toPrecision(3)).join(", ")]]),
      ["method", result.method === "spectrum" ? "all eigenvalues" : "Cholesky factorizations"],
      ["seed", settings.seed],
      ["backend", `${backend.name}, ${backend.blas ?? "no system BLAS"}, ${backend.threads} threads`],
      ["sha256 of the file", dataset.fingerprint.file],
      ["sha256 of the training matrix", dataset.fingerprint.matrix],
    ],
  };
}
