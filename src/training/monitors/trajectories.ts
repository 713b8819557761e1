import type { RealArray } from "../../compute/types.ts";
import { taylorModel } from "../../tangent/index.ts";
import type { Measurement } from "../monitor.ts";
import { Trainer, type TrainingCheckpoint } from "../trainer.ts";
import { CHEAP, type MonitorKind, SPECTRAL_TOUCHES } from "./kind.ts";
import type { Observation } from "./observation.ts";
import { beside, plain, STATEMENTS } from "./theory.ts";
import { affineOf } from "./weights.ts";

/** The network beside its linearization at the start, both at the parameters now. */
export const linearizationMonitor: MonitorKind = {
  name: "linearization",
  about: "distance of the network from its linearization at the start, both at the same parameters",
  share: CHEAP,
  make(observation) {
    const { graph, n, theta, initial, scope, theory, outputs, trainer } = observation;
    for (const orders of [1, 2]) observation.tape(orders);
    const change = scope.f64(graph.parameters);
    const [now, then] = [scope.f64(graph.parameters), scope.f64(graph.parameters)];
    /** Gradient of the sum of the first outputs of all samples, by the tape's last forward pass. */
    const gradient = (at: Float64Array, out: Float64Array): void => {
      const tape = observation.tape(1);
      tape.outputAdjoint[0]!.fill(0);
      for (let i = 0; i < n; i++) tape.outputAdjoint[0]![i * outputs] = 1;
      out.fill(0);
      tape.backward(n, [at], [out]);
    };
    let isKnown = false;
    return {
      work: { passes: 6 * n, touches: 5 + SPECTRAL_TOUCHES, fixed: 100_000 },
      cost: "a forward and a backward pass over the probed samples, and the derivative at the start",
      observe(): Measurement[] {
        observation.refresh();
        const omega = observation.radius;
        // Running statistics change what the network was at its start.
        if (!isKnown || graph.state > 0) {
          observation.forwardAt([initial], 1);
          gradient(initial, then);
          isKnown = true;
        }
        const values = observation.forward().output[0]!;
        gradient(theta, now);
        for (let k = 0; k < change.length; k++) change[k] = theta[k] - initial[k];
        const line = observation.forwardAt([initial, change], 2).output;
        let difference = 0;
        for (let k = 0; k < n * outputs; k++) {
          difference = Math.max(difference, Math.abs(values[k] - line[0]![k] - line[1]![k]));
        }
        let [turn, square] = [0, 0];
        for (const { from, count } of trainer.model.trained) {
          for (let k = from; k < from + count; k++) {
            turn += (now[k] - then[k]) ** 2;
            square += then[k] * then[k];
          }
        }
        const turned = Math.sqrt(turn / square);
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

/** A checkpoint as arrays. */
function saved({ step, theta, state, memory }: TrainingCheckpoint): readonly RealArray[] {
  return [Float64Array.of(step), theta, state, ...memory];
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
      save: () => companions.flatMap((other) => saved(other.checkpoint())),
      restore(arrays) {
        // All of them have the same number of arrays.
        const each = arrays.length / companions.length;
        if (!(each > 2)) return;
        companions.forEach((other, k) => {
          const [step, theta, state, ...memory] = arrays.slice(k * each, (k + 1) * each);
          other.restore({ step: step![0]!, theta: theta!, state: state!, memory });
        });
      },
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
          let [apart, travelled] = [0, 0];
          for (const { from, count } of trainer.model.trained) {
            for (let i = from; i < from + count; i++) {
              apart += (theta[i] - initial[i] - other.theta[i]) ** 2;
              travelled += (theta[i] - initial[i]) ** 2;
            }
          }
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
