import { contourChart } from "./charts/contour.ts";
import { linesChart } from "./charts/lines.ts";
import { FONT_SIZE } from "./charts/plot-svg.ts";
import { surfaceChart } from "./charts/surface.ts";
import { figuresOf, PANEL, WIDE } from "./figures.ts";
import { DARK_COLORS } from "./style.ts";
import type { LineFigure, PlanePicture, RunReport } from "./types.ts";

/** Free room around a chart that stands alone, px. */
const PADDING = 16;
/** A custom property with what it falls back to. */
const PROPERTY = /var\((--[\w-]+), (#\w+)\)/g;
const COLORS = { paper: "#ffffff", text: "#5b636d" };
/** The first is the font that comes with the package; the others are for viewers that lack it. */
const FONTS = "DejaVu Sans, system-ui, sans-serif";

/** A chart as a file of its own. */
export interface FigureFile {
  /** Without an ending, e.g. `convergence` or `convergence-2`. */
  readonly name: string;
  readonly svg: string;
}

/** Every figure of a report as an SVG file that any program can draw: light, with room around it, no custom properties. */
export function renderFigures(report: RunReport): FigureFile[] {
  return figuresOf(report).flatMap(({ name, panels }) =>
    panels.map(({ draw }, k) => ({
      name: panels.length === 1 ? name : `${name}-${k + 1}`,
      svg: standalone(draw(panels.length === 1 ? WIDE : PANEL)),
    })),
  );
}

/** A function over a plane as level sets and as a surface. */
export function renderPlane(picture: PlanePicture): FigureFile[] {
  const width = 640;
  return [
    { name: "contour", svg: standalone(contourChart(picture, width)) },
    { name: "surface", svg: standalone(surfaceChart(picture, width)) },
  ];
}

/** Lines over a common axis as a file of their own; none when there is nothing to draw. */
export function renderLines(figure: LineFigure): FigureFile[] {
  const chart = linesChart(figure, { width: 640, height: 320 });
  return chart === null ? [] : [{ name: figure.name, svg: standalone(chart) }];
}

/**
 * The chart of a page as a file: custom properties replaced by what they fall back to, on paper of its own.
 *
 * @param scheme `both`: viewers that prefer a dark scheme get the colours of the dark report; all others, and programs that know no
 *   style sheets, the light ones.
 */
export function standalone(chart: string, scheme: "light" | "both" = "light"): string {
  const [, attributes = "", content = ""] = /^<svg([^>]*)>(.*)<\/svg>$/s.exec(chart) ?? [];
  const size = (name: string): number => Number(new RegExp(` ${name}="([\\d.]+)"`).exec(attributes)?.[1]);
  const [width, height] = [size("width") + 2 * PADDING, size("height") + 2 * PADDING];
  const label = / aria-label="[^"]*"/.exec(attributes)?.[0] ?? "";
  const root =
    `<svg xmlns="http://www.w3.org/2000/svg" role="img"${label} width="${width}" height="${height}" ` +
    `viewBox="${-PADDING} ${-PADDING} ${width} ${height}" font-family="${FONTS}" font-size="${FONT_SIZE}" ` +
    `text-anchor="middle" fill="currentColor" color="${COLORS.text}">`;
  const paper = `<rect x="${-PADDING}" y="${-PADDING}" width="${width}" height="${height}" fill="${COLORS.paper}"/>`;
  const style = scheme === "both" ? darkStyle(chart) : "";
  return `${root}${style}${paper}${content.replace(PROPERTY, "$2")}</svg>\n`;
}

/** Rules that give each light colour of a chart its dark one; two properties of one light colour are close in the dark too. */
function darkStyle(chart: string): string {
  const dark = (name: string): string => DARK_COLORS.get(name) ?? COLORS.text;
  const pairs = new Map([...chart.matchAll(PROPERTY)].map(([, name, light]) => [light!, dark(name!)]));
  pairs.set(COLORS.paper, dark("--chart-paper"));
  const rules = [...pairs].flatMap(([light, color]) => [
    `[fill="${light}"]{fill:${color}}`,
    `[stroke="${light}"]{stroke:${color}}`,
  ]);
  return `<style>@media (prefers-color-scheme:dark){svg{color:${dark("--chart-muted")}}${rules.join("")}}</style>`;
}
