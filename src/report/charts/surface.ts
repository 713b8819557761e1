import { formatNumber } from "../format.ts";
import { escapeText } from "../html.ts";
import type { PlanePicture } from "../types.ts";
import { extent } from "./axis.ts";
import { heightsOf } from "./contour.ts";
import { fitLabel } from "./labels.ts";
import { COLORS, FONT_SIZE } from "./plot-svg.ts";

/** How far the view is turned about the vertical, and how flat it lies: height of the ground per depth. */
const TURN = Math.PI / 5;
const FLATNESS = 0.45;
/** Height of the tallest point relative to the width of the ground. */
const RISE = 0.42;
const MARGIN = { top: 14, side: 16, bottom: 52 };

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A function over a plane seen from above at an angle: each cell of the grid as a patch, darker where it is higher. */
export function surfaceChart(picture: PlanePicture, width: number): string {
  const { x: xs, y: ys, labels, what } = picture;
  const { values, isLog } = heightsOf(picture.values);
  const [low, high] = extent(values);
  const tall = (k: number): number => (high > low ? (values[k]! - low) / (high - low) : 0);
  const [cos, sin] = [Math.cos(TURN), Math.sin(TURN)];
  // The ground is the square [-1, 1]^2, its far corner first.
  const flat = (u: number, v: number, h: number): Point => ({
    x: u * cos - v * sin,
    y: -(u * sin + v * cos) * FLATNESS - 2 * RISE * h,
  });
  const along = (of: readonly number[], k: number): number => -1 + (2 * k) / (of.length - 1);
  const reach = cos + sin;
  const scale = (width - 2 * MARGIN.side) / (2 * reach);
  const top = MARGIN.top + scale * (reach * FLATNESS + 2 * RISE);
  const height = Math.ceil(top + scale * reach * FLATNESS + MARGIN.bottom);
  const place = ({ x, y }: Point): string => `${(width / 2 + scale * x).toFixed(1)},${(top + scale * y).toFixed(1)}`;
  const point = (i: number, j: number): Point => flat(along(xs, i), along(ys, j), tall(j * xs.length + i));

  const patches: string[] = [];
  // From the back to the front: what is nearer hides what is behind.
  for (let j = ys.length - 2; j >= 0; j--) {
    for (let i = xs.length - 2; i >= 0; i--) {
      const corners = [point(i, j), point(i + 1, j), point(i + 1, j + 1), point(i, j + 1)];
      const at = [0, 1, xs.length, xs.length + 1].map((step) => tall(j * xs.length + i + step));
      const shade = (at.reduce((sum, value) => sum + value, 0) / 4) * 0.75 + 0.08;
      const points = corners.map(place).join(" ");
      patches.push(
        `<polygon points="${points}" fill="${COLORS.paper}"/>` +
          `<polygon points="${points}" fill="${COLORS.accent}" fill-opacity="${shade.toFixed(2)}" ` +
          `stroke="${COLORS.accent}" stroke-width="0.4"/>`,
      );
    }
  }
  const ground = [flat(-1, -1, 0), flat(1, -1, 0), flat(1, 1, 0), flat(-1, 1, 0)].map(place).join(" ");
  const text = (at: Point, dx: number, anchor: string, label: string): string => {
    const fitted = escapeText(fitLabel(label, width / 2, FONT_SIZE));
    const [x, y] = [width / 2 + scale * at.x + dx, top + scale * at.y + 30];
    return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="${COLORS.muted}">${fitted}</text>`;
  };
  const least = picture.values.filter(Number.isFinite);
  const [from, to] = extent(least);
  const range = `${what} from ${formatNumber(from, 3)} to ${formatNumber(to, 3)}${isLog ? ", on a logarithmic scale" : ""}`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" aria-label="The loss over a plane as a surface" ` +
    `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-size="${FONT_SIZE}">` +
    `<polygon points="${ground}" fill="none" stroke="${COLORS.grid}"/>${patches.join("")}` +
    text(flat(0.2, -1, 0), 0, "start", labels[0]) +
    text(flat(-1, -0.2, 0), 0, "end", labels[1]) +
    `<text x="4" y="${height - 6}" text-anchor="start" fill="${COLORS.muted}">${escapeText(fitLabel(range, width - 8, FONT_SIZE))}</text>` +
    "</svg>"
  );
}
