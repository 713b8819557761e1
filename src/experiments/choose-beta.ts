import type { SolveOptions } from "../convex/index.ts";
import { gridTop } from "./beta-scale.ts";
import { certifiedBeta } from "./certified-beta.ts";
import type { FitSettings } from "./config.ts";
import { FitCancelled, type FitEvent } from "./fit-types.ts";
import type { Posed } from "./posed.ts";
import { type ValidationResult, validateBeta } from "./validate-beta.ts";

/** What the choice of beta is made from. */
export interface BetaTask {
  readonly settings: FitSettings;
  readonly posed: Posed;
  /** Class index of each row; null for numbers. */
  readonly labels: Float64Array | null;
  readonly betaMax: number;
  /** Beta of the checkpoint that the fit goes on from; null without one. */
  readonly resumed: number | null;
  /** When the fit has to end, on the clock of `solve.now`. */
  readonly deadline: number;
  readonly solve: SolveOptions;
  onProgress(stage: Extract<FitEvent, { kind: "progress" }>["stage"], label: string, fraction: number): void;
}

export interface BetaChoice {
  readonly beta: number;
  /** Null when beta was not validated. */
  readonly validation: Pick<ValidationResult, "points" | "end"> | null;
  readonly notes: readonly string[];
}

/** Shares of the time for validation: in work, and, where the machine is busy or slow, on the clock. */
const VALIDATION_SHARE = 0.3;
const VALIDATION_CLOCK_SHARE = 0.5;
/** Of the search for the smallest beta that closes. */
const CERTIFIED_SHARE = 0.6;

/** The share of beta_max where grids of beta start. */
export function gridTopOf({ posed, labels, betaMax, solve, settings }: BetaTask): number {
  return labels === null && betaMax > 0 ? gridTop(betaMax, posed.centeredBetaMax(settings.seed, solve)) : 1;
}

/**
 * Beta: as given, as a share of beta_max, as in the checkpoint, or by validation. A path is validated whoever chose beta.
 *
 * @throws FitCancelled when it is cancelled meanwhile.
 */
export function chooseBeta(task: BetaTask, top: () => number): BetaChoice {
  const { settings, betaMax, resumed, solve } = task;
  const { beta, betaRatio } = settings;
  if (!(betaMax > 0)) {
    const note = "beta_max is 0: every beta gives a constant network; beta set to 1";
    return typeof beta === "number"
      ? { beta, validation: null, notes: [] }
      : { beta: 1, validation: null, notes: [note] };
  }
  const given = typeof beta === "number" ? beta : betaRatio !== undefined ? betaRatio * betaMax : resumed;
  const validated = (): ValidationResult => {
    const result = validateBeta({
      ...validationSpan(task),
      gridTop: top(),
      onProgress: (label, fraction) => task.onProgress("validate", label, fraction),
    });
    if (solve.cancelled?.() === true) throw new FitCancelled();
    return result;
  };
  if (given !== null) return { beta: given, validation: settings.path === true ? validated() : null, notes: [] };
  if (beta === "certified") {
    const { ratio, notes } = certifiedBeta({
      ...span(task, CERTIFIED_SHARE),
      onProgress: (label, fraction) => task.onProgress("search", label, fraction),
    });
    if (solve.cancelled?.() === true) throw new FitCancelled();
    return { beta: ratio * betaMax, validation: null, notes };
  }
  const { ratio, notes, ...validation } = validated();
  return { beta: ratio * betaMax, validation, notes };
}

function span({ settings, posed, betaMax, deadline, solve }: BetaTask, share: number) {
  const until = Math.min(solve.now() + share * settings.time, deadline);
  return { posed, betaMax, seed: settings.seed, deadline: until, solve };
}

function validationSpan(task: BetaTask) {
  const { labels, settings } = task;
  return { ...span(task, VALIDATION_CLOCK_SHARE), labels, seconds: VALIDATION_SHARE * settings.time };
}
