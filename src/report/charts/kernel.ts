import * as Plot from "@observablehq/plot";
import { formatNumber } from "../format.ts";
import type { KernelSpectrum, RidgePoint } from "../types.ts";
import { type Axis, drawable, extent, linearAxis, logAxis, pixel, positive } from "./axis.ts";
import { textWidth } from "./labels.ts";
import { axisMarks, type ChartSize, COLORS, FONT_SIZE, leftMargin, plotSvg, scaleOptions } from "./plot-svg.ts";

const MARGIN = { top: 46, right: 24, bottom: 48 };
/** Errors that differ by more than this have a logarithmic axis. */
const WIDE_RANGE = 20;
/** Eigenvalues drawn at most. */
const MOST_DOTS = 400;

/**
 * Leave-one-out error along the ridges that were tried, the chosen one filled and named.
 *
 * @returns null when there are fewer than two to draw.
 */
export function ridgeChart(points: readonly RidgePoint[], { width, height }: ChartSize): string | null {
  const known = points
    .filter((point) => positive(point.ridge) && drawable(point.error))
    .toSorted((a, b) => a.ridge - b.ridge);
  if (known.length < 2) return null;
  const [smallest, largest] = extent(known.map(({ ridge }) => ridge));
  const [least, most] = extent(known.map(({ error }) => error));
  const x = logAxis(smallest / 1.3, largest * 1.3, width < 500 ? 4 : 7);
  const isWide = positive(least) && most > WIDE_RANGE * least;
  const y = isWide
    ? logAxis(least / 1.2, most * 1.2, 5)
    : linearAxis(
        known.map(({ error }) => error),
        5,
      );
  const marginLeft = leftMargin(y);
  const marks: Plot.Markish[] = [
    ...axisMarks(x, y, {
      x: "ridge (log scale)",
      y: isWide ? "leave-one-out error (log scale)" : "leave-one-out error",
    }),
    Plot.lineY(known, { x: "ridge", y: "error", stroke: COLORS.accent, strokeOpacity: 0.5 }),
    Plot.dot(known, { x: "ridge", y: "error", stroke: COLORS.accent, strokeWidth: 1.5, fill: COLORS.paper, r: 3.5 }),
  ];
  for (const point of known.filter(({ chosen }) => chosen)) {
    marks.push(
      Plot.ruleX([point], { x: "ridge", stroke: COLORS.objective, strokeDasharray: "2 3" }),
      Plot.dot([point], { x: "ridge", y: "error", fill: COLORS.objective, r: 5.5 }),
      label(`chosen ridge = ${formatNumber(point.ridge)}`, x, y, point.ridge, marginLeft, width),
    );
  }
  return plotSvg("Leave-one-out error against the ridge", {
    ...frame({ width, height }, marginLeft, x, y),
    marks,
  });
}

/** A name at the top of a chart, over the place of `value` but inside the chart. */
function label(text: string, x: Axis, y: Axis, value: number, marginLeft: number, width: number): Plot.Markish {
  const center = pixel(x, value, marginLeft, width - MARGIN.right);
  const half = textWidth(text, FONT_SIZE) / 2;
  const dx = Math.max(marginLeft + 4 + half - center, Math.min(0, width - 4 - half - center));
  return Plot.text([text], {
    x: () => value,
    y: () => y.domain[1],
    dx,
    dy: -8,
    text: (word: string) => word,
    fill: COLORS.objective,
    fontWeight: 600,
    stroke: COLORS.paper,
    strokeWidth: 4,
  });
}

function frame({ width, height }: ChartSize, marginLeft: number, x: Axis, y: Axis): Plot.PlotOptions {
  return {
    width,
    height,
    marginTop: MARGIN.top,
    marginRight: MARGIN.right,
    marginBottom: MARGIN.bottom,
    marginLeft,
    x: scaleOptions(x),
    y: scaleOptions(y),
  };
}

/**
 * Eigenvalues by rank on logarithmic axes, with the ridge as a line.
 *
 * @returns null when there are fewer than two positive ones.
 */
export function spectrumChart({ values, ridge }: KernelSpectrum, { width, height }: ChartSize): string | null {
  const all = values.map((value, k) => ({ rank: k + 1, value })).filter(({ value }) => positive(value));
  const known = thinned(all);
  if (known.length < 2) return null;
  const [low, high] = extent([...known.map(({ value }) => value), ...(positive(ridge) ? [ridge] : [])]);
  const x = logAxis(1, known.at(-1)!.rank, width < 500 ? 4 : 7);
  const y = logAxis(low / 1.3, high * 1.3, 5);
  const marginLeft = leftMargin(y);
  const line: Plot.Markish[] = positive(ridge)
    ? [
        Plot.ruleY([ridge], { stroke: COLORS.objective, strokeDasharray: "4 4" }),
        Plot.text([ridge], {
          x: () => x.domain[0],
          y: (value: number) => value,
          dx: 4,
          dy: -8,
          text: () => "ridge",
          textAnchor: "start",
          fill: COLORS.objective,
          stroke: COLORS.paper,
          strokeWidth: 4,
        }),
      ]
    : [];
  return plotSvg("Eigenvalues of the kernel matrix by rank", {
    ...frame({ width, height }, marginLeft, x, y),
    marks: [
      ...axisMarks(x, y, { x: "rank (log scale)", y: "eigenvalue (log scale)" }),
      Plot.lineY(known, { x: "rank", y: "value", stroke: COLORS.accent, strokeOpacity: 0.5 }),
      Plot.dot(known, { x: "rank", y: "value", fill: COLORS.accent, r: 2.2 }),
      ...line,
    ],
  });
}

/** At most {@link MOST_DOTS} of them, evenly on the logarithmic axis of ranks, the last one included. */
function thinned<T extends { readonly rank: number }>(points: readonly T[]): T[] {
  if (points.length <= MOST_DOTS) return [...points];
  const ends = Math.log(points.length);
  const places = Array.from({ length: MOST_DOTS }, (_, k) => Math.round(Math.exp((ends * k) / (MOST_DOTS - 1))) - 1);
  return [...new Set(places)].map((place) => points[Math.min(place, points.length - 1)]!);
}
