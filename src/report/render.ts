import { relativeGap } from "./charts/gap.ts";
import { type Figure, figuresOf, hasBound, NARROW, PANEL, WIDE } from "./figures.ts";
import { columnFormatter, formatGap, formatNumber, formatSeconds } from "./format.ts";
import { html, type Markup, trusted } from "./html.ts";
import { STYLE } from "./style.ts";
import { tableMarkup } from "./tables.ts";
import type { ConvergenceSeries, ReportTable, RunReport } from "./types.ts";

/** Signs that tell the kinds of verdict apart without colour. */
const ICON = {
  certified: html`<circle cx="10" cy="10" r="9" fill="currentColor"/><path d="M5.8 10.4l2.9 2.9 5.6-6.2" fill="none" stroke="var(--paper)" stroke-width="2.2"/>`,
  bounded: html`<circle cx="10" cy="10" r="8" fill="none" stroke="currentColor" stroke-width="2"/><path d="M10 2a8 8 0 0 1 0 16z" fill="currentColor"/>`,
  unbounded: html`<circle cx="10" cy="10" r="8" fill="none" stroke="currentColor" stroke-width="2"/>`,
  exact: html`<circle cx="10" cy="10" r="8" fill="none" stroke="currentColor" stroke-width="2"/><path d="M6.2 8.4h7.6M6.2 11.8h7.6" stroke="currentColor" stroke-width="2"/>`,
  finished: html`<circle cx="10" cy="10" r="9" fill="currentColor"/><path d="M5.8 10.4l2.9 2.9 5.6-6.2" fill="none" stroke="var(--paper)" stroke-width="2.2"/>`,
  diverged: html`<circle cx="10" cy="10" r="8" fill="none" stroke="currentColor" stroke-width="2"/><path d="M10 5.5v6M10 13.4v1.6" stroke="currentColor" stroke-width="2.2"/>`,
  interrupted: html`<circle cx="10" cy="10" r="8" fill="none" stroke="currentColor" stroke-width="2"/><path d="M7.6 6.5v7M12.4 6.5v7" stroke="currentColor" stroke-width="2.2"/>`,
} as const;

function verdictSection({ badge, verdict, status, scope, convergence }: RunReport): Markup {
  const [headline = "", ...rest] = verdict;
  const scopeLine = hasBound(convergence)
    ? html`<b>What the lower bound speaks of:</b> ${scope}.`
    : html`<b>No lower bound was reached.</b> It would have spoken of ${scope}.`;
  return html`<section class="verdict ${status}">
<p class="status"><svg viewBox="0 0 20 20" aria-hidden="true">${ICON[status]}</svg>${badge}</p>
<p class="headline">${headline}</p>
${rest.map((line) => html`<p>${line}</p>`)}
${scope === "" ? null : html`<p class="scope">${scopeLine}</p>`}
</section>`;
}

function figureSection({ title, caption, panels, scrolls }: Figure): Markup {
  const [first] = panels;
  const chart =
    panels.length === 1 && first !== undefined
      ? // Drawn in two widths, of which the page shows the one that fits.
        html`<div class="wide">${trusted(first.draw(WIDE))}</div><div class="narrow">${trusted(first.draw(NARROW))}</div>`
      : html`<div class="panels">${panels.map(
          ({ label, draw }) => html`<div><h3>${label}</h3>${trusted(draw(PANEL))}</div>`,
        )}</div>`;
  const framed = scrolls === true ? html`<div class="scroll">${chart}</div>` : chart;
  return html`<section><figure><h2>${title}</h2><figcaption>${caption}</figcaption>${framed}</figure></section>`;
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

/** Where the problems ended: in large type when there is one, else as a table. */
function finalSection(series: readonly ConvergenceSeries[]): Markup | null {
  if (series.length > 1) return finalTable(series);
  return series[0] === undefined ? null : finalFigures(series[0]);
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
    finalSection(report.convergence),
    ...figuresOf(report).map(figureSection),
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
