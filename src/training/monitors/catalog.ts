import { didYouMean } from "../../base/did-you-mean.ts";
import { ConfigError } from "../../base/errors.ts";
import type { RealArray } from "../../compute/types.ts";
import { forwardOperations } from "../../tangent/empirical/costs.ts";
import type { Monitor } from "../monitor.ts";
import { sharpnessMonitor, spectrumMonitor, traceMonitor } from "./curvature.ts";
import { distanceMonitor } from "./distance.ts";
import { forwardMonitor, separationMonitor } from "./forward.ts";
import { gradientMonitor } from "./gradient.ts";
import { kernelMonitor } from "./kernel.ts";
import { CHEAP, type MonitorKind, TOUCH } from "./kind.ts";
import { lazinessMonitor } from "./laziness.ts";
import { lossMonitor } from "./loss.ts";
import { type MonitorSetup, Observation } from "./observation.ts";
import { productsMonitor } from "./products.ts";
import { signsMonitor } from "./signs.ts";
import { smoothnessMonitor } from "./smoothness.ts";
import { linearizationMonitor, trajectoriesMonitor } from "./trajectories.ts";

const KINDS: readonly MonitorKind[] = [
  lossMonitor,
  gradientMonitor,
  forwardMonitor,
  signsMonitor,
  distanceMonitor,
  linearizationMonitor,
  separationMonitor,
  productsMonitor,
  smoothnessMonitor,
  kernelMonitor,
  sharpnessMonitor,
  traceMonitor,
  spectrumMonitor,
  lazinessMonitor,
  trajectoriesMonitor,
];

/** What can be measured, cheap ones first. */
export const monitorNames: readonly string[] = KINDS.map(({ name }) => name);

/** What each monitor measures, and whether it is cheap: all of those together take about a twentieth of the time. */
export const monitorCatalog: readonly { readonly name: string; readonly about: string; readonly isCheap: boolean }[] =
  KINDS.map(({ name, about, share }) => ({ name, about, isCheap: share <= CHEAP }));

/** At its start only. */
const ONCE = Number.MAX_SAFE_INTEGER;
/** Double precision takes about twice as long as single. */
const SINGLE_FACTOR = 2;
/** What a step takes besides products, in operations of them. */
const STEP = 1e7;

/**
 * The monitors of these names, sharing what they can. Their paces follow from their costs: of a cheap one every so many
 * steps that it takes less than a hundredth of the time, of others so that they take a quarter. They are the same on every
 * machine: nothing is timed.
 *
 * @throws ConfigError for a name that is none; RangeError when the trainer's model is no network of the graph.
 */
export function makeMonitors<A extends RealArray>(names: readonly string[], setup: MonitorSetup<A>): Monitor[] {
  const kinds = names.map((name) => {
    const kind = KINDS.find((one) => one.name === name);
    if (kind !== undefined) return kind;
    const near = didYouMean(name, monitorNames);
    throw new ConfigError(`"${name}" is no monitor`, {
      code: "monitor-name",
      hint: near === null ? `the monitors are ${monitorNames.join(", ")}` : `did you mean "${near}"?`,
    });
  });
  const observation = new Observation(setup);
  const { data, settings, theta } = setup.trainer;
  const pass = forwardOperations(setup.graph);
  const step = 3 * Math.min(settings.batch, data.n) * pass + STEP;
  const factor = theta instanceof Float32Array ? SINGLE_FACTOR : 1;
  return kinds.map((kind) => {
    const { work, cost, observe } = kind.make(observation);
    const { passes = 0, ownPasses = 0, touches = 0, fixed = 0 } = work;
    const steps = ((factor * passes + ownPasses) * pass + touches * TOUCH * theta.length + fixed) / step;
    const every = kind.share === 0 ? ONCE : Math.max(1, Math.ceil(steps / kind.share));
    return { name: kind.name, every, cost: `${cost}: about ${Number(steps.toPrecision(2))} steps`, observe };
  });
}
