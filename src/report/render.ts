import { confusionChart } from "./charts/confusion.ts";
import { convergenceChart } from "./charts/convergence.ts";
import { gapChart, relativeGap } from "./charts/gap.ts";
import { CROWDED, scatterChart } from "./charts/scatter.ts";
import { validationChart } from "./charts/validation.ts";
import { columnFormatter, formatGap, formatNumber, formatSeconds } from "./format.ts";
import { html, type Markup, trusted } from "./html.ts";
import { STYLE } from "./style.ts";
import { tableMarkup } from "./tables.ts";
import type { Confusion, ConvergenceSeries, Predictions, ReportTable, RunReport, ValidationPoint } from "./types.ts";

/** Chart widths in px: the text column of a screen or a sheet, and that of a phone. */
const WIDE = 780;
const NARROW = 340;
/** With more series than this, only those with the widest final gap get a panel of their own. */
const PANELS = 6;

const STATUS = {
  certified: {
    word: "Certified",
    icon: html`<circle cx="10" cy="10" r="9" fill="currentColor"/><path d="M5.8 10.4l2.9 2.9 5.6-6.2" fill="none" stroke="var(--paper)" stroke-width="2.2"/>`,
  },
  bounded: {
    word: "Bounded, not closed",
    icon: html`<circle cx="10" cy="10" r="8" fill="none" stroke="currentColor" stroke-width="2"/><path d="M10 2a8 8 0 0 1 0 16z" fill="currentColor"/>`,
  },
  interrupted: {
    word: "Interrupted",
    icon: html`<circle cx="10" cy="10" r="8" fill="none" stroke="currentColor" stroke-width="2"/><path d="M7.6 6.5v7M12.4 6.5v7" stroke="currentColor" stroke-width="2.2"/>`,
  },
} as const;

function hasBound(series: readonly ConvergenceSeries[]): boolean {
  return series.some((one) => one.points.some((point) => point.bound !== null));
}

function verdictSection({ verdict, status, scope, convergence }: RunReport): Markup {
  const [headline = "", ...rest] = verdict;
  const scopeLine = hasBound(convergence)
    ? html`<b>What the lower bound speaks of:</b> ${scope}.`
    : html`<b>No lower bound was reached.</b> It would have spoken of ${scope}.`;
  return html`<section class="verdict ${status}">
<p class="status"><svg viewBox="0 0 20 20" aria-hidden="true">${STATUS[status].icon}</svg>${STATUS[status].word}</p>
<p class="headline">${headline}</p>
${rest.map((line) => html`<p>${line}</p>`)}
<p class="scope">${scopeLine}</p>
</section>`;
}

/** A chart in two widths, of which the page shows the one that fits. */
function responsive(draw: (width: number) => string | null): Markup {
  const [wide, narrow] = [draw(WIDE), draw(NARROW)];
  return html`<div class="wide">${trusted(wide ?? "")}</div><div class="narrow">${trusted(narrow ?? "")}</div>`;
}

function figureSection(title: string, caption: string, chart: Markup): Markup {
  return html`<section><figure><h2>${title}</h2><figcaption>${caption}</figcaption>${chart}</figure></section>`;
}

/** Where a single series ended, as figures in large type. */
function finalFigures({ points }: ConvergenceSeries): Markup | null {
  const last = points.at(-1);
  if (last === undefined) return null;
  const gap = relativeGap(last);
  const format = columnFormatter([last.objective, last.bound ?? last.objective]);
  const figures: readonly (readonly [string, string])[] = [
    ["objective", format(last.objective, "up")],
    ["lower bound", last.bound === null ? "none yet" : format(last.bound, "down")],
    ["relative gap", gap === null ? "unknown" : formatGap(gap)],
    ["neurons", formatNumber(last.neurons)],
    ["time", formatSeconds(last.seconds)],
  ];
  return html`<section><dl class="figures">${figures.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></section>`;
}

/** Where each of several series ended. */
function finalTable(series: readonly ConvergenceSeries[]): Markup {
  const ends = series.map(({ points }) => points.at(-1));
  const format = columnFormatter(
    ends.flatMap((end) => (end === undefined ? [] : [end.objective, end.bound ?? end.objective])),
  );
  const rows = series.map(({ label }, index) => {
    const end = ends[index];
    if (end === undefined) return [label, null, null, null, null, null];
    const gap = relativeGap(end);
    const bound = end.bound === null ? null : format(end.bound, "down");
    return [label, format(end.objective, "up"), bound, gap === null ? null : formatGap(gap), end.neurons, end.seconds];
  });
  const columns = ["", "objective", "lower bound", "relative gap", "neurons", "seconds"];
  return html`<section><h2>Where each problem ended</h2>${tableMarkup({ columns, rows })}</section>`;
}

function convergenceSections(series: readonly ConvergenceSeries[]): Markup[] {
  const drawn = series.filter((one) => one.points.length > 0);
  if (drawn.length === 0) return [];
  const bounded = hasBound(drawn);
  const shading = bounded
    ? "The best possible objective lies in the shaded gap, between the lower bound and what was reached."
    : "There is no lower bound yet, so nothing is known about how far the best possible objective lies below.";
  const gap = bounded
    ? figureSection(
        "Gap",
        `(objective − lower bound) / |objective|, on a logarithmic scale.${
          drawn.length > 1 ? " Named are the problems with the widest final gap." : ""
        }`,
        responsive((width) => gapChart(drawn, { width, height: width === WIDE ? 260 : 240 })),
      )
    : null;
  if (drawn.length === 1) {
    const { points } = drawn[0]!;
    const chart = responsive((width) => convergenceChart(points, { width, height: width === WIDE ? 340 : 290 }));
    return [finalFigures(drawn[0]!), figureSection("Convergence", shading, chart), gap].filter((part) => part !== null);
  }
  // The widest gaps say how good the whole is; without any bound, the first few stand for all.
  const final = (one: ConvergenceSeries) => relativeGap(one.points.at(-1)!) ?? Number.POSITIVE_INFINITY;
  const panels =
    drawn.length > PANELS ? drawn.toSorted((a, b) => (final(a) < final(b) ? 1 : -1)).slice(0, PANELS) : drawn;
  const caption =
    drawn.length > PANELS
      ? `${shading} Shown are the ${PANELS} of ${drawn.length} problems with the widest final gap.`
      : shading;
  const grid = html`<div class="panels">${panels.map(
    (one) =>
      html`<div><h3>${one.label}</h3>${trusted(convergenceChart(one.points, { width: 356, height: 240 }))}</div>`,
  )}</div>`;
  return [figureSection("Convergence", caption, grid), gap, finalTable(series)].filter((part) => part !== null);
}

function validationSection(points: readonly ValidationPoint[]): Markup | null {
  const draw = (width: number) => validationChart(points, { width, height: width === WIDE ? 300 : 260 });
  if (draw(WIDE) === null) return null;
  const caption = "Mean loss on the part of the training data left out, with one standard error up and down.";
  return figureSection("Choice of β by validation", caption, responsive(draw));
}

function predictionsSection(predictions: Predictions): Markup {
  const count = predictions.actual.length;
  const caption =
    `Each dot is one of ${formatNumber(count)} held-out rows; on the dashed line a prediction is exact.` +
    (count > CROWDED ? " Rows that would cover each other share a larger dot." : "");
  return figureSection(
    "Held-out predictions",
    caption,
    responsive((width) => scatterChart(predictions, Math.min(width, 560))),
  );
}

function confusionSection(confusion: Confusion): Markup {
  const caption =
    "Held-out rows by true class (rows) and predicted class (columns). Shades are shares of a row; the diagonal is correct.";
  const chart = html`<div class="scroll">${responsive((width) => confusionChart(confusion, width))}</div>`;
  return figureSection("Held-out predictions", caption, chart);
}

function tableSection(table: ReportTable): Markup {
  return html`<section><h2>${table.title}</h2>${tableMarkup(table)}</section>`;
}

function reproduceSection(commands: readonly string[]): Markup {
  return html`<section><h2>Reproduce</h2><pre>${commands.join("\n")}</pre></section>`;
}

/**
 * One self-contained HTML page: no network, no script, light and dark, phone and paper. Every word of the input is
 * escaped.
 *
 * @throws RangeError when a table, the confusion matrix or the predictions have rows of unequal length.
 */
export function renderReport(report: RunReport): string {
  const sections = [
    verdictSection(report),
    ...convergenceSections(report.convergence),
    report.validation === null ? null : validationSection(report.validation),
    report.predictions === null ? null : predictionsSection(report.predictions),
    report.confusion === null ? null : confusionSection(report.confusion),
    ...report.tables.map(tableSection),
    report.reproduce.length === 0 ? null : reproduceSection(report.reproduce),
  ].filter((section) => section !== null);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<title>${report.title}</title>
<style>${trusted(STYLE)}</style>
</head>
<body>
<header><h1>${report.title}</h1><p class="soft">${report.subtitle}</p></header>
<main>
${sections}
</main>
<footer>${report.footer}</footer>
</body>
</html>
`.text;
}
