import * as Plot from "@observablehq/plot";
import { formatFixed } from "../format.ts";
import type { RocCurve } from "../types.ts";
import type { Axis } from "./axis.ts";
import { fitLabel } from "./labels.ts";
import { axisMarks, COLORS, FONT_SIZE, plotSvg, SERIES_COLORS, scaleOptions } from "./plot-svg.ts";

const MARGIN = { top: 34, right: 16, bottom: 48, left: 42 };
const RATES: Axis = {
  type: "linear",
  domain: [0, 1],
  ticks: [0, 0.2, 0.4, 0.6, 0.8, 1],
  format: (tick) => formatFixed(tick, 1),
};
const LINE = 18;

/** An area rounded down, so that 1.000 stays for a perfect order. */
function area(auc: number): string {
  return formatFixed(auc, 3, "down");
}

/**
 * ROC curves: the share of a class that is found against the share of the others that is mistaken for it. With several
 * curves those of least area, which decide how good the whole is, get a colour and a name.
 */
export function rocChart(curves: readonly RocCurve[], width: number): string {
  const size = width - MARGIN.left - MARGIN.right;
  const named = curves.toSorted((a, b) => a.auc - b.auc).slice(0, SERIES_COLORS.length);
  const line = { x: "falsePositives", y: "truePositives", curve: "linear" } as const;
  const marks: Plot.Markish[] = [
    ...axisMarks(RATES, RATES, { x: "false positive rate", y: "true positive rate" }),
    Plot.link([0], { x1: 0, y1: 0, x2: 1, y2: 1, stroke: COLORS.muted, strokeDasharray: "4 4" }),
    ...curves
      .filter((curve) => !named.includes(curve))
      .map(({ points }) => Plot.line(points, { ...line, stroke: COLORS.muted, strokeOpacity: 0.4, strokeWidth: 1.5 })),
  ];
  named.forEach(({ label, auc, points }, rank) => {
    const stroke = SERIES_COLORS[rank]!;
    // The corner under the diagonal is empty in every chart that is worth looking at.
    const place = { frameAnchor: "bottom-right", dx: -8, dy: -8 - LINE * (named.length - 1 - rank) } as const;
    const text =
      curves.length === 1 ? `AUC ${area(auc)}` : `${fitLabel(label, size / 2 - 70, FONT_SIZE)}  AUC ${area(auc)}`;
    marks.push(
      ...(curves.length === 1
        ? [Plot.areaY(points, { x: line.x, y1: 0, y2: line.y, fill: stroke, fillOpacity: 0.1 })]
        : []),
      Plot.line(points, { ...line, stroke, strokeWidth: 2 }),
      Plot.text([text], {
        ...place,
        textAnchor: "end",
        fill: stroke,
        fontWeight: 600,
        stroke: COLORS.paper,
        strokeWidth: 4,
      }),
    );
  });
  return plotSvg("True positive rate against false positive rate", {
    width,
    height: size + MARGIN.top + MARGIN.bottom,
    marginTop: MARGIN.top,
    marginRight: MARGIN.right,
    marginBottom: MARGIN.bottom,
    marginLeft: MARGIN.left,
    x: scaleOptions(RATES),
    y: scaleOptions(RATES),
    marks,
  });
}
