import * as Plot from "@observablehq/plot";
import { formatNumber } from "../format.ts";
import type { RegionsPicture } from "../types.ts";
import { type Axis, drawable, extent, linearAxis } from "./axis.ts";
import { fitLabel } from "./labels.ts";
import { type LegendItem, legend, SYMBOLS } from "./legend.ts";
import { axisMarks, COLORS, FONT_SIZE, leftMargin, plotSvg, SERIES_COLORS, scaleOptions } from "./plot-svg.ts";

const MARGIN = { right: 20, bottom: 48 };
const LABEL_ROOM = 30;
/** Level sets between the lowest and the highest output. */
const LEVELS = 8;
/** Opacity of one level above the other: they add up. */
const STEP = 0.075;

/** The axis over the grid without its outermost cells, where level sets are closed along its edge. */
function frame([first, last]: readonly [number, number], size: number, count: number): Axis {
  const cell = (last - first) / (size - 1);
  const [low, high] = [first + cell, last - cell];
  const axis = linearAxis([low, high], count);
  return { ...axis, domain: [low, high], ticks: axis.ticks.filter((tick) => tick >= low && tick <= high) };
}

/** Paper over everything between the frame and one cell beyond the grid. */
function mat({ x: [x1, x2], y: [y1, y2], size }: RegionsPicture, x: Axis, y: Axis): Plot.Markish {
  const [left, right] = [x1 - (x2 - x1) / size, x2 + (x2 - x1) / size];
  const [bottom, top] = [y1 - (y2 - y1) / size, y2 + (y2 - y1) / size];
  const sides = [
    { x1: left, x2: x.domain[0], y1: bottom, y2: top },
    { x1: x.domain[1], x2: right, y1: bottom, y2: top },
    { x1: left, x2: right, y1: bottom, y2: y.domain[0] },
    { x1: left, x2: right, y1: y.domain[1], y2: top },
  ];
  return Plot.rect(sides, { x1: "x1", x2: "x2", y1: "y1", y2: "y2", fill: COLORS.paper });
}

/** Filled level set {grid >= level}. */
function above(
  picture: RegionsPicture,
  grid: readonly number[],
  level: number,
  paint: Plot.ContourOptions,
): Plot.Markish {
  const [x1, x2] = picture.x;
  const [y1, y2] = picture.y;
  const { size } = picture;
  return Plot.contour(grid, { width: size, height: size, x1, x2, y1, y2, thresholds: [level], ...paint });
}

/** Score of each class above the best of the others, at each point of the grid. */
function margins(grids: RegionsPicture["grids"]): number[][] {
  return grids.map((grid, q) =>
    grid.map((value, k) => value - Math.max(...grids.filter((_, other) => other !== q).map((other) => other[k]!))),
  );
}

/** What the network says over its two features: level sets of a number, or the regions of the classes. */
function ground(picture: RegionsPicture): { marks: Plot.Markish[]; levels: readonly number[] } {
  const { classes, grids } = picture;
  if (classes !== null && grids.length > 1) {
    const marks = margins(grids).flatMap((margin, q) => {
      const color = SERIES_COLORS[q % SERIES_COLORS.length]!;
      return [
        above(picture, margin, 0, { fill: color, fillOpacity: 0.2 }),
        above(picture, margin, 0, { fill: "none", stroke: COLORS.ink, strokeWidth: 1.2 }),
      ];
    });
    return { marks, levels: [] };
  }
  const grid = grids[0]!;
  const [low, high] = extent(grid);
  if (classes === null) {
    const levels = linearAxis([low, high], LEVELS).ticks.filter((level) => level > low && level < high);
    const marks = levels.map((level) =>
      above(picture, grid, level, {
        fill: COLORS.accent,
        fillOpacity: STEP,
        stroke: COLORS.accent,
        strokeOpacity: 0.5,
        strokeWidth: 0.8,
      }),
    );
    return { marks, levels };
  }
  // Two classes: the boundary, and how far from it the score is on either side.
  const reach = Math.max(Math.abs(low), Math.abs(high));
  const steps = linearAxis([0, reach], LEVELS / 2).ticks.filter((level) => level > 0 && level < reach);
  const negated = grid.map((value) => -value);
  const sides = [
    [negated, SERIES_COLORS[0]],
    [grid, SERIES_COLORS[1]],
  ] as const;
  return {
    marks: [
      ...sides.flatMap(([side, color]) =>
        [0, ...steps].map((level) =>
          above(picture, side, level, { fill: color, fillOpacity: level === 0 ? 0.14 : STEP }),
        ),
      ),
      above(picture, grid, 0, { fill: "none", stroke: COLORS.ink, strokeWidth: 2 }),
    ],
    levels: [],
  };
}

/**
 * A network of two features: decision regions or level sets, the lines along which a neuron switches, and the rows of
 * the file (filled: training, hollow: held out; one shape a class).
 */
export function regionsChart(picture: RegionsPicture, width: number): string {
  const { features, output, classes, points, kinks } = picture;
  const x = frame(picture.x, picture.size, width < 500 ? 4 : 6);
  const y = frame(picture.y, picture.size, 5);
  const marginLeft = leftMargin(y);
  const known = points.filter((point) => drawable(point.x) && drawable(point.y) && drawable(point.value));
  const { marks, levels } = ground(picture);

  const colorOf = (q: number): string => SERIES_COLORS[q % SERIES_COLORS.length]!;
  const [least, most] = extent(known.map(({ value }) => value));
  const groups = classes === null ? [0] : classes.map((_, q) => q);
  const crowd = Math.min(1, Math.max(0.4, 250 / Math.max(1, known.length)));
  const dots = groups.flatMap((q) =>
    [false, true].map((heldOut) => {
      const some = known.filter((point) => point.heldOut === heldOut && (classes === null || point.value === q));
      const color = classes === null ? COLORS.objective : colorOf(q);
      return Plot.dot(some, {
        x: "x",
        y: "y",
        symbol: SYMBOLS[q % SYMBOLS.length]!,
        // A number is told by the area of its dot.
        r: classes === null ? ({ value }) => 1.4 + 3.2 * Math.sqrt((value - least) / (most - least || 1)) : 3.2,
        ...(heldOut
          ? { stroke: color, strokeWidth: 1.3, fill: COLORS.paper, fillOpacity: 0.6 }
          : { fill: color, fillOpacity: crowd, stroke: COLORS.paper, strokeWidth: 0.6 }),
      });
    }),
  );
  const anyHeldOut = known.some(({ heldOut }) => heldOut);
  const items: LegendItem[] = [
    ...(classes === null
      ? [{ label: "row: larger is more", mark: "dot", color: COLORS.objective } as const]
      : classes.map(
          (label, q) => ({ label, mark: "dot", color: colorOf(q), symbol: SYMBOLS[q % SYMBOLS.length]! }) as const,
        )),
    ...(anyHeldOut ? [{ label: "held-out row", mark: "hollow", color: COLORS.muted } as const] : []),
    ...(classes === null ? [] : [{ label: "boundary", mark: "line", color: COLORS.ink } as const]),
    ...(kinks.length > 0 ? [{ label: "kink of a neuron", mark: "dashed", color: COLORS.muted } as const] : []),
  ];
  const { marks: legendMarks, height: legendHeight } = legend(items, width - marginLeft, LABEL_ROOM);
  const plotWidth = width - marginLeft - MARGIN.right;
  const height = Math.round(0.82 * plotWidth) + legendHeight + MARGIN.bottom;
  const range =
    levels.length < 2
      ? ""
      : `; levels of ${output} from ${formatNumber(levels[0]!)} to ${formatNumber(levels.at(-1)!)}, a step is ${formatNumber(levels[1]! - levels[0]!)}`;
  return plotSvg("The network's output over its two features, with the rows of the file", {
    width,
    height,
    marginTop: legendHeight,
    marginRight: MARGIN.right,
    marginBottom: MARGIN.bottom,
    marginLeft,
    x: scaleOptions(x),
    y: scaleOptions(y),
    r: { type: "identity" },
    marks: [
      ...marks,
      Plot.link(kinks, {
        x1: "x1",
        y1: "y1",
        x2: "x2",
        y2: "y2",
        stroke: COLORS.muted,
        strokeWidth: 1,
        strokeDasharray: "5 4",
        strokeOpacity: kinks.length > 20 ? 0.4 : 0.8,
      }),
      mat(picture, x, y),
      ...axisMarks(x, y, { x: fitLabel(features[0], plotWidth, FONT_SIZE), y: "" }),
      Plot.text([fitLabel(`${features[1]}${range}`, width - 4, FONT_SIZE)], {
        frameAnchor: "top-left",
        dx: -marginLeft,
        dy: -14,
        textAnchor: "start",
        fill: COLORS.muted,
      }),
      ...dots,
      Plot.frame({ stroke: COLORS.grid }),
      ...legendMarks,
    ],
  });
}
