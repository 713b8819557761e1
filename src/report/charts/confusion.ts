import * as Plot from "@observablehq/plot";
import type { Confusion } from "../types.ts";
import { fitLabel, textWidth } from "./labels.ts";
import { COLORS, FONT_SIZE, plotSvg } from "./plot-svg.ts";

const COMFORTABLE_CELL = 64;
const LARGEST_CELL = 104;
const SMALLEST_CELL = 24;
const LARGEST_LABEL = 120;

/** A count in at most four characters. */
function compact(count: number): string {
  if (!(count >= 10_000)) return String(count);
  const [size, unit] = count >= 1e6 ? [1e6, "M"] : [1e3, "k"];
  const scaled = count / size;
  return `${scaled < 10 ? scaled.toFixed(1) : Math.round(scaled)}${unit}`;
}

/**
 * A confusion matrix: rows are the true class, columns the predicted one, each cell shaded by its share of the row,
 * hits and errors in different colours, and the share of hits beside every row.
 *
 * @param width wished width in px; the chart is wider when the cells would become illegible.
 * @throws RangeError when `counts` is not square of the size of `labels`.
 */
export function confusionChart({ labels, counts }: Confusion, width: number): string {
  const n = labels.length;
  if (counts.length !== n || counts.some((row) => row.length !== n)) {
    const shape = `${counts.length} x ${counts.map((row) => row.length).join("/")}`;
    throw new RangeError(`a confusion matrix of ${n} labels must be ${n} x ${n}, not ${shape}`);
  }
  const longest = Math.max(0, ...labels.map((label) => textWidth(label, FONT_SIZE)));
  const labelRoom = Math.min(LARGEST_LABEL, width / 4, longest) + 4;
  const marginLeft = labelRoom + 12;
  const marginRight = 56;
  const wished = (width - marginLeft - marginRight) / Math.max(1, n);
  // Cells grow beyond comfort only to hold their class name on one line.
  const comfortable = Math.min(LARGEST_CELL, Math.max(COMFORTABLE_CELL, longest + 12));
  const cell = Math.floor(Math.max(SMALLEST_CELL, Math.min(comfortable, wished)));
  const slanted = longest > cell - 6;
  const columnRoom = slanted ? Math.min(LARGEST_LABEL, longest) + 8 : FONT_SIZE + 8;
  const marginTop = columnRoom + 32;
  const size = cell * n;

  const cells = counts.flatMap((row, i) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count, j) => ({ i, j, count, share: total > 0 ? count / total : 0 }));
  });
  const filled = cells.filter((entry) => entry.count > 0);
  const hits = filled.filter((entry) => entry.i === entry.j);
  const errors = filled.filter((entry) => entry.i !== entry.j);
  const widestCount = Math.max(1, ...filled.map((entry) => compact(entry.count).length));
  const countSize = Math.min(15, (cell - 4) / (0.62 * widestCount), cell * 0.5);
  // Full strength is for a whole row; a lone error must still be visible.
  const shade = (entry: { share: number }) => 0.12 + 0.88 * entry.share;
  const indices = labels.map((_, index) => index);
  const place = { x: "j", y: "i" } as const;
  const caption = { text: (label: string) => label, textAnchor: "start", fill: COLORS.muted } as const;
  return plotSvg("Confusion matrix: rows are the true class, columns the predicted class", {
    width: marginLeft + size + marginRight,
    height: marginTop + size + 8,
    marginTop,
    marginRight,
    marginBottom: 8,
    marginLeft,
    x: { type: "band", domain: indices, padding: 0.04, round: false, axis: null },
    y: { type: "band", domain: indices, padding: 0.04, round: false, axis: null },
    opacity: { type: "identity" },
    marks: [
      Plot.cell(cells, { ...place, stroke: COLORS.grid }),
      Plot.cell(hits, { ...place, fill: COLORS.accent, fillOpacity: shade }),
      Plot.cell(errors, { ...place, fill: COLORS.objective, fillOpacity: shade }),
      ...[true, false].map((strong) =>
        Plot.text(
          filled.filter((entry) => shade(entry) > 0.55 === strong),
          {
            ...place,
            text: (entry: { count: number }) => compact(entry.count),
            fill: strong ? COLORS.onStrong : COLORS.ink,
            fontSize: countSize,
          },
        ),
      ),
      Plot.axisY({
        tickSize: 0,
        label: null,
        fill: COLORS.ink,
        tickFormat: (index: number) => fitLabel(labels[index] as string, labelRoom, FONT_SIZE),
      }),
      Plot.axisX({
        anchor: "top",
        tickSize: 0,
        label: null,
        fill: COLORS.ink,
        tickFormat: (index: number) => fitLabel(labels[index] as string, slanted ? columnRoom - 8 : cell, FONT_SIZE),
        ...(slanted ? { tickRotate: -90 } : {}),
      }),
      Plot.text(indices, {
        frameAnchor: "right",
        y: (index: number) => index,
        dx: 10,
        textAnchor: "start",
        fill: COLORS.muted,
        text: (index: number) => {
          const entry = cells[index * n + index]!;
          return counts[index]!.some((count) => count > 0) ? `${Math.round(100 * entry.share)} %` : "–";
        },
      }),
      Plot.text(["true class ↓   predicted class →"], {
        ...caption,
        frameAnchor: "top-left",
        dx: -marginLeft,
        dy: -columnRoom - 20,
      }),
      Plot.text(["correct"], { ...caption, frameAnchor: "top-right", dx: 10, dy: -14 }),
    ],
  });
}
