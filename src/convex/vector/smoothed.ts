import type { Compute, Scope } from "../../compute/types.ts";
import type { VectorCore } from "./core.ts";

/**
 * The training objective of m neurons in balanced form with a smoothed ReLU,
 *
 *   phi_eps(U, W, c0) = loss(sum_j sigma_j(E u_j) w_j' + 1 c0') + (beta / 2) (||U||^2 + ||W||^2),
 *   sigma_j(z) = (z + sqrt(z^2 + eps_j^2)) / 2,
 *
 * smooth everywhere; at eps = 0 the objective itself. Rows on which a neuron rests (z = 0, the kink) come out at z of the
 * order of eps_j with a slope sigma' strictly between 0 and 1, which is their multiplier.
 *
 * A point x holds U (m x p), W (m x c), then c0 (c entries, with free biases only).
 */
export interface SmoothedObjective {
  readonly size: number;
  /** Sets the widths eps_j (m entries). */
  setWidths(widths: Float64Array): void;
  /** Value at x; writes the gradient. Keeps what {@link hessian} and {@link drift} need of x. */
  evaluate(x: Float64Array, gradient: Float64Array): number;
  /**
   * Lower triangle of the Hessian at the last point (size x size, in the memory of the kernels), with the negative curvature
   * of kinks left out: a neuron moves off those.
   */
  hessian(out: Float64Array): void;
  /** out <- change of the gradient, to first order, when all widths are multiplied by 1 + rate (kinks only). */
  drift(rate: number, out: Float64Array): void;
}

/** Entries of a panel of the Jacobian. */
const PANEL = 2e6;

/** The smoothed objective of m neurons; its arrays live in `scope`. */
export function smoothedObjective(compute: Compute, scope: Scope, context: VectorCore, m: number): SmoothedObjective {
  const { E, n, p, c, penalized, freeBias, beta, loss } = context;
  const size = m * (p + c) + (freeBias ? c : 0);
  const data = scope.copy(E);
  const point = scope.f64(size);
  const U = point.subarray(0, m * p);
  const W = point.subarray(m * p, m * (p + c));
  const Z = scope.f64(m * n);
  const value = scope.f64(m * n);
  const slope = scope.f64(m * n);
  const F = scope.f64(n * c);
  const V = scope.f64(n * c);
  const VW = scope.f64(m * n);
  const masked = scope.f64(m * n);
  const gradientU = scope.f64(m * p);
  const gradientW = scope.f64(m * c);
  const eps = new Float64Array(m);
  const rowsPerPanel = Math.max(1, Math.min(n, Math.floor(PANEL / (size * c))));
  const panel = scope.f64(rowsPerPanel * c * size);
  const weighted = scope.f64(n * p);
  const block = scope.f64(p * Math.max(p, c));
  const root = new Float64Array(c * c);

  /** Positive part of the curvature -(V w_j)_i sigma''(z) of a row at its kink. */
  const kink = (j: number, i: number): number => {
    const pull = -VW[j * n + i];
    if (!(pull > 0)) return 0;
    const z = Z[j * n + i];
    const h = Math.hypot(z, eps[j]);
    return h > 0 ? (pull * (eps[j] / h) ** 2) / (2 * h) : 0;
  };

  return {
    size,
    setWidths(widths) {
      eps.set(widths);
    },
    evaluate(x, gradient) {
      point.set(x);
      compute.gemm(false, true, m, n, p, 1, U, p, data, p, 0, Z, n);
      for (let j = 0; j < m; j++) {
        const e = eps[j] * eps[j];
        for (let k = j * n; k < (j + 1) * n; k++) {
          const z = Z[k];
          const h = Math.sqrt(z * z + e);
          value[k] = z >= 0 ? (z + h) / 2 : e / (2 * (h - z));
          slope[k] = h > 0 ? value[k] / h : 0;
        }
      }
      for (let i = 0; i < n; i++) {
        for (let k = 0; k < c; k++) F[i * c + k] = freeBias ? x[m * (p + c) + k] : 0;
      }
      compute.gemm(true, false, n, c, m, 1, value, n, W, c, 1, F, c);
      loss.negativeGradient(F, V);
      compute.gemm(false, true, m, n, c, 1, W, c, V, c, 0, VW, n);
      for (let k = 0; k < m * n; k++) masked[k] = slope[k] * VW[k];
      compute.gemm(false, false, m, p, n, -1, masked, n, data, p, 0, gradientU, p);
      compute.gemm(false, false, m, c, n, -1, value, n, V, c, 0, gradientW, c);
      let penalty = 0;
      for (let j = 0; j < m; j++) {
        for (let k = 0; k < p; k++) {
          const t = k < penalized ? U[j * p + k] : 0;
          penalty += t * t;
          gradient[j * p + k] = gradientU[j * p + k] + beta * t;
        }
      }
      for (let k = 0; k < m * c; k++) {
        penalty += W[k] * W[k];
        gradient[m * p + k] = gradientW[k] + beta * W[k];
      }
      if (freeBias) {
        gradient.fill(0, m * (p + c));
        for (let i = 0; i < n; i++) for (let k = 0; k < c; k++) gradient[m * (p + c) + k] -= V[i * c + k];
      }
      return loss.value(F) + (beta / 2) * penalty;
    },
    hessian(out) {
      // 1. Gauss-Newton part, by panels of rows of R J.
      out.fill(0);
      for (let from = 0; from < n; from += rowsPerPanel) {
        const to = Math.min(n, from + rowsPerPanel);
        for (let i = from; i < to; i++) {
          loss.hessianRoot(F, i, root);
          for (let l = 0; l < c; l++) {
            const at = ((i - from) * c + l) * size;
            for (let j = 0; j < m; j++) {
              let pull = 0;
              for (let k = 0; k < c; k++) pull += root[l * c + k] * W[j * c + k];
              pull *= slope[j * n + i];
              for (let k = 0; k < p; k++) panel[at + j * p + k] = pull * data[i * p + k];
              const activation = value[j * n + i];
              for (let k = 0; k < c; k++) panel[at + m * p + j * c + k] = activation * root[l * c + k];
            }
            if (freeBias) for (let k = 0; k < c; k++) panel[at + m * (p + c) + k] = root[l * c + k];
          }
        }
        compute.syrk(true, size, (to - from) * c, 1, panel, size, 1, out, size);
      }
      // 2. Each neuron's own second derivatives.
      for (let j = 0; j < m; j++) {
        for (let i = 0; i < n; i++) {
          const curvature = kink(j, i);
          for (let k = 0; k < p; k++) weighted[i * p + k] = curvature * data[i * p + k];
        }
        compute.gemm(true, false, p, p, n, 1, weighted, p, data, p, 0, block, p);
        for (let a = 0; a < p; a++) {
          for (let b = 0; b <= a; b++) out[(j * p + a) * size + j * p + b] += block[a * p + b];
          if (a < penalized) out[(j * p + a) * size + j * p + a] += beta;
        }
        for (let i = 0; i < n; i++) {
          for (let k = 0; k < p; k++) weighted[i * p + k] = slope[j * n + i] * data[i * p + k];
        }
        compute.gemm(true, false, c, p, n, -1, V, c, weighted, p, 0, block, p);
        for (let a = 0; a < c; a++) {
          const at = (m * p + j * c + a) * size;
          for (let k = 0; k < p; k++) out[at + j * p + k] += block[a * p + k];
          out[at + m * p + j * c + a] += beta;
        }
      }
    },
    drift(rate, out) {
      out.fill(0);
      for (let j = 0; j < m; j++) {
        for (let i = 0; i < n; i++) masked[j * n + i] = -rate * kink(j, i) * Z[j * n + i];
      }
      compute.gemm(false, false, m, p, n, 1, masked, n, data, p, 0, gradientU, p);
      out.set(gradientU);
    },
  };
}
