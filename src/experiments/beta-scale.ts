import { type Matrix, takeRows } from "../base/matrix.ts";
import { randomStream } from "../base/random.ts";
import { outsideMatrix } from "../compute/outside.ts";
import type { Compute } from "../compute/types.ts";
import { betaMax, type ConvexProblem, type SolveOptions } from "../convex/index.ts";
import { column } from "./problem.ts";

/** The problem of every output of a fit, without targets and beta. */
export type PosedProblem = Omit<ConvexProblem, "y" | "beta">;

/** With more outputs than this, the full search is for the most promising ones. */
const CONTENDERS = 3;
const ASCENT_STEPS = 3;
/** Rows for the scale of a grid. */
const SCALE_ROWS = 1000;

/** The same problem over some of its rows. */
export function takeProblem(problem: PosedProblem, rows: ArrayLike<number>): PosedProblem {
  const { weights, ...unweighted } = problem;
  const X = takeRows(problem.X, rows);
  if (weights === undefined) return { ...unweighted, X };
  return { ...unweighted, X, weights: Float64Array.from(rows, (i) => weights[i]!) };
}

/** At most `count` rows of n, the same for every caller with this seed. */
function drawRows(n: number, count: number, seed: number): Uint32Array {
  return randomStream(seed, "beta_max rows").permutation(n).slice(0, count).sort();
}

/**
 * The largest beta_max of the outputs, Y n x c. A search takes as long as the rows are many, so with many outputs only
 * those are searched that promise most.
 */
export function largestBetaMax(problem: PosedProblem, Y: Matrix, options: SolveOptions): number {
  const all = Array.from({ length: Y.cols }, (_, q) => q);
  const estimates = all.length > CONTENDERS ? ascentValues(problem, Y, options.compute) : null;
  const searched = estimates === null ? all : all.sort((a, b) => estimates[b] - estimates[a]).slice(0, CONTENDERS);
  return Math.max(...searched.map((q) => betaMax({ ...problem, y: column(Y, q) }, options)));
}

/**
 * A lower estimate of max v'(X u + b)_+ for each output, up to a factor that is theirs in common: v are the targets of
 * classes, to which the gradient at the best constant is proportional. All outputs and signs take a few fixed-point steps
 * u <- X'D(u) v from u = X'v, together.
 */
function ascentValues({ X, bias, weights }: PosedProblem, Y: Matrix, compute: Compute): Float64Array {
  const { rows: n, cols: c } = Y;
  const d = X.cols;
  const k = 2 * c;
  const V = new Float64Array(n * k);
  for (let q = 0; q < c; q++) {
    let mean = 0;
    for (let i = 0; i < n && bias === "output"; i++) mean += Y.data[i * c + q] / n;
    for (let i = 0; i < n; i++) {
      V[i * k + q] = (weights?.[i] ?? 1) * (Y.data[i * c + q] - mean);
      V[i * k + c + q] = -V[i * k + q];
    }
  }
  const rows = outsideMatrix(compute, n, d, X.data);
  const active = V.slice();
  const U = new Float64Array(d * k);
  const b = new Float64Array(k);
  for (let step = 0; ; step++) {
    rows.gemm(true, k, 1, active, 0, U);
    b.fill(0);
    if (bias !== "none") for (let i = 0; i < n * k; i++) b[i % k] += active[i];
    if (step === ASCENT_STEPS) break;
    const S = new Float64Array(n * k);
    for (let i = 0; i < n; i++) S.set(b, i * k);
    rows.gemm(false, k, 1, U, 1, S);
    for (let i = 0; i < n * k; i++) active[i] = S[i] > 0 ? V[i] : 0;
  }
  const squares = b.map((t) => (bias === "column" ? t * t : 0));
  for (let i = 0; i < d; i++) for (let j = 0; j < k; j++) squares[j] += U[i * k + j] ** 2;
  return Float64Array.from({ length: c }, (_, q) => Math.max(squares[q], squares[c + q]));
}

/** beta_max of the targets less their mean, from a sample of rows when there are many. */
export function centeredBetaMax(problem: PosedProblem, y: Float64Array, seed: number, options: SolveOptions): number {
  let mean = 0;
  for (const t of y) mean += t / y.length;
  const rows = drawRows(y.length, SCALE_ROWS, seed);
  const part = betaMax({ ...takeProblem(problem, rows), y: Float64Array.from(rows, (i) => y[i]! - mean) }, options);
  return problem.scaling === "sum" ? (part * y.length) / rows.length : part;
}

/**
 * Where the grid of beta starts, as a part of beta_max. Where the bias is penalized, beta_max of targets far from zero is
 * mostly the price of their mean, and a grid in shares of it would miss every beta at which the features count. So the
 * grid is in shares of the beta_max of the centered targets.
 */
export function gridTop(largest: number, centered: number): number {
  return largest > 0 && centered > 0 ? Math.min(1, centered / largest) : 1;
}
