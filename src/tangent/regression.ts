import { type Matrix, matrix } from "../base/matrix.ts";
import type { Compute } from "../compute/types.ts";
import { fromEigen, type KernelEigen, kernelEigen, scaleRows, toEigen, zeroLevel } from "./kernel-eigen.ts";
import { type RidgeFit, type RidgeSolution, ridgeFit } from "./leave-one-out.ts";
import { byRoots, choleskySolution, spectralSolutions, weightedKernel } from "./ridge-solver.ts";

/** Rows up to which the whole spectrum is computed: a ridge costs next to nothing then. */
export const SPECTRUM_ROWS = 4000;

/** Weights that differ more make the smallest rows vanish in the rounding of a spectrum; factorizations do not mix scales. */
const MOST_SPREAD = 1e6;

/** Ridges along the spectrum, as shares of the mean of K's diagonal: 1e-9 .. 1e2, thirds of decades. */
const FINE_SHARES = Array.from({ length: 34 }, (_, k) => 10 ** (-9 + k / 3));
/** Ridges that each cost a factorization, in the order in which they are tried. */
const COARSE_SHARES = [1e-3, 1e-2, 1e-4, 1e-1, 1e-5, 1, 1e-6];
/** The grid goes on for so many ridges where its end is best, up to these shares. */
const MOST_EXTENSIONS = 3;
const WIDEST = [1e-10, 1e4] as const;
/** Share of the mean diagonal at which a matrix that is still not positive definite is no kernel matrix. */
const MOST_JITTER = 1e-2;

/** How a kernel regression is done. */
export interface RegressionOptions {
  /**
   * Added to the diagonal of K, in its units (0: interpolation, as far as rounding lets us); `auto`: the largest of those tried whose
   * leave-one-out error is the least up to a thousandth.
   */
  readonly ridge: number | "auto";
  /** Whether each output has a constant without penalty; default true. */
  readonly intercept?: boolean;
  /** n positive sample weights, which multiply the squared errors of their rows (2: as if the row were there twice); default all 1. */
  readonly weights?: Float64Array;
  /** Told the share of the work that is done, in [0, 1]. */
  readonly progress?: (share: number) => void;
  /** Polled after the first ridge; true ends the search with the best so far. */
  readonly expired?: () => boolean;
}

/** A ridge and the mean squared leave-one-out error there; infinite where K + ridge is not positive definite in f64. */
export interface RidgePoint {
  readonly ridge: number;
  readonly error: number;
}

/** A kernel regression and what is known about it. */
export interface KernelRegression extends RidgeFit {
  readonly method: "spectrum" | "cholesky";
  /** In the units of K, `jitter` included. */
  readonly ridge: number;
  /** What had to be added to the ridge that was asked for to make K + ridge positive definite in f64. */
  readonly jitter: number;
  /** Every ridge that was tried, ascending. */
  readonly points: readonly RidgePoint[];
  /** tr K (K + ridge W^-1)^-1: how many directions the ridge lets pass. */
  readonly effectiveDimension: number;
  /** All eigenvalues of W^1/2 K W^1/2, ascending; null where only factorizations were made. */
  readonly eigenvalues: Float64Array | null;
}

/** Errors within this share of the least are as good. */
const ALIKE = 1e-3;

/** The largest ridge whose error is the least up to a thousandth: the shortest coefficients, and the best conditioned matrix. */
function chooseRidge(points: readonly RidgePoint[]): number {
  const least = Math.min(...points.map(({ error }) => error));
  return Math.max(...points.filter(({ error }) => error <= (1 + ALIKE) * least).map(({ ridge }) => ridge));
}

/** A solution for one ridge, or null; told how far it is. */
export type SolveRidge = (ridge: number, tick: (share: number) => void) => RidgeSolution | null;

/**
 * Ridge regression (and classification: columns of Y that code classes) with a kernel matrix: minimizes
 * ||W^1/2 (Y - K A - 1 b')||^2 + ridge tr A' K A, W the sample weights. Along the spectrum of W^1/2 K W^1/2 for n up to
 * {@link SPECTRUM_ROWS}; beyond, and for weights of more than six decades, by Cholesky for each ridge.
 *
 * @param K n x n, symmetric, positive semidefinite up to rounding.
 * @param Y n x c.
 * @throws RangeError for wrong shapes, entries that are not finite, a negative ridge, or a K that is no kernel matrix.
 */
export function kernelRegression(compute: Compute, K: Matrix, Y: Matrix, options: RegressionOptions): KernelRegression {
  if (K.rows !== K.cols || K.rows !== Y.rows || K.rows === 0) {
    throw new RangeError(`a ${K.rows} x ${K.cols} kernel does not fit ${Y.rows} x ${Y.cols} targets`);
  }
  checkTargets(Y, options);
  const { weights } = options;
  const isEven = weights === undefined || largestOf(weights) <= MOST_SPREAD * smallestOf(weights);
  if (K.rows <= SPECTRUM_ROWS && isEven) return alongSpectrum(compute, K, Y, options);
  return factorizedRegression(compute, K, Y, options);
}

/** {@link kernelRegression} by Cholesky, whatever n is: for each ridge n^2 numbers of kernel memory and two thirds of n^3 operations. */
export function factorizedRegression(
  compute: Compute,
  K: Matrix,
  Y: Matrix,
  options: RegressionOptions,
): KernelRegression {
  const { weights = null } = options;
  return byFactorization(meanDiagonal(K, weights), Y, options, (ridge, tick) =>
    choleskySolution(compute, K, Y, ridge, weights, tick),
  );
}

function largestOf(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, value));
}

function smallestOf(values: Float64Array): number {
  return values.reduce((least, value) => Math.min(least, value));
}

function checkTargets(Y: Matrix, { ridge, weights }: RegressionOptions): void {
  if (weights !== undefined && weights.length !== Y.rows) {
    throw new RangeError(`${weights.length} sample weights do not fit ${Y.rows} rows`);
  }
  if (weights?.every((weight) => weight > 0 && Number.isFinite(weight)) === false) {
    throw new RangeError("sample weights must be positive and finite: leave out rows without weight");
  }
  if (!Y.data.every(Number.isFinite)) throw new RangeError("targets must be finite");
  if (ridge !== "auto" && !(ridge >= 0 && Number.isFinite(ridge))) {
    throw new RangeError(`a ridge is at least 0, got ${ridge}`);
  }
}

/** tr W K / n; 1 for the zero matrix, whose ridge has no scale. */
function meanDiagonal({ rows: n, data }: Matrix, weights: Float64Array | null): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += data[i * (n + 1)] * (weights?.[i] ?? 1);
  return sum > 0 ? sum / n : 1;
}

function alongSpectrum(compute: Compute, K: Matrix, Y: Matrix, options: RegressionOptions): KernelRegression {
  options.progress?.(0);
  const { weights = null, intercept = true } = options;
  const roots = weights?.map(Math.sqrt) ?? null;
  const eigen = kernelEigen(compute, weightedKernel(K, roots));
  options.progress?.(0.8);
  const { values } = eigen;
  const n = values.length;
  const scale = meanDiagonal(K, weights);
  // Below this, the ridge is lost in the rounding of the spectrum.
  const least = Math.max(zeroLevel(n, values[n - 1]), Number.EPSILON * scale);
  const asked = options.ridge === "auto" ? FINE_SHARES.map((share) => share * scale) : [options.ridge];
  const ridges = [...new Set(asked.map((ridge) => Math.max(ridge, least)))];
  const fits = spectralSolutions(compute, eigen, Y, ridges, roots).map((solution) =>
    ridgeFit(solution, Y, intercept, weights),
  );
  const points = ridges.map((tried, k): RidgePoint => ({ ridge: tried, error: fits[k]!.error }));
  const ridge = chooseRidge(points);
  const best = ridges.indexOf(ridge);
  options.progress?.(1);
  return {
    ...fits[best]!,
    dual: seenDual(compute, eigen, Y, fits[best]!.intercept, ridge, roots),
    method: "spectrum",
    ridge,
    jitter: options.ridge === "auto" ? 0 : ridge - options.ridge,
    points,
    effectiveDimension: values.reduce((sum, value) => sum + value / (value + ridge), 0),
    eigenvalues: values,
  };
}

/**
 * The part of the dual coefficients that K sees. Where K is singular and there is no ridge to speak of, the rest is huge and changes nothing
 * but the rounding errors.
 */
function seenDual(
  compute: Compute,
  eigen: KernelEigen,
  Y: Matrix,
  intercept: Float64Array,
  ridge: number,
  roots: Float64Array | null,
): Matrix {
  const inverse = eigen.values.map((value) => (value > 0 ? 1 / (value + ridge) : 0));
  const centered = matrix(
    Y.rows,
    Y.cols,
    Y.data.map((y, k) => y - intercept[k % Y.cols]),
  );
  const seen = scaleRows(inverse, toEigen(compute, eigen, byRoots(roots, centered)));
  return byRoots(roots, fromEigen(compute, eigen, seen));
}

/**
 * {@link kernelRegression} by a solver for one ridge at a time.
 *
 * @param scale mean of the diagonal of K, of W K with weights.
 */
export function byFactorization(
  scale: number,
  Y: Matrix,
  options: RegressionOptions,
  solve: SolveRidge,
): KernelRegression {
  checkTargets(Y, options);
  if (!(scale > 0 && Number.isFinite(scale))) throw new RangeError(`the scale of a kernel is positive, got ${scale}`);
  const { progress = () => {}, expired = () => false, intercept = true, weights = null } = options;
  const n = Y.rows;
  const fits = new Map<number, { readonly fit: RidgeFit; readonly trace: number }>();
  const points: RidgePoint[] = [];
  let planned = options.ridge === "auto" ? COARSE_SHARES.length : 1;
  const attempt = (ridge: number): void => {
    const solution = finished(() =>
      solve(ridge, (share) => {
        if (fits.size > 0 && expired()) throw new Stopped();
        progress((points.length + share) / planned);
      }),
    );
    if (solution === "stopped") return;
    if (solution === null) points.push({ ridge, error: Number.POSITIVE_INFINITY });
    else {
      const fit = ridgeFit(solution, Y, intercept, weights);
      const trace = solution.diagonal.reduce((sum, value, i) => sum + value / (weights?.[i] ?? 1), 0);
      fits.set(ridge, { fit, trace });
      points.push({ ridge, error: fit.error });
    }
    progress(points.length / planned);
  };
  // 1. The ridges asked for.
  const asked = options.ridge === "auto" ? COARSE_SHARES.map((share) => share * scale) : [options.ridge];
  for (const ridge of asked) {
    if (fits.size > 0 && expired()) break;
    attempt(ridge);
  }
  // 2. Beyond the end of the grid, while that is where the best one is.
  for (let k = 0; options.ridge === "auto" && k < MOST_EXTENSIONS && fits.size > 0 && !expired(); k++) {
    const next = beyond(points, scale);
    if (next === null) break;
    planned += 1;
    attempt(next);
  }
  // 3. None was positive definite: the least power of ten that is.
  const most = Math.max(...asked);
  for (let ridge = Math.max(10 * most, n * Number.EPSILON * scale); fits.size === 0; ridge *= 10) {
    if (ridge > MOST_JITTER * scale + 10 * most) {
      throw new RangeError("the matrix is not positive semidefinite up to rounding: it is no kernel matrix");
    }
    planned += 1;
    attempt(ridge);
  }
  const ridge = chooseRidge(points);
  const { fit, trace } = fits.get(ridge)!;
  return {
    ...fit,
    method: "cholesky",
    ridge,
    jitter: options.ridge === "auto" ? 0 : ridge - options.ridge,
    points: points.toSorted((a, b) => a.ridge - b.ridge),
    effectiveDimension: n - ridge * trace,
    eigenvalues: null,
  };
}

/** Ends the work on a ridge that nobody waits for. */
class Stopped extends Error {}

/** What `work` returns, or that it was {@link Stopped}. */
function finished<T>(work: () => T): T | "stopped" {
  try {
    return work();
  } catch (error) {
    if (error instanceof Stopped) return "stopped";
    throw error;
  }
}

/** The ridge a decade beyond the grid where the choice is at its end; null when it is not, or far enough. */
function beyond(points: readonly RidgePoint[], scale: number): number | null {
  const ridge = chooseRidge(points);
  const ridges = points.map((point) => point.ridge);
  const next = ridge === Math.min(...ridges) ? ridge / 10 : ridge === Math.max(...ridges) ? 10 * ridge : null;
  return next !== null && next >= WIDEST[0] * scale && next <= WIDEST[1] * scale ? next : null;
}
