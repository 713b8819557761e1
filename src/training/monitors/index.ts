/**
 * Monitors: quantities of the theory, measured while a network is trained, each beside what a statement says of it. They
 * observe; a training with all of them ends with the same numbers.
 */
export { makeMonitors, monitorCatalog, monitorNames, requireMonitors } from "./catalog.ts";
export { adversarialFlipLaw, adversarialFlips, randomFlipLaw, randomFlips } from "./flips.ts";
export { type TheoryForm, type TheoryScale, theoryForm, theoryScale } from "./forms.ts";
export type { MonitorSetup } from "./observation.ts";
export { probeOf } from "./probe.ts";
export { dataSeparation, patchSeparation } from "./theory.ts";
