import type { RealArray } from "../../compute/types.ts";
import { taylorModel } from "../../tangent/index.ts";
import type { Measurement } from "../monitor.ts";
import { Trainer } from "../trainer.ts";
import { CHEAP, type MonitorKind, SPECTRAL_NORM } from "./kind.ts";
import type { Observation } from "./observation.ts";
import { beside, plain, STATEMENTS } from "./theory.ts";
import { affineOf, layerDistances } from "./weights.ts";

/** The network beside its linearization at the start, both at the parameters now. */
export const linearizationMonitor: MonitorKind = {
  name: "linearization",
  about: "distance of the network from its linearization at the start, both at the same parameters",
  share: CHEAP,
  make(observation) {
    const { graph, n, theta, initial, scope, compute, layers, theory, outputs } = observation;
    for (const orders of [1, 2]) observation.tape(orders);
    const change = scope.f64(graph.parameters);
    const [now, then] = [scope.f64(graph.parameters), scope.f64(graph.parameters)];
    return {
      work: { passes: 9 * n, touches: 30, fixed: 1e8 + SPECTRAL_NORM * layers.length },
      cost: "four passes over the probed samples",
      observe(): Measurement[] {
        observation.refresh();
        for (let k = 0; k < change.length; k++) change[k] = theta[k] - initial[k];
        const omega = Math.max(0, ...layerDistances(compute, layers, theta, initial).map((one) => one.spectral));
        /** Gradient of the sum of the first outputs of all samples, by the tape's last forward pass. */
        const gradient = (at: Float64Array, out: Float64Array): void => {
          const tape = observation.tape(1);
          tape.outputAdjoint[0]!.fill(0);
          for (let i = 0; i < n; i++) tape.outputAdjoint[0]![i * outputs] = 1;
          out.fill(0);
          tape.backward(n, [at], [out]);
        };
        observation.forwardAt([initial], 1);
        gradient(initial, then);
        const values = observation.forward().output[0]!;
        gradient(theta, now);
        const line = observation.forwardAt([initial, change], 2).output;
        let difference = 0;
        for (let k = 0; k < n * outputs; k++) {
          difference = Math.max(difference, Math.abs(values[k] - line[0]![k] - line[1]![k]));
        }
        const turned = Math.sqrt(
          observation.squaredNorm(now.map((value, k) => value - then[k])) / observation.squaredNorm(then),
        );
        const bounds =
          theory === null || omega === 0
            ? [null, null]
            : [omega ** (4 / 3) * theory.depth ** 3 * Math.sqrt(theory.width), Math.cbrt(omega) * theory.depth ** 3];
        return [
          beside("linearization-error", difference, bounds[0]!, STATEMENTS.ntkFunction),
          beside("gradient-change", turned, bounds[1]!, STATEMENTS.ntkGradient),
        ];
      },
    };
  },
};

/** A Taylor model of the network, trained beside it on the same batches. */
function companion<A extends RealArray>(
  { graph, compute, scope, trainer, initial }: Observation<A>,
  degree: number,
): Trainer<Float64Array> {
  const allocate = (length: number): Float64Array => scope.f64(length);
  const { settings, data, model } = trainer;
  const trained = ({ parameters }: { parameters: { from: number } }): boolean =>
    model.trained.some(({ from, count }) => parameters.from >= from && parameters.from < from + count);
  const taylor = taylorModel(graph, initial, degree, { kernels: compute, allocate, samples: model.samples, trained });
  return new Trainer(taylor, data, settings, compute, allocate);
}

/** Linearized and quadratic networks that are trained side by side. */
export const trajectoriesMonitor: MonitorKind = {
  name: "trajectories",
  about: "distance to the linearized and the quadratic network, trained on the same batches",
  share: 1,
  make(observation) {
    const { graph, n, theta, initial, trainer, scope, outputs } = observation;
    const { weightDecay } = trainer.settings.rule;
    const companions = weightDecay > 0 ? [] : [1, 2].map((degree) => companion(observation, degree));
    const inputs = graph.sizes[0]!;
    const hidden = graph.nodes.flatMap((node) => affineOf(node)?.width ?? []).slice(0, -1);
    const bound = hidden.length === 0 ? null : 1 / Math.sqrt(Math.min(...hidden));
    const start = observation.forwardAt([initial], 1).output[0]!.slice(0, n * outputs);
    const theirs = scope.f64(n * outputs);
    return {
      work: { touches: 10 },
      cost: "about nine steps for each step, whatever the pace; none with weight decay",
      observe(step) {
        observation.refresh();
        return companions.flatMap((other, k): Measurement[] => {
          const name = ["linearized", "quadratic"][k]!;
          while (other.steps < step) other.step();
          const values = observation.forward().output[0]!;
          other.model.training = false;
          for (let from = 0; from < n; from += other.model.samples) {
            const count = Math.min(other.model.samples, n - from);
            other.model.input.set(observation.inputs.subarray(from * inputs, (from + count) * inputs));
            other.model.forward(count, other.theta);
            theirs.set(other.model.output.subarray(0, count * outputs), from * outputs);
          }
          let [difference, moved] = [0, 0];
          for (let i = 0; i < n * outputs; i++) {
            difference += (values[i] - theirs[i]) ** 2;
            moved += (values[i] - start[i]) ** 2;
          }
          const apart = observation.squaredNorm(theta.map((value, i) => value - initial[i] - other.theta[i]));
          const travelled = observation.squaredNorm(theta.map((value, i) => value - initial[i]));
          const root = Math.sqrt(difference / n);
          return [
            beside(`${name}-distance`, root, k === 0 ? bound : null, STATEMENTS.trajectory),
            plain(`${name}-distance-relative`, moved > 0 ? Math.sqrt(difference / moved) : 0),
            plain(`${name}-parameters-relative`, travelled > 0 ? Math.sqrt(apart / travelled) : 0),
          ];
        });
      },
    };
  },
};
