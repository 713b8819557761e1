import type { Compute, Scope } from "../../../compute/types.ts";
import type { ScaledSide } from "./scaled-side.ts";

/** Columns of the Burer-Monteiro factor. */
export const RANK = 8;

/** Rows of N are taken in blocks of about so many multipliers: what is done with a block stays in the cache. */
const BLOCK = 1 << 14;

/** A determined row of the path: s z_row'u >= 0. */
export interface SignedRow {
  readonly row: number;
  readonly sign: 1 | -1;
}

/**
 * The transport relaxation of one node. With y_i = U'z_i, unit vectors xi_i for the undetermined rows i of P, and xi_0 = e_1,
 *
 *     F = a'U e_1 + 1/2 sum_P v_i xi_i'y_i - 1/2 sum_N q_j max_i |xi_i'y_j|,      |U|_F = 1,
 *
 * is the low-rank form of a semidefinite program: u is random with second moment UU' and mean U e_1, xi_i stands for the sign
 * of z_i'u, and E |z_j'u| >= |E xi_i z_j'u|. Its multipliers are the Pi (columns 1..) and t (last column) of the
 * transport bound. They are found by the method of multipliers (Bertsekas, Constrained Optimization and Lagrange
 * Multiplier Methods, 1982, chapter 2): maximize F with the maxima replaced by their Moreau envelopes around Pi, then
 * replace Pi by the projections on the capacities sum_i |Pi_ij| + |t_j| <= q_j.
 *
 * All arrays live in one block of kernel memory, which {@link bind} moves: nothing outside a call may keep a view.
 */
export class Relaxation {
  readonly side: ScaledSide;
  readonly compute: Compute;
  readonly d: number;
  readonly nn: number;
  /** Undetermined rows of P in this node, and how many. */
  pu: Int32Array = new Int32Array(0);
  np = 0;
  path: readonly SignedRow[] = [];
  /** Multipliers of the path's rows, for unit rows. */
  lam: Float64Array = new Float64Array(0);
  lamRate = 1;
  readonly q: Float64Array;
  /** Step of the multipliers of each row of N: rho q_j / |z_j|. */
  readonly rate: Float64Array;
  /** Linear part without t and lam. */
  readonly base: Float64Array;
  readonly #square: Float64Array;
  #saved: Float64Array | null = null;
  // Views of kernel memory; see bind.
  XP!: Float64Array;
  XN!: Float64Array;
  /** nn x (np + 1): Pi transposed, then t. */
  Pi!: Float64Array;
  B!: Float64Array;
  U!: Float64Array;
  YN!: Float64Array;
  R!: Float64Array;
  Q!: Float64Array;
  scratch!: Float64Array;
  YP!: Float64Array;
  #YS!: Float64Array;
  #XI!: Float64Array;
  #T!: Float64Array;
  #W!: Float64Array;
  #GU!: Float64Array;
  /** Capacities, thresholds and gains of the projections: nn entries each. */
  #radii!: Float64Array;
  #theta!: Float64Array;
  #gain!: Float64Array;

  constructor(compute: Compute, side: ScaledSide) {
    this.compute = compute;
    this.side = side;
    this.d = side.d;
    this.nn = side.N.length;
    this.q = Float64Array.from(side.N, (j) => -side.v[j]);
    this.rate = new Float64Array(this.nn);
    this.base = new Float64Array(this.d);
    this.#square = new Float64Array(this.nn);
  }

  /** Makes the arrays live in `scope`, with the content that {@link release} saved. */
  bind(scope: Scope): void {
    const { d, nn } = this;
    const np = this.side.P.length;
    const wide = Math.max(np, nn) * d;
    const total =
      2 * np * d + nn * d + 2 * nn * (np + 1) + d * d + wide + RANK * (3 * (np + 1) + 3 * nn + 2 * d) + 3 * nn;
    const whole = scope.f64(total);
    if (this.#saved !== null) whole.set(this.#saved);
    let at = 0;
    const take = (size: number): Float64Array => {
      at += size;
      return whole.subarray(at - size, at);
    };
    this.XP = take(np * d);
    this.XN = take(nn * d);
    this.Pi = take(nn * (np + 1));
    this.B = take(nn * (np + 1));
    this.R = take(np * d);
    this.Q = take(d * d);
    this.scratch = take(wide);
    this.U = take(d * RANK);
    this.#GU = take(d * RANK);
    this.YN = take(nn * RANK);
    this.#YS = take(nn * RANK);
    this.#T = take(nn * RANK);
    this.YP = take((np + 1) * RANK);
    this.#XI = take((np + 1) * RANK);
    this.#W = take((np + 1) * RANK);
    this.#radii = take(nn);
    this.#theta = take(nn);
    this.#gain = take(nn);
    if (this.#saved === null) this.#pack(this.side.N, this.XN);
    this.release = () => {
      this.#saved ??= new Float64Array(whole.length);
      this.#saved.set(whole);
    };
  }

  /** Saves the arrays before their scope ends. */
  release: () => void = () => {};

  /** Sets up a node; U, Pi and lam are to be filled by the caller. */
  open(pu: Int32Array, path: readonly SignedRow[], lam: Float64Array): void {
    this.pu = pu;
    this.np = pu.length;
    this.path = path;
    this.lam = lam;
    this.#pack(pu, this.XP);
    this.#setBase();
    this.#theta.fill(0);
  }

  /** To be called when the weights of the side have changed. */
  reweigh(): void {
    this.side.N.forEach((j, at) => {
      this.q[at] = -this.side.v[j];
    });
    this.#setBase();
  }

  #setBase(): void {
    const { side, d, pu, path } = this;
    this.base.fill(0);
    const add = (i: number, weight: number): void => {
      for (let k = 0; k < d; k++) this.base[k] += weight * side.Z[i * d + k];
    };
    for (const i of pu) add(i, side.v[i] / 2);
    for (const j of side.N) add(j, side.v[j] / 2);
    for (const { row, sign } of path) if (sign > 0 && side.v[row] > 0) add(row, side.v[row]);
  }

  /** Sets the step of the multipliers. */
  setRate(rho: number): void {
    for (let j = 0; j < this.nn; j++) this.rate[j] = (rho * this.q[j]) / this.side.norms[this.side.N[j]!]!;
  }

  /** To be called when Pi has changed. */
  center(): void {
    const cols = this.np + 1;
    for (let j = 0; j < this.nn; j++) {
      let sum = 0;
      for (let i = j * cols; i < (j + 1) * cols; i++) sum += this.Pi[i] * this.Pi[i];
      this.#square[j] = sum;
    }
  }

  /**
   * -F with Moreau envelopes around Pi, and its gradient, at x = (U, eta) with xi_i = eta_i / |eta_i| and U normalized;
   * leaves the new multipliers in B.
   */
  readonly envelope = (x: Float64Array, gradient: Float64Array): number => {
    const { compute, d, np, nn, side } = this;
    const cols = np + 1;
    const scale = this.#normalize(x);
    const XI = this.#XI;
    compute.gemm(false, false, np, RANK, d, 1, this.XP, d, this.U, RANK, 0, this.YP, RANK);
    compute.gemm(false, false, nn, RANK, d, 1, this.XN, d, this.U, RANK, 0, this.YN, RANK);
    for (let j = 0; j < nn; j++) {
      const rate = this.rate[j];
      for (let c = j * RANK; c < (j + 1) * RANK; c++) this.#YS[c] = rate * this.YN[c];
    }
    this.#radii.set(this.q);
    if (nn === 0) this.#W.fill(0);
    let value = 0;
    const block = Math.max(1, Math.floor(BLOCK / cols));
    for (let from = 0; from < nn; from += block) {
      const rows = Math.min(block, nn - from);
      const at = from * RANK;
      const B = this.B.subarray(from * cols, (from + rows) * cols);
      B.set(this.Pi.subarray(from * cols, (from + rows) * cols));
      const part = (x: Float64Array): Float64Array => x.subarray(from, from + rows);
      compute.gemm(false, true, rows, cols, RANK, 1, this.#YS.subarray(at), RANK, XI, RANK, 1, B, cols);
      compute.projectOnBalls(rows, cols, B, part(this.#radii), part(this.#theta), part(this.#gain));
      compute.gemm(false, false, rows, RANK, cols, 1, B, cols, XI, RANK, 0, this.#T.subarray(at), RANK);
      const YN = this.YN.subarray(at);
      compute.gemm(true, false, cols, RANK, rows, 1, B, cols, YN, RANK, from === 0 ? 0 : 1, this.#W, RANK);
    }
    for (let j = 0; j < nn; j++) {
      if (this.rate[j] > 0) value -= (this.#gain[j] - this.#square[j]) / (4 * this.rate[j]);
    }
    compute.gemm(true, false, d, RANK, nn, -0.5, this.XN, d, this.#T, RANK, 0, this.#GU, RANK);
    // Gradient by xi, projected on the sphere; then YP becomes v xi / 2.
    const at = d * RANK;
    for (let i = 0; i < np; i++) {
      const weight = side.v[this.pu[i]!]! / 2;
      let along = 0;
      let norm = 0;
      for (let c = 0; c < RANK; c++) {
        const k = i * RANK + c;
        const xi = XI[k];
        value += weight * xi * this.YP[k];
        const g = weight * this.YP[k] - 0.5 * this.#W[k];
        this.#W[k] = g;
        along += g * xi;
        norm += x[at + k] * x[at + k];
        this.YP[k] = weight * xi;
      }
      norm = 1 / Math.sqrt(norm);
      for (let c = 0; c < RANK; c++) {
        const k = i * RANK + c;
        gradient[at + k] = norm > 1e-150 && norm < 1e150 ? -(this.#W[k] - along * XI[k]) * norm : 0;
      }
    }
    compute.gemm(true, false, d, RANK, np, 1, this.XP, d, this.YP, RANK, 1, this.#GU, RANK);
    return -this.#finish(value, scale, gradient);
  };

  /** -F for fixed Pi, R and Q = -1/2 sum w_j z_j z_j' / |z_j|, with xi_i = R_i U / |R_i U|, at x = U, and its gradient. */
  readonly fixed = (x: Float64Array, gradient: Float64Array): number => {
    const { compute, d, np } = this;
    const scale = this.#normalize(x);
    compute.gemm(false, false, np, RANK, d, 1, this.R, d, this.U, RANK, 0, this.YP, RANK);
    let value = 0;
    for (let i = 0; i < np; i++) {
      let norm = 0;
      for (let c = i * RANK; c < (i + 1) * RANK; c++) norm += this.YP[c] * this.YP[c];
      norm = Math.sqrt(norm + 1e-30);
      value += norm / 2;
      for (let c = i * RANK; c < (i + 1) * RANK; c++) this.YP[c] *= 0.5 / norm;
    }
    compute.gemm(false, false, d, RANK, d, 2, this.Q, d, this.U, RANK, 0, this.#GU, RANK);
    for (let k = 0; k < d * RANK; k++) value += (this.#GU[k] * this.U[k]) / 2;
    compute.gemm(true, false, d, RANK, np, 1, this.R, d, this.YP, RANK, 1, this.#GU, RANK);
    return -this.#finish(value, scale, gradient, this.linear);
  };

  /** Linear part with t, for {@link fixed}; without lam. */
  linear: Float64Array = new Float64Array(0);

  /** xi_i = R_i U / |R_i U| into `xi` (np x RANK), the norms into `s`. */
  signs(xi: Float64Array, s: Float64Array): void {
    const { compute, d, np } = this;
    compute.gemm(false, false, np, RANK, d, 1, this.R, d, this.U, RANK, 0, this.YP, RANK);
    for (let i = 0; i < np; i++) {
      let norm = 0;
      for (let c = i * RANK; c < (i + 1) * RANK; c++) norm += this.YP[c] * this.YP[c];
      norm = Math.sqrt(norm);
      s[i] = norm;
      for (let c = 0; c < RANK; c++) xi[i * RANK + c] = norm > 0 ? this.YP[i * RANK + c] / norm : c === 0 ? 1 : 0;
    }
  }

  /** y_i = U'z_i of the undetermined rows of P into YP. */
  projectRows(): void {
    this.compute.gemm(false, false, this.np, RANK, this.d, 1, this.XP, this.d, this.U, RANK, 0, this.YP, RANK);
  }

  /** y_j = U'z_j of N into YN, and xi_i'y_j for the given xi (np x RANK) and for e_1 into B. */
  products(xi: Float64Array): void {
    const { compute, d, nn, np, YN, B } = this;
    this.#XI.set(xi);
    for (let c = 0; c < RANK; c++) this.#XI[np * RANK + c] = c === 0 ? 1 : 0;
    compute.gemm(false, false, nn, RANK, d, 1, this.XN, d, this.U, RANK, 0, YN, RANK);
    compute.gemm(false, true, nn, np + 1, RANK, 1, YN, RANK, this.#XI, RANK, 0, B, np + 1);
  }

  /** What the move from Pi to the multipliers in B is worth: sum |B_j - Pi_j|^2 / (4 rate_j). */
  moveWorth(): number {
    const cols = this.np + 1;
    let worth = 0;
    for (let j = 0; j < this.nn; j++) {
      let sum = 0;
      for (let i = j * cols; i < (j + 1) * cols; i++) sum += (this.B[i] - this.Pi[i]) ** 2;
      if (this.rate[j] > 0) worth += sum / (4 * this.rate[j]);
    }
    return worth;
  }

  /** Pi <- the multipliers that the last call of {@link envelope} left. */
  takeMultipliers(): void {
    this.Pi.set(this.B.subarray(0, this.nn * (this.np + 1)));
  }

  /**
   * F itself at the point of the last call of {@link envelope}; no multipliers give a smaller bound (when the rows of the path
   * have their signs). Overwrites B.
   */
  attained(): number {
    const { compute, d, np, nn, side, U, B, YN } = this;
    const cols = np + 1;
    const XI = this.#XI;
    compute.gemm(false, true, nn, cols, RANK, 1, YN, RANK, XI, RANK, 0, B, cols);
    compute.gemm(false, false, np, RANK, d, 1, this.XP, d, U, RANK, 0, this.YP, RANK);
    let value = 0;
    for (let j = 0; j < nn; j++) {
      let largest = 0;
      for (let i = j * cols; i < (j + 1) * cols; i++) {
        const size = Math.abs(B[i]);
        if (size > largest) largest = size;
      }
      value -= (this.q[j] * (YN[j * RANK] + largest)) / 2;
    }
    for (let i = 0; i < np; i++) {
      let along = this.YP[i * RANK];
      for (let c = i * RANK; c < (i + 1) * RANK; c++) along += XI[c] * this.YP[c];
      value += (side.v[this.pu[i]!]! * along) / 2;
    }
    for (const { row, sign } of this.path) {
      if (side.v[row]! < 0 || sign < 0) continue;
      let along = 0;
      for (let k = 0; k < d; k++) along += side.Z[row * d + k]! * U[k * RANK];
      value += side.v[row]! * along;
    }
    return value;
  }

  /** lam <- max(lam - rate y_f'U e_1, 0) at the current U. */
  updateMultipliers(): void {
    for (let f = 0; f < this.path.length; f++) this.lam[f] = this.#multiplier(f);
  }

  /** s z_row / |z_row| of path entry f, entry k. */
  unitRow(f: number, k: number): number {
    const { row, sign } = this.path[f]!;
    return (sign * this.side.Z[row * this.d + k]) / (this.side.norms[row] || 1);
  }

  #multiplier(f: number): number {
    let slack = 0;
    for (let k = 0; k < this.d; k++) slack += this.unitRow(f, k) * this.U[k * RANK];
    return Math.max(this.lam[f] - this.lamRate * slack, 0);
  }

  /** Normalized U and xi of x; returns |U| of x. */
  #normalize(x: Float64Array): number {
    const { d, np } = this;
    let norm = 0;
    for (let k = 0; k < d * RANK; k++) norm += x[k] * x[k];
    norm = Math.sqrt(norm) || 1;
    for (let k = 0; k < d * RANK; k++) this.U[k] = x[k] / norm;
    if (x.length === d * RANK) return norm;
    const XI = this.#XI;
    for (let i = 0; i <= np; i++) {
      let sum = 0;
      if (i < np) for (let c = 0; c < RANK; c++) sum += x[(d + i) * RANK + c] ** 2;
      const inverse = sum > 0 ? 1 / Math.sqrt(sum) : 0;
      for (let c = 0; c < RANK; c++) {
        XI[i * RANK + c] = inverse > 0 ? x[(d + i) * RANK + c] * inverse : c === 0 ? 1 : 0;
      }
    }
    return norm;
  }

  /** Adds the linear part and the path's rows, and writes minus the gradient by U, projected on the sphere. */
  #finish(partial: number, scale: number, gradient: Float64Array, linear: Float64Array = this.base): number {
    const { d } = this;
    const G = this.#GU;
    let value = partial;
    for (let k = 0; k < d; k++) {
      value += linear[k] * this.U[k * RANK];
      G[k * RANK] += linear[k];
    }
    for (let f = 0; f < this.path.length; f++) {
      const m = this.#multiplier(f);
      value -= (m * m - this.lam[f] * this.lam[f]) / (2 * this.lamRate);
      if (m > 0) for (let k = 0; k < d; k++) G[k * RANK] += m * this.unitRow(f, k);
    }
    let along = 0;
    for (let k = 0; k < d * RANK; k++) along += G[k] * this.U[k];
    for (let k = 0; k < d * RANK; k++) gradient[k] = -(G[k] - along * this.U[k]) / scale;
    return value;
  }

  #pack(rows: Int32Array, out: Float64Array): void {
    const { side, d } = this;
    for (let i = 0; i < rows.length; i++) {
      out.set(side.Z.subarray(rows[i]! * d, (rows[i]! + 1) * d), i * d);
    }
  }
}
