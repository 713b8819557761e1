/** Slices through the loss of a network, as grids of numbers; pure functions of data and parameters. */
import type { NetworkGraph } from "../../network/deep/index.ts";
import {
  type CurvatureSearch,
  curvatureProducts,
  filterNormalized,
  gradientDirection,
  type NegativeCurvature,
  negativeCurvature,
  orthogonalize,
} from "./directions.ts";
import { type LandscapeSetup, landscapeObjective, OBJECTIVE_WORK } from "./objective.ts";
import { LINE_POINTS, type LineSlice, lineSlice, type PlaneSlice, planeSlice, sliceSteps } from "./slices.ts";

export * from "./directions.ts";
export * from "./objective.ts";
export * from "./slices.ts";

/** Along which axes the landscape is looked at. */
export interface LandscapeOptions {
  /** `curvature`: gradient and most negatively curved direction; `random`: two filter-normalized random directions. */
  readonly axes: "curvature" | "random";
  /** Reach of the axes: distances for `curvature`, multiples of the filters' norms for `random`. */
  readonly radius: number;
  /** Points along each axis, odd. */
  readonly points: number;
  /** Whether the second axis is made orthogonal to the first. */
  readonly orthogonal: boolean;
  readonly search: CurvatureSearch;
}

export const LANDSCAPE_DEFAULTS: LandscapeOptions = {
  axes: "curvature",
  radius: 1,
  points: 21,
  orthogonal: true,
  search: { smoothing: 0.001, steps: 300, rate: 1.8, checks: 4, seed: 0 },
};

/** A plane of the loss with all that says how it was made: plain JSON. */
export interface Landscape {
  readonly axes: LandscapeOptions["axes"];
  readonly labels: readonly [string, string];
  readonly slice: PlaneSlice;
  /** Loss at the network itself. */
  readonly center: number;
  readonly gradientNorm: number;
  readonly curvature: Omit<NegativeCurvature, "direction"> | null;
  readonly settings: LandscapeOptions;
}

/** Work of {@link landscapeOf} at most, as {@link LandscapeSetup.progress} counts it. */
export function landscapeWork({ axes, points, search }: LandscapeOptions): number {
  const { value, gradient, hessian } = OBJECTIVE_WORK;
  return gradient + (1 + points ** 2) * value + (axes === "curvature" ? hessian * curvatureProducts(search) : 0);
}

/**
 * The loss around a network, over a plane.
 *
 * @throws RangeError when parameters or the number of points do not fit.
 */
export function landscapeOf(
  setup: LandscapeSetup,
  theta: Float64Array,
  options: LandscapeOptions = LANDSCAPE_DEFAULTS,
): Landscape {
  const { graph } = setup;
  requireParameters(graph, theta);
  const { axes, radius, points, orthogonal } = options;
  const ticks = sliceSteps(radius, points);
  const objective = landscapeObjective(setup);
  const search = { ...options.search, ...(setup.trained === undefined ? {} : { trained: setup.trained }) };
  const { direction, norm } = gradientDirection(objective, theta);
  const of = (a: Float64Array, b: Float64Array): PlaneSlice => {
    if (orthogonal && axes === "curvature") orthogonalize(a, b);
    return planeSlice(objective, theta, a, b, ticks, ticks);
  };
  const common = { axes, center: objective.value(theta).loss, gradientNorm: norm, settings: options };
  if (axes === "curvature") {
    const found = negativeCurvature(setup.compute, objective, theta, search);
    const { method, curvature, check } = found;
    const labels = ["gradient", "most negative curvature"] as const;
    return { ...common, labels, slice: of(direction, found.direction), curvature: { method, curvature, check } };
  }
  const [a, b] = (["first", "second"] as const).map((name) => {
    const out = objective.allocate(objective.size);
    filterNormalized(graph, theta, out, search.seed, name, setup.trained);
    return out;
  }) as [Float64Array, Float64Array];
  const labels = ["random direction", "another random direction"] as const;
  return { ...common, labels, slice: of(a, b), curvature: null };
}

/** The loss between two networks; statistics of batch normalization are made anew at each point. */
export function lineBetween(
  setup: LandscapeSetup,
  from: Float64Array,
  to: Float64Array,
  points: number = LINE_POINTS,
): LineSlice {
  requireParameters(setup.graph, from);
  requireParameters(setup.graph, to);
  return lineSlice(landscapeObjective({ ...setup, state: "renewed" }), from, to, points);
}

function requireParameters(graph: NetworkGraph, theta: Float64Array): void {
  if (theta.length === graph.parameters) return;
  throw new RangeError(`${theta.length} parameters for a network of ${graph.parameters}`);
}
