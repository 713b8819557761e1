import { DataError } from "../base/errors.ts";
import { exists, readBytes } from "../platform/files.ts";
import { loadSvgToPng } from "../platform/png.ts";
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

/** The page of a report, and each of its figures as SVG and, where this machine can draw it (`png`), as PNG. */
export function redrawFiles(report: RunReport): Promise<{ readonly files: RunFile[]; readonly png: boolean }> {
  return addPng(drawReport(report));
}

/** Files, and each SVG among them as PNG besides, where this machine can draw it (`png`). */
export async function addPng(files: readonly RunFile[]): Promise<{ readonly files: RunFile[]; readonly png: boolean }> {
  const svgToPng = await loadSvgToPng();
  if (svgToPng === null) return { files: [...files], png: false };
  const pictures = files.flatMap(({ name, bytes }): RunFile[] => {
    if (!name.endsWith(".svg")) return [];
    return [{ name: name.replace(/svg$/, "png"), bytes: svgToPng(new TextDecoder().decode(bytes), SCALE) }];
  });
  return { files: [...files, ...pictures], png: true };
}
