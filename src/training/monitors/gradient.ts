import type { RealArray } from "../../compute/types.ts";
import type { Measurement } from "../monitor.ts";
import { CHEAP, type MonitorKind } from "./kind.ts";
import type { Observation } from "./observation.ts";
import { beside, plain, STATEMENTS } from "./theory.ts";

/** The gradient over all samples between the bounds of Theorem 3. */
export const gradientMonitor: MonitorKind = {
  name: "gradient",
  about: "squared norm of the gradient over all samples, with its lower and upper bound",
  share: CHEAP,
  make<A extends RealArray>(observation: Observation<A>) {
    const { trainer, theory, scope, graph } = observation;
    const { data, settings } = trainer;
    const gradient = (
      trainer.theta instanceof Float32Array ? scope.f32(graph.parameters) : scope.f64(graph.parameters)
    ) as A;
    const { n } = data;
    // The statements are about half the sum of squares.
    const scale = theory !== null && data.loss.name === "squared" ? theory : null;
    const separation = scale === null ? Number.POSITIVE_INFINITY : observation.separation.separation;
    const toSum = settings.reduction === "mean" ? n : 1;
    return {
      work: { ownPasses: 2.4 * n, touches: 3, fixed: 30_000 },
      cost: "one forward and backward pass over all samples",
      observe(): Measurement[] {
        gradient.fill(0);
        const loss = toSum * trainer.evaluate(trainer.theta, gradient).loss;
        const square = toSum ** 2 * observation.squaredNorm(gradient);
        if (scale === null) return [plain("gradient-squared", square)];
        const { width: m, depth: L, outputs: c } = scale;
        const { gradientUpper, gradientLower } = STATEMENTS;
        const upper = beside("gradient-upper", square, (loss * L * n * m) / c, gradientUpper);
        if (!Number.isFinite(separation)) return [upper];
        return [upper, beside("gradient-lower", square, (loss * separation * m) / (c * n * n), gradientLower)];
      },
    };
  },
};
