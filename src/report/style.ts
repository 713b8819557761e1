const LIGHT = `
  --paper: #ffffff; --ground: #f6f6f4; --ink: #1c2024; --soft: #5b636d; --line: #e1e3e6; --code: #f3f4f5;
  --certified: #1b7a43; --bounded: #1f5fb4; --unbounded: #96610a; --interrupted: #59616b;
  --chart-paper: #ffffff; --chart-ink: #1c2024; --chart-muted: #5b636d; --chart-grid: #e9ebed;
  --chart-objective: #b8460e; --chart-gap: #b8460e; --chart-bound: #1f5fb4; --chart-accent: #1f5fb4;
  --chart-1: #1f5fb4; --chart-2: #b8460e; --chart-3: #23804f; --chart-4: #8a3fa8; --chart-5: #9a6a00; --chart-6: #b0305c;
  --chart-on-strong: #ffffff;`;

const DARK = `
  --paper: #1a1d21; --ground: #131518; --ink: #e7e9ec; --soft: #a0a8b2; --line: #2e333a; --code: #22262b;
  --certified: #5cc98a; --bounded: #74acf0; --unbounded: #e3b35c; --interrupted: #aab2bc;
  --chart-paper: #1a1d21; --chart-ink: #e7e9ec; --chart-muted: #a0a8b2; --chart-grid: #2a2f35;
  --chart-objective: #f0905a; --chart-gap: #f0905a; --chart-bound: #74acf0; --chart-accent: #74acf0;
  --chart-1: #74acf0; --chart-2: #f0905a; --chart-3: #6cc795; --chart-4: #cc94e6; --chart-5: #dcb558; --chart-6: #f08bac;
  --chart-on-strong: #10141a;`;

/** Custom property -> colour of the dark scheme. */
export const DARK_COLORS: ReadonlyMap<string, string> = new Map(
  [...DARK.matchAll(/(--[\w-]+): (#\w+);/g)].map(([, name, color]) => [name!, color!]),
);

/** The whole style of a report: light and dark, phone and paper. */
export const STYLE = `
:root { color-scheme: light dark; ${LIGHT} }
@media (prefers-color-scheme: dark) { :root { ${DARK} } }
@media print { :root { color-scheme: light; ${LIGHT} } }

* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; padding: 40px 20px 56px; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: anywhere;
}
main, header, footer { max-width: 840px; margin: 0 auto; }
header { padding: 0 4px 20px; }
h1 { margin: 0; font-size: 27px; line-height: 1.25; font-weight: 650; letter-spacing: -0.012em; }
h2 { margin: 0 0 4px; font-size: 18px; line-height: 1.3; font-weight: 650; letter-spacing: -0.006em; }
h3 { margin: 0 0 2px; font-size: 14px; font-weight: 600; }
p { margin: 0 0 8px; }
p, figcaption, h1, h2 { text-wrap: pretty; }
.soft { color: var(--soft); }
header .soft { margin: 4px 0 0; }
section {
  background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
  padding: 24px 28px; margin: 0 0 16px; min-width: 0;
}
section > :last-child { margin-bottom: 0; }

.verdict { border-left: 5px solid var(--status); }
.certified, .exact { --status: var(--certified); }
.bounded { --status: var(--bounded); }
.unbounded { --status: var(--unbounded); }
.interrupted { --status: var(--interrupted); }
.finished { --status: var(--bounded); }
.diverged { --status: var(--unbounded); }
.status { display: flex; align-items: center; gap: 8px; margin: 0 0 10px; color: var(--status); font-weight: 650; }
.status svg { width: 20px; height: 20px; flex: none; }
.headline { font-size: 21px; line-height: 1.4; font-weight: 550; letter-spacing: -0.008em; margin: 0 0 10px; max-width: 62ch; }
.verdict p { max-width: 72ch; }
.verdict .scope { max-width: none; margin: 14px 0 0; padding: 12px 0 0; border-top: 1px solid var(--line); font-size: 15px; }

dl.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(118px, 1fr)); gap: 14px 20px; margin: 0; }
dl.figures div { min-width: 0; }
dt { color: var(--soft); font-size: 13px; }
dd { margin: 0; font-size: 21px; font-weight: 600; font-variant-numeric: tabular-nums; letter-spacing: -0.01em; }

figure { margin: 0; break-inside: avoid; }
figcaption { color: var(--soft); font-size: 14px; line-height: 1.5; margin: 0 0 14px; max-width: 76ch; }
svg.chart { display: block; max-width: 100%; height: auto; overflow: visible; color: var(--chart-muted); }
svg.chart text { white-space: pre; font-variant-numeric: tabular-nums; }
.narrow { display: none; }
.scroll { overflow-x: auto; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 22px 24px; margin-top: 4px; }
.panels > div { min-width: 0; break-inside: avoid; }

table { border-collapse: collapse; font-size: 15px; font-variant-numeric: tabular-nums; margin: 8px 0 0; min-width: min(100%, 420px); overflow-wrap: normal; }
th, td { padding: 7px 20px 7px 0; text-align: left; vertical-align: baseline; border-bottom: 1px solid var(--line); max-width: 32ch; overflow-wrap: break-word; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--soft); font-weight: 500; font-size: 13px; vertical-align: bottom; }
tbody th { font-weight: 500; min-width: 9ch; }
tbody tr:last-child > * { border-bottom: 0; }
.number { text-align: right; }
td.number { white-space: nowrap; }
.note { margin-top: 10px; color: var(--soft); font-size: 14px; max-width: 76ch; }

pre {
  margin: 10px 0 0; padding: 14px 16px; background: var(--code); border: 1px solid var(--line); border-radius: 6px;
  font: 13.5px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
footer { padding: 8px 4px 0; color: var(--soft); font-size: 13px; }

@media (max-width: 640px) {
  body { padding: 24px 10px 40px; font-size: 15.5px; }
  section { padding: 18px 16px; }
  h1 { font-size: 23px; }
  .headline { font-size: 18.5px; }
  .wide { display: none; }
  .narrow { display: block; }
  .panels { grid-template-columns: minmax(0, 1fr); }
  th, td { padding-right: 12px; max-width: 22ch; }
}
@media print {
  @page { margin: 16mm 14mm; }
  body { padding: 0; background: none; font-size: 10.5pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  main, header, footer { max-width: none; }
  section { border: 0; border-radius: 0; padding: 0; margin: 0 0 22px; }
  .verdict { border-left: 4px solid var(--status); padding-left: 14px; }
  h2 { break-after: avoid; }
  tr, pre { break-inside: avoid; }
  .wide { display: block; }
  .narrow { display: none; }
  .scroll { overflow: visible; }
}
`;
