import * as Plot from "@observablehq/plot";
import type { CurvePicture } from "../types.ts";
import { drawable, linearAxis } from "./axis.ts";
import { fitLabel, textWidth } from "./labels.ts";
import { type LegendItem, legend, SYMBOLS } from "./legend.ts";
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

const MARGIN = { right: 20, bottom: 48 };
/** Room for the label of the y axis above the frame. */
const LABEL_ROOM = 30;
/** Height of the strip that shows the rows of one class. */
const STRIP = 18;

/**
 * The output of a network of one feature: its piecewise linear curve with a ring at each kink, over the rows of the
 * file. Classes have no height, so their rows stand in strips under the curve, one a class.
 */
export function curveChart(
  { feature, output, classes, points, curves }: CurvePicture,
  { width, height }: ChartSize,
): string {
  const known = points.filter(({ x, value }) => drawable(x) && drawable(value));
  const heights = curves.flatMap(({ vertices }) => vertices.map(({ y }) => y));
  const x = linearAxis(
    [...known.map((point) => point.x), ...curves.flatMap(({ vertices }) => vertices.map((v) => v.x))],
    width < 500 ? 4 : 8,
  );
  const y = linearAxis(classes === null ? [...heights, ...known.map(({ value }) => value)] : [...heights, 0], 5);
  // The curve already reaches beyond the rows.
  const frame = { ...x, domain: [curves[0]!.vertices[0]!.x, curves[0]!.vertices.at(-1)!.x] as const };
  const ticks = { ...frame, ticks: x.ticks.filter((tick) => tick >= frame.domain[0] && tick <= frame.domain[1]) };
  const strips = classes === null ? [] : classes;
  const stripNames = Math.min(110, Math.max(0, ...strips.map((name) => textWidth(name, FONT_SIZE))));
  const marginLeft = Math.max(leftMargin(y), strips.length > 0 ? stripNames + 10 : 0);
  const stripRoom = strips.length > 0 ? STRIP * strips.length + 8 : 0;
  const marginBottom = MARGIN.bottom + stripRoom;
  const colorOf = (k: number): string => (classes === null ? COLORS.accent : SERIES_COLORS[k % SERIES_COLORS.length]!);
  const curveColor = (k: number): string => (classes === null || curves.length === 1 ? COLORS.objective : colorOf(k));

  const anyHeldOut = known.some(({ heldOut }) => heldOut);
  const anyKink = curves.some(({ vertices }) => vertices.some(({ kink }) => kink));
  const items: LegendItem[] = [
    ...(curves.length === 1
      ? [{ label: "network", mark: "line", color: COLORS.objective } as const]
      : curves.map(({ label }, k) => ({ label, mark: "line", color: colorOf(k) }) as const)),
    ...(anyKink
      ? [{ label: "kink", mark: "hollow", color: curves.length === 1 ? COLORS.objective : COLORS.muted } as const]
      : []),
    { label: "training row", mark: "dot", color: classes === null ? COLORS.accent : COLORS.muted },
    ...(anyHeldOut
      ? [{ label: "held-out row", mark: "hollow", color: classes === null ? COLORS.accent : COLORS.muted } as const]
      : []),
  ];
  const { marks: legendMarks, height: legendHeight } = legend(items, width - marginLeft, LABEL_ROOM);
  const crowd = Math.min(1, Math.max(0.35, 120 / Math.max(1, known.length)));
  const dots = (heldOut: boolean) => {
    const some = known.filter((point) => point.heldOut === heldOut);
    const paint = (color: string) =>
      heldOut ? { stroke: color, strokeWidth: 1.2, strokeOpacity: 0.9 } : { fill: color, fillOpacity: crowd };
    if (classes === null) return [Plot.dot(some, { x: "x", y: "value", r: 2.8, ...paint(COLORS.accent) })];
    return strips.map((_, k) =>
      Plot.dot(
        some.filter(({ value }) => value === k),
        {
          x: "x",
          frameAnchor: "bottom",
          dy: 14 + STRIP * k,
          r: 3,
          symbol: SYMBOLS[k % SYMBOLS.length]!,
          ...paint(colorOf(k)),
        },
      ),
    );
  };
  const marks: Plot.Markish[] = [
    ...axisMarks(ticks, y, { x: "", y: "" }, stripRoom),
    Plot.text([fitLabel(output, width - marginLeft, FONT_SIZE)], {
      frameAnchor: "top-left",
      dx: -marginLeft,
      dy: -14,
      textAnchor: "start",
      fill: COLORS.muted,
    }),
  ];
  return plotSvg("The network's output along its feature, with the rows of the file", {
    width,
    height: height + legendHeight - LABEL_ROOM + marginBottom - MARGIN.bottom,
    marginTop: legendHeight,
    marginRight: MARGIN.right,
    marginBottom,
    marginLeft,
    x: scaleOptions(ticks),
    y: scaleOptions(y),
    marks: [
      ...marks,
      ...(classes === null ? [] : [Plot.ruleY([0], { stroke: COLORS.muted, strokeDasharray: "4 4" })]),
      ...dots(false),
      ...dots(true),
      ...strips.map((name, k) =>
        Plot.text([fitLabel(name, stripNames, FONT_SIZE)], {
          frameAnchor: "bottom-left",
          dx: -8,
          dy: 14 + STRIP * k,
          textAnchor: "end",
          lineAnchor: "middle",
          fill: colorOf(k),
        }),
      ),
      ...curves.flatMap(({ vertices }, k) => [
        Plot.line(vertices, { x: "x", y: "y", stroke: curveColor(k), strokeWidth: 2.2, curve: "linear" }),
        Plot.dot(
          vertices.filter(({ kink }) => kink),
          { x: "x", y: "y", r: 3.4, stroke: curveColor(k), strokeWidth: 1.6, fill: COLORS.paper },
        ),
      ]),
      Plot.text([fitLabel(feature, width - marginLeft, FONT_SIZE)], {
        frameAnchor: "bottom",
        dy: marginBottom - 8,
        fill: COLORS.muted,
      }),
      ...legendMarks,
    ],
  });
}
