import * as Plot from "@observablehq/plot";
import { formatNumber } from "../format.ts";
import type { ValidationPoint } from "../types.ts";
import { drawable, extent, linearAxis, logAxis, pixel, positive } from "./axis.ts";
import { textWidth } from "./labels.ts";
import { axisMarks, type ChartSize, COLORS, FONT_SIZE, leftMargin, plotSvg, scaleOptions } from "./plot-svg.ts";

const MARGIN = { top: 46, right: 24, bottom: 48 };

/**
 * Validation loss along a grid of beta with one standard error up and down, the chosen beta filled and named.
 *
 * When the chosen beta is not the one of least loss, a dashed line marks least loss plus one standard error, which is
 * what a choice of the simpler model is measured against.
 *
 * @returns null when no point has a positive beta and a finite loss.
 */
export function validationChart(points: readonly ValidationPoint[], { width, height }: ChartSize): string | null {
  const known = points
    .filter((point) => positive(point.beta) && drawable(point.loss))
    .sort((a, b) => a.beta - b.beta)
    .map((point) => {
      // A single fold has no standard error.
      const error = drawable(point.standardError) ? Math.abs(point.standardError) : 0;
      return { ...point, low: point.loss - error, high: point.loss + error };
    });
  if (known.length === 0) return null;
  const [smallest, largest] = extent(known.map((point) => point.beta));
  const x = logAxis(smallest / 1.3, largest * 1.3, width < 500 ? 4 : 7);
  const y = linearAxis(
    known.flatMap((point) => [point.low, point.high]),
    5,
  );
  const marginLeft = leftMargin(y);
  const marks: Plot.Markish[] = axisMarks(x, y, { x: "β (log scale)", y: "validation loss" });

  const best = known.reduce((a, b) => (b.loss < a.loss ? b : a));
  const chosen = known.filter((point) => point.chosen);
  if (chosen.length > 0 && !best.chosen && best.high > best.loss) {
    marks.push(
      Plot.ruleY([best.high], { stroke: COLORS.muted, strokeDasharray: "4 4" }),
      Plot.text([best], {
        x: x.domain[1],
        y: best.high,
        dx: -2,
        dy: 10,
        text: ["least + 1 s.e."],
        textAnchor: "end",
        fill: COLORS.muted,
        stroke: COLORS.paper,
        strokeWidth: 4,
      }),
    );
  }
  marks.push(
    Plot.lineY(known, { x: "beta", y: "loss", stroke: COLORS.accent, strokeOpacity: 0.5 }),
    Plot.ruleX(known, { x: "beta", y1: "low", y2: "high", stroke: COLORS.accent, strokeWidth: 1.5 }),
    Plot.dot(known, { x: "beta", y: "loss", stroke: COLORS.accent, strokeWidth: 1.5, fill: COLORS.paper, r: 3.5 }),
  );
  for (const point of chosen) {
    const text = `chosen β = ${formatNumber(point.beta)}`;
    const center = pixel(x, point.beta, marginLeft, width - MARGIN.right);
    const half = textWidth(text, FONT_SIZE) / 2;
    // The label stands at the foot of its rule, shifted inwards when it would leave the chart.
    const dx = Math.max(marginLeft + 4 + half - center, Math.min(0, width - 4 - half - center));
    marks.push(
      Plot.ruleX([point], { x: "beta", stroke: COLORS.objective, strokeDasharray: "2 3" }),
      Plot.dot([point], { x: "beta", y: "loss", fill: COLORS.objective, r: 5.5 }),
      Plot.text([point], {
        x: "beta",
        y: y.domain[1],
        dx,
        dy: -8,
        text: [text],
        fill: COLORS.objective,
        fontWeight: 600,
        stroke: COLORS.paper,
        strokeWidth: 4,
      }),
    );
  }
  return plotSvg("Validation loss against beta", {
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
