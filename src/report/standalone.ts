import { contourChart } from "./charts/contour.ts";
import { linesChart } from "./charts/lines.ts";
import { FONT_SIZE } from "./charts/plot-svg.ts";
import { surfaceChart } from "./charts/surface.ts";
import { figuresOf, PANEL, WIDE } from "./figures.ts";
import type { LineFigure, PlanePicture, RunReport } from "./types.ts";

/** Free room around a chart that stands alone, px. */
const PADDING = 16;
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

/** The chart of a page as a file: custom properties replaced by what they fall back to, on paper of its own. */
function standalone(chart: string): string {
  const [, attributes = "", content = ""] = /^<svg([^>]*)>(.*)<\/svg>$/s.exec(chart) ?? [];
  const size = (name: string): number => Number(new RegExp(` ${name}="([\\d.]+)"`).exec(attributes)?.[1]);
  const [width, height] = [size("width") + 2 * PADDING, size("height") + 2 * PADDING];
  const label = / aria-label="[^"]*"/.exec(attributes)?.[0] ?? "";
  const root =
    `<svg xmlns="http://www.w3.org/2000/svg" role="img"${label} width="${width}" height="${height}" ` +
    `viewBox="${-PADDING} ${-PADDING} ${width} ${height}" font-family="${FONTS}" font-size="${FONT_SIZE}" ` +
    `text-anchor="middle" fill="currentColor" color="${COLORS.text}">`;
  const paper = `<rect x="${-PADDING}" y="${-PADDING}" width="${width}" height="${height}" fill="${COLORS.paper}"/>`;
  return `${root}${paper}${content.replace(/var\(--[\w-]+, (#\w+)\)/g, "$1")}</svg>\n`;
}
