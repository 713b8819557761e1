import type { SolveOptions } from "../convex/index.ts";
import type { TwoLayerNetwork } from "../network/index.ts";
import type { Posed } from "./posed.ts";
import { drive } from "./solve.ts";
import { CLOSED } from "./verdict.ts";

/** The fit whose smallest certifiable beta is wanted. */
export interface CertifiedBetaTask {
  readonly posed: Posed;
  readonly betaMax: number;
  readonly seed: number;
  /** When to stop, on the clock of `solve.now`. */
  readonly deadline: number;
  readonly solve: Pick<SolveOptions, "compute" | "now" | "cancelled">;
  onProgress(label: string, fraction: number): void;
}

export interface CertifiedBeta {
  /** Share of beta_max. */
  readonly ratio: number;
  readonly notes: readonly string[];
}

/** From one beta of the path to the next. */
const STEP = 0.7;
/** Bisections (in log beta) between the last beta that closed and the first that did not. */
const REFINEMENTS = 2;
/** Smallest share of beta_max that is tried. */
const SMALLEST = 1e-6;
/** A beta may take this share of the time that is left: the next ones take longer. */
const SHARE = 0.5;

/**
 * The smallest beta, on a path down from beta_max, whose gap over all patterns closes in the time: each beta starts from
 * the networks of the one before; a beta counts when every part is within a thousandth of its bound.
 */
export function certifiedBeta(task: CertifiedBetaTask): CertifiedBeta {
  const { solve, deadline, betaMax } = task;
  const stopped = (): boolean => solve.cancelled?.() === true || solve.now() >= deadline;
  let closed = 1;
  let start: readonly TwoLayerNetwork[] | null = null;
  const attempt = (ratio: number): boolean => {
    const tried = networksAt(task, ratio * betaMax, start);
    if (tried === null) return false;
    closed = ratio;
    start = tried;
    return true;
  };
  const tell = (ratio: number): void =>
    task.onProgress(`beta ${Number(ratio.toPrecision(2))} beta_max`, Math.log(closed) / Math.log(SMALLEST));

  let failed: number | null = null;
  for (let ratio = STEP; ratio > SMALLEST && !stopped(); ratio *= STEP) {
    tell(ratio);
    if (attempt(ratio)) continue;
    failed = ratio;
    break;
  }
  for (let k = 0; k < REFINEMENTS && failed !== null && !stopped(); k++) {
    const middle = Math.sqrt(closed * failed);
    tell(middle);
    if (!attempt(middle)) failed = middle;
  }
  const notes = [`beta = ${Number(closed.toPrecision(3))} beta_max is the smallest whose gap closed in the time`];
  if (closed === 1) notes.push("no beta below beta_max closed: the network is zero; give more --time");
  return { ratio: closed, notes };
}

/** The networks of every part at a beta; null when one did not close. */
function networksAt(
  { posed: { parts }, seed, deadline, solve }: CertifiedBetaTask,
  beta: number,
  start: readonly TwoLayerNetwork[] | null,
): TwoLayerNetwork[] | null {
  const networks: TwoLayerNetwork[] = [];
  for (const [q, part] of parts.entries()) {
    const from = start?.[q];
    const seconds = ((deadline - solve.now()) * SHARE) / (parts.length - q);
    if (seconds <= 0) return null;
    const options = { ...solve, seed, tolerance: CLOSED, seconds };
    const solution = drive(part, beta, from === undefined ? options : { ...options, start: from });
    if (solution.scope !== "all-patterns" || solution.gap > CLOSED) return null;
    networks.push(solution.network);
  }
  return networks;
}
