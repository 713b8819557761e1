import { counted } from "../data/columns.ts";
import { isCheckable } from "./certificate-file.ts";
import type { FitRecord } from "./fit-record.ts";
import type { FitJson } from "./fit-types.ts";
import { metricName } from "./metric-names.ts";
import { reproduceCommands } from "./reproduce.ts";
import { partNoun } from "./verdict.ts";
import { UNCHECKABLE } from "./verify.ts";
import { VERSION } from "./version.ts";

/** The README.md of a run folder: what the model is, how to use it, and what it is not. */
export function modelCard(record: FitRecord, json: FitJson, verdict: readonly string[]): string {
  const { settings, dataset, notes } = record;
  const { target } = dataset;
  const { problem, metrics, result } = json;
  const many =
    problem.outputNorm === "group"
      ? `${problem.outputs} outputs that share their neurons`
      : `${problem.outputs} outputs, one a ${partNoun(problem)}`;
  const certified = isCheckable(record.objective, target);
  const exactWeights = certified
    ? "`model.safetensors` and `certificate.json` hold the weights in float64; the\ncertificate speaks of these."
    : "`model.safetensors` holds the weights in float64; the bound speaks of these.";
  const kind = problem.program === "gated" ? "gated" : "ReLU";
  const number = target.columns === undefined ? "number" : "numbers";
  const what =
    target.classes === null ? `the ${number} "${target.name}"` : `"${target.name}" (${target.classes.join(", ")})`;
  const made =
    record.given === null ? "Trained by convex optimization" : `Read from \`${record.given.file}\` and bounded`;
  const [headline, ...rest] = verdict;
  return `# ${target.name}: a two-layer ${kind} network

${problem.outputs === 1 ? "One output" : many}, ${result.neurons} hidden neurons, ${counted(problem.features, "feature")}. It predicts ${what}.
${made} with overparam ${VERSION}.

**${headline}**

${rest.map((sentence) => `- ${sentence}`).join("\n")}

## Data

${problem.rows} training rows${dataset.test === null ? "" : ` and ${dataset.test.X.rows} held-out rows`} of \`${settings.data}\`, sha256 \`${dataset.fingerprint.file}\`.
${notes.map((note) => `\n- ${note}`).join("")}

## How well it predicts

${metricsMarkdown(metrics)}

## Use

\`\`\`sh
overparam predict . new-rows.csv     # raw rows, with the columns of the training file
\`\`\`

In ONNX Runtime \`model.onnx\` (float32) takes \`features\`, N x ${problem.features}: the encoded columns with missing values filled, not yet
standardized (the graph does that), in this order:

${dataset.preprocessing.features.map((name) => `\`${name}\``).join(", ")}

${outputMeaning(record)} ${exactWeights}

## Limits

- The ${certified ? "certificate" : "bound"} is about the training objective${json.rigorous ? "" : ", in floating-point arithmetic"}. It says nothing about new data.
${certified ? "" : `- No certificate: ${UNCHECKABLE}.\n`}- Rows unlike the training rows are extrapolated linearly, without a warning.
- The held-out rows were drawn at random from the same file: where rows belong together, the metrics above are too good.

## Repeat

\`\`\`sh
${reproduceCommands(settings, problem.beta, record.given?.file).join("\n")}
\`\`\`
`;
}

function outputMeaning({ dataset, objective }: FitRecord): string {
  const { classes, name, columns } = dataset.target;
  if (columns !== undefined) {
    const units = columns.map(({ name: column }) => `\`${column}\``).join(", ");
    return `\`output\` is N x ${columns.length}: ${units}, in the units of the table.`;
  }
  if (classes === null) return `\`output\` (N x 1) is the predicted ${name}.`;
  if (objective.loss === "softmax" || classes.length > 2) {
    const odds =
      objective.loss === "softmax" ? ", and the softmax of a row gives the probabilities of the classes" : "";
    return `\`output\` is N x ${classes.length}; the largest entry of a row names the class${odds}.`;
  }
  const scale = objective.loss === "logistic" ? ` (the log-odds of "${classes[1]}")` : "";
  return `\`output\` (N x 1)${scale} is positive for "${classes[1]}".`;
}

/** Metrics of a model, of this name, beside those of the baselines, as a table in Markdown. */
export function metricsMarkdown({ train, test, baselines }: FitJson["metrics"], model = "network"): string {
  const part = test === null ? "train" : "test";
  const models = { [model]: { train, test }, ...baselines };
  const names = Object.keys(test ?? train);
  const head = ["", ...Object.keys(models)];
  const rows = names.map((metric) => [
    `${part === "test" ? "held-out" : "training"} ${metricName(metric)}`,
    ...Object.values(models).map((one) => {
      const value = one[part]?.[metric];
      return value === undefined ? "–" : String(Number(value.toPrecision(4)));
    }),
  ]);
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
