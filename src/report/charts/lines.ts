import * as Plot from "@observablehq/plot";
import type { LineFigure } from "../types.ts";
import { type Axis, drawable, extent, linearAxis, logAxis, pixel, positive } from "./axis.ts";
import { decimateLine } from "./decimate.ts";
import { AREA_OPACITY, type LegendItem, legend } from "./legend.ts";
import { axisMarks, type ChartSize, COLORS, leftMargin, plotSvg, SERIES_COLORS, scaleOptions } from "./plot-svg.ts";

const MARGIN = { right: 24, bottom: 48 };
/** Room between legend and frame, and for the label of the y axis above the legend. */
const LEGEND_ROOM = 10;
const LABEL_ROOM = 26;
/** Positive values that span more than this factor are drawn on a logarithmic axis. */
const LOG_RATIO = 20;

/** Logarithmic where that was asked for and all is positive and spread out. */
function axisOf(values: readonly number[], wantsLog: boolean, count: number): Axis {
  const [low, high] = extent(values);
  if (wantsLog && positive(low) && high / low > LOG_RATIO) return logAxis(low / 1.15, high * 1.15, count);
  return linearAxis(values, count);
}

/**
 * Several lines over one axis, with bands behind them. Points that cannot be drawn (not finite, or not positive on a logarithmic
 * axis) leave gaps; dashed lines are bounds. Null when there is nothing to draw.
 */
export function linesChart(figure: LineFigure, { width, height }: ChartSize): string | null {
  const { lines, bands = [], x: xAxis, y: yAxis } = figure;
  const floor = smallestPositive(lines.flatMap(({ points }) => points.map(([, y]) => y)));
  const isLogX = xAxis.log === true;
  const shown = lines
    .map((line) => ({
      ...line,
      points: line.points.filter(
        ([x, y]) => drawable(x) && drawable(y) && (!isLogX || x > 0) && (yAxis.log !== true || y > 0 || floor === null),
      ),
    }))
    .filter(({ points }) => points.length > 0);
  if (shown.length === 0) return null;
  const shaded = bands.map((band) => ({
    ...band,
    points: band.points.filter(
      ([x, low, high]) =>
        drawable(x) && drawable(low) && drawable(high) && (!isLogX || x > 0) && (yAxis.log !== true || low > 0),
    ),
  }));
  const ends = shaded.flatMap(({ points }) =>
    points.flatMap(([x, low, high]) => [[x, low] as const, [x, high] as const]),
  );
  const all = [...shown.flatMap(({ points }) => points), ...ends];
  const x = axisOf(
    all.map(([at]) => at),
    isLogX,
    width < 500 ? 4 : 7,
  );
  const y = axisOf(
    all.map(([, value]) => value),
    yAxis.log === true,
    6,
  );
  const marginLeft = leftMargin(y);
  const colorOf = (k: number): string => SERIES_COLORS[k % SERIES_COLORS.length]!;
  const items = [
    ...shown.map(({ label, dashed, dots }, k): LegendItem => {
      const mark = dots === true ? "dot" : dashed === true ? "dashed" : "line";
      return { label, mark, color: colorOf(k) };
    }),
    ...shaded.map(({ label }): LegendItem => ({ label, mark: "area", color: COLORS.accent })),
  ];
  const { marks: keys, height: room } = legend(items, width - marginLeft, LEGEND_ROOM);
  const marks: Plot.Markish[] = [
    ...axisMarks(x, y, {
      x: x.type === "log" ? `${xAxis.label} (log scale)` : xAxis.label,
      y: y.type === "log" ? `${yAxis.label} (log scale)` : yAxis.label,
    }),
    ...keys,
    ...shaded.map(({ points }) =>
      Plot.areaY(points, { x: "0", y1: "1", y2: "2", fill: COLORS.accent, fillOpacity: AREA_OPACITY }),
    ),
  ];
  shown.forEach(({ points, dashed, dots }, k) => {
    if (dots === true) {
      marks.push(Plot.dot(points, { fill: colorOf(k), r: 3 }));
      return;
    }
    const kept = decimateLine(
      points.map(([at]) => pixel(x, at, 0, 1)),
      points.map(([, value]) => value),
      width,
    ).map((index) => points[index]!);
    const stroke = colorOf(k);
    marks.push(
      Plot.line(kept, { stroke, strokeWidth: 2, ...(dashed === true ? { strokeDasharray: "6 4" } : {}) }),
      ...(kept.length === 1 ? [Plot.dot(kept, { fill: stroke, r: 3 })] : []),
    );
  });
  return plotSvg("Lines over a training", {
    width,
    height: height + room,
    marginTop: LABEL_ROOM + room,
    marginRight: MARGIN.right,
    marginBottom: MARGIN.bottom,
    marginLeft,
    x: scaleOptions(x),
    y: scaleOptions(y),
    marks,
  });
}

function smallestPositive(values: readonly number[]): number | null {
  const some = values.filter(positive);
  return some.length === 0 ? null : extent(some)[0];
}
