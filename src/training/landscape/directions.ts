import { randomStream } from "../../base/random.ts";
import { type Compute, lanczos } from "../../compute/index.ts";
import { blockSize, type NetworkGraph, type ParameterRange } from "../../network/deep/index.ts";
import type { Objective } from "./objective.ts";

/** ||x||, and x divided by it where it is not zero. */
function normalize(x: Float64Array): number {
  const norm = Math.hypot(...chunkNorms(x));
  if (norm > 0) for (let k = 0; k < x.length; k++) x[k] /= norm;
  return norm;
}

/** Norms of pieces that a spread can take. */
function chunkNorms(x: Float64Array): number[] {
  const norms: number[] = [];
  for (let from = 0; from < x.length; from += 4096) norms.push(Math.hypot(...x.subarray(from, from + 4096)));
  return norms;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}

/** The unit vector along the gradient, and the gradient's norm. */
export function gradientDirection(
  objective: Objective,
  theta: Float64Array,
): { readonly direction: Float64Array; readonly norm: number } {
  const direction = objective.allocate(objective.size);
  objective.gradient(theta, direction);
  return { norm: normalize(direction), direction };
}

/** How the most negatively curved direction is looked for. */
export interface CurvatureSearch {
  /** Standard deviation of the Gaussian that the Hessian is averaged over. */
  readonly smoothing: number;
  /** Steps of Oja's method, each with the Hessian at a new random point. */
  readonly steps: number;
  /** Step size of it, relative to the reciprocal of the largest curvature. */
  readonly rate: number;
  /** Points that the Hessian is averaged over for the check by Lanczos; 0: no check. */
  readonly checks: number;
  readonly seed: number;
  /** Parameters that may move; default: all. */
  readonly trained?: readonly ParameterRange[];
}

/** A direction of negative curvature of the smoothed Hessian. */
export interface NegativeCurvature {
  readonly direction: Float64Array;
  /** Whose it is: that of Lanczos where Oja's method did not get half as low. */
  readonly method: "oja" | "lanczos";
  /** By Oja's method, the mean of v'Hv over the second half of the steps; by Lanczos, v'Hv over the fixed points. */
  readonly curvature: number;
  /** The smallest eigenvalue of the average over fixed points by Lanczos, v'Hv there, and the cosine of the two vectors. */
  readonly check: { readonly smallest: number; readonly quotient: number; readonly cosine: number } | null;
}

/** Products for the size of the curvature, and steps of the Lanczos method at most. */
const POWER_STEPS = 12;
const LANCZOS_STEPS = 120;

/** Products with the Hessian that {@link negativeCurvature} makes at most. */
export function curvatureProducts({ steps, checks }: CurvatureSearch): number {
  return POWER_STEPS + steps + checks * (LANCZOS_STEPS + 1);
}

/**
 * The most negatively curved direction of E Hessian(theta + xi), xi ~ N(0, smoothing^2 I), by Oja's method: v <- v - eta
 * H(theta + xi) v, normalized. The axes of the landscapes of arXiv:1811.03962 (figure 1), where step size, number of
 * steps and smoothing are not given: they are settings here.
 */
export function negativeCurvature(
  compute: Compute,
  objective: Objective,
  theta: Float64Array,
  search: CurvatureSearch,
): NegativeCurvature {
  const { smoothing, steps, rate, checks, seed } = search;
  const { size } = objective;
  const trained = search.trained ?? [{ from: 0, count: size }];
  const fill = (out: Float64Array, normal: () => number): void => {
    out.fill(0);
    for (const { from, count } of trained) for (let k = from; k < from + count; k++) out[k] = normal();
  };
  const [point, shift, image] = [objective.allocate(size), objective.allocate(size), objective.allocate(size)];
  /** out <- Hessian(theta + xi) x with the next xi of a stream. */
  const product = (x: Float64Array, out: Float64Array, normal: () => number): void => {
    if (smoothing === 0) {
      objective.hessian(theta, x, out);
      return;
    }
    fill(shift, normal);
    for (let k = 0; k < size; k++) point[k] = theta[k] + smoothing * shift[k];
    objective.hessian(point, x, out);
  };
  const { normal } = randomStream(seed, "smoothing");
  const direction = objective.allocate(size);
  fill(direction, randomStream(seed, "negative curvature").normal);
  normalize(direction);
  // 1. The size of the curvature, by power iteration, for the step size.
  const largest = objective.allocate(size);
  largest.set(direction);
  let scale = 0;
  for (let step = 0; step < POWER_STEPS; step++) {
    product(largest, image, normal);
    largest.set(image);
    scale = Math.max(scale, normalize(largest));
  }
  // 2. Oja's method for the smallest eigenvalue.
  const eta = scale > 0 ? rate / scale : 0;
  let [sum, count] = [0, 0];
  for (let step = 0; step < steps; step++) {
    product(direction, image, normal);
    if (2 * step >= steps) {
      sum += dot(direction, image);
      count += 1;
    }
    for (let k = 0; k < size; k++) direction[k] -= eta * image[k];
    normalize(direction);
  }
  const curvature = count === 0 ? Number.NaN : sum / count;
  if (checks === 0) return { direction, method: "oja", curvature, check: null };
  // 3. Lanczos on the average over fixed points.
  const average = (x: Float64Array, out: Float64Array): void => {
    const fixed = randomStream(seed, "check of smoothing").normal;
    out.fill(0);
    for (let k = 0; k < checks; k++) {
      product(x, image, fixed);
      for (let i = 0; i < size; i++) out[i] += image[i] / checks;
    }
  };
  const [whole, result] = [objective.allocate(size), objective.allocate(size)];
  const gather = (from: Float64Array, to: Float64Array): void => {
    let at = 0;
    for (const range of trained) {
      to.set(from.subarray(range.from, range.from + range.count), at);
      at += range.count;
    }
  };
  const scatter = (from: Float64Array, to: Float64Array): void => {
    let at = 0;
    for (const range of trained) {
      to.set(from.subarray(at, at + range.count), range.from);
      at += range.count;
    }
  };
  const operator = {
    size: trained.reduce((all, one) => all + one.count, 0),
    apply(x: Float64Array, out: Float64Array): void {
      scatter(x, whole);
      average(whole, result);
      gather(result, out);
    },
  };
  const { values, vectors } = lanczos(compute, operator, 1, randomStream(seed, "lanczos"), {
    end: "smallest",
    tolerance: 1e-6,
    maxSteps: Math.min(operator.size, LANCZOS_STEPS),
  });
  scatter(vectors, whole);
  const cosine = Math.abs(dot(whole, direction));
  average(direction, result);
  const [smallest, quotient] = [values[0], dot(direction, result)];
  const check = { smallest, quotient, cosine };
  // Where the curvature is hardly negative Oja's method takes very many steps.
  const missed = smallest < 0 && quotient > smallest / 2;
  if (missed) return { direction: whole, method: "lanczos", curvature: smallest, check };
  return { direction, method: "oja", curvature, check };
}

/**
 * A random direction with each filter (row of a weight matrix) as long as that of the network, and nothing in biases and
 * normalizations (Li et al., arXiv:1712.09913).
 */
export function filterNormalized(
  graph: NetworkGraph,
  theta: Float64Array,
  out: Float64Array,
  seed: number,
  name: string,
  trained: readonly ParameterRange[] = [{ from: 0, count: graph.parameters }],
): void {
  const { normal } = randomStream(seed, `landscape ${name}`);
  out.fill(0);
  for (const { operation, parameters } of graph.nodes) {
    let at = parameters.from;
    for (const block of operation.parameters) {
      const end = at + blockSize(block);
      const [, width = 1] = block.shape;
      const isMoved = trained.some(({ from, count }) => at >= from && at < from + count);
      if (block.name === "weight" && isMoved) {
        for (let row = at; row < end; row += width) {
          const filter = out.subarray(row, row + width);
          for (let k = 0; k < width; k++) filter[k] = normal();
          normalize(filter);
          const norm = Math.hypot(...chunkNorms(theta.subarray(row, row + width)));
          for (let k = 0; k < width; k++) filter[k] *= norm;
        }
      }
      at = end;
    }
  }
}

/** b without its part along the unit vector a, as a unit vector again. */
export function orthogonalize(a: Float64Array, b: Float64Array): void {
  const along = dot(a, b);
  for (let k = 0; k < b.length; k++) b[k] -= along * a[k];
  normalize(b);
}
