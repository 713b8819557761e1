import { counted } from "../data/columns.ts";
import type { KernelFitJson } from "./kernel-model-json.ts";
import type { KernelRecord } from "./kernel-model-outcome.ts";
import { metricsMarkdown } from "./model-card.ts";
import { reproduceCommand } from "./reproduce.ts";
import { VERSION } from "./version.ts";

/** The README.md of the folder of a kernel regression: what the model is, how to use it, and what it is not. */
export function kernelModelCard(record: KernelRecord, json: KernelFitJson, verdict: readonly string[]): string {
  const { settings, dataset, notes } = record;
  const { target } = dataset;
  const { problem, metrics } = json;
  const isNumber = target.classes === null;
  const what = isNumber ? `the number "${target.name}"` : `"${target.name}" (${target.classes?.join(", ")})`;
  const [headline, ...rest] = verdict;
  const held = dataset.test === null ? "" : ` and ${dataset.test.X.rows} held-out rows`;
  const deviation = isNumber
    ? "\noverparam predict . new-rows.csv --std     # with the standard deviation of each prediction"
    : "";
  return `# ${target.name}: kernel regression

It predicts ${what} from ${counted(problem.features, "feature")}. Made with overparam ${VERSION}.

**${headline}**

${rest.map((sentence) => `- ${sentence}`).join("\n")}

## Data

${problem.rows} training rows${held} of \`${settings.data}\`, sha256 \`${dataset.fingerprint.file}\`.
${notes.map((note) => `\n- ${note}`).join("")}

## How well it predicts

${metricsMarkdown(metrics, "kernel")}

## Use

\`\`\`sh
overparam predict . new-rows.csv     # raw rows, with the columns of the training file${deviation}
\`\`\`

\`model.safetensors\` holds the training inputs (encoded and standardized), the dual coefficients and the intercept in float64: the
prediction for x is the sum of kernel(x, input) times coefficient over all training rows${problem.weights === null ? "" : " with a weight"}, plus the intercept.

## Limits

- The model holds the training rows: who has it, has them.
- The kernel is that of infinitely wide networks. A network of finite width that learns features may do better or worse.
- The held-out rows were drawn at random from the same file: where rows belong together, the metrics above are too good.

## Repeat

\`\`\`sh
${reproduceCommand(settings)}
\`\`\`
`;
}
