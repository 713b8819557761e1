import type { Compute, Scope } from "../../compute/types.ts";
import type { Loss } from "../losses/index.ts";
import { isActive, type Pattern } from "../patterns/pattern.ts";
import { NewtonSystem } from "./newton-system.ts";
import { coneNorm, type NormTerm } from "./norm-terms.ts";

/** One block of the program: a pattern D, a sign s, and a starting direction (p entries, not zero in the first q). */
export interface Block {
  readonly pattern: Pattern;
  readonly sign: 1 | -1;
  readonly start: Float64Array;
}

/**
 * minimize  loss(sum_j s_j D_j E a_j + c0) + beta sum_j ||a_j[0..q)||
 * subject to  (2 D_j - I) E a_j >= 0 for every j   (when `cones`),
 *
 * the convex program of Pilanci & Ergen (arXiv:2002.10553) over listed patterns; without the cones the gated program.
 */
export interface ConeProgram {
  /** n x p, row-major. */
  readonly E: Float64Array;
  readonly n: number;
  readonly p: number;
  /** Penalized leading coordinates q <= p (p - 1 when the last one is a free hidden bias). */
  readonly penalized: number;
  readonly y: Float64Array;
  readonly loss: Loss;
  readonly beta: number;
  readonly cones: boolean;
  /** Whether c0 is a variable (else 0), and where it starts. */
  readonly offset: boolean;
  readonly c0: number;
  readonly blocks: readonly Block[];
}

export interface ConeSolution {
  readonly a: readonly Float64Array[];
  readonly c0: number;
  /** Duality gap of the iterate relative to the objective: complementarity and what the residuals add. */
  readonly gap: number;
  readonly iterations: number;
  readonly converged: boolean;
}

const MAX_ITERATIONS = 80;
/** Largest stationarity residual, relative to beta, of a point that counts as dual feasible. */
const DUAL_ACCURACY = 1e-3;
/** Largest violation of slack = S E a, relative to the largest block, of a point that counts as feasible. */
const PRIMAL_ACCURACY = 1e-9;
/** Starting slacks, relative to the size of their block, are at least this. */
const SLACK_FLOOR = 1e-2;
/** Starting multipliers make n complementarity products add up to this part of beta times the block's size. */
const START_MULTIPLIER = 0.1;
/** Part of the way to the boundary that a step may go. */
const STEP_BACK = 0.99;

interface BlockState {
  readonly norm: NormTerm;
  /** Unpenalized coordinates a[q..p) and their step. */
  readonly free: Float64Array;
  readonly dfree: Float64Array;
}

/**
 * Primal-dual interior point with Mehrotra's predictor-corrector. One iteration:
 * 1. residuals and the block matrices B_j = E' diag(lambda / sigma) E + N_j (N_j: second-order part of the norm);
 * 2. factor B + F'HF (m p x m p), or its Woodbury form through n x n when that is smaller;
 * 3. affine direction, centering weight, corrected direction, common step.
 *
 * Ends when the complementarity gap is below `tolerance` times the objective and the residuals are negligible, when steps
 * no longer help, or when `stop` says so. Blocks stay inside their cones up to rounding; those that the penalty sends to
 * zero end up negligible, not exactly zero.
 */
export function solveConeProgram(
  compute: Compute,
  program: ConeProgram,
  tolerance: number,
  stop: () => boolean,
): ConeSolution {
  if (program.blocks.length === 0) throw new RangeError("a cone program needs at least one block");
  return compute.scope((scope) => new InteriorPoint(compute, scope, program).solve(tolerance, stop));
}

class InteriorPoint {
  readonly compute: Compute;
  readonly program: ConeProgram;
  readonly m: number;
  readonly size: number;
  readonly blocks: BlockState[];
  /** Rows that constrain: those that are not zero. */
  readonly rowScale: Float64Array;
  readonly constraints: number;
  /** s_j D_j E transposed, (m p) x n. */
  readonly FT: Float64Array;
  /** Rows of E scaled to norm 1, n x p. */
  readonly unit: Float64Array;
  /** (2 D_j - 1) signs, m x n. */
  readonly S: Float64Array;
  readonly sigma: Float64Array;
  readonly lambda: Float64Array;
  readonly f: Float64Array;
  readonly v: Float64Array;
  readonly h: Float64Array;
  readonly work: { A: Float64Array; AZ: Float64Array; scaled: Float64Array };
  readonly newton: NewtonSystem;
  readonly dualResidual: Float64Array;
  readonly primalResidual: Float64Array;
  readonly dsigma: Float64Array;
  readonly dlambda: Float64Array;
  readonly target: Float64Array;
  readonly rhs: Float64Array;
  c0 = 0;
  dc0 = 0;

  constructor(compute: Compute, scope: Scope, program: ConeProgram) {
    const { n, p, E, blocks, penalized: q, beta } = program;
    this.compute = compute;
    this.program = program;
    const m = blocks.length;
    this.m = m;
    this.size = m * p;
    this.FT = scope.f64(m * p * n);
    this.unit = scope.f64(n * p);
    this.S = scope.f64(m * n);
    this.sigma = scope.f64(m * n);
    this.lambda = scope.f64(m * n);
    this.f = scope.f64(n);
    this.v = scope.f64(n);
    this.h = scope.f64(n);
    this.work = { A: scope.f64(m * p), AZ: scope.f64(m * n), scaled: scope.f64(m * n) };
    this.newton = new NewtonSystem(compute, scope, { n, p, m, FT: this.FT, rows: this.unit, offset: program.offset });
    this.dualResidual = scope.f64(m * p);
    this.primalResidual = scope.f64(m * n);
    this.dsigma = scope.f64(m * n);
    this.dlambda = scope.f64(m * n);
    this.target = scope.f64(m * n);
    this.rhs = scope.f64(m * p);
    this.rowScale = new Float64Array(n);
    let constraints = 0;
    for (let i = 0; i < n; i++) {
      let norm = 0;
      for (let k = 0; k < p; k++) norm += E[i * p + k] ** 2;
      norm = Math.sqrt(norm);
      this.rowScale[i] = norm > 0 ? 1 / norm : 0;
      if (norm > 0) constraints += 1;
      for (let k = 0; k < p; k++) this.unit[i * p + k] = E[i * p + k] * this.rowScale[i];
    }
    this.constraints = program.cones ? constraints : 0;

    blocks.forEach((block, j) => {
      for (let i = 0; i < n; i++) {
        const on = isActive(block.pattern, i);
        this.S[j * n + i] = program.cones && this.rowScale[i] > 0 ? (on ? 1 : -1) : 0;
        if (on) for (let k = 0; k < p; k++) this.FT[(j * p + k) * n + i] = block.sign * E[i * p + k];
      }
    });
    this.c0 = program.offset ? program.c0 : 0;
    // Start: inside the norm cones, slacks floored away from zero, complementarity about a tenth of the penalty.
    const norms = blocks.map(({ start }) => Math.hypot(...start.subarray(0, q)));
    const mean = norms.reduce((sum, norm) => sum + norm, 0) / m;
    if (!norms.every((norm) => norm > 0)) throw new RangeError("a starting direction is zero");
    const sizes = norms.map((norm) => Math.max(norm, 0.1 * mean));
    this.blocks = blocks.map(({ start }, j) => {
      const scaled = start.map((t) => (t * sizes[j]) / norms[j]);
      return {
        norm: coneNorm(scaled.subarray(0, q), beta, Math.max(1, this.constraints)),
        free: scaled.slice(q),
        dfree: new Float64Array(p - q),
      };
    });
    this.gatherA();
    this.applyRows(this.work.A, this.work.AZ);
    for (let j = 0; j < m; j++) {
      for (let i = 0; i < n; i++) {
        const index = j * n + i;
        this.sigma[index] = Math.max(this.S[index] * this.work.AZ[index], SLACK_FLOOR * sizes[j]);
        this.lambda[index] = this.S[index] === 0 ? 0 : (START_MULTIPLIER * beta * sizes[j]) / (n * this.sigma[index]);
      }
    }
  }

  /** work.A <- the a_j, m x p. */
  gatherA(): void {
    const { p, penalized: q } = this.program;
    this.blocks.forEach(({ norm, free }, j) => {
      this.work.A.set(norm.a, j * p);
      this.work.A.set(free, j * p + q);
    });
  }

  /** out (m x n) <- A unit', for A m x p. */
  applyRows(A: Float64Array, out: Float64Array): void {
    const { n, p } = this.program;
    this.compute.gemm(false, true, this.m, n, p, 1, A, p, this.unit, p, 0, out, n);
  }

  solve(tolerance: number, stop: () => boolean): ConeSolution {
    const { n, y, loss, beta } = this.program;
    const { m } = this;
    let best = { a: this.current(), c0: this.c0 };
    let bestError = Number.POSITIVE_INFINITY;
    let iteration = 0;
    let converged = false;
    let stalled = 0;
    for (; iteration < MAX_ITERATIONS && !stop(); iteration++) {
      // 1. Residuals.
      this.gatherA();
      this.predict(this.work.A, this.f);
      for (let i = 0; i < n; i++) this.f[i] += this.c0;
      loss.negativeGradient(this.f, y, this.v);
      loss.curvature(this.f, y, this.h);
      const { gap, slip, dual, primal, penalty } = this.residuals();
      const objective = loss.value(this.f, y) + beta * penalty;
      if (!Number.isFinite(objective) || !Number.isFinite(gap)) break;
      const error = (gap + slip) / Math.max(Math.abs(objective), Number.MIN_VALUE);
      const feasible = dual <= DUAL_ACCURACY * beta && primal <= PRIMAL_ACCURACY;
      // The best feasible point; until there is one, the latest.
      const value = feasible ? error : Number.POSITIVE_INFINITY;
      if (value < bestError || bestError === Number.POSITIVE_INFINITY) {
        stalled = 0;
        bestError = value;
        best = { a: this.current(), c0: this.c0 };
      } else stalled += 1;
      if (bestError <= tolerance) {
        converged = true;
        break;
      }
      if (stalled >= 4) break;

      // 2. Factor.
      if (!this.factor()) break;

      // 3. Predictor, centering, corrector.
      const mu = gap / (m * (this.blocks[0].norm.degree + this.constraints) || 1);
      this.direction(0, false);
      const affine = this.maxStep();
      const centering = Math.min(1, (this.gapAfter(affine) / gap) ** 3);
      this.direction(Math.max(centering, 1e-10) * mu, true);
      const step = Math.min(1, STEP_BACK * this.maxStep(), this.trustedStep());
      if (!(step > 1e-10)) break;
      this.advance(step);
    }
    return { ...best, gap: bestError, iterations: iteration, converged };
  }

  current(): Float64Array[] {
    const { p, penalized: q } = this.program;
    return this.blocks.map(({ norm, free }) => {
      const a = new Float64Array(p);
      a.set(norm.a);
      a.set(free, q);
      return a;
    });
  }

  /** out (n) <- sum_j s_j D_j E a_j for A (m x p). */
  predict(A: Float64Array, out: Float64Array): void {
    this.compute.gemv(true, this.size, this.program.n, 1, this.FT, this.program.n, A, 0, out);
  }

  /**
   * Residuals of the current point: the complementarity gap, `slip`, what the stationarity residuals r_j can add to the
   * duality gap (sum |r_j'a_j|), their largest entry, the largest violation of slack = S E a, and sum ||a_j||.
   */
  residuals(): { gap: number; slip: number; dual: number; primal: number; penalty: number } {
    const { n, p, penalized: q } = this.program;
    const { m, S, sigma, lambda, work } = this;
    // dual_j = -s_j E'D_j v - unit' S lambda_j - (z1, 0)
    this.compute.gemv(false, this.size, n, -1, this.FT, n, this.v, 0, this.dualResidual);
    for (let k = 0; k < m * n; k++) work.scaled[k] = S[k] * lambda[k];
    this.compute.gemm(false, false, m, p, n, -1, work.scaled, n, this.unit, p, 1, this.dualResidual, p);
    this.applyRows(work.A, work.AZ);
    let gap = 0;
    let slip = 0;
    let dual = 0;
    let primal = 0;
    let penalty = 0;
    const sizes = this.blocks.map(({ norm }) => Math.hypot(...norm.a));
    const largest = Math.max(...sizes);
    this.blocks.forEach(({ norm }, j) => {
      for (let k = 0; k < q; k++) this.dualResidual[j * p + k] -= norm.z[k];
      penalty += sizes[j];
      gap += norm.gap();
      let inner = 0;
      for (let k = 0; k < p; k++) {
        dual = Math.max(dual, Math.abs(this.dualResidual[j * p + k]));
        inner += this.dualResidual[j * p + k] * work.A[j * p + k];
      }
      slip += Math.abs(inner);
      for (let i = 0; i < n; i++) {
        const index = j * n + i;
        if (S[index] === 0) continue;
        const residual = S[index] * work.AZ[index] - sigma[index];
        this.primalResidual[index] = residual;
        primal = Math.max(primal, Math.abs(residual) / largest);
        gap += sigma[index] * lambda[index];
      }
    });
    if (this.program.offset) {
      let slope = 0;
      for (let i = 0; i < n; i++) slope += this.v[i];
      slip += Math.abs(slope * this.c0);
    }
    return { gap, slip, dual, primal, penalty };
  }

  /** Factors the Newton system of the current point; false when it cannot be. */
  factor(): boolean {
    const { S, sigma, lambda, work, h } = this;
    const norms = this.blocks.map(({ norm }) => norm);
    for (const norm of norms) norm.prepare();
    if (!this.program.cones) return this.newton.factor(h, norms, null);
    for (let k = 0; k < S.length; k++) work.scaled[k] = S[k] === 0 ? 0 : lambda[k] / sigma[k];
    return this.newton.factor(h, norms, work.scaled);
  }

  /** Newton direction towards complementarity `mu`, with Mehrotra's second-order term when `corrected`. */
  direction(mu: number, corrected: boolean): void {
    const { n, p, penalized: q } = this.program;
    const { m, S, sigma, lambda, work, rhs, target, primalResidual, dsigma, dlambda } = this;
    for (let k = 0; k < m * n; k++) {
      if (S[k] === 0) continue;
      const second = corrected ? dsigma[k] * dlambda[k] : 0;
      target[k] = (mu - second) / sigma[k] - lambda[k];
      work.scaled[k] = S[k] * (target[k] - (lambda[k] / sigma[k]) * primalResidual[k]);
    }
    for (let k = 0; k < m * p; k++) rhs[k] = -this.dualResidual[k];
    if (this.program.cones) this.compute.gemm(false, false, m, p, n, 1, work.scaled, n, this.unit, p, 1, rhs, p);
    this.blocks.forEach(({ norm }, j) => {
      norm.addRight(rhs.subarray(j * p, j * p + q), mu, corrected);
    });
    let slope = 0;
    for (let i = 0; i < n; i++) slope += this.v[i];
    this.dc0 = this.newton.solve(rhs, slope);
    this.blocks.forEach(({ norm, dfree }, j) => {
      norm.setStep(rhs.subarray(j * p, j * p + q));
      dfree.set(rhs.subarray(j * p + q, (j + 1) * p));
    });
    if (!this.program.cones) return;
    this.applyRows(rhs, work.AZ);
    for (let k = 0; k < m * n; k++) {
      if (S[k] === 0) continue;
      dsigma[k] = S[k] * work.AZ[k] + primalResidual[k];
      dlambda[k] = target[k] - (lambda[k] / sigma[k]) * dsigma[k];
    }
  }

  maxStep(): number {
    let step = 1;
    for (const { norm } of this.blocks) step = Math.min(step, norm.maxStep());
    const { S, sigma, lambda, dsigma, dlambda } = this;
    for (let k = 0; k < S.length; k++) {
      if (S[k] === 0) continue;
      if (dsigma[k] < 0) step = Math.min(step, -sigma[k] / dsigma[k]);
      if (dlambda[k] < 0) step = Math.min(step, -lambda[k] / dlambda[k]);
    }
    return step;
  }

  /** The step within which the loss's curvature can be trusted: no prediction moves further than the loss allows. */
  trustedStep(): number {
    const { n, loss } = this.program;
    if (loss.trustedStep === Number.POSITIVE_INFINITY) return 1;
    const change = this.target.subarray(0, n);
    this.predict(this.rhs, change);
    let largest = 0;
    for (let i = 0; i < n; i++) largest = Math.max(largest, Math.abs(change[i] + this.dc0));
    return largest > loss.trustedStep ? loss.trustedStep / largest : 1;
  }

  gapAfter(step: number): number {
    let gap = 0;
    for (const { norm } of this.blocks) gap += norm.gapAfter(step);
    const { S, sigma, lambda, dsigma, dlambda } = this;
    for (let k = 0; k < S.length; k++) {
      if (S[k] !== 0) gap += (sigma[k] + step * dsigma[k]) * (lambda[k] + step * dlambda[k]);
    }
    return Math.max(gap, 0);
  }

  advance(step: number): void {
    for (const { norm, free, dfree } of this.blocks) {
      norm.advance(step);
      for (let k = 0; k < free.length; k++) free[k] += step * dfree[k];
    }
    const { S, sigma, lambda, dsigma, dlambda } = this;
    for (let k = 0; k < S.length; k++) {
      if (S[k] === 0) continue;
      sigma[k] += step * dsigma[k];
      lambda[k] += step * dlambda[k];
    }
    this.c0 += step * this.dc0;
  }
}
