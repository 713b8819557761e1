import * as Plot from "@observablehq/plot";
import type { Predictions } from "../types.ts";
import { drawable, linearAxis } from "./axis.ts";
import { clusterPoints } from "./decimate.ts";
import { fitLabel } from "./labels.ts";
import { axisMarks, COLORS, FONT_SIZE, leftMargin, plotSvg, scaleOptions } from "./plot-svg.ts";

const MARGIN = { top: 34, right: 24, bottom: 48 };
/** Above this many points, crowds are drawn as one dot whose area grows with the number of points in it. */
export const CROWDED = 2000;

/**
 * Predicted against actual values on equal axes, with the diagonal on which a perfect prediction lies. Pairs with a
 * number missing are left out.
 *
 * @throws RangeError when there are not as many predicted as actual values.
 */
export function scatterChart({ actual, predicted, name }: Predictions, width: number): string {
  if (actual.length !== predicted.length) {
    throw new RangeError(`${actual.length} actual values, but ${predicted.length} predicted`);
  }
  const rows = actual.map((_, i) => i).filter((i) => drawable(actual[i] as number) && drawable(predicted[i] as number));
  const xs = rows.map((i) => actual[i] as number);
  const ys = rows.map((i) => predicted[i] as number);
  const axis = linearAxis([...xs, ...ys], width < 500 ? 4 : 6);
  const marginLeft = leftMargin(axis);
  const plotWidth = width - marginLeft - MARGIN.right;
  const height = plotWidth + MARGIN.top + MARGIN.bottom;
  const [low, high] = axis.domain;

  const crowded = rows.length > CROWDED;
  const dots = crowded
    ? clusterPoints(xs, ys, axis.domain, Math.round(plotWidth / 4))
    : xs.map((x, i) => ({ x, y: ys[i] as number, count: 1 }));
  const largest = dots.reduce((most, dot) => Math.max(most, dot.count), 1);
  const radius = crowded ? (count: number) => 1 + 1.4 * Math.sqrt(count / largest) : () => 3;
  const ink = crowded ? 0.7 : 0.35 + 0.35 / Math.max(1, rows.length / 200);
  return plotSvg("Predicted against actual values", {
    width,
    height,
    marginTop: MARGIN.top,
    marginRight: MARGIN.right,
    marginBottom: MARGIN.bottom,
    marginLeft,
    x: scaleOptions(axis),
    y: scaleOptions(axis),
    r: { type: "identity" },
    marks: [
      ...axisMarks(axis, axis, {
        x: fitLabel(`actual ${name}`, plotWidth, FONT_SIZE),
        y: fitLabel(`predicted ${name}`, plotWidth, FONT_SIZE),
      }),
      Plot.dot(dots, {
        x: "x",
        y: "y",
        r: (dot: { count: number }) => radius(dot.count),
        fill: COLORS.accent,
        fillOpacity: ink,
      }),
      Plot.link([axis.domain], { x1: low, y1: low, x2: high, y2: high, stroke: COLORS.muted, strokeDasharray: "4 4" }),
    ],
  });
}
