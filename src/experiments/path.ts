import type { SolveOptions } from "../convex/index.ts";
import type { TwoLayerNetwork } from "../network/index.ts";
import { type Band, bandOf, type ObjectiveLine, sumBands, widestGap } from "./path-band.ts";
import type { Part, Posed } from "./posed.ts";
import { type Objective, relativeGap } from "./problem.ts";
import { drive, objectiveLine, type SolvedPart, settlePart } from "./solve.ts";
import { BETA_RATIOS, type ValidationPoint } from "./validation.ts";
import { CLOSED } from "./verdict.ts";

/** A problem solved and bounded at one beta: its parts in order. */
export interface TracedBeta {
  readonly beta: number;
  readonly outputs: readonly SolvedPart[];
}

/** The fit whose regularization path is wanted. */
export interface PathTask {
  readonly posed: Posed;
  readonly bias: Objective["bias"];
  readonly betaMax: number;
  /** The grid of validation starts at this part of beta_max. */
  readonly gridTop: number;
  /** The beta of the fit, which is solved apart. */
  readonly beta: number;
  readonly deadline: number;
  readonly solve: SolveOptions;
  onProgress(label: string, fraction: number): void;
}

/** One beta of a {@link RegularizationPath}. */
export interface PathPoint {
  readonly beta: number;
  /** The smallest training objective, at this beta, of all networks that were found. */
  readonly objective: number;
  readonly lowerBound: number;
  readonly gap: number;
  /** Of the network with that objective: its loss term, and its penalty at beta 1. */
  readonly loss: number;
  readonly penalty: number;
  readonly neurons: number;
  readonly validation: ValidationPoint | null;
  /** Whether this is the beta of the fit. */
  readonly chosen: boolean;
}

/** What is known about the smallest training objective along beta. */
export interface RegularizationPath {
  /** Smallest beta first. */
  readonly points: readonly PathPoint[];
  readonly band: Band;
  /** The widest gap of the band at any beta between the first point and the last, and where it is. */
  readonly widest: { readonly beta: number; readonly gap: number };
}

/** From one beta of the path to the next it falls by no more than this. */
const LARGEST_STEP = 1.6;

/** The betas of a path, largest first: beta_max, the grid of validation, what is between them, and at the end the fit's. */
export function pathBetas({ betaMax, gridTop, beta }: Pick<PathTask, "betaMax" | "gridTop" | "beta">): number[] {
  const grid = [1, ...BETA_RATIOS.map((share) => share * gridTop)].map((ratio) => ratio * betaMax);
  if (beta < grid.at(-1)!) grid.push(beta);
  return grid.flatMap((next, k) => {
    const last = grid[k - 1];
    if (last === undefined) return [next];
    const steps = Math.max(1, Math.ceil(Math.log(last / next) / Math.log(LARGEST_STEP)));
    return Array.from({ length: steps }, (_, i) =>
      i + 1 === steps ? next : last * (next / last) ** ((i + 1) / steps),
    );
  });
}

/** Solves and bounds the problem along {@link pathBetas}, each beta from the networks of the one before, while there is time. */
export function tracePath(task: PathTask): TracedBeta[] {
  const { posed, bias, solve, deadline } = task;
  const { now } = solve;
  const betas = pathBetas(task).filter((beta) => beta !== task.beta);
  const traced: TracedBeta[] = [];
  for (const [k, beta] of betas.entries()) {
    task.onProgress(`beta ${Number((beta / task.betaMax).toPrecision(2))} beta_max`, k / betas.length);
    // What a beta does not need is for those below it, which are harder.
    const until = now() + (deadline - now()) / (betas.length - k);
    const outputs: SolvedPart[] = [];
    for (const [q, part] of posed.parts.entries()) {
      const seconds = (until - now()) / (posed.parts.length - q);
      if (seconds <= 0 || solve.cancelled?.() === true) return traced;
      const start = traced.at(-1)?.outputs[q]?.network;
      const options = { ...solve, tolerance: CLOSED, seconds, ...(start === undefined ? {} : { start }) };
      outputs.push(settlePart(part, { beta, bias }, drive(part, beta, options)));
    }
    traced.push({ beta, outputs });
  }
  return traced;
}

/** The network of a part that is best at a beta, of those on the path; null when there is none. */
export function bestOfPath(traced: readonly TracedBeta[], part: Part, q: number, beta: number): TwoLayerNetwork | null {
  let best: { readonly network: TwoLayerNetwork; readonly objective: number } | null = null;
  for (const { outputs } of traced) {
    const { network } = outputs[q]!;
    const objective = part.objective(beta, network);
    if (best === null || objective < best.objective) best = { network, objective };
  }
  return best?.network ?? null;
}

/**
 * The path from all that was solved, the fit's own beta included. Every network counts at every beta, and every bound on
 * both its sides, so that points between those that were solved have both too.
 *
 * @param validated the points of validation, with their shares of `betaMax`.
 */
export function makePath(
  traced: readonly TracedBeta[],
  fit: TracedBeta,
  parts: readonly Part[],
  validated: readonly ValidationPoint[],
  betaMax: number,
): RegularizationPath {
  const all = [...traced, fit];
  const solved = parts.map((part, q) =>
    all.map(({ beta, outputs }) => {
      const { network, lowerBound } = outputs[q]!;
      return { beta, lowerBound, neurons: network.U.rows, ...objectiveLine(part, beta, network) };
    }),
  );
  const band = sumBands(solved.map((networks) => bandOf(networks, networks)));
  const validation = new Map(validated.map((point) => [point.ratio * betaMax, point]));
  const betas = [...new Set([...all.map(({ beta }) => beta), ...validation.keys()])].sort((a, b) => a - b);
  const points = betas.map((beta): PathPoint => {
    const best = solved.map((networks) => networks.reduce((a, b) => (valueAt(b, beta) < valueAt(a, beta) ? b : a)));
    const sum = (value: (network: (typeof best)[number]) => number): number =>
      best.reduce((total, network) => total + value(network), 0);
    const [objective, lowerBound] = [band.upper(beta), band.lower(beta)];
    return {
      beta,
      objective,
      lowerBound,
      gap: relativeGap(objective, lowerBound),
      loss: sum((network) => network.loss),
      penalty: sum((network) => network.penalty),
      neurons: sum((network) => network.neurons),
      validation: validation.get(beta) ?? null,
      chosen: beta === fit.beta,
    };
  });
  return { points, band, widest: widestGap(band, betas[0]!, betas.at(-1)!) };
}

function valueAt({ loss, penalty }: ObjectiveLine, beta: number): number {
  return loss + beta * penalty;
}
