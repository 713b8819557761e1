import { didYouMean } from "../../base/did-you-mean.ts";
import { ConfigError } from "../../base/errors.ts";
import type { RealArray } from "../../compute/types.ts";
import type { Monitor } from "../monitor.ts";
import { sharpnessMonitor, spectrumMonitor, traceMonitor } from "./curvature.ts";
import { distanceMonitor } from "./distance.ts";
import { forwardMonitor, separationMonitor } from "./forward.ts";
import { gradientMonitor } from "./gradient.ts";
import { kernelMonitor } from "./kernel.ts";
import { CHEAP, type MonitorKind, paceOf, stepsOf } from "./kind.ts";
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

/** @throws ConfigError for a name that is no monitor. */
export function requireMonitors(names: readonly string[]): MonitorKind[] {
  return names.map((name) => {
    const kind = KINDS.find((one) => one.name === name);
    if (kind !== undefined) return kind;
    const near = didYouMean(name, monitorNames);
    throw new ConfigError(`"${name}" is no monitor`, {
      code: "monitor-name",
      hint: near === null ? `the monitors are ${monitorNames.join(", ")}` : `did you mean "${near}"?`,
    });
  });
}

/**
 * The monitors of these names, sharing what they can. Their paces follow from their work, which is counted and not timed:
 * of a cheap one so that it takes less than a hundredth of the time, of others so that they take less than a quarter.
 *
 * @throws ConfigError for a name that is none; RangeError when the trainer's model is no network of the graph.
 */
export function makeMonitors<A extends RealArray>(names: readonly string[], setup: MonitorSetup<A>): Monitor[] {
  const kinds = requireMonitors(names);
  const observation = new Observation(setup);
  const { data, settings, theta } = setup.trainer;
  const batch = Math.min(settings.batch, data.n);
  const precision = theta instanceof Float32Array ? "single" : "double";
  return kinds.map((kind) => {
    const { work, cost, observe, save = () => [], restore = () => {} } = kind.make(observation);
    const steps = stepsOf(work, setup.graph, batch, precision);
    return {
      name: kind.name,
      every: paceOf(steps, kind.share),
      // Of what is looked at once, or goes along with all steps, that says it all.
      cost: kind.share > 0 && kind.share < 1 ? `${cost}: about ${Number(steps.toPrecision(2))} steps` : cost,
      observe,
      save,
      restore,
    };
  });
}
