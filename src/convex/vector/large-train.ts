import { matrix } from "../../base/matrix.ts";
import type { RandomStream } from "../../base/random.ts";
import type { Compute } from "../../compute/types.ts";
import { balance } from "../../network/balance.ts";
import type { TwoLayerNetwork } from "../../network/two-layer.ts";
import { minimizeLbfgs } from "../solvers/lbfgs.ts";
import { adam } from "./adam.ts";
import { cosine, norm, type VectorUnit } from "./core.ts";
import type { LargeDirection } from "./large-oracle.ts";
import { type LargeData, lossOfRows, panelObjective } from "./row-panels.ts";

const BATCH = 256;
/** Rate of Adam's first steps; it falls to zero along a cosine. */
const RATE = 2e-3;
const LBFGS_STEPS = 40;
/** A relative decrease below this ends an L-BFGS run: single precision gives no more. */
const DECREASE = 1e-7;
/** Units with a penalty below this part of the largest are dropped. */
const VANISHED = 1e-6;
/** Units whose hidden and output directions agree this well become one; those with a penalty below this part of the largest, none. */
const ALIKE = 0.99;
const TINY = 1e-4;
/** Penalty of a new unit, relative to the mean. */
const NEW_SIZE = 0.05;

/** A network in the coordinates of {@link LargeData}. */
export interface Point {
  readonly units: readonly VectorUnit[];
  readonly c0: Float64Array;
}

/** Gaussian hidden weights at which activations are of the order of 1. */
export function randomPoint({ E, n, p, c, penalized }: LargeData, width: number, random: RandomStream): Point {
  let square = 0;
  for (let i = 0; i < n; i++) for (let k = 0; k < penalized; k++) square += E[i * p + k] ** 2 / n;
  const hidden = Math.sqrt(2 / (square || 1));
  const units = Array.from({ length: width }, () => ({
    u: Float64Array.from({ length: p }, (_, k) => (k < penalized ? hidden * random.normal() : 0)),
    w: Float64Array.from({ length: c }, () => random.normal() / Math.sqrt(width)),
  }));
  return { units, c0: new Float64Array(c) };
}

/**
 * Adam on batches of random rows, one pass over the rows after another, with a rate that falls with the larger of the share
 * of the passes done and `progress()` (share of the time used). Yields the point after each pass.
 */
export function* descend(
  compute: Compute,
  large: LargeData,
  start: Point,
  epochs: number,
  random: RandomStream,
  progress: () => number,
): Generator<Point> {
  const m = start.units.length;
  const { n } = large;
  const x = pack(large, start);
  const gradient = new Float64Array(x.length);
  const move = adam(x.length);
  for (let epoch = 0; epoch < epochs && progress() < 1; epoch++) {
    compute.scope((scope) => {
      const objective = panelObjective(compute, scope, large, m, Math.min(BATCH, n));
      const order = random.permutation(n);
      for (let from = 0; from < n; from += BATCH) {
        const done = Math.max((epoch + from / n) / epochs, progress());
        if (done >= 1) return;
        const rows = order.subarray(from, Math.min(n, from + BATCH));
        objective.batch(x, rows, n / rows.length, gradient);
        move(x, gradient, (RATE * (1 + Math.cos(Math.PI * done))) / 2);
      }
    });
    yield unpack(large, x, m);
  }
}

/** A run of L-BFGS over all rows; units that vanished are dropped. V is the dual point (n x c) of the result. */
export function polish(
  compute: Compute,
  large: LargeData,
  start: Point,
  stop: (step: number) => boolean,
): { point: Point; value: number } {
  const m = start.units.length;
  const x = pack(large, start);
  const value = compute.scope((scope) => {
    const objective = panelObjective(compute, scope, large, m);
    return minimizeLbfgs((at, gradient) => objective.full(at, gradient), x, {
      iterations: LBFGS_STEPS,
      memory: 20,
      tolerance: DECREASE,
      stop,
    });
  });
  const { units, c0 } = unpack(large, x, m);
  const size = ({ u, w }: VectorUnit): number => norm(u.subarray(0, large.penalized)) * norm(w);
  const largest = Math.max(0, ...units.map(size));
  return { point: { units: units.filter((unit) => size(unit) > VANISHED * largest), c0 }, value };
}

/** The dual point -grad loss of a network, n x c, from predictions in single precision. */
export function dualPoint(compute: Compute, large: LargeData, { units, c0 }: Point): Float64Array {
  const { problem, E, n, p, c, freeBias } = large;
  const F = new Float64Array(n * c);
  const m = units.length;
  const panel = Math.min(n, 4096);
  compute.scope((scope) => {
    const U = scope.f32(m * p);
    const W = scope.f32(m * c);
    units.forEach(({ u, w }, j) => {
      U.set(u, j * p);
      W.set(w, j * c);
    });
    const rows = scope.f32(panel * p);
    const A = scope.f32(panel * m);
    const f = scope.f32(panel * c);
    for (let from = 0; from < n; from += panel) {
      const count = Math.min(panel, n - from);
      rows.set(E.subarray(from * p, (from + count) * p));
      compute.f32.gemm(false, true, count, m, p, 1, rows, p, U, p, 0, A, m);
      compute.f32.relu(count * m, A, A);
      compute.f32.gemm(false, false, count, c, m, 1, A, m, W, c, 0, f, c);
      for (let k = 0; k < count * c; k++) F[from * c + k] = f[k] + c0[k % c];
    }
  });
  const loss = lossOfRows(
    problem,
    Uint32Array.from({ length: n }, (_, i) => i),
  );
  const V = new Float64Array(n * c);
  loss.negativeGradient(F, V);
  if (freeBias) loss.center(V);
  return V;
}

/**
 * A point with fewer units and nearly the same outputs: the units of nearly equal directions, of which a wide network has many,
 * are added up, larger ones first, and tiny ones left out.
 */
export function merged({ units, c0 }: Point, { penalized }: LargeData): Point {
  const weighed = units.map((unit) => ({ unit, size: norm(unit.u.subarray(0, penalized)) * norm(unit.w) }));
  weighed.sort((a, b) => b.size - a.size);
  const largest = weighed[0]?.size ?? 0;
  const groups: { a: Float64Array; readonly w: Float64Array }[] = [];
  for (const { unit, size } of weighed) {
    if (!(size > TINY * largest)) break;
    const length = norm(unit.w);
    const group = groups.find(({ a, w }) => cosine(a, unit.u) > ALIKE && cosine(w, unit.w) > ALIKE);
    if (group === undefined) groups.push({ a: unit.u.map((t) => t * length), w: unit.w.map((t) => t / length) });
    else group.a = group.a.map((t, k) => t + length * unit.u[k]);
  }
  return { units: groups.map(({ a, w }) => ({ u: a, w })), c0 };
}

/** The point with small units in these directions added. */
export function grow({ units, c0 }: Point, directions: readonly LargeDirection[], { penalized }: LargeData): Point {
  let total = 0;
  for (const { u, w } of units) total += norm(u.subarray(0, penalized)) * norm(w);
  const root = Math.sqrt((NEW_SIZE * (total || 1)) / (units.length || 1));
  const added = directions.map(({ u, w }) => ({ u: u.map((t) => t * root), w: w.map((t) => t * root) }));
  return { units: [...units, ...added], c0 };
}

/** The balanced network over the features of the problem. */
export function toNetwork(
  { problem, penalized, scale, shift, freeBias, c }: LargeData,
  { units, c0 }: Point,
): TwoLayerNetwork {
  const { X, bias } = problem;
  const d = X.cols;
  const m = units.length;
  const U = matrix(m, d);
  const W = matrix(m, c);
  const b = new Float64Array(m);
  units.forEach(({ u, w }, j) => {
    for (let k = 0; k < d; k++) {
      U.data[j * d + k] = u[k] / scale;
      b[j] -= U.data[j * d + k] * shift[k];
    }
    if (freeBias) b[j] += u[penalized];
    else if (bias === "column") b[j] += u[d] / scale;
    W.data.set(w, j * c);
  });
  const network: TwoLayerNetwork = {
    kind: "two-layer",
    activation: "relu",
    U,
    b,
    W,
    c0: Float64Array.from(c0),
    gates: null,
  };
  return balance(network, freeBias ? "free" : "penalized");
}

/**
 * A network in the coordinates of the data.
 *
 * @throws RangeError when the network has other inputs or outputs.
 */
export function fromNetwork({ problem, p, c, scale, shift, freeBias }: LargeData, network: TwoLayerNetwork): Point {
  const { U, b, W, c0 } = network;
  const d = problem.X.cols;
  if (U.cols !== d || W.cols !== c) {
    throw new RangeError(`a start needs ${d} inputs and ${c} outputs, got ${U.cols} and ${W.cols}`);
  }
  const units = Array.from({ length: U.rows }, (_, j) => {
    const u = new Float64Array(p);
    let offset = b[j];
    for (let k = 0; k < d; k++) {
      u[k] = U.data[j * d + k] * scale;
      offset += U.data[j * d + k] * shift[k];
    }
    if (p > d) u[d] = freeBias ? offset : offset * scale;
    return { u, w: W.data.slice(j * c, (j + 1) * c) };
  });
  return { units, c0: freeBias ? Float64Array.from(c0) : new Float64Array(c) };
}

/** U, W and c0 in one vector, neurons balanced. */
function pack({ p, c, penalized, freeBias }: LargeData, { units, c0 }: Point): Float64Array {
  const m = units.length;
  const x = new Float64Array(m * (p + c) + (freeBias ? c : 0));
  units.forEach(({ u, w }, j) => {
    const hidden = norm(u.subarray(0, penalized));
    const output = norm(w);
    const ratio = hidden > 0 && output > 0 ? Math.sqrt(output / hidden) : 1;
    for (let k = 0; k < p; k++) x[j * p + k] = u[k] * ratio;
    for (let k = 0; k < c; k++) x[m * p + j * c + k] = w[k] / ratio;
  });
  if (freeBias) x.set(c0, m * (p + c));
  return x;
}

function unpack({ p, c, freeBias }: LargeData, x: Float64Array, m: number): Point {
  const units = Array.from({ length: m }, (_, j) => ({
    u: x.slice(j * p, (j + 1) * p),
    w: x.slice(m * p + j * c, m * p + (j + 1) * c),
  }));
  return { units, c0: freeBias ? x.slice(m * (p + c)) : new Float64Array(c) };
}
