import { z } from "zod";
import type { FitJson } from "../../experiments/fit-types.ts";
import { isKernelFit, type KernelFitJson } from "../../experiments/kernel-model-json.ts";
import { metricName } from "../../experiments/metric-names.ts";
import { findRun, readRun } from "../../experiments/run-store.ts";
import { isTrainRun, type TrainJson } from "../../experiments/training/types.ts";
import { defineCommand, jsonSetting, plainSetting, runSetting, runsSetting } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { formatBytes, formatGap, formatNumber, formatSeconds, formatTable, plural, wrap } from "../format.ts";

export const runsShowCommand = defineCommand({
  name: "runs show",
  summary: "show one saved run",
  positionals: ["run"],
  flagsOnly: ["run"],
  schema: z.object({
    run: runSetting,
    runs: runsSetting,
    plain: plainSetting,
    json: jsonSetting,
  }),
  examples: [
    { does: "verdict, metrics and files of a run", line: "overparam runs show 7f3a9c" },
    { does: "the same for another program", line: "overparam runs show 7f3a9c --json" },
  ],
  async run({ run, runs, plain, json }, { terminal, version }) {
    const { id, path, record } = readRun(findRun(runs, run), true);
    const { created, settings, verdict, interrupted, fit, files } = record;
    if (json) {
      const shown = { ...fit, run: { id, path } };
      const head = { schema: 1, command: "runs show", version, run: { id, path } };
      terminal.out(JSON.stringify({ ...head, created, settings, verdict, interrupted, fit: shown, files }));
      return EXIT.ok;
    }
    if (plain) {
      for (const [key, value] of flatten({ id, path, created, settings, ...fit, run: undefined }))
        terminal.out(`${key}\t${value}`);
      return EXIT.ok;
    }
    const columns = terminal.outColumns - 1;
    const title = (text: string): void => terminal.out(`\n${terminal.styleOut("bold", text)}`);
    terminal.out(`${terminal.styleOut("bold", id)}  ${record.stem}  ${created.slice(0, 16).replace("T", " ")} UTC`);
    terminal.out(path);
    title("Verdict");
    for (const sentence of verdict) terminal.out(wrap(sentence, columns, "  "));
    title("Problem and result");
    const described = isTrainRun(fit) ? trainLines(fit) : isKernelFit(fit) ? kernelLines(fit) : problemLines(fit);
    for (const line of described) terminal.out(wrap(line, columns, "  ", "    "));
    title("Metrics");
    for (const line of metricLines(fit.metrics, isKernelFit(fit) ? "kernel" : "network")) terminal.out(`  ${line}`);
    title("Files");
    const sizes = files.map(({ name, bytes }) => [name, formatBytes(bytes)]);
    for (const line of formatTable(["name", "size"], sizes).slice(1)) terminal.out(`  ${line}`);
    return EXIT.ok;
  },
});

function problemLines({ problem, result, backend }: FitJson): string[] {
  const { rows, features, outputs, loss, scaling, beta, betaMax, bias, program } = problem;
  const { objective, lowerBound, gap, status, scope, method, neurons, patterns, iterations, seconds } = result;
  return [
    `${program} network, ${plural(outputs, "output")}, ${rows} rows x ${features} features, bias ${bias}`,
    `${loss} loss (${scaling}), beta ${formatNumber(beta)} (largest useful ${formatNumber(betaMax)})`,
    `${status}: objective ${formatNumber(objective, "up")}, bound ${formatNumber(lowerBound, "down")}, gap ${formatGap(gap)} (${scope}, ${method})`,
    `${plural(neurons, "neuron")}, ${plural(patterns, "pattern")}, ${plural(iterations, "iteration")}, ${formatSeconds(seconds)} on ${backend.name}`,
  ];
}

function kernelLines({ model, problem, result, backend }: KernelFitJson): string[] {
  const { rows, features, outputs, architecture, ridge } = problem;
  const { method, leaveOneOutError, ridges, effectiveDimension, alignment, largestEigenvalue, largestStep, seconds } =
    result;
  return [
    `${model} of ${architecture}, ${plural(outputs, "output")}, ${rows} rows x ${features} features`,
    `ridge ${formatNumber(ridge)} (${plural(ridges.length, "ridge")} tried, ${method}), leave-one-out error ${formatNumber(leaveOneOutError)}`,
    `effective dimension ${formatNumber(effectiveDimension)}, alignment ${alignment === null ? "-" : formatNumber(alignment)}, largest eigenvalue ${formatNumber(largestEigenvalue)}, largest step ${formatNumber(largestStep)}`,
    `${formatSeconds(seconds)} on ${backend.name}`,
  ];
}

function trainLines({ problem, result, backend }: TrainJson): string[] {
  const { architecture, parameters, trainedParameters, form, loss, reduction, batch, samples, precision } = problem;
  const { status, reason, steps, epochs, rate, seconds } = result;
  const stopped = status === "finished" ? `finished (${reason})` : status;
  return [
    `${architecture}, ${plural(parameters, "parameter")}, ${trainedParameters} trained${form === "network" ? "" : `, ${form}`}`,
    `${loss} loss (${reduction}), ${plural(samples, "sample")}, batches of ${batch}, rate ${formatNumber(rate)}, ${precision}`,
    `${stopped}: ${plural(steps, "step")}, ${formatNumber(epochs)} epochs, loss ${result.loss === null ? "-" : formatNumber(result.loss)}, ${formatSeconds(seconds)} on ${backend.name}`,
  ];
}

/** One line a model, one column a metric. */
function metricLines({ train, test, baselines }: FitJson["metrics"], name: string): string[] {
  const models = [[name, { train, test }] as const, ...Object.entries(baselines)];
  const names = Object.keys(test ?? train);
  const part = test === null ? "train" : "test";
  const rows = models.map(([model, parts]) => [
    model,
    ...names.map((name) => {
      const value = (parts.test ?? parts.train)[name];
      return value === undefined ? "-" : formatNumber(value);
    }),
  ]);
  return formatTable([part, ...names.map(metricName)], rows);
}

/** `{ a: { b: 1 } }` -> `[["a.b", "1"]]`. */
function flatten(value: unknown, key = ""): [string, string][] {
  if (value === undefined) return [];
  if (typeof value !== "object" || value === null) return [[key, String(value)]];
  return Object.entries(value).flatMap(([name, inner]) => flatten(inner, key === "" ? name : `${key}.${name}`));
}
