import type { RandomStream } from "../../base/random.ts";
import type { Compute } from "../../compute/types.ts";
import { minimizeLbfgs } from "../solvers/lbfgs.ts";
import type { WeightedRows } from "./rows.ts";

/** Columns of the Burer-Monteiro factor. */
const RANK = 8;
const ITERATIONS = 300;
/** Iterations that are made even when `stop` says that time is up. */
const ENOUGH = 20;
/** Part of the largest row norm below which a kink's slope parameter is not taken. */
const SLOPE_FLOOR = 1e-9;

/**
 * An upper bound of g(v) = max_{||u|| <= 1} sum v_i (x_i'u)_+ that holds for every v: Shor's semidefinite relaxation in
 * the r dimensions of u. For v_i > 0, (z)_+ <= z/2 + z^2/(4s) + s/4 for any s > 0; for v_i < 0, -(z)_+ <= -(z +
 * z^2/||x_i||)/2. So G(u) <= c + g'u + u'Qu, and the bound is the value of that trust-region problem,
 * min_{mu >= max(lambda_max(Q), 0)} c + mu + g'(mu I - Q)^{-1} g / 4.
 *
 * The slopes s come from the primal of the relaxation, an unconstrained problem in an r x 8 factor; any slopes give a
 * valid bound, good ones a tight one.
 */
export function shorBound(
  compute: Compute,
  rows: WeightedRows,
  random: RandomStream,
  stop: () => boolean = () => false,
): number {
  const { count: n, r, Z, v } = rows;
  if (n === 0 || r === 0) return 0;
  const norms = new Float64Array(n);
  const b = new Float64Array(r);
  let largest = 0;
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < r; k++) b[k] += v[i] * Z[i * r + k];
    norms[i] = Math.hypot(...Z.subarray(i * r, (i + 1) * r));
    largest = Math.max(largest, norms[i]);
  }
  return compute.scope((scope) => {
    const data = scope.copy(Z);
    const U = scope.f64(r * RANK);
    const ZU = scope.f64(n * RANK);
    const G = scope.f64(r * RANK);
    /** ||U'x_i|| of the normalized factor. */
    const spread = (x: Float64Array): number => {
      let norm = 0;
      for (const t of x) norm += t * t;
      norm = Math.sqrt(norm);
      for (let k = 0; k < x.length; k++) U[k] = x[k] / norm;
      compute.gemm(false, false, n, RANK, r, 1, data, r, U, RANK, 0, ZU, RANK);
      return norm;
    };
    const rowNorm = (i: number): number => {
      let sum = 0;
      for (let k = 0; k < RANK; k++) sum += ZU[i * RANK + k] ** 2;
      return Math.sqrt(sum + 1e-18 * largest * largest);
    };
    const x = Float64Array.from({ length: r * RANK }, () => random.normal());
    minimizeLbfgs(
      (point, gradient) => {
        const norm = spread(point);
        let value = 0;
        for (let i = 0; i < n; i++) {
          const s = rowNorm(i);
          const weight = v[i] > 0 ? v[i] / (2 * s) : v[i] / norms[i];
          value += v[i] > 0 ? (v[i] * s) / 2 : (v[i] * s * s) / (2 * norms[i]);
          for (let k = 0; k < RANK; k++) ZU[i * RANK + k] *= weight;
        }
        compute.gemm(true, false, r, RANK, n, 1, data, r, ZU, RANK, 0, G, RANK);
        for (let k = 0; k < r; k++) {
          value += (b[k] * U[k * RANK]) / 2;
          G[k * RANK] += b[k] / 2;
        }
        let along = 0;
        for (let k = 0; k < r * RANK; k++) along += G[k] * U[k];
        for (let k = 0; k < r * RANK; k++) gradient[k] = -(G[k] - along * U[k]) / norm;
        return -value;
      },
      x,
      { iterations: ITERATIONS, memory: 15, tolerance: 1e-12, stop: (iteration) => iteration >= ENOUGH && stop() },
    );
    spread(x);

    // The valid bound at these slopes.
    const Q = scope.f64(r * r);
    const weighted = scope.f64(n * r);
    const values = scope.f64(r);
    let constant = 0;
    for (let i = 0; i < n; i++) {
      const s = Math.max(rowNorm(i), SLOPE_FLOOR * largest);
      const weight = v[i] > 0 ? v[i] / (4 * s) : v[i] / (2 * norms[i]);
      if (v[i] > 0) constant += (v[i] * s) / 4;
      for (let k = 0; k < r; k++) weighted[i * r + k] = weight * Z[i * r + k];
    }
    compute.gemm(true, false, r, r, n, 1, weighted, r, data, r, 0, Q, r);
    compute.symmetricEigen(r, Q, r, values);
    const projected = new Float64Array(r);
    for (let k = 0; k < r; k++) for (let c = 0; c < r; c++) projected[c] += (Q[k * r + c] * b[k]) / 2;
    // Eigenvalues carry a rounding error of about r ulp of the largest: shift them up by it.
    const shift = 4 * r * 2 ** -53 * Math.max(Math.abs(values[0]), Math.abs(values[r - 1]));
    return constant + trustRegionValue(values, projected, shift);
  });
}

/** min over mu > max(largest eigenvalue, 0) of mu + sum g_k^2 / (4 (mu - lambda_k)), lambda shifted up by `shift`. */
function trustRegionValue(eigenvalues: Float64Array, g: Float64Array, shift: number): number {
  const r = eigenvalues.length;
  const floor = Math.max(eigenvalues[r - 1] + shift, 0);
  let size = floor;
  for (let k = 0; k < r; k++) size = Math.max(size, Math.abs(g[k]));
  if (size === 0) return 0;
  const value = (mu: number): number => {
    let sum = mu;
    for (let k = 0; k < r; k++) if (g[k] !== 0) sum += (g[k] / 4) * (g[k] / (mu - eigenvalues[k] - shift));
    return sum;
  };
  // Convex in mu, so golden section on log(mu - floor) from far below to above every scale of the problem.
  let low = Math.log(size) - 40;
  let high = Math.log(size * (1 + r)) + 2;
  const ratio = (Math.sqrt(5) - 1) / 2;
  for (let step = 0; step < 120; step++) {
    const a = high - ratio * (high - low);
    const b = low + ratio * (high - low);
    if (value(floor + Math.exp(a)) <= value(floor + Math.exp(b))) high = b;
    else low = a;
  }
  return value(floor + Math.exp((low + high) / 2));
}
