import type { Matrix } from "../../base/matrix.ts";

/** minimize c'x subject to A x = b, lower <= x <= upper (bounds may be infinite). */
export interface LinearProgram {
  readonly c: Float64Array;
  /** m x n. */
  readonly A: Matrix;
  readonly b: Float64Array;
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

export interface LinearSolution {
  readonly status: "optimal" | "infeasible" | "unbounded" | "stalled";
  /** A vertex: at most m entries are strictly between their bounds. */
  readonly x: Float64Array;
  readonly value: number;
  /** Multipliers y of the rows: c - A'y is >= 0 at lower bounds, <= 0 at upper bounds, 0 between. */
  readonly duals: Float64Array;
}

const REFACTOR_EVERY = 50;
/** Reduced costs, pivots and infeasibilities below these are rounding (columns and costs are scaled to size 1). */
const COST_TOLERANCE = 1e-11;
const PIVOT_TOLERANCE = 1e-9;
const FEASIBLE = 1e-9;

const AT_LOWER = 0;
const AT_UPPER = 1;
const BASIC = 2;
const FREE = 3;

/**
 * Revised simplex method with bounded variables, two phases and a dense basis inverse; Bland's rule once steps stop moving
 * (Dantzig, Linear Programming and Extensions, 1963; Chvatal, Linear Programming, 1983, chapters 3, 7, 8). For programs of
 * up to some hundred rows.
 *
 * @throws RangeError when the shapes do not fit.
 */
export function solveLinearProgram(program: LinearProgram): LinearSolution {
  const { A, b, c, lower, upper } = program;
  if (b.length !== A.rows || [c, lower, upper].some((part) => part.length !== A.cols)) {
    const parts = `b ${b.length}, c ${c.length}, lower ${lower.length}, upper ${upper.length}`;
    throw new RangeError(`a linear program with A of ${A.rows} x ${A.cols} has parts of sizes ${parts}`);
  }
  return new Simplex(program).solve();
}

class Simplex {
  readonly m: number;
  readonly n: number;
  /** Columns of A scaled to largest entry 1, one after the other, then the m artificial columns. */
  readonly columns: Float64Array;
  readonly scale: Float64Array;
  readonly cost: Float64Array;
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  readonly b: Float64Array;
  readonly state: Uint8Array;
  readonly x: Float64Array;
  readonly basis: Int32Array;
  inverse: Float64Array;
  readonly y: Float64Array;
  readonly program: LinearProgram;

  constructor(program: LinearProgram) {
    const { A, b, lower, upper } = program;
    this.program = program;
    const m = A.rows;
    const n = A.cols;
    this.m = m;
    this.n = n;
    this.b = b;
    const total = n + m;
    this.columns = new Float64Array(total * m);
    this.scale = new Float64Array(total).fill(1);
    this.cost = new Float64Array(total);
    this.lower = new Float64Array(total);
    this.upper = new Float64Array(total).fill(Number.POSITIVE_INFINITY);
    this.state = new Uint8Array(total);
    this.x = new Float64Array(total);
    const left = b.slice();
    for (let j = 0; j < n; j++) {
      let largest = 0;
      for (let i = 0; i < m; i++) largest = Math.max(largest, Math.abs(A.data[i * n + j]));
      const scale = largest > 0 ? 1 / largest : 1;
      this.scale[j] = scale;
      for (let i = 0; i < m; i++) this.columns[j * m + i] = scale * A.data[i * n + j];
      this.lower[j] = lower[j] / scale;
      this.upper[j] = upper[j] / scale;
      const bounded = Number.isFinite(lower[j]) ? AT_LOWER : Number.isFinite(upper[j]) ? AT_UPPER : FREE;
      this.state[j] = bounded;
      this.x[j] = bounded === AT_LOWER ? this.lower[j] : bounded === AT_UPPER ? this.upper[j] : 0;
      if (this.x[j] !== 0) for (let i = 0; i < m; i++) left[i] -= this.columns[j * m + i] * this.x[j];
    }
    this.basis = new Int32Array(m);
    this.inverse = new Float64Array(m * m);
    this.y = new Float64Array(m);
    for (let i = 0; i < m; i++) {
      const sign = left[i] < 0 ? -1 : 1;
      this.columns[(n + i) * m + i] = sign;
      this.inverse[i * m + i] = sign;
      this.basis[i] = n + i;
      this.state[n + i] = BASIC;
      this.x[n + i] = Math.abs(left[i]);
    }
  }

  solve(): LinearSolution {
    const { m, n, cost, program } = this;
    const finish = (status: LinearSolution["status"], costScale: number): LinearSolution => {
      const x = new Float64Array(n);
      let value = 0;
      for (let j = 0; j < n; j++) {
        x[j] = Math.min(Math.max(this.x[j] * this.scale[j], program.lower[j]), program.upper[j]);
        value += program.c[j] * x[j];
      }
      return { status, x, value, duals: this.y.map((t) => t * costScale) };
    };
    let size = 0;
    for (let i = 0; i < m; i++) size = Math.max(size, Math.abs(this.b[i]), this.x[n + i]);
    cost.fill(1, n);
    const first = this.iterate();
    let infeasible = 0;
    for (let i = 0; i < m; i++) infeasible = Math.max(infeasible, this.x[n + i]);
    if (infeasible > FEASIBLE * Math.max(size, 1e-300)) {
      return finish(first === "stalled" ? "stalled" : "infeasible", 1);
    }
    let costScale = 0;
    for (let j = 0; j < n; j++) {
      cost[j] = program.c[j] * this.scale[j];
      costScale = Math.max(costScale, Math.abs(cost[j]));
    }
    if (costScale === 0) costScale = 1;
    for (let j = 0; j < n; j++) cost[j] /= costScale;
    cost.fill(0, n);
    for (let i = 0; i < m; i++) {
      this.upper[n + i] = 0;
      if (this.state[n + i] !== BASIC) this.x[n + i] = 0;
    }
    const second = this.iterate();
    return finish(second, costScale);
  }

  /** Simplex steps at the current costs until none improves. */
  iterate(): "optimal" | "unbounded" | "stalled" {
    const { m, n, columns, state, x, lower, upper, basis, cost } = this;
    const total = n + m;
    const alpha = new Float64Array(m);
    let still = 0;
    this.refactor();
    const limit = 200 * (m + 10) + 20 * n;
    for (let step = 0; step < limit; step++) {
      if (step % REFACTOR_EVERY === REFACTOR_EVERY - 1) this.refactor();
      this.price();
      // Entering column: the steepest, or the first (Bland) when steps are degenerate.
      const bland = still > m + 20;
      let entering = -1;
      let best = COST_TOLERANCE;
      let direction = 1;
      for (let j = 0; j < total; j++) {
        if (state[j] === BASIC || lower[j] === upper[j]) continue;
        let d = cost[j];
        for (let i = 0; i < m; i++) d -= this.y[i] * columns[j * m + i];
        const gain = state[j] === AT_LOWER ? -d : state[j] === AT_UPPER ? d : Math.abs(d);
        if (gain <= best) continue;
        best = gain;
        entering = j;
        direction = state[j] === AT_LOWER || (state[j] === FREE && d < 0) ? 1 : -1;
        if (bland) break;
      }
      if (entering < 0) return "optimal";
      for (let i = 0; i < m; i++) {
        alpha[i] = 0;
        for (let k = 0; k < m; k++) alpha[i] += this.inverse[i * m + k] * columns[entering * m + k];
      }
      // Ratio test: basic variables move by -direction * alpha * t.
      let length = upper[entering] - lower[entering];
      let leaving = -1;
      let pivot = 0;
      for (let i = 0; i < m; i++) {
        const slope = -direction * alpha[i];
        if (Math.abs(slope) <= PIVOT_TOLERANCE) continue;
        const k = basis[i];
        const room = slope > 0 ? upper[k] - x[k] : x[k] - lower[k];
        if (room === Number.POSITIVE_INFINITY) continue;
        const t = Math.max(0, room) / Math.abs(slope);
        const tie = Math.abs(t - length) <= 1e-12 * (1 + t);
        if ((tie && leaving >= 0 && (bland ? k < basis[leaving] : Math.abs(slope) > pivot)) || (!tie && t < length)) {
          length = t;
          leaving = i;
          pivot = Math.abs(slope);
        }
      }
      if (length === Number.POSITIVE_INFINITY) return "unbounded";
      still = length > 1e-12 ? 0 : still + 1;
      for (let i = 0; i < m; i++) x[basis[i]] -= direction * alpha[i] * length;
      x[entering] += direction * length;
      if (leaving < 0) {
        state[entering] = state[entering] === AT_LOWER ? AT_UPPER : AT_LOWER;
        x[entering] = state[entering] === AT_LOWER ? lower[entering] : upper[entering];
        continue;
      }
      const out = basis[leaving];
      const toUpper = -direction * alpha[leaving] > 0;
      state[out] = toUpper ? AT_UPPER : AT_LOWER;
      x[out] = toUpper ? upper[out] : lower[out];
      basis[leaving] = entering;
      state[entering] = BASIC;
      this.pivot(leaving, alpha);
    }
    return "stalled";
  }

  /** y <- multipliers of the current basis. */
  price(): void {
    const { m, basis, cost, inverse, y } = this;
    y.fill(0);
    for (let i = 0; i < m; i++) {
      const t = cost[basis[i]];
      if (t !== 0) for (let k = 0; k < m; k++) y[k] += t * inverse[i * m + k];
    }
  }

  /** The inverse after column `alpha` (in the old basis) has replaced the basic variable of row r. */
  pivot(r: number, alpha: Float64Array): void {
    const { m, inverse } = this;
    for (let k = 0; k < m; k++) inverse[r * m + k] /= alpha[r];
    for (let i = 0; i < m; i++) {
      if (i === r || alpha[i] === 0) continue;
      for (let k = 0; k < m; k++) inverse[i * m + k] -= alpha[i] * inverse[r * m + k];
    }
  }

  /** Inverts the basis anew (Gauss-Jordan with row pivoting) and recomputes the basic variables. */
  refactor(): void {
    const { m, n, basis, columns, x, state } = this;
    const B = new Float64Array(m * m);
    for (let i = 0; i < m; i++) for (let k = 0; k < m; k++) B[k * m + i] = columns[basis[i] * m + k];
    const inverse = new Float64Array(m * m);
    for (let i = 0; i < m; i++) inverse[i * m + i] = 1;
    const swap = (M: Float64Array, p: number, q: number): void => {
      for (let k = 0; k < m; k++) {
        const kept = M[p * m + k];
        M[p * m + k] = M[q * m + k];
        M[q * m + k] = kept;
      }
    };
    for (let i = 0; i < m; i++) {
      let p = i;
      for (let k = i + 1; k < m; k++) if (Math.abs(B[k * m + i]) > Math.abs(B[p * m + i])) p = k;
      if (!(Math.abs(B[p * m + i]) > 1e-13)) return; // keep the updated inverse
      if (p !== i) {
        swap(B, p, i);
        swap(inverse, p, i);
      }
      const scale = 1 / B[i * m + i];
      for (let k = 0; k < m; k++) {
        B[i * m + k] *= scale;
        inverse[i * m + k] *= scale;
      }
      for (let row = 0; row < m; row++) {
        const factor = B[row * m + i];
        if (row === i || factor === 0) continue;
        for (let k = 0; k < m; k++) {
          B[row * m + k] -= factor * B[i * m + k];
          inverse[row * m + k] -= factor * inverse[i * m + k];
        }
      }
    }
    this.inverse = inverse;
    const left = this.b.slice();
    for (let j = 0; j < n + m; j++) {
      if (state[j] === BASIC || x[j] === 0) continue;
      for (let i = 0; i < m; i++) left[i] -= columns[j * m + i] * x[j];
    }
    for (let i = 0; i < m; i++) {
      let value = 0;
      for (let k = 0; k < m; k++) value += inverse[i * m + k] * left[k];
      x[basis[i]] = value;
    }
  }
}
