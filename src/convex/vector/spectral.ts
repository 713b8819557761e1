import type { RandomStream } from "../../base/random.ts";
import type { Compute } from "../../compute/types.ts";

/** Columns of the factor of the relaxation. */
const RANK = 6;
const STEPS = 200;
/** Multipliers are kept above this part of the largest. */
const FLOOR = 1e-8;
/** Steps of the search for the best scale of the multipliers; each takes two eigenvalue problems of size p. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;
const SMALL = 100;
const STEPS_SMALL = 24;
const STEPS_LARGE = 5;

/**
 * An upper bound of M_F(V) = max over ||u|| <= 1 of ||V'(Z u)_+|| for Z n x p, V n x c, valid for any V. With a = (Z u)_+,
 * a_i (z_i'u - a_i) = 0, so for every lambda > 0 with S = I - V' Lambda^{-1} V positive definite
 *
 *   ||V'a||^2 <= max_a a'Lambda Z u - a'(Lambda - VV')a = (1/4) u'(Z'Lambda Z + Z'V S^{-1} V'Z) u,
 *
 * and the bound is the square root of the largest eigenvalue. It allows every pattern to every u: tight for whitened data,
 * loose when V changes sign often. The multipliers come from a fixed point on the relaxation's own maximum.
 */
export function spectralBound(
  compute: Compute,
  Z: Float64Array,
  n: number,
  p: number,
  V: Float64Array,
  c: number,
  random: RandomStream,
): number {
  // Entries of at most 1, so that squares neither overflow nor vanish: powers of two, exact but for denormal results.
  const [rows, duals] = [powerAbove(Z), powerAbove(V)];
  if (rows === 0 || duals === 0) return 0;
  return rows * duals * scaledBound(compute, Z, rows, n, p, V, duals, c, random);
}

/** The power of two at or above the largest entry; 0 when all are zero, NaN when one is not finite. */
function powerAbove(x: Float64Array): number {
  let largest = 0;
  for (const t of x) largest = Math.max(largest, Math.abs(t));
  if (largest === 0) return 0;
  return Number.isFinite(largest) ? 2 ** Math.max(Math.ceil(Math.log2(largest)), -1020) : Number.NaN;
}

/** The bound for Z / rows and V / duals. */
function scaledBound(
  compute: Compute,
  Z: Float64Array,
  rows: number,
  n: number,
  p: number,
  V: Float64Array,
  duals: number,
  c: number,
  random: RandomStream,
): number {
  return compute.scope((scope) => {
    const data = scope.f64(n * p);
    const dual = scope.f64(n * c);
    for (let k = 0; k < n * p; k++) data[k] = Z[k] / rows;
    for (let k = 0; k < n * c; k++) dual[k] = V[k] / duals;
    const U = scope.f64(p * RANK);
    const ZU = scope.f64(n * RANK);
    const A = scope.f64(n * RANK);
    const T = scope.f64(c * RANK);
    const VT = scope.f64(n * RANK);
    const lambda = new Float64Array(n);
    for (let k = 0; k < U.length; k++) U[k] = random.normal();
    VT.fill(0);
    for (let step = 0; step < STEPS; step++) {
      let size = 0;
      for (const t of U) size += t * t;
      if (!(size > 0)) break;
      for (let k = 0; k < U.length; k++) U[k] /= Math.sqrt(size);
      compute.gemm(false, false, n, RANK, p, 1, data, p, U, RANK, 0, ZU, RANK);
      // a_i on the sphere that has 0 and U'z_i as poles, as far along (V T)_i as it goes.
      for (let i = 0; i < n; i++) {
        const [along, length] = [rowNorm(ZU, i), rowNorm(VT, i)];
        for (let k = i * RANK; k < (i + 1) * RANK; k++) {
          A[k] = (ZU[k] + (length > 0 ? (along * VT[k]) / length : ZU[k])) / 2;
        }
      }
      compute.gemm(true, false, c, RANK, n, 1, dual, c, A, RANK, 0, T, RANK);
      compute.gemm(false, false, n, RANK, c, 1, dual, c, T, RANK, 0, VT, RANK);
      for (let i = 0; i < n; i++) {
        const [along, length] = [rowNorm(ZU, i), rowNorm(VT, i)];
        lambda[i] = along > 0 ? (2 * length) / along : 0;
        for (let k = i * RANK; k < (i + 1) * RANK; k++) A[k] = VT[k] + (along > 0 ? (length * ZU[k]) / along : 0);
      }
      compute.gemm(true, false, p, RANK, n, 1, data, p, A, RANK, 0, U, RANK);
    }
    let largest = 0;
    for (let i = 0; i < n; i++) if (Number.isFinite(lambda[i])) largest = Math.max(largest, lambda[i]);
    if (!(largest > 0)) largest = 1;
    for (let i = 0; i < n; i++) {
      lambda[i] = Math.min(Math.max(lambda[i], FLOOR * largest), largest);
      let v = 0;
      for (let k = i * c; k < (i + 1) * c; k++) v = Math.max(v, Math.abs(dual[k]));
      if (v === 0) lambda[i] = Number.MIN_VALUE; // a_i does not matter
    }
    const uniform = new Float64Array(n).fill(1);
    return Math.min(
      atMultipliers(compute, data, n, p, dual, c, lambda),
      atMultipliers(compute, data, n, p, dual, c, uniform),
    );
  });
}

function rowNorm(A: Float64Array, i: number): number {
  let sum = 0;
  for (let k = i * RANK; k < (i + 1) * RANK; k++) sum += A[k] * A[k];
  return Math.sqrt(sum);
}

/** The bound at multipliers kappa lambda, the best of a few kappa. */
function atMultipliers(
  compute: Compute,
  Z: Float64Array,
  n: number,
  p: number,
  V: Float64Array,
  c: number,
  lambda: Float64Array,
): number {
  return compute.scope((scope) => {
    const weightedZ = scope.f64(n * p);
    const weightedV = scope.f64(n * c);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < p; k++) weightedZ[i * p + k] = lambda[i] * Z[i * p + k];
      for (let k = 0; k < c; k++) weightedV[i * c + k] = V[i * c + k] === 0 ? 0 : V[i * c + k] / lambda[i];
    }
    const Q = scope.f64(p * p);
    const B = scope.f64(p * c);
    const R = scope.f64(c * c);
    const sigma = scope.f64(c);
    const values = scope.f64(p);
    const total = scope.f64(p * p);
    const rotated = scope.f64(p * c);
    const scaled = scope.f64(p * c);
    compute.gemm(true, false, p, p, n, 1, weightedZ, p, Z, p, 0, Q, p);
    compute.gemm(true, false, p, c, n, 1, Z, p, V, c, 0, B, c);
    compute.gemm(true, false, c, c, n, 1, weightedV, c, V, c, 0, R, c);
    compute.symmetricEigen(c, R, c, sigma);
    compute.gemm(false, false, p, c, c, 1, B, c, R, c, 0, rotated, c);
    const most = Math.max(sigma[c - 1], 0) * (1 + 1e-12);
    if (most === 0) return 0;
    if (!Number.isFinite(most)) return Number.POSITIVE_INFINITY;
    /** At kappa = most / (1 - x), where S = I - V'(kappa Lambda)^{-1}V has smallest eigenvalue x. */
    const at = (x: number): number => {
      const kappa = most / (1 - x);
      for (let a = 0; a < p; a++) {
        for (let k = 0; k < c; k++) scaled[a * c + k] = rotated[a * c + k] / (1 - Math.min(sigma[k], most) / kappa);
      }
      for (let k = 0; k < p * p; k++) total[k] = (kappa * Q[k]) / 4;
      compute.gemm(false, true, p, p, c, 0.25, scaled, c, rotated, c, 1, total, p);
      compute.symmetricEigen(p, total, p, values);
      const top = Math.max(Math.abs(values[0]), values[p - 1]);
      return values[p - 1] + 8 * (p + Math.sqrt(n)) * 2 ** -53 * top;
    };
    // Convex in kappa: golden section on x, after the value that is best for whitened data.
    let best = at(0.5);
    let low = 0;
    let high = 1;
    for (let step = 0; step < (p <= SMALL ? STEPS_SMALL : STEPS_LARGE); step++) {
      const [left, right] = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
      const [below, above] = [at(left), at(right)];
      best = Math.min(best, below, above);
      if (below <= above) high = right;
      else low = left;
    }
    return Math.sqrt(Math.max(best, 0));
  });
}
