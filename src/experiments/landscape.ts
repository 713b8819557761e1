import { ConfigError } from "../base/errors.ts";
import { createCompute } from "../compute/index.ts";
import { NetworkLanes, trainedRanges } from "../network/deep/index.ts";
import { type LineFigure, renderLines, renderPlane } from "../report/index.ts";
import {
  LANDSCAPE_DEFAULTS,
  type Landscape,
  type LandscapeOptions,
  type LandscapeSetup,
  LINE_POINTS,
  type LineSlice,
  landscapeOf,
  landscapeWork,
  lineBetween,
  subsetOf,
} from "../training/index.ts";
import type { RunFile } from "./fit-types.ts";
import { addPng } from "./redraw.ts";
import { openTraining, type StoredTraining } from "./training/stored.ts";

/** What of the landscape of a run is wanted. */
export interface LandscapeRequest {
  readonly run: string;
  readonly runs: string;
  /** Another run: the line between the two; null: a plane around the first. */
  readonly between: string | null;
  readonly axes: LandscapeOptions["axes"];
  readonly radius: number;
  /** Along each axis, made odd; along a line at least as many as the definition of its barrier asks for. */
  readonly points: number;
  /** Deviation of the Gaussian that the Hessian is averaged over, and steps of Oja's method. */
  readonly smoothing: number;
  readonly ojaSteps: number;
  readonly seed: number;
  /** Samples that the loss is taken over, at most. */
  readonly samples: number;
  readonly threads: number | undefined;
  /** Told of the work done, and of all there is at most, now and then. */
  readonly progress?: (done: number, all: number) => void;
}

/** The landscape of a run, as numbers and as figures. */
export type LandscapeResult = {
  readonly run: string;
  readonly step: number;
  /** Samples that the loss is taken over. */
  readonly samples: number;
} & (
  | { readonly kind: "plane"; readonly plane: Landscape }
  | { readonly kind: "line"; readonly between: string; readonly line: LineSlice }
);

/** Samples that go through the network together. */
const TOGETHER = 256;

/**
 * Looks at the loss around the network of a run, or between those of two.
 *
 * @throws UserError when there is no such run, or two do not fit.
 */
export async function exploreLandscape(
  request: LandscapeRequest,
): Promise<{ readonly result: LandscapeResult; readonly files: readonly RunFile[]; readonly png: boolean }> {
  const { between, runs, axes, radius, points, smoothing, ojaSteps, seed, threads } = request;
  const stored = openTraining(runs, request.run);
  const other = between === null ? null : openTraining(runs, between);
  if (other !== null) requireSame(stored, other);
  const compute = await createCompute(threads === undefined ? {} : { threads });
  const lanes = new NetworkLanes(compute);
  try {
    const result = compute.scope((scope): LandscapeResult => {
      const { posed, settings, state } = stored;
      const { n } = posed.data;
      const count = Math.min(n, request.samples);
      const rows = Uint32Array.from({ length: count }, (_, k) => Math.floor((k * n) / count));
      const { graph } = posed;
      const tape = lanes.tape<Float64Array>({
        graph,
        precision: "f64",
        samples: count,
        orders: 2,
        trained: posed.isTrained,
      });
      let done = 0;
      let all = 0;
      const setup: LandscapeSetup = {
        ...(tape === null ? {} : { tape }),
        progress(work) {
          done += work;
          request.progress?.(done, all);
        },
        graph,
        compute,
        scope,
        data: subsetOf(posed.data, rows),
        reduction: settings.reduction,
        samples: tape === null ? TOGETHER : count,
        trained: trainedRanges(graph, posed.isTrained),
        state,
      };
      const common = { run: stored.id, step: stored.step, samples: count };
      const theta = scope.copy(stored.theta);
      if (other === null) {
        const search = { ...LANDSCAPE_DEFAULTS.search, smoothing, steps: ojaSteps, seed };
        const options = { ...LANDSCAPE_DEFAULTS, axes, radius, points: points + 1 - (points % 2), search };
        all = landscapeWork(options);
        return { ...common, kind: "plane", plane: landscapeOf(setup, theta, options) };
      }
      all = Math.max(LINE_POINTS, points);
      const line = lineBetween(setup, theta, scope.copy(other.theta), all);
      return { ...common, kind: "line", between: other.id, line };
    });
    return { result, ...(await addPng(figuresOf(result))) };
  } finally {
    lanes.close();
    await compute.close();
  }
}

function requireSame(a: StoredTraining, b: StoredTraining): void {
  const same = JSON.stringify(a.posed.architecture) === JSON.stringify(b.posed.architecture);
  if (same && a.posed.input.join() === b.posed.input.join()) return;
  throw new ConfigError(`runs ${a.id} and ${b.id} have different architectures`, {
    code: "landscape-networks",
    hint: "there is a line between networks of the same architecture only",
  });
}

function figuresOf(result: LandscapeResult): RunFile[] {
  const figures =
    result.kind === "line"
      ? renderLines(lineFigure(result.line))
      : renderPlane({
          labels: result.plane.labels,
          what: "loss",
          x: result.plane.slice.x,
          y: result.plane.slice.y,
          values: result.plane.slice.loss,
        });
  return figures.map(({ name, svg }) => ({ name: `${name}.svg`, bytes: new TextEncoder().encode(svg) }));
}

function lineFigure({ alpha, loss, accuracy }: LineSlice): LineFigure {
  const points = (values: readonly number[]) => alpha.map((a, k) => [a, values[k]!] as const);
  const hasClasses = accuracy.every(Number.isFinite);
  return {
    name: "line",
    title: "Between two networks",
    caption: "Loss along the straight line from the first network (0) to the second (1).",
    x: { label: "from the first network to the second" },
    y: { label: hasClasses ? "loss, share of wrong answers" : "loss" },
    lines: [
      { label: "loss", points: points(loss) },
      ...(hasClasses ? [{ label: "wrong", dashed: true, points: points(accuracy.map((value) => 1 - value)) }] : []),
    ],
  };
}
