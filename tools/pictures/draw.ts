import { linesChart } from "../../src/report/charts/lines.ts";
import type { LineFigure } from "../../src/report/index.ts";
import { standalone } from "../../src/report/standalone.ts";

/** A picture of the documentation, as a file. */
export interface Picture {
  /** Without an ending. */
  readonly name: string;
  readonly svg: string;
}

export type Points = readonly (readonly [number, number])[];

/** Lines over a common axis as a picture for light and dark pages. */
export function linesPicture(figure: Omit<LineFigure, "title" | "caption">, height = 320): Picture {
  const chart = linesChart({ ...figure, title: "", caption: "" }, { width: 700, height });
  if (chart === null) throw new RangeError(`${figure.name} has nothing to draw`);
  return picture(figure.name, chart);
}

/** A chart of a report as a picture for light and dark pages. */
export function picture(name: string, chart: string): Picture {
  return { name, svg: standalone(chart, "both") };
}
