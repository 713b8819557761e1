import type { Compute, Scope } from "../../compute/types.ts";
import type { BlockOperator } from "./block-operator.ts";
import type { NewtonSystem } from "./newton-system.ts";
import type { NormTerm } from "./norm-terms.ts";
import { normInf } from "./vectors.ts";

/** A solution counts as exact when its residual is below this part of the right-hand sides. */
const REFINED = 1e-11;
const REFINEMENTS = 2;
/** Added to each diagonal entry, relative to itself: as little as Cholesky survives; refinement takes it out again. */
const RIDGES = [0, 1e-14, 1e-12];

/**
 * The system without inequalities, whose blocks are the norms alone: B_j^{-1} = eta_j^2 (I + 2 w_j w_j'), so that
 * F B^{-1} F' = (E E') o (D' diag(eta^2) D) + 2 sum_j eta_j^2 (D_j E w_j) (D_j E w_j)'  costs 2 n^2 m products, p times fewer
 * than with general blocks. Factored through I + H^{1/2} F B^{-1} F' H^{1/2} (n x n).
 */
export class GatedSystem implements NewtonSystem {
  readonly #compute: Compute;
  readonly #F: BlockOperator;
  /** E E', lower triangle. */
  readonly #gram: Float64Array;
  readonly #dense: Float64Array;
  readonly #scaled: Float64Array;
  readonly #tails: Float64Array;
  readonly #work: Record<"x" | "dv" | "r" | "g" | "short" | "scratch", Float64Array>;
  #h: Float64Array = new Float64Array(0);
  readonly #root: Float64Array;
  #norms: readonly NormTerm[] = [];

  constructor(compute: Compute, scope: Scope, F: BlockOperator) {
    const { n, p, m } = F;
    this.#compute = compute;
    this.#F = F;
    this.#gram = scope.f64(n * n);
    this.#dense = scope.f64(n * n);
    this.#scaled = scope.f64(m * n);
    this.#tails = scope.f64(m * p);
    const [long, narrow] = [(): Float64Array => scope.f64(m * p), (): Float64Array => scope.f64(n)];
    this.#work = { x: long(), dv: narrow(), r: long(), g: narrow(), short: narrow(), scratch: long() };
    this.#root = new Float64Array(n);
    compute.syrk(false, n, p, 1, F.E, p, 0, this.#gram, n);
  }

  factor(h: Float64Array, norms: readonly NormTerm[]): boolean {
    return RIDGES.some((ridge) => this.#factor(h, norms, ridge));
  }

  #factor(h: Float64Array, norms: readonly NormTerm[], ridge: number): boolean {
    const { n, p, m, gates } = this.#F;
    const compute = this.#compute;
    const dense = this.#dense;
    const gram = this.#gram;
    const scaled = this.#scaled;
    const root = this.#root;
    this.#norms = norms;
    this.#h = h;
    for (let i = 0; i < n; i++) root[i] = Math.sqrt(h[i]);
    norms.forEach(({ scaling: { w, eta } }, j) => {
      const tail = this.#tails.subarray(j * p, (j + 1) * p);
      for (let k = 0; k < p; k++) tail[k] = Math.SQRT2 * eta * w[k + 1];
      for (let i = 0; i < n; i++) scaled[j * n + i] = eta * root[i] * gates[j * n + i];
    });
    compute.syrk(true, n, m, 1, scaled, n, 0, dense, n);
    for (let i = 0; i < n; i++) for (let k = 0; k <= i; k++) dense[i * n + k] *= gram[i * n + k];
    this.#F.rows(this.#tails, scaled);
    for (let j = 0; j < m; j++) for (let i = 0; i < n; i++) scaled[j * n + i] *= root[i] * gates[j * n + i];
    compute.syrk(true, n, m, 1, scaled, n, 1, dense, n);
    for (let i = 0; i < n; i++) dense[i * n + i] = 1 + dense[i * n + i] * (1 + ridge);
    return compute.cholesky(n, dense, n) === 0;
  }

  solve(r: Float64Array, g: Float64Array, exact: boolean): void {
    const { x, dv, r: restR, g: restG } = this.#work;
    restR.set(r);
    restG.set(g);
    const [sizeR, sizeG] = [normInf(r) || 1, normInf(g) || 1];
    x.fill(0);
    dv.fill(0);
    // Near the solution B^{-1} is huge along the blocks in use: what rounding leaves of the residual is solved for again.
    let before = Number.POSITIVE_INFINITY;
    for (let pass = 0; ; pass++) {
      this.#solveOnce(restR, restG);
      for (let k = 0; k < x.length; k++) x[k] += restR[k];
      for (let i = 0; i < dv.length; i++) dv[i] += restG[i];
      if (!exact || pass === REFINEMENTS) break;
      this.#residual(r, g);
      const error = Math.max(normInf(restR) / sizeR, normInf(restG) / sizeG);
      if (error <= REFINED || error > before / 2) break;
      before = error;
    }
    r.set(x);
    g.set(dv);
  }

  /** The solution up to rounding errors of B^{-1}: (H^{-1} + F B^{-1} F') dv = g - F B^{-1} r, x = B^{-1} (r + F'dv). */
  #solveOnce(r: Float64Array, g: Float64Array): void {
    const { n } = this.#F;
    const root = this.#root;
    const compute = this.#compute;
    const { short, scratch } = this.#work;
    this.#applyInverse(r, scratch);
    this.#F.forward(scratch, short);
    for (let i = 0; i < n; i++) short[i] = root[i] * (g[i] - short[i]);
    compute.solveLower(false, n, 1, this.#dense, n, short, 1);
    compute.solveLower(true, n, 1, this.#dense, n, short, 1);
    for (let i = 0; i < n; i++) g[i] = root[i] * short[i];
    this.#F.adjoint(g, 1, r);
    this.#applyInverse(r, scratch);
    r.set(scratch);
  }

  /** work.r <- r - B x + F'dv, work.g <- g - F x - H^{-1} dv. */
  #residual(r: Float64Array, g: Float64Array): void {
    const { n, p } = this.#F;
    const { x, dv, r: restR, g: restG } = this.#work;
    this.#F.forward(x, restG);
    for (let i = 0; i < n; i++) restG[i] = this.#h[i] > 0 ? g[i] - restG[i] - dv[i] / this.#h[i] : 0;
    restR.set(r);
    this.#F.adjoint(dv, 1, restR);
    this.#norms.forEach(({ scaling: { w, eta } }, j) => {
      const rate = 1 / (eta * eta);
      let inner = 0;
      for (let k = 0; k < p; k++) inner += w[k + 1] * x[j * p + k];
      inner *= 2 / (2 * w[0] * w[0] - 1);
      for (let k = 0; k < p; k++) restR[j * p + k] -= rate * (x[j * p + k] - inner * w[k + 1]);
    });
  }

  /** out <- B^{-1} r. */
  #applyInverse(r: Float64Array, out: Float64Array): void {
    const { p } = this.#F;
    this.#norms.forEach(({ scaling: { w, eta } }, j) => {
      let inner = 0;
      for (let k = 0; k < p; k++) inner += w[k + 1] * r[j * p + k];
      for (let k = 0; k < p; k++) out[j * p + k] = eta * eta * (r[j * p + k] + 2 * inner * w[k + 1]);
    });
  }
}
