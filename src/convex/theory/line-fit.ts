import type { TwoLayerNetwork } from "../../network/two-layer.ts";
import { inner } from "./dense.ts";
import { type LineData, lineData, lineMaximum, type Ramp, rampCorrelations, rampNetwork } from "./line-data.ts";
import { type LineShape, leastRamps, lineNorm, sparsestKinks } from "./line-norm.ts";

/** The global optimum of one-dimensional training with free biases. */
export interface LineFit {
  readonly network: TwoLayerNetwork;
  readonly ramps: readonly Ramp[];
  readonly c0: number;
  /** Outputs at the samples, in the order given: unique. */
  readonly f: Float64Array;
  /** 1/2 ||f - y||^2 + beta sum |w|. */
  readonly objective: number;
  /** Dual value: no network of any width has a smaller objective (up to rounding). */
  readonly lowerBound: number;
  /** sum |w| of the network. */
  readonly norm: number;
  /** The points at which the slope changes, and by how much. */
  readonly kinks: Float64Array;
  readonly change: Float64Array;
  readonly iterations: number;
}

/** A correlation above beta by less than this part of it is rounding. */
const VIOLATED = 1e-13;
/** Rounds without progress that end the search. */
const PATIENCE = 3;

/**
 * minimize 1/2 sum (f(x_i) - y_i)^2 + beta sum |w_j|  over  f(x) = sum_j w_j (u_j x + b_j)_+ + c0,  |u_j| = 1, biases free,
 * any width: the global optimum, exactly, for one-dimensional data (Ergen & Pilanci, arXiv:2002.11219, Corollaries 3 and
 * 4 with the free output bias that free hidden biases imply). Losses are summed over samples.
 *
 * In the values at the kinks the penalty is the total variation of the slope plus one term (see {@link lineNorm}), so an
 * active set of kinks with their signs needs one tridiagonal solve, and all 2n correlations come from prefix sums: O(n) a
 * round after sorting.
 *
 * @throws RangeError when beta is not positive and finite, lengths differ or a number is not finite.
 */
export function fitLine(x: Float64Array, y: Float64Array, beta: number): LineFit {
  if (!(beta > 0) || !Number.isFinite(beta)) throw new RangeError(`beta must be positive and finite, got ${beta}`);
  const mean = y.reduce((sum, value) => sum + value / y.length, 0);
  // Centered targets: a constant costs nothing, and rounding stays relative to what varies.
  const data = lineData(
    x,
    y.map((value) => value - mean),
  );
  const search = new KinkSearch(data, beta);
  if (data.t.length > 1 && lineMaximum(data.t, search.v).value > beta) search.run();
  return search.result(mean);
}

class KinkSearch {
  readonly data: LineData;
  readonly beta: number;
  /** Active points, ascending, ends included; `sign` of their slope change (0 at the ends), values z there. */
  knots: Uint32Array;
  sign: Int8Array;
  z: Float64Array;
  readonly f: Float64Array;
  readonly v: Float64Array;
  iterations = 0;

  constructor(data: LineData, beta: number) {
    this.data = data;
    this.beta = beta;
    const k = data.t.length;
    let mean = 0;
    let total = 0;
    for (let i = 0; i < k; i++) {
      mean += data.count[i] * data.y[i];
      total += data.count[i];
    }
    this.knots = Uint32Array.from(k > 1 ? [0, k - 1] : [0]);
    this.sign = new Int8Array(this.knots.length);
    this.z = new Float64Array(this.knots.length).fill(mean / total);
    this.f = new Float64Array(k);
    this.v = new Float64Array(k);
    this.predict(this.z);
  }

  run(): void {
    let best = Number.POSITIVE_INFINITY;
    let quiet = 0;
    for (let round = 0; round < 20 * this.data.t.length + 100; round++) {
      this.descend();
      const objective = this.objective();
      quiet = objective < best - 1e-15 * Math.abs(best) ? 0 : quiet + 1;
      best = Math.min(best, objective);
      if (quiet >= PATIENCE || !this.addKinks()) break;
    }
    this.descend();
  }

  /** Shape over the knots. */
  shape(z: Float64Array = this.z): LineShape {
    const { knots, sign } = this;
    const { t } = this.data;
    const change = new Float64Array(knots.length);
    let slope = 0;
    let before = 0;
    for (let a = 0; a + 1 < knots.length; a++) {
      const here = (z[a + 1] - z[a]) / (t[knots[a + 1]] - t[knots[a]]);
      if (a === 0) slope = here;
      else change[a] = sign[a] === 0 ? 0 : here - before;
      before = here;
    }
    return { slope, change };
  }

  /** f, v at the points for knot values z. */
  predict(z: Float64Array): void {
    const { knots, f, v } = this;
    const { t, y, count } = this.data;
    f[0] = z[0];
    for (let a = 0; a + 1 < knots.length; a++) {
      const [p, q] = [knots[a], knots[a + 1]];
      const width = t[q] - t[p];
      for (let i = p + 1; i < q; i++) f[i] = (z[a] * (t[q] - t[i]) + z[a + 1] * (t[i] - t[p])) / width;
      f[q] = z[a + 1];
    }
    for (let i = 0; i < f.length; i++) v[i] = count[i] * (y[i] - f[i]);
  }

  objective(): number {
    this.predict(this.z);
    const { f } = this;
    const { y, count, spread } = this.data;
    let loss = spread;
    for (let i = 0; i < f.length; i++) loss += (count[i] * (y[i] - f[i]) ** 2) / 2;
    return loss + this.beta * lineNorm(this.shape());
  }

  /** Solves for the active kinks, dropping those whose slope change would turn, until none does. */
  descend(): void {
    for (let guard = this.knots.length + 2; guard > 0; guard--) {
      this.iterations += 1;
      this.predict(this.z);
      const goal = this.solve();
      const from = this.shape().change;
      const to = this.shape(goal).change;
      let step = 1;
      const gone: number[] = [];
      for (let a = 1; a + 1 < this.knots.length; a++) {
        const s = this.sign[a];
        if (s * to[a] > 0) continue;
        const start = Math.max(0, s * from[a]);
        step = Math.min(step, start / (start - s * to[a] || 1));
      }
      for (let a = 1; a + 1 < this.knots.length; a++) {
        const s = this.sign[a];
        if (s * to[a] > 0) continue;
        const start = Math.max(0, s * from[a]);
        if (start / (start - s * to[a] || 1) <= step) gone.push(a);
      }
      for (let a = 0; a < this.z.length; a++) this.z[a] += step * (goal[a] - this.z[a]);
      if (gone.length === 0) return;
      this.remove(gone);
    }
  }

  remove(gone: readonly number[]): void {
    const dropped = new Set(gone);
    const keep = (_: number, a: number): boolean => !dropped.has(a);
    this.knots = this.knots.filter(keep);
    this.sign = this.sign.filter(keep);
    this.z = this.z.filter(keep);
  }

  /**
   * The minimizer over the knot values at fixed signs of the loss + beta (l1'z + max(0, lUp'z, -lDown'z)): T z = r - beta (l1 +
   * p lUp - q lDown), with multipliers p, q >= 0, p + q <= 1 of the ramp over all data (0: the slope is free; 1: that ramp is
   * in use; between: its weight is exactly zero).
   */
  solve(): Float64Array {
    const { knots, sign, beta, v, z } = this;
    const { t, count } = this.data;
    const size = knots.length;
    const diagonal = new Float64Array(size);
    const above = new Float64Array(size);
    const right = new Float64Array(size);
    for (let i = 0, a = 0; i < t.length; i++) {
      while (a + 1 < size && i >= knots[a + 1]) a += 1;
      const share = a + 1 < size ? (t[i] - t[knots[a]]) / (t[knots[a + 1]] - t[knots[a]]) : 0;
      diagonal[a] += count[i] * (1 - share) ** 2;
      right[a] += v[i] * (1 - share);
      if (share === 0) continue;
      diagonal[a + 1] += count[i] * share ** 2;
      above[a] += count[i] * share * (1 - share);
      right[a + 1] += v[i] * share;
    }
    const factor = factorTridiagonal(diagonal, above);
    // l1: sum of sign * change. lUp / lDown: first slope + sum of the negative / positive changes.
    const parts = { l1: new Float64Array(size), lUp: new Float64Array(size), lDown: new Float64Array(size) };
    const slopeInto = (l: Float64Array, a: number, weight: number): void => {
      const w = weight / (t[knots[a + 1]] - t[knots[a]]);
      l[a + 1] += w;
      l[a] -= w;
    };
    const changeInto = (l: Float64Array, a: number, weight: number): void => {
      slopeInto(l, a, weight);
      slopeInto(l, a - 1, -weight);
    };
    if (size > 1) {
      slopeInto(parts.lUp, 0, 1);
      slopeInto(parts.lDown, 0, 1);
    }
    for (let a = 1; a + 1 < size; a++) {
      changeInto(parts.l1, a, sign[a]);
      changeInto(sign[a] < 0 ? parts.lUp : parts.lDown, a, 1);
    }
    for (let a = 0; a < size; a++) right[a] -= beta * parts.l1[a];
    const goal = solveTridiagonal(factor, right);
    for (let a = 0; a < size; a++) goal[a] += z[a];
    if (size < 2) return goal;
    const up = solveTridiagonal(factor, parts.lUp);
    const down = solveTridiagonal(factor, parts.lDown);
    const [p, q] = saddleMultipliers(
      [inner(parts.lUp, goal), -inner(parts.lDown, goal)],
      [beta * inner(parts.lUp, up), -beta * inner(parts.lUp, down), beta * inner(parts.lDown, down)],
    );
    for (let a = 0; a < size; a++) goal[a] -= beta * (p * up[a] - q * down[a]);
    return goal;
  }

  /** Adds, between neighbouring kinks, the point whose correlation exceeds beta most; false when none does. */
  addKinks(): boolean {
    this.predict(this.z);
    const { knots, v, beta } = this;
    const { right, left } = rampCorrelations(this.data.t, v);
    const added = new Map<number, 1 | -1>();
    for (let a = 0; a + 1 < knots.length; a++) {
      let worst = beta * VIOLATED;
      let at = -1;
      let sign: 1 | -1 = 1;
      for (let i = knots[a] + 1; i < knots[a + 1]; i++) {
        const over = Math.max(right[i], left[i]) - beta;
        const under = -Math.min(right[i], left[i]) - beta;
        if (Math.max(over, under) <= worst) continue;
        worst = Math.max(over, under);
        at = i;
        sign = over >= under ? 1 : -1;
      }
      if (at >= 0) added.set(at, sign);
    }
    if (added.size === 0) return false;
    const next = [...knots, ...added.keys()].sort((p, q) => p - q);
    const known = new Map(Array.from(knots, (knot, a) => [knot, a]));
    const old = { sign: this.sign };
    this.z = Float64Array.from(next, (knot) => this.f[knot]);
    this.sign = Int8Array.from(next, (knot) => added.get(knot) ?? old.sign[known.get(knot) ?? 0]);
    this.knots = Uint32Array.from(next);
    return true;
  }

  /** The answer for targets that are larger by `mean`. */
  result(mean: number): LineFit {
    this.predict(this.z);
    const { beta, knots, f } = this;
    const { t, y, count, spread, index } = this.data;
    const shape = this.shape();
    const positions = Float64Array.from(knots, (knot) => t[knot]);
    const first = t[0];
    const last = t[t.length - 1];
    const fewest = sparsestOf(t, f, knots, shape);
    const start = this.z[0] + mean;
    const { ramps, c0 } = leastRamps(fewest.kinks, { slope: shape.slope, change: fewest.change }, first, last, start);
    const norm = lineNorm(shape);
    let loss = spread;
    for (let i = 0; i < f.length; i++) loss += (count[i] * (y[i] - f[i]) ** 2) / 2;
    const active = Array.from(knots.keys()).filter((a) => shape.change[a] !== 0);
    return {
      network: rampNetwork(ramps, c0),
      ramps,
      c0,
      f: Float64Array.from(index, (k) => f[k] + mean),
      objective: loss + beta * norm,
      lowerBound: spread + lineDualBound(this.data, this.v, beta),
      norm,
      kinks: Float64Array.from(active, (a) => positions[a]),
      change: Float64Array.from(active, (a) => shape.change[a]),
      iterations: this.iterations,
    };
  }
}

/** {@link sparsestKinks} over the knots alone: slope changes at points that are not neighbours in the data stay apart. */
function sparsestOf(
  t: Float64Array,
  f: Float64Array,
  knots: Uint32Array,
  { slope, change }: LineShape,
): { kinks: Float64Array; change: Float64Array } {
  const full = new Float64Array(t.length);
  knots.forEach((knot, a) => {
    full[knot] = change[a];
  });
  return sparsestKinks(t, f, { slope, change: full });
}

/** The dual value of v, centered and scaled into the dual's feasible set; counts are weights of the loss. */
function lineDualBound({ t, y, count }: LineData, v: Float64Array, beta: number): number {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < v.length; i++) {
    sum += v[i];
    total += count[i];
  }
  const centered = v.map((value, i) => value - (sum * count[i]) / total);
  const { right, left } = rampCorrelations(t, centered);
  let maximum = 0;
  for (let i = 0; i < v.length; i++) maximum = Math.max(maximum, Math.abs(right[i]), Math.abs(left[i]));
  let vy = 0;
  let vv = 0;
  let mean = 0;
  for (let i = 0; i < v.length; i++) mean += (count[i] * y[i]) / total;
  for (let i = 0; i < v.length; i++) {
    vy += centered[i] * (y[i] - mean);
    vv += centered[i] ** 2 / count[i];
  }
  const cap = maximum > 0 ? beta / maximum : Number.POSITIVE_INFINITY;
  const alpha = vv > 0 ? Math.min(cap, Math.max(0, vy / vv)) : 0;
  return alpha * vy - (alpha * alpha * vv) / 2;
}

/** argmax of a'x - x'Px/2 over the triangle x >= 0, x_1 + x_2 <= 1; P = [[p11, p12], [p12, p22]] positive semidefinite. */
function saddleMultipliers([a1, a2]: [number, number], [p11, p12, p22]: [number, number, number]): [number, number] {
  const clip = (t: number): number => (t > 0 ? Math.min(1, t) : 0); // NaN becomes 0
  const det = p11 * p22 - p12 * p12;
  // On p + q = 1: a1 - a2 + p22 - p12 = p (p11 - 2 p12 + p22).
  const share = clip((a1 - a2 + p22 - p12) / (p11 - 2 * p12 + p22));
  const candidates: [number, number][] = [
    [0, 0],
    [clip(a1 / p11), 0],
    [0, clip(a2 / p22)],
    [share, 1 - share],
    [(a1 * p22 - a2 * p12) / det, (a2 * p11 - a1 * p12) / det],
  ];
  let best = candidates[0];
  let value = 0;
  for (const [x, y] of candidates) {
    if (!(x >= 0 && y >= 0 && x + y <= 1)) continue;
    const reached = a1 * x + a2 * y - (p11 * x * x + 2 * p12 * x * y + p22 * y * y) / 2;
    if (reached <= value) continue;
    value = reached;
    best = [x, y];
  }
  return best;
}

/** L D L' of a symmetric positive definite tridiagonal matrix. */
function factorTridiagonal(diagonal: Float64Array, above: Float64Array): { d: Float64Array; l: Float64Array } {
  const d = diagonal.slice();
  const l = new Float64Array(d.length);
  for (let a = 1; a < d.length; a++) {
    l[a] = above[a - 1] / d[a - 1];
    d[a] -= l[a] * above[a - 1];
  }
  return { d, l };
}

function solveTridiagonal({ d, l }: { d: Float64Array; l: Float64Array }, b: Float64Array): Float64Array {
  const x = b.slice();
  for (let a = 1; a < x.length; a++) x[a] -= l[a] * x[a - 1];
  for (let a = 0; a < x.length; a++) x[a] /= d[a];
  for (let a = x.length - 2; a >= 0; a--) x[a] -= l[a + 1] * x[a + 1];
  return x;
}
