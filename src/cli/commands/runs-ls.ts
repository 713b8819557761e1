import { z } from "zod";
import { isKernelFit } from "../../experiments/kernel-model-json.ts";
import { listRuns, type StoredRun } from "../../experiments/run-store.ts";
import { isTrainRun } from "../../experiments/training/types.ts";
import { defineCommand, jsonSetting, plainSetting, quietSetting, runsSetting } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { formatGap, formatNumber, formatShare, formatTable } from "../format.ts";

const LONGEST_NAME = 24;

export const runsListCommand = defineCommand({
  name: "runs ls",
  summary: "list the saved runs",
  positionals: [],
  schema: z.object({ runs: runsSetting, plain: plainSetting, quiet: quietSetting, json: jsonSetting }),
  examples: [
    { does: "the runs in runs/, oldest first", line: "overparam runs ls" },
    { does: "ids and gaps for another program", line: "overparam runs ls --plain | cut -f 1,7" },
  ],
  async run({ runs: folder, plain, quiet, json }, { terminal, version }) {
    const { runs, damaged } = listRuns(folder);
    if (json) {
      const listed = runs.map(({ id, path, record }) => {
        const { created, stem, interrupted, fit } = record;
        return {
          id,
          path,
          created,
          data: stem,
          interrupted,
          problem: fit.problem,
          result: fit.result,
          metrics: fit.metrics,
        };
      });
      terminal.out(JSON.stringify({ schema: 1, command: "runs ls", version, runs: listed, damaged }));
    } else if (plain) {
      const head = ["id", "created", "data", "status", "objective", "lowerBound", "gap", "neurons", "path"];
      for (const cells of [head, ...runs.map(plainCells)]) terminal.out(cells.join("\t"));
    } else if (runs.length > 0) {
      const head = ["id", "date", "data", "status", "gap", "neurons", "test"];
      const [top = "", ...lines] = formatTable(head, runs.map(shownCells));
      for (const line of [terminal.styleOut("bold", top), ...lines]) terminal.out(line);
    } else if (!quiet) {
      terminal.err(`no runs in ${folder}; overparam demo makes one`);
    }
    if (!quiet) for (const { reason } of damaged) terminal.err(`note: skipped: ${reason}`);
    return EXIT.ok;
  },
});

function plainCells({ id, path, record }: StoredRun): string[] {
  if (isKernelFit(record.fit)) {
    return [id, record.created, record.stem, record.fit.result.status, "-", "-", "-", "-", path];
  }
  if (isTrainRun(record.fit)) {
    const { status, loss } = record.fit.result;
    return [id, record.created, record.stem, status, String(loss ?? "-"), "-", "-", "-", path];
  }
  const { status, objective, lowerBound, gap, neurons } = record.fit.result;
  return [id, record.created, record.stem, status, objective, lowerBound, gap, neurons, path].map(String);
}

function shownCells({ id, record }: StoredRun): string[] {
  const { accuracy, rmse } = record.fit.metrics.test ?? {};
  const test = accuracy !== undefined ? formatShare(accuracy) : rmse !== undefined ? `RMSE ${formatNumber(rmse)}` : "-";
  const name = record.stem.length > LONGEST_NAME ? `${record.stem.slice(0, LONGEST_NAME - 1)}…` : record.stem;
  const head = [id, record.created.slice(0, 10), name];
  if (isKernelFit(record.fit)) return [...head, record.fit.model, "-", "-", test];
  if (isTrainRun(record.fit)) return [...head, record.fit.result.status, "-", "-", test];
  const { status, gap, neurons } = record.fit.result;
  return [...head, status, formatGap(gap), String(neurons), test];
}
