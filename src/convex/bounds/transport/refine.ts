import type { RandomStream } from "../../../base/random.ts";
import { lbfgsSteps } from "./lbfgs-steps.ts";
import { type Leaf, makeLeaf, roundMultipliers } from "./leaf.ts";
import { RANK, type Relaxation } from "./relaxation.ts";

/** How long one node is worked on. */
export interface Effort {
  /** Rounds of the method of multipliers. */
  readonly rounds: number;
  /** L-BFGS iterations in a round. */
  readonly inner: number;
  /** L-BFGS iterations for the slopes of a bound. */
  readonly slopes: number;
}

const MEMORY = 10;
/** Size of the perturbation of the factor between rounds while the bound is far above the value. */
const NOISE = 0.3;
const INNER_TOLERANCE = 1e-13;
/** The step of the multipliers, and its limits. */
export const FIRST_RHO = 4;
const LARGEST_RHO = 50;
const SMALLEST_RHO = 0.05;

/** What a round of {@link refine} reports. */
export interface Round {
  readonly leaf: Leaf;
  /** The value of the relaxation that the factor attains: no multipliers give a bound below it. */
  readonly attained: number;
  readonly rho: number;
}

/** The point (U, eta) of the envelope that belongs to the U and xi of the relaxation; |eta_i| balances the curvatures. */
function startPoint(relaxation: Relaxation, xi: Float64Array): Float64Array {
  const { d, np, side, pu } = relaxation;
  const x = new Float64Array((d + np) * RANK);
  x.set(relaxation.U.subarray(0, d * RANK));
  let mass = 0;
  for (const i of pu) mass += side.v[i] * side.norms[i];
  for (let i = 0; i < np; i++) {
    const length = Math.sqrt((side.v[pu[i]!]! * side.norms[pu[i]!]!) / mass);
    for (let c = 0; c < RANK; c++) x[(d + i) * RANK + c] = length * xi[i * RANK + c];
  }
  return x;
}

/**
 * Works on the node that `relaxation` holds, from its U, Pi (rounded) and R: yields undefined at points where the work may be
 * suspended, and a round's outcome after each. The caller ends it.
 */
export function* refine(
  relaxation: Relaxation,
  effort: Effort,
  first: number,
  random: RandomStream,
): Generator<Round | undefined, void> {
  const { d, nn, np } = relaxation;
  const xi = new Float64Array(np * RANK);
  relaxation.signs(xi, new Float64Array(np));
  let rho = first;
  let previous = Number.POSITIVE_INFINITY;
  let rising = false;
  for (let round = 0; round < effort.rounds; round++) {
    relaxation.setRate(rho);
    relaxation.center();
    const x = startPoint(relaxation, xi);
    let half = Number.NaN;
    let last = Number.NaN;
    let iteration = 0;
    for (const value of lbfgsSteps(relaxation.envelope, x, {
      iterations: effort.inner,
      memory: MEMORY,
      tolerance: INNER_TOLERANCE,
    })) {
      iteration += 1;
      if (2 * iteration <= effort.inner) half = -value;
      last = -value;
      yield undefined;
    }
    relaxation.envelope(x, new Float64Array(x.length));
    // The multipliers move by rho times the violation, so errors of the inner maximization count rho times: a large rho
    // pays only while the inner problem is solved well against what the move is worth.
    const late = iteration * 2 > effort.inner ? last - half : 0;
    const worth = relaxation.moveWorth();
    if (late > 0.5 * worth || rising) rho = Math.max(0.75 * rho, SMALLEST_RHO);
    else if (late < 0.1 * worth) rho = Math.min(1.3 * rho, LARGEST_RHO);
    relaxation.takeMultipliers();
    relaxation.updateMultipliers();
    const attained = relaxation.attained();
    roundMultipliers(relaxation.Pi, nn, np, relaxation.q);
    for (let i = 0; i < np; i++) {
      let norm = 0;
      for (let c = 0; c < RANK; c++) norm += x[(d + i) * RANK + c] ** 2;
      norm = Math.sqrt(norm) || 1;
      for (let c = 0; c < RANK; c++) xi[i * RANK + c] = x[(d + i) * RANK + c] / norm;
    }
    const U = relaxation.U.slice(0, d * RANK);
    const lam = relaxation.lam.slice();
    const work = makeLeaf(relaxation, effort.slopes);
    let step = work.next();
    for (; step.done !== true; step = work.next()) yield undefined;
    yield { leaf: step.value, attained, rho };
    // The factor of the bound belongs to fixed multipliers; go on from that of the envelope.
    if (Number.isNaN(last)) last = step.value.bound;
    const doubt = (step.value.bound - last) / step.value.bound;
    rising = step.value.bound > previous + 0.5 * (previous - last);
    previous = step.value.bound;
    // A factor whose spare columns have vanished cannot leave a saddle point.
    const noise = (NOISE * Math.min(1, 10 * Math.max(doubt || 0, 0))) / Math.sqrt(d * RANK);
    for (let k = 0; k < d * RANK; k++) U[k] += noise * random.normal();
    relaxation.U.set(U);
    relaxation.lam.set(lam);
  }
}
