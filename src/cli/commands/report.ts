import { z } from "zod";
import { setting } from "../../experiments/config.ts";
import { findRun, readRun, replaceFiles } from "../../experiments/run-store.ts";
import { writeFileAtomic } from "../../platform/files.ts";
import { absolutePath, joinPath } from "../../platform/run-files.ts";
import { defineCommand, jsonSetting, quietSetting, runSetting, runsSetting } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { plural } from "../format.ts";

const NO_PNG =
  "  note: no PNG: the binary of @resvg/resvg-js, an optional package for each platform, is not installed here";

export const reportCommand = defineCommand({
  name: "report",
  summary: "draw the report of a run again, with its figures",
  positionals: ["run"],
  flagsOnly: ["run", "out"],
  schema: z.object({
    run: runSetting,
    out: setting(z.string().min(1).optional(), {
      group: "Output",
      description: "write only the page, to this .html file; default: page and figures into the run's folder",
      value: "FILE",
    }),
    runs: runsSetting,
    quiet: quietSetting,
    json: jsonSetting,
  }),
  examples: [
    { does: "report.html, and figures/ as SVG and PNG, in the run's folder", line: "overparam report 7f3a9c" },
    { does: "the page alone, to send it to somebody", line: "overparam report 7f3a9c --out tic-tac-toe.html" },
  ],
  async run({ run: word, out, runs, quiet, json }, { terminal, version }) {
    const { redrawFiles, storedReport } = await import("../../experiments/redraw.ts");
    const { drawReport, REPORT_DATA_FILE, REPORT_FILE } = await import("../../experiments/report-files.ts");
    const run = readRun(findRun(runs, word), true, [REPORT_DATA_FILE]);
    const report = storedReport(run);
    let page = joinPath(run.path, REPORT_FILE);
    let figures: string[] = [];
    let png = true;
    if (out === undefined) {
      const redrawn = await redrawFiles(report);
      replaceFiles(run, redrawn.files);
      figures = redrawn.files.flatMap(({ name }) => (name === REPORT_FILE ? [] : [joinPath(run.path, name)]));
      png = redrawn.png;
    } else {
      page = absolutePath(out);
      for (const { name, bytes } of drawReport(report)) if (name === REPORT_FILE) writeFileAtomic(out, bytes);
    }
    if (json) {
      const shown = { run: { id: run.id, path: run.path }, report: page, figures };
      terminal.out(JSON.stringify({ schema: 1, command: "report", version, ...shown }));
      return EXIT.ok;
    }
    terminal.out(page);
    if (!quiet && figures.length > 0) {
      const count = plural(figures.filter((name) => name.endsWith(".svg")).length, "figure");
      terminal.err(`  with ${count} as ${png ? "SVG and PNG" : "SVG"} in figures/ beside it`);
      if (!png) terminal.err(NO_PNG);
    }
    return EXIT.ok;
  },
});
