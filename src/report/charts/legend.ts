import * as Plot from "@observablehq/plot";
import { fitLabel, textWidth } from "./labels.ts";
import { COLORS, FONT_SIZE } from "./plot-svg.ts";

/** Shapes that tell classes apart without colour, in the order of the classes. */
export const SYMBOLS = ["circle", "triangle", "square", "diamond", "times", "star"] as const;

/** One entry: what a mark looks like, and what it means. */
export interface LegendItem {
  readonly label: string;
  readonly mark: "dot" | "hollow" | "line" | "dashed" | "area";
  readonly color: string;
  readonly symbol?: (typeof SYMBOLS)[number];
}

/** Of a shaded region. */
export const AREA_OPACITY = 0.18;

const KEY_WIDTH = 20;
const GAP = 18;
const ROW_HEIGHT = 20;
const LONGEST = 160;

/**
 * Entries set in rows across the top of a chart, above its frame.
 *
 * @param width px from the left edge of the frame to the right edge of the chart.
 * @param offset px between the last row and the frame.
 * @returns the marks, and the px that they need above the frame.
 */
export function legend(
  items: readonly LegendItem[],
  width: number,
  offset: number,
): { marks: Plot.Markish[]; height: number } {
  const placed: { item: LegendItem; label: string; x: number; row: number }[] = [];
  let x = 0;
  let row = 0;
  for (const item of items) {
    const label = fitLabel(item.label, Math.min(LONGEST, width - KEY_WIDTH), FONT_SIZE);
    const needed = KEY_WIDTH + textWidth(label, FONT_SIZE);
    if (x > 0 && x + needed > width) {
      x = 0;
      row += 1;
    }
    placed.push({ item, label, x, row });
    x += needed + GAP;
  }
  const rows = items.length === 0 ? 0 : row + 1;
  const marks = placed.flatMap(({ item, label, x: left, row: line }) => {
    const dy = -offset - (rows - line - 0.5) * ROW_HEIGHT;
    const place = { frameAnchor: "top-left", dx: left, dy } as const;
    return [
      ...key(item, left, dy),
      Plot.text([label], {
        ...place,
        dx: left + KEY_WIDTH,
        textAnchor: "start",
        lineAnchor: "middle",
        fill: COLORS.ink,
      }),
    ];
  });
  return { marks, height: rows * ROW_HEIGHT + offset };
}

function key({ mark, color, symbol = "circle" }: LegendItem, left: number, dy: number): Plot.Markish[] {
  if (mark === "dot" || mark === "hollow") {
    const paint =
      mark === "dot" ? { fill: color, stroke: COLORS.paper, strokeWidth: 0.75 } : { stroke: color, strokeWidth: 1.4 };
    return [Plot.dot([0], { frameAnchor: "top-left", dx: left + 6, dy, symbol, r: 4, ...paint })];
  }
  if (mark === "area") {
    const place = { frameAnchor: "top-left", dx: left + 7, dy, symbol: "square", r: 6 } as const;
    return [Plot.dot([0], { ...place, fill: color, fillOpacity: 2 * AREA_OPACITY })];
  }
  // A line as a text of dashes would depend on the font; a thin row of dots is a line at any size.
  const steps = mark === "line" ? Array.from({ length: 14 }, (_, k) => k) : [0, 1, 2, 6, 7, 8, 12, 13, 14];
  return steps.map((step) =>
    Plot.dot([0], { frameAnchor: "top-left", dx: left + step, dy, symbol: "square", r: 1, fill: color }),
  );
}
