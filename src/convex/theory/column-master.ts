import { type Matrix, matrix } from "../../base/matrix.ts";
import { inner } from "./dense.ts";
import { lasso } from "./lasso.ts";
import { solveLinearProgram } from "./simplex.ts";

/** A neuron as a column: its activations on the n samples, with its parameters (||u|| = 1). */
export interface Column {
  readonly h: Float64Array;
  readonly u: Float64Array;
  readonly b: number;
}

/** What an oracle knows about sum_i v_i h_i over all neurons: directions of large absolute value, and an upper bound. */
export interface OracleAnswer {
  readonly columns: readonly Column[];
  /** At least the maximum of |v'h| over the neurons that the oracle ranges over; a valid bound, or Infinity. */
  readonly maximum: number;
}

export interface GenerationProblem {
  readonly y: Float64Array;
  /** 1/2 ||H w + c0 - y||^2 + beta ||w||_1; null: minimize ||w||_1 subject to H w + c0 = y. */
  readonly beta: number | null;
  /** Whether the constant c0 is free (else 0). */
  readonly offset: boolean;
  readonly start: readonly Column[];
  readonly oracle: (v: Float64Array, current: readonly Column[]) => OracleAnswer;
  /** Relative gap that ends the search. */
  readonly tolerance: number;
  readonly rounds: number;
}

export interface GenerationResult {
  readonly columns: readonly Column[];
  readonly w: Float64Array;
  readonly c0: number;
  /** Value of the restricted program: an upper bound over all neurons. */
  readonly value: number;
  /** Best dual value seen, for the maximum that the oracle states. */
  readonly lowerBound: number;
  /** The dual point behind it, scaled to be feasible. */
  readonly v: Float64Array;
  readonly rounds: number;
  /** Bounds after each round. */
  readonly history: readonly { readonly upper: number; readonly lower: number }[];
  /** Whether H w + c0 = y was reached (beta null); true otherwise. */
  readonly feasible: boolean;
}

/** Columns that correlate less than this part of the bound are dropped when there are many. */
const DISTANT = 0.7;
/** Without an interpolating combination, the penalty of the regularized master relative to the largest correlation. */
const LOOSE = 1e-4;
const SAME = 1e-14;

/**
 * Fully corrective column generation over neurons: solve the program restricted to the columns (lasso, or basis pursuit as
 * a linear program), ask the oracle for neurons that violate the dual constraint |v'h| <= beta at its dual point, repeat.
 * With an exact oracle globally optimal for every X (docs/convex-duality.md); with the oracle of the spike-free program it
 * is Algorithm 1 or 3 of Ergen & Pilanci (arXiv:2002.11219).
 */
export function generateNeurons(problem: GenerationProblem): GenerationResult {
  const { y, beta, offset, oracle, tolerance, rounds } = problem;
  const level = beta ?? 1;
  let columns: Column[] = [...problem.start];
  let weights = new Float64Array(columns.length);
  let lowerBound = Number.NEGATIVE_INFINITY;
  let feasibleDual: Float64Array = new Float64Array(y.length);
  const history: { upper: number; lower: number }[] = [];
  let stuck = 0;
  for (let round = 1; ; round++) {
    const master = solveMaster(columns, y, beta, offset, weights);
    weights = master.w;
    const answer = oracle(master.v, columns);
    // The columns themselves may lie outside what the oracle ranges over.
    const maximum = columns.reduce((most, { h }) => Math.max(most, Math.abs(inner(h, master.v))), answer.maximum);
    const { value: lower, scale } = dualValue(master.v, y, beta, maximum);
    if (lower > lowerBound) {
      lowerBound = lower;
      feasibleDual = master.v.map((t) => t * scale);
    }
    history.push({ upper: master.value, lower: lowerBound });
    const closed = master.feasible && master.value - lowerBound <= tolerance * Math.max(Math.abs(master.value), 1e-300);
    const fresh = answer.columns.filter(
      (column) =>
        Math.abs(inner(column.h, master.v)) > level * (1 + 1e-14) && !columns.some((known) => same(known, column)),
    );
    stuck = fresh.length === 0 ? stuck + 1 : 0;
    if (closed || stuck > 1 || round >= rounds) {
      return { ...master, columns, lowerBound, v: feasibleDual, rounds: round, history };
    }
    if (columns.length > 4 * y.length + 100) {
      const keep = columns.map(
        (column, j) => weights[j] !== 0 || Math.abs(inner(column.h, master.v)) >= DISTANT * level,
      );
      weights = weights.filter((_, j) => keep[j]);
      columns = columns.filter((_, j) => keep[j]);
    }
    columns = [...columns, ...fresh];
    const longer = new Float64Array(columns.length);
    longer.set(weights);
    weights = longer;
  }
}

function same(a: Column, b: Column): boolean {
  let distance = (a.b - b.b) ** 2;
  for (let k = 0; k < a.u.length; k++) distance += (a.u[k] - b.u[k]) ** 2;
  return distance <= SAME * SAME;
}

interface Master {
  readonly w: Float64Array<ArrayBuffer>;
  readonly c0: number;
  readonly value: number;
  readonly v: Float64Array;
  readonly feasible: boolean;
}

function solveMaster(
  columns: readonly Column[],
  y: Float64Array,
  beta: number | null,
  offset: boolean,
  start: Float64Array,
): Master {
  const n = y.length;
  const p = columns.length;
  const H = matrix(n, p);
  columns.forEach(({ h }, j) => {
    for (let i = 0; i < n; i++) H.data[i * p + j] = h[i];
  });
  if (beta !== null) {
    const { w, c0, residual, objective } = lasso({ H, y, beta, offset }, start);
    return { w: Float64Array.from(w), c0, value: objective, v: residual, feasible: true };
  }
  const exact = basisPursuit(H, y, offset);
  if (exact !== null) return exact;
  let largest = 0;
  for (const { h } of columns) largest = Math.max(largest, Math.abs(inner(h, y)));
  const loose = Math.max(LOOSE * largest, 1e-300);
  const { w, c0, residual } = lasso({ H, y, beta: loose, offset });
  const norm = w.reduce((sum, t) => sum + Math.abs(t), 0);
  return { w: Float64Array.from(w), c0, value: norm, v: residual.map((t) => t / loose), feasible: false };
}

/** minimize ||w||_1 subject to H w + c0 = y, with its multipliers; null when there is no such w. */
function basisPursuit(H: Matrix, y: Float64Array, offset: boolean): Master | null {
  const { rows: n, cols: p } = H;
  const size = Math.max(...y.map(Math.abs), 1e-300);
  const cols = 2 * p + (offset ? 1 : 0);
  const A = matrix(n, cols);
  const c = new Float64Array(cols).fill(1);
  const lower = new Float64Array(cols);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < p; j++) {
      A.data[i * cols + j] = H.data[i * p + j];
      A.data[i * cols + p + j] = -H.data[i * p + j];
    }
    if (offset) A.data[i * cols + 2 * p] = 1;
  }
  if (offset) {
    c[2 * p] = 0;
    lower[2 * p] = Number.NEGATIVE_INFINITY;
  }
  const upper = new Float64Array(cols).fill(Number.POSITIVE_INFINITY);
  const { status, x, duals } = solveLinearProgram({ c, A, b: y.map((t) => t / size), lower, upper });
  if (status !== "optimal") return null;
  const w = new Float64Array(p);
  for (let j = 0; j < p; j++) w[j] = size * (x[j] - x[p + j]);
  const value = w.reduce((sum, t) => sum + Math.abs(t), 0);
  return { w, c0: offset ? size * x[2 * p] : 0, value, v: duals, feasible: true };
}

/** The dual value of the best feasible multiple of v: |v'h| <= beta (or 1) for all neurons, given the maximum at v. */
function dualValue(
  v: Float64Array,
  y: Float64Array,
  beta: number | null,
  maximum: number,
): { value: number; scale: number } {
  const vy = inner(v, y);
  if (maximum === Number.POSITIVE_INFINITY) return { value: Number.NEGATIVE_INFINITY, scale: 0 };
  const cap = maximum > 0 ? (beta ?? 1) / maximum : Number.POSITIVE_INFINITY;
  if (beta === null) {
    const scale = cap === Number.POSITIVE_INFINITY ? 0 : Math.max(0, Math.sign(vy)) * cap;
    return { value: scale * vy, scale };
  }
  const vv = inner(v, v);
  const scale = vv > 0 ? Math.min(cap, Math.max(0, vy / vv)) : 0;
  return { value: scale * vy - (scale * scale * vv) / 2, scale };
}
