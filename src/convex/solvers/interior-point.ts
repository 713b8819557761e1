import type { Compute, Scope } from "../../compute/types.ts";
import { isActive } from "../patterns/pattern.ts";
import { BlockOperator } from "./block-operator.ts";
import type { ConeProgram, ConeSolution } from "./cone-program.ts";
import { GatedSystem } from "./gated-system.ts";
import { type LossTerm, lossTerm } from "./loss-terms.ts";
import { BorderedSystem, ConeSystem } from "./newton-system.ts";
import { coneNorm, type NormTerm } from "./norm-terms.ts";
import { norm2, total } from "./vectors.ts";

export type { Block, ConeProgram, ConeSolution } from "./cone-program.ts";

const MAX_ITERATIONS = 80;
/** Largest stationarity residual, relative to beta, of a point that counts as dual feasible. */
const DUAL_ACCURACY = 1e-3;
/** Largest violation of slack = S E a, relative to the largest block, of a point that counts as feasible. */
const PRIMAL_ACCURACY = 1e-9;
/** From this relative gap on, iterations have to improve on the best point. */
const NEAR = 1e-2;
/** Starting slacks, relative to the size of their block, are at least this. */
const SLACK_FLOOR = 1e-2;
/** Starting multipliers make n complementarity products add up to this part of beta times the block's size. */
const START_MULTIPLIER = 0.1;
/** Without inequalities the largest slope ||F_j'v|| starts at this part of beta. */
const START_SLOPE = 0.05;
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
  readonly F: BlockOperator;
  readonly loss: LossTerm;
  readonly blocks: BlockState[];
  readonly norms: readonly NormTerm[];
  /** Rows that constrain: those that are not zero. */
  readonly rowScale: Float64Array;
  readonly constraints: number;
  /** Rows of E scaled to norm 1, n x p. */
  readonly unit: Float64Array;
  /** (2 D_j - 1) signs of the inequalities, m x n; empty without them, like all that follows from it. */
  readonly S: Float64Array;
  readonly sigma: Float64Array;
  readonly lambda: Float64Array;
  readonly f: Float64Array;
  readonly work: { A: Float64Array; AZ: Float64Array; scaled: Float64Array; shifted: Float64Array; dv: Float64Array };
  readonly newton: BorderedSystem;
  readonly dualResidual: Float64Array;
  readonly primalResidual: Float64Array;
  readonly dsigma: Float64Array;
  readonly dlambda: Float64Array;
  readonly target: Float64Array;
  readonly rhs: Float64Array;
  c0 = 0;
  dc0 = 0;

  constructor(compute: Compute, scope: Scope, program: ConeProgram) {
    const { n, p, E, blocks, penalized: q, beta, cones } = program;
    this.compute = compute;
    this.program = program;
    const m = blocks.length;
    this.m = m;
    this.F = new BlockOperator(compute, scope, E, program, blocks);
    const inequalities = cones ? m * n : 0;
    this.unit = scope.f64(n * p);
    [this.S, this.sigma, this.lambda, this.primalResidual, this.dsigma, this.dlambda, this.target] = Array.from(
      { length: 7 },
      () => scope.f64(inequalities),
    );
    this.f = scope.f64(n);
    const [A, dualResidual, rhs] = [scope.f64(m * p), scope.f64(m * p), scope.f64(m * p)];
    const [AZ, scaled] = [scope.f64(inequalities), scope.f64(inequalities)];
    this.work = { A, AZ, scaled, shifted: scope.f64(n), dv: scope.f64(n) };
    [this.dualResidual, this.rhs] = [dualResidual, rhs];
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
    this.constraints = cones ? constraints : 0;
    this.newton = new BorderedSystem(scope, this.F, this.system(scope), program.offset);
    for (let j = 0; cones && j < m; j++) {
      for (let i = 0; i < n; i++) {
        if (this.rowScale[i] > 0) this.S[j * n + i] = isActive(blocks[j].pattern, i) ? 1 : -1;
      }
    }
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
    this.norms = this.blocks.map(({ norm }) => norm);
    this.loss = lossTerm(scope, program.loss, program.y);
    if (!cones) {
      this.startCentered();
      return;
    }
    this.gatherA();
    this.predict();
    this.loss.start(this.f, this.f, 1);
    this.applyRows(this.work.A, this.work.AZ);
    for (let j = 0; j < m; j++) {
      for (let i = 0; i < n; i++) {
        const index = j * n + i;
        this.sigma[index] = Math.max(this.S[index] * this.work.AZ[index], SLACK_FLOOR * sizes[j]);
        this.lambda[index] = this.S[index] === 0 ? 0 : (START_MULTIPLIER * beta * sizes[j]) / (n * this.sigma[index]);
      }
    }
  }

  /**
   * Without inequalities: a dual point that is feasible (where the loss lets it be chosen), and every norm on the central
   * path of that dual point, at the size at which the blocks together explain the targets best.
   */
  startCentered(): void {
    const { n, p, penalized: q, y, beta } = this.program;
    const { rhs, norms } = this;
    const zero = new Float64Array(n).fill(this.c0);
    this.loss.start(zero, zero, 1);
    this.F.adjoint(this.loss.v, 0, rhs);
    const slopes = norms.map((_, j) => norm2(rhs.subarray(j * p, j * p + q)));
    const scale = Math.min(1, (START_SLOPE * beta) / Math.max(...slopes));
    this.loss.start(zero, zero, scale);
    const place = (mu: number): void => {
      norms.forEach((norm, j) => {
        const slope = Float64Array.from(rhs.subarray(j * p, j * p + q), (t) => scale * t);
        norm.center(slope, mu);
      });
      this.gatherA();
      this.predict();
    };
    place(1);
    let fit = 0;
    let square = 0;
    for (let i = 0; i < n; i++) {
      const response = this.f[i] - this.c0;
      fit += response * (y[i] - this.c0 - this.loss.v[i]);
      square += response * response;
    }
    place(fit > 0 ? fit / square : 1 / Math.sqrt(square || 1));
    this.loss.start(this.f, zero, scale);
  }

  /** The cheapest way to solve for a Newton step. */
  system(scope: Scope): ConeSystem | GatedSystem {
    const { n, p, cones, penalized } = this.program;
    const size = this.m * p;
    const unbounded = this.program.loss.name === "hinge";
    const general = size < n && !unbounded ? size * size * (n + size / 3) : Number.POSITIVE_INFINITY;
    const gated = n * n * (2 * this.m + n / 3);
    if (cones || penalized < p || general < gated)
      return new ConeSystem(this.compute, scope, this.F, this.unit, unbounded);
    return new GatedSystem(this.compute, scope, this.F);
  }

  /** work.A <- the a_j, m x p. */
  gatherA(): void {
    const { p, penalized: q } = this.program;
    this.blocks.forEach(({ norm, free }, j) => {
      this.work.A.set(norm.a, j * p);
      this.work.A.set(free, j * p + q);
    });
  }

  /** f <- the predictions of work.A and c0. */
  predict(): void {
    this.F.forward(this.work.A, this.f);
    for (let i = 0; i < this.program.n; i++) this.f[i] += this.c0;
  }

  /** out (m x n) <- A unit', for A m x p. */
  applyRows(A: Float64Array, out: Float64Array): void {
    const { n, p } = this.program;
    this.compute.gemm(false, true, this.m, n, p, 1, A, p, this.unit, p, 0, out, n);
  }

  solve(tolerance: number, stop: () => boolean): ConeSolution {
    const { y, beta } = this.program;
    const { m, loss } = this;
    let best = { ...this.current(), objective: Number.POSITIVE_INFINITY };
    let bestError = Number.POSITIVE_INFINITY;
    let iteration = 0;
    let converged = false;
    let stalled = 0;
    for (; iteration < MAX_ITERATIONS && !stop(); iteration++) {
      // 1. Residuals.
      this.gatherA();
      this.predict();
      loss.prepare(this.f);
      const { gap, slip, dual, primal, penalty } = this.residuals();
      const objective = this.program.loss.value(this.f, y) + beta * penalty;
      if (!Number.isFinite(objective) || !Number.isFinite(gap)) break;
      const error = (gap + loss.excess(this.f) + slip) / Math.max(Math.abs(objective), Number.MIN_VALUE);
      const feasible = dual <= DUAL_ACCURACY * beta && primal <= PRIMAL_ACCURACY && error <= NEAR;
      // The best feasible point; until there is one, the latest.
      const value = feasible ? error : Number.POSITIVE_INFINITY;
      if (value < bestError || bestError === Number.POSITIVE_INFINITY) {
        stalled = 0;
        bestError = value;
        best = { ...this.current(), objective };
      } else stalled += 1;
      if (bestError <= tolerance) {
        converged = true;
        break;
      }
      if (stalled >= 4) break;

      // 2. Factor.
      if (!this.factor()) break;

      // 3. Predictor, centering, corrector.
      const whole = gap + loss.gap();
      const mu = whole / (m * (this.norms[0].degree + this.constraints) + loss.degree || 1);
      this.direction(0, false);
      const affine = this.maxStep();
      const centering = Math.min(1, (this.gapAfter(affine) / whole) ** 3);
      this.direction(Math.max(centering, 1e-10) * mu, true);
      const step = Math.min(1, STEP_BACK * this.maxStep(), loss.trusted());
      if (!(step > 1e-10)) break;
      this.advance(step);
    }
    return { ...best, gap: bestError, iterations: iteration, converged };
  }

  current(): Pick<ConeSolution, "a" | "c0" | "v"> {
    const { p, penalized: q } = this.program;
    const a = this.blocks.map(({ norm, free }) => {
      const whole = new Float64Array(p);
      whole.set(norm.a);
      whole.set(free, q);
      return whole;
    });
    return { a, c0: this.c0, v: this.loss.v.slice() };
  }

  /**
   * Residuals of the current point: the complementarity gap of the blocks, `slip`, what the stationarity residuals r_j can
   * add to the duality gap (sum |r_j'a_j|), their largest entry, the largest violation of slack = S E a, and sum ||a_j||.
   */
  residuals(): { gap: number; slip: number; dual: number; primal: number; penalty: number } {
    const { n, p, penalized: q, cones, offset } = this.program;
    const { m, S, sigma, lambda, work, loss } = this;
    // dual_j = -s_j E'D_j v - unit' S lambda_j - (z1, 0)
    for (let i = 0; i < n; i++) work.shifted[i] = -loss.v[i];
    this.F.adjoint(work.shifted, 0, this.dualResidual);
    for (let k = 0; k < S.length; k++) work.scaled[k] = S[k] * lambda[k];
    if (cones) {
      this.compute.gemm(false, false, m, p, n, -1, work.scaled, n, this.unit, p, 1, this.dualResidual, p);
      this.applyRows(work.A, work.AZ);
    }
    let gap = 0;
    let slip = 0;
    let dual = 0;
    let primal = 0;
    let penalty = 0;
    const sizes = this.norms.map(({ a }) => norm2(a));
    this.norms.forEach((norm, j) => {
      for (let k = 0; k < q; k++) this.dualResidual[j * p + k] -= norm.z[k];
      penalty += sizes[j];
      gap += norm.gap();
      let inner = 0;
      for (let k = 0; k < p; k++) {
        dual = Math.max(dual, Math.abs(this.dualResidual[j * p + k]));
        inner += this.dualResidual[j * p + k] * work.A[j * p + k];
      }
      slip += Math.abs(inner);
    });
    const largest = Math.max(...sizes);
    for (let k = 0; k < S.length; k++) {
      if (S[k] === 0) continue;
      const residual = S[k] * work.AZ[k] - sigma[k];
      this.primalResidual[k] = residual;
      primal = Math.max(primal, Math.abs(residual));
      gap += sigma[k] * lambda[k];
    }
    if (offset) slip += Math.abs(total(loss.v) * this.c0);
    return { gap, slip, dual, primal: primal / largest, penalty };
  }

  /** Factors the Newton system of the current point; false when it cannot be. */
  factor(): boolean {
    const { S, sigma, lambda, work } = this;
    for (const norm of this.norms) norm.prepare();
    for (let k = 0; k < S.length; k++) work.scaled[k] = S[k] === 0 ? 0 : lambda[k] / sigma[k];
    return this.newton.factor(this.loss.h, this.norms, this.program.cones ? work.scaled : null);
  }

  /** Newton direction towards complementarity `mu`, with Mehrotra's second-order term when `corrected`. */
  direction(mu: number, corrected: boolean): void {
    const { n, p, penalized: q, cones } = this.program;
    const { m, S, sigma, lambda, work, rhs, target, primalResidual, dsigma, dlambda, loss } = this;
    for (let k = 0; k < S.length; k++) {
      if (S[k] === 0) continue;
      const second = corrected ? dsigma[k] * dlambda[k] : 0;
      target[k] = (mu - second) / sigma[k] - lambda[k];
      work.scaled[k] = S[k] * (target[k] - (lambda[k] / sigma[k]) * primalResidual[k]);
    }
    for (let k = 0; k < m * p; k++) rhs[k] = -this.dualResidual[k];
    loss.residual(mu, corrected, work.dv);
    if (cones) this.compute.gemm(false, false, m, p, n, 1, work.scaled, n, this.unit, p, 1, rhs, p);
    this.norms.forEach((norm, j) => {
      norm.addRight(rhs.subarray(j * p, j * p + q), mu, corrected);
    });
    this.dc0 = this.newton.solve(rhs, work.dv, loss.v, corrected);
    this.blocks.forEach(({ norm, dfree }, j) => {
      norm.setStep(rhs.subarray(j * p, j * p + q));
      dfree.set(rhs.subarray(j * p + q, (j + 1) * p));
    });
    this.F.forward(rhs, work.shifted);
    for (let i = 0; i < n; i++) work.shifted[i] += this.dc0;
    loss.setStep(work.shifted, work.dv);
    if (!cones) return;
    this.applyRows(rhs, work.AZ);
    for (let k = 0; k < S.length; k++) {
      if (S[k] === 0) continue;
      dsigma[k] = S[k] * work.AZ[k] + primalResidual[k];
      dlambda[k] = target[k] - (lambda[k] / sigma[k]) * dsigma[k];
    }
  }

  maxStep(): number {
    let step = this.loss.maxStep();
    for (const norm of this.norms) step = Math.min(step, norm.maxStep());
    const { S, sigma, lambda, dsigma, dlambda } = this;
    for (let k = 0; k < S.length; k++) {
      if (S[k] === 0) continue;
      if (dsigma[k] < 0) step = Math.min(step, -sigma[k] / dsigma[k]);
      if (dlambda[k] < 0) step = Math.min(step, -lambda[k] / dlambda[k]);
    }
    return step;
  }

  gapAfter(step: number): number {
    let gap = this.loss.gapAfter(step);
    for (const norm of this.norms) gap += norm.gapAfter(step);
    const { S, sigma, lambda, dsigma, dlambda } = this;
    for (let k = 0; k < S.length; k++) {
      if (S[k] !== 0) gap += (sigma[k] + step * dsigma[k]) * (lambda[k] + step * dlambda[k]);
    }
    return Math.max(gap, 0);
  }

  advance(step: number): void {
    this.loss.advance(step);
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
