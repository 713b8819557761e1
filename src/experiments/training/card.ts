import { metricName } from "../metric-names.ts";
import { trainCommand } from "./command.ts";
import type { TrainRecord } from "./outcome.ts";
import type { TrainJson } from "./types.ts";

/** The README.md of a run folder: what the network is, how to use it, how to repeat it. */
export function trainCard(
  { settings, inputs, notes }: TrainRecord,
  { problem, result, metrics, version }: TrainJson,
  verdict: readonly string[],
  hasOnnx: boolean,
): string {
  const { target } = inputs;
  const what =
    target.classes === null
      ? `the number "${target.name}"`
      : `"${target.name}" (${target.classes.slice(0, 20).join(", ")})`;
  const rows = Object.keys(metrics.train).map((metric) => {
    const show = (value: number | undefined): string =>
      value === undefined ? "–" : String(Number(value.toPrecision(4)));
    return `| ${metricName(metric).replaceAll("|", "\\|")} | ${show(metrics.train[metric])} | ${show(metrics.test?.[metric])} |`;
  });
  const form = {
    network: "A network",
    symmetric: "The difference of two copies of a network, divided by sqrt(2)",
    taylor: "The Taylor polynomial of a network around its parameters at the start",
  }[problem.form.split(" ")[0] as "network" | "symmetric" | "taylor"];
  return `# ${target.name}: a trained network

${form}: \`${problem.architecture}\`, ${problem.parameters} parameters, on inputs of ${problem.input.join(" x ")}. It predicts ${what}.
Trained by overparam ${version} with the ${problem.loss} loss, batches of ${problem.batch}, rate ${result.rate}.

${verdict.map((sentence, k) => (k === 0 ? `**${sentence}**\n` : `- ${sentence}`)).join("\n")}

## Data

${problem.samples} training samples and ${problem.testSamples} held-out ones of \`${settings.data}\`.
${notes.map((note) => `\n- ${note}`).join("")}

| | training | held out |
|---|---|---|
${rows.join("\n")}

## Files

\`model.safetensors\`: the parameters, block by block, with architecture, inputs and target in the metadata.
${hasOnnx ? "`model.onnx`: the same for ONNX Runtime, from raw inputs to predictions.\n" : ""}\`history.ndjson\`: one JSON object for each logged step. \`checkpoint.safetensors\`: from which \`--resume\` goes on.

\`\`\`sh
overparam predict . new-samples      # rows of a table, or images, as in training
${trainCommand(settings)}
\`\`\`
`;
}
