import { FreeRows } from "./free-rows.ts";

/**
 * minimize ||p - sum_i theta_i x_i||^2 subject to 0 <= theta_i <= q_i (q_i may be Infinity).
 *
 * A block active-set method (after Stark & Parker, "Bounded-variable least squares", 1995): one pass prices every bound
 * variable; those with a wrong multiplier move to their best value along their own coordinate, one after another, and those
 * that stay inside the box become free (several a pass); the free ones are solved for exactly through updated
 * orthogonal factors, a step that leaves the box stopping at its first wall. Every move lowers the norm, so it is finite.
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
/** A multiplier this small (relative to ||x_i|| ||p||) counts as zero. */
const TOLERANCE = 1e-12;
/** A row whose part normal to the free rows is below this share of it depends on them. */
const DEPENDENT = 1e-11;
/** Of the variables with a wrong multiplier, those within this factor of the worst move in the same pass. */
const BLOCK = 0.1;

/** Solves problems that share rows and upper bounds, each from where the last one ended. Nothing is allocated by a solve. */
export class BoxSolver {
  /** The solution: one entry a row. */
  readonly theta: Float64Array;
  /** The residual p - sum theta_i x_i. */
  readonly r: Float64Array;
  readonly width: number;
  readonly #X: Float64Array;
  readonly #q: Float64Array;
  readonly #multiply: (count: number, r: Float64Array, out: Float64Array) => void;
  readonly #norms: Float64Array;
  readonly #state: Uint8Array;
  readonly #blocked: Uint8Array;
  readonly #gradient: Float64Array;
  readonly #base: Float64Array;
  readonly #goal: Float64Array;
  readonly #free: FreeRows;

  /**
   * `X` holds the rows (width entries each) without gaps, `q` their upper bounds; both may be changed through {@link setRow}.
   * `multiply` may replace the product of the first `count` rows with r.
   */
  constructor(
    X: Float64Array,
    q: Float64Array,
    width: number,
    multiply?: (count: number, r: Float64Array, out: Float64Array) => void,
  ) {
    const count = q.length;
    if (X.length < count * width) {
      throw new RangeError(`${count} rows of ${width} entries need ${count * width} numbers, got ${X.length}`);
    }
    this.width = width;
    this.#X = X;
    this.#q = q;
    this.#multiply =
      multiply ??
      ((rows, r, out) => {
        for (let k = 0; k < rows; k++) out[k] = dotRow(X, k * width, r, width);
      });
    this.#norms = new Float64Array(count);
    for (let k = 0; k < count; k++) this.#norms[k] = Math.sqrt(dotRow(X, k * width, X.subarray(k * width), width));
    this.theta = new Float64Array(count);
    this.#state = new Uint8Array(count);
    this.#blocked = new Uint8Array(count);
    this.#gradient = new Float64Array(count);
    this.r = new Float64Array(width);
    this.#base = new Float64Array(width);
    this.#goal = new Float64Array(width);
    this.#free = new FreeRows(X, width);
  }

  /** Replaces row k by sign * (row `from` of Z), with no upper bound, at 0. */
  setRow(k: number, sign: number, Z: Float64Array, from: number): void {
    const width = this.width;
    for (let c = 0; c < width; c++) this.#X[k * width + c] = sign * Z[from * width + c];
    this.#norms[k] = Math.sqrt(dotRow(this.#X, k * width, this.#X.subarray(k * width), width));
    this.#q[k] = Number.POSITIVE_INFINITY;
    this.theta[k] = 0;
    this.#state[k] = AT_ZERO;
  }

  /** Starts from `theta` (its first `count` entries): entries at 0 or q_i are bound, others free. */
  start(theta: ArrayLike<number>, count: number): void {
    const free = this.#free;
    free.clear();
    for (let k = 0; k < count; k++) {
      const upper = this.#q[k];
      const t = theta[k];
      if (t > 0 && t < upper && free.count < this.width && free.add(k, DEPENDENT * this.#norms[k])) {
        this.theta[k] = t;
        this.#state[k] = FREE;
      } else {
        const top = t >= upper || (t > 0 && 2 * t >= upper);
        this.theta[k] = top ? upper : 0;
        this.#state[k] = top ? AT_UPPER : AT_ZERO;
      }
    }
  }

  /**
   * Solves for the first `count` rows. Ends early once ||r|| <= `enough`, or when no more than about this `share` of
   * ||r|| - enough can still be gained. The rows from `count` on must be at 0.
   *
   * @returns whether the multipliers ended right (or `enough` was reached).
   */
  solve(p: ArrayLike<number>, count: number, enough = 0, share = 0): boolean {
    const { width, r } = this;
    const X = this.#X;
    const state = this.#state;
    const theta = this.theta;
    const base = this.#base;
    const free = this.#free;
    const gradient = this.#gradient;
    let scale = 0;
    for (let c = 0; c < width; c++) {
      base[c] = p[c];
      scale += p[c] * p[c];
    }
    scale = Math.sqrt(scale);
    for (let k = 0; k < count; k++) if (state[k] === AT_UPPER) subtract(base, this.#q[k], X, k * width, width);
    this.#blocked.fill(0, 0, count);
    if (free.stale) free.refactor();
    this.#descend();
    const limit = 20 * width + 2 * count + 20;
    for (let pass = 0; pass < limit; pass++) {
      const rNorm = Math.sqrt(dotRow(r, 0, r, width));
      if (rNorm <= enough || rNorm <= 1e-14 * scale) return true;
      this.#multiply(count, r, gradient);
      const tolerance = TOLERANCE * scale;
      let worst = 0;
      let gain = 0;
      for (let k = 0; k < count; k++) {
        const norm = this.#norms[k];
        if (state[k] === FREE || norm === 0 || this.#blocked[k] === 1) continue;
        const violation = (state[k] === AT_ZERO ? gradient[k] : -gradient[k]) / norm;
        if (violation <= tolerance) continue;
        gain += violation * violation;
        if (violation > worst) worst = violation;
      }
      if (worst === 0) return true;
      if (gain <= 2 * rNorm * share * (rNorm - enough)) return false;
      const block = Math.max(tolerance, BLOCK * worst);
      let room = Math.max(1, Math.min(width - free.count, 1 + (width >> 2)));
      let moved = false;
      for (let k = 0; k < count; k++) {
        const norm = this.#norms[k];
        if (state[k] === FREE || norm === 0 || this.#blocked[k] === 1) continue;
        const fromZero = state[k] === AT_ZERO;
        if ((fromZero ? gradient[k] : -gradient[k]) < block * norm) continue;
        // The rows moved in this pass have changed r.
        const slope = moved ? dotRow(X, k * width, r, width) : gradient[k];
        const violation = fromZero ? slope : -slope;
        if (violation <= tolerance * norm) continue;
        const step = violation / (norm * norm);
        const upper = this.#q[k];
        if (step >= upper) {
          const change = fromZero ? upper : -upper;
          subtract(r, change, X, k * width, width);
          subtract(base, change, X, k * width, width);
          theta[k] = fromZero ? upper : 0;
          state[k] = fromZero ? AT_UPPER : AT_ZERO;
        } else {
          if (room === 0) continue;
          if (free.count >= width || !free.add(k, DEPENDENT * norm)) {
            this.#blocked[k] = 1;
            continue;
          }
          room -= 1;
          theta[k] = fromZero ? step : upper - step;
          state[k] = FREE;
          subtract(r, fromZero ? step : -step, X, k * width, width);
          if (!fromZero) subtract(base, -upper, X, k * width, width);
        }
        moved = true;
      }
      if (moved) this.#descend();
    }
    return false;
  }

  /** Least squares on the free variables from where they are, binding those that meet a wall; leaves r right. */
  #descend(): void {
    const { width, theta, r } = this;
    const free = this.#free;
    const goal = this.#goal;
    const base = this.#base;
    for (;;) {
      free.solve(base, goal);
      let step = 1;
      let wall = -1;
      for (let a = 0; a < free.count; a++) {
        const k = free.rows[a];
        const upper = this.#q[k];
        const to = goal[a];
        if (to >= 0 && to <= upper) continue;
        const room = to < 0 ? theta[k] / (theta[k] - to) : (upper - theta[k]) / (to - theta[k]);
        if (room < step || wall < 0) {
          step = Math.min(1, Math.max(0, room));
          wall = a;
        }
      }
      for (let a = 0; a < free.count; a++) {
        const k = free.rows[a];
        theta[k] += step * (goal[a] - theta[k]);
      }
      if (wall < 0) break;
      const k = free.rows[wall];
      const top = goal[wall] > 0;
      free.remove(wall);
      theta[k] = top ? this.#q[k] : 0;
      this.#state[k] = top ? AT_UPPER : AT_ZERO;
      if (top) subtract(base, this.#q[k], this.#X, k * width, width);
    }
    r.set(base);
    free.project(r);
  }
}

/**
 * Solves one problem; `theta` (one entry a taking-part row) is the start on entry, entries at 0 or q_i being bound and
 * others free, and the solution on return.
 *
 * @returns the residual r = p - sum theta_i x_i (`width` entries), and whether the multipliers ended right.
 */
export function boxLeastSquares(
  problem: BoxLeastSquares,
  theta: Float64Array,
): { r: Float64Array; converged: boolean } {
  const { X, stride, width, rows, q, p } = problem;
  const packed = new Float64Array(rows.length * width);
  for (let k = 0; k < rows.length; k++) {
    for (let c = 0; c < width; c++) packed[k * width + c] = X[rows[k] * stride + c];
  }
  const solver = new BoxSolver(packed, Float64Array.from(q), width);
  solver.start(theta, rows.length);
  const converged = solver.solve(p, rows.length);
  theta.set(solver.theta);
  return { r: solver.r, converged };
}

/** a[at .. at + width) . b. */
export function dotRow(a: Float64Array, at: number, b: Float64Array, width: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let c = 0;
  for (; c + 3 < width; c += 4) {
    s0 += a[at + c] * b[c];
    s1 += a[at + c + 1] * b[c + 1];
    s2 += a[at + c + 2] * b[c + 2];
    s3 += a[at + c + 3] * b[c + 3];
  }
  for (; c < width; c++) s0 += a[at + c] * b[c];
  return s0 + s1 + (s2 + s3);
}

/** y <- y - t X[at .. at + width). */
function subtract(y: Float64Array, t: number, X: Float64Array, at: number, width: number): void {
  for (let c = 0; c < width; c++) y[c] -= t * X[at + c];
}
