import { isActive } from "../patterns/pattern.ts";
import { boxLeastSquares } from "../solvers/bounded-least-squares.ts";
import { norm2, total } from "../solvers/vectors.ts";
import { dualPoint, type ProgramContext, penalizedNorm, rowsTimes, type Unit } from "./context.ts";

/** Margins this near to a kink of the loss, relative to the largest prediction, count as on it. */
const ON_KINK = 1e-6;
/** Pre-activations this near to zero, relative to the row and the unit, count as on the unit's own kink. */
const ON_BOUNDARY = 1e-7;

/**
 * A dual point of a network of which only weights are known: v = -grad loss(f), and where the loss has a kink (hinge,
 * y f = 1) the subgradient that comes nearest to the stationarity of the units, by least squares in a box:
 *
 *   s_j sum_i v_i theta_ij x_i = beta a_j / ||a_j||,  theta_ij = 1 on active rows, 0 on inactive ones,
 *
 * and in [0, 1] on rows of the unit's own kink, where only s_j v_i <= 0 can be optimal. Always in the domain of the
 * conjugate, whatever the network; where several points are stationary for the units, nothing says that this one is
 * feasible: the dual point of a solve over more patterns is better then.
 */
export function dualCandidate(context: ProgramContext, units: readonly Unit[], f: Float64Array): Float64Array {
  const { core, loss, E, n, p, penalized, gated } = context;
  const v = dualPoint(context, f);
  const box = loss.name === "hinge" ? loss.dualBox(core.y) : null;
  if (box === null || units.length === 0) return v;
  const largest = f.reduce((most, t) => Math.max(most, Math.abs(t)), 1);
  const size = (i: number): number => box.high[i] - box.low[i];
  /** Rows on the kink of the loss, whose v_i = y_i tau_i with tau_i free, and their place among the unknowns. */
  const place = new Map<number, number>();
  for (let i = 0; i < n; i++) {
    if (size(i) > 0 && Math.abs(1 - core.y[i] * f[i]) <= ON_KINK * largest) place.set(i, place.size);
  }
  if (place.size === 0) return v;
  loss.negativeGradient(f, core.y, v);
  const kinks = [...place.keys()];
  for (const i of kinks) v[i] = 0;

  // One equation a unit and coordinate, and one for the sum of v when biases are free.
  const width = units.length * p + (core.freeBias ? 1 : 0);
  const target = new Float64Array(width);
  const columns: Float64Array[] = kinks.map(() => new Float64Array(width));
  const upper = kinks.map(size);
  units.forEach((unit, j) => {
    const norm = penalizedNorm(context, unit.a);
    const z = rowsTimes(E, n, p, unit.a);
    for (let k = 0; k < penalized; k++) target[j * p + k] = (core.beta * unit.a[k]) / norm;
    const add = (column: Float64Array, i: number, factor: number): void => {
      for (let k = 0; k < p; k++) column[j * p + k] += factor * E[i * p + k];
    };
    for (let i = 0; i < n; i++) {
      const at = place.get(i);
      const boundary = !gated && Math.abs(z[i]) <= ON_BOUNDARY * norm * norm2(E.subarray(i * p, (i + 1) * p));
      if (boundary) {
        const most = at === undefined ? Math.abs(v[i]) : size(i);
        if (most === 0 || unit.sign * core.y[i] > 0) continue;
        const column = new Float64Array(width);
        add(column, i, unit.sign * core.y[i]);
        columns.push(column);
        upper.push(most);
      } else if (gated ? isActive(unit.pattern, i) : z[i] > 0) {
        if (at === undefined) add(target, i, -unit.sign * v[i]);
        else add(columns[at], i, unit.sign * core.y[i]);
      }
    }
  });
  if (core.freeBias) {
    target[width - 1] = -total(v);
    for (const [i, at] of place) columns[at][width - 1] = core.y[i];
  }
  const X = new Float64Array(columns.length * width);
  columns.forEach((column, k) => {
    X.set(column, k * width);
  });
  const theta = new Float64Array(columns.length);
  boxLeastSquares({ X, stride: width, width, rows: columns.map((_, k) => k), q: upper, p: target }, theta);
  for (const [i, at] of place) v[i] = core.y[i] * Math.max(0, Math.min(size(i), theta[at]));
  if (core.freeBias) loss.center(v, core.y);
  return v;
}
