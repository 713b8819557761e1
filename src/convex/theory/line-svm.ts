import { matrix } from "../../base/matrix.ts";
import type { TwoLayerNetwork } from "../../network/two-layer.ts";
import { type Ramp, rampCorrelations, rampNetwork } from "./line-data.ts";
import { solveLinearProgram } from "./simplex.ts";

/** The global optimum of hinge-loss training in one dimension with free biases. */
export interface LineSvm {
  readonly network: TwoLayerNetwork;
  readonly ramps: readonly Ramp[];
  readonly c0: number;
  /** sum max(0, 1 - y_i f_i) + beta sum |w|, of the network. */
  readonly objective: number;
  /** Dual value: no network of any width has a smaller objective (up to rounding). */
  readonly lowerBound: number;
  /** Dual point, one entry a sample: 0 <= y_i v_i <= 1, sum v = 0. */
  readonly v: Float64Array;
}

/** A ramp of the working set: column of the primal, two-sided row of the dual. */
interface Candidate {
  readonly u: 1 | -1;
  readonly at: number;
}

const VIOLATED = 1e-10;
const WEIGHT_FLOOR = 1e-13;

/**
 * minimize sum max(0, 1 - y_i f(x_i)) + beta sum |w_j|  over  f(x) = sum_j w_j (u_j x + b_j)_+ + c0, |u_j| = 1, biases free:
 * the l1 support vector machine over ramps at the data (Ergen & Pilanci, arXiv:2002.11219, Theorem 11, with the free output
 * bias that free hidden biases imply). The dual linear program is solved by generating the ramps that violate it.
 *
 * @throws RangeError when a label is not -1 or 1, beta is not positive and finite, or a point is not finite.
 */
export function fitLineSvm(x: Float64Array, y: Float64Array, beta: number): LineSvm {
  if (!(beta > 0) || !Number.isFinite(beta)) throw new RangeError(`beta must be positive and finite, got ${beta}`);
  const n = x.length;
  if (n === 0 || y.length !== n) throw new RangeError(`needs as many labels as points, got ${n} and ${y.length}`);
  if (!x.every(Number.isFinite)) throw new RangeError("a point is not finite");
  if (!y.every((label) => label === 1 || label === -1)) throw new RangeError("labels must be -1 or 1");
  const t = Float64Array.from(new Set(x)).sort();
  // One dual variable a point and label, up to the number of such samples.
  const place = new Map(Array.from(t, (value, k) => [value, k]));
  const groups = new Map<string, { k: number; label: number; count: number }>();
  const groupOf = Array.from(x, (value, i) => {
    const k = place.get(value) ?? 0;
    const key = `${k} ${y[i]}`;
    const group = groups.get(key) ?? { k, label: y[i], count: 0 };
    group.count += 1;
    groups.set(key, group);
    return group;
  });
  const list = [...groups.values()];
  const position = new Map(list.map((group, g) => [group, g]));
  const candidates: Candidate[] = [];
  const known = new Set<string>();
  const add = (candidate: Candidate): boolean => {
    const key = `${candidate.u} ${candidate.at}`;
    if (known.has(key)) return false;
    known.add(key);
    candidates.push(candidate);
    return true;
  };
  if (t.length > 1) add({ u: 1, at: 0 });
  const v = new Float64Array(t.length);
  for (;;) {
    const { tau, weights, c0 } = solveDual(t, list, candidates, beta);
    v.fill(0);
    list.forEach(({ k, label }, g) => {
      v[k] += label * tau[g];
    });
    const { right, left } = rampCorrelations(t, v);
    let grown = false;
    for (const { u, at } of [...peaks(right, 1, beta), ...peaks(left, -1, beta)]) grown = add({ u, at }) || grown;
    if (grown) continue;
    const largest = [...right, ...left].reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const largestWeight = weights.reduce((most, w) => Math.max(most, Math.abs(w)), 0);
    const ramps = candidates
      .map(({ u, at }, j) => ({ u, kink: t[at], w: weights[j] }))
      .filter(({ w }) => Math.abs(w) > WEIGHT_FLOOR * largestWeight);
    let objective = 0;
    for (const { k, label, count } of list) {
      let f = c0;
      for (const { u, kink, w } of ramps) f += w * Math.max(0, u * (t[k] - kink));
      objective += count * Math.max(0, 1 - label * f);
    }
    for (const { w } of ramps) objective += beta * Math.abs(w);
    const scale = largest > beta ? beta / largest : 1;
    const value = tau.reduce((sum, part) => sum + part, 0);
    return {
      network: rampNetwork(ramps, c0),
      ramps,
      c0,
      objective,
      lowerBound: scale * value,
      v: Float64Array.from(groupOf, (group) => {
        return (scale * group.label * tau[position.get(group) ?? 0]) / group.count;
      }),
    };
  }
}

/** max sum tau over 0 <= tau <= count, sum label tau = 0, |correlation with each candidate| <= beta; its multipliers are the weights. */
function solveDual(
  t: Float64Array,
  list: readonly { k: number; label: number; count: number }[],
  candidates: readonly Candidate[],
  beta: number,
): { tau: Float64Array; weights: Float64Array; c0: number } {
  const groups = list.length;
  const rows = candidates.length + 1;
  const cols = groups + candidates.length;
  const A = matrix(rows, cols);
  const lower = new Float64Array(cols);
  const upper = new Float64Array(cols);
  const c = new Float64Array(cols);
  list.forEach(({ k, label, count }, g) => {
    upper[g] = count;
    c[g] = -1;
    A.data[g] = label;
    candidates.forEach(({ u, at }, j) => {
      A.data[(j + 1) * cols + g] = label * Math.max(0, u * (t[k] - t[at]));
    });
  });
  candidates.forEach((_, j) => {
    A.data[(j + 1) * cols + groups + j] = -1;
    lower[groups + j] = -beta;
    upper[groups + j] = beta;
  });
  const { x, duals } = solveLinearProgram({ c, A, b: new Float64Array(rows), lower, upper });
  return { tau: x.slice(0, groups), weights: duals.subarray(1).map((w) => -w), c0: -duals[0] };
}

/** The worst violated candidate of each run of correlations beyond beta. */
function peaks(correlation: Float64Array, u: 1 | -1, beta: number): Candidate[] {
  const found: Candidate[] = [];
  let at = -1;
  for (let j = 0; j <= correlation.length; j++) {
    const size = j < correlation.length ? Math.abs(correlation[j]) : 0;
    if (size > beta * (1 + VIOLATED)) {
      if (at < 0 || size > Math.abs(correlation[at])) at = j;
    } else if (at >= 0) {
      found.push({ u, at });
      at = -1;
    }
  }
  return found;
}
