import type { Measurement } from "../monitor.ts";
import { CHEAP, type MonitorKind, SPECTRAL_TOUCHES } from "./kind.ts";
import { beside, plain, STATEMENTS } from "./theory.ts";

/** How far the weights have moved. */
export const distanceMonitor: MonitorKind = {
  name: "distance",
  about: "distance of each layer's weights from the start, Frobenius and spectral, and times sqrt(width)",
  share: CHEAP,
  make(observation) {
    const { layers, compute, theory, trainer } = observation;
    const { data } = trainer;
    const separation = theory === null ? Number.NaN : observation.separation.separation;
    const bound =
      theory === null || !(separation > 0) || separation === Number.POSITIVE_INFINITY
        ? null
        : (data.n ** 3 * Math.sqrt(theory.outputs) * Math.log(theory.width)) / (separation * Math.sqrt(theory.width));
    const startNorms = layers.map(
      ({ from, rows, cols, scale }) =>
        compute.norm2(rows * cols, observation.initial.subarray(from, from + rows * cols)) * Math.abs(scale),
    );
    return {
      work: { touches: 1 + SPECTRAL_TOUCHES, fixed: 100_000 * layers.length },
      cost: "a spectral norm for each trained layer",
      observe() {
        observation.refresh();
        const { distances } = observation;
        return layers.flatMap(({ place, rows }, k): Measurement[] => {
          const { frobenius, spectral } = distances[k]!;
          return [
            plain("distance-frobenius", frobenius, place),
            plain("distance-relative", startNorms[k]! > 0 ? frobenius / startNorms[k]! : Number.NaN, place),
            beside("distance-spectral", spectral, bound, STATEMENTS.distance, place),
            plain("distance-spectral-scaled", Math.sqrt(rows) * spectral, place),
          ];
        });
      },
    };
  },
};
