import {
  applyInverseScaling,
  applyScaling,
  coneStep,
  jordanDivide,
  type NesterovTodd,
  nesterovTodd,
  updateScaling,
} from "./second-order-cone.ts";

/** The term beta ||a|| of one block inside the interior-point method, with its own primal and dual variables. */
export interface NormTerm {
  /** The block's penalized coordinates, q entries. */
  readonly a: Float64Array;
  /** z with beta ||a|| >= z'a for every feasible z: the (sub)gradient that stationarity uses, q entries. */
  readonly z: Float64Array;
  /** Complementarity of the term, and how many complementarity pairs it counts as. */
  gap(): number;
  readonly degree: number;
  /** The scaling of its pair; the second-order part is ((I + 2 w w') eta^2)^{-1}, w = `scaling.w` without entry 0. */
  readonly scaling: NesterovTodd;
  /** Moves the pair onto its central path: dual part -slope, ||slope|| < beta, complementarity `mu` times the weight. */
  center(slope: Float64Array, mu: number): void;
  /** Recomputes what depends on the current point. */
  prepare(): void;
  /** Adds the term's second-order part to the leading q x q part of B (p x p, row-major). */
  addSecondOrder(B: Float64Array, p: number): void;
  /** Adds the term's part of the right-hand side at centering `mu`; `corrected` includes Mehrotra's term. */
  addRight(right: Float64Array, mu: number, corrected: boolean): void;
  /** Takes the step of a and recovers the others. */
  setStep(da: Float64Array): void;
  /** Largest step in [0, 1] that keeps the term interior. */
  maxStep(): number;
  gapAfter(step: number): number;
  advance(step: number): void;
}

/**
 * beta ||a|| as beta t over the second-order cone (t, a), whose dual variable is (beta, z): the term stays well defined
 * as a goes to zero. t and the first row of the scaled system are eliminated: since z0 = beta is fixed,
 * dt = (p0 - m01'da) / m00 with M = W^{-2} and p the scaled right side, which leaves the q x q matrix
 * N = (I - 2 w1 w1' / (2 w0^2 - 1)) / eta^2.
 *
 * `weight` is the complementarity of this pair relative to that of one inequality. With as many inequalities a block as
 * rows, weight 1 would send t - ||a|| below what f64 can tell from zero.
 */
export function coneNorm(start: Float64Array, beta: number, weight: number): NormTerm {
  const q = start.length;
  const s = new Float64Array(q + 1);
  const dual = new Float64Array(q + 1);
  const ds = new Float64Array(q + 1);
  const dz = new Float64Array(q + 1);
  const side = new Float64Array(q + 1);
  const scaledStep = new Float64Array(q + 1);
  const scaledDual = new Float64Array(q + 1);
  const scaling = nesterovTodd(q + 1);
  const norm = Math.hypot(...start);
  for (let k = 0; k < q; k++) {
    s[k + 1] = start[k];
    dual[k + 1] = (0.8 * beta * start[k]) / norm;
  }
  s[0] = 1.1 * norm;
  dual[0] = beta;
  const gapAfter = (step: number): number => {
    let gap = 0;
    for (let k = 0; k <= q; k++) gap += (s[k] + step * ds[k]) * (dual[k] + step * dz[k]);
    return gap;
  };
  return {
    a: s.subarray(1),
    z: dual.subarray(1),
    degree: weight,
    scaling,
    gap: () => {
      let gap = 0;
      for (let k = 0; k <= q; k++) gap += s[k] * dual[k];
      return gap;
    },
    center(slope, mu) {
      let norm = 0;
      for (let k = 0; k < q; k++) norm += slope[k] * slope[k];
      const rate = (weight * mu) / (beta * beta - norm);
      s[0] = rate * beta;
      for (let k = 0; k < q; k++) {
        s[k + 1] = rate * slope[k];
        dual[k + 1] = -slope[k];
      }
    },
    prepare: () => updateScaling(scaling, s, dual),
    addSecondOrder(B, p) {
      const { w, eta } = scaling;
      const rate = 1 / (eta * eta);
      const shrink = (2 * rate) / (2 * w[0] * w[0] - 1);
      for (let r = 0; r < q; r++) {
        for (let c = 0; c < q; c++) B[r * p + c] -= shrink * w[r + 1] * w[c + 1];
        B[r * p + r] += rate;
      }
    },
    addRight(right, mu, corrected) {
      // lambda o (W dz + W^{-1} ds) = mu e - lambda o lambda - (W^{-1} ds_affine) o (W dz_affine)
      const { w, lambda } = scaling;
      let head = weight * mu;
      for (let k = 0; k <= q; k++) head -= lambda[k] * lambda[k];
      side[0] = head;
      for (let k = 1; k <= q; k++) side[k] = -2 * lambda[0] * lambda[k];
      if (corrected) {
        applyInverseScaling(scaling, ds, scaledStep);
        applyScaling(scaling, dz, scaledDual);
        for (let k = 0; k <= q; k++) side[0] -= scaledStep[k] * scaledDual[k];
        for (let k = 1; k <= q; k++) side[k] -= scaledStep[0] * scaledDual[k] + scaledDual[0] * scaledStep[k];
      }
      jordanDivide(lambda, side, scaledStep);
      applyInverseScaling(scaling, scaledStep, side);
      const ratio = (-2 * w[0]) / (2 * w[0] * w[0] - 1);
      for (let k = 0; k < q; k++) right[k] += side[k + 1] - ratio * w[k + 1] * side[0];
    },
    setStep(da) {
      const { w, eta } = scaling;
      const rate = 1 / (eta * eta);
      let inner = 0;
      for (let k = 0; k < q; k++) {
        ds[k + 1] = da[k];
        inner += w[k + 1] * da[k];
      }
      const shrink = 1 / (2 * w[0] * w[0] - 1);
      ds[0] = (side[0] / rate + 2 * w[0] * inner) * shrink;
      // dz = p1 + (2 w0 p0 w) / (2 w0^2 - 1) - N da: with ds0 put in, or else terms of the size of ||w||^2 would cancel.
      const push = 2 * shrink * (w[0] * side[0] + rate * inner);
      for (let k = 1; k <= q; k++) dz[k] = side[k] + push * w[k] - rate * ds[k];
    },
    maxStep: () => Math.min(coneStep(s, ds), coneStep(dual, dz)),
    gapAfter,
    advance(step) {
      for (let k = 0; k <= q; k++) {
        s[k] += step * ds[k];
        dual[k] += step * dz[k];
      }
    },
  };
}
