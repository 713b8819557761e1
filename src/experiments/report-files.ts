import { type RunReport, renderFigures, renderReport } from "../report/index.ts";
import type { RunFile } from "./fit-types.ts";

/** Names in a run folder of what the report shows, and of the page. */
export const REPORT_DATA_FILE = "report.json";
export const REPORT_FILE = "report.html";
const FIGURES_FOLDER = "figures";

/** What `report.json` holds; the number is raised by any change that an older or newer reader would misread. */
interface StoredReport {
  readonly schema: 1;
  readonly report: RunReport;
}

/** The report of a run as files: its data, from which it can be drawn again, the page, and each figure as SVG. */
export function reportFiles(report: RunReport): RunFile[] {
  const stored: StoredReport = { schema: 1, report };
  const text = JSON.stringify(stored);
  // Drawn from what was stored, so that drawing it again later gives the same bytes.
  return [bytes(REPORT_DATA_FILE, `${text}\n`), ...drawReport((JSON.parse(text) as StoredReport).report)];
}

/** The page and the figures of a report. */
export function drawReport(report: RunReport): RunFile[] {
  return [
    bytes(REPORT_FILE, renderReport(report)),
    ...renderFigures(report).map(({ name, svg }) => bytes(`${FIGURES_FOLDER}/${name}.svg`, svg)),
  ];
}

/** The report that a {@link REPORT_DATA_FILE} holds; null when another version wrote it. */
export function readReportData(content: Uint8Array): RunReport | null {
  const stored = JSON.parse(new TextDecoder().decode(content)) as Partial<StoredReport>;
  return stored.schema === 1 && stored.report !== undefined ? stored.report : null;
}

function bytes(name: string, content: string): RunFile {
  return { name, bytes: new TextEncoder().encode(content) };
}
