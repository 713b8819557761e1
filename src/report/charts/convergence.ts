import * as Plot from "@observablehq/plot";
import type { Rounding } from "../../base/rounding.ts";
import { columnFormatter } from "../format.ts";
import type { ConvergencePoint } from "../types.ts";
import { type Axis, drawable, extent, linearAxis, logAxis, pixel, positive, timeAxis } from "./axis.ts";
import { decimateLine } from "./decimate.ts";
import { spreadLabels } from "./labels.ts";
import { axisMarks, type ChartSize, COLORS, leftMargin, plotSvg, scaleOptions } from "./plot-svg.ts";

const MARGIN = { top: 34, right: 92, bottom: 48 };
/** Objectives that span more than this factor are drawn on a logarithmic axis. */
const LOG_RATIO = 5;

/**
 * The axis of objectives and bounds. Logarithmic only when every objective is positive; a bound more than a thousand
 * times below the lowest objective (zero above all) then lies on the lower edge instead of stretching the axis.
 */
function objectiveAxis(objectives: readonly number[], bounds: readonly number[]): Axis {
  const [low, high] = extent(objectives);
  if (!objectives.every(positive) || !(high / low > LOG_RATIO)) return linearAxis([...objectives, ...bounds], 5);
  const [floor] = extent([low, ...bounds.filter((bound) => bound > low / 1000)]);
  return logAxis(floor / 1.15, high * 1.15, 6);
}

/**
 * Objective and best lower bound against elapsed time, the gap between them shaded.
 *
 * Both are drawn as steps, since each value holds until the next one is known; the time axis is logarithmic once the
 * run spans a decade. Points whose objective or time is not a number are left out. Several thousand points are reduced
 * to the extremes of every pixel column.
 */
export function convergenceChart(points: readonly ConvergencePoint[], { width, height }: ChartSize): string {
  const known = points
    .filter((point) => drawable(point.objective) && drawable(point.seconds))
    .sort((a, b) => a.seconds - b.seconds);
  const bounds = known.map((point) => point.bound).filter((bound) => bound !== null && drawable(bound)) as number[];
  const objectives = known.map((point) => point.objective);
  const time = timeAxis(
    known.map((point) => point.seconds),
    width < 500 ? 4 : 7,
  );
  const x = time.axis;
  const y = objectiveAxis(objectives, bounds);
  const lowest = y.domain[0];
  const marginLeft = leftMargin(y);
  const plotWidth = width - marginLeft - MARGIN.right;

  const steps = known.map((point) => ({
    time: time.clamp(point.seconds),
    objective: point.objective,
    bound: point.bound === null || !drawable(point.bound) ? null : Math.max(lowest, point.bound),
  }));
  const shown = decimateLine(
    steps.map((step) => pixel(x, step.time, 0, 1)),
    objectives,
    Math.round(plotWidth),
  ).map((index) => steps[index]!);
  const bounded = shown.filter((step) => step.bound !== null);

  const marks: Plot.Markish[] = [
    ...axisMarks(x, y, { x: "time (s)", y: y.type === "log" ? "objective (log scale)" : "objective" }),
    Plot.areaY(bounded, {
      x: "time",
      y1: "bound",
      y2: "objective",
      curve: "step-after",
      fill: COLORS.gap,
      fillOpacity: 0.12,
    }),
    Plot.lineY(bounded, { x: "time", y: "bound", curve: "step-after", stroke: COLORS.bound, strokeWidth: 2 }),
    Plot.lineY(shown, { x: "time", y: "objective", curve: "step-after", stroke: COLORS.objective, strokeWidth: 2 }),
  ];

  // Direct labels at the right end of both lines, pushed apart when the lines meet.
  const last = shown.at(-1);
  if (last !== undefined) {
    const ends: { name: string; at: number; value: number; color: string; rounding: Rounding }[] = [
      { name: "objective", at: last.objective, value: last.objective, color: COLORS.objective, rounding: "up" },
    ];
    const bound = bounded.at(-1)?.bound;
    if (bound !== null && bound !== undefined) {
      ends.push({
        name: "lower bound",
        at: bound,
        value: bounds.at(-1) ?? bound,
        color: COLORS.bound,
        rounding: "down",
      });
    }
    const format = columnFormatter(ends.map((end) => end.value));
    const inside = (value: number) => pixel(y, value, height - MARGIN.bottom, MARGIN.top);
    // A bound that meets the objective keeps its label underneath.
    const wishes = ends.map((end, index) => inside(end.at) + 1e-6 * index);
    const places = spreadLabels(wishes, 36, [MARGIN.top, height - MARGIN.bottom - 6]);
    ends.forEach((end, index) => {
      const dy = (places[index] as number) - inside(end.at);
      const label = { x: last.time, y: end.at, dx: 10, textAnchor: "start", fill: end.color } as const;
      marks.push(
        Plot.dot([end], { x: last.time, y: end.at, fill: end.color, r: 3 }),
        Plot.text([end], { ...label, text: [end.name], dy: dy - 7 }),
        Plot.text([end], { ...label, text: [format(end.value, end.rounding)], dy: dy + 8, fontWeight: 600 }),
      );
    });
  }
  return plotSvg("Objective and lower bound against time", {
    width,
    height,
    marginTop: MARGIN.top,
    marginRight: MARGIN.right,
    marginBottom: MARGIN.bottom,
    marginLeft,
    x: scaleOptions(x),
    y: scaleOptions(y),
    marks,
  });
}
