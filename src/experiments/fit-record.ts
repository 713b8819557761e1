import type { BackendInfo } from "../compute/types.ts";
import type { SolveEvent } from "../convex/index.ts";
import type { Dataset } from "../data/types.ts";
import type { TwoLayerNetwork } from "../network/index.ts";
import type { FitSettings } from "./config.ts";
import type { Baseline, Evaluation } from "./evaluation.ts";
import type { RegularizationPath } from "./path.ts";
import type { Coding, Objective } from "./problem.ts";
import type { SolvedPart } from "./solve.ts";
import type { ValidationEnd, ValidationPoint } from "./validation.ts";

/** A line of `history.ndjson`: a solver's event and the output that it is about. */
export type HistoryLine = { readonly output: string } & SolveEvent;

/** Everything that a finished (or interrupted) fit knows. */
export interface FitRecord {
  readonly settings: FitSettings;
  readonly dataset: Dataset;
  readonly objective: Objective;
  readonly coding: Coding;
  readonly betaMax: number;
  /** One for each output with a network of its own; a single one where outputs share neurons. */
  readonly outputs: readonly SolvedPart[];
  readonly network: TwoLayerNetwork;
  readonly evaluation: Evaluation;
  readonly baselines: readonly Baseline[];
  /** Null when beta was not validated. */
  readonly validation: { readonly points: readonly ValidationPoint[]; readonly end: ValidationEnd } | null;
  /** Null unless it was asked for. */
  readonly path: RegularizationPath | null;
  readonly history: readonly HistoryLine[];
  readonly notes: readonly string[];
  readonly backend: BackendInfo;
  readonly interrupted: boolean;
  /** sha256 of the gates file, when there is one. */
  readonly gatesHash: string | null;
  /** The model file whose network was given to be bounded; null when it was trained here. */
  readonly given: { readonly file: string; readonly sha256: string } | null;
}
