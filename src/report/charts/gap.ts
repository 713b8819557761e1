import * as Plot from "@observablehq/plot";
import { formatGap } from "../format.ts";
import type { ConvergencePoint, ConvergenceSeries } from "../types.ts";
import { drawable, extent, logAxis, pixel, timeAxis } from "./axis.ts";
import { decimateLine } from "./decimate.ts";
import { fitLabel, spreadLabels } from "./labels.ts";
import {
  axisMarks,
  type ChartSize,
  COLORS,
  FONT_SIZE,
  leftMargin,
  plotSvg,
  SERIES_COLORS,
  scaleOptions,
} from "./plot-svg.ts";

const MARGIN = { top: 34, bottom: 48 };
/** Relative gaps below f64 rounding are drawn as zero. */
const ROUNDING = 1e-16;

/** Relative gap (objective - bound) / |objective|; null without a bound. */
export function relativeGap({ objective, bound }: ConvergencePoint): number | null {
  if (bound === null) return null;
  const difference = objective - bound;
  return difference === 0 ? 0 : difference / Math.max(Math.abs(objective), Number.MIN_VALUE);
}

/**
 * Relative gap between objective and lower bound against elapsed time, on a logarithmic axis, one line a series. A gap
 * of zero is drawn on the lower edge, whose tick then reads 0.
 *
 * @returns null when no series has a bound.
 */
export function gapChart(series: readonly ConvergenceSeries[], { width, height }: ChartSize): string | null {
  const lines = series
    .map(({ label, points }) => ({
      label,
      steps: points
        .map((point) => ({ seconds: point.seconds, gap: relativeGap(point) ?? Number.NaN }))
        .filter((step) => drawable(step.seconds) && drawable(step.gap))
        .sort((a, b) => a.seconds - b.seconds),
    }))
    .filter((line) => line.steps.length > 0);
  if (lines.length === 0) return null;

  const all = lines.flatMap((line) => line.steps);
  const time = timeAxis(
    all.map((step) => step.seconds),
    width < 500 ? 4 : 7,
  );
  const x = time.axis;
  const open = all.map((step) => step.gap).filter((gap) => gap >= ROUNDING);
  const [smallest, largest] = open.length > 0 ? extent(open) : [0.1, 1];
  const closes = open.length < all.length;
  // A closed gap needs a decade of its own under the smallest open one.
  const floor = 10 ** (Math.floor(Math.log10(smallest)) - (closes ? 1 : 0));
  const ticked = logAxis(floor, Math.max(largest * 1.1, floor * 10), 6);
  const y = closes
    ? {
        ...ticked,
        ticks: [floor, ...ticked.ticks.filter((tick) => tick > floor * 1.5)],
        format: (tick: number) => (tick === floor ? "0" : ticked.format(tick)),
      }
    : ticked;

  // Only the widest final gaps, which decide how good the whole is, get a colour and a name.
  const widest = lines.toSorted((a, b) => b.steps.at(-1)!.gap - a.steps.at(-1)!.gap).slice(0, SERIES_COLORS.length);
  const single = series.length === 1;
  const marginRight = single ? 76 : width < 500 ? 132 : 160;
  const marginLeft = leftMargin(y);
  const plotWidth = width - marginLeft - marginRight;
  const marks: Plot.Markish[] = axisMarks(x, y, { x: "time (s)", y: "relative gap (log scale)" });
  const height0 = (gap: number) => pixel(y, Math.max(floor, gap), height - MARGIN.bottom, MARGIN.top);
  const places = spreadLabels(
    widest.map((line) => height0(line.steps.at(-1)!.gap)),
    FONT_SIZE + 4,
    [MARGIN.top, height - MARGIN.bottom],
  );
  for (const line of [...lines.filter((line) => !widest.includes(line)), ...widest.toReversed()]) {
    const rank = widest.indexOf(line);
    const steps = line.steps.map((step) => ({ time: time.clamp(step.seconds), gap: Math.max(floor, step.gap) }));
    const shown = decimateLine(
      steps.map((step) => pixel(x, step.time, 0, 1)),
      steps.map((step) => step.gap),
      Math.round(plotWidth),
    ).map((index) => steps[index]!);
    const end = shown.at(-1)!;
    const stroke = SERIES_COLORS[rank] ?? COLORS.muted;
    const strokeOpacity = rank < 0 ? 0.4 : 1;
    marks.push(
      Plot.lineY(shown, { x: "time", y: "gap", curve: "step-after", stroke, strokeOpacity, strokeWidth: 2 }),
      Plot.dot([end], { x: "time", y: "gap", fill: stroke, fillOpacity: strokeOpacity, r: rank < 0 ? 2 : 3 }),
    );
    if (rank < 0) continue;
    const value = formatGap(line.steps.at(-1)!.gap);
    const room = marginRight - 24 - 7 * value.length;
    const text = single ? value : `${value} · ${fitLabel(line.label, room, FONT_SIZE)}`;
    marks.push(
      // Labels stand in one column at the right edge; a dotted line leads there from a line that ended earlier.
      Plot.ruleY([end], { x1: end.time, x2: x.domain[1], y: "gap", stroke, strokeDasharray: "1 4" }),
      Plot.text([end], {
        x: x.domain[1],
        y: end.gap,
        text: [text],
        dx: 10,
        dy: (places[rank] as number) - height0(end.gap),
        textAnchor: "start",
        fill: stroke,
        fontWeight: 600,
      }),
    );
  }
  return plotSvg("Relative gap against time", {
    width,
    height,
    marginTop: MARGIN.top,
    marginRight,
    marginBottom: MARGIN.bottom,
    marginLeft,
    x: scaleOptions(x),
    y: scaleOptions(y),
    marks,
  });
}
