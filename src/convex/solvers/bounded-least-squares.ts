/**
 * minimize ||p - sum_i theta_i x_i||^2 subject to 0 <= theta_i <= q_i (q_i may be Infinity), by an active-set method
 * (Stark & Parker, "Bounded-variable least squares", 1995): bound variables with the wrong multiplier are freed one at
 * a time, the free ones are solved for exactly, and a step that leaves the box stops at its first wall.
 */
export interface BoxLeastSquares {
  /** The rows x_i of an array with `stride` columns, `width` of them used. */
  readonly X: Float64Array;
  readonly stride: number;
  readonly width: number;
  /** Indices of the rows that take part. */
  readonly rows: ArrayLike<number>;
  /** Upper bounds, one a taking-part row. */
  readonly q: ArrayLike<number>;
  readonly p: Float64Array;
}

const AT_ZERO = 0;
const AT_UPPER = 1;
const FREE = 2;

/**
 * Solves the problem; `theta` (one entry a taking-part row) is the start on entry, entries at 0 or q_i being bound and
 * others free, and the solution on return.
 *
 * @returns the residual r = p - sum theta_i x_i (`width` entries), and whether the multipliers ended right.
 */
export function boxLeastSquares(
  problem: BoxLeastSquares,
  theta: Float64Array,
): { r: Float64Array; converged: boolean } {
  const { X, stride, width, rows, q, p } = problem;
  const count = rows.length;
  const state = new Uint8Array(count);
  const free: number[] = [];
  const norms = new Float64Array(count);
  for (let k = 0; k < count; k++) {
    const at = rows[k] * stride;
    let norm = 0;
    for (let c = 0; c < width; c++) norm += X[at + c] ** 2;
    norms[k] = Math.sqrt(norm);
    if (theta[k] <= 0) state[k] = AT_ZERO;
    else if (theta[k] >= q[k]) state[k] = AT_UPPER;
    else if (free.length < width) {
      state[k] = FREE;
      free.push(k);
    } else {
      theta[k] = 2 * theta[k] < q[k] || q[k] === Number.POSITIVE_INFINITY ? 0 : q[k];
      state[k] = theta[k] === 0 ? AT_ZERO : AT_UPPER;
    }
  }
  let scale = 0;
  for (let c = 0; c < width; c++) scale += p[c] ** 2;
  scale = Math.sqrt(scale);
  const r = new Float64Array(width);
  const base = new Float64Array(width);
  const blocked = new Uint8Array(count);

  /** base <- p - sum over bound rows; r <- base - sum over free rows. */
  const residual = (): void => {
    base.set(p);
    for (let k = 0; k < count; k++) {
      if (state[k] !== AT_UPPER) continue;
      const at = rows[k] * stride;
      for (let c = 0; c < width; c++) base[c] -= q[k] * X[at + c];
    }
    updateResidual();
  };
  const updateResidual = (): void => {
    r.set(base);
    for (const k of free) {
      const at = rows[k] * stride;
      for (let c = 0; c < width; c++) r[c] -= theta[k] * X[at + c];
    }
  };
  /** Moves a free variable to a wall. */
  const bind = (k: number, upper: boolean): void => {
    free.splice(free.indexOf(k), 1);
    state[k] = upper ? AT_UPPER : AT_ZERO;
    theta[k] = upper ? q[k] : 0;
    if (!upper) return;
    const at = rows[k] * stride;
    for (let c = 0; c < width; c++) base[c] -= q[k] * X[at + c];
  };

  residual();
  const limit = 20 * width + 2 * count + 20;
  for (let iteration = 0; iteration < limit; iteration++) {
    // Least squares on the free variables, stopping at the first wall.
    let refactor = true;
    while (refactor && free.length > 0) {
      refactor = false;
      const solved = solveNormal(X, stride, width, rows, free, base);
      if (solved.dependent >= 0) {
        const k = free[solved.dependent];
        blocked[k] = 1;
        bind(k, 2 * theta[k] > q[k]);
        refactor = true;
        continue;
      }
      let step = 1;
      let wall = -1;
      for (let a = 0; a < free.length; a++) {
        const k = free[a];
        const goal = solved.theta[a];
        const change = goal - theta[k];
        const room = goal < 0 ? theta[k] / -change : goal > q[k] ? (q[k] - theta[k]) / change : 2;
        if (room < step) {
          step = Math.max(0, room);
          wall = k;
        }
      }
      const goalOfWall = wall >= 0 ? solved.theta[free.indexOf(wall)] : 0;
      for (let a = 0; a < free.length; a++) theta[free[a]] += step * (solved.theta[a] - theta[free[a]]);
      if (wall >= 0) {
        bind(wall, goalOfWall > 0);
        refactor = true;
      }
    }
    if (free.length > 0 || iteration > 0) updateResidual();
    let worst = 1e-12;
    let chosen = -1;
    let rNorm = 0;
    for (let c = 0; c < width; c++) rNorm += r[c] ** 2;
    rNorm = Math.sqrt(rNorm);
    if (rNorm <= 1e-14 * scale) return { r, converged: true };
    for (let k = 0; k < count; k++) {
      if (state[k] === FREE || norms[k] === 0 || blocked[k] === 1) continue;
      const at = rows[k] * stride;
      let g = 0;
      for (let c = 0; c < width; c++) g += X[at + c] * r[c];
      g /= norms[k] * scale;
      const violation = state[k] === AT_ZERO ? g : -g;
      if (violation > worst) {
        worst = violation;
        chosen = k;
      }
    }
    if (chosen < 0) return { r, converged: true };
    if (state[chosen] === AT_UPPER) {
      const at = rows[chosen] * stride;
      for (let c = 0; c < width; c++) base[c] += q[chosen] * X[at + c];
    }
    state[chosen] = FREE;
    free.push(chosen);
  }
  return { r, converged: false };
}

/** theta of the free rows from the normal equations; `dependent` names a free row that the earlier ones span, or -1. */
function solveNormal(
  X: Float64Array,
  stride: number,
  width: number,
  rows: ArrayLike<number>,
  free: readonly number[],
  base: Float64Array,
): { theta: Float64Array; dependent: number } {
  const size = free.length;
  const L = new Float64Array(size * size);
  const theta = new Float64Array(size);
  for (let a = 0; a < size; a++) {
    const at = rows[free[a]] * stride;
    for (let b = 0; b <= a; b++) {
      const bt = rows[free[b]] * stride;
      let sum = 0;
      for (let c = 0; c < width; c++) sum += X[at + c] * X[bt + c];
      const diagonal = sum;
      for (let k = 0; k < b; k++) sum -= L[a * size + k] * L[b * size + k];
      if (a === b) {
        if (sum <= 1e-13 * diagonal) return { theta, dependent: a };
        L[a * size + a] = Math.sqrt(sum);
      } else L[a * size + b] = sum / L[b * size + b];
    }
    let right = 0;
    for (let c = 0; c < width; c++) right += X[at + c] * base[c];
    for (let k = 0; k < a; k++) right -= L[a * size + k] * theta[k];
    theta[a] = right / L[a * size + a];
  }
  for (let a = size - 1; a >= 0; a--) {
    let sum = theta[a];
    for (let k = a + 1; k < size; k++) sum -= L[k * size + a] * theta[k];
    theta[a] = sum / L[a * size + a];
  }
  return { theta, dependent: -1 };
}
