import { type Matrix, matrix } from "../base/matrix.ts";
import type { Dataset, Encoding, Samples } from "../data/types.ts";
import { forward, type TwoLayerNetwork } from "../network/index.ts";
import type { CurvePicture, RegionsPicture } from "../report/index.ts";

/** Points of the grid of a picture over two features, along each axis. */
const GRID = 81;
/** Rows of the file that a picture shows at most. */
const ROWS = 1200;
/** With more outputs, regions could not be told apart. */
const OUTPUTS = 6;
/** Free room around the data, as a share of their range. */
const MARGIN = 0.06;
/** Kinks nearer than this share of the picture are one. */
const SAME_KINK = 1e-9;
/** Significant digits of stored predictions: a tenth of a pixel. */
const DIGITS = 5;

type Axis = Extract<Encoding, { kind: "number" }>;

/** What a picture is made of. */
export interface PictureInput {
  readonly network: TwoLayerNetwork;
  readonly dataset: Dataset;
  /** Names of the outputs. */
  readonly outputs: readonly string[];
  /** Whether the outputs are log-odds. */
  readonly logOdds: boolean;
}

/** The network drawn over its features, in the units of the file; null unless they are one or two columns of numbers. */
export function networkPicture(input: PictureInput): CurvePicture | RegionsPicture | null {
  const { encodings } = input.dataset.preprocessing;
  const axes = encodings.filter((encoding) => encoding.kind === "number");
  if (axes.length !== encodings.length || input.outputs.length > OUTPUTS) return null;
  if (axes.length === 1) return curvePicture(input, axes[0]!);
  return axes.length === 2 ? regionsPicture(input, axes[0]!, axes[1]!) : null;
}

/** Value of an encoded feature in the units of the file. */
function decode(axis: Axis, value: number): number {
  return axis.mean + axis.scale * value;
}

function outputWords({ dataset, logOdds }: PictureInput): string {
  const { name, classes } = dataset.target;
  if (classes === null) return name;
  return classes.length === 2 ? `${logOdds ? "log-odds" : "score"} of ${classes[1]}` : "score of each class";
}

/** At most `ROWS` rows of both parts, evenly spaced. */
function shownRows({ train, test }: Dataset): { samples: Samples; i: number; heldOut: boolean }[] {
  const parts = [{ samples: train, heldOut: false }, ...(test === null ? [] : [{ samples: test, heldOut: true }])];
  const all = parts.flatMap(({ samples, heldOut }) => Array.from(samples.y, (_, i) => ({ samples, i, heldOut })));
  const stride = Math.max(1, all.length / ROWS);
  return Array.from({ length: Math.floor(all.length / stride) }, (_, k) => all[Math.floor(k * stride)]!);
}

/** Range of an encoded feature over both parts, with a margin. */
function encodedRange({ train, test }: Dataset, k: number): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const { X } of test === null ? [train] : [train, test]) {
    for (let i = 0; i < X.rows; i++) {
      low = Math.min(low, X.data[i * X.cols + k]);
      high = Math.max(high, X.data[i * X.cols + k]);
    }
  }
  const margin = MARGIN * (high - low) || 1;
  return [low - margin, high + margin];
}

/** Where the neurons switch: the hyperplanes g . x + h = 0. */
function switches({ U, b, gates }: TwoLayerNetwork): { G: Matrix; h: Float64Array } {
  return gates ?? { G: U, h: b };
}

function curvePicture(input: PictureInput, axis: Axis): CurvePicture {
  const { network, dataset, outputs } = input;
  const [low, high] = encodedRange(dataset, 0);
  const { G, h } = switches(network);
  const c = network.W.cols;
  const curves = outputs.map((label, q) => {
    const own = [...h.keys()].filter((j) => network.W.data[j * c + q] !== 0 && G.data[j] !== 0);
    const kinks = own.map((j) => -h[j] / G.data[j]).filter((x) => x > low && x < high);
    kinks.sort((a, b) => a - b);
    // Kinks at one row differ by rounding; between them there is no piece to draw.
    const apart = kinks.filter((x, k) => k === 0 || x - kinks[k - 1]! > SAME_KINK * (high - low));
    return { label, vertices: pieces(network, q, [low, ...apart, high]) };
  });
  return {
    kind: "curve",
    feature: axis.column,
    output: outputWords(input),
    classes: dataset.target.classes,
    points: shownRows(dataset).map(({ samples: { X, y }, i, heldOut }) => ({
      x: decode(axis, X.data[i]),
      value: y[i],
      heldOut,
    })),
    curves: curves.map(({ label, vertices }) => ({
      label,
      vertices: vertices.map(({ x, y, kink }) => ({ x: decode(axis, x), y, kink })),
    })),
  };
}

/**
 * Output q along the breaks of a piecewise linear (for a gated network also discontinuous) function of one feature. Each
 * piece is taken from two points inside it, where nothing depends on how a break was rounded.
 */
function pieces(
  network: TwoLayerNetwork,
  q: number,
  breaks: readonly number[],
): { x: number; y: number; kink: boolean }[] {
  const inside = breaks.slice(1).flatMap((end, k) => [0.25, 0.75].map((t) => breaks[k]! + t * (end - breaks[k]!)));
  const values = forward(network, matrix(inside.length, 1, Float64Array.from(inside)));
  const vertices: { x: number; y: number; kink: boolean }[] = [];
  for (let k = 0; k + 1 < breaks.length; k++) {
    const [first, second] = [2 * k, 2 * k + 1].map((i) => values.data[i * values.cols + q]) as [number, number];
    const half = (second - first) / 2;
    const start = { x: breaks[k]!, y: first - half, kink: k > 0 };
    const last = vertices.at(-1);
    const jump = last === undefined || Math.abs(last.y - start.y) > 1e-9 * (1 + Math.abs(last.y) + Math.abs(start.y));
    if (jump) vertices.push(start);
    vertices.push({ x: breaks[k + 1]!, y: second + half, kink: k + 2 < breaks.length });
  }
  return vertices;
}

function regionsPicture(input: PictureInput, first: Axis, second: Axis): RegionsPicture {
  const { network, dataset } = input;
  const [x, y] = [encodedRange(dataset, 0), encodedRange(dataset, 1)];
  const at = ([low, high]: readonly [number, number], k: number): number => low + ((high - low) * k) / (GRID - 1);
  const grid = matrix(GRID * GRID, 2);
  for (let j = 0; j < GRID; j++) for (let i = 0; i < GRID; i++) grid.data.set([at(x, i), at(y, j)], 2 * (j * GRID + i));
  const values = forward(network, grid);
  const range = (axis: Axis, [low, high]: [number, number]): [number, number] => [
    decode(axis, low),
    decode(axis, high),
  ];
  return {
    kind: "regions",
    features: [first.column, second.column],
    output: outputWords(input),
    classes: dataset.target.classes,
    x: range(first, x),
    y: range(second, y),
    size: GRID,
    grids: Array.from({ length: values.cols }, (_, q) =>
      Array.from({ length: values.rows }, (_, i) => Number(values.data[i * values.cols + q].toPrecision(DIGITS))),
    ),
    points: shownRows(dataset).map(({ samples: { X, y: target }, i, heldOut }) => ({
      x: decode(first, X.data[2 * i]),
      y: decode(second, X.data[2 * i + 1]),
      value: target[i],
      heldOut,
    })),
    kinks: kinkLines(network, x, y).map(({ x1, y1, x2, y2 }) => ({
      x1: decode(first, x1),
      y1: decode(second, y1),
      x2: decode(first, x2),
      y2: decode(second, y2),
    })),
  };
}

/** The lines g . x + h = 0 of all neurons, each cut to the box x times y; lines that miss it are left out. */
function kinkLines(
  network: TwoLayerNetwork,
  x: readonly [number, number],
  y: readonly [number, number],
): RegionsPicture["kinks"] {
  const { G, h } = switches(network);
  return [...h.keys()].flatMap((j) => {
    const [a, b] = [G.data[2 * j], G.data[2 * j + 1]];
    // Crossings with the four edges; a line through a corner gives the same one twice.
    const onX = x.map((at) => ({ x: at, y: -(h[j] + a * at) / b })).filter((p) => p.y >= y[0] && p.y <= y[1]);
    const onY = y.map((at) => ({ x: -(h[j] + b * at) / a, y: at })).filter((p) => p.x >= x[0] && p.x <= x[1]);
    const ends = [...onX, ...onY].sort((p, q) => p.x - q.x || p.y - q.y);
    const [from, to] = [ends[0], ends.at(-1)];
    if (from === undefined || to === undefined || (from.x === to.x && from.y === to.y)) return [];
    return [{ x1: from.x, y1: from.y, x2: to.x, y2: to.y }];
  });
}
