import * as Plot from "@observablehq/plot";
import { formatFixed, formatNumber } from "../format.ts";
import type { NeuronPanel, NeuronRow } from "../types.ts";
import { fitLabel, textWidth } from "./labels.ts";
import { COLORS, FONT_SIZE, plotSvg } from "./plot-svg.ts";

const ROW = 24;
const LARGEST_CELL = 64;
const SMALLEST_CELL = 34;
const LONGEST_NAME = 130;
const NUMBER_ROOM = 44;
const CLASS = "class";

/**
 * How the effects of a heat map are written: all with the same decimals, the strongest with two significant digits, in
 * units of a power of a thousand when they are very large or very small.
 */
function effectFormat(strongest: number): { unit: string | null; format: (effect: number) => string } {
  const power = strongest > 0 ? Math.floor(Math.log10(strongest)) : 0;
  const thousands = power >= 3 || power < -2 ? 3 * Math.floor(power / 3) : 0;
  const decimals = Math.max(0, 1 - (power - thousands));
  return {
    unit: thousands === 0 ? null : formatNumber(10 ** thousands),
    format: (effect) => {
      const text = formatFixed(effect / 10 ** thousands, decimals);
      return /[1-9]/.test(text) ? text : "0";
    },
  };
}

function percent(share: number): string {
  return share < 0.001 ? "< 0.1 %" : `${formatNumber(100 * share, share >= 0.0995 ? 2 : 1)} %`;
}

/** Where the parts of the chart stand, px from the left. */
interface Layout {
  readonly classes: number;
  readonly active: number;
  readonly share: number;
  readonly cells: number;
  /** Room of a bar, its number not counted. */
  readonly bar: number;
  readonly cell: number;
  /** Features that have room. */
  readonly count: number;
}

function layout({ features, neurons }: NeuronPanel, width: number): Layout {
  const narrow = width < 500;
  const named = neurons.some(({ output }) => output !== "");
  const longest = Math.max(
    ...[CLASS, ...neurons.map(({ output }) => output)].map((name) => textWidth(name, FONT_SIZE)),
  );
  const classes = 24;
  const active = classes + (named ? Math.ceil(Math.min(narrow ? 50 : LONGEST_NAME, longest)) + 14 : 0);
  const bar = narrow ? 16 : 70;
  const share = active + bar + NUMBER_ROOM;
  const cells = share + bar + NUMBER_ROOM + 8;
  const count = Math.max(0, Math.min(features.length, Math.floor((width - cells) / SMALLEST_CELL)));
  const cell = Math.floor(Math.min(LARGEST_CELL, (width - cells) / Math.max(1, count)));
  return { classes, active, share, cells, bar, cell, count };
}

/**
 * Hidden neurons, one a row: bars for the rows on which each is active and for its share of the penalty, and a heat map
 * of the effect of the most used features while it is active.
 *
 * @param width in px; the least used features are left out when they have no room.
 */
export function neuronsChart(panel: NeuronPanel, width: number): string {
  const { rows, neurons } = panel;
  const place = layout(panel, width);
  const { cell } = place;
  const features = panel.features.slice(0, place.count);
  const longest = Math.max(0, ...features.map((name) => textWidth(name, FONT_SIZE)));
  const upright = longest > cell - 6;
  const marginTop = upright ? Math.ceil(Math.min(LONGEST_NAME, longest)) + 18 : 46;
  const cells = neurons.flatMap(({ effects }, j) => features.map((_, k) => ({ j, k, effect: effects[k] ?? 0 })));
  const strongest = Math.max(0, ...cells.map(({ effect }) => Math.abs(effect)));
  const { unit, format } = effectFormat(strongest);
  const shade = ({ effect }: { effect: number }): number => (strongest > 0 ? Math.abs(effect) / strongest : 0);
  const marginBottom = unit === null ? 4 : 24;
  const height = marginTop + neurons.length * ROW + marginBottom;

  // All places are px: bars and heat map share the rows, but no scale.
  const middle = (_: unknown, j: number): number => (j + 0.5) * ROW;
  const left = { textAnchor: "start", fill: COLORS.ink } as const;
  const words = (x: number, text: (neuron: NeuronRow, j: number) => string, room: number) =>
    Plot.text(neurons, { ...left, x, y: middle, text: (neuron, j) => fitLabel(text(neuron, j), room, FONT_SIZE) });
  const bars = (
    x: number,
    fill: string,
    length: (neuron: NeuronRow) => number,
    text: (neuron: NeuronRow) => string,
  ) => {
    const end = (neuron: NeuronRow): number => x + Math.max(1, place.bar * length(neuron));
    const y1 = (_: unknown, j: number): number => j * ROW + 6;
    const y2 = (_: unknown, j: number): number => (j + 1) * ROW - 6;
    return [
      Plot.rect(neurons, { x1: x, x2: end, y1, y2, fill }),
      Plot.text(neurons, { ...left, x: (neuron) => end(neuron) + 4, y: middle, text }),
    ];
  };
  const head = (x: number, text: string) =>
    Plot.text([text], { x, y: 0, dy: -8, lineAnchor: "bottom", textAnchor: "start", fill: COLORS.muted });
  const largest = Math.max(Number.MIN_VALUE, ...neurons.map(({ share }) => share));
  const scale = { type: "linear", axis: null } as const;
  return plotSvg("Hidden neurons: rows on which each is active, share of the penalty, effects of features", {
    width,
    height,
    marginTop,
    marginRight: 0,
    marginBottom,
    marginLeft: 0,
    x: { ...scale, domain: [0, width], range: [0, width] },
    y: { ...scale, domain: [0, neurons.length * ROW], range: [marginTop, height - marginBottom] },
    marks: [
      words(0, (_, j) => String(j + 1), place.classes),
      ...(place.active === place.classes
        ? []
        : [
            words(place.classes, ({ output }) => output, place.active - place.classes - 10),
            head(place.classes, CLASS),
          ]),
      ...bars(
        place.active,
        COLORS.muted,
        ({ active }) => active / rows,
        ({ active }) => formatNumber(active),
      ),
      ...bars(
        place.share,
        COLORS.ink,
        ({ share }) => share / largest,
        ({ share }) => percent(share),
      ),
      head(place.active, "active\nrows"),
      head(place.share, "share of\npenalty"),
      Plot.rect(cells, {
        x1: ({ k }) => place.cells + k * cell + 1,
        x2: ({ k }) => place.cells + (k + 1) * cell - 1,
        y1: ({ j }) => j * ROW + 1,
        y2: ({ j }) => (j + 1) * ROW - 1,
        fill: ({ effect }) => (effect < 0 ? COLORS.objective : COLORS.bound),
        fillOpacity: (entry) => 0.05 + 0.95 * shade(entry),
      }),
      ...[true, false].map((strong) =>
        Plot.text(
          cells.filter((entry) => shade(entry) > 0.55 === strong),
          {
            x: ({ k }) => place.cells + (k + 0.5) * cell,
            y: ({ j }) => middle(null, j),
            text: ({ effect }) => format(effect),
            fontSize: FONT_SIZE - 1,
            fill: strong ? COLORS.onStrong : COLORS.ink,
          },
        ),
      ),
      Plot.text(features, {
        x: (_: string, k: number) => place.cells + (k + 0.5) * cell,
        y: 0,
        dy: -8,
        text: (name: string) => fitLabel(name, upright ? LONGEST_NAME : cell - 4, FONT_SIZE),
        fill: COLORS.ink,
        ...(upright ? { rotate: -90, textAnchor: "start" } : { lineAnchor: "bottom" }),
      }),
      ...(unit === null
        ? []
        : [
            Plot.text([`effects in units of ${unit}`], {
              ...left,
              x: place.cells,
              y: neurons.length * ROW,
              dy: 12,
              fill: COLORS.muted,
            }),
          ]),
    ],
  });
}
