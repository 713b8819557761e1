import { matrix } from "../../base/matrix.ts";
import { lineData, rampCorrelations } from "./line-data.ts";
import { fitLine } from "./line-fit.ts";
import { solveLinearProgram } from "./simplex.ts";

/** A candidate ramp (u (x - kink))_+ and what its output weight can be in an optimal network. */
export interface WeightRange {
  readonly u: 1 | -1;
  readonly kink: number;
  readonly min: number;
  readonly max: number;
}

/** The optimal networks over given candidate ramps: a polytope in their weights. */
export interface OptimalSet1d {
  readonly candidates: readonly WeightRange[];
  /** Dimension of the polytope: 0 when the optimal network over these candidates is unique. */
  readonly dimension: number;
  /** Weights of one optimal network over the candidates (a vertex). */
  readonly vertex: Float64Array;
  readonly c0: number;
  /** Outputs of every optimal network at the samples. */
  readonly f: Float64Array;
  readonly objective: number;
}

export interface OptimalSetOptions {
  /** Positions of the kinks of the candidates, each with u = 1 and u = -1; default: the data points. */
  readonly kinks?: readonly number[];
  /** `none`: only networks without an output bias; default `free`. */
  readonly outputBias?: "free" | "none";
}

/** Correlations within this part of beta count as active. */
const ACTIVE = 1e-8;

/**
 * All optimal networks of one-dimensional training with free biases (as in {@link fitLine}) whose kinks are among given
 * candidates: the least and the largest weight of each candidate over the set, its dimension and a vertex. Outputs at the
 * samples are the same for all of them; a candidate takes part only where its dual correlation is +-beta, so the set is
 * the polytope {w : H w + c0 = f, signs fixed} (Ergen & Pilanci, arXiv:2002.11219, Proposition 1 and Figure 7).
 *
 * Every kink c between two data points may take part when its neighbours do: the family c in [0, 1] of Figure 7.
 *
 * @throws RangeError when no optimal network has its kinks at the candidates (or none is without an output bias).
 */
export function optimalSet1d(
  x: Float64Array,
  y: Float64Array,
  beta: number,
  options: OptimalSetOptions = {},
): OptimalSet1d {
  const fit = fitLine(x, y, beta);
  const { t, index } = lineData(x, y);
  const kinks = options.kinks ?? [...t];
  const candidates = [1 as const, -1 as const].flatMap((u) => kinks.map((kink) => ({ u, kink })));
  const v = new Float64Array(t.length);
  const f = new Float64Array(t.length);
  index.forEach((k, i) => {
    v[k] += y[i] - fit.f[i];
    f[k] = fit.f[i];
  });
  // Candidates whose correlation is +-beta, with that sign.
  const { right, left } = rampCorrelations(t, v);
  const usable = candidates.flatMap(({ u, kink }, j) => {
    const correlation = interpolate(t, u === 1 ? right : left, kink, v, u);
    return Math.abs(correlation) >= beta * (1 - ACTIVE) ? [{ j, u, kink, sign: Math.sign(correlation) }] : [];
  });
  const scale = Math.max(...f.map(Math.abs), 1e-300);
  const free = options.outputBias !== "none";
  const p = usable.length;
  const A = matrix(t.length, p + 1);
  for (let i = 0; i < t.length; i++) {
    usable.forEach(({ u, kink, sign }, j) => {
      A.data[i * (p + 1) + j] = sign * Math.max(0, u * (t[i] - kink));
    });
    A.data[i * (p + 1) + p] = 1;
  }
  const lower = new Float64Array(p + 1);
  const upper = new Float64Array(p + 1).fill(Number.POSITIVE_INFINITY);
  lower[p] = free ? Number.NEGATIVE_INFINITY : 0;
  upper[p] = free ? Number.POSITIVE_INFINITY : 0;
  const b = f.map((value) => value / scale);
  const solve = (target: number, direction: number): Float64Array => {
    const c = new Float64Array(p + 1);
    if (target >= 0) c[target] = direction;
    const { status, x: weights } = solveLinearProgram({ c, A, b, lower, upper });
    if (status !== "optimal") {
      throw new RangeError(
        "no optimal network has its kinks at these candidates" + (free ? "" : " and no output bias"),
      );
    }
    return weights;
  };
  const vertex = solve(-1, 0);
  const ranges: WeightRange[] = candidates.map((candidate) => ({ ...candidate, min: 0, max: 0 }));
  const points: Float64Array[] = [];
  usable.forEach(({ j, u, kink, sign }, k) => {
    const low = solve(k, 1);
    const high = solve(k, -1);
    points.push(low, high);
    const ends = [sign * low[k] * scale, sign * high[k] * scale];
    ranges[j] = { u, kink, min: Math.min(...ends), max: Math.max(...ends) };
  });
  const weights = new Float64Array(candidates.length);
  usable.forEach(({ j, sign }, k) => {
    weights[j] = sign * vertex[k] * scale;
  });
  return {
    candidates: ranges,
    dimension: affineDimension(vertex, points),
    vertex: weights,
    c0: vertex[p] * scale,
    f: fit.f,
    objective: fit.objective,
  };
}

/** The correlation of a ramp with any kink: linear between data points, and beyond them as the formula says. */
function interpolate(t: Float64Array, correlation: Float64Array, kink: number, v: Float64Array, u: 1 | -1): number {
  const k = t.length;
  if (kink < t[0] || kink > t[k - 1]) {
    let sum = 0;
    for (let i = 0; i < k; i++) sum += v[i] * Math.max(0, u * (t[i] - kink));
    return sum;
  }
  let j = 0;
  while (j + 1 < k && t[j + 1] <= kink) j += 1;
  if (t[j] === kink) return correlation[j];
  const share = (kink - t[j]) / (t[j + 1] - t[j]);
  return (1 - share) * correlation[j] + share * correlation[j + 1];
}

/** Dimension of the affine hull of points (extremes of every coordinate span the hull of a polytope). */
function affineDimension(origin: Float64Array, points: readonly Float64Array[]): number {
  const basis: Float64Array[] = [];
  const size = Math.max(...points.flatMap((point) => [...point].map(Math.abs)), 1e-300);
  for (const point of points) {
    const q = point.map((value, k) => (value - origin[k]) / size);
    for (let pass = 0; pass < 2; pass++) {
      for (const e of basis) {
        let along = 0;
        for (let k = 0; k < q.length; k++) along += q[k] * e[k];
        for (let k = 0; k < q.length; k++) q[k] -= along * e[k];
      }
    }
    const length = Math.hypot(...q);
    if (length > 1e-7) basis.push(q.map((value) => value / length));
  }
  return basis.length;
}
