import type { FitRecord } from "./fit-record.ts";
import type { FitJson } from "./fit-types.ts";
import { metricName } from "./metric-names.ts";
import { reproduceCommands } from "./reproduce.ts";
import { VERSION } from "./version.ts";

/** The README.md of a run folder: what the model is, how to use it, and what it is not. */
export function modelCard(record: FitRecord, json: FitJson, verdict: readonly string[]): string {
  const { settings, dataset, notes } = record;
  const { target } = dataset;
  const { problem, metrics, result } = json;
  const kind = problem.program === "gated" ? "gated" : "ReLU";
  const what =
    target.classes === null ? `the number "${target.name}"` : `"${target.name}" (${target.classes.join(", ")})`;
  const made =
    record.given === null ? "Trained by convex optimization" : `Read from \`${record.given.file}\` and bounded`;
  const [headline, ...rest] = verdict;
  return `# ${target.name}: a two-layer ${kind} network

${problem.outputs === 1 ? "One output" : `${problem.outputs} outputs, one a class`}, ${result.neurons} hidden neurons, ${problem.features} features. It predicts ${what}.
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

${outputMeaning(record)} \`model.safetensors\` and \`certificate.json\` hold the weights in float64; the
certificate speaks of these.

## Limits

- The certificate is about the training objective${json.rigorous ? "" : ", in floating-point arithmetic"}. It says nothing about new data.
- Rows unlike the training rows are extrapolated linearly, without a warning.
- The held-out rows were drawn at random from the same file: where rows belong together, the metrics above are too good.

## Repeat

\`\`\`sh
${reproduceCommands(settings, problem.beta, record.given?.file).join("\n")}
\`\`\`
`;
}

function outputMeaning({ dataset, objective }: FitRecord): string {
  const { classes, name } = dataset.target;
  if (classes === null) return `\`output\` (N x 1) is the predicted ${name}.`;
  if (classes.length > 2) return `\`output\` is N x ${classes.length}; the largest entry of a row names the class.`;
  const scale = objective.loss === "logistic" ? ` (the log-odds of "${classes[1]}")` : "";
  return `\`output\` (N x 1)${scale} is positive for "${classes[1]}".`;
}

function metricsMarkdown({ train, test, baselines }: FitJson["metrics"]): string {
  const part = test === null ? "train" : "test";
  const models = { network: { train, test }, ...baselines };
  const names = Object.keys(test ?? train);
  const head = ["", ...Object.keys(models)];
  const rows = names.map((metric) => [
    `${part === "test" ? "held-out" : "training"} ${metricName(metric)}`,
    ...Object.values(models).map((model) => {
      const value = model[part]?.[metric];
      return value === undefined ? "–" : String(Number(value.toPrecision(4)));
    }),
  ]);
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
