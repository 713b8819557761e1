import type { RealArray } from "../../compute/types.ts";
import type { NetworkGraph } from "../../network/deep/index.ts";
import { forwardOperations } from "../../tangent/empirical/costs.ts";
import type { Measurement, Monitor } from "../monitor.ts";
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
  /** Passes of one sample in double precision; a backward pass is another one. */
  readonly passes: number;
  /** Those in the precision of the training. */
  readonly ownPasses: number;
  /** How often all parameters are gone through one by one. */
  readonly touches: number;
  /** What does not depend on the size of the network, in nanoseconds. */
  readonly fixed: number;
}

export interface MonitorParts extends Partial<Pick<Monitor, "save" | "restore">> {
  readonly work: Partial<MonitorWork>;
  /** The same in words. */
  readonly cost: string;
  observe(step: number): readonly Measurement[];
}

/** Monitors of which all together take about a twentieth of the time. */
export const CHEAP = 0.008;
/** Those that take what they need: each about a quarter as long as the steps. */
export const COSTLY = 0.25;
/** At its start only. */
export const ONCE = Number.MAX_SAFE_INTEGER;

/**
 * The machine that work is counted on, in nanoseconds: one with fast products (AVX-512, two threads) beside its plain loops.
 * On slower ones steps take longer, and what is no product is a smaller share of them.
 */
const PRODUCTS = { single: 1 / 250, double: 1 / 125 };
/** A number of a layer, an output with its loss, a sample, a node of the network in each pass, a parameter gone through. */
const ENTRY = 0.1;
const OUTPUT = 15;
const SAMPLE = 80;
const NODE = 1000;
const TOUCH = 1.2;
/** Times that a spectral norm goes through a matrix. */
export const SPECTRAL_TOUCHES = 8;

/** Nanoseconds of a pass of one sample. */
function passTime(graph: NetworkGraph, precision: keyof typeof PRODUCTS): number {
  const entries = graph.sizes.reduce((sum, size) => sum + size, 0);
  return (
    forwardOperations(graph) * PRODUCTS[precision] + ENTRY * entries + OUTPUT * graph.sizes[graph.outputValue]! + SAMPLE
  );
}

/**
 * Steps of a batch that an observation takes as long as. Nothing is timed, so that it is the same on every machine: work is
 * counted, a step with the two passes that it has at least.
 */
export function stepsOf(
  { passes = 0, ownPasses = 0, touches = 0, fixed = 0 }: Partial<MonitorWork>,
  graph: NetworkGraph,
  batch: number,
  precision: keyof typeof PRODUCTS,
): number {
  const own = passTime(graph, precision);
  const step = 2 * (batch * own + NODE * graph.nodes.length);
  const look = passes * passTime(graph, "double") + ownPasses * own + TOUCH * touches * graph.parameters + fixed;
  return look / step;
}

/**
 * Steps between two looks that take `share` of the time: a power of two, so that monitors look at the same steps and share
 * what they compute.
 */
export function paceOf(steps: number, share: number): number {
  return share === 0 ? ONCE : 2 ** Math.max(0, Math.ceil(Math.log2(steps / share)));
}
