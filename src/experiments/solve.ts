import {
  type ConvexProblem,
  networkObjective,
  type Solution,
  type SolveEvent,
  type SolveOptions,
  solveConvex,
} from "../convex/index.ts";
import { balance, type TwoLayerNetwork } from "../network/index.ts";
import { hiddenBiases, relativeGap } from "./problem.ts";
import { NONNEGATIVE } from "./verdict.ts";

/** Runs a solve to its end, passing on its events. */
export function drive(
  problem: ConvexProblem,
  options: SolveOptions,
  onEvent: (event: SolveEvent) => void = () => {},
): Solution {
  const solving = solveConvex(problem, options);
  for (;;) {
    const step = solving.next();
    if (step.done) return step.value;
    onEvent(step.value);
  }
}

/** One output's share of the saved network, with the bound that holds for it. */
export interface SolvedOutput {
  /** The positive class, or the name of the target. */
  readonly name: string;
  /** n targets. */
  readonly y: Float64Array;
  /** Balanced; one output. */
  readonly network: TwoLayerNetwork;
  readonly status: Solution["status"];
  /** Of `network`, recomputed in f64 from its weights. */
  readonly objective: number;
  /** Finite, and not above `objective`. */
  readonly lowerBound: number;
  readonly gap: number;
  readonly scope: Solution["scope"];
  readonly method: string;
  readonly patterns: number;
  readonly iterations: number;
  readonly seconds: number;
  readonly listed: Solution["listed"];
  /** Null when no bound but the trivial one was found. */
  readonly dual: Solution["dual"] | null;
  /** Proof of the maximum behind the bound (docs/certificates.md); null where there is none. */
  readonly proof: Solution["proof"];
}

/**
 * The network to save and what is known about it: balanced, its objective recomputed, and the bound replaced by 0 when
 * there is none better, which holds for every loss and penalty here.
 */
export function settleOutput(name: string, problem: ConvexProblem, solution: Solution): SolvedOutput {
  const network = balance(solution.network, hiddenBiases(problem.bias));
  const objective = networkObjective(problem, network);
  const known = solution.lowerBound >= 0;
  // Rounding may leave the two in the wrong order; what is below a lower bound is one too.
  const lowerBound = known ? Math.min(solution.lowerBound, objective) : 0;
  const { status, scope, patterns, iterations, seconds, listed, dual } = solution;
  return {
    name,
    y: problem.y,
    network,
    status,
    objective,
    lowerBound,
    gap: relativeGap(objective, lowerBound),
    scope,
    method: known ? solution.method : NONNEGATIVE,
    patterns,
    iterations,
    seconds,
    listed: listed !== null && Number.isFinite(listed.lowerBound) ? settleListed(listed, objective) : null,
    dual: known ? dual : null,
    proof: known ? solution.proof : null,
  };
}

function settleListed(listed: NonNullable<Solution["listed"]>, objective: number): NonNullable<Solution["listed"]> {
  const lowerBound = Math.min(listed.lowerBound, objective);
  return { patterns: listed.patterns, lowerBound, gap: relativeGap(objective, lowerBound) };
}
