import * as Plot from "@observablehq/plot";
import { formatNumber } from "../format.ts";
import type { PlanePicture } from "../types.ts";
import { type Axis, extent, linearAxis, logAxis } from "./axis.ts";
import { fitLabel } from "./labels.ts";
import { axisMarks, COLORS, FONT_SIZE, leftMargin, plotSvg, scaleOptions } from "./plot-svg.ts";

const MARGIN = { top: 34, right: 20, bottom: 48 };
const LEVELS = 10;
/** Opacity of one level above the other: they add up. */
const STEP = 0.07;
/** A range of positive values as wide as this is drawn on a logarithmic scale. */
const WIDE = 30;

/** Heights as they are drawn, with the levels between the lowest and the highest. */
export interface Heights {
  /** Not finite ones as high as the highest. */
  readonly values: readonly number[];
  readonly levels: readonly number[];
  readonly isLog: boolean;
}

/** Values on a scale on which they can be told apart. */
export function heightsOf(values: readonly number[]): Heights {
  const finite = values.filter(Number.isFinite);
  const [low, high] = extent(finite);
  const isLog = low > 0 && high / low > WIDE;
  const filled = values.map((value) => (Number.isFinite(value) ? value : high));
  const axis = isLog ? logAxis(low, high, LEVELS) : linearAxis([low, high], LEVELS);
  const levels = axis.ticks.filter((level) => level > low && level < high);
  const scaled = (value: number): number => (isLog ? Math.log10(value) : value);
  return { values: filled.map(scaled), levels: levels.map(scaled), isLog };
}

/** The outermost points are the ends of the axis. */
function frame(values: readonly number[], count: number): Axis {
  const [low, high] = [values[0]!, values.at(-1)!];
  const axis = linearAxis([low, high], count);
  return { ...axis, domain: [low, high], ticks: axis.ticks.filter((tick) => tick >= low && tick <= high) };
}

/** Level sets of a function over a plane, with a cross at the origin; darker is higher. */
export function contourChart(picture: PlanePicture, width: number): string {
  const { labels, what, x: xs, y: ys } = picture;
  const { values, levels, isLog } = heightsOf(picture.values);
  const [x, y] = [frame(xs, width < 500 ? 4 : 6), frame(ys, 5)];
  const marginLeft = leftMargin(y);
  const plotWidth = width - marginLeft - MARGIN.right;
  const height = Math.round(0.8 * plotWidth) + MARGIN.top + MARGIN.bottom;
  // Grid points are centres of cells: the grid reaches half a cell beyond them.
  const reach = (of: readonly number[]): [number, number] => {
    const half = (of.at(-1)! - of[0]!) / (of.length - 1) / 2;
    return [of[0]! - half, of.at(-1)! + half];
  };
  const [[x1, x2], [y1, y2]] = [reach(xs), reach(ys)];
  const shown = (level: number): string => formatNumber(isLog ? 10 ** level : level, 3);
  const range =
    levels.length < 2 ? "" : `: ${levels.length} levels from ${shown(levels[0]!)} to ${shown(levels.at(-1)!)}`;
  return plotSvg("Level sets of the loss over a plane", {
    width,
    height,
    marginTop: MARGIN.top,
    marginRight: MARGIN.right,
    marginBottom: MARGIN.bottom,
    marginLeft,
    x: scaleOptions(x),
    y: scaleOptions(y),
    marks: [
      ...levels.map((level) =>
        Plot.contour(values, {
          width: xs.length,
          height: ys.length,
          x1,
          x2,
          y1,
          y2,
          thresholds: [level],
          fill: COLORS.accent,
          fillOpacity: STEP,
          stroke: COLORS.accent,
          strokeOpacity: 0.6,
          strokeWidth: 0.8,
          clip: true,
        }),
      ),
      ...axisMarks(x, y, { x: fitLabel(labels[0], plotWidth, FONT_SIZE), y: "" }),
      Plot.text([fitLabel(`${labels[1]}; ${what}${range}`, width - 4, FONT_SIZE)], {
        frameAnchor: "top-left",
        dx: -marginLeft,
        dy: -20,
        textAnchor: "start",
        fill: COLORS.muted,
      }),
      Plot.dot([{ x: 0, y: 0 }], { x: "x", y: "y", symbol: "times", r: 5, stroke: COLORS.objective, strokeWidth: 2 }),
      Plot.frame({ stroke: COLORS.grid }),
    ],
  });
}
