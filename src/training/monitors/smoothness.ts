import { randomStream } from "../../base/random.ts";
import type { RealArray } from "../../compute/types.ts";
import type { Measurement } from "../monitor.ts";
import type { TheoryScale } from "./forms.ts";
import { COSTLY, type MonitorKind, SPECTRAL_TOUCHES } from "./kind.ts";
import type { Observation } from "./observation.ts";
import { beside, STATEMENTS } from "./theory.ts";
import { spectralNorm } from "./weights.ts";

/** Spectral norms of the changes. */
const RADII = [0.01, 0.1] as const;

/** The right-hand side of Theorem 4 beyond the first order, both constants 1, for F the sum over n samples. */
export function semiSmoothBound(
  { width, depth, outputs }: TheoryScale,
  n: number,
  loss: number,
  omega: number,
): number {
  const middle = Math.cbrt(omega) * depth ** 2 * Math.sqrt((n * width * Math.log(width)) / outputs);
  return middle * omega * Math.sqrt(loss) + ((n * depth ** 2 * width) / outputs) * omega ** 2;
}

/** Largest spectral norm of the layers of a direction. */
function tupleNorm<A extends RealArray>({ compute, layers }: Observation<A>, direction: Float64Array): number {
  return Math.max(
    0,
    ...layers.map(
      ({ rows, cols, from, scale }) =>
        Math.abs(scale) * spectralNorm(compute, rows, cols, direction.subarray(from, from + rows * cols)),
    ),
  );
}

/** What is left of the loss beyond its first-order expansion, along the negative gradient and a random direction. */
export const smoothnessMonitor: MonitorKind = {
  name: "semi-smoothness",
  about: "remainder of the first-order expansion of the loss along the gradient and a random direction",
  share: COSTLY,
  make(observation) {
    observation.tape(1);
    const { graph, n, theory, scope, layers, trainer, theta } = observation;
    const gradient = scope.f64(graph.parameters);
    const direction = scope.f64(graph.parameters);
    const moved = scope.f64(graph.parameters);
    const scale = trainer.data.loss.name === "squared" ? theory : null;
    const remainder = (loss: number, factor: number): number => {
      let slope = 0;
      for (let k = 0; k < moved.length; k++) {
        moved[k] = theta[k] + factor * direction[k];
        slope += factor * direction[k] * gradient[k];
      }
      const there = observation.loss(observation.forwardAt([moved], 1).output[0]!);
      return there - loss - slope;
    };
    return {
      work: {
        passes: (3 + 2 * RADII.length) * n,
        // Random directions are drawn, and their spectral norms are slow to converge.
        touches: 40 + 2 * 4 * SPECTRAL_TOUCHES,
        fixed: 400_000,
      },
      cost: `gradient and ${2 * RADII.length} forward passes of the probed samples`,
      observe() {
        observation.refresh();
        const loss = observation.gradient(gradient);
        const rows: Measurement[] = [];
        for (const way of ["gradient", "random"] as const) {
          const { normal } = randomStream(0, "semi-smoothness");
          direction.fill(0);
          for (const { from, rows: height, cols } of layers) {
            for (let k = from; k < from + height * cols; k++)
              direction[k] = way === "gradient" ? -gradient[k] : normal();
          }
          const norm = tupleNorm(observation, direction);
          for (const radius of RADII) {
            const bound = scale === null ? null : semiSmoothBound(scale, n, loss, radius);
            const name = `semi-smoothness-${way}-${radius}`;
            rows.push(beside(name, remainder(loss, radius / norm), bound, STATEMENTS.semiSmooth));
          }
        }
        return rows;
      },
    };
  },
};
