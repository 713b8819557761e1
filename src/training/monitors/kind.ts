import type { RealArray } from "../../compute/types.ts";
import type { Measurement } from "../monitor.ts";
import type { Observation } from "./observation.ts";

/** A monitor in the making: what it looks at, and what that takes. */
export interface MonitorKind {
  readonly name: string;
  /** What it measures, in a few words. */
  readonly about: string;
  /** Share of a step's work that it may take at its default pace. */
  readonly share: number;
  make<A extends RealArray>(observation: Observation<A>): MonitorParts;
}

/** The work of an observation, about; where it is more than what it says, the pace is too fast. */
export interface MonitorWork {
  /** Forward passes of one sample in double precision. */
  readonly passes: number;
  /** Those in the precision of the training. */
  readonly ownPasses: number;
  /** How often all parameters are gone through one by one. */
  readonly touches: number;
  /** What does not depend on the size of the network, in floating-point operations of large products. */
  readonly fixed: number;
}

/** Operations that going through a parameter, and a Lanczos run for a spectral norm, take the time of. */
export const TOUCH = 200;
export const SPECTRAL_NORM = 6e7;

export interface MonitorParts {
  readonly work: Partial<MonitorWork>;
  /** The same in words. */
  readonly cost: string;
  observe(step: number): readonly Measurement[];
}

/** Monitors of which all together take about a twentieth of the time. */
export const CHEAP = 0.008;
/** Those that take what they need: each about a quarter as long as the steps. */
export const COSTLY = 0.25;
