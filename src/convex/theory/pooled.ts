import { ConfigError } from "../../base/errors.ts";
import { type Matrix, matrix, row } from "../../base/matrix.ts";
import { randomStream } from "../../base/random.ts";
import type { Compute } from "../../compute/types.ts";
import type { TwoLayerNetwork } from "../../network/two-layer.ts";
import { boundMaximum, droppedPart, EXACT_RANK } from "../bounds/maximum.ts";
import { searchDirections } from "../patterns/local-search.ts";
import { type CoreProblem, reduce } from "../reduction.ts";
import type { BiasForm } from "../types.ts";
import { cellCount } from "./arrangement.ts";
import { cellOracle } from "./cell-oracle.ts";
import { type Column, type GenerationResult, generateNeurons, type OracleAnswer } from "./column-master.ts";
import { networkOfColumns } from "./cutting-plane.ts";
import { inner } from "./dense.ts";

/** A network with sum pooling over K patches a sample: f_i = sum_j w_j sum_k (x_ik'u_j + b_j)_+ + c0; K = 1 is the plain one. */
export interface PooledProblem {
  /** K matrices of n x h: row i of matrix k is patch k of sample i. */
  readonly patches: readonly Matrix[];
  readonly y: Float64Array;
  /** Penalty of 1/2 ||f - y||^2 + beta sum |w_j| ||u_j||; null: minimize sum |w_j| ||u_j|| subject to f = y. */
  readonly beta: number | null;
  /** As for all programs; `output` (free biases) only for K = 1. */
  readonly bias: BiasForm;
}

export interface PooledOptions {
  readonly compute: Compute;
  readonly seed?: number;
  /** Relative gap at which to stop; default 1e-9. */
  readonly tolerance?: number;
  /** Most rounds of column generation; default 120. */
  readonly rounds?: number;
}

export interface PooledFit {
  /** The filters: hidden units over the h features of a patch; apply them to every patch and sum. */
  readonly network: TwoLayerNetwork;
  readonly objective: number;
  /** No network of this form and any number of filters has a smaller objective (up to rounding). */
  readonly lowerBound: number;
  /** Feasible dual point of the bound, n entries: |sum_i v_i sum_k (x_ik'u)_+| <= beta (or 1) over ||u|| <= 1. */
  readonly v: Float64Array;
  readonly rounds: number;
}

const TOLERANCE = 1e-9;
const ROUNDS = 120;
const STARTS = 48;
/** Above the rank of the exact sweeps, up to this many cells are enumerated. */
const CELLS = 1500;
/** A shift of the rows along a free bias is weighted so that it hardly counts in the norm. */
const BIAS_WEIGHT = 1e4;

/**
 * The global optimum of a two-layer ReLU network with global sum pooling over patches (a convolutional layer), or of the plain
 * one (a single patch), by column generation. The oracle is exact up to patch rank 3 (sweeps) and for few cells (enumeration);
 * beyond, neurons come from local search and the bound from Shor's relaxation, so a gap may remain.
 *
 * With stacked patches the dual constraint is the plain one: sum_i v_i sum_k (x_ik'u)_+ is G(u) for the stacked rows with the
 * weight v_i repeated over the patches of sample i, so patterns, sweeps and bounds of the stacked matrix apply (Ergen &
 * Pilanci, arXiv:2006.14798; the rank counts, which is at most the size of the filter).
 *
 * @throws ConfigError when the targets cannot be interpolated (beta null); RangeError when shapes do not fit.
 */
export function fitPooled(problem: PooledProblem, options: PooledOptions): PooledFit {
  const { patches, y, beta, bias } = problem;
  const { compute, seed = 0, tolerance = TOLERANCE, rounds = ROUNDS } = options;
  const n = y.length;
  const K = patches.length;
  const h = patches[0]?.cols ?? 0;
  if (K === 0 || patches.some(({ rows, cols }) => rows !== n || cols !== h)) {
    const shapes = patches.map(({ rows, cols }) => `${rows} x ${cols}`).join(", ");
    throw new RangeError(`needs patches of ${n} rows and equal width, got ${shapes || "none"}`);
  }
  if (bias === "output" && K > 1) throw new RangeError("free biases are for a single patch");
  if (beta !== null && !(beta > 0)) throw new RangeError(`beta must be positive, got ${beta}`);
  const stacked = matrix(n * K, h);
  patches.forEach((patch, k) => {
    stacked.data.set(patch.data, k * n * h);
  });
  const repeated = repeat(y, K);
  const core = reduce({
    X: stacked,
    y: repeated,
    loss: "squared",
    scaling: "sum",
    bias,
    program: "relu",
    patterns: { kind: "generated" },
  });
  const random = randomStream(seed, "pooled");
  const width = core.Z.cols + (core.freeBias ? 1 : 0);
  const pool = (u: Float64Array, b: number): Column => ({ h: activations(core, u, b, n), u, b });
  const start: Column[] = [];
  const searched = searchRows(core);
  if (beta === null) {
    // Enough neurons to interpolate, when it is possible at all.
    for (let j = 0; j < 4 * n + 8; j++) {
      const u = Float64Array.from({ length: core.Z.cols }, () => random.normal());
      const length = Math.hypot(...u);
      if (!(length > 0)) continue;
      const unit = u.map((t) => t / length);
      start.push(pool(unit, core.freeBias ? -inner(row(core.Z, random.integer(n)), unit) : 0));
    }
  }
  const small = !core.freeBias && core.Z.cols > EXACT_RANK && cellCount(n * K, core.Z.cols) <= CELLS;
  const cells = small ? cellOracle(core.Z, CELLS) : null;
  const level = beta === null ? 1 : beta / core.scale;
  const oracle = (v: Float64Array, current: readonly Column[]): OracleAnswer => {
    const long = repeat(v, K);
    if (cells !== null) {
      const { directions, maximum } = cells(long, level);
      return { columns: directions.map((u) => pool(u, 0)), maximum: maximum + droppedPart(core.residual, long) };
    }
    const bound = boundMaximum(compute, core, long, seed, () => false);
    const columns: Column[] = [];
    if (bound.witness !== null) columns.push(pool(bound.witness.u, bound.witness.b));
    const own = current.slice(-2 * STARTS).map(({ u, b }) => toSearch(searched.weight, core, u, b));
    for (const sign of [1, -1]) {
      const signed = long.map((t) => sign * t);
      const effort = { starts: STARTS, refine: 12 + own.length };
      const side = { Z: searched.Z, n: n * K, p: width, v: signed };
      for (const { u } of searchDirections(compute, side, random, effort, own)) {
        const neuron = toNeuron(core, searched.weight, u);
        if (neuron !== null) columns.push(pool(neuron.u, neuron.b));
      }
    }
    return { columns, maximum: bound.value };
  };
  // In core coordinates norms are `scale` times the original ones.
  const found = generateNeurons({
    y,
    beta: beta === null ? null : level,
    offset: core.freeBias,
    start,
    oracle,
    tolerance,
    rounds,
  });
  if (!found.feasible) {
    throw new ConfigError("the targets cannot be interpolated by a network of this form", {
      code: "not-interpolable",
      hint: "rows that are equal, or positive multiples of each other without a bias, need targets to match",
    });
  }
  return finish(core, problem, found, h);
}

/**
 * minimize sum_j |w_j| ||u_j|| subject to f(x_i) = y_i over ReLU networks of any width: the minimum-norm interpolation (4) of
 * Ergen & Pilanci (arXiv:2002.11219), whose value is the gauge of conv(Q_X, -Q_X) at y, Q_X = {(X u)_+ : ||u|| <= 1}. The dual
 * point v has |v'(X u)_+| <= 1 for all unit u and v'y = `lowerBound` (equation (8)); `objective` is the gauge once they meet.
 *
 * @throws ConfigError when y cannot be interpolated.
 */
export function interpolate(X: Matrix, y: Float64Array, bias: BiasForm, options: PooledOptions): PooledFit {
  return fitPooled({ patches: [X], y, beta: null, bias }, options);
}

function finish(core: CoreProblem, { beta, y }: PooledProblem, found: GenerationResult, h: number): PooledFit {
  const neurons = found.columns.map(({ u, b }, j) => ({
    a: u.map((t) => t * Math.abs(found.w[j])),
    b: b * Math.abs(found.w[j]),
    sign: found.w[j] < 0 ? (-1 as const) : (1 as const),
  }));
  const alive = neurons.filter(({ a }) => a.some((t) => t !== 0));
  // A penalty of beta / scale on core norms is beta on the norms of the network; an interpolating norm is rescaled.
  const unit = beta === null ? 1 / core.scale : 1;
  const network =
    alive.length > 0
      ? core.toNetwork(alive, found.c0, null)
      : networkOfColumns(h, { columns: [], w: found.w, c0: found.c0 });
  return {
    network,
    objective: found.value * unit,
    lowerBound: Math.max(found.lowerBound * unit, y.length === 0 ? 0 : Number.NEGATIVE_INFINITY),
    v: found.v.map((t) => t * unit),
    rounds: found.rounds,
  };
}

function repeat(v: Float64Array, times: number): Float64Array {
  const out = new Float64Array(v.length * times);
  for (let k = 0; k < times; k++) out.set(v, k * v.length);
  return out;
}

/** sum over patches of (z_ik'u + b)_+ for each sample. */
function activations({ Z }: CoreProblem, u: Float64Array, b: number, n: number): Float64Array {
  const out = new Float64Array(n);
  for (let i = 0; i < Z.rows; i++) {
    let z = b;
    for (let k = 0; k < Z.cols; k++) z += Z.data[i * Z.cols + k] * u[k];
    if (z > 0) out[i % n] += z;
  }
  return out;
}

/** Rows for the local search: a free bias is a coordinate of large weight. */
function searchRows({ Z, freeBias }: CoreProblem): { Z: Float64Array; weight: number } {
  if (!freeBias) return { Z: Z.data, weight: 1 };
  const p = Z.cols + 1;
  const data = new Float64Array(Z.rows * p);
  for (let i = 0; i < Z.rows; i++) {
    data.set(Z.data.subarray(i * Z.cols, (i + 1) * Z.cols), i * p);
    data[i * p + Z.cols] = BIAS_WEIGHT;
  }
  return { Z: data, weight: BIAS_WEIGHT };
}

/** A search direction as a neuron with ||u|| = 1 (and, with a free bias, its kink moved to a row); null for u = 0. */
function toNeuron(core: CoreProblem, weight: number, a: Float64Array): { u: Float64Array; b: number } | null {
  const r = core.Z.cols;
  const u = a.slice(0, r);
  const length = Math.hypot(...u);
  if (!(length > 0)) return null;
  for (let k = 0; k < r; k++) u[k] /= length;
  return { u, b: core.freeBias ? (a[r] * weight) / length : 0 };
}

function toSearch(weight: number, core: CoreProblem, u: Float64Array, b: number): Float64Array {
  if (!core.freeBias) return u;
  const a = new Float64Array(u.length + 1);
  a.set(u);
  a[u.length] = b / weight;
  const length = Math.hypot(...a);
  return a.map((t) => t / length);
}
