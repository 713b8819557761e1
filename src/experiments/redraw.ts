import { DataError } from "../base/errors.ts";
import { exists, readBytes } from "../platform/files.ts";
import { svgToPng } from "../platform/png.ts";
import { joinPath } from "../platform/run-files.ts";
import type { RunReport } from "../report/index.ts";
import type { RunFile } from "./fit-types.ts";
import { drawReport, REPORT_DATA_FILE, readReportData } from "./report-files.ts";
import type { StoredRun } from "./run-store.ts";

/** Pixels of a PNG for one of its SVG: sharp on dense screens and on paper. */
const SCALE = 2;

/**
 * What the report of a stored run shows.
 *
 * @throws DataError when the run was made by a version that kept something else.
 */
export function storedReport({ path, record }: StoredRun): RunReport {
  const file = joinPath(path, REPORT_DATA_FILE);
  const report = exists(file) ? readReportData(readBytes(file)) : null;
  if (report !== null) return report;
  throw new DataError(
    `overparam ${record.fit.version}, which made this run, kept no data that its report can be drawn from`,
    {
      code: "no-report-data",
      hint: "repeat the run; its command is in the README.md of its folder",
      place: { file: path },
    },
  );
}

/** The page of a report, and each of its figures as SVG and as PNG. */
export function redrawFiles(report: RunReport): RunFile[] {
  return drawReport(report).flatMap((file) => {
    if (!file.name.endsWith(".svg")) return [file];
    const png = svgToPng(new TextDecoder().decode(file.bytes), SCALE);
    return [file, { name: file.name.replace(/svg$/, "png"), bytes: png }];
  });
}
