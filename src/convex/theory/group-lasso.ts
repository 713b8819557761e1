import { type Matrix, matrix } from "../../base/matrix.ts";
import { choleskyFactor, solveFactored } from "./dense.ts";

/** minimize 1/2 ||H W + 1 c0' - Y||^2 + beta sum_j ||W_j||_2 over the rows W_j of W and c0. */
export interface GroupLassoProblem {
  /** p columns of n entries. */
  readonly columns: readonly Float64Array[];
  /** n x c. */
  readonly Y: Matrix;
  readonly beta: number;
}

export interface GroupLassoSolution {
  /** p x c; groups that are not in use are zero. */
  readonly W: Matrix;
  readonly c0: Float64Array;
  /** Y - H W - 1 c0', n x c. */
  readonly residual: Matrix;
  readonly objective: number;
  readonly lowerBound: number;
}

const ROUNDS = 100;
const GAP = 1e-11;
const VIOLATED = 1 + 1e-10;
/** The smoothing of the norms goes from this part of ||Y|| / ||h|| down to its least in these steps. */
const LEVELS = 15;
const NEWTON_STEPS = 25;
/** Groups below this part of the largest are left out when that does not raise the objective. */
const GONE = 1e-7;
const RIDGE = 1e-14;

/**
 * The group lasso with an unpenalized constant, to high accuracy, for small problems: an active set of groups and on it
 * primal-dual Newton steps for norms smoothed as sqrt(||w||^2 + eps^2), eps going to zero (Chan, Golub & Mulet, 1999).
 */
export function groupLasso({ columns, Y, beta }: GroupLassoProblem): GroupLassoSolution {
  const { rows: n, cols: c } = Y;
  const p = columns.length;
  const W = matrix(p, c);
  const c0 = new Float64Array(c);
  const residual = matrix(n, c);
  let active: number[] = [];
  const update = (): void => {
    residual.data.set(Y.data);
    for (let i = 0; i < n; i++) {
      for (let q = 0; q < c; q++) {
        let sum = c0[q];
        for (const j of active) sum += columns[j][i] * W.data[j * c + q];
        residual.data[i * c + q] -= sum;
      }
    }
  };
  /** Sets c0 to its best value and the residual with it. */
  const center = (): void => {
    update();
    for (let q = 0; q < c; q++) {
      let mean = 0;
      for (let i = 0; i < n; i++) mean += residual.data[i * c + q] / n;
      c0[q] += mean;
    }
    update();
  };
  const norm = (j: number): number => Math.hypot(...W.data.subarray(j * c, (j + 1) * c));
  const correlation = (j: number): number => {
    const g = new Float64Array(c);
    for (let i = 0; i < n; i++) for (let q = 0; q < c; q++) g[q] += columns[j][i] * residual.data[i * c + q];
    return Math.hypot(...g);
  };
  const objectiveNow = (): number => {
    center();
    let sum = 0;
    for (const r of residual.data) sum += (r * r) / 2;
    for (const j of active) sum += beta * norm(j);
    return sum;
  };
  let objective = objectiveNow();
  let lowerBound = Number.NEGATIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const sizes = columns.map((_, j) => correlation(j));
    lowerBound = Math.max(lowerBound, dualValue(residual, Y, beta, Math.max(0, ...sizes)));
    if (objective - lowerBound <= GAP * objective) break;
    const known = new Set(active);
    const violating = Array.from(sizes.keys())
      .filter((j) => sizes[j] > beta * VIOLATED && !known.has(j))
      .sort((a, b) => sizes[b] - sizes[a]);
    if (round > 0 && violating.length === 0) break;
    active.push(...violating.slice(0, 4 + active.length));
    if (active.length === 0) break;
    const before = { W: W.data.slice(), c0: c0.slice() };
    smoothedNewton(columns, Y, beta, active, W, c0);
    let reached = objectiveNow();
    const largest = Math.max(...active.map(norm));
    const all = active;
    const kept = W.data.slice();
    active = active.filter((j) => norm(j) > GONE * largest);
    for (const j of all) if (!active.includes(j)) W.data.fill(0, j * c, (j + 1) * c);
    const thinned = objectiveNow();
    if (thinned <= reached * (1 + 1e-14)) reached = thinned;
    else {
      active = all;
      W.data.set(kept);
      reached = objectiveNow();
    }
    if (reached > objective) {
      W.data.set(before.W);
      c0.set(before.c0);
      active = Array.from({ length: p }, (_, j) => j).filter((j) => norm(j) > 0);
      objectiveNow();
      break;
    }
    objective = reached;
  }
  const sizes = columns.map((_, j) => correlation(j));
  lowerBound = Math.max(lowerBound, dualValue(residual, Y, beta, Math.max(0, ...sizes)));
  return { W, c0, residual, objective, lowerBound };
}

/** The dual value of the residual scaled into max_j ||V'h_j|| <= beta. Its columns sum to zero. */
function dualValue(V: Matrix, Y: Matrix, beta: number, maximum: number): number {
  let vy = 0;
  let vv = 0;
  for (let k = 0; k < V.data.length; k++) {
    vy += V.data[k] * Y.data[k];
    vv += V.data[k] ** 2;
  }
  const cap = maximum > 0 ? beta / maximum : Number.POSITIVE_INFINITY;
  const scale = vv > 0 ? Math.min(cap, Math.max(0, vy / vv)) : 0;
  return scale * vy - (scale * scale * vv) / 2;
}

/** Continuation in eps over the active groups; W and c0 are start and result. */
function smoothedNewton(
  columns: readonly Float64Array[],
  Y: Matrix,
  beta: number,
  active: readonly number[],
  W: Matrix,
  c0: Float64Array,
): void {
  const { rows: n, cols: c } = Y;
  const m = active.length;
  const size = (m + 1) * c;
  const H = [...active.map((j) => columns[j]), new Float64Array(n).fill(1)];
  const gram = matrix(m + 1, m + 1);
  let longest = 0;
  H.forEach((a, j) => {
    H.forEach((b, k) => {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += a[i] * b[i];
      gram.data[j * (m + 1) + k] = sum;
    });
    if (j < m) longest = Math.max(longest, gram.data[j * (m + 1) + j]);
  });
  const x = new Float64Array(size);
  active.forEach((j, a) => {
    x.set(W.data.subarray(j * c, (j + 1) * c), a * c);
  });
  x.set(c0, m * c);
  // Dual estimates p_j of w_j / ||w_j||, kept inside the unit ball.
  const P = new Float64Array(m * c);
  let eps = Math.hypot(...Y.data) / Math.sqrt(longest || 1);
  const rho = (a: number): number => Math.hypot(eps, ...x.subarray(a * c, (a + 1) * c));
  const R = new Float64Array(n * c);
  const evaluate = (): number => {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      for (let q = 0; q < c; q++) {
        let r = Y.data[i * c + q];
        for (let a = 0; a <= m; a++) r -= H[a][i] * x[a * c + q];
        R[i * c + q] = r;
        sum += (r * r) / 2;
      }
    }
    for (let a = 0; a < m; a++) sum += beta * rho(a);
    return sum;
  };
  for (let level = 0; level < LEVELS; level++, eps /= 10) {
    for (let step = 0; step < NEWTON_STEPS; step++) {
      const before = evaluate();
      const A = matrix(size, size);
      const g = new Float64Array(size);
      for (let a = 0; a <= m; a++) {
        for (let b = 0; b <= m; b++) {
          for (let q = 0; q < c; q++) A.data[(a * c + q) * size + b * c + q] = gram.data[a * (m + 1) + b];
        }
        for (let i = 0; i < n; i++) for (let q = 0; q < c; q++) g[a * c + q] += H[a][i] * R[i * c + q];
      }
      for (let a = 0; a < m; a++) {
        const length = rho(a);
        for (let q = 0; q < c; q++) {
          g[a * c + q] -= (beta * x[a * c + q]) / length;
          for (let k = 0; k < c; k++) {
            const mixed = (P[a * c + q] * x[a * c + k] + P[a * c + k] * x[a * c + q]) / (2 * length);
            A.data[(a * c + q) * size + a * c + k] += (beta * ((q === k ? 1 : 0) - mixed)) / length;
          }
        }
      }
      for (let k = 0; k < size; k++) A.data[k * size + k] *= 1 + RIDGE;
      const L = choleskyFactor(A);
      if (L === null) break;
      const change = solveFactored(L, g);
      const from = x.slice();
      const lengths = Array.from({ length: m }, (_, a) => rho(a));
      let t = 1;
      let reached = Number.POSITIVE_INFINITY;
      for (; t > 1e-6; t /= 2) {
        for (let k = 0; k < size; k++) x[k] = from[k] + t * change[k];
        reached = evaluate();
        if (reached <= before) break;
      }
      // p + dp = (w + (I - p w'/rho) dw) / rho, pulled back into the ball.
      for (let a = 0; a < m; a++) {
        let along = 0;
        for (let q = 0; q < c; q++) along += from[a * c + q] * change[a * c + q];
        let outside = 0;
        const next = new Float64Array(c);
        for (let q = 0; q < c; q++) {
          next[q] = (from[a * c + q] + change[a * c + q] - (P[a * c + q] * along) / lengths[a]) / lengths[a];
          outside += next[q] ** 2;
        }
        const shrink = Math.min(1, 0.999999 / Math.sqrt(outside || 1));
        for (let q = 0; q < c; q++) P[a * c + q] = next[q] * shrink;
      }
      if (reached > before) {
        x.set(from);
        break;
      }
      if (before - reached <= 1e-15 * before) break;
    }
  }
  active.forEach((j, a) => {
    W.data.set(x.subarray(a * c, (a + 1) * c), j * c);
  });
  c0.set(x.subarray(m * c));
}
