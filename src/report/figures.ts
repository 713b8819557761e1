import { confusionChart } from "./charts/confusion.ts";
import { convergenceChart } from "./charts/convergence.ts";
import { curveChart } from "./charts/curve.ts";
import { gapChart, relativeGap } from "./charts/gap.ts";
import { ridgeChart, spectrumChart } from "./charts/kernel.ts";
import { linesChart } from "./charts/lines.ts";
import { neuronsChart } from "./charts/neurons.ts";
import { regionsChart } from "./charts/regions.ts";
import { rocChart } from "./charts/roc.ts";
import { CROWDED, scatterChart } from "./charts/scatter.ts";
import { validationChart } from "./charts/validation.ts";
import { formatNumber } from "./format.ts";
import type { ConvergenceSeries, LineFigure, NeuronPanel, RunReport } from "./types.ts";

/** Widths in px that charts are drawn at: the text column of a screen or a sheet, that of a phone, one of two panels. */
export const WIDE = 780;
export const NARROW = 340;
export const PANEL = 356;
/** Width of charts whose both axes say the same. */
const SQUARE = 560;
/** With more series than this, only those with the widest final gap get a panel of their own. */
const PANELS = 6;

/** A chart with its words; drawn when it is needed, at the width that is needed. */
export interface Figure {
  /** Short name, for a file. */
  readonly name: string;
  readonly title: string;
  readonly caption: string;
  /** One chart, or several of a kind beside each other, each with its label. */
  readonly panels: readonly { readonly label: string; readonly draw: (width: number) => string }[];
  /** May be wider than asked for. */
  readonly scrolls?: boolean;
}

const tall = (width: number, wide: number, narrow: number): number => (width < 500 ? narrow : wide);

/** The figures that a report has, in the order of reading. */
export function figuresOf(report: RunReport): Figure[] {
  return [
    ...(report.lines ?? []).map(linesFigure),
    pictureFigure(report),
    ...convergenceFigures(report.convergence),
    ...predictionFigures(report),
    report.neurons === null ? null : neuronsFigure(report.neurons),
    validationFigure(report),
    ridgeFigure(report),
    spectrumFigure(report),
  ].filter((figure) => figure !== null);
}

function single(name: string, title: string, caption: string, draw: (width: number) => string): Figure {
  return { name, title, caption, panels: [{ label: "", draw }] };
}

function linesFigure(figure: LineFigure): Figure | null {
  const draw = (width: number) => linesChart(figure, { width, height: tall(width, 300, 260) });
  // What was measured once is in the table of measurements; a dot is no curve.
  const isCurve = figure.lines.some(({ dashed, points }) => dashed !== true && points.length > 1);
  if (!isCurve || draw(WIDE) === null) return null;
  return single(figure.name, figure.title, figure.caption, (width) => draw(width) ?? "");
}

function pictureFigure({ picture }: RunReport): Figure | null {
  if (picture === null) return null;
  if (picture.kind === "curve") {
    const { curves } = picture;
    const places = new Set(curves.flatMap(({ vertices }) => vertices.filter(({ kink }) => kink).map(({ x }) => x)))
      .size;
    const jumps = curves.some(({ vertices }) => vertices.some(({ x }, k) => x === vertices[k + 1]?.x));
    const bends = `${jumps ? "jumps" : "bends"} at ${places === 1 ? "one place" : `${formatNumber(places)} places`}`;
    const bendLine = places === 0 ? "It has no kink here" : `It ${bends}, where a neuron switches on or off`;
    const side =
      picture.classes === null
        ? ""
        : curves.length === 1
          ? " Above zero it says the one class, below the other."
          : " The highest curve names the class.";
    return single(
      "curve",
      "The network",
      `What the network says along its only feature: a piecewise linear function. ${bendLine}.${side}`,
      (width) => curveChart(picture, { width, height: tall(width, 380, 300) }),
    );
  }
  const what =
    picture.classes === null
      ? "Levels of the predicted value over both features; darker is more."
      : "The class that the network names, over both features; darker is further from the boundary.";
  const caption = picture.grids.length > 1 ? "The class that the network names, over both features." : what;
  return single(
    "regions",
    "The network",
    `${caption} Between the kinks of its neurons the network is linear.`,
    (width) => regionsChart(picture, Math.min(width, 640)),
  );
}

/** Whether any series has a lower bound. */
export function hasBound(series: readonly ConvergenceSeries[]): boolean {
  return series.some((one) => one.points.some((point) => point.bound !== null));
}

function convergenceFigures(series: readonly ConvergenceSeries[]): Figure[] {
  const drawn = series.filter((one) => one.points.length > 0);
  if (drawn.length === 0) return [];
  const bounded = hasBound(drawn);
  const shading = bounded
    ? "The best possible objective lies in the shaded gap, between the lower bound and what was reached."
    : "There is no lower bound yet, so nothing is known about how far the best possible objective lies below.";
  // The widest gaps say how good the whole is; without any bound, the first few stand for all.
  const final = (one: ConvergenceSeries) => relativeGap(one.points.at(-1)!) ?? Number.POSITIVE_INFINITY;
  const panels =
    drawn.length > PANELS ? drawn.toSorted((a, b) => (final(a) < final(b) ? 1 : -1)).slice(0, PANELS) : drawn;
  const some = ` Shown are the ${PANELS} of ${drawn.length} problems with the widest final gap.`;
  const alone = drawn.length === 1;
  const convergence: Figure = {
    name: "convergence",
    title: "Convergence",
    caption: drawn.length > PANELS ? shading + some : shading,
    panels: panels.map(({ label, points }) => ({
      label: alone ? "" : label,
      draw: (width) => convergenceChart(points, { width, height: alone ? tall(width, 340, 290) : 240 }),
    })),
  };
  if (!bounded) return [convergence];
  const named = alone ? "" : " Named are the problems with the widest final gap.";
  // With a bound there is a chart.
  const gap = (width: number): string => gapChart(drawn, { width, height: tall(width, 260, 240) }) ?? "";
  return [
    convergence,
    single("gap", "Gap", `(objective − lower bound) / |objective|, on a logarithmic scale.${named}`, gap),
  ];
}

function predictionFigures({ predictions, confusion, roc, part }: RunReport): (Figure | null)[] {
  const title = part === "held-out" ? "Held-out predictions" : "Predictions on the training rows";
  const rows = part === "held-out" ? "held-out rows" : "training rows";
  const figures: Figure[] = [];
  if (predictions !== null) {
    const count = predictions.actual.length;
    const crowd = count > CROWDED ? " Rows that would cover each other share a larger dot." : "";
    const caption = `Each dot is one of ${formatNumber(count)} ${rows}; on the dashed line a prediction is exact.${crowd}`;
    figures.push(single("predictions", title, caption, (width) => scatterChart(predictions, Math.min(width, SQUARE))));
  }
  if (confusion !== null) {
    const caption = `The ${rows} by true class (rows) and predicted class (columns). Shades are shares of a row; the diagonal is correct.`;
    figures.push({
      ...single("confusion", title, caption, (width) => confusionChart(confusion, width)),
      scrolls: true,
    });
  }
  if (roc !== null && roc.length > 0) {
    const of =
      roc.length === 1
        ? `How many rows of class ${roc[0]!.label} are found`
        : "How many rows of a class are found, by its own score,";
    const caption = `${of} against how many others are taken for it, as the threshold moves, on the ${rows}. On the dashed line a model only guesses; an area (AUC) of 1 is a perfect order.`;
    figures.push(
      single("roc", roc.length === 1 ? "ROC curve" : "ROC curves", caption, (width) =>
        rocChart(roc, Math.min(width, 460)),
      ),
    );
  }
  return figures;
}

function neuronsFigure(panel: NeuronPanel): Figure {
  const { total, totalFeatures, neurons, features, rows } = panel;
  const shown = neurons.reduce((sum, { share }) => sum + share, 0);
  const which =
    neurons.length === total
      ? `All ${formatNumber(total)} neurons`
      : `The ${neurons.length} neurons, of ${formatNumber(total)}, with the largest shares of the penalty, together ${formatNumber(100 * shown, 2, "down")} %`;
  const used =
    features.length < totalFeatures
      ? `, of the ${features.length} most used of ${formatNumber(totalFeatures)} features`
      : "";
  const caption = `${total === 1 ? "The only neuron" : which}, on how many of the ${formatNumber(rows)} training rows each is active, and what it does there: the change of the output for one standard deviation of a feature${used}. Blue raises the output, orange lowers it.`;
  return single("neurons", "Hidden neurons", caption, (width) => neuronsChart(panel, width));
}

function validationFigure({ validation }: RunReport): Figure | null {
  const draw = (width: number) => validationChart(validation ?? [], { width, height: tall(width, 300, 260) });
  if (validation === null || draw(WIDE) === null) return null;
  const caption = "Mean loss on the part of the training data left out, with one standard error up and down.";
  return single("validation", "Choice of β by validation", caption, (width) => draw(width) ?? "");
}

function ridgeFigure({ leaveOneOut = [] }: RunReport): Figure | null {
  const draw = (width: number) => ridgeChart(leaveOneOut, { width, height: tall(width, 300, 260) });
  if (draw(WIDE) === null) return null;
  const caption =
    "Mean squared error on each training row of the regression on all others: exact, by one solve for each ridge.";
  return single("leave-one-out", "Choice of the ridge by leave-one-out", caption, (width) => draw(width) ?? "");
}

function spectrumFigure({ spectrum = null }: RunReport): Figure | null {
  const draw = (width: number) =>
    spectrum === null ? null : spectrumChart(spectrum, { width, height: tall(width, 300, 260) });
  if (draw(WIDE) === null) return null;
  const caption =
    "Eigenvalues of the kernel matrix, largest first. Directions far above the ridge are learned as they are, those far below not at all.";
  return single("spectrum", "Spectrum of the kernel", caption, (width) => draw(width) ?? "");
}
