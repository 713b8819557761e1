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

export interface MonitorParts {
  /** Work of an observation in forward passes of one sample, about; a step is three for each sample of its batch. */
  readonly passes: number;
  /** The same in words. */
  readonly cost: string;
  observe(step: number): readonly Measurement[];
}

/** Monitors that stay below a tenth of a step when all of them run. */
export const CHEAP = 0.014;
/** Those that take what they need: each at most a fifth of the time. */
export const COSTLY = 0.25;
