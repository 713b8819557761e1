import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { Axis } from "./axis.ts";

/** Size of all text in charts, px. */
export const FONT_SIZE = 12;

/**
 * Colours of the charts: custom properties of the page with a fallback, so that a chart follows the page's light or
 * dark scheme and is still readable as a file of its own.
 */
export const COLORS = {
  objective: "var(--chart-objective, #b8460e)",
  bound: "var(--chart-bound, #1f5fb4)",
  gap: "var(--chart-gap, #b8460e)",
  accent: "var(--chart-accent, #1f5fb4)",
  muted: "var(--chart-muted, #6b7280)",
  grid: "var(--chart-grid, #e3e5e8)",
  ink: "var(--chart-ink, #1c2024)",
  onStrong: "var(--chart-on-strong, #ffffff)",
  paper: "var(--chart-paper, #ffffff)",
} as const;

/** Colours that tell lines of one kind apart, most important first; each line also carries its name. */
export const SERIES_COLORS = [
  "var(--chart-1, #1f5fb4)",
  "var(--chart-2, #b8460e)",
  "var(--chart-3, #23804f)",
  "var(--chart-4, #8a3fa8)",
  "var(--chart-5, #9a6a00)",
  "var(--chart-6, #b0305c)",
] as const;

/** Size of a chart, px. */
export interface ChartSize {
  readonly width: number;
  readonly height: number;
}

const ROUNDED = ["d", "transform", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height", "points"];

/** A thousandth of a pixel is invisible and half the size of the file. */
function roundCoordinates(svg: Element): void {
  for (const element of svg.querySelectorAll("*")) {
    for (const name of ROUNDED) {
      const value = element.getAttribute(name);
      if (value?.includes(".")) {
        element.setAttribute(
          name,
          value.replace(/-?\d*\.\d{2,}(?:e-?\d+)?(?!\d|em)/g, (number) => String(Number(Number(number).toFixed(1)))),
        );
      }
    }
  }
}

/**
 * Draws a plot without a browser and returns it as a standalone SVG element.
 *
 * @param description what the chart shows, for readers that cannot see it; a constant, never input, because it becomes
 *   an attribute.
 */
export function plotSvg(description: string, options: Plot.PlotOptions): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const svg = Plot.plot({ ...options, document, className: "chart" });
  svg.querySelector("style")?.remove();
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", description);
  svg.setAttribute("font-size", String(FONT_SIZE));
  roundCoordinates(svg);
  return svg.outerHTML;
}

/** Scale options of an axis that is drawn by `axisMarks`. */
export function scaleOptions(axis: Axis): Plot.ScaleOptions {
  return { type: axis.type, domain: axis.domain, axis: null };
}

/**
 * Hairline grid and tick labels of both axes, with the x label under its axis and the y label above its own.
 *
 * @param below px between the frame and the tick labels of x that are used otherwise.
 */
export function axisMarks(
  x: Axis,
  y: Axis,
  labels: { readonly x: string; readonly y: string },
  below = 0,
): Plot.Markish[] {
  // `text` rather than `tickFormat`, which on a logarithmic scale drops every tick but 1, 2 and 10.
  const tick = { tickSize: 0, fill: COLORS.muted, labelArrow: "none" } as const;
  return [
    Plot.gridY(y.ticks, { stroke: COLORS.grid, strokeOpacity: 1 }),
    Plot.gridX(x.ticks, { stroke: COLORS.grid, strokeOpacity: 1 }),
    Plot.axisY(y.ticks, { ...tick, text: y.format, tickPadding: 8, label: labels.y, labelAnchor: "top" }),
    Plot.axisX(x.ticks, { ...tick, text: x.format, tickPadding: 12 + below, label: labels.x, labelAnchor: "center" }),
  ];
}

/** Left margin that holds the tick labels of a y axis. */
export function leftMargin(y: Axis): number {
  const longest = Math.max(0, ...y.ticks.map((tick) => [...y.format(tick)].length));
  return Math.max(36, 14 + Math.ceil(7 * longest));
}
