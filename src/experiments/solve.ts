import type { SolveEvent, SolveOptions } from "../convex/index.ts";
import { balance, type TwoLayerNetwork } from "../network/index.ts";
import type { ObjectiveLine } from "./path-band.ts";
import type { Part, PartSolution } from "./posed.ts";
import { hiddenBiases, type Objective, relativeGap } from "./problem.ts";
import { NONNEGATIVE } from "./verdict.ts";

/** Runs a solve to its end, passing on its events. */
export function drive(
  part: Part,
  beta: number,
  options: SolveOptions,
  onEvent: (event: SolveEvent) => void = () => {},
): PartSolution {
  const solving = part.solve(beta, options);
  for (;;) {
    const step = solving.next();
    if (step.done) return step.value;
    onEvent(step.value);
  }
}

/** The objective of a network at any beta, from that at one: it is linear in beta. */
export function objectiveLine(part: Part, beta: number, network: TwoLayerNetwork): ObjectiveLine {
  const objective = part.objective(beta, network);
  const penalty = (part.objective(2 * beta, network) - objective) / beta;
  return { loss: Math.max(0, objective - beta * penalty), penalty };
}

/** A part of the saved network, with the bound that holds for it. */
export interface SolvedPart extends Omit<PartSolution, "dual"> {
  readonly name: string;
  /** Balanced; its objective is recomputed in f64 from its weights. */
  readonly network: TwoLayerNetwork;
  /** Finite, and not above `objective`. */
  readonly lowerBound: number;
  /** Null when no bound but the trivial one was found, and where outputs share neurons. */
  readonly dual: PartSolution["dual"];
}

/**
 * The network to save and what is known about it: balanced, its objective recomputed, and the bound replaced by 0 when
 * there is none better, which holds for every loss and penalty here.
 */
export function settlePart(
  part: Part,
  { beta, bias }: Pick<Objective, "beta" | "bias">,
  solution: PartSolution,
): SolvedPart {
  const network = balance(solution.network, hiddenBiases(bias));
  const objective = part.objective(beta, network);
  const known = solution.lowerBound >= 0;
  // Rounding may leave the two in the wrong order; what is below a lower bound is one too.
  const lowerBound = known ? Math.min(solution.lowerBound, objective) : 0;
  const { listed } = solution;
  return {
    ...solution,
    name: part.name,
    network,
    objective,
    lowerBound,
    gap: relativeGap(objective, lowerBound),
    method: known ? solution.method : NONNEGATIVE,
    listed: listed !== null && Number.isFinite(listed.lowerBound) ? settleListed(listed, objective) : null,
    dual: known ? solution.dual : null,
    proof: known ? solution.proof : null,
  };
}

type Listed = NonNullable<PartSolution["listed"]>;

function settleListed({ patterns, lowerBound }: Listed, objective: number): Listed {
  const below = Math.min(lowerBound, objective);
  return { patterns, lowerBound: below, gap: relativeGap(objective, below) };
}
